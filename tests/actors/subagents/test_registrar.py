"""The registrar in a real tree: sub-agents that do what the test says, and the store's own rows.

Whom it speaks for, and what becomes of all when it dies itself, is in `test_registrar_losses.py`.
"""

from pathlib import Path

import trio
from trio.testing import MockClock

from actors.messages import (
    AwaitReport,
    Decide,
    PrepareSubagent,
    StopSubagents,
    SubagentState,
    Tell,
    WaitForChildren,
    Wake,
    WakeRoom,
)
from actors.subagents.registrar import GRACE, LOOK_EVERY
from tests.actors.rooms.house import until
from tests.actors.store.books import Books
from tests.actors.subagents.estate import REGISTRAR, open_estate
from tests.actors.subagents.rows import changes

CANCELLED, COMPLETED, LOST = SubagentState.CANCELLED, SubagentState.COMPLETED, SubagentState.LOST
QUEUED, RUNNING = SubagentState.QUEUED, SubagentState.RUNNING


# --- beginning


async def test_they_begin_in_order_as_far_as_there_are_slots(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a, b, c, d = (estate.spawn(task) for task in ("apples", "bread", "coffee", "dates"))
        await estate.wake()
        await estate.runs(a, b)
        await trio.sleep(1)
        assert sorted(estate.starts) == [a, b]
        assert (estate.row(c).state, estate.row(d).state) == (QUEUED, QUEUED)
        assert estate.system.snapshot(REGISTRAR).doing == "2 run, 0 wait, 2 queued"
        await estate.finish(a)
        await estate.runs(b, c)
        await trio.sleep(1)
        assert sorted(estate.starts) == [a, b, c]
        assert sorted(estate.pool()) == [b, c]


async def test_many_wakes_begin_one_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = estate.spawn("apples")
        for _ in range(30):
            estate.registrar.tell_nowait(Wake())
            await trio.lowlevel.checkpoint()
        await estate.runs(a)
        for _ in range(30):
            estate.registrar.tell_nowait(Wake())
        await trio.sleep(30)
        assert estate.starts == [a]
        assert estate.asked(PrepareSubagent) == 1


async def test_a_lost_wake_costs_seconds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = estate.spawn("apples")
        await estate.runs(a)


async def test_people_read_where_each_stands_and_are_not_told_of_every_step(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path, max=1) as estate:
        slugs = [estate.spawn(task) for task in ("apples", "bread", "coffee", "dates", "eggs", "figs", "grapes")]
        await estate.wake()
        await estate.runs(slugs[0])
        await trio.sleep(1)
        lines = estate.lines()
        assert [lines[slug].partition(": ")[2].partition("\n")[0] for slug in slugs] == [
            "makes its workspace",
            *(f"waits for a place ({number} before it)" for number in range(1, 7)),
        ]
        assert estate.outbox
        await estate.finish(slugs[0])
        await trio.sleep(2 * LOOK_EVERY)
        lines = estate.lines()
        assert "makes its workspace" in lines[slugs[1]]
        assert "(1 before it)" in lines[slugs[2]]
        assert "(6 before it)" in lines[slugs[6]]  # it is 5 now, and that is no news
        told = estate.asked(Tell)
        await trio.sleep(60)
        assert estate.asked(Tell) == told


async def test_a_position_that_changes_at_once_is_told_after_a_while(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path, max=1) as estate:
        a, b, c = (estate.spawn(task) for task in ("apples", "bread", "coffee"))
        await estate.wake()
        await estate.runs(a)
        await estate.finish(a)
        await estate.runs(b)
        await trio.sleep(0.1)
        assert "(2 before it)" in estate.lines()[c]
        await trio.sleep(2 * LOOK_EVERY)
        assert "(1 before it)" in estate.lines()[c]


async def test_what_is_open_after_a_restart_of_the_service_is_begun_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def before(books: Books, state: Path) -> None:
        books.at_work("apples")
        preparing = books.spawn("bread").slug
        books.do(PrepareSubagent(slug=preparing))
        books.finish(books.at_work("coffee"))

    async with open_estate(tmp_path, before=before) as estate:
        await estate.runs("apples", "bread")
        await trio.sleep(10)
        assert sorted(estate.starts) == ["apples", "bread"]
        assert estate.states()["coffee"] == "completed"


# --- waiting


async def test_a_chain_of_parents_that_wait_in_a_tool_ends_with_one_slot(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path, max=1) as estate:
        chain = [await estate.running("level 1")]
        for level in range(2, 4):
            chain.append(await estate.running(f"level {level}", chain[-1], wait=True))
        await trio.sleep(1)
        assert estate.system.snapshot(REGISTRAR).doing == "1 runs, 2 wait, 0 queued"
        for slug in reversed(chain):
            await until(lambda slug=slug: not estate.row(slug).waiting)  # type: ignore[misc]
            assert (estate.row(slug).parent is None) == (slug == chain[0])
            await estate.finish(slug)
            await estate.ended(slug)
        assert all(state == "completed" for state in estate.states().values())
        for parent in chain[:2]:  # once for the child's end, once for the slot
            assert estate.agents.count((estate.room.slug, parent)) == 2


async def test_one_that_awaits_a_child_goes_on_though_another_child_is_open(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        parent = await estate.running("apples")
        other = await estate.running("bread", parent)
        child = estate.spawn("coffee", parent)
        estate.books.do(AwaitReport(slug=child))
        await estate.wake()
        await estate.runs(child)
        await estate.finish(child)
        await until(lambda: not estate.row(parent).waiting)
        assert not estate.row(other).ended
        assert estate.wakes.count(parent) >= 1


async def test_one_between_two_runs_goes_on_when_all_its_children_have_ended(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        parent = await estate.running("apples")
        children = [estate.spawn(task, parent) for task in ("bread", "coffee")]
        estate.books.do(WaitForChildren(slug=parent))
        await estate.wake()
        await estate.runs(*children)
        await estate.finish(children[0])
        await trio.sleep(30)
        assert estate.row(parent).waiting
        await estate.finish(children[1])
        await until(lambda: not estate.row(parent).waiting)


# --- ending


async def test_who_must_know_of_an_end_hears_of_it_and_what_it_left_goes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        folders = estate.folders(a)
        estate.agents.clear()
        estate.outbox.clear()
        await estate.finish(a)
        await estate.ended(a)
        await until(lambda: not any(folder.exists() for folder in folders))
        assert estate.agents == [("shop", None)]
        assert estate.inbounds() == [f"subagent:{a}"]
        assert [each.room.slug for each in estate.router if isinstance(each, WakeRoom)] == ["shop"]
        assert estate.outbox == [Wake()]


async def test_the_end_of_a_child_wakes_its_parent_and_not_the_room(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        parent = await estate.running("apples")
        child = await estate.running("bread", parent)
        estate.agents.clear()
        estate.wakes.clear()
        await estate.finish(child)
        await estate.ended(child)
        assert estate.agents == [("shop", parent)]
        assert estate.wakes == [parent]
        assert estate.router == []


async def test_a_folder_that_cannot_be_removed_keeps_nothing_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        folder, _ = estate.folders(a)
        estate.unremovable.add(a)
        await estate.finish(a)
        await estate.ended(a)
        await trio.sleep(1)
        estate.unremovable.clear()
        await trio.sleep(3700)  # the next sweep finds it
        assert not folder.exists()
        assert estate.system.snapshot(REGISTRAR).incarnation == 1


async def test_a_queued_one_that_is_to_end_ends_at_once_with_a_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path, max=1) as estate:
        a, b = estate.spawn("apples"), estate.spawn("bread")
        await estate.wake()
        await estate.runs(a)
        estate.books.do(StopSubagents(slug=b))
        await estate.wake()
        await estate.ended(b)
        assert "cancelled before it began" in estate.lines()[b]
        assert estate.starts == [a]
        assert estate.inbounds() == [f"subagent:{b}"]


async def test_a_tree_is_ended_from_below(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path, max=9) as estate:
        top = await estate.running("top")
        middle = await estate.running("middle", top)
        deep = await estate.running("deep", middle)
        estate.wakes.clear()
        estate.books.do(StopSubagents(slug=top))
        await estate.wake()
        await estate.ended(top, middle, deep)
        first = list(dict.fromkeys(estate.wakes))
        assert first == [deep, middle, top]
        assert estate.ends_that_counted() == [deep, middle, top]
        assert set(estate.states().values()) == {"cancelled"}


async def test_one_that_does_not_end_in_time_is_ended(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        parent = await estate.running("apples")
        child = await estate.running("bread", parent)
        estate.deaf.add(child)
        estate.books.do(StopSubagents(slug=parent))
        await estate.wake()
        await trio.sleep(GRACE - 1)
        assert not estate.row(child).ended
        assert parent not in estate.wakes
        with trio.fail_after(3 * LOOK_EVERY):
            await estate.ended(child, parent)
        assert estate.row(child).state is CANCELLED
        assert "20 s" in estate.row(child).error
        assert (estate.row(parent).text, estate.row(parent).error) == ("so far", "")


async def test_one_that_is_to_end_after_a_restart_of_the_service_keeps_what_is_there(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def before(books: Books, state: Path) -> None:
        slug = books.at_work("apples")
        unbegun = books.spawn("bread").slug
        books.do(PrepareSubagent(slug=unbegun))
        for each in (slug, unbegun):
            books.do(StopSubagents(slug=each))

    async with open_estate(tmp_path, before=before) as estate:
        await estate.ended("apples", "bread")
        assert estate.starts == ["apples"]
        assert (estate.row("apples").state, estate.row("apples").text) == (CANCELLED, "so far")
        assert estate.row("bread").state is CANCELLED


# --- what people decide; more in test_deciding.py


async def test_a_decision_is_made_once_and_answered(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_estate(tmp_path) as estate:
        a = await estate.running("apples")
        await estate.finish(a, changes=changes(str(estate.state / "results" / a)))
        await estate.ended(a)
        command = estate.books.say(f"/apply {a}", command="apply")
        wanted = Decide(room="shop", command=command.inbound, reply_to=command.inbound, slug=a, what="apply")
        estate.router.clear()
        estate.slow = 3.0
        for _ in range(3):
            estate.registrar.tell_nowait(wanted)
            await trio.sleep(0.5)
        await until(lambda: bool(estate.answers()))
        await trio.sleep(1)
        estate.registrar.tell_nowait(wanted)
        await trio.sleep(1)
        assert len(estate.applied) == 1
        assert estate.answers() == [f"What `{a}` made is in the workspace now: `a.txt`."]
        assert estate.row(a).kept == "applied"
        assert estate.router
        assert estate.books.work().commands == ()
