"""What in a group is meant for the bot, and what of the text is only its name."""

from typing import Any

import pytest

from actors.telegram.addressing import answered, is_addressed, said
from tests.actors.telegram.said import ANN, GROUP, ME, OURS, message, photo, read, topic_begin


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("@our_bot build it", "build it"),
        ("@Our_Bot, build it", "build it"),
        ("@our_bot: @ann says so", "@ann says so"),
        ("@ann build it", "@ann build it"),
        ("ask @other_bot", "ask @other_bot"),
        ("mail me@our_bot.org", "mail me@our_bot.org"),
        ("@our_bot_2 is a name", "@our_bot_2 is a name"),
        ("@our_bot", ""),
        ("/status@our_bot", "/status"),
        ("/steer@Our_bot left", "/steer left"),
        ("@our_bot /status@our_bot now", "/status now"),
        ("/usr@home is full", "/usr@home is full"),
        ("@other_bot build it", None),
        ("@otherBot build it", None),
        ("/status@other_bot", None),
        ("@our_bot /status@other_bot", None),
    ],
)
def test_our_name_in_front_is_not_said(text: str, what: str | None) -> None:
    assert said(text, ME) == what


def test_where_no_other_bot_is_a_name_in_front_is_only_talked_about() -> None:
    assert said("@other_bot did it", ME, alone=True) == "@other_bot did it"
    assert said("@our_bot build it", ME, alone=True) == "build it"
    assert said("/status@other_bot", ME, alone=True) is None


MENTION = {"type": "text_mention", "offset": 0, "length": 3}


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (message("hello"), False),
        (message("hello @our_bot"), True),
        (message("what does @OUR_BOT, think"), True),
        (message("hello @our_bot_2"), False),
        (message("mail me@our_bot"), False),
        (message("hey you", entities=[{**MENTION, "user": OURS}]), True),
        (message("hey you", entities=[{**MENTION, "user": ANN}]), False),
        (photo("look @our_bot"), True),
        (photo(), False),
        (message("/status"), True),
        (message("/steer left"), True),
        (message("/status@our_bot"), True),
        (message("/frobnicate@our_bot"), True),
        (message("/status@other_bot"), False),
        (message("/frobnicate"), False),
        (message("/etc/hosts is odd"), False),
        (message("yes", reply_to_message=message("well?", sender=OURS)), True),
        (message("yes", reply_to_message=message("well?")), False),
        (message("yes", reply_to_message=topic_begin(sender=OURS)), False),
    ],
)
def test_what_is_meant_for_us(content: dict[str, Any], ours: bool) -> None:
    assert is_addressed(read({**content, "chat": GROUP}), ME) is ours


def test_a_topics_first_message_is_not_answered() -> None:
    assert answered(read(message(reply_to_message=topic_begin()))) is None
    before = answered(read(message(reply_to_message=message("before"))))
    assert before is not None
    assert before.text == "before"
