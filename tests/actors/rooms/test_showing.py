"""The picture of a turn, as it goes to the outbox."""

import msgspec
import trio
from trio.testing import MockClock

from actors.messages import OutboxMessage, RoomSettings, ShowProgress, TextGrew, Tick, ToolStarted
from actors.rooms.showing import SHOW_EVERY, Showing
from tests.actors.rooms.parts import open_context
from tests.actors.rooms.rows import ROOM


async def test_it_is_shown_at_each_change_and_again_while_the_turn_is_on(autojump_clock: MockClock) -> None:
    shown: list[OutboxMessage] = []
    async with open_context() as (context, told, _):
        showing = Showing(context, shown.append)
        assert showing.doing is None
        showing.begin(ROOM, "t1", 7.0, None, begun=True)
        showing.take(ROOM, TextGrew(turn="t1", text="hel"))
        showing.take(ROOM, TextGrew(turn="t0", text="old"))
        assert [each.text for each in shown if isinstance(each, ShowProgress)] == ["", "hel"]
        await trio.sleep(SHOW_EVERY + 1)
        assert told == [Tick()]
        showing.again(ROOM)
        assert len(shown) == 3
        showing.end()
        showing.again(ROOM)
        await trio.sleep(SHOW_EVERY * 2)
        assert (len(shown), told) == (3, [Tick()])


async def test_that_it_waits_for_a_person_is_shown_when_that_changes(autojump_clock: MockClock) -> None:
    shown: list[OutboxMessage] = []
    async with open_context() as (context, _, _):
        showing = Showing(context, shown.append)
        showing.waits(ROOM, waits=True)
        showing.begin(ROOM, "t1", 7.0, None, begun=True)
        for waits in (False, True, True, False):
            showing.waits(ROOM, waits=waits)
        assert [each.waits for each in shown if isinstance(each, ShowProgress)] == [False, True, False]


async def test_a_tick_of_the_turn_before_makes_it_no_faster(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        showing = Showing(context, lambda _: None)
        showing.begin(ROOM, "t1", 7.0, None, begun=True)
        showing.again(ROOM)
        await trio.sleep(SHOW_EVERY + 1)
        assert told == [Tick()]


async def test_the_same_turn_keeps_its_picture_and_gets_a_line(autojump_clock: MockClock) -> None:
    shown: list[OutboxMessage] = []
    async with open_context() as (context, _, _):
        showing = Showing(context, shown.append)
        showing.begin(ROOM, "t1", 7.0, None, begun=True)
        showing.take(ROOM, ToolStarted(turn="t1", call="c", tool="bash", summary="ls"))
        assert showing.doing == "running bash"
        showing.cut_off()
        showing.begin(ROOM, "t1", 8.0, "the agent ended", begun=True)
        assert showing.doing == "thinking"
        quiet = msgspec.structs.replace(ROOM, settings=RoomSettings(verbose=0))
        showing.again(quiet)
        pictures = [each for each in shown if isinstance(each, ShowProgress)]
        assert [each.tools for each in pictures[-2:]] == [("bash: ls", "the agent ended"), ("the agent ended",)]
        assert {each.since for each in pictures} == {7.0}
        showing.begin(ROOM, "t2", 9.0, None, begun=True)
        assert isinstance(shown[-1], ShowProgress)
        assert (shown[-1].tools, shown[-1].since) == ((), 9.0)


async def test_a_turn_that_waits_for_its_agent_is_shown_as_not_begun(autojump_clock: MockClock) -> None:
    shown: list[OutboxMessage] = []
    async with open_context() as (context, _, _):
        showing = Showing(context, shown.append)
        showing.begun(ROOM)
        showing.begin(ROOM, "t1", 7.0, None, begun=False)
        showing.begun(ROOM)
        showing.take(ROOM, TextGrew(turn="t1", text="hel"))
        assert [each.begun for each in shown if isinstance(each, ShowProgress)] == [False, True, True]
