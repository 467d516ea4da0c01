"""Whoever began a sub-agent hears of its end once: as the answer of a tool, as a message of its room, in a prompt."""

from typing import Any

import pytest

from actors.messages import (
    AnswerCommand,
    AwaitReport,
    BeginTurn,
    EndTurn,
    GrantSlot,
    Outcome,
    Queued,
    RequestStop,
    ReturnReports,
    StopSubagents,
    Subagent,
    SubagentState,
    TellReport,
    Trace,
    UnfinishedRooms,
)
from actors.rooms.line import groups
from actors.store.errors import Conflict
from tests.actors.store.books import Books


@pytest.fixture
def shop(books: Books) -> Books:
    """A room whose turn `t` is on."""
    books.begin("t", books.say())
    return books


def reports(books: Books) -> list[str]:
    """The reports that wait in the room."""
    return [each.text for each in books.work().queue if each.text != "hi"]


def ears(books: Books, slug: str) -> tuple[bool, bool, bool]:
    """Whether it is awaited, told and heard."""
    found = books.subagent(slug)
    return found.awaited, found.told, found.heard


def told(books: Books, slug: str, turn: str = "t", call: str = "c1") -> Subagent:
    return books.do(TellReport(slug=slug, turn=turn, call=call))


def returned(books: Books, *heard: str, parent: str | None = None, turn: str = "t") -> tuple[str, ...]:
    request = ReturnReports(room="shop", parent=parent, turn=turn, heard=heard)
    reply = books.do(request)
    assert books.twice(request) == reply
    return reply


def end(books: Books, turn: str = "t", outcome: Outcome = Outcome.DONE, **changes: Any) -> None:
    books.do(EndTurn(slug="shop", turn=turn, outcome=outcome, answer="", leaf="l", deliveries=(), **changes))


AWAITED, TOLD, HEARD, UNHEARD = (True, False, False), (False, True, False), (False, False, True), (False, False, False)
TOLD_AND_HEARD = (False, True, True)


# --- one that nobody waits for


