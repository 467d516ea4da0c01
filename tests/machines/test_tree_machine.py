"""Random lives of live trees on the virtual clock, step by step against a small model of OTP's rules.

After each step the tree must have told the same story as the model, in the same order and at the same time, and must
stand as the model stands. At the end many things happen at once: then only the rules that always hold are looked at.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from supervisor import (
    ActorError,
    AdminRefused,
    AutoShutdown,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Restart,
    StartFailed,
    State,
    Strategy,
    Supervisor,
)
from supervisor.testing import PATIENCE, Act, Crash, Leave, Player, Recorder, Script, open_test_system, scripted
from tests.machines.otp_model import BACKOFF, START_TIMEOUT, WITHIN, Kind, Node, Spec, Tree

SETTLED = 100.0
"""Seconds after which nothing of a step is left: more than the backoffs and hangs that an intensity allows."""
MOST_DYNAMIC = 2
ENOUGH = 100
"""Restarts that the root allows: it never gives up."""
ACTS = st.lists(st.sampled_from([Act.OK, Act.OK, Act.FAIL, Act.HANG, Act.IGNORE]), max_size=3)


class Log(list[str]):
    """Keeps lines with their time, and not those that say no more than the ones before them."""

    def append(self, line: str) -> None:
        if not line.startswith("stopped"):
            super().append(f"{trio.current_time():g} {line}")


class Machine:
    """One live tree, its model, and what can happen to both."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.made = 0
        self.log = Log()
        children = [self.child(2) for _ in range(self.draw(st.integers(1, 3)))]
        self.written = Spec("root", Restart.PERMANENT, Kind.STATIC, children=children, most=ENOUGH)

    # --- random specs, for the model and for the runtime

    def child(self, depth: int, *, sound: bool = True, auto: AutoShutdown = AutoShutdown.NEVER) -> Spec:
        """A worker or a supervisor; the first start of a `sound` one succeeds."""
        self.made += 1
        spec = Spec(f"c{self.made}", self.draw(st.sampled_from(Restart)))
        if auto is not AutoShutdown.NEVER and spec.restart is not Restart.PERMANENT:
            spec.significant = self.draw(st.booleans())
        kind = self.draw(st.sampled_from([Kind.WORKER, Kind.STATIC, Kind.STATIC, Kind.DYNAMIC])) if depth else None
        if kind in (None, Kind.WORKER):
            spec.acts = [Act.OK] * sound + self.draw(ACTS) + [Act.OK]
            return spec
        assert kind is not None
        spec.kind, spec.most = kind, self.draw(st.integers(0, 3))
        if kind is Kind.STATIC:
            spec.strategy = self.draw(st.sampled_from(Strategy))
            spec.auto = self.draw(st.sampled_from(AutoShutdown))
            below = range(self.draw(st.integers(1, 3)))
            spec.children = [self.child(depth - 1, sound=sound, auto=spec.auto) for _ in below]
        return spec

    def real(self, spec: Spec) -> ChildSpec[Any]:
        common: dict[str, Any] = {"restart": spec.restart, "significant": spec.significant}
        intensity = Intensity(spec.most, WITHIN)
        match spec.kind:
            case Kind.WORKER:
                script = Script(*spec.acts, log=self.log)
                return scripted(spec.id, script, start_timeout=START_TIMEOUT, shutdown=5.0, **common)
            case Kind.DYNAMIC:
                pool = DynamicSupervisor(max_children=MOST_DYNAMIC, intensity=intensity, backoff=BACKOFF)
                return ChildSpec(spec.id, pool, **common)
            case Kind.STATIC:
                return ChildSpec(spec.id, self.supervisor(spec, intensity), **common)

    def supervisor(self, spec: Spec, intensity: Intensity) -> Supervisor:
        return Supervisor(
            *(self.real(child) for child in spec.children),
            strategy=spec.strategy,
            intensity=intensity,
            backoff=BACKOFF,
            auto_shutdown=spec.auto,
        )

    # --- a life

    async def live(self) -> None:
        tree = self.supervisor(self.written, Intensity(ENOUGH, WITHIN * 10))
        with trio.fail_after(PATIENCE * 100):
            async with open_test_system(tree) as self.system:
                self.recorder = Recorder(self.system)
                self.model = Tree(self.written, trio.current_time())
                assert self.model.start(self.model.root) is Act.OK
                self.compare()
                for _ in range(self.draw(st.integers(1, 15))):
                    await self.step()
                await self.all_at_once()
                if self.draw(st.booleans()):
                    return  # it is stopped in the middle of it all
                await trio.sleep(SETTLED)
                rest = {State.RUNNING, State.SUSPENDED, State.STOPPED, State.FAILED}
                restless = {p: cell.state for p, cell in self.system._registry.cells.items() if cell.state not in rest}
                assert not restless, self.recorder.story
                self.nothing_pends()

    async def step(self) -> None:
        """One thing to one place; then time for all that follows, and a look whether it is what the model says."""
        begin = trio.current_time()
        self.model.now = begin
        places = [node for node in self.model.root.walk() if node.parent is not None]
        things = {"end": self.end, "admin": self.admin, "add": self.add, "suspend": self.suspend}
        await things[self.draw(st.sampled_from(["end", "end", *things, "admin"]))](places)
        assert trio.current_time() <= begin + SETTLED
        await trio.sleep_until(begin + SETTLED)
        assert self.model.now <= begin + SETTLED
        self.compare()
        if self.draw(st.booleans()):
            await trio.sleep(self.draw(st.integers(0, 400)))

    def pick(self, nodes: list[Node]) -> Node:
        """One of them, drawn by its path, so that a report of a failure is short."""
        path = self.draw(st.sampled_from([node.path for node in nodes]))
        return next(node for node in nodes if node.path == path)

    async def end(self, places: list[Node]) -> None:
        """A worker crashes or leaves."""
        workers = [node for node in places if node.spec.kind is Kind.WORKER and node.up and not node.suspended]
        if workers:
            node = self.pick(workers)
            failed = self.draw(st.booleans())
            await self.system.ref(node.path, Player).tell(Crash() if failed else Leave())
            self.model.end(node, "failed" if failed else "normal")

    async def admin(self, places: list[Node]) -> None:
        """An admin call to a child; it succeeds or is refused as the model says."""
        if not places:
            return
        node = self.pick(places)
        match self.draw(st.sampled_from(["terminate", "restart", "delete"])):
            case "terminate":
                await self.system.terminate_child(node.path)
                self.model.terminate(node)
            case "restart":
                path = node.path
                await self.outcome(self.model.restart(node), partial(self.system.restart_child, path), StartFailed)
            case _:
                path = node.path
                await self.outcome(self.model.delete(node), partial(self.system.delete_child, path), AdminRefused)

    async def add(self, places: list[Node]) -> None:
        """A child comes to a supervisor, if that has room."""
        supervisors = [node for node in places if node.up and node.spec.kind is not Kind.WORKER]
        above = self.pick([self.model.root, *supervisors])
        dynamic = above.spec.kind is Kind.DYNAMIC
        spec = self.child(0 if dynamic else 1, sound=False, auto=above.spec.auto)
        spec.id = spec.id.replace("c", "d" if dynamic else "c")
        call = partial(self.system.start_child, above.path or "/", self.real(spec))
        if dynamic and len(above.children) == MOST_DYNAMIC:
            await self.outcome(False, call, AdminRefused)
        else:
            await self.outcome(self.model.add(above, spec), call, StartFailed)

    async def suspend(self, places: list[Node]) -> None:
        """A worker is suspended or resumed; one that is down cannot be."""
        workers = [node for node in places if node.spec.kind is Kind.WORKER]
        if workers:
            node = self.pick(workers)
            on = self.draw(st.booleans())
            try:
                (self.system.suspend if on else self.system.resume)(node.path)
            except AdminRefused:
                assert not node.up
            else:
                assert node.up
                node.suspended = on

    async def outcome(self, succeeds: bool, call: Callable[[], Awaitable[object]], refusal: type[ActorError]) -> None:
        try:
            await call()
        except refusal:
            assert not succeeds
        else:
            assert succeeds

    async def all_at_once(self) -> None:
        """Many things, without waiting for what follows from each; every call answers."""
        self.draws = [
            (
                self.draw(st.integers(0, 5)),
                self.draw(st.integers(0, 30)),
                self.draw(st.sampled_from([0.0, 0.0, 0.5, 2.0])),
            )
            for _ in range(self.draw(st.integers(0, 12)))
        ]
        answered = 0

        async def one(what: int, where: int) -> None:
            nonlocal answered
            paths = sorted(self.system._registry.cells)
            path = paths[where % len(paths)]
            ref = self.system.ref(path, Player)
            calls: list[Callable[[], Awaitable[object]]] = [
                partial(ref.tell, Crash()),
                partial(ref.tell, Leave()),
                partial(self.system.terminate_child, path),
                partial(self.system.restart_child, path),
                partial(self.system.delete_child, path),
                partial(self.system.start_child, path, scripted(f"late{where}", Script(Act.FAIL, log=self.log))),
            ]
            with suppress(ActorError):
                await calls[what]()
            answered += 1

        async with trio.open_nursery() as nursery:
            for what, where, pause in self.draws:
                nursery.start_soon(one, what, where)
                await trio.sleep(pause)
        assert answered == len(self.draws)

    # --- what must hold

    def compare(self) -> None:
        """The tree has told the model's story, and stands as the model stands."""
        assert self.canonical(self.log) == self.canonical(self.model.log)
        story = [line for line in self.recorder.story if line.startswith(("restart", "gave up"))]
        assert story == self.model.story
        self.log.clear()
        self.recorder.events.clear()
        self.model.log.clear()
        self.model.story.clear()
        cells = {path: cell for path, cell in self.system._registry.cells.items() if path != "/"}
        nodes = {node.path: node for node in self.model.root.walk() if node.parent is not None}
        assert {path: (cell.state, cell.incarnation) for path, cell in cells.items()} == {
            path: (self.state(node), node.incarnation) for path, node in nodes.items()
        }
        for node in self.model.root.walk():
            if node.spec.kind is not Kind.WORKER and node.up:
                path = node.path or "/"
                assert [child.path for child in self.system.which_children(path)] == [c.path for c in node.children]
                assert self.system.count_children(path) == {
                    "specs": len(node.children),
                    "active": sum(child.up for child in node.children),
                    "supervisors": sum(child.spec.kind is not Kind.WORKER for child in node.children),
                    "workers": sum(child.spec.kind is Kind.WORKER for child in node.children),
                }
        self.nothing_pends()

    def nothing_pends(self) -> None:
        """No timer, no monitor, no fact and nobody who waits for an answer is left of what has happened."""
        assert self.system._registry.timers.pending == 0
        assert not self.system._registry.watchers
        tasks = [self.system._task]
        for task in tasks:
            tasks += task._tasks.values()
            assert not any((task._facts, task._timers, task.admin._wait_up, task.admin._wait_down))

    @staticmethod
    def state(node: Node) -> State:
        if node.suspended:
            return State.SUSPENDED
        return State.RUNNING if node.up else State.FAILED if node.failed else State.STOPPED

    @staticmethod
    def canonical(log: list[str]) -> list[str]:
        """The children of a dynamic supervisor stop at once, so in any order."""
        grouped = groupby(log, key=lambda line: "stopping d" in line and line.endswith("shutdown"))
        return [line for stops, lines in grouped for line in (sorted(lines) if stops else lines)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_trees_live_as_otp_says(data: st.DataObject) -> None:
    trio.run(Machine(data).live, clock=MockClock(autojump_threshold=0))
