"""The life of a sub-agent in the store: prepared, run after run, told to stop, ended once."""

import msgspec
import pytest

from actors.messages import (
    DeliveryKind,
    GrantSlot,
    NewDelivery,
    PartRun,
    Place,
    PrepareSubagent,
    Sending,
    Sent,
    StopSubagents,
    SubagentState,
    Tell,
    Topic,
    TopicGone,
    TopicMade,
    Trace,
    WaitForChildren,
    line_key,
)
from actors.store.errors import Conflict
from tests.actors.store.books import CHANGES, HERE, Books

LINE = NewDelivery(kind=DeliveryKind.NOTE, text="done", key=line_key("alpha"))


@pytest.fixture
def family(books: Books) -> Books:
    """In turn `t` of the shop: alpha with beta with gamma, each in its first run, and delta."""
    books.begin("t", books.say())
    books.at_work("alpha", turn="t")
    books.at_work("beta", parent="alpha", turn="alpha/1")
    books.at_work("gamma", parent="beta", turn="beta/1")
    books.spawn("delta", turn="t")
    return books


def stops(books: Books) -> dict[str, SubagentState | None]:
    return {slug: books.subagent(slug).stop for slug in ("alpha", "beta", "gamma", "delta")}


# --- its runs


def test_a_queued_one_is_prepared_once(family: Books) -> None:
    family.now = 1001.0
    assert family.do(PrepareSubagent(slug="delta")).state is SubagentState.PREPARING
    family.now = 1002.0
    assert family.do(PrepareSubagent(slug="delta")).started_at == 1001.0
    assert family.do(PrepareSubagent(slug="alpha")).state is SubagentState.RUNNING


def test_a_first_attempt_notes_what_a_later_one_only_counts(family: Books) -> None:
    family.do(PrepareSubagent(slug="delta"))
    family.now = 1005.0
    begun = family.run("delta", 1)
    assert (begun.state, begun.run, begun.attempt, begun.prompt, begun.leaf) == ("running", 1, 1, "prompt 1", "e1")
    assert (begun.turn_id, begun.started_at) == ("delta/1", 1000.0)
    request = family.ending("delta")
    again = family.run("delta", 1, attempt=3)
    assert (again.attempt, again.prompt, again.leaf) == (3, "prompt 1", "e1")
    assert family.run("delta", 1, attempt=2).attempt == 3
    following = family.run("delta", 2)
    assert (following.run, following.attempt, following.prompt, following.leaf) == (2, 1, "prompt 2", "e2")
    family.do(request)


def test_runs_come_one_after_the_other(family: Books) -> None:
    for run, attempt in ((0, 1), (3, 1), (2, 0)):
        with pytest.raises(Conflict, match="after run 1 of alpha comes no run"):
            family.run("alpha", run, attempt=attempt)
    family.finish("delta")
    with pytest.raises(Conflict, match="delta has ended"):
        family.run("delta", 1)


def test_who_waits_has_no_slot_until_it_gets_one(family: Books) -> None:
    assert family.do(WaitForChildren(slug="alpha")).waiting
    assert not family.do(GrantSlot(slug="alpha")).waiting
    family.do(WaitForChildren(slug="alpha"))
    assert not family.run("alpha", 1, attempt=2).waiting  # it is cut off, and goes on
    family.finish("alpha")
    assert not family.do(WaitForChildren(slug="alpha")).waiting
    assert not family.do(GrantSlot(slug="alpha")).waiting


def test_no_slot_for_who_waits_for_one_that_it_has_just_begun(family: Books) -> None:
    family.spawn("late", parent="alpha", turn="alpha/1", wait=True)
    assert family.do(GrantSlot(slug="alpha")).waiting
    family.finish("late")
    assert not family.do(GrantSlot(slug="alpha")).waiting


# --- told to stop


def test_one_and_all_below_it_deepest_first(family: Books) -> None:
    assert family.do(StopSubagents(slug="alpha", outcome=SubagentState.TIMED_OUT)) == ("gamma", "beta", "alpha")
    assert stops(family) == {"alpha": "timed_out", "beta": "cancelled", "gamma": "cancelled", "delta": None}


def test_who_is_to_end_already_stays_so(family: Books) -> None:
    family.do(StopSubagents(slug="beta", outcome=SubagentState.TIMED_OUT))
    assert family.do(StopSubagents(slug="alpha")) == ("gamma", "beta", "alpha")
    assert stops(family) == {"alpha": "cancelled", "beta": "timed_out", "gamma": "cancelled", "delta": None}


def test_the_children_of_one(family: Books) -> None:
    assert family.do(StopSubagents(parent="alpha")) == ("gamma", "beta")
    assert stops(family) == {"alpha": None, "beta": "cancelled", "gamma": "cancelled", "delta": None}


def test_all_of_a_room(family: Books) -> None:
    family.finish("delta")
    assert family.do(StopSubagents(room="shop", outcome=SubagentState.FAILED)) == ("gamma", "beta", "alpha")
    assert set(stops(family).values()) == {SubagentState.FAILED, None}


def test_what_has_ended_stays_and_what_is_below_it_does_not(family: Books) -> None:
    family.finish("beta")
    assert family.do(StopSubagents(slug="alpha")) == ("gamma", "alpha")
    assert stops(family) == {"alpha": "cancelled", "beta": None, "gamma": "cancelled", "delta": None}


def test_nobody_is_meant_or_it_is_not_said_who(family: Books) -> None:
    assert family.do(StopSubagents(slug="nobody")) == ()
    for request in (
        StopSubagents(),
        StopSubagents(slug="alpha", room="shop"),
        StopSubagents(slug="alpha", outcome=SubagentState.RUNNING),
    ):
        with pytest.raises(Conflict, match="does not say who is to end, or how"):
            family.do(request)
    assert set(stops(family).values()) == {None}


