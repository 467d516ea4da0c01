"""A real disk that is really full, and then is not any more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
import trio

from actors.messages import Accepted, ListRooms
from actors.store import database
from actors.store.errors import StoreUnavailable, Trouble
from actors.store.store import Store
from actors.store.transaction import probe
from supervisor import StartFailed, open_system
from tests.actors.store.books import Books
from tests.actors.store.test_store import accept, tree

REPOSITORY = Path(__file__).parents[3]
OWN_DISK = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$0" -m tests.actors.store.full "$1"'


def test_on_a_full_disk_nothing_is_lost_and_its_end_is_noticed(tmp_path: Path) -> None:
    # A mount of its own that only this process sees; who is not root is so in a namespace of users.
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    done = subprocess.run(
        [*unshare, "sh", "-c", OWN_DISK, sys.executable, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "refused": ["the disk of the service is full", "there is space"],
        "again": ["StoreUnavailable"] * 5,
        "outage": "the disk of the service is full",
        "still": True,
        "another": "the disk of the service is full",
        "lost": 0,
        "integrity": "ok",
    }


@pytest.mark.parametrize(
    ("harm", "trouble"),
    [("full", Trouble.FULL), ("read-only", Trouble.READ_ONLY), ("busy", Trouble.BUSY), (None, None)],
)
def test_what_keeps_it_from_being_written(books: Books, path: Path, harm: str | None, trouble: Trouble | None) -> None:
    other = apsw.Connection(str(path))
    books.db.set_busy_timeout(1)

    def refuse() -> bool:
        raise apsw.FullError("database or disk is full")

    match harm:
        case "full":
            books.db.set_commit_hook(refuse)
        case "read-only":
            books.db.pragma("query_only", True)
        case "busy":
            other.execute("BEGIN IMMEDIATE")
        case _:
            pass
    assert probe(books.db) is trouble
    assert not books.db.in_transaction
    other.close()


async def test_the_tree_says_since_when(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_system(tree(path)) as system:
        store = system.ref("/store", Store)
        assert system.snapshot("/store").doing is None

        def full(_db: object, _setting: object, requests: list[object]) -> list[object]:
            return [StoreUnavailable("database or disk is full", Trouble.FULL) for _ in requests]

        monkeypatch.setattr("actors.store.database.commit", full)
        with pytest.raises(StoreUnavailable):
            await store.ask(accept(1), timeout=5)
        doing = system.snapshot("/store").doing or ""
        assert doing.startswith("the disk of the service is full since ")
        assert doing.endswith(" UTC")


async def test_a_busy_file_is_no_outage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.store.schema.BUSY_TIMEOUT", 1)
    async with open_system(tree(path)) as system:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as caught:
            await system.ref("/store", Store).ask(ListRooms(), timeout=5)
        other.close()
        assert (caught.value.plight, system.snapshot("/store").doing) == ("", None)


async def test_a_start_on_a_full_disk_waits_for_space(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("actors.store.store.PROBE_EVERY", 0.01)
    tries: list[Path] = []
    truly = database._connect

    async def full(path: Path) -> "apsw.AsyncConnection":
        tries.append(path)
        if len(tries) < 4:
            raise apsw.FullError("database or disk is full")
        return await truly(path)

    monkeypatch.setattr("actors.store.database._connect", full)
    async with open_system(tree(path)) as system:
        store = system.ref("/store", Store)
        with pytest.raises(StoreUnavailable) as caught:
            await store.ask(accept(1), timeout=5)
        assert caught.value.plight == "the disk of the service is full"
        assert (system.snapshot("/store").doing or "").startswith("the disk of the service is full since ")
        with trio.fail_after(10):
            while system.snapshot("/store").doing:  # noqa: ASYNC110 - the tree is looked at
                await trio.sleep(0.01)
        assert isinstance(await store.ask(accept(1), timeout=5), Accepted)
        assert system.snapshot("/store").restarts == 0
    assert len([line for line in caplog.messages if "nothing is taken until there is space" in line]) == 1


async def test_a_start_that_no_space_would_help_fails(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot be opened"):
        async with open_system(tree(tmp_path / "nowhere/state.db")):
            pass
