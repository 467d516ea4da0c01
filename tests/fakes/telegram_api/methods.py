"""The Bot API's methods on the world: each checks as Telegram does, counts what counts, and only then takes effect.

Pure; `getUpdates` waits, so its waiting is the server's. Those for topics are in `topics`. A method that is not here
answers 404.
"""

from collections.abc import Callable, Mapping
from typing import Any

from telegram.constants import ChatAction

from tests.fakes.telegram_api import topics
from tests.fakes.telegram_api.chats import member
from tests.fakes.telegram_api.params import MEGABYTE, Params, chat_of, file_of, markup_of, message_of, place_of
from tests.fakes.telegram_api.rules import (
    REACTIONS,
    ApiError,
    Json,
    bad,
    checked_commands,
    checked_text,
)
from tests.fakes.telegram_api.world import Action, Chat, Draft, Message, World

_ACTIONS = frozenset(str(action) for action in ChatAction)
_TOO_OLD_TO_DELETE = 48 * 3600.0
_SCOPES = frozenset({"default", "all_private_chats", "all_group_chats", "all_chat_administrators"})
_CHAT_SCOPES = frozenset({"chat", "chat_administrators", "chat_member"})


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
    chat, thread = place_of(world, params)
    text, entities = _text(params, "text", "entities")
    return _sent(world, params, now, chat, thread, text=text, entities=entities)


def _send_document(world: World, params: Params, now: float) -> Json:
    return _send_file(world, params, now, "document", 50 * MEGABYTE)


def _send_photo(world: World, params: Params, now: float) -> Json:
    return _send_file(world, params, now, "photo", 10 * MEGABYTE)


def _send_file(world: World, params: Params, now: float, kind: str, largest: int) -> Json:
    chat, thread = place_of(world, params)
    text, entities = _caption(params)
    file = file_of(world, params, kind, largest)
    return _sent(world, params, now, chat, thread, text=text, entities=entities, file=file, kind=kind)


def _sent(world: World, params: Params, now: float, chat: Chat, thread: int | None, **content: Any) -> Json:
    markup = markup_of(params)
    reply: Json = params.json("reply_parameters") or {}
    reply_to = reply.get("message_id")
    if reply_to is not None and reply_to not in chat.messages:
        if not reply.get("allow_sending_without_reply"):
            raise bad("message to be replied not found")
        reply_to = None
    silent = bool(params.json("disable_notification"))
    world.flood.take(chat.id, now)
    world.drafts.pop((chat.id, thread), None)
    message = world.add(
        chat, now, thread=thread, sender=None, markup=markup, reply_to=reply_to, silent=silent, **content
    )
    return world.message_json(message)


def _edit_text(world: World, params: Params, now: float) -> Json:
    message = _own(world, params)
    if message.file is not None:
        raise bad("there is no text in the message to edit")
    text, entities = _text(params, "text", "entities")
    return _changed(world, message, text, entities, markup_of(params), now)


def _edit_caption(world: World, params: Params, now: float) -> Json:
    message = _own(world, params)
    if message.file is None:
        raise bad("there is no caption in the message to edit")
    text, entities = _caption(params)
    return _changed(world, message, text, entities, markup_of(params), now)


def _edit_markup(world: World, params: Params, now: float) -> Json:
    message = _own(world, params)
    return _changed(world, message, message.text, message.entities, markup_of(params), now)


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


def _delete_message(world: World, params: Params, now: float) -> bool:
    message = message_of(world, params, "delete")
    chat = message.chat
    theirs = message.sender is not None and chat.kind != "private"
    if theirs and "can_delete_messages" not in (chat.rights or ()):
        raise bad("message can't be deleted")
    if now - message.at > _TOO_OLD_TO_DELETE or message.kind == "forum_topic_created":
        raise bad("message can't be deleted for everyone")
    del chat.messages[message.id]
    world.changed()
    return True


def _draft(world: World, params: Params, now: float) -> bool:
    chat, thread = place_of(world, params)
    if chat.kind != "private":
        raise bad("TEXTDRAFT_PEER_INVALID")
    if "reply_markup" in params.fields:
        raise bad("a draft has no keyboard")
    draft = params.number("draft_id")
    if draft == 0:
        raise bad("RANDOM_ID_INVALID")
    text, _ = _text(params, "text", "entities", empty=True)
    world.flood.take(chat.id, now)
    world.drafts[chat.id, thread] = Draft(draft, text, now)
    world.changed()
    return True


def _action(world: World, params: Params, now: float) -> bool:
    chat, thread = place_of(world, params)
    if (action := params.text("action")) not in _ACTIONS:
        raise bad("wrong parameter action in request")
    world.actions.append(Action(chat.id, thread, action, now))
    world.changed()
    return True


