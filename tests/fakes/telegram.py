"""A strict Telegram Bot API on loopback, for tests: people speak on one side, a real `telegram.Bot` on the other.

This is the door; behind it `telegram_api` holds the rules, the world, the people, the methods and the server. It
refuses what Telegram refuses, and what the Bot API's manual forbids though Telegram lets it pass. Its clock is trio's.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from tests.fakes.telegram_api.chats import Hosts
from tests.fakes.telegram_api.flood import UNLIMITED, Limits
from tests.fakes.telegram_api.people import ANN, AlbumFile
from tests.fakes.telegram_api.server import Call, Fault, Server
from tests.fakes.telegram_api.shown import Bubble, Screen, screen
from tests.fakes.telegram_api.world import RIGHTS, Action, Draft, Message, User, World

__all__ = [
    "ANN",
    "RIGHTS",
    "TOKEN",
    "UNLIMITED",
    "Action",
    "AlbumFile",
    "Bubble",
    "Call",
    "Draft",
    "FakeTelegram",
    "Fault",
    "Limits",
    "Message",
    "Screen",
    "User",
]

TOKEN = "4242:token-of-the-fake-bot"

T = TypeVar("T")


class FakeTelegram(Hosts):
    """One bot's Telegram. `base_url` and `base_file_url` are what `telegram.Bot` takes: all before the token.

    What people do, it has from `Hosts`. `calls` has every request, `actions` every chat action, `world` the rest.
    """

    def __init__(self, world: World, server: Server, nursery: trio.Nursery) -> None:
        super().__init__(world)
        self._server = server
        self._nursery = nursery

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        *,
        token: str = TOKEN,
        limits: Limits | None = None,
        private_topics: bool = False,
        privacy: bool = False,
    ) -> AsyncIterator["FakeTelegram"]:
        """Runs it for the block. Without `limits` it takes what Telegram publishes; `UNLIMITED` takes all.

        `private_topics`: the bot's private chats have topics. `privacy`: in groups whose administrator it is not, the
        bot hears only what is meant for it.
        """
        epoch = time.time() - trio.current_time()
        world = World(limits or Limits(), private_topics=private_topics, privacy=privacy, epoch=epoch)
        async with trio.open_nursery() as nursery:
            server = Server(world, token)
            await server.listen(nursery)
            yield cls(world, server, nursery)
            nursery.cancel_scope.cancel()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}/bot"

    @property
    def base_file_url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}/file/bot"

    # --- what can be seen -------------------------------------------------------------------------------------

    def shown(self, chat: int, thread: int | None = None) -> Screen:
        """What a phone shows now of a chat outside of its topics, or of one topic."""
        return screen(self.world, chat, thread, trio.current_time())

    def transcript(self, chat: int, thread: int | None = None) -> str:
        """The same as plain text."""
        return str(self.shown(chat, thread))

    def messages(self, chat: int, thread: int | None = None) -> list[Message]:
        """The messages that are there now, oldest first: of the topic, or all that are in none."""
        known = self.world.chats.get(chat)
        return [m for m in known.messages.values() if m.thread == thread] if known else []

    def said(self, chat: int, thread: int | None = None) -> list[str]:
        """The texts of the bot's own messages."""
        return [m.text for m in self.messages(chat, thread) if m.sender is None and not m.service]

    def draft(self, chat: int, thread: int | None = None) -> str | None:
        """The draft that is shown now: gone 30 s after its last change, or with the bot's next message."""
        return self.world.draft(chat, thread, trio.current_time())

    def answer(self, update: int) -> str | None:
        """What the press with that update was answered with, perhaps nothing (""); None while it has no answer."""
        [query] = [query for query in self.world.queries.values() if query.update == update]
        return None if query.answer is None else str(query.answer["text"])

    @property
    def calls(self) -> Sequence[Call]:
        return self._server.calls

    @property
    def actions(self) -> Sequence[Action]:
        return self.world.actions

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 10.0) -> T:
        """The predicate's first true result; asked again after each change. TooSlowError after `timeout` seconds."""
        with trio.fail_after(timeout):
            while not (found := predicate()):
                await self._server.wait_changed()
        return found

    # --- what goes wrong --------------------------------------------------------------------------------------

    def set_fault(self, method: str, fault: Fault, times: int = 1, *, seconds: float = 1.0) -> None:
        """The next `times` calls of a method go wrong; `seconds` to hang, to be slow, or to retry after.

        `*` is any method, `download` the fetching of a file.
        """
        self._server.faults[method].extend([(fault, seconds)] * times)

    def clear_faults(self) -> None:
        self._server.faults.clear()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """For the block: every connection is cut and none is taken. Then it listens again, on the same port."""
        await self._server.refuse()
        try:
            yield
        finally:
            await self._server.listen(self._nursery)
