"""A small model of OTP's rules: what a tree of supervisors does about one fault or one admin call at a time.

Written from the rules, not from the runtime: each rule is a plain recursive function that does at once what the runtime
does step by step. It keeps the time that backoffs and hangs take, and tells the story that a live tree must tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from supervisor import AutoShutdown, Backoff, Restart, Strategy
from supervisor.testing import Act

START_TIMEOUT = 3.0
WITHIN = 350.5
BACKOFF = Backoff(base=1.0, factor=2.0, cap=4.0, jitter=0.0, reset=60.0)


class Kind(Enum):
    WORKER = "worker"
    STATIC = "static"
    DYNAMIC = "dynamic"


@dataclass
class Spec:
    """One child as it is written. `acts`: what its starts do, the last one for ever."""

    id: str
    restart: Restart
    kind: Kind = Kind.WORKER
    acts: list[Act] = field(default_factory=lambda: [Act.OK])
    significant: bool = False
    children: list["Spec"] = field(default_factory=list)
    strategy: Strategy = Strategy.ONE_FOR_ONE
    auto: AutoShutdown = AutoShutdown.NEVER
    most: int = 3


@dataclass(eq=False)
class Node:
    """One child as it is."""

    spec: Spec
    parent: "Node | None"
    up: bool = False
    wanted: bool = True
    suspended: bool = False
    failed: bool = False
    incarnation: int = 0
    attempts: int = 0
    since: float = 0.0
    children: list["Node"] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)

    @property
    def path(self) -> str:
        return "" if self.parent is None else f"{self.parent.path}/{self.spec.id}"

    @property
    def above(self) -> "Node":
        assert self.parent is not None
        return self.parent

    def walk(self) -> Iterator["Node"]:
        """It and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def drop(self) -> None:
        self.above.children.remove(self)

    @property
    def is_kept(self) -> bool:
        """Whether it stays in the tree when it is down for good."""
        return self.spec.restart is not Restart.TEMPORARY and self.above.spec.kind is not Kind.DYNAMIC