# --- its end


def test_only_the_first_end_counts(family: Books) -> None:
    request = family.ending("alpha", deliveries=(LINE,), changes=CHANGES)
    assert family.do(request) is True
    before = family.rows()
    assert family.do(request) is False
    assert family.do(family.ending("alpha", outcome=SubagentState.LOST, deliveries=(LINE,))) is False
    assert family.rows() == before
    ended = family.subagent("alpha")
    assert (ended.state, ended.kept, ended.changes, ended.ended_at) == ("completed", "open", CHANGES, 1000.0)
    assert [each.text for each in family.due()] == ["done"]


def test_without_changes_nothing_is_to_be_decided(family: Books) -> None:
    family.finish("alpha")
    assert (family.subagent("alpha").kept, family.subagent("alpha").changes) == (None, None)


def test_a_queued_one_and_one_that_waits_may_end(family: Books) -> None:
    family.do(WaitForChildren(slug="beta"))
    family.finish("beta", outcome=SubagentState.CANCELLED)
    family.finish("delta", outcome=SubagentState.CANCELLED)
    assert (family.subagent("beta").waiting, family.subagent("delta").started_at) == (False, None)


def test_what_is_no_end(family: Books) -> None:
    with pytest.raises(Conflict, match="running is no end"):
        family.do(family.ending("alpha", outcome=SubagentState.RUNNING))
    with pytest.raises(Conflict, match="there is no sub-agent nobody"):
        family.do(family.ending("nobody"))


def test_what_no_column_holds_is_made_to_fit(family: Books) -> None:
    family.finish("alpha", text="half \ud800", report="half \ud800", error="half \ud800", log=("half \ud800",))
    ended = family.subagent("alpha")
    assert {ended.text, ended.report, ended.error, *ended.log} == {"half ?"}


# --- its way


def test_the_trace_of_a_turn_tells_of_all_that_came_of_it(family: Books) -> None:
    family.do(StopSubagents(slug="gamma"))
    family.finish("gamma", outcome=SubagentState.CANCELLED)
    steps = [
        (hop.what.removeprefix("sub-agent "), hop.id) for hop in family.do(Trace(message="t")) if hop.id == "gamma"
    ]
    assert steps == [
        ("asked for", "gamma"),
        ("prepared", "gamma"),
        ("run 1 begun (attempt 1)", "gamma"),
        ("told to stop", "gamma"),
        ("ended (cancelled)", "gamma"),
    ]


def test_the_trace_of_a_persons_command_too(books: Books) -> None:
    said = books.say("/spawn look", command="spawn")
    books.spawn("look", by=said.inbound)
    books.finish("look", deliveries=(NewDelivery(kind=DeliveryKind.ANSWER, text="looked"),))
    steps = [hop.what for hop in books.do(Trace(message=str(said.inbound)))]
    assert steps == ["written", "accepted", "sub-agent asked for", "sub-agent ended (completed)", "queued"]


def test_an_attempt_that_was_ended_on_purpose_is_marked_until_the_run_goes_on(family: Books) -> None:
    slug = "alpha"
    for run, attempt in ((1, 2), (2, 1), (0, 0)):
        family.do(PartRun(slug=slug, run=run, attempt=attempt))
        assert not family.subagent(slug).parted, "that one is not on"
    for _ in range(2):
        family.do(PartRun(slug=slug, run=1, attempt=1))
        assert (family.subagent(slug).parted, family.subagent(slug).attempt) == (True, 1)
    assert not family.run(slug, 1, attempt=1).parted
    family.do(PartRun(slug=slug, run=1, attempt=1))
    assert family.run(slug, 1, attempt=2).attempt == 2
    family.do(PartRun(slug=slug, run=1, attempt=1))
    assert not family.subagent(slug).parted
    family.finish(slug)
    family.do(PartRun(slug=slug, run=1, attempt=2))
    assert not family.subagent(slug).parted


@pytest.mark.parametrize("edited", [True, False])
def test_how_one_ended_is_a_message_of_its_own_where_nothing_can_be_edited(family: Books, edited: bool) -> None:
    began = NewDelivery(kind=DeliveryKind.NOTE, text="runs", key="subagent:delta")
    family.do(Tell(slug="shop", deliveries=(began,)))
    [first] = [each for each in family.due() if each.text == "runs"]
    family.do(Sending(ids=(first.id,), revisions=(first.revision,)))
    family.do(Sent(id=first.id, part=0, message_id=7 if edited else None, last=True))
    family.finish("delta", deliveries=(msgspec.structs.replace(began, text="completed"),))
    [last] = [each for each in family.due() if each.text == "completed"]
    assert (last.id == first.id, last.edits) == ((True, 7) if edited else (False, None))


def test_how_one_ended_whose_topic_was_deleted_is_said_in_the_next_one(family: Books) -> None:
    began = NewDelivery(kind=DeliveryKind.NOTE, text="runs", key="subagent:delta")
    family.do(Tell(slug="shop", deliveries=(began,)))
    family.send_all()
    family.do(TopicGone(place=HERE, owner=5))
    family.finish("delta", deliveries=(msgspec.structs.replace(began, text="completed"),))
    family.do(TopicGone(place=HERE, owner=5))  # what was to go there has come back
    there = NewDelivery(kind=DeliveryKind.TOPIC, text="Shop", topic=Topic(room="shop"), place=Place("telegram", -100))
    family.do(Tell(slug="shop", deliveries=(there,)))
    family.do(TopicMade(id=family.newest_delivery(), thread=9))
    [last] = [each for each in family.send_all() if each.text == "completed"]
    assert last.place == Place("telegram", -100, 9)
