"""What people do in Telegram, and what that makes of the world and of the bot's updates.

Those who write are here, the chats' own affairs in `chats`. What returns a number returns the update's id, even where
the bot will not get it. Time is trio's.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import trio

from tests.fakes.telegram_api.kinds import FILES, THINGS
from tests.fakes.telegram_api.rules import Json, marked, utf16_len
from tests.fakes.telegram_api.world import Chat, Message, Query, User, World

ANN = User(77, "Ann", "ann")
ANONYMOUS = User(1087968824, "Group", "GroupAnonymousBot", is_bot=True)
"""Who an administrator is that does not want to be seen."""
_SERVICE = User(777000, "Telegram")  # who brings a channel's posts into its group
_CHANNEL_BOT = User(136817688, "Channel", "Channel_Bot", is_bot=True)  # who speaks where a person speaks as a channel
_CHANNEL: Json = {"id": -100777, "type": "channel", "title": "News"}


class AlbumFile(NamedTuple):
    """One picture or document of an album."""

    content: bytes
    kind: str = "photo"
    name: str = "picture.jpg"
    mime: str = "image/jpeg"


class Writers:
    """People who write, send, edit and press."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._albums = 0

    # --- writing ----------------------------------------------------------------------------------------------

    def say(
        self,
        chat: int,
        text: str,
        *,
        sender: User = ANN,
        thread: int | None = None,
        reply_to: int | None = None,
        quote: str = "",
        ago: float = 0.0,
    ) -> int:
        """A person writes into a chat: private if its id is positive; `ago`: seconds ago, while the bot was away.

        `quote`: what of `reply_to` is quoted.
        """
        extra: Json = {}
        if quote:
            quoted = self.world.chats[chat].messages[reply_to or 0].text
            start = utf16_len(quoted[: quoted.index(quote)])
            extra = {"quote": {"text": quote, "position": start, "is_manual": True}}
        return self._put(chat, sender, thread, text=text, reply_to=reply_to, extra=extra, ago=ago)

    def say_anonymously(self, chat: int, text: str, *, thread: int | None = None) -> int:
        """An administrator writes as the group."""
        extra = {"sender_chat": self.world.chat(chat).json()}
        return self._put(chat, ANONYMOUS, thread, text=text, extra=extra)

    def say_as_channel(self, chat: int, text: str, *, thread: int | None = None) -> int:
        """A person writes as a channel of theirs."""
        return self._put(chat, _CHANNEL_BOT, thread, text=text, extra={"sender_chat": _CHANNEL})

    def post_in_linked_channel(self, chat: int, text: str) -> int:
        """The channel that is linked to a group posts, and the post is forwarded into the group."""
        origin = {"type": "channel", "date": self._now(), "chat": _CHANNEL, "message_id": 5}
        extra = {"sender_chat": _CHANNEL, "forward_origin": origin, "is_automatic_forward": True}
        return self._put(chat, _SERVICE, None, text=text, extra=extra)

    def post(self, channel: int, text: str) -> int:
        """Somebody posts in a channel that the bot is in."""
        self.world.chat(channel, title="Channel").kind = "channel"
        return self._put(channel, _CHANNEL_BOT, None, text=text)

    def forward(
        self,
        chat: int,
        text: str,
        *,
        origin: User | str,
        sender: User = ANN,
        thread: int | None = None,
    ) -> int:
        """A person forwards what another wrote: a user, or somebody who is only a name. Several come one by one."""
        return self._put(chat, sender, thread, text=text, extra={"forward_origin": self._origin(origin)})

    def reply_across(
        self,
        chat: int,
        text: str,
        *,
        origin: User | str,
        quote: str = "",
        sender: User = ANN,
        thread: int | None = None,
    ) -> int:
        """A person answers a message of another chat, or quotes a part of it."""
        extra: Json = {"external_reply": {"origin": self._origin(origin)}}
        if quote:
            extra["quote"] = {"text": quote, "position": 0, "is_manual": True}
        return self._put(chat, sender, thread, text=text, extra=extra)

    # --- sending ----------------------------------------------------------------------------------------------

    def send_file(
        self,
        chat: int,
        content: bytes,
        *,
        kind: str = "document",
        name: str = "notes.txt",
        mime: str = "text/plain",
        caption: str = "",
        size: int | None = None,
        sender: User = ANN,
        thread: int | None = None,
        extra: Json | None = None,
    ) -> int:
        """A person sends a file of a kind of `FILES`; `size` makes it as large as that without its bytes."""
        assert kind in FILES, kind
        world = self.world
        file = world.keep_file(name, mime, content, size=size)
        if kind == "photo":  # comes with copies, of which only the last one is as it was sent
            thumbs = tuple(world.keep_file(name, mime, b"small copy %d" % n) for n in range(2))
            file = world.files[file.id] = type(file)(file.id, name, mime, content, file.size, thumbs)
        return self._put(chat, sender, thread, text=caption, file=file, kind=kind, extra=extra or {})

    def send_album(
        self,
        chat: int,
        files: Sequence[AlbumFile],
        *,
        caption: str = "",
        sender: User = ANN,
        thread: int | None = None,
    ) -> list[int]:
        """A person sends several pictures at once: each comes as its own update, the first with the caption."""
        self._albums += 1
        group = {"media_group_id": f"album-{self._albums}"}
        words = [caption, *[""] * (len(files) - 1)]
        return [
            self.send_file(
                chat,
                file.content,
                kind=file.kind,
                name=file.name,
                mime=file.mime,
                caption=said,
                sender=sender,
                thread=thread,
                extra=group,
            )
            for file, said in zip(files, words, strict=True)
        ]

    def send_thing(self, chat: int, kind: str, *, sender: User = ANN, thread: int | None = None) -> int:
        """A person sends what is neither text nor a file: a kind of `THINGS`."""
        return self._put(chat, sender, thread, kind=kind, extra=THINGS[kind])

    # --- afterwards -------------------------------------------------------------------------------------------

    def edit(self, chat: int, message_id: int, text: str) -> int:
        """A person edits an own message, or its caption."""
        message, update = self.world.chats[chat].messages[message_id], self.world.next_update
        assert message.sender is not None, "the bot's messages are edited by the bot"
        message.history.append(message.text)
        message.text, message.entities, message.edited_at = text, marked(text), trio.current_time()
        if self.world.hears(message):
            self.world.push("edited_message", self.world.message_json(message))
        return update

    def erase(self, chat: int, message_id: int) -> None:
        """A person deletes a message; the bot is not told."""
        del self.world.chats[chat].messages[message_id]
        self.world.changed()

    def press(self, chat: int, message_id: int, data: str, *, sender: User = ANN, late: bool = False) -> int:
        """A person presses the button with that callback data.

        `late`: on a phone that still shows a button, or a message, which is gone by now.
        """
        world = self.world
        message = world.chats[chat].messages.get(message_id)
        if not late and (message is None or data not in [each["callback_data"] for each in buttons(message)]):
            raise ValueError(f"message {message_id} has no button {data!r}")
        gone: Json = {"chat": world.chats[chat].json(), "message_id": message_id, "date": 0}
        query, update = f"query-{len(world.queries) + 1}", world.next_update
        world.queries[query] = Query(update, trio.current_time())
        content = {"id": query, "from": sender.json(), "chat_instance": str(chat), "data": data}
        shown = gone if message is None else world.message_json(message)
        return world.push("callback_query", {**content, "message": shown})

    def tap(self, chat: int, label: str, *, thread: int | None = None, sender: User = ANN) -> int:
        """A person presses the newest button in a chat, or in a topic of it, that says `label`."""
        for message in reversed(self.world.chats[chat].messages.values()):
            for button in buttons(message) if message.thread == thread else []:
                if button["text"] == label:
                    return self.press(chat, message.id, button["callback_data"], sender=sender)
        raise ValueError(f"there is no button {label!r}")

    # --- inside -----------------------------------------------------------------------------------------------

    def _put(
        self,
        chat: int,
        sender: User,
        thread: int | None,
        *,
        text: str = "",
        reply_to: int | None = None,
        ago: float = 0.0,
        **content: Any,
    ) -> int:
        where = self.world.chat(chat, title=sender.name if chat > 0 else "")
        if thread is not None and thread not in where.topics:
            raise ValueError(f"chat {chat} has no topic {thread}: open it first")
        if reply_to is not None and thread is None and where.kind == "supergroup" and not where.is_forum:
            thread = reply_to  # a thread of replies: it has an id, but is no topic
        update = self.world.next_update
        self.world.add(
            where,
            trio.current_time() - ago,
            thread=thread,
            sender=sender,
            text=text,
            entities=marked(text),
            reply_to=reply_to,
            **content,
        )
        return update

    def _service(self, chat: Chat, kind: str, what: object, sender: User, thread: int | None = None) -> int:
        """A service message."""
        update = self.world.next_update
        self.world.add(chat, trio.current_time(), thread=thread, sender=sender, kind=kind, extra={kind: what})
        return update

    def _origin(self, origin: User | str) -> Json:
        """Who wrote something that was said elsewhere."""
        if isinstance(origin, User):
            return {"type": "user", "date": self._now(), "sender_user": origin.json()}
        return {"type": "hidden_user", "date": self._now(), "sender_user_name": origin}

    def _now(self) -> int:
        return self.world.unix(trio.current_time())


def buttons(message: Message) -> list[Json]:
    """The buttons under a message that come back when they are pressed."""
    rows = (message.markup or {}).get("inline_keyboard", ())
    return [button for row in rows for button in row if "callback_data" in button]
