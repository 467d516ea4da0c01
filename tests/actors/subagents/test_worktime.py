"""A sub-agent's time, over all its runs."""

import trio
from trio.testing import MockClock

from actors.messages import TurnTooLong
from actors.subagents.worktime import WorkTime
from tests.actors.rooms.parts import open_context


async def test_all_its_runs_share_its_time(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = WorkTime(context)
        time.begin("a/1", 100.0)
        await trio.sleep(60)
        time.begin("a/1", 100.0)  # it goes on, and has not begun anew
        await trio.sleep(10)
        time.end()
        time.end()
        await trio.sleep(500)
        time.begin("a/2", 100.0)
        await trio.sleep(29)
        assert told == []
        await trio.sleep(2)
        assert told == [TurnTooLong(turn="a/2")]
        time.end()


async def test_one_that_has_no_time_left_is_told_so_at_once(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = WorkTime(context)
        time.begin("a/1", 10.0)
        await trio.sleep(20)
        time.end()
        time.begin("a/2", 10.0)
        await trio.sleep(0.1)
        assert told == [TurnTooLong(turn="a/1"), TurnTooLong(turn="a/2")]
        time.end()


async def test_what_it_waits_for_others_does_not_count(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = WorkTime(context)
        time.wait(waits=True)
        time.begin("a/1", 50.0)
        await trio.sleep(40)
        time.wait(waits=True)
        await trio.sleep(1000)
        time.wait(waits=False)
        await trio.sleep(9)
        assert told == []
        await trio.sleep(2)
        assert told == [TurnTooLong(turn="a/1")]
        time.end()