def _react(world: World, params: Params, _now: float) -> bool:
    message = message_of(world, params, "react")
    wanted = [reaction.get("emoji") for reaction in params.json("reaction") or []]
    allowed = REACTIONS if message.chat.reactions is None else message.chat.reactions
    if len(wanted) > 1 or not allowed.issuperset(wanted):
        raise bad("REACTION_INVALID")
    message.reactions = wanted
    world.changed()
    return True


def _pin(world: World, params: Params, _now: float) -> bool:
    message = message_of(world, params, "pin")
    if message.chat.kind != "private" and "can_pin_messages" not in (message.chat.rights or ()):
        raise bad("not enough rights to manage pinned messages in the chat")
    message.pinned = True
    world.changed()
    return True


# --- the rest ---------------------------------------------------------------------------------------------------


def _get_me(world: World, _params: Params, _now: float) -> Json:
    return world.bot


def _get_chat(world: World, params: Params, _now: float) -> Json:
    chat = chat_of(world, params)
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    shown = {**chat.json(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts)}
    if chat.reactions is not None:
        shown["available_reactions"] = [{"type": "emoji", "emoji": emoji} for emoji in sorted(chat.reactions)]
    return shown


def _get_member(world: World, params: Params, _now: float) -> Json:
    chat = chat_of(world, params)
    if params.number("user_id") != world.bot["id"]:
        raise bad("PARTICIPANT_ID_INVALID")
    return member(world.bot, "member" if chat.rights is None else "administrator", chat.rights or frozenset())


def _leave(world: World, params: Params, _now: float) -> bool:
    chat = chat_of(world, params)
    if chat.kind == "private":
        raise bad("chat member status can't be changed in private chats")
    chat.blocked, chat.rights = True, None
    world.changed()
    return True


def _get_file(world: World, params: Params, _now: float) -> Json:
    file = world.files.get(params.text("file_id"))
    if file is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if file.size > 20 * MEGABYTE:
        raise bad("file is too big")
    return {**file.json(), "file_path": f"documents/{file.id}"}


def _set_commands(world: World, params: Params, _now: float) -> bool:
    scope = params.json("scope") or {"type": "default"}
    kind = scope.get("type")
    if kind not in _SCOPES | _CHAT_SCOPES or (kind in _CHAT_SCOPES) != ("chat_id" in scope):
        raise bad("can't parse BotCommandScope")
    world.commands = checked_commands(params.json("commands"))
    return True


def _delete_webhook(world: World, params: Params, _now: float) -> bool:
    world.webhook = ""
    if params.json("drop_pending_updates"):
        world.updates.clear()
    return True


def _answer_query(world: World, params: Params, now: float) -> bool:
    query = world.query(params.text("callback_query_id"), now)
    text = params.fields.get("text", "")
    if len(text) > 200:
        raise bad("MESSAGE_TOO_LONG")
    query.answer = {"text": text, "show_alert": bool(params.json("show_alert"))}
    world.changed()
    return True


_METHODS: Mapping[str, Callable[[World, Params, float], Any]] = {
    "answerCallbackQuery": _answer_query,
    "closeForumTopic": topics.close,
    "createForumTopic": topics.create,
    "deleteForumTopic": topics.delete,
    "deleteMessage": _delete_message,
    "deleteWebhook": _delete_webhook,
    "editForumTopic": topics.edit,
    "editMessageCaption": _edit_caption,
    "editMessageReplyMarkup": _edit_markup,
    "editMessageText": _edit_text,
    "getChat": _get_chat,
    "getChatMember": _get_member,
    "getFile": _get_file,
    "getMe": _get_me,
    "leaveChat": _leave,
    "pinChatMessage": _pin,
    "reopenForumTopic": topics.reopen,
    "sendChatAction": _action,
    "sendDocument": _send_document,
    "sendMessage": _send_message,
    "sendMessageDraft": _draft,
    "sendPhoto": _send_photo,
    "setMessageReaction": _react,
    "setMyCommands": _set_commands,
}


# --- parameters -------------------------------------------------------------------------------------------------


def _own(world: World, params: Params) -> Message:
    """The bot's own message that is to be edited."""
    message = message_of(world, params, "edit")
    if message.sender is not None or message.service:
        raise bad("message can't be edited")
    return message


def _caption(params: Params) -> tuple[str, list[Json]]:
    return _text(params, "caption", "caption_entities", limit=1024, empty=True)


def _text(
    params: Params, name: str, entities: str, *, limit: int = 4096, empty: bool = False
) -> tuple[str, list[Json]]:
    if "parse_mode" in params.fields:
        raise bad("can't parse entities: this fake takes entities, not a parse_mode")
    return checked_text(params.fields.get(name, ""), params.json(entities) or [], limit=limit, empty=empty)
