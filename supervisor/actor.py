"""Actors, the refs that reach them, and the life of one incarnation.

An actor is an object with a mailbox; the runtime makes it, feeds it one message at a time and lets it go. What it knows
of the runtime is its `context`. `live` is the only caller of an actor's methods but `describe`.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, Generic, Never, Protocol, TypeVar, TypeVarTuple

import trio

from supervisor.calls import Call, Promise
from supervisor.clock import Timer
from supervisor.errors import ActorStopped, AskCycle, Ignore, MailboxFull, NoReply, NoSuchActor, StartTimeout, one_line
from supervisor.events import End
from supervisor.mailbox import Box
from supervisor.messages import Message, Reply, Request
from supervisor.registry import Cell, Life, Registry
from supervisor.snapshot import Description
from supervisor.spec import Mailbox, Overflow, Shutdown

if TYPE_CHECKING:
    from supervisor.system import System

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
M_in = TypeVar("M_in", contravariant=True)
Ts = TypeVarTuple("Ts")

LAST_WORDS: Final = 1.0
"""Seconds that `stopping` may take of an actor that had to be cancelled for being late."""

current_path: ContextVar[str] = ContextVar("current_path", default="")
"""The path of the actor whose task, or helper task, this is; logs use it."""
_handling: ContextVar[Cell | None] = ContextVar("_handling", default=None)
"""The cell whose `receive` this task runs; None in helper tasks."""


class Asks(Protocol[M_co, R_co]):
    """A `Request[R]` that is also one of the actor's messages."""

    def _for(self, ref: "Ref[M_co]", /) -> R_co: ...


class Ref(Generic[M_in]):
    """An actor's address. It outlives every incarnation, and also works for a path that comes into being later."""

    __slots__ = ("_cell", "_registry", "path")

    def __init__(self, registry: Registry, path: str) -> None:
        self.path = path
        self._registry = registry
        self._cell = registry.cells.get(path)

    def __repr__(self) -> str:
        return f"Ref({self.path})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.path == self.path and other._registry is self._registry

    def __hash__(self) -> int:
        return hash(self.path)

    async def tell(self, message: M_in, /) -> None:
        """Hand over a message; waits (cancellably) only while the mailbox is full and its policy is WAIT.

        Raises `MailboxFull` under REJECT, `ActorStopped` or `NoSuchActor` when nobody will handle it, `AskCycle`.
        """
        box = self._box()
        if not box.put(message):
            asker = self._asker() if box.spec.overflow is Overflow.WAIT else None
            try:
                await self._wait_put(box, message)
            finally:
                if asker is not None:
                    asker.waits_for = None

    def tell_nowait(self, message: M_in, /, *, urgent: bool = False) -> None:
        """Hand over a message at once; `urgent` ones overtake all that waits.

        Raises `MailboxFull`, `ActorStopped` or `NoSuchActor`.
        """
        box = self._box()
        if not (box.put_urgent(message) if urgent else box.put(message)):
            raise MailboxFull(self.path, box.spec.bound)

    async def ask(self, request: Asks[M_in, R], /, *, timeout: float) -> R:
        """Hand over a request and wait for its reply, at most `timeout` seconds in all.

        Raises `AskTimeout`, `ActorCrashed` (the incarnation died on it), `ActorStopped`, `NoSuchActor`, `MailboxFull`,
        `NoReply`, `AskCycle`, or what the actor failed the promise with.
        """
        box = self._box()
        asker = self._asker()
        call = Call(request, self.path, self._registry.timers, timeout)  # type: ignore[arg-type]  # Asks is a Request
        try:
            if not box.put_whole(call):
                with trio.move_on_after(timeout):
                    await self._wait_put(box, call)
            return await call.wait()  # type: ignore[no-any-return]  # R, by Asks
        finally:
            call.abandon()
            if asker is not None:
                asker.waits_for = None

    def _box(self) -> Box:
        cell = self._cell
        if cell is None or cell.gone:
            cell = self._cell = self._registry.cells.get(self.path)
            if cell is None:
                raise NoSuchActor(self.path)
        if not cell.listening or cell.box is None:
            raise ActorStopped(
                self.path, "a supervisor takes no messages" if cell.box is None else "the actor is stopped"
            )
        return cell.box

    async def _wait_put(self, box: Box, message: object) -> None:
        if box.spec.overflow is not Overflow.WAIT:
            raise MailboxFull(self.path, box.spec.bound)
        try:
            await box.wait_put(message)
        except trio.BrokenResourceError:
            raise ActorStopped(self.path) from None

    def _asker(self) -> Cell | None:
        """The actor whose handler runs here and now waits for this one; None in any other task.

        It may not wait for itself, nor for one that waits for it: nobody would ever be served.
        """
        asker = _handling.get()
        if asker is not None:
            other = self._cell
            while other is not None:
                if other is asker:
                    raise AskCycle(self.path, f"{asker.path} would wait for itself")
                other = other.waits_for
            asker.waits_for = self._cell
        return asker


