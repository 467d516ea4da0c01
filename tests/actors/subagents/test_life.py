"""The life of a sub-agent, story by story; random days of it are in `tests/machines`."""

from typing import Any

import msgspec
import pytest

from actors import resume
from actors.messages import AgentLost, PromptRefused, Subagent, SubagentState
from actors.resume import RESUME_NOTE
from actors.subagents.life import MOST_ATTEMPTS, MOST_PARTED, Life
from actors.subagents.steps import (
    Begin,
    Collect,
    CommitWait,
    End,
    EndAgent,
    Phase,
    Prepare,
    Pull,
    SendAbort,
    SendContinue,
    SendPrompt,
    SendRecall,
    StopChildren,
    TimeOut,
)
from tests.actors.subagents.household import called, result, said, user
from tests.actors.subagents.playbook import ME, begun, greeting, kinds, prepared, recalled, running, settled, stopped
from tests.actors.subagents.rows import PREPARING, changes, sub

CANCELLED, COMPLETED, FAILED = SubagentState.CANCELLED, SubagentState.COMPLETED, SubagentState.FAILED
TIMED_OUT, LOST = SubagentState.TIMED_OUT, SubagentState.LOST
TURN = f"{ME}/1"


def row(life: Life, **changes: object) -> Subagent:
    """Its row as it knows it, changed."""
    assert life.sub is not None
    return msgspec.structs.replace(life.sub, **changes)


def end_of(life: Life) -> End:
    """Lead it from its decision to end to its report."""
    if life.phase is Phase.CHILDREN:
        assert life.sub is not None
        assert life.children_stopped(life.sub, ()) == [EndAgent()]
    assert life.phase is Phase.CLOSING
    assert life.agent_ended() == [Collect()]
    (end,) = life.collected(None)
    assert isinstance(end, End)
    return end


# --- a plain life


def test_from_its_place_to_its_report() -> None:
    life, queued = Life(), sub(ME, PREPARING)
    assert life.pulled(queued, ()) == [Prepare(begun=False)]
    homes = [life.has_home]
    assert life.prepared("clone", ("big.bin left out.",)) == []
    homes.append(life.has_home)
    assert life.agent_ready(greeting(leaf="e0")) == [Pull()]
    (begin,) = life.pulled(queued, ())
    assert isinstance(begin, Begin)
    assert (begin.run, begin.attempt, begin.leaf) == (1, 1, "e0")
    assert "big.bin left out." in begin.prompt
    pauses = [life.pausing]
    assert life.began(begun(begin)) == [SendPrompt(TURN, begin.prompt)]
    pauses.append(life.pausing)
    assert life.settled(settled("done", cost=0.5)) == [Pull()]
    pauses.append(life.pausing)
    assert life.pulled(row(life), ()) == [EndAgent()]
    assert [*homes, life.has_home] == [False, True, False]
    assert pauses == [True, False, True]
    assert life.agent_ended() == [Collect()]
    made = changes("/r")
    assert life.collected(made) == [End(COMPLETED, "done", "", made, 0.5)]
    life.ended()
    assert life.phase is Phase.ENDED
    assert life.pulled(row(life, state=COMPLETED), ()) == []


def test_facts_that_come_again_or_too_late_change_nothing() -> None:
    life = running()
    assert life.prepared("copy", ()) == []
    assert life.impossible("no") == []
    assert life.gone() == []
    assert life.agent_ended() == []
    assert life.collected(None) == []
    assert life.began(row(life)) == []
    assert life.recalled(recalled()) == []
    assert life.settled(settled(run=2)) == []
    assert life.settled(settled(incarnation=7)) == []
    assert life.too_long(f"{ME}/2") == []
    assert life.agent_down(0, "noproc") == []
    assert life.phase is Phase.RUNNING


def test_one_that_somebody_else_has_ended_does_nothing_more() -> None:
    life = running()
    assert life.pulled(row(life, state=LOST), ()) == []
    assert life.phase is Phase.ENDED
    assert life.settled(settled()) == []
    assert life.agent_ready(greeting(9)) == []
    assert Life().pulled(None, ()) == []


def test_a_long_answer_is_complete_and_says_that_it_was_cut() -> None:
    life = running()
    life.settled(settled("so far", "length"))
    life.pulled(row(life), ())
    end = end_of(life)
    assert (end.outcome, end.text) == (COMPLETED, "so far")
    assert "length limit" in end.error


# --- what cannot be


@pytest.mark.parametrize(
    ("fact", "outcome", "error"),
    [
        (lambda life: life.impossible("it has submodules"), FAILED, "It has submodules."),
        (lambda life: life.gone(), LOST, "Its workspace is gone, with all that it had done."),
    ],
)
def test_without_a_workspace_it_ends(fact: object, outcome: SubagentState, error: str) -> None:
    life = Life()
    life.pulled(sub(ME, PREPARING), ())
    assert callable(fact)
    assert fact(life) == [StopChildren()]
    assert end_of(life) == End(outcome, "", error, None, 0.0)


