"""Telegram's side of the conversation: chats, topics, messages, files, and the updates that wait for the bot.

Pure: no clock and no network; `now` is given. People act on it through `people`, the bot through `methods`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.telegram_api.flood import Flood, Limits
from tests.fakes.telegram_api.kinds import CONTENT, StoredFile, file_json
from tests.fakes.telegram_api.rules import Json, bad

_DEFAULT_UPDATES_WITHOUT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_QUERY_SECONDS = 60.0  # how long the press of a button waits for its answer
_DRAFT_SECONDS = 30.0
_ACTION_SECONDS = 5.0

RIGHTS = frozenset({"can_manage_topics", "can_delete_messages", "can_pin_messages"})
"""What an administrator may be allowed, as far as it matters here."""


@dataclass(frozen=True)
class User:
    """A person, or another bot; also the person's private chat, which has the same id."""

    id: int
    name: str = "Ann"
    username: str | None = None
    is_bot: bool = False

    def json(self) -> Json:
        shown: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        return shown if self.username is None else {**shown, "username": self.username}


@dataclass(kw_only=True)
class Message:
    """A message as it stands, with the texts that it had before. `sender` is None for the bot itself.

    `kind`: text, a kind of file, another kind of content, or the name of a service message. `extra`: what the Bot API
    shows of it beside. `silent`: it came without a sound.
    """

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
    kind: str = "text"
    extra: Json = field(default_factory=dict)
    edited_at: float | None = None
    history: list[str] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    pinned: bool = False
    silent: bool = False

    @property
    def service(self) -> bool:
        """Whether nobody wrote it: it says what became of the chat."""
        return self.kind not in CONTENT


@dataclass
class Topic:
    name: str
    closed: bool = False
    by_bot: bool = False


@dataclass
class Chat:
    """`rights`: what the bot may do as an administrator; None while it is a plain member.

    `reactions`: those that the chat allows; None for all. `migrated_to`: the id under which it goes on.
    """

    id: int
    kind: str  # private, group, supergroup, channel
    title: str
    is_forum: bool = False
    topics: dict[int, Topic] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    blocked: bool = False
    last_id: int = 10
    rights: frozenset[str] | None = None
    reactions: frozenset[str] | None = None
    migrated_to: int | None = None

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


@dataclass
class Query:
    """A press of a button, and what it was answered with."""

    update: int
    at: float
    answer: Json | None = None