class Context:
    """What an actor knows of the runtime. Belongs to one incarnation; timers and monitors end with it."""

    __slots__ = ("_helpers", "_life", "_wants", "system")

    def __init__(self, life: Life, system: "System") -> None:
        self.system = system
        self._life = life
        self._helpers: trio.Nursery | None = None
        self._wants: list[Callable[[], Awaitable[object]]] = []

    @property
    def path(self) -> str:
        """Where the actor is."""
        return self._life.cell.path

    @property
    def incarnation(self) -> int:
        """Which one this is, from 1."""
        return self._life.number

    def start_soon(self, function: Callable[[*Ts], Awaitable[object]], /, *args: *Ts) -> None:
        """Run a helper task that lives and dies with this incarnation; if it raises, the actor crashes with that.

        The first ones begin once `started`, or the `receive` that asked for them, has returned: neither may wait for
        them. They run on during `stopping` after an orderly stop, and are gone by then after a crash or a cancel.
        """
        helper = partial(_help, function, *args)
        if self._helpers is None:
            self._wants.append(helper)
        else:
            self._helpers.start_soon(helper)

    @property
    def ref(self) -> Ref[Any]:
        """This actor's own address, for its helper tasks and for others."""
        return Ref(self._life.cell.registry, self._life.cell.path)

    def monitor(self, whom: Ref[Never] | Ref[Any] | str) -> None:
        """From now on get a `Down` each time an incarnation there ends, until its place leaves the tree for good.

        If there is nothing, or it is down until an admin call, one with the reason `noproc` comes at once.
        `whom`: a ref, or the path of a supervisor, which has none.
        """
        if not self._life.over:
            self._life.cell.registry.watch(whom if isinstance(whom, str) else whom.path, self._life)

    def demonitor(self, whom: Ref[Never] | Ref[Any] | str) -> None:
        """Get no more of them. One that is on its way may still come."""
        self._life.cell.registry.unwatch(whom if isinstance(whom, str) else whom.path, self._life)

    def send_after(self, seconds: float, message: Message) -> Timer:
        """Tell this actor `message` in `seconds`, in the urgent lane; a dead letter if that is full by then.

        Ends with the incarnation, or by the timer's `cancel`.
        """
        return self._life.send_after(seconds, message)

    def stop(self) -> None:
        """End this incarnation, normally, once the message in hand is done. Also from a helper."""
        if not self._life.over:
            self._life.cell.box_order(StopOrder(End.NORMAL))


class Actor(Generic[M_in]):
    """Handles one message at a time. Subclasses state a `mailbox` and write `receive`."""

    mailbox: Mailbox
    context: Context

    async def started(self) -> None:
        """Get ready; the supervisor waits for it (up to the child spec's `start_timeout`). May ask earlier siblings."""

    async def stopping(self, reason: str) -> None:
        """Let go. Runs once, after a stop, a crash and a cancel alike; not after a brutal stop.

        It has the child spec's `shutdown` seconds, or `LAST_WORDS` if the actor had to be cancelled for being late.
        `reason`: `normal`, `shutdown` or `failed`.
        """

    async def receive(self, message: M_in, /) -> Reply | Promise[Any] | None:
        """Handle a message. For a request return `message.reply(…)` or a promise; for anything else None."""
        raise NotImplementedError

    def describe(self) -> Description:
        """What to show in the tree. Called at any time: must be quick and must not raise."""
        return Description()

    def later(self, request: Request[R], /) -> Promise[R]:
        """A reply owed later: make it in `receive`, return it from there, and set it when there is something to say.

        If the request was told, not asked, nobody waits and the promise is not `wanted`.
        """
        life = self.context._life
        current = life.current
        if not isinstance(current, Call) or current.request is not request:
            return Promise(None)
        current.promise(life.owed)
        return Promise(current)


class StopOrder:
    """What the runtime tells an actor's loop: finish the message in hand, then end like this.

    `drain`: handle what waits now as well; what comes later is not waited for.
    """

    __slots__ = ("drain", "end")

    def __init__(self, end: End, *, drain: bool = False) -> None:
        self.end = end
        self.drain = drain


