"""The agent's own time."""

import pytest
import trio
from trio.testing import MockClock

from actors.messages import TurnTooLong
from actors.owntime import OwnTime
from tests.actors.rooms.parts import open_context


async def test_a_turn_that_has_used_up_its_time_is_told_of(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = OwnTime(context, 60.0)
        time.begin("t1")
        await trio.sleep(59)
        assert told == []
        await trio.sleep(2)
        assert told == [TurnTooLong(turn="t1")]


async def test_waiting_for_a_person_does_not_count(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = OwnTime(context, 60.0)
        time.begin("t1")
        await trio.sleep(40)
        time.pause()
        time.pause()
        await trio.sleep(500)
        time.go_on()
        time.go_on()
        await trio.sleep(19)
        assert told == []
        await trio.sleep(2)
        assert told == [TurnTooLong(turn="t1")]
        assert time.end() == pytest.approx(61)


async def test_each_run_of_a_turn_has_the_whole_limit_and_all_add_up(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        time = OwnTime(context, 60.0)
        for _ in range(2):
            time.begin("t1")
            await trio.sleep(50)
        assert time.end() == pytest.approx(100)
        time.go_on()
        await trio.sleep(100)
        assert told == []
        time.begin("t2")
        await trio.sleep(1)
        assert time.end() == pytest.approx(1)
