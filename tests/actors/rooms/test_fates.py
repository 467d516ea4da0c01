"""What becomes of a turn that was cut off, and what its people hear of that."""

import pytest

from actors.messages import AgentLost, Outcome, ToolCall, Turn
from actors.resume import RESUME_NOTE, Again, Decision, Finished, GoOn
from actors.rooms import trouble
from actors.rooms.fates import MOST_ATTEMPTS, MOST_PARTED, Crashes, Fate, Setting, choose, tries
from actors.rooms.steps import Part, TellPeople
from actors.rooms.trouble import Loss
from tests.actors.rooms.rows import turn

AT_WORK = GoOn(RESUME_NOTE, running=(ToolCall(id="c", tool="bash", summary="make"),))
GO_ON = GoOn(RESUME_NOTE)
DONE = Finished("hello", "stop")


@pytest.mark.parametrize(
    ("decision", "setting", "crashed", "fate"),
    [
        (Again(), "resume", True, Fate.GO_ON),
        (GO_ON, "resume", True, Fate.GO_ON),
        (AT_WORK, "resume", True, Fate.ASK),
        (DONE, "resume", True, Fate.GO_ON),
        (Again(), "ask", True, Fate.GO_ON),
        (GO_ON, "ask", True, Fate.ASK),
        (AT_WORK, "ask", True, Fate.ASK),
        (DONE, "ask", True, Fate.GO_ON),
        (Again(), "drop", True, Fate.DROP),
        (GO_ON, "drop", True, Fate.DROP),
        (AT_WORK, "drop", True, Fate.DROP),
        (DONE, "drop", True, Fate.GO_ON),
        (AT_WORK, "resume", False, Fate.GO_ON),
        (AT_WORK, "ask", False, Fate.GO_ON),
        (GO_ON, "drop", False, Fate.GO_ON),
    ],
)
def test_the_fate_of_a_turn(decision: Decision, setting: Setting, crashed: bool, fate: Fate) -> None:
    assert choose(decision, setting, crashed=crashed) is fate


@pytest.mark.parametrize(
    ("attempt", "parted", "counted"), [(1, 0, 1), (3, 1, 2), (3, 3, 0), (60, 59, 60 - MOST_PARTED)]
)
def test_what_was_ended_on_purpose_does_not_count_but_not_without_end(attempt: int, parted: int, counted: int) -> None:
    assert tries(turn(1, attempt, parted=parted)) == counted


def crashes(reason: str = "boom", setting: Setting = "resume") -> Crashes:
    """A conversation whose agent has ended once."""
    found = Crashes(setting)
    found.down(1, reason)
    found.cut(turn(1))
    return found


def told(crashed: Crashes, open_turn: Turn, decision: Decision = GO_ON) -> list[str]:
    steps = crashed.note(open_turn, decision)
    return [each.text for step in steps if isinstance(step, TellPeople) for each in step.deliveries]


def test_what_the_agent_says_of_its_end_counts_before_the_reason() -> None:
    found = Crashes("resume")
    found.lost(AgentLost(incarnation=1, what="pi ended, exit code 3", stderr=("no",), session=False))
    found.down(1, "AgentEnded")
    found.cut(turn(1))
    assert found.loss == Loss("pi ended, exit code 3", ("no",), session=False)
    found.down(2, "boom")  # nothing was said of this one
    found.cut(turn(1, 2))
    assert found.loss == Loss("boom")


def test_what_another_incarnation_said_is_not_its() -> None:
    found = Crashes("resume")
    found.lost(AgentLost(incarnation=1, what="pi ended"))
    found.down(2, "boom")
    found.cut(turn(1))
    assert found.loss == Loss("boom")


def test_a_crash_is_told_with_how_often_it_may_happen() -> None:
    (text,) = told(crashes(), turn(1, 2))
    assert "boom" in text
    assert f"try 2 of {MOST_ATTEMPTS}" in text
    (text,) = told(crashes(), turn(1, 2), Again())
    assert "starts over" in text


