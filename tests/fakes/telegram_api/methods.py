"""The Bot API's methods on the world: each checks as Telegram does, counts what counts, and only then takes effect.

Pure; `getUpdates` waits, so its waiting is the server's. A method that is not here answers 404.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from telegram.constants import ChatAction

from tests.fakes.telegram_api.rules import (
    REACTIONS,
    ApiError,
    Json,
    bad,
    checked_commands,
    checked_markup,
    checked_text,
)
from tests.fakes.telegram_api.world import Action, Chat, Draft, Message, StoredFile, World

_ACTIONS = frozenset(str(action) for action in ChatAction)
_MEGABYTE = 1024 * 1024
DRAFT_SECONDS = 30


class Upload(NamedTuple):
    name: str
    mime: str
    content: bytes


class Params:
    """One request's parameters, which arrive as text whatever they are."""

    def __init__(self, fields: Mapping[str, str], uploads: Mapping[str, Upload]) -> None:
        self.fields = fields
        self.uploads = uploads

    def text(self, name: str) -> str:
        if not self.fields.get(name):
            raise bad(f'parameter "{name}" is required')
        return self.fields[name]

    def number(self, name: str, default: int | None = None) -> int:
        if name not in self.fields and default is not None:
            return default
        try:
            return int(self.text(name))
        except ValueError:
            raise bad(f'parameter "{name}" must be an integer') from None

    def json(self, name: str) -> Any:
        """The decoded value, or None where it is missing."""
        if name not in self.fields:
            return None
        try:
            return msgspec.json.decode(self.fields[name])
        except msgspec.DecodeError:
            raise bad(f'can\'t parse "{name}"') from None


def call(world: World, method: str, params: Params, now: float) -> Any:
    """The method's result, or ApiError."""
    if method not in _METHODS:
        raise ApiError(404, "Not Found: method not found")
    return _METHODS[method](world, params, now)


