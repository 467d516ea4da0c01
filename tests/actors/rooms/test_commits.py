"""Steps as requests to the store."""

import pytest

from actors.messages import (
    Binding,
    DeliveryKind,
    Hop,
    Outcome,
    QuestionAsked,
    QuestionState,
    Recalled,
    ReturnReports,
    RoomSettings,
)
from actors.rooms import commits, ends, words
from actors.rooms.steps import Answer, Begin, Close, End, Open
from tests.actors.rooms.rows import called, command, question, result, turn


def test_a_turn_begins_with_where_the_session_stands() -> None:
    begin = commits.begin("shop", Begin("t1", 2, (1, 2), "leaf1", 0.25))
    assert (begin.slug, begin.turn, begin.attempt, begin.inbounds) == ("shop", "t1", 2, (1, 2))
    assert (begin.leaf_before, begin.cost_before) == ("leaf1", 0.25)


def test_only_an_answer_says_what_it_took() -> None:
    ending = ends.settled("t1", "hel", "length")
    end = commits.end("shop", ends.end(turn(1), ending, "leaf2", (3,), 0.5, 2), 42.0)
    assert (end.outcome, end.answer, end.leaf, end.returned, end.cost) == (Outcome.DONE, "hel", "leaf2", (3,), 0.5)
    assert [(each.kind, each.footer) for each in end.deliveries] == [
        (DeliveryKind.ANSWER, words.footer(42.0, 0.5, 2)),
        (DeliveryKind.NOTE, ""),
    ]


def test_an_end_without_deliveries_has_none() -> None:
    end = End("t1", Outcome.DONE, "", None, (), hold=True)
    hops = (Hop(at=1.0, what="prompted", where="agent", id="t1"),)
    ended = commits.end("shop", end, 1.0, hops)
    assert (ended.hold, ended.hops) == (True, hops)
    assert commits.end("shop", end, 1.0).deliveries == ()


def test_a_command_ends_with_all_that_it_changes() -> None:
    binding, settings = Binding(project="till", workspace="/src/till"), RoomSettings(verbose=2)
    step = Answer(command(9, "x"), (ends.note("done"),), binding=binding, settings=settings, drop=3, retry="t2")
    done = commits.answer("shop", step._replace(held="run"), "shop-2")
    assert done.held == "run"
    assert (done.inbound, done.deliveries, done.new_session) == (9, step.deliveries, "shop-2")
    assert (done.binding, done.settings, done.drop, done.retry) == (binding, settings, 3, "t2")


@pytest.mark.parametrize(("timeout", "expires"), [(30.0, 1030.0), (None, 1000.0 + commits.QUESTION_TIMEOUT)])
def test_a_question_has_an_end(timeout: float | None, expires: float) -> None:
    asked = QuestionAsked(
        turn="t1", incarnation=1, dialog="d", method="confirm", title="?", text="", options=(), timeout=timeout
    )
    request = commits.open_question("shop", Open(asked, 101), 1000.0)
    assert (request.expires_at, request.options) == (expires, words.YES_NO)
    assert request.delivery == words.question(asked, 101)


def test_a_question_is_closed() -> None:
    told = (ends.note("over"),)
    request = commits.close_question("shop", Close(question(7), QuestionState.EXPIRED, told))
    assert (request.question, request.state, request.deliveries) == (7, QuestionState.EXPIRED, told)


def test_the_reports_that_a_cut_off_turn_has_heard_are_those_that_its_session_holds() -> None:
    entries = (called("spawn_subagent", id="a"), result("a"), called("check_subagent", id="b"))
    recalled = Recalled(turn="t1", incarnation=1, entries=entries, leaf="r")
    assert commits.reports("shop", recalled) == ReturnReports(room="shop", parent=None, turn="t1", heard=("a",))
