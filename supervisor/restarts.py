"""The judge: what a supervisor does about each thing that happens to its children.

Pure: no trio, no clock, no randomness. The supervisor's task reports facts and carries out the commands that come
back. The judge knows for each child whether it is wanted and where it is, and answers every fact with the next step
that brings the two together: downwards first and in reverse order, then upwards and in order. So a stop, a crash of a
sibling and an admin call may come in the middle of anything.
"""

from collections import deque
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from supervisor.backoff import Backoff
from supervisor.events import End
from supervisor.spec import Intensity, Restart, Strategy


class Where(Enum):
    """Where a child is."""

    DOWN = auto()
    WAITING = auto()
    """Down until its backoff is over."""
    STARTING = auto()
    UP = auto()
    STOPPING = auto()


class Child(msgspec.Struct):
    """What the judge knows of one child.

    `wanted`: it is to be up. `doomed`: it must go down before its group comes up again. `again`: an admin call wants
    it up after that, even if it is temporary. `new`: it was never up. `attempts`: restarts since it was last stable.
    """

    id: str
    restart: Restart
    where: Where = Where.DOWN
    wanted: bool = True
    doomed: bool = False
    again: bool = False
    new: bool = True
    attempts: int = 0
    up_since: float = 0.0


class Start(NamedTuple):
    """Start this child; report `started` or `ended`."""

    id: str


class Stop(NamedTuple):
    """Stop this child by its shutdown rule; report `ended`."""

    id: str


class Wait(NamedTuple):
    """Report `delay_over` for this child in `seconds`; its restart is the `number`-th in the window."""

    id: str
    seconds: float
    number: int


class Forget(NamedTuple):
    """The child has left the tree for good."""

    id: str


class Rest(NamedTuple):
    """The child is down and stays in the tree until an admin call; `failed` or on purpose."""

    id: str
    failed: bool


class Ready(NamedTuple):
    """All children are up for the first time."""


class Finish(NamedTuple):
    """All children are down and the supervisor is over.

    `child`: the one whose start failed or, if `exceeded`, whose restarts were too many; None after a plain stop.
    """

    child: str | None
    exceeded: bool


Command = Start | Stop | Wait | Forget | Rest | Ready | Finish


