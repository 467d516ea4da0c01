"""Steps as messages to the agent."""

import msgspec
import pytest

from actors.messages import (
    Abort,
    AgentMessage,
    AnswerDialog,
    Compact,
    Continue,
    ModelInfo,
    Place,
    Prompt,
    Recall,
    SetModel,
    Steer,
)
from actors.rooms import steps
from actors.rooms.prompts import message, unseen
from tests.actors.rooms.playbook import greeting
from tests.actors.rooms.rows import ROOM, attached, file
from tests.actors.rooms.rows import message as row

PRIVATE = msgspec.structs.replace(ROOM, place=Place("telegram", 5))
BLIND = greeting(3, "leaf1")
SEEING = msgspec.structs.replace(BLIND, model=ModelInfo(id="ant/large", images=True))
PICTURE = attached(1, file(5, picture=True, path="uploads/cat.png"))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (steps.SendPrompt("t1", (row(1),), {}), Prompt(turn="t1", incarnation=3, text="text 1", since=7.0)),
        (steps.SendSteer("t1", (row(2),), {}), Steer(turn="t1", incarnation=3, inbound=2, text="text 2")),
        (steps.SendContinue("t1", "go"), Continue(turn="t1", incarnation=3, note="go", since=7.0)),
        (steps.SendRecall("t1", "leaf0"), Recall(turn="t1", incarnation=3, since="leaf0")),
        (steps.SendAbort("t1"), Abort(turn="t1", incarnation=3)),
        (steps.GiveAnswer("d", True), AnswerDialog(incarnation=3, dialog="d", value=True)),
        (steps.SendCompact("names"), Compact(incarnation=3, instructions="names")),
        (steps.SendModel(None, "high"), SetModel(incarnation=3, model=None, thinking="high")),
        (steps.AwaitBurst(1), None),
    ],
)
def test_what_the_agent_is_told(step: steps.Step, expected: AgentMessage | None) -> None:
    assert message(step, PRIVATE, BLIND, since=7.0, now=8.0) == expected


def test_pictures_go_by_their_absolute_paths_to_a_model_that_sees() -> None:
    step = steps.SendPrompt("t1", (PICTURE,), {})
    seen = message(step, PRIVATE, SEEING, since=7.0, now=8.0)
    assert isinstance(seen, Prompt)
    assert seen.images == ("/work/shop/uploads/cat.png",)
    blind = message(step, PRIVATE, BLIND, since=7.0, now=8.0)
    assert isinstance(blind, Prompt)
    assert blind.images == ()
    assert "uploads/cat.png" in blind.text


def test_in_a_group_the_agent_hears_who_speaks() -> None:
    said = message(steps.SendPrompt("t1", (row(1),), {}), ROOM, BLIND, since=7.0, now=8.0)
    assert isinstance(said, Prompt)
    assert said.text == "[Ada]\ntext 1"


def test_people_hear_that_their_pictures_are_not_seen() -> None:
    told = unseen((PICTURE,), BLIND)
    assert told is not None
    assert (told.key, told.reply_to) == ("blind:1", 101)
    assert unseen((PICTURE,), SEEING) is None
    assert unseen((row(1),), BLIND) is None
    assert unseen((PICTURE,), None) is None
