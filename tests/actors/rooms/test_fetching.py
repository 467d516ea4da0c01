"""Files on their way; `test_conversation` sees them arrive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio
from trio.testing import MockClock

from actors.messages import Attachment, Fetch
from actors.rooms.fetching import DEADLINE, Fetching, FilesHere
from supervisor import ChildSpec, Message
from tests.actors.rooms.house import BookStore, Faults, Fetcher, until
from tests.actors.rooms.parts import open_context
from tests.actors.rooms.rows import ROOM
from tests.actors.store.books import Books

SENT = (Attachment(handle="a", name="a.txt", mime="", size=1), Attachment(handle="b", name="lost.txt", mime="", size=1))


class Rig(NamedTuple):
    """`gate`: set it, and files come. `files`: those of an accepted message."""

    fetching: Fetching
    files: tuple[Attachment, ...]
    gate: trio.Event
    told: list[Message]
    books: Books


@asynccontextmanager
async def open_rig(tmp_path: Path, *, nobody: bool = False) -> AsyncIterator[Rig]:
    books = Books(tmp_path / "state.db")
    books.say("look", attachments=SENT)
    gate = trio.Event()
    fetched: list[Fetch] = []
    store = ChildSpec("store", partial(BookStore, books, Faults()))
    fetcher = ChildSpec("files", partial(Fetcher, gate, fetched))
    async with open_context(store, fetcher) as (context, told, system):
        files = None if nobody else system.ref("/files", Fetcher)
        fetching = Fetching(context, system.ref("/store", BookStore), lambda _: files)
        yield Rig(fetching, books.work().queue[0].attachments, gate, told, books)
    books.db.close()


async def test_what_was_saved_stands_in_the_store_and_the_rest_has_a_reason(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rig(tmp_path) as rig:
        first, second = rig.files
        rig.fetching.begin(ROOM, rig.files)
        rig.gate.set()
        await until(lambda: bool(rig.told))
        assert rig.told == [FilesHere(saved={first.id: "uploads/a.txt"}, failed={second.id: "it is too large"})]
        assert [each.path for each in rig.books.work().queue[0].attachments] == ["uploads/a.txt", None]


async def test_what_does_not_arrive_has_a_reason(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        rig.fetching.begin(ROOM, rig.files[:1])
        await trio.sleep(DEADLINE + 1)
        (here,) = rig.told
        assert isinstance(here, FilesHere)
        assert "did not arrive" in here.failed[rig.files[0].id]


async def test_a_large_one_has_more_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        rig.fetching.begin(ROOM, [msgspec.structs.replace(rig.files[0], size=20_000_000)])
        await trio.sleep(DEADLINE + 199)
        assert rig.told == []
        await trio.sleep(2)
        (here,) = rig.told
        assert isinstance(here, FilesHere)
        assert here.failed[rig.files[0].id] == "it did not arrive within 290 s"


async def test_where_nobody_can_fetch_that_is_the_reason(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path, nobody=True) as rig:
        rig.fetching.begin(ROOM, rig.files[:1])
        await until(lambda: bool(rig.told))
        assert rig.told == [FilesHere(saved={}, failed={rig.files[0].id: "no files can be fetched from there"})]


async def test_what_is_given_up_is_not_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        rig.fetching.begin(ROOM, rig.files)
        await trio.sleep(1)
        rig.fetching.give_up()
        rig.gate.set()
        await trio.sleep(DEADLINE * 3)
        assert rig.told == []
