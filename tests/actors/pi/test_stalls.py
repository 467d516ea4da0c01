"""How long an agent may be silent in what it does, and what follows in which order."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pi.activity import Doing
from actors.pi.stalls import SILENT, AskPi, EndRun, GiveUp, Limit, Patience, Stalls, Step, Tell, patience

PATIENCE = Patience()
ENDED = {
    Doing.THINKING: PATIENCE.model,
    Doing.ANSWERING: PATIENCE.answer,
    Doing.RETRYING: PATIENCE.retry,
    Doing.COMPACTING: PATIENCE.compaction,
    Doing.BETWEEN: PATIENCE.between,
}


def watched(
    doing: Doing, seconds: int, *, answers: bool = True, moves: int | None = None, tool: str = "bash"
) -> list[tuple[int, Step]]:
    """What follows second by second from a silence that begins at 0; `moves`: every so many seconds it gets on."""
    stalls, moved, told = Stalls(PATIENCE, 0.0), 0.0, []
    for now in range(seconds + 1):
        if moves is not None and now % moves == 0:
            moved = float(now)
        for step in stalls.look(doing, tool, moved, float(now)):
            told.append((now, step))
            if isinstance(step, AskPi) and answers:
                stalls.answered(float(now))
    return told


def acts(told: list[tuple[int, Step]]) -> list[tuple[int, Step]]:
    return [(now, step) for now, step in told if not isinstance(step, AskPi)]


@pytest.mark.parametrize("doing", ENDED)
def test_people_are_told_and_later_the_run_is_ended_once(doing: Doing) -> None:
    limit = ENDED[doing]
    assert limit.end is not None
    (first, noticed), (ended, ending), (end, run) = acts(watched(doing, 5000))
    assert (first, ended, end) == (limit.tell, limit.end, limit.end)
    assert isinstance(noticed, Tell)
    assert isinstance(ending, Tell)
    assert isinstance(run, EndRun)
    assert ending.text.endswith("; ending the run")
    assert run.why.endswith(", so the run was ended")


def test_the_words_name_what_is_waited_for_and_how_long() -> None:
    said = {}
    for doing in ENDED:
        (_, first), *_ = acts(watched(doing, 600))
        assert isinstance(first, Tell)
        said[doing] = first.text
    assert said == {
        Doing.THINKING: "no word from the model for 5 min",
        Doing.ANSWERING: "the model's answer has not gone on for 5 min",
        Doing.RETRYING: "the model has not been tried again for 1 min",
        Doing.COMPACTING: "the summary of the session has not come for 5 min",
        Doing.BETWEEN: "pi has not gone on for 2 min",
    }
    ended = [step for _, step in watched(Doing.THINKING, 700) if isinstance(step, EndRun)]
    assert ended == [EndRun("no word from the model for 10 min, so the run was ended")]


def test_a_silent_tool_is_told_of_ever_more_rarely_and_never_ended() -> None:
    assert acts(watched(Doing.TOOL, 86_400)) == [
        (minutes * 60, Tell(f"bash has said nothing for {words}; /stop ends the turn"))
        for minutes, words in [
            *((10, "10 min"), (20, "20 min"), (40, "40 min"), (80, "1 h 20 min"), (160, "2 h 40 min")),
            *((320, "5 h 20 min"), (640, "10 h 40 min"), (1280, "21 h 20 min")),
        ]
    ]


@pytest.mark.parametrize("doing", [Doing.TOOL, *ENDED])
def test_what_gets_on_now_and_then_is_left_alone(doing: Doing) -> None:
    assert watched(doing, 20_000, moves=50, answers=False) == []


@pytest.mark.parametrize("doing", [Doing.PERSON, Doing.IDLE])
def test_who_waits_for_a_person_or_is_done_is_never_late(doing: Doing) -> None:
    assert watched(doing, 100_000, answers=False) == []


def test_a_persons_time_is_nobody_elses() -> None:
    stalls = Stalls(PATIENCE, 0.0)
    assert stalls.look(Doing.TOOL, "x", 1.0, 5.0) == []
    assert stalls.look(Doing.PERSON, "x", 1.0, 9000.0) == []
    assert stalls.silence(1.0, 9000.0) == 0.0
    assert stalls.look(Doing.TOOL, "x", 1.0, 9001.0) == []
    assert stalls.look(Doing.TOOL, "x", 1.0, 9000.0 + PATIENCE.ask) == [AskPi()]
    assert stalls.look(Doing.IDLE, "", 1.0, 20_000.0) == []
    assert stalls.look(Doing.THINKING, "", 1.0, 20_001.0) == []


@pytest.mark.parametrize(
    ("doing", "bound"), [(Doing.THINKING, 30.0), (Doing.BETWEEN, 30.0), (Doing.COMPACTING, 30.0), (Doing.TOOL, 300.0)]
)
def test_a_pi_that_gives_no_sign_is_given_up(doing: Doing, bound: float) -> None:
    told = watched(doing, 3000, answers=False)
    ends = PATIENCE.ask + bound
    assert told == [(PATIENCE.ask, AskPi()), (ends, Tell(SILENT)), (ends, GiveUp(bound))]


def test_it_is_asked_again_as_long_as_it_is_silent() -> None:
    asked = [now for now, step in watched(Doing.TOOL, 400) if isinstance(step, AskPi)]
    assert asked == [60, 120, 180, 240, 300, 360]


def test_a_sign_of_work_is_an_answer() -> None:
    stalls = Stalls(PATIENCE, 0.0)
    assert stalls.look(Doing.THINKING, "", 0.0, 60.0) == [AskPi()]
    assert stalls.look(Doing.ANSWERING, "", 80.0, 95.0) == []
    assert stalls.look(Doing.ANSWERING, "", 80.0, 139.0) == []
    assert stalls.look(Doing.ANSWERING, "", 80.0, 140.0) == [AskPi()]


def test_what_was_not_heard_because_nobody_listened_does_not_count() -> None:
    stalls = Stalls(PATIENCE, 0.0)
    assert stalls.look(Doing.THINKING, "", 0.0, 60.0) == [AskPi()]
    for now in count(61):
        stalls.rest(float(now))
        if now > 5000:
            break
    assert stalls.look(Doing.THINKING, "", 0.0, 5002.0) == []


def test_a_retry_is_waited_for_before_its_patience_begins() -> None:
    stalls = Stalls(PATIENCE, 0.0)
    due = 400.0
    assert stalls.look(Doing.RETRYING, "", due, 10.0) == []
    assert stalls.look(Doing.RETRYING, "", due, due + 59.0) == []
    assert Tell("the model has not been tried again for 1 min") in stalls.look(Doing.RETRYING, "", due, due + 60.0)


def test_ours_comes_behind_pis_own_patience_with_a_provider() -> None:
    assert patience(120.0) == PATIENCE
    slow = patience(1800.0)
    assert slow.model == slow.answer == Limit(1860.0, 2280.0)
    assert patience(5.0).model == Limit(300.0, 485.0)
    assert (slow.tool, slow.between) == (PATIENCE.tool, PATIENCE.between)


@given(st.lists(st.tuples(st.sampled_from(list(Doing)), st.floats(0, 900), st.booleans(), st.booleans()), max_size=60))
def test_whatever_comes_nothing_is_ended_twice_or_without_a_word(
    looks: list[tuple[Doing, float, bool, bool]],
) -> None:
    stalls, now, moved = Stalls(PATIENCE, 0.0), 0.0, 0.0
    for doing, passes, moves, answers in looks:
        now += passes
        if moves:
            moved = now
        steps = stalls.look(doing, "bash", moved, now)
        if doing in (Doing.PERSON, Doing.IDLE) or stalls.silence(moved, now) < min(PATIENCE.ask, PATIENCE.retry.tell):
            assert steps == []
        for number, step in enumerate(steps):
            if isinstance(step, EndRun | GiveUp):
                assert isinstance(steps[number - 1], Tell)
                assert step == steps[-1]
            if isinstance(step, AskPi) and answers:
                stalls.answered(now)
        again = stalls.look(doing, "bash", moved, now)
        assert not any(isinstance(step, EndRun | GiveUp) for step in again) or not any(
            isinstance(step, EndRun | GiveUp) for step in steps
        )
