"""A strict Telegram Bot API on loopback, for tests: people speak on one side, a real `telegram.Bot` on the other.

This is the door; behind it `telegram_api` holds the rules, the world, the methods and the server. It refuses what
Telegram refuses, and what the Bot API's manual forbids though Telegram lets it pass. Its clock is trio's.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from tests.fakes.telegram_api.methods import DRAFT_SECONDS
from tests.fakes.telegram_api.rules import UNLIMITED, Limits
from tests.fakes.telegram_api.server import Call, Fault, Server
from tests.fakes.telegram_api.world import Action, Draft, Message, User, World

__all__ = ["ANN", "TOKEN", "UNLIMITED", "Action", "Call", "Draft", "FakeTelegram", "Fault", "Limits", "Message", "User"]

TOKEN = "4242:token-of-the-fake-bot"
ANN = User(77, "Ann", "ann")

T = TypeVar("T")


class FakeTelegram:
    """One bot's Telegram. `base_url` and `base_file_url` are what `telegram.Bot` takes: all before the token.

    `calls` has every request, `actions` every chat action, `world` the rest.
    """

    def __init__(self, world: World, server: Server, nursery: trio.Nursery) -> None:
        self.world = world
        self._server = server
        self._nursery = nursery

    @classmethod
    @asynccontextmanager
    async def serve(
        cls, *, token: str = TOKEN, limits: Limits | None = None, private_topics: bool = False
    ) -> AsyncIterator["FakeTelegram"]:
        """Runs it for the block. Without `limits` it takes what Telegram publishes; `UNLIMITED` takes all."""
        world = World(limits or Limits(), private_topics=private_topics)
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

    # --- what people do ---------------------------------------------------------------------------------------

    def say(
        self, chat: int, text: str, *, sender: User = ANN, thread: int | None = None, reply_to: int | None = None
    ) -> int:
        """A person writes into a chat: private if its id is positive. Returns the update's id."""
        now = trio.current_time()
        return self.world.say(chat, text, now, sender=sender, thread=thread, reply_to=reply_to)[0]

    def send_file(
        self,
        chat: int,
        content: bytes,
        *,
        kind: str = "document",
        name: str = "notes.txt",
        mime: str = "text/plain",
        caption: str = "",
        sender: User = ANN,
        thread: int | None = None,
    ) -> int:
        """A person sends a file: `kind` is document or photo. Returns the update's id."""
        file = self.world.keep_file(name, mime, content)
        return self.world.say(chat, caption, trio.current_time(), sender=sender, thread=thread, file=file, kind=kind)[0]

    def edit(self, chat: int, message_id: int, text: str) -> int:
        """A person edits an own message. Returns the update's id."""
        return self.world.edit(chat, message_id, text, trio.current_time())

    def press(self, chat: int, message_id: int, data: str, *, sender: User = ANN) -> int:
        """A person presses the button with that callback data. Returns the update's id."""
        return self.world.press(chat, message_id, data, sender=sender)

    def open_group(self, chat: int, title: str = "Group", *, forum: bool = False) -> None:
        """A group, with topics if it is a forum. A plain group needs no opening: the first message makes it."""
        self.world.chat(chat, title=title, forum=forum)

    def open_topic(self, chat: int, name: str, *, sender: User = ANN) -> int:
        """A person opens a topic; the bot is told. Returns the thread id."""
        return self.world.add_topic(self.world.chat(chat), name, sender=sender, now=trio.current_time())

    def delete_topic(self, chat: int, thread: int) -> None:
        """A topic goes, with all that was in it; the bot is not told, as in Telegram."""
        self.world.drop_topic(self.world.chats[chat], thread)

    def block(self, chat: int, *, blocked: bool = True) -> None:
        """A person blocks the bot, or a group throws it out."""
        self.world.chat(chat).blocked = blocked

    # --- what can be seen -------------------------------------------------------------------------------------

    def messages(self, chat: int, thread: int | None = None) -> list[Message]:
        """The messages that are there now, oldest first: of the topic, or all that are in none."""
        known = self.world.chats.get(chat)
        return [m for m in known.messages.values() if m.thread == thread] if known else []

    def said(self, chat: int, thread: int | None = None) -> list[str]:
        """The texts of the bot's own messages."""
        return [m.text for m in self.messages(chat, thread) if m.sender is None and m.kind != "forum_topic_created"]

    def draft(self, chat: int, thread: int | None = None) -> str | None:
        """The draft that is shown now: gone 30 s after its last change, or with the bot's next message."""
        draft = self.world.drafts.get((chat, thread))
        return draft.text if draft and trio.current_time() < draft.at + DRAFT_SECONDS else None

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
        """The next `times` calls of a method (`*`: any) go wrong; `seconds` to hang, to be slow, or to retry after."""
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
