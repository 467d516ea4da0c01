"""A sub-agent is asked for: once, with a name of its own, or refused with a sentence that names the bound."""

from typing import Any

import pytest

from actors.messages import (
    Bounds,
    GrantSlot,
    Outcome,
    Place,
    PrepareSubagent,
    RequestStop,
    Spawned,
    SpawnRefused,
    StopSubagents,
    SubagentState,
)
from actors.store.errors import Conflict, UnknownRoom
from tests.actors.store.books import BOUNDS, ELSEWHERE, Books

ONE = Bounds(max=1, max_per_room=1, max_depth=9)


def ahead(books: Books, **changes: Any) -> int:
    reply = books.do(books.spawning(**changes))
    assert isinstance(reply, Spawned), reply
    return reply.ahead


def refused(books: Books, task: str = "Look", **changes: Any) -> str:
    before = books.rows()
    reply = books.do(books.spawning(task, **changes))
    assert isinstance(reply, SpawnRefused), reply
    assert books.rows() == before
    return reply.reason


@pytest.fixture
def shop(books: Books) -> Books:
    """A room whose turn `t` is on, and another room."""
    books.say(place=ELSEWHERE, title="Blog")
    books.begin("t", books.say())
    return books


def test_it_is_a_row_that_waits_for_its_slot(shop: Books) -> None:
    child = shop.spawn("Fix the login", turn="t", wait=True)
    assert (child.slug, child.state, child.depth, child.parent, child.turn) == (
        "fix-login",
        SubagentState.QUEUED,
        1,
        None,
        "t",
    )
    assert (child.awaited, child.waiting, child.run, child.created_at) == (True, False, 0, 1000.0)
    assert child.session_id.startswith("fix-login-")
    assert child.workspace == "/work/shop"


def test_once_for_each_key(shop: Books) -> None:
    request = shop.spawning(turn="t", wait=True)
    reply = shop.twice(request)
    assert reply == Spawned(subagent=shop.subagent("look-into-it"), ahead=0)
    shop.do(PrepareSubagent(slug="look-into-it"))
    again = shop.do(request)
    assert isinstance(again, Spawned)
    assert again.subagent.state is SubagentState.PREPARING


def test_rooms_and_sub_agents_share_their_names(shop: Books) -> None:
    assert [shop.spawn(task).slug for task in ("Shop", "shop", "console", "blog!", "…")] == [
        "shop-2",
        "shop-3",
        "console-2",
        "blog-2",
        "agent",
    ]
    assert shop.say(place=Place("telegram", -300), title="Agent").room.slug == "agent-2"


def test_what_no_column_holds_is_made_to_fit(shop: Books) -> None:
    assert shop.spawn("half \ud800 a pair").task == "half ? a pair"


def test_a_parent_that_waits_gives_up_its_slot_at_once(shop: Books) -> None:
    parent = shop.at_work("parent", turn="t", bounds=ONE)
    assert ahead(shop, task="other", bounds=ONE, parent=parent, turn="parent/1") == 1
    assert ahead(shop, task="child", bounds=ONE, parent=parent, turn="parent/1", wait=True) == 1  # behind the other
    assert shop.subagent(parent).waiting
    child = shop.subagent("child")
    assert (child.depth, child.awaited, child.parent) == (2, True, parent)


def test_a_persons_is_awaited_by_nobody(shop: Books) -> None:
    said = shop.say("/spawn look", command="spawn")
    child = shop.spawn(by=said.inbound, wait=True)
    assert (child.by, child.awaited) == (said.inbound, False)


@pytest.mark.parametrize("task", ["", "  \n\t "])
def test_an_empty_task(shop: Books, task: str) -> None:
    assert refused(shop, task).startswith("The task is empty: say what")


def test_a_task_that_is_too_long(shop: Books) -> None:
    shop.spawn("é" * 2**15)
    assert "has 65 KiB and may have 64: put" in refused(shop, "é" * 2**15 + "x")
    assert "has 977 KiB and may have 64" in refused(shop, "x" * 1_000_000)


def test_too_deep(shop: Books) -> None:
    first = shop.at_work("first", turn="t")
    second = shop.at_work("second", parent=first, turn="first/1")
    bounds = Bounds(max=8, max_per_room=8, max_depth=2)
    assert "may be 2 levels deep, and this one would be at level 3" in refused(
        shop, parent=second, turn="second/1", bounds=bounds
    )
    shop.spawn(parent=second, turn="second/1")


