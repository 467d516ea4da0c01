"""What a phone shows of a chat now: bubbles with their buttons and reactions, the draft, what the bot is seen doing.

Pure. `str` of a screen is a transcript: plain text for people to read, and to be printed in documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

from tests.fakes.telegram_api.rules import Json, utf16_len
from tests.fakes.telegram_api.world import Chat, Message, World

_WIDEST_NAME = 12
_SERVICE = {
    "forum_topic_closed": "closed the topic",
    "forum_topic_created": "opened the topic “{name}”",
    "forum_topic_edited": "called the topic “{name}”",
    "forum_topic_reopened": "opened the topic again",
    "migrate_from_chat_id": "made this a supergroup",
    "migrate_to_chat_id": "made this a supergroup",
    "new_chat_members": "added the bot",
    "new_chat_title": "called the group “{title}”",
}


@dataclass(frozen=True)
class Bubble:
    """One message. `quoted`: what it answers; `buttons`: their labels, row by row; `silent`: it came without a sound.

    `file`: its name, and `text` its caption. `service`: nobody said it, it happened.
    """

    id: int
    who: str
    text: str
    quoted: str
    file: str
    buttons: tuple[tuple[str, ...], ...]
    reactions: tuple[str, ...]
    silent: bool
    edited: bool
    service: bool

    def __str__(self) -> str:
        lines = [f"┃ {self.quoted}"] if self.quoted else []
        lines += [f"📎 {self.file}"] if self.file else []
        lines += self.text.splitlines()
        marks = ["🔕"] if self.silent else []
        marks += ["(edited)"] if self.edited else []
        marks += self.reactions
        if marks:
            lines = [*lines[:-1], "  ".join([*lines[-1:], " ".join(marks)])]
        return "\n".join([*lines, *(" ".join(f"[{label}]" for label in row) for row in self.buttons)])


@dataclass(frozen=True)
class Screen:
    """A chat, or one topic of it. `draft`: what the bot is writing; `doing`: its chat action, such as typing."""

    title: str
    bot: str
    bubbles: tuple[Bubble, ...]
    draft: str | None
    doing: str | None

    def __str__(self) -> str:
        said = [(f"* {b.who} {b.text}", "") if b.service else (b.who, str(b)) for b in self.bubbles]
        if self.draft is not None:
            said.append((self.bot, f"{self.draft} ✍"))
        if self.doing is not None:
            said.append((f"* {self.bot}: {self.doing} …", ""))
        widest = min(max((len(who) for who, text in said if text), default=0), _WIDEST_NAME)
        return "\n".join([f"── {self.title} ──", *(_aligned(who, text, widest) for who, text in said)])

    def find(self, words: str) -> Bubble:
        """The newest bubble that says this. Raises AssertionError with what is there instead."""
        for bubble in reversed(self.bubbles):
            if words in bubble.text:
                return bubble
        raise AssertionError(f"{words!r} is not shown:\n{self}")


def screen(world: World, chat: int, thread: int | None, now: float) -> Screen:
    """What is shown of a chat, or of one topic of it."""
    known = world.chats[chat]
    title = known.title if thread is None else f"{known.title} › {known.topics[thread].name}"
    bubbles = tuple(_bubble(world, message) for message in known.messages.values() if message.thread == thread)
    return Screen(
        title, str(world.bot["first_name"]), bubbles, world.draft(chat, thread, now), world.action(chat, thread, now)
    )


def _bubble(world: World, message: Message) -> Bubble:
    rows = (message.markup or {}).get("inline_keyboard", ())
    origin = message.extra.get("forward_origin")
    who = _who(world, message) + (f" (from {_origin(origin)})" if origin else "")
    other = "" if message.kind == "text" or message.file or message.service else message.kind
    return Bubble(
        id=message.id,
        who=who,
        text=_happened(message) if message.service else _formatted(message.text, message.entities),
        quoted=_quoted(world, message),
        file=message.file.name if message.file else other,
        buttons=tuple(tuple(str(button["text"]) for button in row) for row in rows),
        reactions=tuple(message.reactions),
        silent=message.silent,
        edited=message.edited_at is not None,
        service=message.service,
    )


def _who(world: World, message: Message) -> str:
    if "sender_chat" in message.extra:
        return str(message.extra["sender_chat"]["title"])
    return str(world.bot["first_name"]) if message.sender is None else message.sender.name


def _origin(origin: Json) -> str:
    if "sender_user" in origin:
        return str(origin["sender_user"]["first_name"])
    return str(origin.get("sender_user_name") or origin["chat"]["title"])


def _happened(message: Message) -> str:
    what = message.extra[message.kind]
    fields = what if isinstance(what, dict) else {"title": what}
    return _SERVICE.get(message.kind, message.kind).format_map(fields)


def _quoted(world: World, message: Message) -> str:
    chat: Chat = message.chat
    answered = chat.messages.get(message.reply_to or 0)
    if answered is None:
        return ""
    part = message.extra["quote"]["text"] if "quote" in message.extra else answered.text
    line, _, more = str(part).partition("\n")
    cut = line[:57] + "…" if len(line) > 58 or more else line
    return f"{_who(world, answered)}: {cut}"


def _formatted(text: str, entities: Sequence[Json]) -> str:
    """The text as lines, where a block of code or a quotation has its bar."""
    lines: list[str] = []
    at = 0
    for line in text.split("\n"):
        end = at + utf16_len(line)
        around = [e for e in entities if e["offset"] <= at and end <= e["offset"] + e["length"]]
        bars = {"pre": "▏ ", "blockquote": "┃ ", "expandable_blockquote": "┃ "}
        lines.append("".join(bars[e["type"]] for e in around if e["type"] in bars) + line)
        at = end + 1
    return "\n".join(lines)


def _aligned(who: str, text: str, widest: int) -> str:
    """The name in front of the first line, all others below it."""
    if not text:
        return who
    first = f"{who:<{widest}}  "
    lines = indent(text, " " * (widest + 2))
    return (first if len(who) <= widest else f"{who}\n{' ' * (widest + 2)}") + lines.lstrip(" ")
