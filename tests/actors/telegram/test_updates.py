"""Updates as Telegram writes them, and what they are to us."""

from typing import Any

import pytest
from telegram import Update

from actors.messages import Inbound, Place
from actors.telegram.access import Gate
from actors.telegram.updates import Ignored, Me, Refused, Unsupported, Verdict, translate

ME = Me(4242, "our_bot")
ANN = {"id": 77, "is_bot": False, "first_name": "Ann", "last_name": "Lee"}
BOB = {"id": 88, "is_bot": False, "first_name": "Bob"}
ROBOT = {"id": 99, "is_bot": True, "first_name": "R", "username": "other_bot"}
PRIVATE = {"id": 77, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Shop"}
GATE = Gate(users=frozenset({77}), groups=frozenset({-100}))


def message(
    text: str | None = "hello", *, sender: dict[str, Any] = ANN, chat: dict[str, Any] = PRIVATE, **more: Any
) -> Any:
    shown = {"message_id": 5, "date": 1_700_000_000, "from": sender, "chat": chat, **more}
    return shown if text is None else {**shown, "text": text}


def verdict(content: Any, kind: str = "message") -> Verdict:
    update = Update.de_json({"update_id": 9, kind: content}, None)
    assert update is not None
    return translate(update, ME, GATE)


def heard(text: str, **more: Any) -> Inbound:
    inbound = verdict(message(text, **more))
    assert isinstance(inbound, Inbound)
    return inbound


def test_a_private_message() -> None:
    assert heard("hello") == Inbound(
        key="telegram:4242:9",
        place=Place("telegram", 77),
        person=77,
        name="Ann Lee",
        text="hello",
        at=1_700_000_000.0,
        message_id=5,
        command=None,
        title="Ann Lee",
    )


def test_a_group_is_a_room_with_its_title() -> None:
    inbound = heard("hello", chat=GROUP)
    assert (inbound.place, inbound.title) == (Place("telegram", -100), "Shop")


def test_a_topic_is_a_room_with_the_name_in_its_first_message() -> None:
    first = {**message(None, chat=GROUP), "forum_topic_created": {"name": "Backend", "icon_color": 1}}
    inbound = heard("hello", chat=GROUP, message_thread_id=3, is_topic_message=True, reply_to_message=first)
    assert (inbound.place, inbound.title) == (Place("telegram", -100, 3), "Backend")


def test_a_topic_that_does_not_show_its_name_says_none() -> None:
    answered = message("before", chat=GROUP)
    inbound = heard("hello", chat=GROUP, message_thread_id=3, is_topic_message=True, reply_to_message=answered)
    assert (inbound.place, inbound.title) == (Place("telegram", -100, 3), "")


def test_a_thread_of_replies_is_no_room() -> None:
    assert heard("hello", chat=GROUP, message_thread_id=3).place == Place("telegram", -100)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", "status"),
        ("/status@our_bot", "status"),
        ("@our_bot /status", "status"),
        ("/cancel", "stop"),
        ("/frobnicate", "?frobnicate"),
        ("/etc/hosts is empty", None),
        ("hello /status", None),
    ],
)
def test_commands(text: str, command: str | None) -> None:
    assert heard(text, chat=GROUP).command == command


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@our_bot build it", "build it"),
        ("@Our_Bot, build it", "build it"),
        ("@our_bot: @ann says so", "@ann says so"),
        ("@ann build it", "@ann build it"),
        ("ask @other_bot", "ask @other_bot"),
        ("mail me@our_bot.org", "mail me@our_bot.org"),
        ("@our_bot_2 is a name", None),
    ],
)
def test_a_mention_of_us_in_front_is_not_said(text: str, said: str | None) -> None:
    assert heard(text, chat=GROUP).text == (said or text)


@pytest.mark.parametrize(
    "text", ["@other_bot build it", "@otherBot build it", "/status@other_bot", "@our_bot", "@our_bot  "]
)
def test_what_is_said_to_another_bot_or_to_nobody_is_not_for_us(text: str) -> None:
    assert isinstance(verdict(message(text, chat=GROUP)), Ignored)


@pytest.mark.parametrize(
    "content",
    [
        message(sender=ROBOT),
        message(sender=ROBOT, chat=GROUP, sender_chat=GROUP),
        message(chat=GROUP, sender_chat={"id": -500, "type": "channel", "title": "News"}),
        message(None, chat=GROUP, new_chat_title="Shop 2"),
        message(None, chat=GROUP, new_chat_members=[BOB]),
        message(None, chat=GROUP, forum_topic_created={"name": "Backend", "icon_color": 1}),
    ],
    ids=["bot", "anonymous admin", "channel", "new title", "new member", "new topic"],
)
def test_nobody_said_it(content: Any) -> None:
    assert isinstance(verdict(content), Ignored)


FILE = {"file_id": "f", "file_unique_id": "u"}


@pytest.mark.parametrize(
    "content",
    [
        {"photo": [{**FILE, "width": 1, "height": 1}], "caption": "look"},
        {"document": FILE},
        {"voice": {**FILE, "duration": 1}},
        {"location": {"longitude": 1.0, "latitude": 1.0}},
        {"sticker": {**FILE, "type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}},
    ],
    ids=["photo", "document", "voice", "location", "sticker"],
)
def test_what_is_not_text_is_not_understood(content: dict[str, Any]) -> None:
    assert verdict(message(None, **content)) == Unsupported(Place("telegram", 77), 5)


def test_a_stranger_is_refused() -> None:
    refused = verdict(message(sender=BOB, chat={"id": 88, "type": "private"}))
    assert isinstance(refused, Refused)
    assert (refused.person, refused.chat) == (88, 88)


def test_a_group_must_be_allowed_too() -> None:
    refused = verdict(message(chat={"id": -7, "type": "group", "title": "Bar"}))
    assert isinstance(refused, Refused)
    assert "-7" in refused.reason


MEMBER = {"status": "member", "user": ROBOT}
OTHERS: dict[str, dict[str, Any]] = {
    "edited_message": {**message(), "edit_date": 1_700_000_001},
    "callback_query": {"id": "1", "from": ANN, "chat_instance": "x", "data": "y", "message": message()},
    "my_chat_member": {
        "chat": PRIVATE, "from": ANN, "date": 1, "old_chat_member": MEMBER, "new_chat_member": MEMBER
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_ignored_behind_the_same_gate(kind: str) -> None:
    content = OTHERS[kind]
    assert isinstance(verdict(content, kind), Ignored)
    assert isinstance(verdict({**content, "from": BOB}, kind), Refused)


def test_a_channel_post_and_an_empty_update_are_ignored() -> None:
    post = {"message_id": 1, "date": 1, "chat": {"id": -500, "type": "channel", "title": "News"}, "text": "x"}
    assert isinstance(verdict(post, "channel_post"), Ignored)
    assert isinstance(translate(Update(9), ME, GATE), Ignored)