def test_it_comes_as_a_message_that_waits_for_the_end_of_the_turn(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.now = 1010.0
    shop.finish("alpha")
    assert ears(shop, "alpha") == HEARD
    (row,) = shop.work().queue
    assert row == Queued(
        id=row.id,
        person=0,
        name="sub-agent alpha",
        text="alpha is done",
        at=1010.0,
        message_id=None,
        command=None,
        attempts=0,
        accepted_at=1010.0,
        burst="reports:shop",
        mode="follow_up",
    )
    end(shop)
    assert [each.slug for each in shop.do(UnfinishedRooms())] == ["shop"]
    assert reports(shop) == ["alpha is done"]


def test_several_that_come_together_are_one_turn(shop: Books) -> None:
    for task in ("alpha", "beta", "gamma"):
        shop.at_work(task, turn="t")
    shop.finish("beta")
    shop.finish("alpha")
    shop.say("and now?", capacity=1)
    shop.finish("gamma")
    assert [[each.text for each in group] for group in groups(shop.work().queue)] == [
        ["beta is done", "alpha is done"],
        ["and now?"],
        ["gamma is done"],
    ]


def test_however_it_ended(shop: Books) -> None:
    slug = shop.spawn("alpha", turn="t").slug
    shop.finish(slug, outcome=SubagentState.CANCELLED, report="alpha was cancelled")
    assert reports(shop) == ["alpha was cancelled"]


def test_its_room_may_have_been_quiet_for_long(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    end(shop)
    shop.finish("alpha")
    assert reports(shop) == ["alpha is done"]


def test_it_is_known_by_its_key(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.finish("alpha")
    assert [hop.what for hop in shop.do(Trace(message="subagent:alpha"))] == ["written", "accepted"]


def test_of_a_persons_only_people_hear(shop: Books) -> None:
    said = shop.say("/spawn look", command="spawn")
    shop.spawn("look", by=said.inbound)
    shop.do(AwaitReport(slug="look"))
    shop.finish("look")
    assert ears(shop, told(shop, "look").slug) == UNHEARD
    assert returned(shop) == ()
    end(shop)
    assert (reports(shop), ears(shop, "look")) == ([], UNHEARD)


# --- one that a call of the room's agent waits for


def test_it_is_told_by_a_call_and_heard_when_the_turn_ends(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    assert ears(shop, "alpha") == AWAITED
    assert told(shop, "alpha").told
    assert ears(shop, "alpha") == TOLD
    end(shop)
    assert (reports(shop), ears(shop, "alpha")) == ([], TOLD_AND_HEARD)


def test_one_that_was_begun_without_waiting_may_be_waited_for_later(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.twice(AwaitReport(slug="alpha"))
    shop.finish("alpha")
    assert (reports(shop), ears(shop, "alpha")) == ([], AWAITED)


def test_one_that_has_ended_is_waited_for_no_more(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.finish("alpha")
    assert not shop.do(AwaitReport(slug="alpha")).awaited
    assert (reports(shop), ears(shop, "alpha")) == (["alpha is done"], HEARD)


def test_nobody_waits_while_no_turn_is_on(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    end(shop)
    assert not shop.do(AwaitReport(slug="alpha")).awaited
    shop.finish("alpha")
    assert reports(shop) == ["alpha is done"]


def test_a_turn_that_ends_first_waits_no_more(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.at_work("beta", turn="t", wait=True)
    shop.finish("alpha")
    end(shop)
    assert (reports(shop), ears(shop, "alpha"), ears(shop, "beta")) == (["alpha is done"], HEARD, UNHEARD)
    shop.finish("beta")
    assert reports(shop) == ["alpha is done", "beta is done"]
    assert shop.subagent("beta").stop is None


def test_a_turn_that_is_stopped_stops_those_that_it_waited_for(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.at_work("below", parent="alpha", turn="alpha/1")
    shop.at_work("beta", turn="t")
    end(shop, outcome=Outcome.STOPPED)
    assert [shop.subagent(slug).stop for slug in ("alpha", "below", "beta")] == ["cancelled", "cancelled", None]
    shop.finish("below")
    shop.finish("alpha", outcome=SubagentState.CANCELLED)
    assert (reports(shop), shop.subagent("alpha").heard) == ([], True)  # the agent was told to rest
    shop.finish("beta")
    assert reports(shop) == ["beta is done"]


@pytest.mark.parametrize("beside", [True, False])
def test_what_was_told_beside_a_question_that_was_cut_off_was_not_heard(shop: Books, beside: bool) -> None:
    """pi has written down neither result then."""
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    if beside:
        shop.ask("t", "Yes", "No")
    shop.now += 1.0
    shop.do(TellReport(slug="alpha", turn="t", call="c1"))
    if not beside:
        shop.now += 1.0
        shop.ask("t", "Yes", "No")
    end(shop, outcome=Outcome.WAITING)
    assert reports(shop) == (["alpha is done"] if beside else [])
    assert shop.subagent("alpha").heard


def test_those_that_are_stopped_with_their_room_report_to_people_only(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.at_work("beta", turn="t")
    shop.do(StopSubagents(slug="beta"))
    shop.do(StopSubagents(room="shop"))
    shop.finish("alpha", outcome=SubagentState.CANCELLED)
    shop.finish("beta", outcome=SubagentState.CANCELLED)
    assert reports(shop) == []
    shop.at_work("gamma", turn="t")
    shop.do(StopSubagents(slug="gamma"))  # this one alone: whoever began it has to know
    shop.finish("gamma", outcome=SubagentState.CANCELLED)
    assert reports(shop) == ["gamma is done"]


@pytest.mark.parametrize("how", ["command", "hold"])
def test_what_a_stopped_turn_had_not_heard_is_held_with_the_rest(shop: Books, how: str) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    command = shop.say("/stop", command="stop").inbound if how == "command" else shop.say("/run", command="run").inbound
    end(shop, outcome=Outcome.STOPPED, hold=how == "hold")
    assert ([each.text for each in shop.work().held], reports(shop)) == (["alpha is done"], [])
    shop.at_work("beta")
    shop.finish("beta")  # it belongs to what is held
    assert reports(shop) == []
    shop.do(AnswerCommand(slug="shop", inbound=command, deliveries=()))
    word = shop.say("/run", command="run").inbound
    shop.do(AnswerCommand(slug="shop", inbound=word, deliveries=(), held="run"))
    assert reports(shop) == ["alpha is done", "beta is done"]


def test_an_end_that_is_repeated_settles_nothing_more(shop: Books) -> None:
    end(shop)
    shop.begin("t2", shop.say())
    shop.at_work("alpha", turn="t2", wait=True)
    shop.finish("alpha")
    end(shop)
    assert ears(shop, "alpha") == AWAITED


# --- who may tell


def test_what_has_not_ended_cannot_be_told(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    with pytest.raises(Conflict, match="alpha has not ended"):
        told(shop, "alpha")


def test_the_first_call_has_it(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    shop.twice(TellReport(slug="alpha", turn="t", call="c1"))
    told(shop, "alpha", call="c2")
    assert returned(shop, "c1") == ()
    assert ears(shop, "alpha") == TOLD_AND_HEARD


def test_a_message_that_waits_goes_away_when_a_call_asks_for_it(shop: Books) -> None:
    for task in ("alpha", "beta"):
        shop.at_work(task, turn="t")
        shop.finish(task)
    shop.twice(TellReport(slug="alpha", turn="t", call="c1"))
    assert (reports(shop), ears(shop, "alpha")) == (["beta is done"], TOLD)
    shop.do(RequestStop(slug="shop", hold=True))
    told(shop, "beta")
    assert (shop.work().held, ears(shop, "beta")) == ((), TOLD)
    assert returned(shop, "c0") == ("alpha", "beta")  # neither call has been answered
    assert (reports(shop), ears(shop, "beta")) == (["alpha is done", "beta is done"], HEARD)
    told(shop, "alpha", call="c2")
    end(shop)
    assert (reports(shop), ears(shop, "alpha")) == (["beta is done"], TOLD_AND_HEARD)


def test_a_message_that_has_begun_a_turn_stays(shop: Books) -> None:
    shop.at_work("alpha", turn="t")
    shop.finish("alpha")
    end(shop)
    (row,) = shop.work().queue
    shop.do(BeginTurn(slug="shop", turn="t2", attempt=1, inbounds=(row.id,), leaf_before=None))
    told(shop, "alpha", turn="t2")
    assert ears(shop, "alpha") == HEARD
    assert [each.text for each in shop.work().turn.inbounds] == ["alpha is done"]  # type: ignore[union-attr]  # it is on
    assert returned(shop, turn="t2") == ()


@pytest.mark.parametrize("turn", ["t0", "beta/1"])
def test_a_turn_that_is_not_on_and_somebody_elses_run_have_told_nobody(shop: Books, turn: str) -> None:
    shop.at_work("beta", turn="t")
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    told(shop, "alpha", turn)
    assert ears(shop, "alpha") == AWAITED
    end(shop)
    assert reports(shop) == ["alpha is done"]


def test_who_is_late_tells_what_was_heard_already(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    end(shop)
    told(shop, "alpha")
    assert (reports(shop), ears(shop, "alpha")) == (["alpha is done"], HEARD)


# --- a turn that was cut off, and goes on


def test_it_counts_as_heard_if_the_session_says_so(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    told(shop, "alpha", call="c7")
    assert returned(shop, "c6", "c7") == ()
    assert (reports(shop), ears(shop, "alpha")) == ([], TOLD_AND_HEARD)
    assert returned(shop) == ()  # what was seen once is there for good
    end(shop)
    assert (reports(shop), ears(shop, "alpha")) == ([], TOLD_AND_HEARD)


def test_what_the_session_does_not_have_comes_as_a_message(shop: Books) -> None:
    shop.at_work("alpha", turn="t", wait=True)
    shop.finish("alpha")
    told(shop, "alpha", call="c7")
    assert returned(shop, "c6") == ("alpha",)
    assert (reports(shop), ears(shop, "alpha")) == (["alpha is done"], HEARD)
    shop.do(BeginTurn(slug="shop", turn="t", attempt=2, inbounds=(1,), leaf_before=None))
    end(shop)
    assert reports(shop) == ["alpha is done"]


def test_what_a_call_awaited_that_is_gone(shop: Books) -> None:
    for task in ("alpha", "beta", "gamma"):
        shop.at_work(task, turn="t", wait=task != "gamma")
    shop.finish("alpha")
    assert returned(shop) == ("alpha", "beta", "gamma")
    assert (reports(shop), ears(shop, "alpha"), ears(shop, "beta")) == (["alpha is done"], HEARD, UNHEARD)
    shop.finish("beta")
    shop.finish("gamma")
    assert reports(shop) == ["alpha is done", "beta is done", "gamma is done"]


def test_a_turn_that_is_over_returns_nothing(shop: Books) -> None:
    end(shop)
    shop.begin("t2", shop.say())
    shop.at_work("alpha", turn="t2", wait=True)
    shop.at_work("beta", turn="t2", wait=True)
    shop.finish("alpha")
    told(shop, "alpha", "t2")
    assert returned(shop) == ("beta",)
    assert (ears(shop, "alpha"), ears(shop, "beta")) == (TOLD, AWAITED)


# --- a parent that is a sub-agent


@pytest.fixture
def parent(shop: Books) -> Books:
    """`parent` is in its first run, which has begun `child` and waits for it, and `other`."""
    shop.at_work("parent", turn="t")
    shop.at_work("child", parent="parent", turn="parent/1", wait=True)
    shop.at_work("other", parent="parent", turn="parent/1")
    return shop


def test_it_looks_for_reports_by_itself(parent: Books) -> None:
    parent.finish("child")
    parent.finish("other")
    assert (reports(parent), ears(parent, "child"), ears(parent, "other")) == ([], AWAITED, UNHEARD)
    assert parent.subagent("parent").waiting
    parent.do(GrantSlot(slug="parent"))
    told(parent, "child", "parent/1")
    assert (ears(parent, "child"), ears(parent, "other")) == (TOLD, UNHEARD)
    parent.run("parent", 2, "other")
    assert (ears(parent, "child"), ears(parent, "other")) == (TOLD_AND_HEARD, HEARD)
    assert reports(parent) == []


def test_waiting_later_gives_up_its_slot(parent: Books) -> None:
    parent.do(GrantSlot(slug="parent"))
    parent.finish("child")
    parent.do(GrantSlot(slug="parent"))
    parent.do(AwaitReport(slug="other"))
    assert (ears(parent, "other"), parent.subagent("parent").waiting) == (AWAITED, True)


def test_a_new_run_awaits_nobody_of_the_one_before(parent: Books) -> None:
    parent.run("parent", 2, "child")  # which has not ended, so nothing was heard of it
    assert ears(parent, "child") == UNHEARD
    parent.finish("child")
    told(parent, "child", "parent/1")
    assert ears(parent, "child") == UNHEARD
    parent.run("parent", 3, "child", "nobody")
    assert ears(parent, "child") == HEARD


def test_a_new_prompt_is_heard_for_those_that_it_tells_of(parent: Books) -> None:
    parent.finish("child")
    parent.finish("other")
    parent.run("parent", 2, "other")
    assert (ears(parent, "child"), ears(parent, "other")) == (UNHEARD, HEARD)


def test_another_attempt_of_the_same_run_settles_nothing_by_itself(parent: Books) -> None:
    parent.finish("child")
    told(parent, "child", "parent/1")
    parent.run("parent", 1, "other", attempt=2)
    assert (ears(parent, "child"), ears(parent, "other")) == (TOLD, UNHEARD)


@pytest.mark.parametrize("call", ["c1", "c2"])
def test_a_run_that_was_cut_off(parent: Books, call: str) -> None:
    parent.finish("child")
    told(parent, "child", "parent/1", "c1")
    assert returned(parent, call, parent="parent", turn="parent/1") == (
        ("other",) if call == "c1" else ("child", "other")
    )
    assert ears(parent, "child") == (TOLD_AND_HEARD if call == "c1" else UNHEARD)
    assert reports(parent) == []


def test_a_run_that_was_cut_off_while_a_call_waited(parent: Books) -> None:
    assert returned(parent, parent="parent", turn="parent/1") == ("child", "other")
    assert ears(parent, "child") == UNHEARD


def test_its_end_settles_what_it_was_told(parent: Books) -> None:
    parent.finish("child")
    told(parent, "child", "parent/1")
    parent.do(AwaitReport(slug="other"))
    parent.finish("parent")
    assert (ears(parent, "child"), ears(parent, "other")) == (TOLD_AND_HEARD, UNHEARD)
    parent.finish("other")  # and nobody hears of it
    told(parent, "other", "parent/1")
    assert (reports(parent), ears(parent, "other")) == (["parent is done"], UNHEARD)


def test_the_turn_of_the_room_is_not_its_affair(parent: Books) -> None:
    parent.finish("child")
    end(parent)
    assert ears(parent, "child") == AWAITED
