"""The store in a tree: asked through its ref, alive after errors, back with its rows after a restart."""

from functools import partial
from pathlib import Path

import apsw
import pytest
import trio

from actors.messages import Accept, Accepted, GetRoom, Inbound, Place, Pull
from actors.store.errors import UnknownRoom
from actors.store.store import Store
from supervisor import ChildSpec, StartFailed, Supervisor, open_system


def tree(path: Path) -> Supervisor:
    return Supervisor(ChildSpec("store", partial(Store, path, Path("/work"))))


def accept(key: int) -> Accept:
    inbound = Inbound(key=str(key), place=Place("telegram", 1), person=1, name="Ada", text="hi", at=0.0, title="Shop")
    return Accept(inbound=inbound, capacity=1000)


async def test_answers_what_it_is_asked_and_lives_on_after_an_error(path: Path) -> None:
    async with open_system(tree(path)) as system:
        store = system.ref("/store", Store)
        with pytest.raises(UnknownRoom):
            await store.ask(GetRoom(slug="shop"), timeout=5)
        assert isinstance(await store.ask(accept(1), timeout=5), Accepted)
        assert (await store.ask(GetRoom(slug="shop"), timeout=5)).slug == "shop"
        assert system.snapshot("/store").restarts == 0


async def test_many_askers_at_once(path: Path) -> None:
    async with open_system(tree(path)) as system:
        store = system.ref("/store", Store)
        async with trio.open_nursery() as nursery:
            for key in range(600):
                nursery.start_soon(partial(store.ask, accept(key), timeout=30))
        work = await store.ask(Pull(slug="shop"), timeout=5)
        assert len(work.queue) == 600


async def test_a_restart_brings_the_rows_back(path: Path) -> None:
    async with open_system(tree(path)) as system:
        store = system.ref("/store", Store)
        await store.ask(accept(1), timeout=5)
        await system.restart_child("/store")
        assert len((await store.ask(Pull(slug="shop"), timeout=5)).queue) == 1


@pytest.fixture
def damaged(path: Path) -> Path:
    path.write_text("not a database, but long enough to be looked at " * 20)
    return path


async def test_a_damaged_file_stops_the_start_with_one_sentence(damaged: Path) -> None:
    with pytest.raises(StartFailed, match="cannot be used as the database"):
        async with open_system(tree(damaged)):
            pass


async def test_another_writer_may_look(path: Path) -> None:
    async with open_system(tree(path)) as system:
        await system.ref("/store", Store).ask(accept(1), timeout=5)
        other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        assert other.execute("SELECT text FROM inbound").get == "hi"
        other.close()


def test_the_root_of_the_workspaces_is_absolute(path: Path) -> None:
    with pytest.raises(ValueError, match="absolute"):
        Store(path, Path("work"))
