"""Updates as Telegram writes them, and what they are to us."""

from typing import Any

import msgspec
import pytest
from telegram import Update

from actors.messages import Amend, Attachment, GroupOffered, Inbound, Knock, MigrateChat, Place, Press, RenameRoom
from actors.telegram.access import Gate
from actors.telegram.bursts import Part
from actors.telegram.contents import LARGEST
from actors.telegram.updates import (
    ALLOWED_UPDATES,
    UNSUPPORTED,
    Ignored,
    Migrated,
    Refused,
    Removed,
    Unsupported,
    Verdict,
    translate,
)
from tests.actors.telegram.said import (
    ANN,
    BOB,
    DATE,
    FILE,
    FROM_BOB,
    GROUP,
    ME,
    OURS,
    PRIVATE,
    ROBOT,
    message,
    photo,
    topic_begin,
    update,
)

NOW = 1_700_000_009.5
BAR = {"id": -7, "type": "group", "title": "Bar"}
TOPIC: dict[str, Any] = {"message_thread_id": 3, "is_topic_message": True}
ALONE = Place("telegram", 77)
SHOP = Place("telegram", -100)
GATE = Gate(users=frozenset({77}), groups=frozenset({-100}), owner=77, listen={SHOP: "all"})
SHY = msgspec.structs.replace(GATE, listen={})
OPEN = msgspec.structs.replace(GATE, pairing=True)


def verdict(content: dict[str, Any], kind: str = "message", gate: Gate = GATE, part: Part | None = None) -> Verdict:
    more = {} if part is None else {"part": part}
    return translate(update(content, kind), ME, gate, now=NOW, **more)


def heard(text: str = "hello", **more: Any) -> Inbound:
    inbound = verdict(message(text, **more))
    assert isinstance(inbound, Inbound)
    return inbound


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_private_message() -> None:
    assert heard() == Inbound(
        key="telegram:4242:9",
        place=ALONE,
        person=77,
        name="Ann Lee",
        owner=True,
        text="hello",
        at=float(DATE),
        message_id=5,
        command=None,
        title="Ann Lee",
    )


def test_only_the_owner_is_the_owner() -> None:
    gate = msgspec.structs.replace(GATE, users=frozenset({77, 88}))
    inbound = verdict(message(sender=BOB, chat=GROUP), gate=gate)
    assert isinstance(inbound, Inbound)
    assert not inbound.owner


def test_a_group_is_a_room_with_its_title() -> None:
    inbound = heard(chat=GROUP)
    assert (inbound.place, inbound.title) == (SHOP, "Shop")


def test_a_topic_is_a_room_with_the_name_in_its_first_message() -> None:
    inbound = heard(chat=GROUP, reply_to_message=topic_begin("Backend"), **TOPIC)
    assert (inbound.place, inbound.title) == (Place("telegram", -100, 3), "Backend")
    assert (inbound.reply_to, inbound.quoted) == (None, "")


def test_a_topic_of_a_private_chat_is_a_room() -> None:
    assert heard(**TOPIC).place == Place("telegram", 77, 3)


def test_a_topic_that_does_not_show_its_name_says_none() -> None:
    inbound = heard(chat=GROUP, reply_to_message=message("before", chat=GROUP, message_id=4), **TOPIC)
    assert (inbound.place, inbound.title) == (Place("telegram", -100, 3), "")
    assert (inbound.reply_to, inbound.quoted) == (4, "Ann Lee: before")


def test_a_thread_of_replies_is_no_room() -> None:
    assert heard(chat=GROUP, message_thread_id=3).place == SHOP


@pytest.mark.parametrize(
    ("text", "command", "mode", "words"),
    [
        ("/status", "status", None, "/status"),
        ("/status@our_bot", "status", None, "/status"),
        ("@our_bot /status", "status", None, "/status"),
        ("/cancel", "stop", None, "/cancel"),
        ("/frobnicate", "?frobnicate", None, "/frobnicate"),
        ("/etc/hosts is empty", None, None, "/etc/hosts is empty"),
        ("/usr@home is full", None, None, "/usr@home is full"),
        ("hello /status", None, None, "hello /status"),
        ("/steer left", None, "steer", "left"),
        ("/queue@our_bot later\non", None, "follow_up", "later\non"),
        ("/steer", "steer", None, "/steer"),
    ],
)
def test_commands(text: str, command: str | None, mode: str | None, words: str) -> None:
    inbound = heard(text, chat=GROUP)
    assert (inbound.command, inbound.mode, inbound.text) == (command, mode, words)