async def live(life: Life, system: "System", announce: Callable[[], None]) -> tuple[End, BaseException | None]:
    """One incarnation, from factory to end; raises nothing but KeyboardInterrupt and a cancel from outside.

    `announce` is called once it is up. Returns how it ended and, if it failed, why.
    """
    current_path.set(life.cell.path)
    _handling.set(life.cell)
    timeout = life.cell.spec.start_timeout
    life.scope.deadline = trio.current_time() + timeout
    end, reason = await _contain(life.scope, partial(_run, life, Context(life, system), announce))
    if end is None and reason is None and not (life.killed or life.cell.stopping):
        reason = StartTimeout(life.cell.path, timeout)
    if isinstance(reason, Ignore) and not life.up:
        end, reason = End.IGNORED, None
    if reason is not None:
        end = End.FAILED
        life.fail_callers(reason)  # at once: `stopping` may take its time
    end = end or End.SHUTDOWN
    late = await _let_go(life, end)
    if late is None:
        return end, reason
    if reason is not None:
        reason.add_note(f"and its stopping raised {one_line(late)}")
    return End.FAILED, reason or late


async def _run(life: Life, context: Context, announce: Callable[[], None]) -> End:
    actor: Actor[Any] = life.cell.spec.factory()  # type: ignore[operator]  # supervisors are run elsewhere
    actor.context = context
    life.actor = actor
    await actor.started()
    if not life.scope.cancel_called:
        life.scope.deadline = inf
        announce()
    end = await _serve(life, actor, context)
    if end is not None:
        return end
    async with trio.open_nursery() as nursery:
        context._helpers = nursery
        # Also if it is cancelled by now: a helper may own what `started` has opened, and gets its chance to close it.
        for helper in context._wants:
            nursery.start_soon(helper)
        end = await _serve(life, actor, context) or End.NORMAL
        late = await _let_go(life, end)
        nursery.cancel_scope.cancel()
    if late is not None:
        raise late
    return end


async def _serve(life: Life, actor: Actor[Any], context: Context) -> End | None:
    """Feed the actor until it is told to stop; None when it has asked for its first helper task."""
    box = life.cell.box
    assert box is not None
    take, receive = box.take, actor.receive
    if context._helpers is not None or not context._wants:
        await trio.lowlevel.checkpoint_if_cancelled()
    ending: End | None = None
    left = 0
    while not life.over:  # a zombie that comes back must not take what is its successor's
        if context._wants and context._helpers is None:
            return None
        if ending is not None:
            if left == 0:
                return ending
            left -= 1
        item = await take()
        if type(item) is Call:
            if item.done:
                continue
            life.current = item
            answer = await receive(item.request)
            life.current = None
            if type(answer) is Reply:
                item.succeed(answer.value)
            elif not item.promised:
                item.fail(NoReply(life.cell.path, type(item.request).__name__))
        elif type(item) is StopOrder:
            ending, left = item.end, len(box) if item.drain else 0
        else:
            life.current = item
            await receive(item)
            life.current = None
    return End.SHUTDOWN


async def _let_go(life: Life, end: End) -> BaseException | None:
    """Have the actor run `stopping`, once, whatever happens around it; returns what that raised."""
    rule = life.cell.spec.shutdown
    brutal = rule is Shutdown.BRUTAL and (life.killed or life.cell.stopping)
    if life.actor is None or life.let_go or brutal:
        return None
    life.let_go = True
    grace = LAST_WORDS if life.killed else rule if isinstance(rule, int | float) else inf
    life.scope = trio.CancelScope(shield=True, deadline=trio.current_time() + grace)
    return (await _contain(life.scope, partial(life.actor.stopping, end)))[1]


async def _help(function: Callable[..., Awaitable[object]], *args: Any) -> None:
    _handling.set(None)
    await function(*args)


async def _contain(
    scope: trio.CancelScope, function: Callable[[], Awaitable[R]]
) -> tuple[R | None, BaseException | None]:
    """Run an actor's own code in `scope`: returns its result, or what it raised, or neither if it was cancelled."""
    try:
        with scope:
            return await function(), None
    except BaseException as error:
        if _not_its_own(error):
            raise
        return None, _unwrapped(error)
    return None, None


def _not_its_own(error: BaseException) -> bool:
    """Whether an error came from outside of the actor: a cancel from above, or the end of the program."""
    outside = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(outside) is not None
    return isinstance(error, outside)


def _unwrapped(error: BaseException) -> BaseException:
    """A helper's own error, without the groups that nurseries put around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