@pytest.mark.parametrize("reason", ["normal", "shutdown"])
def test_an_end_on_purpose_is_parted_once_and_nobody_is_told(reason: str) -> None:
    found = Crashes("resume")
    found.down(1, reason)
    assert found.cut(turn(1)) == [Part("t1", 1, decided=True)]
    assert found.cut(turn(1)) == []
    assert found.cut(turn(1, 2)) == [Part("t1", 2, decided=True)]
    assert told(found, turn(1, 2, parted=1)) == []
    assert found.over(turn(1, 2, parted=1), Outcome.DONE) == ()


def test_a_crash_is_not_parted() -> None:
    assert crashes().cut(turn(1)) == []
    assert crashes("noproc").cut(turn(1)) == []
    assert Crashes("resume").cut(turn(1)) == []


def test_the_end_of_an_agent_that_did_not_work_on_it_asks_nobody() -> None:
    found = Crashes("ask")
    found.down(1, "boom")
    assert found.fate(AT_WORK) is Fate.GO_ON
    assert told(found, turn(1, 2, parted=1)) == []


def test_a_crash_stays_to_be_decided_though_its_successor_was_ended_on_purpose() -> None:
    found = crashes()
    found.down(2, "shutdown")
    assert found.cut(turn(1, 2)) == [Part("t1", 2, decided=False)]
    assert found.fate(AT_WORK) is Fate.ASK
    found.note(turn(1, 3, parted=1), GO_ON)
    found.down(3, "shutdown")
    assert found.cut(turn(1, 3, parted=1)) == [Part("t1", 3, decided=True)]
    assert found.fate(AT_WORK) is Fate.GO_ON
    assert found.loss == Loss("boom")


@pytest.mark.parametrize(
    ("attempt", "parted", "decided", "failure", "what"),
    [
        (1, 0, False, "", trouble.SERVICE_ENDED),
        (1, 0, False, "Boom", "Boom"),
        (2, 1, False, "", trouble.SERVICE_ENDED),
        (1, 1, True, "", None),
        (2, 1, True, "", None),  # it had gone on after the crash when somebody restarted it
    ],
)
def test_a_new_conversation_reads_it_off_the_rows(
    attempt: int, parted: int, decided: bool, failure: str, what: str | None
) -> None:
    found = Crashes("ask")
    found.found(turn(1, attempt, parted=parted, decided=decided), failure)
    assert found.fate(GO_ON) is (Fate.GO_ON if what is None else Fate.ASK)
    texts = told(found, turn(1, attempt + 1, parted=parted))
    assert [what in text for text in texts if what is not None] == [True] * (what is not None)
    assert bool(texts) == (what is not None)


def over(crashed: Crashes, attempt: int, outcome: Outcome = Outcome.DONE) -> list[str]:
    return [each.text for each in crashed.over(turn(1, attempt), outcome)]


def test_the_note_says_in_the_end_what_came_of_it() -> None:
    found = crashes()
    assert over(found, 2) == []  # there is no note
    found.note(turn(1, 2), GO_ON)
    assert over(found, 2) == ["This was cut off once and went on: boom."]
    assert over(found, 3, Outcome.STOPPED) == ["This was cut off 2 times: boom."]


def test_a_new_conversation_takes_a_note_to_be_there_after_two_crashes() -> None:
    found = Crashes("resume")
    found.found(turn(1, 1), "")
    assert over(found, 2) == []
    assert over(found, 3) == [f"This was cut off 2 times and went on: {trouble.SERVICE_ENDED}."]


def test_the_next_turn_has_crashes_of_its_own() -> None:
    found = crashes()
    found.note(turn(1, 2), GO_ON)
    found.forget()
    assert found.over(turn(2), Outcome.DONE) == ()
    assert found.fate(AT_WORK) is Fate.GO_ON