@pytest.mark.parametrize("text", ["@other_bot build it", "/status@other_bot", "@our_bot", "@our_bot  "])
def test_what_is_said_to_another_bot_or_to_nobody_is_not_for_us(text: str) -> None:
    assert isinstance(verdict(message(text, chat=GROUP)), Ignored)


@pytest.mark.parametrize("text", ["@other_bot told me so", "@BotFather wants a name for you"])
def test_in_private_another_bot_is_only_talked_about(text: str) -> None:
    assert heard(text).text == text
    assert isinstance(verdict(message("/status@other_bot")), Ignored)


def test_our_name_alone_is_said_about_what_it_answers() -> None:
    inbound = heard("@our_bot", chat=GROUP, reply_to_message=message("it is down", sender=BOB))
    assert (inbound.text, inbound.quoted) == ("", "Bob: it is down")


def test_a_forward_names_its_origin() -> None:
    assert heard("the plan", forward_origin=FROM_BOB).quoted == "forwarded from Bob"


def test_a_picture_with_a_caption() -> None:
    inbound = verdict(photo("/status", media_group_id="a"), part=Part("album:a", False))
    assert isinstance(inbound, Inbound)
    assert (inbound.text, inbound.command, inbound.burst) == ("/status", None, "album:a")
    assert inbound.attachments == (Attachment(handle="l", name="photo-5.jpg", mime="image/jpeg", size=0, picture=True),)


def test_a_caption_may_say_that_it_steers() -> None:
    inbound = verdict(photo("/steer like this"))
    assert isinstance(inbound, Inbound)
    assert (inbound.text, inbound.mode) == ("like this", "steer")


@pytest.mark.parametrize(
    "content",
    [
        {"voice": {**FILE, "duration": 1}},
        {"video_note": {**FILE, "length": 1, "duration": 1}},
        {"location": {"longitude": 1.0, "latitude": 1.0}},
        {"sticker": {**FILE, "type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}},
        {"contact": {"phone_number": "1", "first_name": "Eve"}},
        {"dice": {"emoji": "🎲", "value": 3}},
    ],
    ids=lambda content: next(iter(content)),
)
def test_what_cannot_be_passed_on(content: dict[str, Any]) -> None:
    assert verdict(message(None, **content)) == Unsupported(ALONE, 5, UNSUPPORTED)


def test_a_file_that_is_too_large_for_a_bot() -> None:
    told = verdict(message(None, document={**FILE, "file_name": "disk.img", "file_size": LARGEST + 1}))
    assert isinstance(told, Unsupported)
    assert "20 MB" in told.text
    assert "disk.img" in told.text


def test_the_name_of_such_a_file_is_no_markdown() -> None:
    document = {**FILE, "file_name": "[free](tg:x) *now*", "file_size": LARGEST + 1}
    told = verdict(message(None, document=document))
    assert isinstance(told, Unsupported)
    assert r"\[free\](tg:x) \*now\*" in told.text


# --- what a group's talk is to us -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (message(chat=GROUP), False),
        (message(None, chat=GROUP, voice={**FILE, "duration": 1}), False),
        (message("/frobnicate", chat=GROUP), False),
        (message("@our_bot hello", chat=GROUP), True),
        (message("/stop", chat=GROUP), True),
        (message("so do", chat=GROUP, reply_to_message=message("shall I?", sender=OURS)), True),
        (message(chat=GROUP, **TOPIC), True),
        (message(), True),
    ],
)
def test_a_group_that_is_not_heard_whole(content: dict[str, Any], ours: bool) -> None:
    assert isinstance(verdict(content, gate=SHY), Inbound) is ours


