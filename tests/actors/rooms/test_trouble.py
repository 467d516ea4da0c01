"""The words about what has died."""

import pytest

from actors.messages import Button, DeliveryKind, NewDelivery, ToolCall
from actors.rooms import trouble
from actors.rooms.trouble import Loss
from tests.actors.rooms.rows import turn

LOSS = Loss("pi ended, killed by SIGKILL (out of memory).", ("fatal: *no*", "``` a fence"))


def labels(told: NewDelivery) -> list[list[str]]:
    return [[button.label for button in row] for row in told.buttons]


def test_what_died_and_its_last_words() -> None:
    text = trouble.cut_off(LOSS)
    assert text == (
        "This was cut off: pi ended, killed by SIGKILL (out of memory).\n\n````\nfatal: *no*\n``` a fence\n````"
    )
    assert trouble.cut_off(Loss("")) == "This was cut off: nobody knows why."
    assert trouble.cut_off(Loss("it *said* so")) == r"This was cut off: it \*said\* so."


def test_the_note_is_one_of_its_turn_without_buttons() -> None:
    going, gone = trouble.goes_on(turn(1), LOSS, 2, 3, again=False), trouble.went_on(turn(1), LOSS, 1, done=True)
    assert going.key == gone.key == "crash:t1"
    assert (going.kind, going.buttons, going.reply_to) == (DeliveryKind.NOTE, (), 101)
    assert going.text.endswith("The session is kept, and it goes on by itself: try 2 of 3.")
    assert "fatal" not in gone.text


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ((), "cut off"),
        ((("bash", "make"),), "`bash: make` was running, and it may or may not"),
        ((("bash", "make"), ("edit", "")), "`bash: make`, `edit` were running, and they may or may not"),
        ((("bash", "echo `date`"),), "`` bash: echo `date` `` was running"),
    ],
)
def test_the_question_names_what_was_running(calls: tuple[tuple[str, str], ...], words: str) -> None:
    running = [ToolCall(id="c", tool=tool, summary=summary) for tool, summary in calls]
    asked = trouble.interrupted("t1", LOSS, running)
    assert words in asked.text
    assert asked.kind is DeliveryKind.REPORT
    assert labels(asked) == [["Go on", "Leave it"], ["Log"]]
    assert asked.buttons[0][0] == Button(label="Go on", command="go_on", argument=f"t1 {trouble.GO_ON}")


def test_the_question_changes_with_what_was_decided() -> None:
    asked = trouble.interrupted("t1", LOSS, ())
    decided = trouble.left("t1")
    assert decided.key == asked.key
    assert decided.buttons == ()


def test_what_is_not_gone_on_with_can_be_tried_again() -> None:
    assert labels(trouble.dropped("t1", LOSS)) == [["Try again", "Log"]]
    aside = trouble.set_aside("t1", LOSS, 3)
    assert "tried 3 times" in aside.text
    assert "The last time: pi ended" in aside.text
    assert labels(aside) == [["Try again", "Drop"], ["New session", "Log"]]


@pytest.mark.parametrize(
    ("session", "failures", "words"),
    [
        (True, 6, "It failed 6 times within 4 min. The session is kept. Your next message tries again."),
        (True, 1, "\n\nThe session is kept. Your next message tries again."),
        (False, 1, "Its session cannot be used as it is: New session begins another"),
    ],
)
def test_a_room_that_gave_up_says_how_it_goes_on(session: bool, failures: int, words: str) -> None:
    text = trouble.gave_up(Loss("pi ended", ("last words",), session), failures, 240.0)
    assert "given up: pi ended." in text
    assert "last words" in text
    assert words in text
