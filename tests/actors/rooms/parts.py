"""An actor for tests of what is a part of the conversation: it lends its context, and keeps what it is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from supervisor import Actor, ChildSpec, Context, Mailbox, Message, Overflow, Supervisor, System
from supervisor.testing import open_test_system


class Lender(Actor[Any]):
    """Hands its context to the test."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, lend: Callable[[Context], None], told: list[Message]) -> None:
        self._lend = lend
        self._told = told

    async def started(self) -> None:
        self._lend(self.context)

    async def receive(self, message: Message) -> None:
        self._told.append(message)


@asynccontextmanager
async def open_context(*others: ChildSpec[Any]) -> AsyncIterator[tuple[Context, list[Message], System]]:
    """A context, and what its actor has been told so far. `others`: what stands beside it, in the root."""
    contexts: list[Context] = []
    told: list[Message] = []

    def tree(_system: System) -> Supervisor:
        return Supervisor(*others, ChildSpec("lender", partial(Lender, contexts.append, told)))

    async with open_test_system(tree) as system:
        yield contexts[0], told, system
