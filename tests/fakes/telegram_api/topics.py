"""The Bot API's methods for topics: who may, in which chats, and what becomes of them. Pure."""

from tests.fakes.telegram_api.params import Params, chat_of
from tests.fakes.telegram_api.rules import Json, bad
from tests.fakes.telegram_api.world import Chat, Topic, World


def create(world: World, params: Params, now: float) -> Json:
    chat = chat_of(world, params)
    if not (world.private_topics if chat.kind == "private" else chat.is_forum):
        raise bad("the chat is not a forum")
    _check(chat, None, "can_manage_topics", "not enough rights to create a topic")
    name = _name(params)
    world.flood.take(chat.id, now)
    thread = world.add_topic(chat, name, sender=None, now=now)
    return {"message_thread_id": thread, "name": name, "icon_color": 7322096}


def edit(world: World, params: Params, now: float) -> bool:
    chat, thread = _topic(world, params)
    topic, name = chat.topics[thread], _name(params)
    _check(chat, topic, "can_manage_topics", "not enough rights to edit the topic")
    if topic.name == name:
        raise bad("TOPIC_NOT_MODIFIED")
    topic.name = name
    return _noted(world, chat, thread, now, "forum_topic_edited", {"name": name})


def close(world: World, params: Params, now: float) -> bool:
    return _set_closed(world, params, now, closed=True)


def reopen(world: World, params: Params, now: float) -> bool:
    return _set_closed(world, params, now, closed=False)


def delete(world: World, params: Params, _now: float) -> bool:
    chat, thread = _topic(world, params)
    _check(chat, None, "can_delete_messages", "not enough rights to delete the topic")
    world.drop_topic(chat, thread)
    return True


def _set_closed(world: World, params: Params, now: float, *, closed: bool) -> bool:
    chat, thread = _topic(world, params)
    if chat.kind == "private":
        raise bad("the chat is not a supergroup")
    topic = chat.topics[thread]
    _check(chat, topic, "can_manage_topics", "not enough rights to close or reopen the topic")
    if topic.closed is closed:
        raise bad("TOPIC_NOT_MODIFIED")
    topic.closed = closed
    return _noted(world, chat, thread, now, f"forum_topic_{'closed' if closed else 'reopened'}", {})


def _topic(world: World, params: Params) -> tuple[Chat, int]:
    chat, thread = chat_of(world, params), params.number("message_thread_id")
    if thread not in chat.topics:
        raise bad("message thread not found")
    return chat, thread


def _name(params: Params) -> str:
    name = params.fields.get("name", "")
    if not 1 <= len(name) <= 128:
        raise bad("TOPIC_TITLE_EMPTY" if not name else "topic name is too long")
    return name


def _check(chat: Chat, topic: Topic | None, right: str, refusal: str) -> None:
    """In a group it takes an administrator's right, but who has opened a topic may change it."""
    own = topic is not None and topic.by_bot
    if chat.kind != "private" and not own and right not in (chat.rights or ()):
        raise bad(refusal)


def _noted(world: World, chat: Chat, thread: int, now: float, kind: str, what: Json) -> bool:
    world.add(chat, now, thread=thread, sender=None, kind=kind, extra={kind: what})
    return True
