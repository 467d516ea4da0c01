"""A provider that fails when it is told to: the fake model of the campaigns, gone, refusing, failing, or silent.

Failures are given to messages: the requests for one fail so often as was said, then it is answered. That the whole
provider is gone is for all. It answers what was said last, so that a message that failed is done when somebody asks for
it again, and not beside the next one.
"""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from enum import StrEnum
from math import inf
from typing import Any

import trio

from tests.campaign.ledger import ASKED
from tests.campaign.mind import WORDS
from tests.campaign.model import Context, Model
from tests.fakes.llm import Reply


class Trouble(StrEnum):
    """How one request fails."""

    UNAUTHORIZED = "401"
    FAILING = "500"
    HANGING = "accepts, then closes without a word"
    SILENT = "accepts, and never says a word"


HANGS = 0.4
"""Seconds until a connection that hangs is closed."""


class Provider(Model):
    """The server. `failed`: when the last failing request for each message came to its end, by the message's number."""

    def __init__(self, port: int, nursery: trio.Nursery) -> None:
        super().__init__(port, last_said)
        self.failed: dict[int, float] = {}
        self._port = port
        self._nursery = nursery
        self._troubles: dict[int, deque[Trouble]] = defaultdict(deque)
        self._connections: dict[trio.lowlevel.Task, trio.CancelScope] = {}
        self._listening = trio.CancelScope()

    def give(self, number: int, troubles: Iterable[Trouble]) -> None:
        """The next requests for this message fail like this, one after the other."""
        self._troubles[number].extend(troubles)

    def listen(self, listeners: list[trio.SocketListener]) -> None:
        """Takes connections."""
        self._listening = trio.CancelScope()
        self._nursery.start_soon(self._accept, listeners, self._listening)

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """For the block: every connection is cut and none is taken. Then it listens again, on the same port."""
        self._listening.cancel()
        yield
        self.listen(await trio.open_tcp_listeners(self._port, host="127.0.0.1"))

    async def _accept(self, listeners: list[trio.SocketListener], scope: trio.CancelScope) -> None:
        with scope:
            await trio.serve_listeners(self.serve, listeners)

    async def serve(self, stream: trio.SocketStream) -> None:
        task = trio.lowlevel.current_task()
        with trio.CancelScope() as self._connections[task]:
            await super().serve(stream)
        del self._connections[task]

    def choose(self, asked: dict[str, Any]) -> Reply:
        reply = super().choose(asked)
        number = next((int(n) for delta in reply.deltas for n in ASKED.findall(delta.replace("done-", "say-"))), 0)
        troubles = self._troubles[number]
        if not troubles:
            return reply
        trouble, now = troubles.popleft(), trio.current_time()
        self.failed[number] = now
        match trouble:
            case Trouble.UNAUTHORIZED | Trouble.FAILING:
                return Reply(status=int(trouble))
            case Trouble.HANGING:
                self.failed[number] = self._connections[trio.lowlevel.current_task()].deadline = now + HANGS
            case Trouble.SILENT:
                pass
        return Reply(pause=inf)


def last_said(context: Context) -> dict[str, Any]:
    """The answer to what was said last, and to nothing before."""
    said = [text for role, text in context if role == "user" and ASKED.search(text)][-1]
    ending = " ".join(f"done-{number}" for number in ASKED.findall(said))
    words = [f"word{at} " for at in range(WORDS)] if "stream" in said else []
    return {"deltas": [*words, ending], "gap": 0.03, "pause": 0.4 if "late" in said else 0.0}


@asynccontextmanager
async def open_provider() -> AsyncIterator[Provider]:
    """Serves on a free port of 127.0.0.1; raises AssertionError on leaving if a request broke the rules."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        provider = Provider(listeners[0].socket.getsockname()[1], nursery)
        provider.listen(listeners)
        yield provider
        nursery.cancel_scope.cancel()
    assert not provider.violations, f"the provider was asked wrongly: {provider.violations}"
