"""An actor that does what a test tells it and notes what happens to it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import trio
import trio.testing

from supervisor import (
    Actor,
    ChildSpec,
    Down,
    Intensity,
    Mailbox,
    Message,
    Overflow,
    Reply,
    Request,
    Supervisor,
    current_path,
)


class Do(Message):
    """Call this with the actor."""

    what: Callable[[Any], object]


class Read(Request[list[Any]]):
    """What it has noted."""


class Worker(Actor[Do | Read | Down]):
    """Does what it is told and notes what happens to it; `notes` is shared by all incarnations."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, notes: list[Any], start: Callable[[Any], object] | None = None) -> None:
        self.notes = notes
        self._start = start

    async def started(self) -> None:
        if self._start is not None:
            self._start(self)

    async def receive(self, message: Do | Read | Down) -> Reply | None:
        match message:
            case Do(what=what):
                what(self)
            case Down():
                self.notes.append(message)
            case Read():
                return message.reply(list(self.notes))
        return None

    async def stopping(self, reason: str) -> None:
        self.notes.append(f"stopping {reason}")

    async def helper(self, name: str, seconds: float = 1e6, error: BaseException | None = None) -> None:
        """Notes its life; ends with `error` after a time."""
        self.notes.append(f"{name} begins in {current_path.get()}")
        try:
            await trio.sleep(seconds)
        finally:
            self.notes.append(f"{name} ends")
        if error is not None:
            raise error


def one(spec: ChildSpec[Any], **options: Any) -> Supervisor:
    return Supervisor(spec, intensity=Intensity(10, 60.0), **options)


def worker(notes: list[Any], start: Callable[[Any], object] | None = None, **options: Any) -> ChildSpec[Any]:
    return ChildSpec("a", partial(Worker, notes, start), **options)