def test_all_of_an_album_is_meant_if_one_of_it_is() -> None:
    content = photo(chat=GROUP, media_group_id="a")
    assert isinstance(verdict(content, gate=SHY, part=Part("album:a", False)), Ignored)
    assert isinstance(verdict(content, gate=SHY, part=Part("album:a", True)), Inbound)


# --- who may speak ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        message(sender=ROBOT),
        message(sender=ROBOT, chat=GROUP, sender_chat=GROUP),
        message(chat=GROUP, sender_chat={"id": -500, "type": "channel", "title": "News"}, is_automatic_forward=True),
        message(None, chat=GROUP, new_chat_members=[BOB]),
        message(None, chat=GROUP, pinned_message=message(chat=GROUP)),
        message(None, chat=GROUP, forum_topic_closed={}, **TOPIC),
        message(None, chat=GROUP, forum_topic_reopened={}, **TOPIC),
        topic_begin(**TOPIC),
    ],
    ids=["bot", "anonymous admin", "channel", "new member", "pin", "closed topic", "reopened topic", "new topic"],
)
def test_nobody_said_it(content: dict[str, Any]) -> None:
    assert isinstance(verdict(content), Ignored)


KINDS: dict[str, dict[str, Any]] = {
    "message": message(chat=GROUP),
    "edited_message": message(chat=GROUP, edit_date=DATE + 1),
    "callback_query": {"id": "1", "from": ANN, "chat_instance": "x", "data": "y", "message": message(chat=GROUP)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_the_same_gate(kind: str) -> None:
    content = KINDS[kind]
    assert isinstance(verdict(content, kind), Inbound | Amend | Press)
    refused = verdict({**content, "from": BOB}, kind)
    assert isinstance(refused, Refused)
    assert (refused.person, refused.chat) == (88, -100)
    assert isinstance(verdict({**content, "from": ROBOT}, kind), Ignored)
    elsewhere = {**content, "chat": BAR, **({"message": message(chat=BAR)} if "message" in content else {})}
    refused = verdict(elsewhere, kind)
    assert isinstance(refused, Refused)
    assert "-7" in refused.reason


def test_a_stranger_may_knock_in_private_only_and_only_if_there_is_a_door() -> None:
    alone = message(sender=BOB, chat={"id": 88, "type": "private"})
    assert verdict(alone, gate=OPEN) == Knock(front="telegram", person=88, name="Bob", owner=77)
    assert isinstance(verdict(alone), Refused)
    assert isinstance(verdict(message(sender=BOB, chat=GROUP), gate=OPEN), Refused)
    assert isinstance(verdict({**alone, "edit_date": 1}, "edited_message", gate=OPEN), Refused)
    pressed = {"id": "1", "from": BOB, "chat_instance": "x", "data": "y", "message": alone}
    assert isinstance(verdict(pressed, "callback_query", gate=OPEN), Refused)


def test_a_channel_post_and_an_empty_update_are_ignored() -> None:
    post = {"message_id": 1, "date": 1, "chat": {"id": -500, "type": "channel", "title": "News"}, "text": "x"}
    assert isinstance(verdict(post, "channel_post"), Ignored)
    assert isinstance(translate(Update(9), ME, GATE, now=NOW), Ignored)


def test_no_kind_is_asked_for_in_vain() -> None:
    assert set(ALLOWED_UPDATES) == {*KINDS, "my_chat_member"}


# --- edits and presses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (message("@our_bot new words"), "new words"),
        (message("/steer right"), "right"),
        (photo("better"), "better"),
        (photo(), ""),
        (message("@other_bot knows"), "@other_bot knows"),
        (message("@other_bot yours", chat=GROUP), None),
        (message(None, location={"longitude": 1.0, "latitude": 1.0}), None),
    ],
)
def test_an_edit(content: dict[str, Any], text: str | None) -> None:
    edited = verdict({**content, "edit_date": DATE + 5}, "edited_message")
    if text is None:
        assert isinstance(edited, Ignored)
    else:
        assert edited == Amend(key="telegram:4242:9", place=ALONE, message_id=5, text=text)


def press(shown: dict[str, Any] | None, **more: Any) -> Verdict:
    query = {"id": "1", "from": ANN, "chat_instance": "x", "data": "b:7:0", **more}
    return verdict(query if shown is None else {**query, "message": shown}, "callback_query")


