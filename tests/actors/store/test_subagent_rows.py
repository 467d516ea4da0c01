"""Sub-agents as they are read: whole, by room, by parent, the open ones and the newest that have ended."""

import pytest

from actors.messages import Changes, GetSubagent, ListSubagents, Subagent, SubagentState
from actors.store.errors import Conflict
from actors.store.subagent_rows import the_subagent
from tests.actors.store.books import CHANGES, ELSEWHERE, Books


def slugs(found: tuple[Subagent, ...]) -> list[str]:
    return [each.slug for each in found]


@pytest.fixture
def family(books: Books) -> Books:
    """The shop has one with a child, and one more; so has the blog."""
    books.say()
    books.say(place=ELSEWHERE, title="Blog")
    books.at_work("alpha")
    books.spawn("beta", parent="alpha")
    books.spawn("gamma")
    books.spawn("delta", room="blog")
    return books


def test_every_field_of_one_that_has_ended(books: Books) -> None:
    books.begin("t", books.say())
    slug = books.at_work("Fix the tests", turn="t", wait=True, model="glm", isolation="scratch", key="call:1")
    books.now = 1500.5
    log = tuple(f"line {number}" for number in range(250))
    books.finish(slug, changes=CHANGES, error="partly", log=log)
    assert books.subagent(slug) == Subagent(
        slug="fix-tests",
        room="shop",
        parent=None,
        turn="t",
        by=None,
        depth=1,
        task="Fix the tests",
        isolation="scratch",
        model="glm",
        timeout=60.0,
        session_id=books.subagent(slug).session_id,
        created_at=1000.0,
        workspace="/work/shop",
        awaited=True,
        state=SubagentState.COMPLETED,
        run=1,
        attempt=1,
        prompt="prompt 1",
        leaf="e1",
        started_at=1000.0,
        ended_at=1500.5,
        text="done",
        error="partly",
        report="fix-tests is done",
        changes=Changes(
            files=1, names=("M a.txt",), added=2, removed=1, patch="/r/patch", repository="/r/repository.git"
        ),
        kept="open",
        cost=0.25,
        log=log[50:],
    )


def test_one_is_found_in_its_room_only(family: Books) -> None:
    assert family.do(GetSubagent(slug="beta", room="shop")) == family.subagent("beta")
    assert family.do(GetSubagent(slug="beta", room="blog")) is None
    assert family.do(GetSubagent(slug="nobody")) is None
    with pytest.raises(Conflict, match="there is no sub-agent nobody"):
        the_subagent(family.db, "BeginRun", "nobody")


def test_all_by_age_by_room_and_by_parent(family: Books) -> None:
    assert slugs(family.do(ListSubagents())) == ["alpha", "beta", "gamma", "delta"]
    assert slugs(family.do(ListSubagents(room="shop"))) == ["alpha", "beta", "gamma"]
    assert slugs(family.do(ListSubagents(parent="alpha"))) == ["beta"]
    assert slugs(family.do(ListSubagents(room="blog", parent="alpha"))) == []


def test_of_those_that_have_ended_the_newest_and_no_logs(family: Books) -> None:
    for slug in ("gamma", "beta", "delta"):
        family.now += 1
        family.finish(slug, log=("looked",))
    assert slugs(family.do(ListSubagents())) == ["alpha"]
    assert slugs(family.do(ListSubagents(ended=2))) == ["alpha", "beta", "delta"]
    assert slugs(family.do(ListSubagents(room="shop", ended=1))) == ["alpha", "beta"]
    assert slugs(family.do(ListSubagents(parent="alpha", ended=9))) == ["beta"]
    assert slugs(family.do(ListSubagents(ended=-1))) == ["alpha"]
    assert {each.log for each in family.do(ListSubagents(ended=9))} == {()}
    assert family.subagent("beta").log == ("looked",)
