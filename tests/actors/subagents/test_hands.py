"""The delegating tools against the store's own rows: begin, look, end, merge. Waiting is in `test_hands_waiting.py`."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    EndSubagent,
    Spawn,
    SubagentState,
    Wake,
)
from actors.pi.hands import Answered, Hands
from actors.pi.host_tools import ApplySubagent, CancelSubagent, CheckSubagent, SpawnSubagent
from actors.subagents.results import Applied, ApplyConflict, ApplyImpossible
from tests.actors.rooms.house import Boom, until
from tests.actors.store.books import BOUNDS
from tests.actors.subagents.handwork import CALL, begin_call, made, open_bench


async def test_they_are_a_pair_of_hands(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        hands: Hands = bench.hands()
        assert not hands.waits


# --- spawn


async def test_one_that_is_begun_is_named_and_the_registrar_looks(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        said = await bench.do(SpawnSubagent(task="Bake bread", isolation="scratch", model="small"))
        sub = bench.newest()
        assert (sub.slug in said.text, "begins" in said.text, "by itself" in said.text) == (True, True, True)
        assert not said.failed
        assert (sub.task, sub.isolation, sub.model, sub.timeout) == ("Bake bread", "scratch", "small", 600.0)
        assert (sub.parent, sub.turn, sub.by, sub.awaited) == (None, "turn-1", None, False)
        await until(lambda: bench.registrar == [Wake()])
        assert bench.told == []


async def test_one_that_has_to_wait_is_told_how_many_are_before_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        for number in range(BOUNDS.max_per_room):
            bench.books.at_work(f"task {number}")
        said = await bench.do(SpawnSubagent(task="Bake bread"))
        assert "1 other before it" in said.text
        said = await bench.do(SpawnSubagent(task="Bake bread", queue=False), dialog="d2")
        assert said.failed
        assert "No place is free" in said.text


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (SpawnSubagent(task="  "), "task is empty"),
        (SpawnSubagent(task="x" * 1_000_000), "KiB"),
        (SpawnSubagent(task="t", timeout=0.5), "from 1 to 604800 (a week), not 0.5"),
        (SpawnSubagent(task="t", timeout=700_000), "from 1 to 604800 (a week)"),
        (SpawnSubagent(task="t", timeout=float("nan")), "from 1 to 604800 (a week)"),
        (SpawnSubagent(task="t", model="nobody/knows"), "There are: big/one, small/two"),
    ],
    ids=["empty", "huge", "short", "long", "nan", "model"],
)
async def test_what_cannot_be_begun_is_an_error_that_names_the_mend(
    wanted: SpawnSubagent, reason: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench:
        bench.models = ("big/one", "small/two")
        said = await bench.do(wanted)
        assert (said.failed, said.text.startswith("Error: ")) == (True, True)
        assert reason in said.text
        assert (bench.count(), bench.registrar) == (0, [])


async def test_a_model_may_be_named_without_its_provider(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        bench.models = ("big/one", "small/two")
        assert not (await bench.do(SpawnSubagent(task="t", model="two"))).failed
        assert not (await bench.do(SpawnSubagent(task="t", model="big/one"), dialog="d2")).failed


async def test_a_call_begins_one_however_often_the_store_is_asked(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        bench.faults.after[Spawn] = Boom("the reply is lost")
        said = await bench.do(SpawnSubagent(task="Bake bread"))
        assert (said.failed, bench.count()) == (False, 1)


async def test_each_call_and_each_process_begins_one_of_its_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        hands = bench.hands()
        await bench.do(SpawnSubagent(task="Bake bread"), hands)
        await bench.do(SpawnSubagent(task="Bake bread"), hands, dialog="d2")
        await bench.do(SpawnSubagent(task="Bake bread"), bench.hands())  # dialogs are counted anew
        assert bench.count() == 3


# --- check


async def test_a_look_at_one_that_is_open_says_where_it_stands(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        slug = bench.books.at_work("Bake bread")
        said = await bench.do(CheckSubagent(id=slug))
        assert said.text.startswith(f"Sub-agent {slug} running")
        assert said.text.endswith("Its report comes to you by itself.")
        queued = bench.books.spawn("Wait").slug
        assert "waits for a place" in (await bench.do(CheckSubagent(id=queued))).text


async def test_a_look_at_one_that_has_ended_tells_its_report(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        parent = bench.books.at_work("top")
        hands, turn = bench.hands(parent), bench.books.subagent(parent).turn_id
        child = bench.books.spawn("below", parent=parent, turn=turn).slug
        bench.begin(child)
        bench.books.finish(child)
        said = await hands.do(turn, CALL, "d1", CheckSubagent(id=child))
        assert said == Answered(f"{child} is done")
        assert bench.books.subagent(child).told


# --- whose they are


async def test_a_sub_agent_sees_ends_and_merges_only_what_is_below_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench:
        top, other = bench.books.at_work("top"), bench.books.at_work("other")
        below = bench.books.at_work("below", parent=other)
        own = bench.books.at_work("own", parent=top)
        deep = bench.books.at_work("deep", parent=own)
        hands = bench.hands(top)
        for slug in (other, below, top, "nobody", "", "shop"):
            for wanted in (CheckSubagent(id=slug), CancelSubagent(id=slug), ApplySubagent(id=slug)):
                said = await bench.do(wanted, hands)
                assert (said.failed, "you have no sub-agent" in said.text) == (True, True), (slug, wanted)
        for slug in (own, deep):
            assert not (await bench.do(CheckSubagent(id=slug), hands)).failed
        assert all(bench.books.subagent(slug).stop is None for slug in (top, other, below))


async def test_another_rooms_are_not_to_be_seen(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        theirs = bench.books.say(title="Tea", place=msgspec.structs.replace(bench.books.inbound().place, chat=-7)).room
        slug = bench.books.spawn("Brew", room=theirs.slug).slug
        assert (await bench.do(CheckSubagent(id=slug))).failed
        assert (await bench.do(CancelSubagent(id=slug))).failed


# --- cancel


async def test_one_is_ended_with_all_below_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        top = bench.books.at_work("top")
        below = bench.books.at_work("below", parent=top)
        said = await bench.do(CancelSubagent(id=top))
        assert said.text == (
            f"Sub-agent {top} is being ended, and so is the 1 that it has begun. What it has done until then comes to "
            "you by itself."
        )
        assert [bench.books.subagent(slug).stop for slug in (top, below)] == [SubagentState.CANCELLED] * 2
        await until(lambda: bench.registrar == [Wake()])


async def test_one_that_has_ended_cannot_be_ended(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        slug = bench.books.at_work("top")
        bench.books.finish(slug)
        said = await bench.do(CancelSubagent(id=slug))
        assert said.text.startswith(f"Sub-agent {slug} has ended already: completed")
        assert not bench.books.subagent(slug).told


# --- apply


async def test_what_one_made_is_merged_into_the_workspace_of_its_parent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_bench(tmp_path) as bench:
        top = bench.books.at_work("top")
        below = bench.books.at_work("below", parent=top)
        made(bench, below)
        said = await bench.do(ApplySubagent(id=below), bench.hands(top))
        assert said == Answered("Merged into your workspace, nothing committed:\n  a.txt\n  b.txt")
        made(bench, top)
        (tmp_path / "results" / top).mkdir(parents=True)
        await bench.do(ApplySubagent(id=top))
        assert not (tmp_path / "results" / top).exists()
        room = bench.books.work().room
        assert bench.applied == [
            (f"/results/{below}/repository.git", str(tmp_path / "subagents" / top / "work")),
            (f"/results/{top}/repository.git", room.workspace),
        ]
        assert (bench.books.subagent(top).kept, bench.books.subagent(below).kept) == ("applied", "applied")
        said = await bench.do(ApplySubagent(id=top))
        assert (said, len(bench.applied)) == (Answered(f"What {top} made is merged already."), 2)
        line: str = bench.books.db.execute("SELECT text FROM deliveries WHERE key = ?", (f"subagent:{top}",)).get
        assert "· applied" in line


async def test_a_conflict_is_an_error_that_says_where_and_what_to_do(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        slug = bench.books.at_work("top")
        made(bench, slug)
        bench.merging = ApplyConflict(("a.txt", "b.txt"))
        said = await bench.do(ApplySubagent(id=slug))
        assert said.failed
        for part in ("conflicts", "a.txt, b.txt", "Nothing was changed", f"/results/{slug}/patch", "branch result"):
            assert part in said.text
        assert bench.books.subagent(slug).kept == "open"
        bench.merging = ApplyImpossible("The workspace is no folder.")
        said = await bench.do(ApplySubagent(id=slug))
        assert (said.failed, "The workspace is no folder. Nothing was changed." in said.text) == (True, True)
        bench.merging = PermissionError(13, "Permission denied")
        said = await bench.do(ApplySubagent(id=slug))
        assert (said.failed, "Permission denied" in said.text) == (True, True)


async def test_what_cannot_be_merged_is_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        top = bench.books.at_work("top")
        below = bench.books.at_work("below", parent=top)
        assert "has not ended yet" in (await bench.do(ApplySubagent(id=top))).text
        made(bench, below)
        said = await bench.do(ApplySubagent(id=below))
        assert (said.failed, f"begun by {top}" in said.text) == (True, True)
        bench.books.finish(top)
        said = await bench.do(ApplySubagent(id=top))
        assert (said.failed, "changed no files" in said.text) == (False, True)
        gone = bench.books.at_work("gone")
        made(bench, gone)
        bench.books.db.execute("UPDATE subagents SET kept = 'discarded' WHERE slug = ?", (gone,))
        said = await bench.do(ApplySubagent(id=gone))
        assert (said.failed, "was discarded" in said.text) == (True, True)
        assert bench.applied == []


async def test_what_was_made_from_another_folder_is_not_merged(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        slug = bench.books.at_work("apples", turn=bench.turn)
        made(bench, slug)
        bench.books.db.execute("UPDATE rooms SET workspace = '/src/api'")  # /topic
        said = await bench.do(ApplySubagent(id=slug))
        assert said.failed
        assert f"what {slug} made could not be merged: it was made from /work/shop" in said.text
        assert f"/results/{slug}/patch" in said.text
        assert (bench.applied, bench.books.subagent(slug).kept) == ([], "open")


async def test_two_are_merged_one_after_the_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        slugs = [bench.books.at_work(task) for task in ("one", "two")]
        at_once = most = 0

        async def slow(_: Any, __: str) -> Applied:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await trio.sleep(1)
            at_once -= 1
            return Applied(("a.txt",))

        bench._apply = slow  # type: ignore[method-assign,assignment]
        hands = bench.hands()
        for slug in slugs:
            made(bench, slug)
        async with trio.open_nursery() as nursery:
            for slug in slugs:
                begin_call(nursery, ApplySubagent(id=slug), hands, dialog=slug)
        assert most == 1
        assert [bench.books.subagent(slug).kept for slug in slugs] == ["applied"] * 2


async def test_a_parent_that_has_ended_begins_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_bench(tmp_path) as bench:
        parent = bench.books.at_work("top")
        turn = bench.books.subagent(parent).turn_id
        bench.books.finish(parent)
        said = await bench.hands(parent).do(turn, CALL, "d1", SpawnSubagent(task="below"))
        assert (said.failed, bench.count()) == (True, 1)
        assert not any(isinstance(each, EndSubagent) for each in bench.faults.asked)
