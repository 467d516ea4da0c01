"""The places of the tree, their paths, and the incarnations that come and go in them.

A `Cell` is a child's place: its mailbox and its state. It outlives every incarnation (a `Life`) of the actor in it and
goes when the child leaves the tree. Only the runtime touches cells; everyone else holds refs and reads snapshots.
"""

import contextvars
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from supervisor.calls import Call
from supervisor.clock import Repeater, Timer, Timers
from supervisor.errors import LINE, ActorCrashed, ActorStopped, MailboxFull, one_line
from supervisor.events import DeadLetter, End, Event, Handled
from supervisor.mailbox import Box
from supervisor.messages import Down, Reply, short_repr
from supervisor.orders import LookOrder, StopOrder
from supervisor.snapshot import Description, Fill, Node, State
from supervisor.spec import ChildSpec, DynamicSupervisor, Supervisor
from supervisor.telemetry import Subscription, Telemetry

if TYPE_CHECKING:
    from supervisor.actor import Actor

T = TypeVar("T", Timer, Repeater)

_NOTHING: Final[frozenset[str]] = frozenset()
NOPROC: Final = "noproc"
"""The reason of a `Down` when there was nothing to monitor."""


class Registry:
    """Paths to cells, and what all cells of one system share."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        self.watchers: dict[str, set[Life]] = {}
        self.timers = Timers()
        self.telemetry = Telemetry()

    def emit(self, event: Event) -> None:
        """Say what happened."""
        self.telemetry.emit(event)

    def watch(self, path: str, life: "Life") -> None:
        """From now on `life` hears of each end at `path`; at once if there is nothing."""
        cell = self.cells.get(path)
        if cell is None or not cell.listening:
            life.cell.box_order(Down(path=path, incarnation=0, reason=NOPROC, restarting=False))
        if cell is not None:
            self.watchers.setdefault(path, set()).add(life)
            life.watching = life.watching | {path}

    def unwatch(self, path: str, life: "Life") -> None:
        """It hears of it no more."""
        life.watching = life.watching - {path}
        watchers = self.watchers.get(path)
        if watchers is not None:
            watchers.discard(life)
            if not watchers:
                del self.watchers[path]


class Life:
    """One incarnation: all that must end with it, so that not even a zombie can touch its successor."""

    __slots__ = (
        "_begin", "_timers", "actor", "cell", "current", "killed", "let_go", "number", "over", "owed", "scope", "up",
        "variables", "watching",
    )  # fmt: skip

    def __init__(self, cell: "Cell", number: int, variables: contextvars.Context) -> None:
        self.cell = cell
        self.number = number
        self.variables = variables
        """Its context variables, in which all of its code runs: it inherits none from those before it."""
        self.actor: Actor[Any] | None = None
        self.scope: trio.CancelScope | None = None
        """What cancels it; None before it is given a task."""
        self.up = False
        """Whether its start has succeeded."""
        self.killed = False
        """Whether it was cancelled: it is late, or never had any grace."""
        self.let_go = False
        """Whether its `stopping` has begun."""
        self.over = False
        """Whether the tree goes on without it."""
        self.current: object | None = None
        # Most actors of a large tree owe, watch and time nothing, so these are made when they are needed.
        self.owed: set[Call] | None = None
        self.watching = _NOTHING
        self._timers: tuple[Timer | Repeater, ...] = ()
        self._begin: Callable[[Life], None] | None = None

    @property
    def asleep(self) -> bool:
        """Whether it is up without a task: so far there was nothing to be done."""
        return self._begin is not None

    def sleep(self, begin: "Callable[[Life], None]") -> None:
        """Go without a task until it hears something; then `begin` is to give it one."""
        assert self.cell.box is not None
        self._begin = begin
        self.cell.box.parked = self._wake

    def _wake(self) -> None:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin(self)

    def kill(self) -> None:
        """Cancel it, also before it has begun to run."""
        self.killed = True
        self.cancel()

    def cancel(self) -> None:
        """Cancel what it does. If it is asleep it wakes, for its end is its own."""
        self._wake()
        if self.scope is not None:
            self.scope.cancel()

    def expire(self, timeout: float) -> None:  # noqa: ARG002  # a protocol's
        """Its start has taken too long."""
        self.cancel()

    def send_after(self, seconds: float, message: object) -> Timer:
        """Put `message` into its own urgent lane in `seconds`, if it is still there."""
        return self._keep(self.cell.registry.timers.after(seconds, partial(self._send, message)))

    def send_every(self, seconds: float, message: object) -> Repeater:
        """Put `message` there every `seconds`."""
        return self._keep(Repeater(self.cell.registry.timers, seconds, partial(self._send, message)))

    def _send(self, message: object) -> None:
        box = self.cell.box
        if not self.over and box is not None and not box.put_urgent(message):
            self.cell.dead_letter(message, "a timer's message found the urgent lane full")

    def _keep(self, timer: T) -> T:
        self._timers = (*(kept for kept in self._timers if not kept.cancelled), timer)
        return timer

    def fail_callers(self, reason: BaseException | None) -> None:
        """Whoever waits for its reply hears at once that none will come."""
        current, self.current = self.current, None
        if current is None and not self.owed:
            return
        if current is not None:
            why = "the actor was stopped on it" if reason is None else f"the actor ended on it: {one_line(reason)}"
            self.cell.dead_letter(current, why)
        owed = tuple(self.owed or ())
        waiting = (current, *owed) if isinstance(current, Call) else owed
        for call in waiting:
            path = self.cell.path
            call.fail(ActorStopped(path) if reason is None else ActorCrashed(path, reason))

    def end(self, reason: BaseException | None) -> None:
        """Let go of all that was its own."""
        self.over = True
        if self.asleep and self.cell.box is not None:
            self._begin = self.cell.box.parked = None
        self.fail_callers(reason)
        for timer in self._timers:
            timer.cancel()
        self._timers = ()
        for path in self.watching:
            self.cell.registry.unwatch(path, self)


class Cell:
    """A child's place in the tree."""

    __slots__ = (
        "box", "children", "door", "error", "gone", "incarnation", "life", "listening", "path", "registry", "restarts",
        "since", "spec", "state", "stopping", "tracers", "waits_for",
    )  # fmt: skip

    def __init__(self, path: str, spec: ChildSpec[Any], registry: Registry) -> None:
        self.path = path
        self.spec = spec
        self.registry = registry
        self.incarnation = 0
        self.restarts = 0
        self.state = State.STARTING
        self.since = time.time()
        self.error: str | None = None
        self.gone = False
        self.listening = True
        """Whether messages are taken in: also while restarting, not when down for good."""
        self.stopping = False
        """Whether its supervisor has told it to stop."""
        self.life: Life | None = None
        self.waits_for: Cell | None = None
        """The place that its handler waits for at this moment."""
        self.tracers: tuple[Subscription, ...] = ()
        """Who hears of each message that is handled here; empty nearly always."""
        self.children: dict[str, Cell] | None = None
        """Those below it, if it is a supervisor's."""
        self.box: Box | None = None if spec.mailbox is None else Box(spec.mailbox, self._pushed_out)
        self.door = self.box
        """The mailbox while it is open to senders, else None: all that a ref has to look at."""
        registry.cells[path] = self

    def become(self, state: State) -> None:
        """Change the state that people see."""
        if state is not self.state:
            self.state = state
            self.since = time.time()

    def begin_life(self, variables: contextvars.Context) -> Life:
        """The next incarnation."""
        self.incarnation += 1
        self.restarts += self.incarnation > 1
        self.listening, self.stopping, self.door = True, False, self.box
        self.life = Life(self, self.incarnation, variables)
        return self.life

    def end_life(self, reason: BaseException | None) -> None:
        """The incarnation has ended; orders that it did not see are not for the next one."""
        life, self.life = self.life, None
        self.waits_for = None  # a zombie may wait on, but its successor does not
        if life is not None:
            life.end(reason)
        if self.box is not None:
            # Orders are for one incarnation: the next one begins with none, and a zombie finds that it is to end.
            self.box.control.append(StopOrder(End.SHUTDOWN))
            self.box.control = []

    # --- messages that are not handled

    def dead_letter(self, message: object, reason: str) -> None:
        """Keep a message for people to look at; it is never retried by itself."""
        if isinstance(message, Call):
            message = message.request
        self.registry.emit(
            DeadLetter(
                path=self.path,
                at=time.time(),
                message=type(message).__name__,
                text=short_repr(message),
                reason=reason[:LINE],
            )
        )

    def _pushed_out(self, message: object) -> None:
        if isinstance(message, Call):
            if message.done:
                return
            assert self.box is not None
            message.fail(MailboxFull(self.path, self.box.spec.bound))
        self.dead_letter(message, "pushed out of a full mailbox")

    def discard_waiting(self, reason: str) -> None:
        """Empty the mailbox into the dead letters."""
        if self.box is None or self.box.untouched:
            return
        for item in self.box.drain():
            if isinstance(item, Call):
                if item.done:
                    continue
                item.fail(ActorStopped(self.path, reason))
            self.dead_letter(item, reason)

    # --- its ends, as others see them

    def box_order(self, order: object) -> None:
        """Put an order into its control lane, if it has one."""
        if self.box is not None:
            self.box.order(order)

    def tell_watchers(self, reason: str, *, restarting: bool) -> None:
        """An incarnation ended."""
        watchers = self.registry.watchers.get(self.path)
        if watchers:
            notice = Down(path=self.path, incarnation=self.incarnation, reason=str(reason), restarting=restarting)
            for life in watchers:
                life.cell.box_order(notice)

    def close_down(self, reason: str) -> None:
        """Down until an admin call says otherwise: what waits goes to the dead letters, what comes is refused."""
        self.listening, self.door = False, None
        self.discard_waiting(reason)

    def leave(self, reason: str, *, for_good: bool) -> None:
        """The child is gone from the tree; refs to it raise until its path is used again.

        `for_good`: nobody will use it again by himself, so those who watch it are let go. Otherwise its supervisor has
        ended, may be restarted, and then makes a new place on the same path for the same watchers.
        """
        self.gone = True
        self.close_down(reason)
        if self.box is not None:
            self.box.close()
        if self.registry.cells.get(self.path) is self:
            del self.registry.cells[self.path]
        if for_good:
            for life in tuple(self.registry.watchers.get(self.path, ())):
                self.registry.unwatch(self.path, life)

    # --- what people see

    def trace(self, bound: int) -> Subscription:
        """Hear of each message that is handled here from now on, over restarts too."""
        subscription = Subscription(bound, self._untrace)
        self.tracers = (*self.tracers, subscription)
        self.box_order(LookOrder())
        return subscription

    def _untrace(self, subscription: Subscription) -> None:
        self.tracers = tuple(tracer for tracer in self.tracers if tracer is not subscription)

    def tell_tracers(self, item: object, answer: object, took: float) -> None:
        """A message was handled, in `took` seconds."""
        asked = isinstance(item, Call)
        message = item.request if isinstance(item, Call) else item
        event = Handled(
            path=self.path,
            at=time.time(),
            message=type(message).__name__,
            text=short_repr(message),
            asked=asked,
            answer=short_repr(answer.value) if isinstance(answer, Reply) else "",
            took=took,
        )
        for tracer in self.tracers:
            tracer.offer(event)

    def snapshot(self) -> Node:
        """This place and what is below it."""
        actor = None if self.life is None else self.life.actor
        said = Description() if actor is None else actor.describe()
        state = State.ASLEEP if said.asleep and self.state is State.RUNNING else self.state
        return Node(
            path=self.path,
            kind=self._kind(),
            state=state,
            since=self.since,
            incarnation=self.incarnation,
            restarts=self.restarts,
            mailbox=None if self.box is None else Fill(len(self.box), self.box.spec.bound),
            received=0 if self.box is None else self.box.received,
            pid=said.pid,
            doing=said.doing,
            error=self.error,
            children=tuple(child.snapshot() for child in (self.children or {}).values()),
        )

    def _kind(self) -> str:
        factory = self.spec.factory
        match factory:
            case Supervisor():
                return factory.strategy.value
            case DynamicSupervisor():
                return "dynamic"
            case _:
                return str(getattr(getattr(factory, "func", factory), "__name__", "actor"))