class Tree:
    """The whole tree, the time, and what has happened: `log` of starts and stops, each with its
    time, and `story` of the supervisors."""

    def __init__(self, root: Spec, now: float) -> None:
        self.now = now
        self.log: list[str] = []
        self.story: list[str] = []
        self.root = Node(root, None)

    # --- up and down

    def start(self, node: Node) -> Act:
        """Start it and what is below it: OK, FAIL or IGNORE."""
        node.incarnation += 1
        node.failed, node.suspended, node.wanted = False, False, True
        start = self._start_worker if node.spec.kind is Kind.WORKER else self._start_supervisor
        outcome = start(node)
        node.up, node.since = outcome is Act.OK, self.now
        return outcome

    def _start_worker(self, node: Node) -> Act:
        acts, id = node.spec.acts, node.spec.id
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        self.log.append(f"{self.now:g} start {id}")
        if act is Act.HANG:
            self.now += START_TIMEOUT
        if act is not Act.OK:
            self.log.append(f"{self.now:g} stopping {id} {'ignored' if act is Act.IGNORE else 'failed'}")
        return Act.FAIL if act is Act.HANG else act

    def _start_supervisor(self, node: Node) -> Act:
        node.restarts = []
        node.children = [Node(spec, node) for spec in node.spec.children]
        for child in list(node.children):
            outcome = self.start(child)
            if outcome is Act.FAIL:
                self._stop_all(node)
                return Act.FAIL
            if outcome is Act.IGNORE:
                self._rest(child)
        return Act.OK

    def stop(self, node: Node) -> None:
        if not node.up:
            return
        if node.spec.kind is Kind.WORKER:
            self.log.append(f"{self.now:g} stopping {node.spec.id} shutdown")
        else:
            self._stop_all(node)
        node.up, node.suspended = False, False

    def _stop_all(self, node: Node) -> None:
        for child in reversed(node.children):
            self.stop(child)
        node.children = []

    def _rest(self, node: Node, *, failed: bool = False) -> None:
        """It is down for good: kept in the tree, or not."""
        node.wanted, node.failed = False, failed
        if not node.is_kept:
            node.drop()

    # --- its own end, and what follows

    def end(self, node: Node, reason: str) -> None:
        """A worker ends by itself."""
        self.log.append(f"{self.now:g} stopping {node.spec.id} {reason}")
        node.up = False
        self._ended(node, failed=reason == "failed")

    def _ended(self, node: Node, *, failed: bool, gave_up: bool = False, was_up: bool = True) -> None:
        above = node.above
        if node.spec.restart is Restart.PERMANENT or (node.spec.restart is Restart.TRANSIENT and failed):
            self._restart(node, was_up=was_up)
            return
        self._rest(node, failed=failed or gave_up)
        if node.spec.significant and self._last(above):
            self._stop_all(above)
            above.up = False
            self._ended(above, failed=False)

    def _last(self, above: Node) -> bool:
        left = any(child.spec.significant and child.up for child in above.children)
        return above.spec.auto is AutoShutdown.ANY_SIGNIFICANT or not left

    def _restart(self, node: Node, *, was_up: bool) -> None:
        """Restart it and its group, and again whoever of them cannot start, until all are up or it was too often."""
        above = node.above
        failed: Node | None = node
        while failed is not None:
            above.restarts = [at for at in (*above.restarts, self.now) if self.now - at <= WITHIN]
            if len(above.restarts) > above.spec.most:
                self._give_up(above)
                return
            if was_up and self.now - failed.since >= BACKOFF.reset:
                failed.attempts = 0
            was_up = False
            failed.attempts += 1
            delay = BACKOFF.delay(failed.attempts, 0.0)
            self.story.append(f"restart {failed.path} in {delay:g}")
            self._stop_group(above, failed)
            self.now += delay
            failed = self._rise(above)

    def _stop_group(self, above: Node, failed: Node) -> None:
        if above.spec.strategy is Strategy.ONE_FOR_ONE:
            return
        first = 0 if above.spec.strategy is Strategy.ONE_FOR_ALL else above.children.index(failed)
        for child in reversed(above.children[first:]):
            if child.up:
                self.stop(child)
                child.attempts = max(child.attempts, 1)
                if child.spec.restart is Restart.TEMPORARY:
                    child.drop()

    def _rise(self, above: Node) -> Node | None:
        """Start all that are wanted, in order; the first that cannot is returned."""
        for child in list(above.children):
            if child.wanted and not child.up:
                outcome = self.start(child)
                if outcome is Act.FAIL:
                    return child
                if outcome is Act.IGNORE:
                    self._rest(child)
        return None

    def _give_up(self, node: Node) -> None:
        self.story.append(f"gave up {node.path}")
        self._stop_all(node)
        node.up = False
        self._ended(node, failed=False, gave_up=True)

    # --- admin calls; each says whether it succeeds

    def add(self, above: Node, spec: Spec) -> bool:
        node = Node(spec, above)
        above.children.append(node)
        outcome = self.start(node)
        if outcome is Act.FAIL:
            node.drop()
        elif outcome is Act.IGNORE:
            self._rest(node)
        return outcome is not Act.FAIL

    def terminate(self, node: Node) -> None:
        if node.up:
            self.stop(node)
            self._rest(node)

    def restart(self, node: Node) -> bool:
        was_up = node.up
        self.stop(node)
        node.attempts = max(node.attempts, 1) if was_up else 0
        outcome = self.start(node)
        if outcome is Act.IGNORE:
            self._rest(node)
        elif outcome is Act.FAIL and was_up:
            self._ended(node, failed=True, was_up=False)
        elif outcome is Act.FAIL:
            self._rest(node, failed=True)
        return outcome is not Act.FAIL

    def delete(self, node: Node) -> bool:
        if not node.up:
            node.drop()
        return not node.up
