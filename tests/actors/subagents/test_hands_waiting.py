"""Tool calls that wait for a sub-agent: what they are answered, when, and what their turn is told meanwhile."""

from pathlib import Path

import trio
from trio.testing import MockClock

from actors.messages import (
    GrantSlot,
    TellReport,
)
from actors.pi.hands import Answered
from actors.pi.host_tools import CheckSubagent, SpawnSubagent
from actors.subagents.hands import LOOK_EVERY
from tests.actors.rooms.house import until
from tests.actors.subagents.handwork import begin_call, open_bench


async def test_a_call_that_waits_is_answered_with_the_report(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        hands = bench.hands()
        call = begin_call(nursery, SpawnSubagent(task="Bake bread", wait=True), hands)
        await until(lambda: bench.count() == 1 and hands.waits)
        sub = bench.newest()
        assert (sub.awaited, sub.parent) == (True, None)
        bench.begin(sub.slug)
        await trio.sleep(3600)
        assert (call.answer, bench.told) == (None, [("turn-1", True)])
        bench.books.finish(sub.slug)
        began = trio.current_time()
        hands.look()
        await until(lambda: call.answer is not None)
        assert trio.current_time() - began < 1
        assert call.answer == Answered(f"{sub.slug} is done")
        assert (bench.told, hands.waits) == ([("turn-1", True), ("turn-1", False)], False)
        assert bench.newest().told


async def test_a_lost_look_costs_seconds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        call = begin_call(nursery, SpawnSubagent(task="Bake bread", wait=True), bench.hands())
        await until(lambda: bench.count() == 1)
        bench.books.finish(bench.newest().slug)
        with trio.fail_after(LOOK_EVERY + 1):
            await until(lambda: call.answer is not None)


async def test_calls_that_wait_together_pause_their_turn_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        hands = bench.hands()
        calls = [
            begin_call(nursery, SpawnSubagent(task=f"task {n}", wait=True), hands, dialog=f"d{n}") for n in range(3)
        ]
        await until(lambda: bench.count() == 3)
        slugs = [slug for (slug,) in bench.books.db.execute("SELECT slug FROM subagents ORDER BY id")]
        for slug in slugs:
            assert bench.told in ([], [("turn-1", True)])
            bench.books.finish(slug)
            hands.look()
            await trio.sleep(1)
        assert [call.answer is not None for call in calls] == [True] * 3
        assert bench.told == [("turn-1", True), ("turn-1", False)]


async def test_a_call_that_is_not_wanted_any_more_lets_the_turn_go_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        hands = bench.hands()
        calls = [
            begin_call(nursery, SpawnSubagent(task=f"task {n}", wait=True), hands, dialog=f"d{n}") for n in range(2)
        ]
        await until(lambda: bench.count() == 2 and hands.waits)
        await trio.sleep(1)
        calls[0].scope.cancel()
        await trio.sleep(1)
        assert (bench.told, hands.waits) == ([("turn-1", True)], True)
        calls[1].scope.cancel()
        await trio.sleep(1)
        assert (bench.told, hands.waits) == ([("turn-1", True), ("turn-1", False)], False)
        assert not any(isinstance(each, TellReport) for each in bench.faults.asked)


async def test_a_refusal_pauses_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        assert (await bench.do(SpawnSubagent(task=" ", wait=True))).failed
        assert bench.told == []


async def test_a_parent_that_is_a_sub_agent_is_answered_when_it_has_a_slot_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        parent = bench.books.at_work("top")
        hands = bench.hands(parent)
        turn = bench.books.subagent(parent).turn_id
        call = begin_call(nursery, SpawnSubagent(task="below", wait=True), hands, turn)
        await until(lambda: bench.count() == 2)
        child = bench.newest()
        assert (child.parent, child.depth, bench.books.subagent(parent).waiting) == (parent, 2, True)
        bench.books.finish(child.slug)
        hands.look()
        await trio.sleep(60)
        assert (call.answer, bench.told) == (None, [(turn, True)])
        assert not bench.newest().told  # should it crash now, the report is still to come
        bench.books.do(GrantSlot(slug=parent))
        hands.look()
        await until(lambda: call.answer is not None)
        assert call.answer == Answered(f"{child.slug} is done")
        assert bench.told == [(turn, True), (turn, False)]
        assert bench.newest().told


async def test_a_check_can_wait_for_one_that_was_begun_without(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        hands = bench.hands()
        slug = bench.books.at_work("Bake bread", turn="turn-1")
        call = begin_call(nursery, CheckSubagent(id=slug, wait=True), hands)
        await until(lambda: hands.waits and bench.books.subagent(slug).awaited)
        bench.books.finish(slug)
        assert bench.books.work().queue == ()  # it does not come by itself, too
        hands.look()
        await until(lambda: call.answer is not None)
        assert call.answer == Answered(f"{slug} is done")
        assert bench.told == [("turn-1", True), ("turn-1", False)]


async def test_a_parent_that_waits_in_a_check_gives_up_its_slot(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        parent = bench.books.at_work("top")
        hands, turn = bench.hands(parent), bench.books.subagent(parent).turn_id
        child = bench.books.spawn("below", parent=parent, turn=turn).slug
        call = begin_call(nursery, CheckSubagent(id=child, wait=True), hands, turn)
        await until(lambda: bench.books.subagent(parent).waiting)
        assert bench.registrar  # a slot is free
        call.scope.cancel()


async def test_what_others_have_begun_cannot_be_waited_for_by_a_sub_agent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench:
        top = bench.books.at_work("top")
        middle = bench.books.at_work("middle", parent=top)
        deep = bench.books.at_work("deep", parent=middle)
        hands = bench.hands(top)
        said = await bench.do(CheckSubagent(id=deep, wait=True), hands)
        assert said == Answered(
            f"Error: {deep} was begun by {middle}: wait for that one, or check without waiting.", True
        )
        assert f"Its report comes to {middle}." in (await bench.do(CheckSubagent(id=deep), hands)).text


async def test_a_room_may_wait_for_what_is_below_its_own_and_takes_no_report_away(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench, trio.open_nursery() as nursery:
        top = bench.books.at_work("top")
        middle = bench.books.at_work("middle", parent=top)
        call = begin_call(nursery, CheckSubagent(id=middle, wait=True), bench.hands())
        await trio.sleep(1)
        bench.books.finish(middle)
        await until(lambda: call.answer is not None)
        sub = bench.books.subagent(middle)
        assert (call.answer, sub.told, sub.heard) == (Answered(f"{middle} is done"), False, False)
