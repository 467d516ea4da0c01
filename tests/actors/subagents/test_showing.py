"""When the line about a sub-agent is told anew."""

import msgspec

from actors.messages import SubagentState
from actors.subagents.showing import IN_GROUPS, SHOW_AGE_EVERY, SHOW_EVERY, Showing
from tests.actors.subagents.rows import PREPARING, sub


def test_it_is_told_at_once_when_it_is_somewhere_else() -> None:
    showing, row = Showing(), sub("a", PREPARING)
    assert showing.due(row, "", 0.0)
    assert not showing.due(row, "", 1.0)
    running = msgspec.structs.replace(row, state=SubagentState.RUNNING)
    assert showing.due(running, "", 2.0)
    assert showing.due(msgspec.structs.replace(running, waiting=True), "", 3.0)
    assert showing.due(msgspec.structs.replace(running, stop=SubagentState.CANCELLED), "", 4.0)


def test_what_it_does_is_told_slowly_and_its_age_more_slowly() -> None:
    showing, row = Showing(), sub("a")
    assert showing.due(row, "one", 0.0)
    assert not showing.due(row, "two", SHOW_EVERY - 0.1)
    assert showing.due(row, "two", SHOW_EVERY)
    assert not showing.due(row, "two", SHOW_EVERY + SHOW_AGE_EVERY - 0.1)
    assert showing.due(row, "two", SHOW_EVERY + SHOW_AGE_EVERY)


def test_in_a_group_it_is_told_more_slowly_but_its_end_at_once() -> None:
    showing, row = Showing(), sub("a")
    assert showing.due(row, "one", 0.0, group=True)
    assert not showing.due(row, "two", IN_GROUPS * SHOW_EVERY - 0.1, group=True)
    assert showing.due(row, "two", IN_GROUPS * SHOW_EVERY, group=True)
    assert showing.due(msgspec.structs.replace(row, stop=SubagentState.CANCELLED), "two", 125.0, group=True)
