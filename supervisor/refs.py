"""Refs: the addresses by which actors are told and asked.

A ref is a path, not an object. It finds the place that is at its path now and hands the message to that place's
mailbox. It knows who waits for whom, so a ring of waiting actors is an error at once and not silence.
"""

from contextvars import ContextVar
from typing import Generic, Protocol, TypeVar

import trio

from supervisor.calls import Call
from supervisor.errors import ActorStopped, AskCycle, MailboxFull, NoSuchActor
from supervisor.mailbox import Box
from supervisor.registry import Cell, Registry
from supervisor.spec import Overflow

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)
M_in = TypeVar("M_in", contravariant=True)

handling: ContextVar[Cell | None] = ContextVar("handling", default=None)
"""The cell whose `receive` this task runs; None in helper tasks and outside of the tree."""


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
        cell = self._cell
        box = cell.door if cell is not None else None
        if box is None:
            box = self._box()
        try:
            box.push(message)
            if box.parked is not None:
                box.wake()
        except trio.WouldBlock:
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
            if box.late or not box.put_whole(call):  # those who wait in line go first
                if box.spec.overflow is not Overflow.WAIT:
                    raise MailboxFull(self.path, box.spec.bound)
                box.wait_in_line(call)
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
        asker = handling.get()
        if asker is not None:
            other = self._cell
            while other is not None:
                if other is asker:
                    raise AskCycle(self.path, f"{asker.path} would wait for itself")
                other = other.waits_for
            asker.waits_for = self._cell
        return asker
