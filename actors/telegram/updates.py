"""What an update of Telegram's is to us: something a person said to a room, or nothing, and then why.

Pure: python-telegram-bot's `Update` in, one of four verdicts out. The gateway acts on the verdict.
"""

import re
from typing import Final, NamedTuple

from telegram import Chat, Message, Update, User

from actors.commands import parse
from actors.messages import Inbound, Place
from actors.telegram.access import Gate

__all__ = ["ALLOWED_UPDATES", "FRONT", "UNREADABLE", "Ignored", "Me", "Refused", "Unsupported", "Verdict", "translate"]

FRONT: Final = "telegram"
"""What a place says of its front end when it is Telegram's."""

ALLOWED_UPDATES: Final = (Update.MESSAGE,)
"""The kinds that something is made of; Telegram is asked for no other."""

UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What code raises that finds an update of another shape than it was written for."""


class Me(NamedTuple):
    """The bot itself."""

    id: int
    username: str


class Ignored(NamedTuple):
    """Not meant for us, or nothing that anybody waits for an answer to."""

    reason: str


class Refused(NamedTuple):
    """From somebody who may not speak here; they get no answer at all."""

    person: int
    chat: int
    reason: str


class Unsupported(NamedTuple):
    """From somebody who may speak, but of a kind that is not understood."""

    place: Place
    message_id: int


Verdict = Inbound | Ignored | Refused | Unsupported


def translate(update: Update, me: Me, gate: Gate) -> Verdict:
    """What to do with an update. Messages of bots, channels and anonymous administrators are nobody's."""
    person, chat, message = update.effective_user, update.effective_chat, update.message
    if person is None or person.is_bot or (message is not None and message.sender_chat is not None):
        return Ignored("no person said it")
    if chat is None:
        return Ignored("it belongs to no chat")
    objection = gate.objection(person.id, chat.id)
    if objection is not None:
        return Refused(person.id, chat.id, objection)
    if message is None:
        return Ignored("it is no new message")
    place = Place(FRONT, chat.id, message.message_thread_id if message.is_topic_message else None)
    if message.text is None:
        if message.effective_attachment is None:
            return Ignored("it is a service message")
        return Unsupported(place, message.message_id)
    text = _addressed(message.text, me.username)
    command = parse(text, me.username)
    if not text or command == "":
        return Ignored("it is meant for another bot, or is empty")
    return Inbound(
        key=f"{FRONT}:{me.id}:{update.update_id}",
        place=place,
        person=person.id,
        name=person.full_name,
        text=text,
        at=message.date.timestamp(),
        message_id=message.message_id,
        command=command,
        title=_title(message, chat, person),
    )


_MENTION: Final = re.compile(r"\s*@([A-Za-z0-9_]{3,64})\b[,:]?\s*")


def _addressed(text: str, username: str) -> str:
    """The text without a mention of us in front; nothing if it begins with one of another bot."""
    mention = _MENTION.match(text)
    if mention is None:
        return text.strip()
    name = mention[1].lower()
    if name == username.lower():
        return text[mention.end() :].strip()
    return "" if name.endswith("bot") else text.strip()  # every bot's name ends so, and few people's do


def _title(message: Message, chat: Chat, person: User) -> str:
    """What the place is called.

    A topic's name stands in its first message, which Telegram shows as replied to by those that reply to nothing else.
    From the others it cannot be told; they say nothing, so that the store keeps what it knows.
    """
    if message.is_topic_message:
        first = message.reply_to_message
        return first.forum_topic_created.name if first and first.forum_topic_created else ""
    return person.full_name if chat.type == Chat.PRIVATE else chat.title or ""