class Judge:
    """One supervisor's rules and its children. Every method takes a fact and returns the commands that follow."""

    def __init__(self, strategy: Strategy, intensity: Intensity, backoff: Backoff, *, dynamic: bool = False) -> None:
        self.children: dict[str, Child] = {}
        self.restarts: deque[float] = deque()
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._dynamic = dynamic
        self._opening = not dynamic
        self.closing = False
        """Whether all are to go down, and the supervisor with them."""
        self._blamed: str | None = None
        self._exceeded = False
        self._finished = False

    # --- facts

    def begin(self, children: list[tuple[str, Restart]]) -> list[Command]:
        """The supervisor starts, with these children in this order."""
        for child_id, restart in children:
            self.children[child_id] = Child(child_id, restart)
        return self._next()

    def add(self, child_id: str, restart: Restart) -> list[Command]:
        """A new child, whose id is free, is to be started after the others."""
        self.children[child_id] = Child(child_id, restart)
        return self._next()

    def started(self, child_id: str, now: float) -> list[Command]:
        """The child is up."""
        child = self.children[child_id]
        if child.where is Where.STARTING:
            child.where, child.up_since = Where.UP, now
            child.new = child.again = False
        return self._next()

    def ended(self, child_id: str, end: End, now: float, random: float) -> list[Command]:
        """The child is down, whoever wanted it. `random` in [0, 1) is for the jitter of its backoff."""
        child = self.children[child_id]
        doomed = child.doomed or child.where is Where.STOPPING  # it had to go anyway: that costs no intensity
        before, child.where, child.doomed = child.where, Where.DOWN, False
        if doomed or self.closing:
            return self._after_stop(child) + self._next()
        failed = end is End.FAILED
        if before is Where.STARTING and failed and child.attempts == 0:
            return self._first_start_failed(child)
        again = child.restart is Restart.PERMANENT or (child.restart is Restart.TRANSIENT and failed)
        if not again:
            child.wanted = False
            return [self._settled(child, failed=end is not End.NORMAL), *self._next()]
        self.restarts.append(now)
        while self.restarts and now - self.restarts[0] > self._intensity.within:
            self.restarts.popleft()
        if len(self.restarts) > self._intensity.restarts:
            return self._give_up(child, exceeded=True)
        if before is Where.UP and now - child.up_since >= self._backoff.reset:
            child.attempts = 0
        child.attempts += 1
        child.where = Where.WAITING
        self._doom_group(child)
        return [Wait(child_id, self._backoff.delay(child.attempts, random), len(self.restarts)), *self._next()]

    def delay_over(self, child_id: str) -> list[Command]:
        """The child's backoff is over."""
        child = self.children.get(child_id)
        if child is not None and child.where is Where.WAITING:
            child.where = Where.DOWN
        return self._next()

    def terminate(self, child_id: str) -> list[Command]:
        """An admin call: the child is to go down and stay down."""
        child = self.children[child_id]
        was_wanted, child.wanted, child.again = child.wanted, False, False
        if child.where is Where.WAITING or (child.where is Where.DOWN and was_wanted):
            child.where = Where.DOWN
            return [self._settled(child, failed=False), *self._next()]
        child.doomed = child.where is not Where.DOWN
        return self._next()

    def restart(self, child_id: str) -> list[Command]:
        """An admin call: the child is to be up again; a running one is stopped first. Costs no intensity.

        If one that was down fails to start, it is down again; one that was up is retried, as after a crash.
        """
        child = self.children[child_id]
        child.attempts = max(child.attempts, 1) if child.wanted else 0
        child.wanted = child.again = True
        if child.where is Where.WAITING:
            child.where = Where.DOWN
        child.doomed = child.where is not Where.DOWN
        return self._next()

    def delete(self, child_id: str) -> list[Command]:
        """An admin call: forget a child that is down and not wanted."""
        del self.children[child_id]
        return [Forget(child_id), *self._next()]

    def stop(self) -> list[Command]:
        """The supervisor is to stop. Asked again, nothing changes."""
        self.closing = True
        for child in self.children.values():
            if child.where is Where.WAITING:
                child.where = Where.DOWN
        return self._next()

    # --- what follows

    def _first_start_failed(self, child: Child) -> list[Command]:
        """Fatal to the supervisor while it opens; later to this child alone, whose spec stays if it was up before."""
        if self._opening and child.new:
            return self._give_up(child, exceeded=False)
        child.wanted = False
        if not child.new:
            return [self._settled(child, failed=True), *self._next()]
        del self.children[child.id]
        return [Forget(child.id), *self._next()]

    def _give_up(self, child: Child, *, exceeded: bool) -> list[Command]:
        self._blamed, self._exceeded = child.id, exceeded
        return self.stop()

    def _after_stop(self, child: Child) -> list[Command]:
        if child.wanted and not self.closing and (child.again or child.restart is not Restart.TEMPORARY):
            return []
        if self.closing and not (self._dynamic or child.restart is Restart.TEMPORARY):
            return []
        child.wanted = False
        return [self._settled(child, failed=False)]

    def _settled(self, child: Child, *, failed: bool) -> Command:
        if child.restart is Restart.TEMPORARY or self._dynamic:
            del self.children[child.id]
            return Forget(child.id)
        return Rest(child.id, failed)

    def _doom_group(self, crashed: Child) -> None:
        """Mark who goes down with the crashed child."""
        if self._strategy is Strategy.ONE_FOR_ONE:
            return
        later = self._strategy is Strategy.ONE_FOR_ALL
        for child in self.children.values():
            if child is crashed:
                later = True
            elif later and child.where in (Where.UP, Where.STARTING, Where.STOPPING):
                child.doomed = True
                child.attempts = max(child.attempts, 1)

    def _next(self) -> list[Command]:
        """The next step towards what is wanted."""
        if self._finished:
            return []
        return self._close() if self.closing else self._sink() + self._rise()

    def _close(self) -> list[Command]:
        commands: list[Command] = []
        for child in reversed(self.children.values()):
            if child.where in (Where.STARTING, Where.UP):
                child.where = Where.STOPPING
                commands.append(Stop(child.id))
            if child.where is not Where.DOWN and not self._dynamic:
                return commands  # in reverse, one after the other
        if all(child.where is Where.DOWN for child in self.children.values()):
            self._finished = True
            commands.append(Finish(self._blamed, self._exceeded))
        return commands

    def _sink(self) -> list[Command]:
        """Bring down the last of those that must go; nobody rises in that group before all are down."""
        grouped = self._strategy is not Strategy.ONE_FOR_ONE
        commands: list[Command] = []
        for child in reversed(self.children.values()):
            if child.doomed and child.where in (Where.STARTING, Where.UP):
                child.where = Where.STOPPING
                commands.append(Stop(child.id))
            if child.where is Where.STOPPING and grouped:
                return commands
        return commands

    def _rise(self) -> list[Command]:
        """Start who is wanted and down: one after the other where order matters, else all."""
        in_order = self._opening or self._strategy is not Strategy.ONE_FOR_ONE
        if self._strategy is not Strategy.ONE_FOR_ONE and any(
            child.where is Where.STOPPING or (child.where is Where.WAITING and self._strategy is Strategy.ONE_FOR_ALL)
            for child in self.children.values()
        ):
            return []
        commands: list[Command] = []
        for child in self.children.values():
            if child.wanted and child.where is Where.DOWN:
                child.where = Where.STARTING
                commands.append(Start(child.id))
            if in_order and child.where in (Where.WAITING, Where.STARTING, Where.STOPPING):
                return commands
        if self._opening:
            self._opening = False
            commands.append(Ready())
        return commands