def test_an_agent_with_another_model_is_given_nothing() -> None:
    life = prepared(model="huge")
    life.agent_ready(greeting())
    assert life.pulled(sub(ME, PREPARING, model="huge"), ()) == [StopChildren()]
    end = end_of(life)
    assert end.outcome is FAILED
    assert end.error.startswith("There is no model huge")


def test_an_agent_that_is_never_up_is_given_up() -> None:
    life = prepared()
    for number in range(1, MOST_ATTEMPTS):
        assert life.agent_down(number, "no bwrap here") == []
    life.agent_lost(AgentLost(incarnation=MOST_ATTEMPTS, what="bubblewrap is missing."))
    assert life.agent_down(MOST_ATTEMPTS, "boom") == [StopChildren()]
    assert end_of(life).error == "Its agent could not be started: bubblewrap is missing."


def test_one_that_was_up_in_between_is_not() -> None:
    life = prepared()
    for number in range(1, 10):
        if number % 2:
            life.agent_ready(greeting(number))
        assert life.agent_down(number, "boom") == []


def test_an_orderly_end_before_it_is_up_says_nothing() -> None:
    life = prepared()
    assert [step for number in range(1, 9) for step in life.agent_down(number, "shutdown")] == []


def test_what_pi_does_not_take_is_its_end() -> None:
    life = running()
    assert life.refused(PromptRefused(turn=TURN, incarnation=1, error="no key")) == [StopChildren()]
    assert end_of(life).error == "The agent did not take its task: no key"


@pytest.mark.parametrize(
    ("stop_reason", "error", "why"),
    [
        ("error", "401", "The model could not answer: 401"),
        ("refusal", "", "The model could not answer: it stopped with 'refusal'"),
        ("aborted", "", "Its run was ended before it had finished."),
    ],
)
def test_a_run_that_fails_ends_it_with_what_was_said(stop_reason: str, error: str, why: str) -> None:
    life = running()
    assert life.settled(settled("half", stop_reason, error=error)) == [StopChildren()]
    assert end_of(life) == End(FAILED, "half", why, None, 0.0)


def test_what_cannot_be_kept_is_said() -> None:
    life = running()
    life.settled(settled())
    life.pulled(row(life), ())
    life.agent_ended()
    assert life.collected(None, "no space is left") == [End(COMPLETED, "done", "No space is left.", None, 0.0)]


# --- cut off


def again(life: Life, incarnation: int) -> list[object]:
    """Its agent is up again, and what follows once the rows have been looked at."""
    assert life.agent_ready(greeting(incarnation)) == [Pull()]
    return list(life.pulled(row(life), ()))


def test_a_run_that_was_cut_off_goes_on_from_its_session() -> None:
    life = running()
    assert life.agent_down(1, "boom") == []
    (begin,) = again(life, 2)
    assert begin == Begin(1, 2, row(life).prompt, None)
    assert life.began(row(life, attempt=2)) == [SendRecall(TURN, None)]
    session = recalled(user(), called("c1"), result("c1"), incarnation=2)
    assert life.awaits(session)
    assert life.recalled(session, ("shop-2",)) == [SendContinue(TURN, resume.delegated(RESUME_NOTE, ("shop-2",)))]
    assert not life.awaits(session)
    assert life.recalled(session) == []


def test_a_run_that_had_finished_is_not_repeated() -> None:
    life = running()
    life.agent_down(1, "boom")
    again(life, 2)
    life.began(row(life, attempt=2))
    assert kinds(life.recalled(recalled(user(), said("done"), incarnation=2))) == ["Pull"]
    assert life.pulled(row(life), ()) == [EndAgent()]
    assert end_of(life).text == "done"


def test_a_prompt_that_never_came_is_sent_again() -> None:
    life = running()
    life.agent_down(1, "boom")
    again(life, 2)
    life.began(row(life, attempt=2))
    assert kinds(life.recalled(recalled(incarnation=2))) == ["SendPrompt"]


def test_what_was_said_before_the_cut_stands_before_the_rest() -> None:
    life = running()
    life.agent_down(1, "boom")
    again(life, 2)
    life.began(row(life, attempt=2))
    life.recalled(recalled(user(), said("first"), user("more"), incarnation=2))
    life.settled(settled("second", incarnation=2))
    life.pulled(row(life), ())
    assert end_of(life).text == "first\n\nsecond"


