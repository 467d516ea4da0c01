"""The registrar speaks for sub-agents that died, and dies itself: all end once, and nothing is left."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    EndSubagent,
    GetRoom,
    GetSubagent,
    GrantSlot,
    ListSubagents,
    PrepareSubagent,
    StopSubagents,
    SubagentState,
    Tell,
)
from actors.subagents.ground import Unmade
from tests.actors.rooms.house import until
from tests.actors.subagents.estate import POOL, REGISTRAR, open_estate
from tests.actors.subagents.rows import changes

CANCELLED, COMPLETED, LOST = SubagentState.CANCELLED, SubagentState.COMPLETED, SubagentState.LOST
QUEUED, RUNNING = SubagentState.QUEUED, SubagentState.RUNNING


# --- speaking for the dead


async def test_one_that_gives_up_is_lost_and_its_people_hear_why(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        folders = estate.folders(a)
        await estate.kill(a)
        await estate.ended(a)
        assert estate.row(a).state is LOST
        assert estate.row(a).error == "It ended without a word: the worker broke."
        assert "the worker broke" in estate.lines()[a]
        assert "the worker broke" in estate.row(a).report
        assert estate.inbounds() == [f"subagent:{a}"]
        await until(lambda: not any(folder.exists() for folder in folders))
        assert estate.starts.count(a) == 2  # once by its own supervisor, and nobody begins it anew


async def test_what_one_has_changed_that_is_lost_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a, b = await estate.running("apples"), await estate.running("bread")
        estate.changed = {a: changes(str(estate.state / "results" / a)), b: Unmade("the disk is gone")}
        estate.slow = 30.0
        for slug in (a, b):
            await estate.kill(slug)
        await estate.ended(a, b)
        assert sorted(estate.gathered) == [a, b]  # once each, though it was looked in between
        assert (estate.row(a).state, estate.row(a).kept, estate.row(b).changes) == (LOST, "open", None)
        assert estate.buttons(a) == ["apply", "diff", "discard"]


async def test_a_registrar_that_failed_over_what_one_changed_ends_it_without(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        estate.changed[a] = RuntimeError("a bug of ours")
        await estate.kill(a)
        await estate.ended(a)
        assert (estate.row(a).state, estate.row(a).changes) == (LOST, None)
        assert estate.system.snapshot(REGISTRAR).incarnation == 2


async def test_below_one_that_is_lost_all_ends_first(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        parent = await estate.running("apples")
        child = await estate.running("bread", parent)
        await estate.kill(parent)
        await estate.ended(parent, child)
        assert estate.ends_that_counted() == [child, parent]
        assert (estate.row(child).state, estate.row(parent).state) == (CANCELLED, LOST)
        assert estate.row(parent).error == "It ended without a word: the worker broke."


async def test_one_that_dies_while_it_is_to_end_ends_as_was_wanted(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        estate.deaf.add(a)
        estate.books.do(StopSubagents(slug=a, outcome=SubagentState.TIMED_OUT))
        await estate.kill(a)
        await estate.ended(a)
        assert estate.row(a).state is SubagentState.TIMED_OUT
        assert estate.row(a).error == "The worker broke."


async def test_one_that_cannot_be_started_is_lost(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        estate.unstartable.add("apples")
        a = estate.spawn("apples")
        await estate.wake()
        await estate.ended(a)
        assert estate.row(a).state is LOST
        assert "it cannot start" in estate.row(a).error


async def test_one_that_is_ended_from_outside_is_lost(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        await estate.system.terminate_child(f"{POOL}/{a}")
        await estate.ended(a)
        assert estate.row(a).error == "It ended without a word: it was ended from outside."


async def test_one_that_dies_in_the_middle_of_a_look_is_not_begun_anew(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        estate.meanwhile[PrepareSubagent] = partial(estate.system.terminate_child, f"{POOL}/{a}")
        await estate.running("bread")
        await estate.ended(a)
        assert estate.starts.count(a) == 1
        assert estate.row(a).state is LOST


async def test_the_end_of_the_whole_pool_loses_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        await estate.system.restart_child(POOL)
        await until(lambda: a in estate.pool())
        await trio.sleep(10)
        assert estate.row(a).state is RUNNING
        assert estate.asked(StopSubagents) == 0


async def test_one_that_has_ended_and_dies_then_is_not_lost(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        estate.books.finish(a)
        await estate.kill(a)
        await trio.sleep(10)
        assert estate.row(a).state is COMPLETED
        assert estate.asked(EndSubagent) == 0


# --- the registrar dies


async def a_day(estate: Any) -> list[str]:
    """One runs, has one below it that waits for another; one is queued and cancelled; one is lost."""
    top = await estate.running("top")
    middle = await estate.running("middle", top, wait=True)
    queued = estate.spawn("queued")
    lost = estate.spawn("lost")
    await estate.wake()
    await estate.runs(queued)
    estate.books.do(StopSubagents(slug=queued))
    await estate.wake()
    await estate.runs(lost)
    await estate.kill(lost)
    await estate.ended(queued, lost)
    await estate.finish(middle)
    await until(lambda: not estate.row(top).waiting)
    await estate.finish(top)
    return [top, middle, queued, lost]


POINTS = [ListSubagents, PrepareSubagent, Tell, GetSubagent, GetRoom, StopSubagents, EndSubagent, GrantSlot]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("request_type", POINTS, ids=lambda kind: kind.__name__)
async def test_wherever_the_registrar_dies_all_ends_once_and_nothing_is_left(
    request_type: type, times: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path, max=2) as estate:
        estate.crash_after(request_type, times)
        slugs = await a_day(estate)
        for slug in slugs:
            estate.folders(slug)
        await estate.ended(*slugs)
        assert estate.crashed or times > 1
        await estate.crash()  # what nobody saw end is swept by the next one
        await until(lambda: not any((estate.state / "subagents").iterdir()))
        assert not any((estate.state / "sessions").iterdir())
        states = estate.states()
        assert (states["top"], states["middle"], states["queued"]) == ("completed", "completed", "cancelled")
        assert states["lost"] in ("lost", "running")
        assert sorted(estate.inbounds()) == ["subagent:lost", "subagent:queued", "subagent:top"]
        assert len(estate.lines()) == 4
        assert estate.pool() == []


async def test_a_registrar_that_comes_back_finds_its_sub_agents_and_wakes_whom_it_may_have_forgotten(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        b = await estate.running("bread")
        await estate.finish(b)
        await estate.ended(b)
        estate.router.clear()
        await estate.crash()
        await trio.sleep(1)
        assert sorted(estate.starts) == [a, b]
        assert [each.room.slug for each in estate.router] == ["shop"]  # the report of the second one waits there
        await estate.kill(a)  # and it still watches
        await estate.ended(a)
        assert estate.row(a).state is LOST


async def test_a_report_that_came_while_all_of_them_were_started_anew_wakes_its_room(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        a, b = await estate.running("apples"), await estate.running("bread")
        estate.books.finish(b)  # and before anybody has said so:
        estate.router.clear()
        await estate.system.restart_child("/subagents")
        await until(lambda: bool(estate.router))
        assert [each.room.slug for each in estate.router] == ["shop"]
        assert estate.system.snapshot(REGISTRAR).incarnation == 1  # it cannot know that there was another one
        await until(lambda: estate.pool() == [a])
