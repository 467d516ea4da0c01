"""What sub-agents leave on the disk: what goes, what stays, in which order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from actors.messages import Changes, StoreRequest
from actors.subagents.folder import Folder
from actors.subagents.sweep import DISK, KEEP, Disk, Leavings, result_folder
from supervisor import ChildSpec, Ref, Supervisor, System
from supervisor.testing import open_test_system
from tests.actors.rooms.house import BookStore, Faults
from tests.actors.store.books import Books
from tests.actors.subagents.rows import changes, sub


class Yard:
    """A state folder and the rows to it."""

    def __init__(self, store: Ref[StoreRequest], books: Books, state: Path) -> None:
        self.books = books
        self.state = state
        self.told: list[str] = []
        self.busy: set[str] = set()
        self._store = store

    def put(self, *names: str) -> None:
        for name in names:
            (self.state / name / "deep").mkdir(parents=True)
            (self.state / name / "deep" / "a.txt").write_text("text", encoding="utf-8")

    def made(self, slug: str) -> Changes:
        return changes(str(self.state / "results" / slug))

    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.state)) for path in self.state.glob("*/*"))

    async def sweep(self, disk: Disk = DISK) -> None:
        await Leavings(self.state, disk).sweep(
            self._store, is_busy=lambda slug: slug in self.busy, told=self._tell, now=self.books.now
        )

    async def _tell(self, room: str) -> None:
        self.told.append(room)


@asynccontextmanager
async def open_yard(tmp_path: Path) -> AsyncIterator[Yard]:
    books = Books(tmp_path / "state.db")
    books.say(title="Shop")
    stores: list[Ref[StoreRequest]] = []

    def tree(system: System) -> Supervisor:
        stores.append(system.ref("/store", BookStore))
        return Supervisor(ChildSpec("store", partial(BookStore, books, Faults())))

    async with open_test_system(tree):
        yield Yard(stores[0], books, tmp_path / "state")
    books.db.close()


async def test_only_what_belongs_to_an_open_row_stays(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        is_open, ended, just_ended = (yard.books.at_work(task) for task in ("open", "ended", "leaving"))
        for slug in (ended, just_ended):
            yard.books.finish(slug)
        names = (is_open, ended, just_ended, "stranger")
        yard.put(*(f"subagents/{name}" for name in names), *(f"sessions/{name}" for name in (*names, "shop")))
        yard.busy.add(just_ended)
        await yard.sweep()
        assert yard.left() == [
            "sessions/leaving",
            "sessions/open",
            "sessions/shop",
            "sessions/stranger",  # nobody knows whose that is
            "subagents/leaving",
            "subagents/open",
        ]


async def test_a_result_stays_while_nobody_has_decided_about_it(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        kept, nothing, applied, at_work = (yard.books.at_work(task) for task in ("kept", "nothing", "applied", "busy"))
        yard.books.finish(kept, changes=yard.made(kept))
        yard.books.finish(nothing)
        yard.books.finish(applied, changes=yard.made(applied))
        yard.books.db.execute("UPDATE subagents SET kept = 'applied' WHERE slug = ?", (applied,))
        yard.put(*(f"results/{name}" for name in (kept, nothing, applied, at_work, "stranger")))
        await yard.sweep()
        assert yard.left() == ["results/busy", "results/kept"]
        assert yard.told == []


async def test_a_result_that_nobody_wanted_for_two_weeks_goes_and_its_line_says_so(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        old, young = yard.books.at_work("old"), yard.books.at_work("young")
        yard.books.finish(old, changes=yard.made(old))
        yard.books.now += 1
        yard.books.finish(young, changes=yard.made(young))
        yard.put(f"results/{old}", f"results/{young}")
        yard.books.now += KEEP - 1
        await yard.sweep()
        assert yard.left() == ["results/young"]
        assert (yard.books.subagent(old).kept, yard.books.subagent(young).kept) == ("expired", "open")
        (line,) = [each for each in yard.books.due() if "old" in each.text]
        assert "· expired" in line.text
        assert line.keys == ()
        assert yard.told == ["shop"]
        await yard.sweep()
        assert yard.told == ["shop"]


async def test_of_one_that_has_ended_its_folder_goes_last(tmp_path: Path) -> None:
    gone: list[Path] = []

    async def remove(*folders: Path) -> None:
        gone.extend(folders)

    await Leavings(tmp_path, Disk(DISK.names, remove)).clear("apples")
    assert gone == [tmp_path / "sessions" / "apples", tmp_path / "subagents" / "apples"]


async def test_what_cannot_be_removed_is_left_and_the_rest_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def remove(*folders: Path) -> None:
        if folders[0].name == "first":
            raise PermissionError(13, "Permission denied")
        await DISK.remove(*folders)

    async with open_yard(tmp_path) as yard:
        yard.put("subagents/first", "subagents/second")
        await yard.sweep(Disk(DISK.names, remove))
        assert yard.left() == ["subagents/first"]
        assert "Permission denied" in caplog.text


async def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "a.txt").write_text("text", encoding="utf-8")
        (yard.state / "subagents").mkdir(parents=True)
        (yard.state / "subagents" / "trap").symlink_to(outside)
        await yard.sweep()
        assert yard.left() == []
        assert (outside / "a.txt").exists()


def test_a_result_of_a_child_goes_with_its_parent(tmp_path: Path) -> None:
    assert result_folder(tmp_path, sub("a")) == tmp_path / "results" / "a"
    assert result_folder(tmp_path, sub("b", parent="a")) == Folder.of(tmp_path, "a").reports / "b"
