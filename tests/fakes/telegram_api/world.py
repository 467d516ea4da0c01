"""Telegram's side of the conversation: chats, topics, messages, files, and the updates that wait for the bot.

Pure: no clock and no network; `now` is given. People act on it through `say`, `edit` and `press`, the bot
through `methods`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.telegram_api.rules import Flood, Json, Limits, bad

_DEFAULT_UPDATES_WITHOUT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_EPOCH = 1_700_000_000  # message dates are Unix seconds; the world's clock begins here


@dataclass(frozen=True)
class User:
    """A person; also the person's private chat, which has the same id."""

    id: int
    name: str = "Ann"
    username: str | None = None

    def json(self) -> Json:
        shown: Json = {"id": self.id, "is_bot": False, "first_name": self.name}
        return shown if self.username is None else {**shown, "username": self.username}


@dataclass(frozen=True)
class StoredFile:
    id: str
    name: str
    mime: str
    content: bytes

    def json(self) -> Json:
        return {"file_id": self.id, "file_unique_id": f"u{self.id}", "file_size": len(self.content)}


@dataclass(kw_only=True)
class Message:
    """A message as it stands, with the texts that it had before. `sender` is None for the bot itself."""

    id: int
    chat: "Chat"
    thread: int | None
    sender: User | None
    at: float
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    markup: Json | None = None
    reply_to: int | None = None
    file: StoredFile | None = None
    kind: str = "text"  # text, document, photo, or the name of a service message
    extra: Json = field(default_factory=dict)
    edited_at: float | None = None
    history: list[str] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    pinned: bool = False


@dataclass
class Topic:
    name: str
    closed: bool = False


@dataclass
class Chat:
    id: int
    kind: str  # private, group, supergroup
    title: str
    is_forum: bool = False
    topics: dict[int, Topic] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    blocked: bool = False
    last_id: int = 10

    def json(self) -> Json:
        shown: Json = {"id": self.id, "type": self.kind}
        shown["first_name" if self.kind == "private" else "title"] = self.title
        return {**shown, "is_forum": True} if self.is_forum else shown


@dataclass(frozen=True)
class Draft:
    id: int
    text: str
    at: float


@dataclass(frozen=True)
class Action:
    """A chat action, such as typing."""

    chat: int
    thread: int | None
    action: str
    at: float