def test_the_last_attempt_only_looks() -> None:
    life, last = running(), []
    for number in range(1, MOST_ATTEMPTS + 1):
        life.agent_lost(AgentLost(incarnation=number, what="pi ended, killed by SIGKILL"))
        life.agent_down(number, "boom")
        (begin,) = again(life, number + 1)
        assert isinstance(begin, Begin)
        assert begin.attempt == number + 1
        life.began(row(life, attempt=begin.attempt))
        last = life.recalled(recalled(user(), called("c1"), incarnation=number + 1))
    assert kinds(last) == ["StopChildren"]
    error = "Its agent ended 3 times while it worked, the last time: pi ended, killed by SIGKILL."
    assert end_of(life) == End(FAILED, "", error, None, 0.0)


def test_the_last_attempt_does_not_even_prompt_again() -> None:
    life = running()
    life.agent_down(1, "boom")
    life.pulled(row(life, attempt=MOST_ATTEMPTS), ())
    again(life, 2)
    life.began(row(life, attempt=MOST_ATTEMPTS + 1))
    assert kinds(life.recalled(recalled(incarnation=2))) == ["StopChildren"]


def test_the_word_of_an_agent_that_has_ended_comes_too_late() -> None:
    life = running()
    life.agent_down(2, "boom")
    assert life.agent_ready(greeting(2)) == []
    assert life.agent is None


def test_nothing_begins_by_rows_that_are_older_than_its_agent() -> None:
    life = Life()
    life.pulled(sub(ME, PREPARING), ())
    life.agent_ready(greeting())
    assert life.prepared("copy", ()) == []
    assert kinds(life.pulled(sub(ME, PREPARING), ())) == ["Begin"]


def test_an_answer_that_the_last_attempt_finds_counts() -> None:
    life = running()
    life.agent_down(1, "boom")
    life.pulled(row(life, attempt=3), ())
    again(life, 2)
    life.began(row(life, attempt=4))
    assert kinds(life.recalled(recalled(user(), said("done"), incarnation=2))) == ["Pull"]


def test_one_that_is_cut_off_while_it_looks_for_the_last_time_is_not_tried_again() -> None:
    life = running()
    life.agent_down(1, "boom")
    life.pulled(row(life, attempt=MOST_ATTEMPTS + 1), ())
    assert kinds(again(life, 2)) == ["StopChildren"]  # type: ignore[arg-type]  # steps, all of them


def test_ends_on_purpose_do_not_count_up_to_a_bound() -> None:
    life = running()
    attempts = []
    for number in range(1, MOST_PARTED + 3):
        life.agent_down(number, "shutdown")
        (begin,) = again(life, number + 1)
        assert isinstance(begin, Begin)
        attempts.append(begin.attempt)
        life.began(row(life, attempt=begin.attempt))
    assert attempts[:MOST_PARTED] == [1] * MOST_PARTED
    assert attempts[MOST_PARTED:] == [2, 3]


def test_another_agent_in_its_place_cuts_the_run_off() -> None:
    life = running()
    assert kinds(again(life, 2)) == ["Begin"]  # type: ignore[arg-type]
    assert life.agent_down(1, "boom") == []


def test_a_cut_before_the_commit_is_known_looks_again() -> None:
    life = prepared()
    life.agent_ready(greeting())
    (begin,) = life.pulled(sub(ME, PREPARING), ())
    assert life.agent_down(1, "boom") == []
    assert life.began(begun(begin)) == []
    assert kinds(again(life, 2)) == ["Begin"]  # type: ignore[arg-type]
    assert life.began(row(life, attempt=2)) == [SendRecall(TURN, None)]


# --- stopped


def test_a_stop_ends_a_run_by_an_abort_and_once() -> None:
    life = running()
    assert life.pulled(stopped(life), ()) == [SendAbort(TURN)]
    assert life.pulled(row(life), ()) == []
    assert life.settled(settled("half", "aborted")) == [StopChildren()]
    assert end_of(life) == End(CANCELLED, "half", "", None, 0.0)


@pytest.mark.parametrize("stop_reason", ["stop", "error"])
def test_a_stop_wins_over_what_the_run_came_to(stop_reason: str) -> None:
    life = running()
    life.pulled(stopped(life), ())
    life.settled(settled("all", stop_reason, error="busy"))
    assert end_of(life) == End(CANCELLED, "all", "", None, 0.0)


def test_a_stop_wins_until_the_report_is_made() -> None:
    life = running()
    life.settled(settled("done"))
    life.pulled(row(life), ())
    assert life.pulled(stopped(life), ()) == []
    assert end_of(life).outcome is CANCELLED


def test_a_stop_ends_what_has_not_begun() -> None:
    life = Life()
    assert life.pulled(sub(ME, PREPARING, stop=CANCELLED), ()) == [StopChildren()]
    assert end_of(life).outcome is CANCELLED
    life = prepared()
    assert life.pulled(stopped(life), ()) == [StopChildren()]