def check_poll(world: World, params: Params) -> tuple[int, int, int]:
    """Offset, limit and timeout of a getUpdates."""
    if world.webhook:
        raise ApiError(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
    wanted = params.json("allowed_updates")
    if wanted is not None:
        world.allowed = frozenset(wanted)
    return params.number("offset", 0), min(max(params.number("limit", 100), 1), 100), params.number("timeout", 0)


# --- sending and changing ---------------------------------------------------------------------------------------


def _send_message(world: World, params: Params, now: float) -> Json:
    chat, thread = _place(world, params)
    text, entities = _text(params, "text", "entities")
    return _sent(world, params, now, chat, thread, text=text, entities=entities)


def _send_document(world: World, params: Params, now: float) -> Json:
    return _send_file(world, params, now, "document", 50 * _MEGABYTE)


def _send_photo(world: World, params: Params, now: float) -> Json:
    return _send_file(world, params, now, "photo", 10 * _MEGABYTE)


def _send_file(world: World, params: Params, now: float, kind: str, largest: int) -> Json:
    chat, thread = _place(world, params)
    text, entities = _text(params, "caption", "caption_entities", limit=1024, empty=True)
    file = _file(world, params, kind, largest)
    return _sent(world, params, now, chat, thread, text=text, entities=entities, file=file, kind=kind)


def _sent(world: World, params: Params, now: float, chat: Chat, thread: int | None, **content: Any) -> Json:
    markup = _markup(params)
    reply: Json = params.json("reply_parameters") or {}
    reply_to = reply.get("message_id")
    if reply_to is not None and reply_to not in chat.messages:
        if not reply.get("allow_sending_without_reply"):
            raise bad("message to be replied not found")
        reply_to = None
    world.flood.take(chat.id, now)
    world.drafts.pop((chat.id, thread), None)
    message = world.add(chat, now, thread=thread, sender=None, markup=markup, reply_to=reply_to, **content)
    return world.message_json(message)


def _edit_text(world: World, params: Params, now: float) -> Json:
    message = _own(world, params)
    text, entities = _text(params, "text", "entities")
    return _changed(world, message, text, entities, _markup(params), now)


def _edit_markup(world: World, params: Params, now: float) -> Json:
    message = _own(world, params)
    return _changed(world, message, message.text, message.entities, _markup(params), now)


def _changed(world: World, message: Message, text: str, entities: list[Json], markup: Json | None, now: float) -> Json:
    if (text, entities, markup) == (message.text, message.entities, message.markup):
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    world.flood.take(message.chat.id, now)
    message.history.append(message.text)
    message.text, message.entities, message.markup, message.edited_at = text, entities, markup, now
    world.changed()
    return world.message_json(message)


def _delete_message(world: World, params: Params, _now: float) -> bool:
    chat = _chat(world, params)
    message = chat.messages.get(params.number("message_id"))
    if message is None:
        raise bad("message to delete not found")
    if message.sender is not None and chat.kind != "private":
        raise bad("message can't be deleted")
    del chat.messages[message.id]
    world.changed()
    return True


def _draft(world: World, params: Params, now: float) -> bool:
    chat, thread = _place(world, params)
    if chat.kind != "private":
        raise bad("TEXTDRAFT_PEER_INVALID")
    draft = params.number("draft_id")
    if draft == 0:
        raise bad("RANDOM_ID_INVALID")
    text, _ = _text(params, "text", "entities", empty=True)
    world.flood.take(chat.id, now)
    world.drafts[chat.id, thread] = Draft(draft, text, now)
    world.changed()
    return True


def _action(world: World, params: Params, now: float) -> bool:
    chat, thread = _place(world, params)
    if (action := params.text("action")) not in _ACTIONS:
        raise bad("wrong parameter action in request")
    world.actions.append(Action(chat.id, thread, action, now))
    world.changed()
    return True


def _react(world: World, params: Params, _now: float) -> bool:
    chat = _chat(world, params)
    message = chat.messages.get(params.number("message_id"))
    if message is None:
        raise bad("message to react not found")
    wanted = [reaction.get("emoji") for reaction in params.json("reaction") or []]
    if len(wanted) > 1 or not REACTIONS.issuperset(wanted):
        raise bad("REACTION_INVALID")
    message.reactions = wanted
    world.changed()
    return True


def _pin(world: World, params: Params, _now: float) -> bool:
    chat = _chat(world, params)
    message = chat.messages.get(params.number("message_id"))
    if message is None:
        raise bad("message to pin not found")
    message.pinned = True
    world.changed()
    return True


# --- topics -----------------------------------------------------------------------------------------------------


def _create_topic(world: World, params: Params, now: float) -> Json:
    chat = _chat(world, params)
    if not (world.private_topics if chat.kind == "private" else chat.is_forum):
        raise bad("the chat is not a forum")
    name = _topic_name(params)
    world.flood.take(chat.id, now)
    thread = world.add_topic(chat, name, sender=None, now=now)
    return {"message_thread_id": thread, "name": name, "icon_color": 7322096}


def _edit_topic(world: World, params: Params, _now: float) -> bool:
    chat, thread = _topic(world, params)
    name = _topic_name(params)
    if chat.topics[thread].name == name:
        raise bad("TOPIC_NOT_MODIFIED")
    chat.topics[thread].name = name
    world.changed()
    return True


def _close_topic(world: World, params: Params, _now: float) -> bool:
    return _set_closed(world, params, closed=True)


def _reopen_topic(world: World, params: Params, _now: float) -> bool:
    return _set_closed(world, params, closed=False)


def _set_closed(world: World, params: Params, *, closed: bool) -> bool:
    chat, thread = _topic(world, params)
    if chat.topics[thread].closed is closed:
        raise bad("TOPIC_NOT_MODIFIED")
    chat.topics[thread].closed = closed
    world.changed()
    return True


def _delete_topic(world: World, params: Params, _now: float) -> bool:
    world.drop_topic(*_topic(world, params))
    return True


# --- the rest ---------------------------------------------------------------------------------------------------


def _get_me(world: World, _params: Params, _now: float) -> Json:
    return world.bot


def _get_file(world: World, params: Params, _now: float) -> Json:
    file = world.files.get(params.text("file_id"))
    if file is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if len(file.content) > 20 * _MEGABYTE:
        raise bad("file is too big")
    return {**file.json(), "file_path": f"documents/{file.id}"}


def _set_commands(world: World, params: Params, _now: float) -> bool:
    world.commands = checked_commands(params.json("commands"))
    return True


def _delete_webhook(world: World, params: Params, _now: float) -> bool:
    world.webhook = ""
    if params.json("drop_pending_updates"):
        world.updates.clear()
    return True


def _answer_query(world: World, params: Params, _now: float) -> bool:
    query = params.text("callback_query_id")
    if query not in world.queries:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    text = params.fields.get("text", "")
    if len(text) > 200:
        raise bad("MESSAGE_TOO_LONG")
    world.queries[query] = {"text": text, "show_alert": bool(params.json("show_alert"))}
    world.changed()
    return True


_METHODS: Mapping[str, Callable[[World, Params, float], Any]] = {
    "answerCallbackQuery": _answer_query,
    "closeForumTopic": _close_topic,
    "createForumTopic": _create_topic,
    "deleteForumTopic": _delete_topic,
    "deleteMessage": _delete_message,
    "deleteWebhook": _delete_webhook,
    "editForumTopic": _edit_topic,
    "editMessageReplyMarkup": _edit_markup,
    "editMessageText": _edit_text,
    "getFile": _get_file,
    "getMe": _get_me,
    "pinChatMessage": _pin,
    "reopenForumTopic": _reopen_topic,
    "sendChatAction": _action,
    "sendDocument": _send_document,
    "sendMessage": _send_message,
    "sendMessageDraft": _draft,
    "sendPhoto": _send_photo,
    "setMessageReaction": _react,
    "setMyCommands": _set_commands,
}


# --- parameters -------------------------------------------------------------------------------------------------


def _chat(world: World, params: Params) -> Chat:
    chat = world.known_chat(params.number("chat_id"))
    if chat.blocked:
        private = chat.kind == "private"
        raise ApiError(403, f"Forbidden: bot was {'blocked by the user' if private else 'kicked from the group chat'}")
    return chat


def _place(world: World, params: Params) -> tuple[Chat, int | None]:
    """The chat and, where one is named, its topic: open, and not deleted."""
    chat = _chat(world, params)
    if "message_thread_id" not in params.fields:
        return chat, None
    thread = params.number("message_thread_id")
    if thread not in chat.topics:
        raise bad("message thread not found")
    if chat.topics[thread].closed:
        raise bad("TOPIC_CLOSED")
    return chat, thread


def _topic(world: World, params: Params) -> tuple[Chat, int]:
    chat, thread = _chat(world, params), params.number("message_thread_id")
    if thread not in chat.topics:
        raise bad("message thread not found")
    return chat, thread


def _topic_name(params: Params) -> str:
    name = params.fields.get("name", "")
    if not 1 <= len(name) <= 128:
        raise bad("TOPIC_TITLE_EMPTY" if not name else "topic name is too long")
    return name


def _own(world: World, params: Params) -> Message:
    """The bot's own message that is to be edited."""
    message = _chat(world, params).messages.get(params.number("message_id"))
    if message is None:
        raise bad("message to edit not found")
    if message.sender is not None:
        raise bad("message can't be edited")
    return message


def _text(
    params: Params, name: str, entities: str, *, limit: int = 4096, empty: bool = False
) -> tuple[str, list[Json]]:
    if "parse_mode" in params.fields:
        raise bad("can't parse entities: this fake takes entities, not a parse_mode")
    return checked_text(params.fields.get(name, ""), params.json(entities) or [], limit=limit, empty=empty)


def _markup(params: Params) -> Json | None:
    return checked_markup(params.json("reply_markup")) if "reply_markup" in params.fields else None


def _file(world: World, params: Params, name: str, largest: int) -> StoredFile:
    """What is sent: an upload beside the parameters (by name or as attach://name), or a known file's id."""
    given = params.fields.get(name, "")
    upload = params.uploads.get(given.removeprefix("attach://") or name)
    if upload is None:
        if given in world.files:
            return world.files[given]
        raise bad("wrong file identifier/HTTP URL specified" if given else f"there is no {name} in the request")
    if not upload.content:
        raise bad("file must be non-empty")
    if len(upload.content) > largest:
        raise ApiError(413, "Request Entity Too Large")
    return world.keep_file(*upload)