class World:
    """All that Telegram knows. `changed` is called after each change."""

    def __init__(self, limits: Limits, *, private_topics: bool = False) -> None:
        self.bot: Json = {"id": 4242, "is_bot": True, "first_name": "Dispatch", "username": "dispatch_test_bot"}
        self.bot |= {"can_join_groups": True, "can_read_all_group_messages": True, "supports_inline_queries": False}
        self.bot |= {"has_topics_enabled": private_topics}
        self.private_topics = private_topics
        self.flood = Flood(limits)
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.updates: list[Json] = []
        self.next_update = 1000
        self.allowed: frozenset[str] | None = None
        self.webhook = ""
        self.commands: list[Json] = []
        self.queries: dict[str, Json | None] = {}
        self.drafts: dict[tuple[int, int | None], Draft] = {}
        self.actions: list[Action] = []
        self.changed: Callable[[], None] = lambda: None

    # --- chats ------------------------------------------------------------------------------------------------

    def chat(self, chat: int, *, title: str = "", forum: bool = False) -> Chat:
        """The chat of that id; made when nobody spoke of it before: private if positive, else a supergroup."""
        if chat not in self.chats:
            kind = "private" if chat > 0 else "supergroup"
            self.chats[chat] = Chat(chat, kind, title or f"{kind} {chat}", is_forum=forum)
        return self.chats[chat]

    def known_chat(self, chat: int) -> Chat:
        if chat not in self.chats:
            raise bad("chat not found")
        return self.chats[chat]

    def add_topic(self, chat: Chat, name: str, *, sender: User | None, now: float) -> int:
        """A new topic; its id is that of the service message which opens it."""
        thread = chat.last_id + 1
        chat.topics[thread] = Topic(name)
        made = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self.add(chat, now, thread=thread, sender=sender, kind="forum_topic_created", extra=made)
        return thread

    def drop_topic(self, chat: Chat, thread: int) -> None:
        del chat.topics[thread]
        chat.messages = {key: message for key, message in chat.messages.items() if message.thread != thread}
        self.changed()

    # --- messages ---------------------------------------------------------------------------------------------

    def add(
        self, chat: Chat, now: float, *, thread: int | None, sender: User | None, announce: bool = True, **fields: Any
    ) -> Message:
        """Puts a message into a chat; a person's becomes an update as well."""
        chat.last_id += 1
        message = Message(id=chat.last_id, chat=chat, thread=thread, sender=sender, at=now, **fields)
        chat.messages[message.id] = message
        if sender is not None and announce:
            self.push("message", self.message_json(message))
        self.changed()
        return message

    def keep_file(self, name: str, mime: str, content: bytes) -> StoredFile:
        stored = StoredFile(f"file-{len(self.files) + 1}", name, mime, content)
        self.files[stored.id] = stored
        return stored

    def message_json(self, message: Message, *, bare: bool = False) -> Json:
        """The message as the Bot API shows it; `bare` leaves out what it replies to."""
        chat = message.chat
        shown: Json = {"message_id": message.id, "chat": chat.json(), "date": _EPOCH + int(message.at)}
        shown["from"] = self.bot if message.sender is None else message.sender.json()
        if message.thread is not None:
            shown["message_thread_id"] = message.thread
            if message.thread in chat.topics:
                shown["is_topic_message"] = True
        if message.edited_at is not None:
            shown["edit_date"] = _EPOCH + int(message.edited_at)
        if message.markup is not None:
            shown["reply_markup"] = message.markup
        text, entities = ("caption", "caption_entities") if message.file else ("text", "entities")
        if message.text:
            shown[text] = message.text
        if message.entities:
            shown[entities] = message.entities
        if message.file:
            one = {**message.file.json(), "width": 1, "height": 1}
            named = {**message.file.json(), "file_name": message.file.name, "mime_type": message.file.mime}
            shown[message.kind] = [one] if message.kind == "photo" else named
        # In a topic Telegram shows every message that replies to nothing as a reply to the topic's first.
        answered = chat.messages.get(message.reply_to or message.thread or 0)
        if answered is not None and answered is not message and not bare:
            shown["reply_to_message"] = self.message_json(answered, bare=True)
        return {**shown, **message.extra}

    # --- updates ----------------------------------------------------------------------------------------------

    def push(self, kind: str, content: Json) -> int:
        """Queues an update, unless the bot did not ask for its kind. Returns its id."""
        update = self.next_update
        wanted = kind in self.allowed if self.allowed else kind not in _DEFAULT_UPDATES_WITHOUT
        if wanted:
            self.next_update += 1
            self.updates.append({"update_id": update, kind: content})
        self.changed()
        return update

    def due(self, offset: int, limit: int) -> list[Json]:
        """Confirms what is below the offset and returns the updates from it on; again and again until confirmed."""
        if offset < 0:
            offset = self.updates[offset:][0]["update_id"] if self.updates else 0
        self.updates = [update for update in self.updates if update["update_id"] >= offset]
        return self.updates[:limit]

    # --- what people do ---------------------------------------------------------------------------------------

    def say(
        self,
        chat: int,
        text: str,
        now: float,
        *,
        sender: User,
        thread: int | None = None,
        reply_to: int | None = None,
        file: StoredFile | None = None,
        kind: str = "text",
    ) -> tuple[int, int]:
        """A person writes. Returns the update's id and the message's id."""
        where = self.chat(chat, title=sender.name if chat > 0 else "")
        if thread is not None and thread not in where.topics:
            raise ValueError(f"chat {chat} has no topic {thread}: open it first")
        if reply_to is not None and thread is None and where.kind == "supergroup" and not where.is_forum:
            thread = reply_to  # a thread of replies: it has an id, but is no topic
        update = self.next_update
        entities = _command(text)
        message = self.add(
            where,
            now,
            thread=thread,
            sender=sender,
            text=text,
            entities=entities,
            reply_to=reply_to,
            file=file,
            kind=kind,
        )
        return update, message.id

    def edit(self, chat: int, message_id: int, text: str, now: float) -> int:
        """A person edits an own message."""
        message = self.chats[chat].messages[message_id]
        message.history.append(message.text)
        message.text, message.entities, message.edited_at = text, _command(text), now
        return self.push("edited_message", self.message_json(message))

    def press(self, chat: int, message_id: int, data: str, *, sender: User) -> int:
        """A person presses a button of a message of the bot."""
        message = self.chats[chat].messages[message_id]
        rows: Sequence[Sequence[Json]] = (message.markup or {}).get("inline_keyboard", ())
        if not any(button.get("callback_data") == data for row in rows for button in row):
            raise ValueError(f"message {message_id} has no button {data!r}")
        query = f"query-{len(self.queries) + 1}"
        self.queries[query] = None
        content = {"id": query, "from": sender.json(), "chat_instance": str(chat), "data": data}
        return self.push("callback_query", {**content, "message": self.message_json(message)})


def _command(text: str) -> list[Json]:
    word = text.split(maxsplit=1)[0] if text.startswith("/") else ""
    return [{"type": "bot_command", "offset": 0, "length": len(word)}] if len(word) > 1 else []
