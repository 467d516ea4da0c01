"""Commands about the sub-agents of a room."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import pytest

from actors.messages import Kept, Spawned, SpawnRefused, Subagent, SubagentState, line_key
from actors.rooms.delegating import MOST_LISTED, MOST_SHOWN, begun, end_one, going_on, in_status, reply
from actors.rooms.steps import Answer, Delegate, EndSubagent, PassOn, Step
from tests.actors.rooms.playbook import NOW, texts
from tests.actors.rooms.rows import command, made, subagent

QUEUED, PREPARING = SubagentState.QUEUED, SubagentState.PREPARING
ELSEWHERE = subagent("attic-1", room="attic")


def steps(text: str, *subagents: Subagent) -> list[Step]:
    name, _, argument = text.removeprefix("/").partition(" ")
    return reply(command(9, name, text), argument, subagents, "shop", NOW)


def listed(*subagents: Subagent) -> list[str]:
    (told,) = texts(steps("/agents", *subagents))
    return told.splitlines()


# --- seen


def test_without_any_it_says_how_one_is_begun() -> None:
    assert listed() == ["This room has no sub-agent. /spawn and a task begins one."]
    assert listed(ELSEWHERE) == listed()


@pytest.mark.parametrize(
    ("sub", "state"),
    [
        (subagent(state=QUEUED, started_at=None), "waits for a place (1 min 30 s so far)"),
        (subagent(state=PREPARING), "makes its workspace"),
        (subagent(), "running 1 min"),
        (subagent(waiting=True), "waits for its own sub-agents (1 min so far)"),
        (subagent(stop=SubagentState.CANCELLED), "is being ended"),
        (subagent(state=SubagentState.FAILED, ended_at=45.0, cost=0.5), "failed after 5 s, $0.50"),
        (subagent(state=SubagentState.LOST, ended_at=45.0), "lost after 5 s"),
        (subagent(state=SubagentState.CANCELLED, started_at=None, ended_at=45.0), "cancelled before it began"),
        (subagent(state=SubagentState.TIMED_OUT, ended_at=640.0), "timed out after 10 min"),
        (made(), "completed in 50 s · 2 files, +12 −4"),
        (made(kept="applied"), "completed in 50 s · 2 files, +12 −4 · applied"),
    ],
)
def test_each_is_one_line_that_says_where_it_stands(sub: Subagent, state: str) -> None:
    assert listed(sub)[0] == rf"- `shop-2`: {state} – “count the \*lines\*”"


def test_each_stands_below_who_has_begun_it() -> None:
    child = subagent("c", parent="a", depth=2)
    grandchild = subagent("d", parent="c", depth=3)
    orphan = subagent("e", parent="gone", depth=2)
    lines = [line.partition(":")[0] for line in listed(subagent("a"), subagent("b"), child, grandchild, orphan)]
    assert lines[:5] == ["- `a`", "  - `c`", "    - `d`", "- `b`", "- `e`"]


def test_the_list_says_what_can_be_done_and_only_that() -> None:
    assert listed(subagent())[1:] == ["", "/kill and its id ends one."]
    assert listed(made())[1:] == ["", "/apply, /diff or /discard and its id decides what becomes of what one made."]
    assert listed(made(kept="applied"), subagent("b", stop=SubagentState.CANCELLED))[2:] == []
    assert listed(made(parent="a"))[1:] == []  # what it made is for that one


def test_a_long_list_is_cut_at_its_old_end() -> None:
    lines = listed(*(subagent(f"s{id}") for id in range(MOST_LISTED + 3)))
    assert lines[0] == "3 older ones are not shown."
    assert lines[1].startswith("- `s3`")


def test_the_status_has_the_open_ones_and_no_more_than_fit() -> None:
    assert in_status([made(), ELSEWHERE], "shop", NOW) == []
    assert in_status([made(), subagent("a")], "shop", NOW) == [
        r"- sub-agent `a`: running 1 min – “count the \*lines\*”"
    ]
    lines = in_status([subagent(f"s{id}") for id in range(MOST_SHOWN + 1)], "shop", NOW)
    assert lines[MOST_SHOWN:] == ["- and 1 sub-agent more: /agents shows them"]
    assert in_status([subagent(f"s{id}") for id in range(MOST_SHOWN)], "shop", NOW)[MOST_SHOWN:] == []


@pytest.mark.parametrize(
    ("subagents", "said"),
    [
        ([], ""),
        ([made(), ELSEWHERE, subagent(stop=SubagentState.CANCELLED), subagent(parent="a")], ""),
        ([subagent()], "1 sub-agent goes on, and its report comes here: /agents shows it."),
        ([subagent("a"), subagent("b")], "2 sub-agents go on, and their reports come here: /agents shows them."),
    ],
)
def test_who_goes_on(subagents: Sequence[Subagent], said: str) -> None:
    assert going_on(subagents, "shop") == said


# --- begun and ended


def test_a_task_is_given_away() -> None:
    assert steps("/spawn count the\nlines") == [
        Delegate(command(9, "spawn", "/spawn count the\nlines"), "count the\nlines")
    ]
    assert "Write /spawn and a task" in texts(steps("/spawn"))[0]


def test_what_became_of_a_wish_is_answered() -> None:
    wish = command(9, "spawn")
    at_once = begun(wish, Spawned(subagent=subagent("a_b", state=QUEUED), ahead=0))
    assert texts([at_once]) == ["Sub-agent `a_b`: begins\n“count the \\*lines\\*”"]
    (line,) = at_once.deliveries
    assert (line.reply_to, line.key) == (109, line_key("a_b"))
    assert [(each.command, each.argument) for row in line.buttons for each in row] == [("kill", "a_b")]
    waits = begun(wish, Spawned(subagent=subagent("a", state=QUEUED), ahead=2))
    assert "waits for a place (2 before it)" in texts([waits])[0]
    refused = begun(wish, SpawnRefused(reason="This room has 100 *open* ones."))
    assert texts([refused]) == [r"No sub-agent was begun: This room has 100 \*open\* ones."]


@pytest.mark.parametrize("sub", [subagent("a"), made("a"), subagent("a", state=QUEUED, stop=SubagentState.CANCELLED)])
def test_a_wish_that_is_answered_late_does_not_take_back_what_was_said_since(sub: Subagent) -> None:
    (late,) = begun(command(9, "spawn"), Spawned(subagent=sub, ahead=0)).deliveries
    assert (late.text, late.key) == ("Begun as `a`. /agents shows it.", None)


@pytest.mark.parametrize(
    ("sub", "owner", "does"),
    [
        (subagent(), False, True),
        (subagent(state=QUEUED), False, True),
        (ELSEWHERE, True, True),
        (ELSEWHERE, False, False),
        (made(), False, False),
    ],
)
def test_one_is_ended_by_its_people_and_by_the_owner(sub: Subagent, owner: bool, does: bool) -> None:
    wish = msgspec.structs.replace(command(9, "kill"), owner=owner)
    found = end_one(wish, sub.slug, [sub], "shop")
    assert found is not None
    assert isinstance(found[-1], Answer)
    assert [step for step in found if not isinstance(step, Answer)] == ([EndSubagent(sub.slug)] if does else [])


def test_nobody_learns_of_ones_that_there_are_not() -> None:
    assert end_one(command(9, "kill"), "b", [subagent("a")], "shop") is None
    ended = msgspec.structs.replace(made("attic-1"), room="attic")
    assert end_one(command(9, "kill"), "attic-1", [ended], "shop") is None


# --- what one made


@pytest.mark.parametrize("what", ["apply", "diff", "discard"])
def test_what_is_open_is_passed_on(what: Literal["apply", "diff", "discard"]) -> None:
    (step,) = steps(f"/{what} shop-2", made())
    assert step == PassOn(command(9, what, f"/{what} shop-2"), "shop-2", what)


@pytest.mark.parametrize("what", ["apply", "diff", "discard"])
@pytest.mark.parametrize(
    ("subagents", "said"),
    [
        ([], "There is no sub-agent `shop-2` in this room"),
        ([made(room="attic")], "There is no sub-agent `shop-2` in this room"),
        ([subagent()], "has not ended yet. /kill shop-2 ends it"),
        ([subagent(state=SubagentState.FAILED)], "changed no files"),
        ([made(kept="applied")], "What `shop-2` made is in the workspace already."),
        ([made(kept="discarded")], "What `shop-2` made was discarded."),
        ([made(kept="expired")], "and is gone."),
    ],
)
def test_what_cannot_be_is_said_at_once(what: str, subagents: list[Subagent], said: str) -> None:
    found = steps(f"/{what} shop-2", *subagents)
    assert said in texts(found)[0]
    assert len(found) == 1


@pytest.mark.parametrize("what", ["apply", "diff", "discard"])
def test_without_an_id_it_says_what_is_meant(what: str) -> None:
    (told,) = texts(steps(f"/{what}", made()))
    assert told.startswith(f"Write /{what} and a sub-agent's id: it ")


def test_every_decision_has_its_word() -> None:
    for kept in Kept.__args__:  # type: ignore[attr-defined]  # a Literal's
        if kept != "open":
            assert "is gone." not in texts(steps("/apply shop-2", made(kept=kept)))[0] or kept == "expired"
