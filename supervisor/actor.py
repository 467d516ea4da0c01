"""Actors, and what they know of the runtime: their `context`.

An actor is an object with a mailbox; the runtime makes it, feeds it one message at a time and lets it go. How it does
that is `incarnation`'s business; how others reach it is `refs`'.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Never, TypeVar, TypeVarTuple

import trio

from supervisor.calls import Call, Promise
from supervisor.clock import Repeater, Timer
from supervisor.events import End
from supervisor.messages import Message, Reply, Request
from supervisor.orders import HelperOrder, StopOrder
from supervisor.refs import Ref, handling
from supervisor.registry import Life
from supervisor.snapshot import Description
from supervisor.spec import Mailbox

if TYPE_CHECKING:
    from supervisor.system import System

R = TypeVar("R")
M_in = TypeVar("M_in", contravariant=True)
Ts = TypeVarTuple("Ts")

current_path: ContextVar[str] = ContextVar("current_path", default="")
"""The path of the actor whose task, or helper task, this is; logs use it."""


class Context:
    """What an actor knows of the runtime. Belongs to one incarnation; timers and monitors end with it."""

    __slots__ = ("_helpers", "_life", "_wants", "system")

    def __init__(self, life: Life, system: "System") -> None:
        self.system = system
        self._life = life
        self._helpers: trio.Nursery | None = None
        self._wants: tuple[Callable[[], Awaitable[object]], ...] = ()

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
            self._wants = (*self._wants, helper)
            self._life.cell.box_order(HelperOrder())
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

    def every(self, seconds: float, message: Message) -> Repeater:
        """Tell this actor `message` every `seconds`, as `send_after` does, the first time in `seconds`.

        What is missed while the program was busy is left out. Raises `ValueError` unless `seconds` is above 0.
        """
        return self._life.send_every(seconds, message)

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
        `reason`: `normal`, `shutdown`, `failed`, or `ignored` if `started` raised `Ignore`.
        """

    async def receive(self, message: M_in, /) -> Reply | Promise[Any] | None:
        """Handle a message. For a request return `message.reply(…)` or a promise; for anything else None."""
        raise NotImplementedError

    def describe(self) -> Description:
        """What to show in the tree. Called at any time: must be quick and must not raise."""
        return Description()

    def inspect(self) -> Mapping[str, object]:
        """Its state, for people who look for a fault. Override it to leave out what they must not see.

        Called at any time between two awaits: must be quick and must not raise. Values are shown cut to 200 characters.
        """
        return {name: value for name, value in vars(self).items() if name != "context"}

    def later(self, request: Request[R], /) -> Promise[R]:
        """A reply owed later: make it in `receive`, return it from there, and set it when there is something to say.

        If the request was told, not asked, nobody waits and the promise is not `wanted`.
        """
        life = self.context._life
        current = life.current
        if not isinstance(current, Call) or current.request is not request:
            return Promise(None)
        if life.owed is None:
            life.owed = set()
        current.promise(life.owed)
        return Promise(current)


async def _help(function: Callable[..., Awaitable[object]], *args: Any) -> None:
    handling.set(None)
    await function(*args)
