"""What an update of Telegram's is to us: something to be asked of the store, or nothing, and then why.

Pure: python-telegram-bot's `Update` in, one verdict out; every kind passes the same gate. The gateway acts on the
verdict, which mostly is the store's request itself.
"""

from typing import Final, NamedTuple

from telegram import Chat, ChatMember, ChatMemberRestricted, ChatMemberUpdated, Message, Update, User

from actors.commands import once, parse
from actors.messages import Amend, GroupOffered, Inbound, Knock, MigrateChat, Place, Press, RenameRoom
from actors.phrases import inert
from actors.telegram.access import Gate
from actors.telegram.addressing import Me, answered, is_addressed, said
from actors.telegram.bursts import ALONE, Part
from actors.telegram.contents import TooLarge, attachment, quoted, text_of

__all__ = [
    "ALLOWED_UPDATES",
    "FRONT",
    "UNREADABLE",
    "UNSUPPORTED",
    "Ignored",
    "Migrated",
    "Refused",
    "Removed",
    "Unsupported",
    "Verdict",
    "translate",
]

FRONT: Final = "telegram"
"""What a place says of its front end when it is Telegram's."""

ALLOWED_UPDATES: Final = (Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)
"""The kinds that something is made of; Telegram is asked for no other."""

UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What code raises that finds an update of another shape than it was written for."""

UNSUPPORTED: Final = "I understand text, pictures and files of up to 20 MB. Please send it as one of these."


class Ignored(NamedTuple):
    """Not meant for us, or nothing that anybody waits for an answer to."""

    reason: str


class Refused(NamedTuple):
    """From somebody who may not speak here; they get no answer at all."""

    person: int
    chat: int
    reason: str


class Unsupported(NamedTuple):
    """From somebody who may speak, but nothing that can be passed on; `text` says what can."""

    place: Place
    message_id: int
    text: str


class Removed(NamedTuple):
    """The bot was thrown out of a group."""

    chat: int
    title: str


class Migrated(NamedTuple):
    """A group has another id. `offer`: the configuration allowed the old one, so the owner must allow the new one."""

    request: MigrateChat
    offer: GroupOffered | None


Verdict = (
    Inbound | Amend | Press | Knock | GroupOffered | RenameRoom | Migrated | Removed | Unsupported | Refused | Ignored
)


def translate(update: Update, me: Me, gate: Gate, *, now: float, part: Part = ALONE) -> Verdict:
    """What to do with an update. Bots, channels and anonymous administrators are nobody.

    `now`: Unix seconds. `part`: what the message is a part of.
    """
    person, chat = update.effective_user, update.effective_chat
    message = update.message or update.edited_message
    if message is not None and message.migrate_to_chat_id is not None:
        return _migrated(message, message.migrate_to_chat_id, gate)
    if person is None or person.is_bot or (message is not None and message.sender_chat is not None):
        return Ignored("no person said it")
    if chat is None:
        return Ignored("it belongs to no chat")
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member, gate)
    objection = gate.objection(person.id, chat.id)
    if objection is not None:
        if gate.pairing and update.message is not None and chat.type == Chat.PRIVATE:
            return Knock(front=FRONT, person=person.id, name=person.full_name, owner=gate.owner)
        return Refused(person.id, chat.id, objection)
    key = f"{FRONT}:{me.id}:{update.update_id}"
    if update.message is not None:
        return _said(key, update.message, person, me, gate, part)
    if update.edited_message is not None:
        return _edited(key, update.edited_message, me)
    if update.callback_query is not None:
        return _pressed(key, update, person, chat, gate, now)
    return Ignored("it is of a kind that says nothing")


def _said(key: str, message: Message, person: User, me: Me, gate: Gate, part: Part) -> Verdict:
    place = _place(message)
    title = message.new_chat_title or (message.forum_topic_edited and message.forum_topic_edited.name)
    if title:
        return RenameRoom(place=place, title=title)
    if message.text is None and message.effective_attachment is None:
        return Ignored("it is a service message")
    if not (gate.hears_all(place) or part.addressed or is_addressed(message, me)):
        return Ignored("it is not meant for us")
    text = _words(message, me)
    if text is None:
        return Ignored("it is meant for another bot")
    file = attachment(message)
    if isinstance(file, TooLarge):
        told = f"Bots get no file above 20 MB, and {inert(file.name)} is larger."
        return Unsupported(place, message.message_id, told)
    if message.text is None and file is None:
        return Unsupported(place, message.message_id, UNSUPPORTED)
    context = quoted(message, me)
    if not text and file is None and not context:
        return Ignored("it is empty")
    mode, words = once(text) or (None, text)
    reply = answered(message)
    return Inbound(
        key=key,
        place=place,
        person=person.id,
        name=person.full_name,
        owner=person.id == gate.owner,
        text=words,
        at=message.date.timestamp(),
        message_id=message.message_id,
        command=parse(text) if file is None and mode is None else None,
        title=_title(message, person),
        quoted=context,
        reply_to=None if reply is None else reply.message_id,
        attachments=() if file is None else (file,),
        burst=part.burst,
        mode=mode,
    )


def _edited(key: str, message: Message, me: Me) -> Verdict:
    """A message that waits will say the new text. Telegram reports other changes as edits as well."""
    text = _words(message, me)
    if text is None or (message.text is None and attachment(message) is None):
        return Ignored("its edit says nothing to us")
    _, words = once(text) or (None, text)
    return Amend(key=key, place=_place(message), message_id=message.message_id, text=words)


def _words(message: Message, me: Me) -> str | None:
    return said(text_of(message), me, alone=message.chat.type == Chat.PRIVATE)


def _pressed(key: str, update: Update, person: User, chat: Chat, gate: Gate, now: float) -> Verdict:
    """A button that was pressed; of a message that is too old Telegram shows neither the text nor the topic."""
    query = update.callback_query
    if query is None or query.data is None or query.message is None:
        return Ignored("the button is none of ours")
    message = query.message
    return Press(
        key=key,
        place=_place(message) if isinstance(message, Message) else Place(FRONT, chat.id),
        person=person.id,
        name=person.full_name,
        owner=person.id == gate.owner,
        data=query.data,
        at=now,
        message_id=message.message_id,
    )


def _membership(change: ChatMemberUpdated, gate: Gate) -> Verdict:
    chat, person = change.chat, change.from_user
    if chat.type not in {Chat.GROUP, Chat.SUPERGROUP}:
        return Ignored("it is no group")
    before, after = _is_in(change.old_chat_member), _is_in(change.new_chat_member)
    if before and not after:
        return Removed(chat.id, chat.title or "")
    if before or not after:
        return Ignored("the bot is where it was")
    if person.id not in gate.users:
        return Refused(person.id, chat.id, gate.objection(person.id, chat.id) or "")
    if chat.id in gate.groups:
        return Ignored("the group is allowed already")
    return _offer(chat.id, chat.title, person, gate)


def _is_in(member: ChatMember) -> bool:
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in {ChatMember.LEFT, ChatMember.BANNED}


def _migrated(message: Message, new: int, gate: Gate) -> Verdict:
    """Telegram says it, whoever caused it: what is asked is only whether the group may be spoken in."""
    old = message.chat.id
    if old not in gate.groups:
        return Ignored("a group that is not allowed has another id")
    person = message.from_user
    offer = _offer(new, message.chat.title, person, gate) if person and old in gate.written_groups else None
    return Migrated(MigrateChat(front=FRONT, old=old, new=new), offer)


def _offer(chat: int, title: str | None, person: User, gate: Gate) -> GroupOffered:
    return GroupOffered(front=FRONT, chat=chat, title=title or "", name=person.full_name, owner=gate.owner)


def _place(message: Message) -> Place:
    """A topic has a thread id, and so has a thread of replies in a plain group, which is no room of its own."""
    return Place(FRONT, message.chat.id, message.message_thread_id if message.is_topic_message else None)


def _title(message: Message, person: User) -> str:
    """What the place is called.

    A topic's name stands in its first message, which Telegram shows as replied to by those that reply to nothing else.
    From the others it cannot be told; they say nothing, so that the store keeps what it knows.
    """
    if message.is_topic_message:
        first = message.reply_to_message
        return first.forum_topic_created.name if first and first.forum_topic_created else ""
    return person.full_name if message.chat.type == Chat.PRIVATE else message.chat.title or ""
