"""The console's outbox: shows running turns and brings deliveries to the person, by stdout; asides go to stderr.

Conversations tell it of progress and wake it; it pulls its deliveries from the store and wakes the console after each.
What is shown is decided by `screen`; here it is written, off the trio thread, because whoever reads a pipe may stall.
"""

import errno
import logging
import os
import select
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import trio

from actors.console.screen import Piece, Screen
from actors.errors import Unavailable
from actors.messages import (
    Delivery,
    DeliveryKind,
    Doubt,
    Due,
    EndProgress,
    OutboxMessage,
    Place,
    React,
    Sending,
    Sent,
    ShowProgress,
    Undeliverable,
    Unsent,
    Wake,
    outbox_key,
)
from supervisor import Actor, ActorError, Description, Mailbox, Message, Overflow, Ref

PLACE: Final = Place("console", 0)
"""The console is one room."""

_ASK: Final = 5.0
"""Seconds that the store has for an answer."""
_RETRY: Final = 1.0
"""Seconds until a store that failed is asked again."""
_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
"""How a write ends when nobody can read it any more: no reader, a terminal that hung up, a closed descriptor."""

_log = logging.getLogger(__name__)


class Notice(Message):
    """A word of the console to its person, from the start of a line. `dim`: it is of little weight."""

    text: str
    dim: bool = True


class QuestionShown(Message):
    """The agent waits for the person: what is read next is the answer."""


class Offered(Message):
    """What each button on the screen stands for, by its number; in place of what was told before."""

    offers: dict[int, str]


class Terminal(Actor[OutboxMessage | Notice]):
    """Writes what the person sees. When stdout takes no more, it sets `finished` and is silent."""

    mailbox = Mailbox(256, Overflow.WAIT, coalesce=outbox_key)

    def __init__(
        self,
        store: Ref[Doubt | Due | Sending | Sent | Unsent | Undeliverable],
        console: Ref[Wake | QuestionShown | Offered],
        finished: trio.Event,
        *,
        stdout: int = 1,
        stderr: int = 2,
    ) -> None:
        """`console`: woken after each delivery, and told of questions and buttons. `finished`: ends the service.

        `stdout`, `stderr`: file descriptors.
        """
        self._store = store
        self._console = console
        self._finished = finished
        self._stdout = stdout
        self._stderr = stderr
        self._screen = Screen(dim=os.isatty(stderr) and not os.environ.get("NO_COLOR"))
        self._writing = trio.CapacityLimiter(1)
        self._closed = False
        self._debt: Doubt | Sent | Unsent | None = Doubt(front=PLACE.front)
        """What the store must hear before anything else is sent."""
        self._forget_retry: Callable[[], None] | None = None

    async def started(self) -> None:
        self.context.send_after(0.0, Wake())

    async def receive(self, message: OutboxMessage | Notice) -> None:
        if self._closed:
            return
        match message:
            case Wake():
                await self._deliver()
            case ShowProgress():
                await self._write(self._screen.progress(message))
            case Notice(text=text, dim=dim):
                await self._write(self._screen.notice(text, dim=dim))
            case EndProgress():
                pass  # the line stays open: the rest of the answer belongs on it, and whatever else comes ends it first
            case React():
                pass  # the person sees that the line was taken

    async def stopping(self, reason: str) -> None:
        del reason
        if not self._closed:
            await self._write(self._screen.close())

    def describe(self) -> Description:
        return Description(doing="stdout is closed" if self._closed else None)

    async def _deliver(self) -> None:
        """Brings what is due. A store that cannot answer now is asked again later; nothing is shown twice for that."""
        if self._forget_retry is not None:
            self._forget_retry()
        try:
            await self._settle()
            while due := await self._store.ask(Due(front=PLACE.front, limit=1), timeout=_ASK):
                for delivery in due:
                    if not await self._bring(delivery):
                        return
        except (ActorError, Unavailable) as error:
            _log.warning("deliveries wait for the store: %s", error)
            self._forget_retry = self.context.send_after(_RETRY, Wake()).cancel

    async def _bring(self, delivery: Delivery) -> bool:
        """Whether it is done with. If this is cut off in between, the row says `sending` and the next start doubts it.

        What was shown has no id, so the store never asks for a change of it.
        """
        if delivery.kind is DeliveryKind.TOPIC:
            await self._store.ask(Undeliverable(id=delivery.id, reason="the console has no topics"), timeout=_ASK)
            return True
        self._debt = Unsent(id=delivery.id)
        await self._store.ask(Sending(ids=(delivery.id,), revisions=(delivery.revision,)), timeout=_ASK)
        if not await self._write(self._screen.delivery(delivery)):
            return False
        self._debt = Sent(id=delivery.id, part=delivery.part, message_id=None, last=True)
        await self._settle()
        with suppress(ActorError):
            if delivery.keys:
                self._console.tell_nowait(Offered(offers=dict(self._screen.offers)))
            self._console.tell_nowait(QuestionShown() if delivery.kind is DeliveryKind.QUESTION else Wake())
        return True

    async def _settle(self) -> None:
        if self._debt is not None:
            await self._store.ask(self._debt, timeout=_ASK)
            self._debt = None

    async def _write(self, pieces: Iterable[Piece]) -> bool:
        """Whether stdout took it. That nobody reads stderr is no reason to keep an answer back."""
        for text, aside in pieces:
            fd = self._stderr if aside else self._stdout
            try:
                await trio.to_thread.run_sync(
                    _write_all, fd, text.encode(errors="replace"), abandon_on_cancel=True, limiter=self._writing
                )
            except OSError as error:
                if aside:
                    continue
                self._closed = True
                if error.errno not in _GONE:
                    why = f"stdout cannot be written ({error.strerror}), so the service ends; all is kept for later"
                    await self._write(self._screen.notice(why, dim=False)[-1:])
                self._finished.set()
                return False
        return True


def _write_all(fd: int, data: bytes) -> None:
    """Blocks until all is written; runs in a thread. Raises OSError."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # somebody who shares this terminal made it non-blocking
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