def test_a_stop_that_crosses_the_commit_is_seen_behind_it() -> None:
    life = prepared()
    life.agent_ready(greeting())
    (begin,) = life.pulled(sub(ME, PREPARING), ())
    assert life.pulled(stopped(life), ()) == []
    assert life.began(begun(begin, stop=CANCELLED)) == [StopChildren()]


def test_a_pi_that_dies_of_the_abort_does_not_keep_it_open() -> None:
    life = running()
    life.pulled(stopped(life), ())
    assert life.agent_down(1, "boom") == [StopChildren()]
    assert end_of(life).outcome is CANCELLED


def test_time_that_is_used_up_is_a_stop() -> None:
    life = running(timeout=90.0)
    assert life.too_long(TURN) == [TimeOut()]
    assert life.pulled(stopped(life, TIMED_OUT), ()) == [SendAbort(TURN)]
    assert life.too_long(TURN) == []
    life.settled(settled("half", "aborted"))
    assert end_of(life) == End(
        TIMED_OUT, "half", "It had 1 min 30 s for its work, and that was not enough.", None, 0.0
    )  # fmt: skip


# --- its own sub-agents


def child(slug: str, state: SubagentState = SubagentState.RUNNING, **changes: Any) -> Subagent:
    return sub(slug, state, parent=ME, depth=2, **changes)


def test_it_waits_for_its_children_and_hears_of_all_at_once() -> None:
    life = running()
    life.settled(settled("two are at it"))
    both = (child("a"), child("b", COMPLETED, text="blue"))
    assert life.pulled(row(life), both) == [CommitWait()]
    assert life.pulled(row(life), both) == []
    waiting = row(life, waiting=True)
    assert life.waited(waiting, both) == []
    ended = (child("a", FAILED, error="no key"), both[1])
    assert life.pulled(waiting, ended) == []  # it has no place yet
    (begin,) = life.pulled(row(life, waiting=False), ended)
    assert isinstance(begin, Begin)
    assert (begin.run, begin.attempt, begin.leaf, begin.reports) == (2, 1, "leaf1", ("a", "b"))
    assert "no key" in begin.prompt
    assert "blue" in begin.prompt
    assert life.began(begun(begin)) == [SendPrompt(f"{ME}/2", begin.prompt)]


def test_those_that_it_has_heard_of_begin_nothing() -> None:
    life = running()
    life.settled(settled())
    known = (child("a", COMPLETED, heard=True), child("b", COMPLETED, told=True))
    assert life.pulled(row(life), known) == [EndAgent()]


def test_it_needs_no_place_to_end() -> None:
    life = running()
    life.settled(settled())
    life.pulled(row(life), (child("a"),))
    assert life.waited(row(life, waiting=True), (child("a", CANCELLED, heard=True),)) == [EndAgent()]


def test_nothing_is_decided_by_rows_that_are_older_than_the_end_of_its_run() -> None:
    life = running()
    life.pulled(row(life), ())
    life.settled(settled())
    assert life.agent_down(1, "boom") == []
    assert life.pulled(row(life), (child("a"),)) == [CommitWait()]


def test_one_that_fails_ends_after_those_below_it() -> None:
    life = running()
    assert life.settled(settled("", "error", error="busy")) == [StopChildren()]
    assert life.children_stopped(row(life), (child("a", stop=CANCELLED),)) == []
    assert life.pulled(row(life), (child("a", CANCELLED),)) == [EndAgent()]


def test_who_was_cut_off_while_it_waited_goes_on_when_it_has_a_place() -> None:
    life = running()
    life.agent_down(1, "boom")
    life.agent_ready(greeting(2))
    assert life.pulled(row(life, waiting=True), ()) == []
    assert kinds(life.pulled(row(life, waiting=False), ())) == ["Begin"]


def test_an_agent_that_is_new_between_two_runs_says_where_the_session_stands() -> None:
    life = running()
    life.settled(settled())
    life.agent_down(1, "boom")
    ended = (child("a", COMPLETED),)
    assert life.pulled(row(life), ended) == []
    life.agent_ready(greeting(2, leaf="e5"))
    (begin,) = life.pulled(row(life), ended)
    assert isinstance(begin, Begin)
    assert (begin.run, begin.leaf) == (2, "e5")


def test_what_it_said_before_stays_if_it_ends_without_a_word() -> None:
    life = running()
    life.settled(settled("the answer"))
    (begin,) = life.pulled(row(life), (child("a", COMPLETED),))
    life.began(begun(begin))
    life.settled(settled("", run=2))
    life.pulled(row(life), (child("a", COMPLETED, heard=True),))
    assert end_of(life).text == "the answer"
