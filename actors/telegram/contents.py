"""What a message holds: its files by safe names, and what it answers, quotes or passes on.

Pure. `updates` makes an inbound of it; the files themselves are fetched by `files`.
"""

import unicodedata
from typing import Final, NamedTuple, TypeVar

from telegram import Audio, Document, Message, MessageEntity, MessageOrigin, PhotoSize, User, Video
from telegram import MessageOriginChannel as ChannelOrigin
from telegram import MessageOriginChat as ChatOrigin
from telegram import MessageOriginHiddenUser as HiddenOrigin
from telegram import MessageOriginUser as UserOrigin

from actors.messages import Attachment
from actors.telegram.addressing import Me, answered

__all__ = ["LARGEST", "TooLarge", "attachment", "quoted", "safe_name", "text_of"]

LARGEST: Final = 20 * 1024 * 1024
"""Bytes of a file that Telegram gives a bot."""
LONGEST_NAME: Final = 120
MOST_NAME_BYTES: Final = 200
"""Of a name in UTF-8: file systems take 255, and a number may still be added."""
LONGEST_QUOTE: Final = 1000
LONGEST_WHO: Final = 64

_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
"""What models see."""
_SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}
"""For files that came without a name."""


def text_of(message: Message) -> str:
    """Its text or caption, with the address behind each link that shows only words."""
    text = message.text or message.caption or ""
    links = [each for each in (*message.entities, *message.caption_entities) if each.type == MessageEntity.TEXT_LINK]
    if not links:
        return text
    units = text.encode("utf-16-le", errors="surrogatepass")  # in which entities are counted
    for link in sorted(links, key=lambda each: each.offset, reverse=True):
        end = 2 * (link.offset + link.length)
        units = units[:end] + f" ({link.url})".encode("utf-16-le") + units[end:]
    return units.decode("utf-16-le", errors="surrogatepass")


class TooLarge(NamedTuple):
    """A file that a bot cannot get."""

    name: str


T = TypeVar("T", bound=PhotoSize | Document | Video | Audio)


def attachment(message: Message) -> Attachment | TooLarge | None:
    """The message's picture or file; None if it has none that can be passed on.

    A photo comes in several sizes, of which the largest counts. An animation is a document as well.
    """
    if message.photo:
        photo = max(message.photo, key=lambda size: (size.width * size.height, size.file_size or 0))
        return _file(photo, "photo", message.message_id, None, "image/jpeg")
    for kind, file in (("document", message.document), ("video", message.video), ("audio", message.audio)):
        if file is not None:
            return _file(file, kind, message.message_id, file.file_name, file.mime_type or "")
    return None


def _file(file: T, kind: str, message_id: int, given: str | None, mime: str) -> Attachment | TooLarge:
    name = safe_name(given or "") or f"{kind}-{message_id}{_SUFFIXES.get(mime, '')}"
    size = file.file_size or 0
    if size > LARGEST:
        return TooLarge(name)
    return Attachment(handle=file.file_id, name=name, mime=mime, size=size, picture=mime in _PICTURES)


def safe_name(given: str) -> str:
    """What is left of a name as the last part of a path: visible, not hidden, no control characters; may be nothing.

    At most 120 characters and 200 bytes; what is cut goes from before the suffix.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in last)  # also what turns text
    name = " ".join(shown.split()).strip(". ").lstrip("-. ")
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 16:
        stem, dot, suffix = name, "", ""
    tail = dot + suffix
    stem = stem[: LONGEST_NAME - len(tail)]
    room = MOST_NAME_BYTES - len(tail.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + tail


def quoted(message: Message, me: Me) -> str:
    """What the message answers, quotes or passes on, with who said it; at most 1000 characters, empty for nothing."""
    origin = message.forward_origin
    if origin is not None:
        return f"forwarded from {_origin(origin)}"
    part = message.quote.text if message.quote is not None else None
    reply = answered(message)
    if reply is not None:
        return _quote(_speaker(reply, me), part or _shown(reply))
    if message.external_reply is not None:
        return _quote(_origin(message.external_reply.origin), part or "(a message in another chat)")
    return ""


def _quote(who: str, text: str) -> str:
    whole = f"{who}: {text}"
    return whole if len(whole) <= LONGEST_QUOTE else whole[: LONGEST_QUOTE - 1] + "…"


def _shown(message: Message) -> str:
    """A message's text, or what stands in its place."""
    text = text_of(message)
    if message.effective_attachment is None:
        return text or "(a service message)"
    found = attachment(message)
    what = f"({found.name})" if found is not None else "(no text)"
    return f"{what} {text}".rstrip()


def _speaker(message: Message, me: Me) -> str:
    if message.from_user is not None and message.from_user.id == me.id:
        return "you"
    if message.sender_chat is not None:
        return _name(message.sender_chat.title or "a channel")
    return _user(message.from_user)


def _origin(origin: MessageOrigin) -> str:
    match origin:
        case UserOrigin(sender_user=user):
            return _user(user)
        case HiddenOrigin(sender_user_name=name):
            return _name(name)
        case ChatOrigin(sender_chat=chat) | ChannelOrigin(chat=chat):
            return _name(chat.title or "a chat")
        case _:
            return "somebody"


def _user(user: User | None) -> str:
    return "somebody" if user is None else _name(user.full_name)


def _name(name: str) -> str:
    """A name on one line."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_WHO else line[: LONGEST_WHO - 1] + "…"
