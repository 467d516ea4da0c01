"""The judge: what a supervisor does about each thing that happens to its children.

Pure: no trio, no clock, no randomness. The supervisor's task reports facts and carries out the commands that come
back. The judge knows for each child whether it is wanted and where it is, and answers every fact with the next step
that brings the two together: downwards first and in reverse order, then upwards and in order. So a stop, a crash of a
sibling and an admin call may come in the middle of anything.
"""

from collections import deque
from collections.abc import Container, Iterable
from enum import Enum, auto
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from supervisor.backoff import Backoff
from supervisor.events import End
from supervisor.spec import AutoShutdown, Intensity, Restart, Strategy


class Where(Enum):
    """Where a child is."""

    DOWN = auto()
    WAITING = auto()
    """Down until its backoff is over."""
    STARTING = auto()
    UP = auto()
    STOPPING = auto()


DOWN, WAITING, STARTING, UP, STOPPING = Where  # a look into an enum costs more than what follows from it


class Child(msgspec.Struct, gc=False):  # nothing in it could be part of a ring
    """What the judge knows of one child.

    `wanted`: it is to be up. `doomed`: it must go down before its group comes up again. `again`: an admin call wants
    it up after that, even if it is temporary. `new`: it was never up. `attempts`: restarts since it was last stable.
    `age`: its place in the order, from 1. `significant`: its own end may be the supervisor's.
    """

    id: str
    restart: Restart
    age: int
    significant: bool = False
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
    """The child is down and stays in the tree until an admin call."""

    id: str


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
    """One supervisor's rules and its children. Every method takes a fact and returns the commands that follow.

    Each fact costs the same however many children there are, except a crash that takes its siblings with it: children
    that have to rise or to sink are kept in order of their age, and how many are on their way is counted.
    """

    def __init__(
        self,
        strategy: Strategy,
        intensity: Intensity,
        backoff: Backoff,
        *,
        dynamic: bool = False,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> None:
        self.children: dict[str, Child] = {}
        self.restarts: deque[float] = deque()
        self.closing = False
        """Whether all are to go down, and the supervisor with them."""
        self._strategy = strategy
        self._grouped = strategy is not Strategy.ONE_FOR_ONE
        self._intensity = intensity
        self._backoff = backoff
        self._dynamic = dynamic
        self._auto_shutdown = auto_shutdown
        self._opening = not dynamic
        self._blamed: str | None = None
        self._exceeded = False
        self._finished = False
        self._born = 0
        self._starting = self._stopping = 0
        self._waiting: dict[int, str] = {}
        # Ages of those that are to be started, of those that are doomed (negative), and of all at the close. An entry
        # may be out of date: whoever takes it looks whether it still holds.
        self._to_rise: list[tuple[int, str]] = []
        self._to_sink: list[tuple[int, str]] = []
        self._to_close: list[str] = []

    # --- facts

    def begin(self, children: Iterable[tuple[str, Restart]], significant: Container[str] = ()) -> list[Command]:
        """The supervisor starts, with these children in this order; `significant`: the ids of those that are."""
        for child_id, restart in children:
            self._bear(child_id, restart, significant=child_id in significant)
        return self._next()

    def add(self, child_id: str, restart: Restart, *, significant: bool = False) -> list[Command]:
        """A new child, whose id is free, is to be started after the others."""
        self._bear(child_id, restart, significant=significant)
        return self._next()

    def started(self, child_id: str, now: float) -> list[Command]:
        """The child is up."""
        child = self.children[child_id]
        if child.where is STARTING:
            self._move(child, UP)
            child.up_since = now
            child.new = child.again = False
        return self._next()

    def ended(self, child_id: str, end: End, now: float, random: float) -> list[Command]:
        """The child is down, whoever wanted it. `random` in [0, 1) is for the jitter of its backoff."""
        child = self.children[child_id]
        doomed = child.doomed or child.where is STOPPING  # it had to go anyway: that costs no intensity
        before, child.doomed = child.where, False
        if doomed or self.closing:
            self._move(child, DOWN)
            return [*self._after_stop(child), *self._next()]
        failed = end is End.FAILED
        again = child.restart is Restart.PERMANENT or (child.restart is Restart.TRANSIENT and failed)
        if before is STARTING and failed and child.attempts == 0:
            self._move(child, DOWN)
            return self._first_start_failed(child)
        if end is End.IGNORED or not again:
            self._move(child, DOWN)
            child.wanted = False
            rest = self._settled(child)
            return [rest, *self._shut_down_by(child, end), *self._next()]
        self.restarts.append(now)
        while self.restarts and now - self.restarts[0] > self._intensity.within:
            self.restarts.popleft()
        if len(self.restarts) > self._intensity.restarts:
            self._move(child, DOWN)
            return self._give_up(child, exceeded=True)
        if before is UP and now - child.up_since >= self._backoff.reset:
            child.attempts = 0
        child.attempts += 1
        self._move(child, WAITING)
        self._doom_group(child)
        return [Wait(child_id, self._backoff.delay(child.attempts, random), len(self.restarts)), *self._next()]

    def delay_over(self, child_id: str) -> list[Command]:
        """The child's backoff is over."""
        child = self.children.get(child_id)
        if child is not None and child.where is WAITING:
            self._move(child, DOWN)
        return self._next()

    def terminate(self, child_id: str) -> list[Command]:
        """An admin call: the child is to go down and stay down."""
        child = self.children[child_id]
        was_wanted, child.wanted, child.again = child.wanted, False, False
        if child.where is WAITING or (child.where is DOWN and was_wanted):
            self._move(child, DOWN)
            return [self._settled(child), *self._next()]
        self._doom(child)
        return self._next()

    def restart(self, child_id: str) -> list[Command]:
        """An admin call: the child is to be up again; a running one is stopped first. Costs no intensity.

        If one that was down fails to start, it is down again; one that was up is retried, as after a crash.
        """
        child = self.children[child_id]
        child.attempts = max(child.attempts, 1) if child.wanted and not child.new else 0
        child.wanted = child.again = True
        if child.where in (WAITING, DOWN):
            self._move(child, DOWN)
        self._doom(child)
        return self._next()

    def delete(self, child_id: str) -> list[Command]:
        """An admin call: forget a child that is down and not wanted."""
        del self.children[child_id]
        return [Forget(child_id), *self._next()]

    def stop(self) -> list[Command]:
        """The supervisor is to stop. Asked again, nothing changes."""
        if not self.closing:
            self.closing = True
            self._waiting.clear()
            for child in self.children.values():
                if child.where is WAITING:
                    child.where = DOWN
            self._to_close = list(self.children)
        return self._next()

    # --- what follows

    def _bear(self, child_id: str, restart: Restart, *, significant: bool) -> None:
        self._born += 1
        child = self.children[child_id] = Child(child_id, restart, self._born, significant)
        heappush(self._to_rise, (child.age, child_id))

    def _move(self, child: Child, where: Where) -> None:
        """The one place where a child's place changes, so that the counts hold."""
        before, child.where = child.where, where
        if before is STARTING:
            self._starting -= 1
        elif before is STOPPING:
            self._stopping -= 1
        elif before is WAITING:
            self._waiting.pop(child.age, None)
        if where is STARTING:
            self._starting += 1
        elif where is STOPPING:
            self._stopping += 1
        elif where is WAITING:
            self._waiting[child.age] = child.id
        elif where is DOWN and child.wanted:
            heappush(self._to_rise, (child.age, child.id))

    def _doom(self, child: Child) -> None:
        child.doomed = child.where is not DOWN
        if child.doomed:
            heappush(self._to_sink, (-child.age, child.id))

    def _first_start_failed(self, child: Child) -> list[Command]:
        """Fatal to the supervisor while it opens; later to this child alone, whose spec stays if it was up before."""
        if self._opening and child.new:
            return self._give_up(child, exceeded=False)
        child.wanted = False
        if not child.new:
            return [self._settled(child), *self._next()]
        del self.children[child.id]
        return [Forget(child.id), *self._next()]

    def _give_up(self, child: Child, *, exceeded: bool) -> list[Command]:
        self._blamed, self._exceeded = child.id, exceeded
        return self.stop()

    def _shut_down_by(self, child: Child, end: End) -> list[Command]:
        """What the own end of a significant child means for the others. One that ignored its start did not end."""
        if not child.significant or end is End.IGNORED:
            return []
        last = not any(other.significant and other.wanted for other in self.children.values())
        if self._auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or (
            self._auto_shutdown is AutoShutdown.ALL_SIGNIFICANT and last
        ):
            return self.stop()
        return []

    def _after_stop(self, child: Child) -> list[Command]:
        if self.closing:
            stays = not (self._dynamic or child.restart is Restart.TEMPORARY)
        else:
            stays = child.wanted and (child.again or child.restart is not Restart.TEMPORARY)
        if stays:
            return []
        child.wanted = False
        return [self._settled(child)]

    def _settled(self, child: Child) -> Command:
        if child.restart is Restart.TEMPORARY or self._dynamic:
            del self.children[child.id]
            return Forget(child.id)
        child.new = False  # it has its place now, also if it was never up
        return Rest(child.id)

    def _doom_group(self, crashed: Child) -> None:
        """Mark who goes down with the crashed child."""
        if not self._grouped:
            return
        for child in self.children.values():
            later = self._strategy is Strategy.ONE_FOR_ALL or child.age > crashed.age
            if later and child is not crashed and child.where in (UP, STARTING, STOPPING):
                self._doom(child)
                child.attempts = max(child.attempts, 1)

    def _next(self) -> list[Command]:
        """The next step towards what is wanted."""
        if self.closing:
            return [] if self._finished else self._close()
        if self._to_sink or self._to_rise or self._opening:
            return [*self._sink(), *self._rise()] if self._to_sink else self._rise()
        return []  # as nearly always

    def _close(self) -> list[Command]:
        """Stop all: one after the other in reverse order, or all at once if they came as they liked."""
        commands: list[Command] = []
        while self._to_close:
            child = self.children.get(self._to_close[-1])
            if child is not None and child.where in (STARTING, UP):
                self._move(child, STOPPING)
                commands.append(Stop(child.id))
            if child is not None and child.where is not DOWN and not self._dynamic:
                return commands
            self._to_close.pop()
        if self._stopping == 0:
            self._finished = True
            commands.append(Finish(self._blamed, self._exceeded))
        return commands

    def _sink(self) -> list[Command]:
        """Bring down those that must go; in a group one after the other, the youngest first."""
        commands: list[Command] = []
        while self._to_sink and not (self._grouped and self._stopping):
            age, child_id = heappop(self._to_sink)
            child = self.children.get(child_id)
            holds = child is not None and child.age == -age and child.doomed
            if child is not None and holds and child.where in (STARTING, UP):
                self._move(child, STOPPING)
                commands.append(Stop(child_id))
        return commands

    def _rise(self) -> list[Command]:
        """Start who is wanted and down: one after the other where order matters, else all."""
        commands: list[Command] = []
        while (child := self._eldest_to_rise()) is not None and self._may_rise(child):
            heappop(self._to_rise)
            self._move(child, STARTING)
            commands.append(Start(child.id))
        if self._opening and child is None and not (self._waiting or (self._starting or self._stopping)):
            self._opening = False
            commands.append(Ready())
        return commands

    def _eldest_to_rise(self) -> Child | None:
        while self._to_rise:
            age, child_id = self._to_rise[0]
            child = self.children.get(child_id)
            if child is not None and child.age == age and child.wanted and child.where is DOWN:
                return child
            heappop(self._to_rise)
        return None

    def _may_rise(self, child: Child) -> bool:
        """Nobody rises before its group is down, nor, where order matters, before those that come before it are up."""
        if self._strategy is Strategy.ONE_FOR_ALL and self._waiting:
            return False
        if not (self._opening or self._grouped):
            return True
        busy = self._starting or self._stopping
        return not busy and (not self._waiting or all(age > child.age for age in self._waiting))
