"""What of a group's talk is meant for the bot: mentions, replies to it, commands.

Pure. `updates` asks it about each message; whether a place is heard whole, whatever is said there, is the gate's.
"""

import re
from typing import Final, NamedTuple

from telegram import Message, MessageEntity

from actors.commands import once, parse

__all__ = ["Me", "answered", "is_addressed", "said"]


class Me(NamedTuple):
    """The bot itself."""

    id: int
    username: str


_IN_FRONT: Final = re.compile(r"\s*@([A-Za-z0-9_]{3,64})\b[,:]?\s*")
_COMMAND: Final = re.compile(r"(/[A-Za-z0-9_]{1,32})@([A-Za-z0-9_]{3,64})(?=\s|$)")


def said(text: str, me: Me, *, alone: bool = False) -> str | None:
    """The text without a mention of us in front or behind its command; None if it is meant for another bot.

    `alone`: no other bot is there, so a name in front is only talked about.
    """
    ours = me.username.lower()
    mention = _IN_FRONT.match(text)
    if mention is not None and mention[1].lower() == ours:
        text, mention = text[mention.end() :], None
    text = text.strip()
    command = _COMMAND.match(text)
    if command is not None and command[2].lower() == ours:
        return command[1] + text[command.end() :]
    # Every bot's name ends so, and few people's do.
    mentioned = mention and not alone and mention[1]
    names = [found.lower() for found in (mentioned, command and command[2]) if found]
    return None if any(name.endswith("bot") for name in names) else text


def answered(message: Message) -> Message | None:
    """The message that this one answers.

    In a topic Telegram shows what answers nothing as an answer to the topic's first message; that is none.
    """
    reply = message.reply_to_message
    return None if reply is None or reply.forum_topic_created is not None else reply


def is_addressed(message: Message, me: Me) -> bool:
    """Whether it mentions us, answers a message of ours, or is a command that is ours or has our name behind it.

    A bare command that is none of ours may be any other bot's in the group.
    """
    text = (message.text or message.caption or "").strip()
    if re.search(rf"(?<![\w@]){re.escape('@' + me.username)}\b", text, re.IGNORECASE):
        return True
    entities = (*message.entities, *message.caption_entities)
    if any(each.type == MessageEntity.TEXT_MENTION and each.user and each.user.id == me.id for each in entities):
        return True
    reply = answered(message)
    if reply is not None and reply.from_user is not None and reply.from_user.id == me.id:
        return True
    named = _COMMAND.match(text)
    if named is not None:
        return named[2].lower() == me.username.lower()
    command = parse(text)
    return once(text) is not None or (command is not None and not command.startswith("?"))