def test_too_many_that_are_open(shop: Books) -> None:
    bounds = Bounds(max=8, max_per_room=8, max_depth=2, max_open=2)
    shop.spawn("one")
    shop.spawn("two")
    shop.spawn("elsewhere", room="blog")
    assert refused(shop, bounds=bounds).startswith("This room has 2 sub-agents that have not ended, and may have 2: ")
    shop.finish("one")
    shop.spawn("three", bounds=bounds)


def test_a_parent_that_has_ended_or_is_to_begins_nothing(shop: Books) -> None:
    parent = shop.at_work("parent", turn="t")
    assert "has ended" in refused(shop, parent=parent, turn="parent/0")
    shop.run(parent, 2)
    assert "has ended" in refused(shop, parent=parent, turn="parent/1", wait=True)
    shop.do(StopSubagents(slug=parent))
    assert "has ended" in refused(shop, parent=parent, turn="parent/2")
    shop.finish(parent)
    assert "has ended" in refused(shop, parent=parent, turn="parent/2")


def test_a_turn_that_has_ended_or_is_to_begins_nothing(shop: Books) -> None:
    assert "has ended" in refused(shop, turn="t0", wait=True)
    assert "has ended" in refused(shop, turn="t", room="blog")
    shop.do(RequestStop(slug="shop"))
    assert "has ended" in refused(shop, turn="t")
    shop.end(shop.work().room, "t", outcome=Outcome.STOPPED)
    assert "has ended" in refused(shop, turn="t")
    shop.spawn(by=shop.say("/spawn", command="spawn").inbound, turn="t")  # a person may


def test_who_may_not_wait_is_refused_if_there_is_no_slot(shop: Books) -> None:
    bounds = Bounds(max=2, max_per_room=2, max_depth=3)
    first = shop.at_work("first", turn="t", bounds=bounds, queue=False)
    second = shop.spawn("second", turn="t", bounds=bounds, queue=False).slug
    reason = refused(shop, turn="t", bounds=bounds, queue=False)
    assert reason.startswith("No place is free: at most 2 sub-agents may be at work at once, 2 of them for one room")
    assert "1 must end first" in reason
    assert refused(shop, parent=first, turn="first/1", bounds=bounds, queue=False)
    shop.spawn("third", parent=first, turn="first/1", bounds=bounds, queue=False, wait=True)  # in its parent's place
    assert refused(shop, turn="t", bounds=bounds, queue=False)
    shop.finish(second)
    shop.spawn("fourth", turn="t", bounds=bounds, queue=False)


def test_a_refused_one_leaves_its_parent_as_it_was(shop: Books) -> None:
    parent = shop.at_work("parent", turn="t")
    refused(shop, " ", parent=parent, turn="parent/1", wait=True)
    assert not shop.subagent(parent).waiting


def test_how_many_are_ahead(shop: Books) -> None:
    bounds = Bounds(max=3, max_per_room=2, max_depth=3)
    assert [ahead(shop, bounds=bounds) for _ in range(4)] == [0, 0, 1, 2]
    assert [ahead(shop, bounds=bounds, room="blog") for _ in range(3)] == [0, 1, 2]  # two of the shop's go first
    for slug in ("look-into-it", "look-into-it-2"):
        shop.do(PrepareSubagent(slug=slug))
    assert ahead(shop, bounds=bounds, room="blog") == 3
    shop.finish("look-into-it")
    assert ahead(shop, bounds=bounds) == 3


def test_whose_children_have_ended_goes_before_who_is_queued(shop: Books) -> None:
    parent = shop.at_work("parent", turn="t", bounds=ONE)
    child = shop.spawn("child", parent=parent, turn="parent/1", wait=True, bounds=ONE).slug
    assert ahead(shop, bounds=ONE, room="blog") == 1
    shop.finish(child)
    assert ahead(shop, bounds=ONE, room="blog") == 2  # the parent, and the one that was asked for before
    shop.do(GrantSlot(slug=parent))
    assert ahead(shop, bounds=ONE, room="blog") == 3


def test_what_does_not_fit_is_a_mistake(shop: Books) -> None:
    with pytest.raises(UnknownRoom):
        shop.spawn(room="nowhere")
    with pytest.raises(Conflict, match="there is no sub-agent nobody"):
        shop.spawn(parent="nobody")
    parent = shop.at_work("parent", turn="t", bounds=BOUNDS)
    with pytest.raises(Conflict, match="belongs to room shop"):
        shop.spawn(parent=parent, room="blog")
