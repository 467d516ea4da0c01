"""Messages and updates as Telegram writes them, for the tests of what is made of them."""

from typing import Any

from telegram import Message, Update

from actors.telegram.addressing import Me

ME = Me(4242, "our_bot")
ANN = {"id": 77, "is_bot": False, "first_name": "Ann", "last_name": "Lee"}
BOB = {"id": 88, "is_bot": False, "first_name": "Bob"}
ROBOT = {"id": 99, "is_bot": True, "first_name": "R", "username": "other_bot"}
OURS = {"id": ME.id, "is_bot": True, "first_name": "Dispatch", "username": ME.username}
PRIVATE = {"id": 77, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Shop"}
DATE = 1_700_000_000
FILE = {"file_id": "f", "file_unique_id": "u"}
FROM_BOB = {"type": "user", "date": 1, "sender_user": BOB}


def message(
    text: str | None = "hello", *, sender: dict[str, Any] = ANN, chat: dict[str, Any] = PRIVATE, **more: Any
) -> dict[str, Any]:
    shown = {"message_id": 5, "date": DATE, "from": sender, "chat": chat, **more}
    return shown if text is None else {**shown, "text": text}


def topic_begin(name: str = "Backend", **more: Any) -> dict[str, Any]:
    """The service message that opens a topic."""
    return message(None, chat=GROUP, forum_topic_created={"name": name, "icon_color": 1}, **more)


def photo(caption: str | None = None, **more: Any) -> dict[str, Any]:
    sizes = [
        {**FILE, "file_id": name, "width": width, "height": 10} for name, width in (("s", 9), ("l", 90), ("m", 60))
    ]
    if caption is not None:
        more["caption"] = caption
    return message(None, photo=sizes, **more)


def read(content: dict[str, Any]) -> Message:
    said = Message.de_json(content, None)
    assert said is not None
    return said


def update(content: dict[str, Any], kind: str = "message", id: int = 9) -> Update:
    made = Update.de_json({"update_id": id, kind: content}, None)
    assert made is not None
    return made