class World:
    """All that Telegram knows. `changed` is called after each change. `epoch`: Unix seconds at the clock's zero."""

    def __init__(
        self, limits: Limits, *, private_topics: bool = False, privacy: bool = False, epoch: float = 0.0
    ) -> None:
        self.epoch = epoch
        self.bot: Json = {"id": 4242, "is_bot": True, "first_name": "Dispatch", "username": "dispatch_test_bot"}
        self.bot |= {"can_join_groups": True, "can_read_all_group_messages": not privacy}
        self.bot |= {"supports_inline_queries": False, "has_topics_enabled": private_topics}
        self.private_topics = private_topics
        self.flood = Flood(limits)
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.updates: list[Json] = []
        self.next_update = 1000
        self.allowed: frozenset[str] | None = None
        self.webhook = ""
        self.commands: list[Json] = []
        self.queries: dict[str, Query] = {}
        self.drafts: dict[tuple[int, int | None], Draft] = {}
        self.actions: list[Action] = []
        self.changed: Callable[[], None] = lambda: None

    # --- chats ------------------------------------------------------------------------------------------------

    def chat(self, chat: int, *, title: str = "", forum: bool = False) -> Chat:
        """The chat of that id; made when nobody spoke of it before: private if positive, else a supergroup."""
        if chat not in self.chats:
            kind = "private" if chat > 0 else "supergroup"
            rights = RIGHTS if forum else None
            self.chats[chat] = Chat(chat, kind, title or f"{kind} {chat}", is_forum=forum, rights=rights)
        return self.chats[chat]

    def known_chat(self, chat: int) -> Chat:
        if chat not in self.chats:
            raise bad("chat not found")
        return self.chats[chat]

    def add_topic(self, chat: Chat, name: str, *, sender: User | None, now: float) -> int:
        """A new topic; its id is that of the service message which opens it."""
        thread = chat.last_id + 1
        chat.topics[thread] = Topic(name, by_bot=sender is None)
        made = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self.add(chat, now, thread=thread, sender=sender, kind="forum_topic_created", extra=made)
        return thread

    def drop_topic(self, chat: Chat, thread: int) -> None:
        del chat.topics[thread]
        chat.messages = {key: message for key, message in chat.messages.items() if message.thread != thread}
        self.drafts.pop((chat.id, thread), None)
        self.changed()

    # --- messages ---------------------------------------------------------------------------------------------

    def add(
        self, chat: Chat, now: float, *, thread: int | None, sender: User | None, announce: bool = True, **fields: Any
    ) -> Message:
        """Puts a message into a chat; a person's becomes an update as well, if the bot may hear it."""
        chat.last_id += 1
        message = Message(id=chat.last_id, chat=chat, thread=thread, sender=sender, at=now, **fields)
        chat.messages[message.id] = message
        if sender is not None and announce and self.hears(message):
            self.push("channel_post" if chat.kind == "channel" else "message", self.message_json(message))
        self.changed()
        return message

    def hears(self, message: Message) -> bool:
        """Whether a person's message reaches the bot: a bot in privacy mode hears only what is meant for it."""
        chat = message.chat
        if chat.blocked:
            return False
        group = chat.kind in {"group", "supergroup"}
        if not group or self.bot["can_read_all_group_messages"] or chat.rights is not None or message.service:
            return True
        answered = chat.messages.get(message.reply_to or 0)
        if answered is not None and answered.sender is None:
            return True
        units = message.text.encode("utf-16-le")
        for entity in message.entities:
            start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
            word, _, name = units[start:end].decode("utf-16-le").partition("@")
            if name == self.bot["username"] or (entity["type"] == "bot_command" and word and not name):
                return True
        return False

    def keep_file(self, name: str, mime: str, content: bytes, *, size: int | None = None) -> StoredFile:
        """A file; `size` if it is to be as large as that without its bytes."""
        stored = StoredFile(f"file-{len(self.files) + 1}", name, mime, content, size or len(content))
        self.files[stored.id] = stored
        return stored

    def message_json(self, message: Message, *, bare: bool = False) -> Json:
        """The message as the Bot API shows it; `bare` leaves out what it replies to."""
        chat = message.chat
        shown: Json = {"message_id": message.id, "chat": chat.json(), "date": self.unix(message.at)}
        if chat.kind != "channel":
            shown["from"] = self.bot if message.sender is None else message.sender.json()
        if message.thread is not None:
            shown["message_thread_id"] = message.thread
            if message.thread in chat.topics:
                shown["is_topic_message"] = True
        if message.edited_at is not None:
            shown["edit_date"] = self.unix(message.edited_at)
        if message.markup is not None:
            shown["reply_markup"] = message.markup
        text, entities = ("caption", "caption_entities") if message.file else ("text", "entities")
        if message.text:
            shown[text] = message.text
        if message.entities:
            shown[entities] = message.entities
        if message.file:
            shown |= file_json(message.kind, message.file)
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

    def unix(self, at: float) -> int:
        """The world's time as the Bot API says it."""
        return int(self.epoch + at)

    # --- what passes ------------------------------------------------------------------------------------------

    def draft(self, chat: int, thread: int | None, now: float) -> str | None:
        """The draft that is shown: gone 30 s after its last change, or with the bot's next message."""
        draft = self.drafts.get((chat, thread))
        return draft.text if draft and now < draft.at + _DRAFT_SECONDS else None

    def action(self, chat: int, thread: int | None, now: float) -> str | None:
        """What the bot is seen doing: for 5 s, or until its next message."""
        for action in reversed(self.actions):
            if now >= action.at + _ACTION_SECONDS:
                return None
            if (action.chat, action.thread) == (chat, thread):
                own = [m.at for m in self.chats[chat].messages.values() if m.sender is None and m.thread == thread]
                return action.action if max(own, default=-1.0) < action.at else None
        return None

    def query(self, query: str, now: float) -> Query:
        """A press that waits for its answer: it does so once, and for a minute."""
        found = self.queries.get(query)
        if found is None or found.answer is not None or now >= found.at + _QUERY_SECONDS:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        return found