def test_a_press() -> None:
    assert press(message("choose", sender=OURS, chat=GROUP, **TOPIC)) == Press(
        key="telegram:4242:9",
        place=Place("telegram", -100, 3),
        person=77,
        name="Ann Lee",
        owner=True,
        data="b:7:0",
        at=NOW,
        message_id=5,
    )


def test_a_press_on_a_message_that_is_too_old_to_be_shown() -> None:
    pressed = press({"chat": PRIVATE, "message_id": 5, "date": 0})
    assert isinstance(pressed, Press)
    assert (pressed.place, pressed.data) == (ALONE, "b:7:0")


def test_a_press_that_is_not_of_ours() -> None:
    assert isinstance(press(None), Ignored)
    assert isinstance(press(message(sender=OURS), data=None), Ignored)


# --- places that change -----------------------------------------------------------------------------------------------


def member(before: str, after: str, *, chat: dict[str, Any] = BAR, sender: dict[str, Any] = ANN) -> Verdict:
    rights = {"restricted": {"is_member": True, "until_date": 0}, "kicked": {"until_date": 0}}
    flags = [
        "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos",
        "can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages",
        "can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics",
        "can_edit_tag", "can_react_to_messages",
    ]  # fmt: skip
    rights["restricted"] |= dict.fromkeys(flags, True)
    old, new = ({"status": status, "user": OURS, **rights.get(status, {})} for status in (before, after))
    change = {"chat": chat, "from": sender, "date": 1, "old_chat_member": old, "new_chat_member": new}
    return verdict(change, "my_chat_member")


@pytest.mark.parametrize("after", ["member", "restricted"])
@pytest.mark.parametrize("before", ["left", "kicked"])
def test_the_owner_is_asked_about_a_group_to_which_the_bot_was_added(before: str, after: str) -> None:
    assert member(before, after) == GroupOffered(front="telegram", chat=-7, title="Bar", name="Ann Lee", owner=77)


def test_nobody_else_can_offer_a_group() -> None:
    assert isinstance(member("left", "member", sender=BOB), Refused)


def test_other_changes_of_membership() -> None:
    assert member("member", "left") == Removed(-7, "Bar")
    assert member("restricted", "kicked", sender=BOB) == Removed(-7, "Bar")
    assert isinstance(member("member", "restricted"), Ignored)
    assert isinstance(member("left", "member", chat=GROUP), Ignored), "it is allowed already"
    assert isinstance(member("kicked", "member", chat=PRIVATE), Ignored), "a person has unblocked the bot"


@pytest.mark.parametrize(
    ("content", "place", "title"),
    [
        (message(None, chat=GROUP, new_chat_title="Shop 2"), SHOP, "Shop 2"),
        (message(None, chat=GROUP, forum_topic_edited={"name": "Core"}, **TOPIC), Place("telegram", -100, 3), "Core"),
        (message(None, forum_topic_edited={"name": "Core"}, **TOPIC), Place("telegram", 77, 3), "Core"),
    ],
)
def test_a_place_that_is_renamed(content: dict[str, Any], place: Place, title: str) -> None:
    assert verdict(content) == RenameRoom(place=place, title=title)
    assert isinstance(verdict({**content, "from": BOB}), Refused)


def test_a_new_icon_is_no_new_name() -> None:
    content = message(None, chat=GROUP, forum_topic_edited={"icon_custom_emoji_id": "1"}, **TOPIC)
    assert isinstance(verdict(content), Ignored)


def test_a_group_that_gets_another_id_whoever_did_it() -> None:
    content = message(None, chat=GROUP, sender=BOB, migrate_to_chat_id=-1007)
    request = MigrateChat(front="telegram", old=-100, new=-1007)
    assert verdict(content) == Migrated(request, None)
    written = msgspec.structs.replace(GATE, written_groups=frozenset({-100}))
    offer = GroupOffered(front="telegram", chat=-1007, title="Shop", name="Bob", owner=77)
    assert verdict(content, gate=written) == Migrated(request, offer)
    assert isinstance(verdict({**content, "chat": BAR}), Ignored)
