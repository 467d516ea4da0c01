"""What people decide about what a sub-agent made: each command is answered once, with one clear sentence."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import trio

from actors.messages import (
    Changes,
    Decide,
    Delivery,
    SettleResult,
    StoreRequest,
    SubagentState,
)
from actors.subagents import results
from actors.subagents.deciding import SHOWN, Deciding, Merging
from actors.subagents.folder import Folder
from actors.subagents.results import Applied, ApplyConflict, ApplyImpossible
from actors.subagents.sweep import DISK, Leavings
from actors.subagents.workspace import prepare
from supervisor import ChildSpec, Ref, Supervisor, System
from supervisor.testing import open_test_system
from tests.actors.rooms.house import BookStore, Boom, Faults, until
from tests.actors.store.books import Books
from tests.actors.subagents.rows import changes

What = Literal["apply", "diff", "discard"]


class Desk:
    """A room called shop, one that decides, and git as the test wants it."""

    def __init__(self, store: Ref[StoreRequest], books: Books, faults: Faults, state: Path) -> None:
        self.store = store
        self.books = books
        self.faults = faults
        self.state = state
        self.merging: tuple[str, ...] | Exception = ("a.txt",)
        self.pause = 0.0
        self.tries = 0
        self.diff = "+a line"
        self.applied: list[tuple[Changes, str]] = []
        self.deciding = Deciding(store, Merging(self._apply, self._show), Leavings(state, DISK), state / "outgoing")

    async def _apply(self, made: Changes, workspace: str) -> Applied:
        self.tries += 1
        await trio.sleep(self.pause)
        if isinstance(self.merging, Exception):
            raise self.merging
        self.applied.append((made, workspace))
        return Applied(self.merging)

    async def _show(self, _: Changes, most: int) -> str:
        return self.diff[:most]

    def made(self, task: str = "apples", **changed: Any) -> str:
        """One that has ended and changed something; its slug."""
        slug = self.books.at_work(task, **changed)
        folder = self.state / "results" / slug
        folder.mkdir(parents=True)
        (folder / "patch").write_text(self.diff, encoding="utf-8")
        self.books.finish(slug, changes=changes(str(folder)))
        return slug

    def wanted(self, what: What, slug: str) -> Decide:
        said = self.books.say(f"/{what} {slug}", command=what)
        return Decide(room="shop", command=said.inbound, reply_to=77, slug=slug, what=what)

    async def want(self, what: What, slug: str) -> Delivery:
        """Somebody wants it; what he is answered."""
        await self.deciding.do(self.wanted(what, slug))
        assert self.books.work().commands == ()
        return self.answers()[-1]

    def answers(self) -> list[Delivery]:
        return [each for each in self._all() if each.reply_to == 77]

    def lines(self) -> list[str]:
        rows = self.books.db.execute("SELECT text FROM deliveries WHERE key GLOB 'subagent:*' ORDER BY id")
        return [str(text) for (text,) in rows]

    def _all(self) -> list[Delivery]:
        self._arrived = [*getattr(self, "_arrived", []), *self.books.send_all()]
        return self._arrived


@asynccontextmanager
async def open_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    books, faults = Books(tmp_path / "state.db"), Faults()
    books.say(title="Shop")
    books.db.execute("UPDATE inbound SET state = 'done'")
    stores: list[Ref[StoreRequest]] = []

    def tree(system: System) -> Supervisor:
        stores.append(system.ref("/store", BookStore))
        return Supervisor(ChildSpec("store", partial(BookStore, books, faults)))

    async with open_test_system(tree):
        yield Desk(stores[0], books, faults, tmp_path / "state")
    books.db.close()


async def test_what_one_made_is_applied_to_the_rooms_workspace(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        answer = await desk.want("apply", slug)
        assert answer.text == f"What `{slug}` made is in the workspace now: `a.txt`."
        ((made, workspace),) = desk.applied
        assert (made.repository, workspace) == (
            str(desk.state / "results" / slug / "repository.git"),
            desk.books.work().room.workspace,
        )
        assert desk.books.subagent(slug).kept == "applied"
        assert "· applied" in desk.lines()[-1]
        assert not (desk.state / "results" / slug).exists()


async def test_told_again_after_its_answer_it_does_nothing(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        wanted = desk.wanted("apply", desk.made())
        for _ in range(2):
            room = await desk.deciding.do(wanted)
            assert room.slug == "shop"
        assert (len(desk.applied), len(desk.answers())) == (1, 1)


async def test_told_again_after_a_refusal_it_does_not_do_what_nobody_would_hear_of(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        wanted = desk.wanted("apply", slug)
        desk.merging = ApplyConflict(("a.txt",))
        await desk.deciding.do(wanted)
        desk.merging = ("a.txt",)
        await desk.deciding.do(wanted)
        assert (desk.applied, desk.books.subagent(slug).kept, len(desk.answers())) == ([], "open", 1)


async def test_told_twice_at_once_it_is_done_once(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        wanted = desk.wanted("apply", desk.made())
        desk.merging = ApplyConflict(("a.txt",))
        desk.pause = 0.05
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(desk.deciding.do, wanted)
        assert (desk.tries, len(desk.answers())) == (1, 1)


async def test_cut_off_before_its_answer_it_is_done_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.faults.before[SettleResult] = Boom("the store broke")
        answer = await desk.want("apply", slug)
        assert answer.text.startswith(f"What `{slug}` made is in the workspace now")
        assert len(desk.answers()) == 1


async def test_what_is_there_already_is_said_and_counts_as_applied(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.merging = ()
        assert "is in the workspace already" in (await desk.want("apply", slug)).text
        assert desk.books.subagent(slug).kept == "applied"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ApplyConflict(("a.txt", "b`.txt")),
            "conflicts with the workspace in `a.txt`, ``b`.txt``. Nothing was changed.",
        ),
        (
            ApplyImpossible("The workspace is gone."),
            "could not be applied: The workspace is gone. Nothing was changed.",
        ),
        (PermissionError(13, "Permission denied"), "could not be applied: Permission denied."),
    ],
    ids=["conflict", "impossible", "disk"],
)
async def test_what_cannot_be_applied_stays_open(error: Exception, said: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.merging = error
        assert said in (await desk.want("apply", slug)).text
        assert desk.books.subagent(slug).kept == "open"
        assert (desk.state / "results" / slug / "patch").exists()
        desk.merging = ("a.txt",)
        await desk.want("apply", slug)
        assert desk.books.subagent(slug).kept == "applied"


@pytest.mark.parametrize("what", ["apply", "diff", "discard"])
async def test_what_is_not_to_be_decided_is_said(what: What, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        is_open = desk.books.at_work("open")
        nothing = desk.books.at_work("nothing")
        desk.books.finish(nothing)
        applied = desk.made("applied")
        await desk.want("apply", applied)
        theirs = desk.books.say(title="Tea", place=desk.books.inbound().place.__class__("telegram", -9)).room
        other = desk.books.spawn("elsewhere", room=theirs.slug).slug
        for slug, said in {
            is_open: "has not ended yet",
            nothing: "changed no files",
            applied: "is in the workspace already",
            other: "There is no sub-agent",
            "nobody": "There is no sub-agent",
            "": "There is no sub-agent",
        }.items():
            assert said in (await desk.want(what, slug)).text
        assert len(desk.applied) == 1


async def test_what_was_made_for_another_sub_agent_is_not_the_rooms(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        top = desk.books.at_work("top")
        slug = desk.made("below", parent=top)
        for what in ("apply", "discard"):
            assert f"is for the sub-agent that began it, `{top}`" in (await desk.want(what, slug)).text
        assert (desk.books.subagent(slug).kept, desk.applied) == ("open", [])
        assert "+a line" in (await desk.want("diff", slug)).text


async def test_what_was_made_from_another_folder_is_not_merged_into_this_one(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.books.db.execute("UPDATE rooms SET workspace = '/src/api'")  # /topic
        said = (await desk.want("apply", slug)).text
        assert "could not be applied: it was made from /work/shop, and this room works in /src/api now" in said
        assert (desk.applied, desk.books.subagent(slug).kept) == ([], "open")
        assert "+a line" in (await desk.want("diff", slug)).text
        desk.books.db.execute("UPDATE rooms SET workspace = '/work/shop'")
        await desk.want("apply", slug)
        assert desk.books.subagent(slug).kept == "applied"


async def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        assert (await desk.want("discard", slug)).text == f"What `{slug}` made is discarded."
        assert desk.books.subagent(slug).kept == "discarded"
        assert "· discarded" in desk.lines()[-1]
        assert not (desk.state / "results" / slug).exists()
        assert "was discarded" in (await desk.want("apply", slug)).text
        assert desk.applied == []


async def test_a_small_diff_is_shown_and_a_large_one_is_sent_as_a_file(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        small = await desk.want("diff", slug)
        assert (small.file, "```\n+a line\n```" in small.text) == (None, True)
        desk.diff = "+ a line\n" * SHOWN
        slug = desk.made("bread")
        large = await desk.want("diff", slug)
        assert large.file is not None
        assert Path(large.file).name == f"{slug}.diff"
        assert Path(large.file).read_text(encoding="utf-8") == desk.diff  # noqa: ASYNC240  # a small file
        assert len(large.text) < 200
        assert desk.books.subagent(slug).kept == "open"


async def test_a_large_diff_that_cannot_be_sent_is_cut_and_says_so(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.diff = "+ a line\n" * SHOWN
        slug = desk.made()
        (desk.state / "results" / slug / "patch").unlink()
        said = await desk.want("diff", slug)
        assert said.file is None
        assert said.text.endswith("The rest is left out.")
        desk.diff = ""
        assert "is not in the service's folder any more" in (await desk.want("diff", slug)).text


async def test_of_two_who_decide_at_once_the_second_hears_of_the_first(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.pause = 0.05
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.deciding.do, desk.wanted("apply", slug))
            await trio.sleep(0.01)
            nursery.start_soon(desk.deciding.do, desk.wanted("discard", slug))
        first, second = (each.text for each in desk.answers())
        assert "is in the workspace now" in first
        assert "is in the workspace already" in second
        assert desk.deciding._locks == {}


async def test_a_third_who_decides_while_the_second_does_waits_too(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        first, slug = desk.made("apples"), desk.made("bread")
        desk.pause = 0.3
        async with trio.open_nursery() as nursery:
            for wanted in (desk.wanted("apply", first), desk.wanted("apply", slug)):
                nursery.start_soon(desk.deciding.do, wanted)
                await trio.sleep(0.01)
            await until(lambda: desk.tries == 2)
            nursery.start_soon(desk.deciding.do, desk.wanted("discard", slug))
        assert "already" in desk.answers()[2].text
        assert desk.books.subagent(slug).kept == "applied"
        assert desk.deciding._locks == {}


async def test_who_decides_while_the_agent_does_hears_of_that(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        slug = desk.made()
        desk.pause = 0.05
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.deciding.do, desk.wanted("apply", slug))
            await trio.sleep(0.01)
            desk.books.do(SettleResult(slug=slug, kept="applied"))
        (answer,) = desk.answers()
        assert "is in the workspace already" in answer.text
        assert desk.books.work().commands == ()


async def test_one_that_a_person_began_and_that_was_cancelled_can_be_applied(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        said = desk.books.say("/spawn apples", command="spawn")
        slug = desk.books.at_work("apples", by=said.inbound)
        desk.books.do(
            desk.books.ending(slug, outcome=SubagentState.CANCELLED, changes=changes(str(desk.state / "results/x")))
        )
        await desk.deciding.do(desk.wanted("apply", slug))
        assert desk.books.subagent(slug).kept == "applied"


async def test_with_real_workspaces_one_is_applied_and_the_next_conflicts(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        workspace = tmp_path / "room"
        desk.books.db.execute("UPDATE rooms SET workspace = ?", (str(workspace),))
        workspace.mkdir()
        (workspace / "a.txt").write_text("one\n", encoding="utf-8")
        slugs = []
        for said in ("two\n", "three\n"):
            slug = desk.books.at_work(f"say {said}")
            folder = Folder.of(desk.state, slug)
            await prepare(str(workspace), folder, slug=slug, isolation="copy", told=lambda _: None)
            (folder.work / "a.txt").write_text(said, encoding="utf-8")
            desk.books.finish(slug, changes=await results.collect(folder, desk.state / "results", slug=slug))
            slugs.append(slug)
        deciding = Deciding(
            desk.store, Merging(results.apply, results.diff), Leavings(desk.state, DISK), tmp_path / "outgoing"
        )
        for what, slug in (("diff", slugs[0]), ("apply", slugs[0]), ("apply", slugs[1]), ("discard", slugs[1])):
            await deciding.do(desk.wanted(what, slug))  # type: ignore[arg-type]
        diff, applied, conflict, discarded = (each.text for each in desk.answers())
        assert "-one\n+two\n" in diff
        assert applied == f"What `{slugs[0]}` made is in the workspace now: `a.txt`."
        assert "conflicts with the workspace in `a.txt`" in conflict
        assert discarded == f"What `{slugs[1]}` made is discarded."
        assert (workspace / "a.txt").read_text(encoding="utf-8") == "two\n"
        assert list((desk.state / "results").iterdir()) == []
