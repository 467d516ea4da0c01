"""The database under trio: grouped commits, cancellation, kills, and an end that never hangs."""

import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import apsw
import pytest
import trio
import trio.testing

from actors.messages import Accept, Accepted, GetRoom, Inbound, ListRooms, Place, StoreRequest
from actors.store.database import BATCH, Database, Job
from actors.store.errors import StoreCorrupt, StoreTooNew, StoreUnavailable, StoreUnopened, UnknownRoom
from actors.store.rooms import Setting
from actors.store.transaction import commit
from supervisor import Request

R = TypeVar("R")
ROOT = Path("/work")
REPOSITORY = Path(__file__).parents[3]
WRITER = (sys.executable, "-m", "tests.actors.store.writer")


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Database]:
    database = await Database.open(path, ROOT, wall=lambda: 1000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        yield database
        nursery.cancel_scope.cancel()


async def ask(database: Database, request: Request[R]) -> R:
    """The reply; an error is raised."""
    send, receive = trio.open_memory_channel[object](1)
    await database.submit(Job(request, send.send_nowait, send.send_nowait))  # type: ignore[arg-type]  # the store's
    reply = await receive.receive()
    if isinstance(reply, Exception):
        raise reply
    return reply  # type: ignore[return-value]  # the request says what it is


def accept(key: int) -> Accept:
    inbound = Inbound(key=str(key), place=Place("telegram", 1), person=1, name="Ada", text="hi", at=0.0, title="Shop")
    return Accept(inbound=inbound, capacity=10_000)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each transaction had."""
    sizes: list[int] = []

    def counted(db: apsw.Connection, setting: Setting, requests: list[StoreRequest]) -> list[object]:
        sizes.append(len(requests))
        return commit(db, setting, requests)

    monkeypatch.setattr("actors.store.database.commit", counted)
    return sizes


def sqlite_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "apsw" in thread.name]


def gone(thread: threading.Thread) -> bool:
    thread.join(5)
    return not thread.is_alive()


async def test_answers_with_time_root_and_session(path: Path) -> None:
    async with running(path) as database:
        reply = await ask(database, accept(1))
        assert isinstance(reply, Accepted)
        assert (reply.room.workspace, reply.room.created_at) == ("/work/shop", 1000.0)
        with pytest.raises(UnknownRoom):
            await ask(database, GetRoom(slug="nope"))


async def test_what_comes_during_a_transaction_is_the_next_one(path: Path, batches: list[int]) -> None:
    replies: list[object] = []
    async with running(path) as database:
        async with trio.open_nursery() as nursery:

            async def one(key: int) -> None:
                reply = await ask(database, accept(key))
                replies.append(reply)

            for key in range(BATCH + 50):
                nursery.start_soon(one, key)
        assert sum(batches) == len(replies) == BATCH + 50
        assert max(batches) <= BATCH
        assert len(batches) < 10


async def test_submitting_waits_while_a_batch_waits(path: Path) -> None:
    database = await Database.open(path, ROOT)
    replies: list[object] = []
    for key in range(BATCH):
        await database.submit(Job(accept(key), replies.append, replies.append))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.submit, Job(accept(BATCH), replies.append, replies.append))
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        nursery.start_soon(database.run)
        while len(replies) <= BATCH:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert [type(reply) for reply in replies] == [Accepted] * (BATCH + 1)


async def test_a_transaction_that_has_begun_is_ended_when_cancelled(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: apsw.Connection, setting: Setting, requests: list[StoreRequest]) -> list[object]:
        begun.set()
        go_on.wait(5)
        return commit(db, setting, requests)

    monkeypatch.setattr("actors.store.database.commit", slow)
    replies: list[object] = []
    database = await Database.open(path, ROOT)
    (thread,) = sqlite_threads()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        await database.submit(Job(accept(1), replies.append, replies.append))
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        assert replies == []
        go_on.set()
    assert [type(reply) for reply in replies] == [Accepted]
    assert gone(thread)
    async with running(path) as database:
        (room,) = await ask(database, ListRooms())
        assert room.slug == "shop"


async def test_a_callers_deadline_reaches_no_statement(path: Path) -> None:
    with trio.move_on_after(0) as scope:
        database = await Database.open(path, ROOT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.run)
    assert scope.cancelled_caught
    async with running(path) as database:
        assert await ask(database, ListRooms()) == ()


async def test_a_busy_file_is_an_answer_and_passes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.store.schema.BUSY_TIMEOUT", 1)
    async with running(path) as database:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await ask(database, accept(1))
        other.execute("ROLLBACK")
        other.close()
        reply = await ask(database, accept(1))
        assert isinstance(reply, Accepted)


async def test_a_damaged_file_ends_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(db: apsw.Connection, *_: object) -> list[object]:
        raise StoreCorrupt(db.filename, "malformed")

    monkeypatch.setattr("actors.store.database.commit", damaged)
    database = await Database.open(path, ROOT)
    (thread,) = sqlite_threads()
    await database.submit(Job(accept(1), print, print))
    with pytest.raises(StoreCorrupt):
        await database.run()
    assert gone(thread)


def damaged_file(path: Path) -> None:
    path.write_text("not a database, but long enough to be looked at " * 20)


def newer_file(path: Path) -> None:
    newer = apsw.Connection(str(path))
    newer.pragma("user_version", 99)
    newer.close()


@pytest.mark.parametrize(
    ("make", "error"), [(Path.mkdir, StoreUnopened), (damaged_file, StoreCorrupt), (newer_file, StoreTooNew)]
)
async def test_what_cannot_be_opened_is_said_so_and_leaves_no_thread(
    path: Path, make: Callable[[Path], None], error: type[Exception]
) -> None:
    make(path)
    with pytest.raises(error, match=r"state\.db"):
        await Database.open(path, ROOT)
    assert all(gone(thread) for thread in sqlite_threads())


ENDS = {
    "cancel": "nursery.cancel_scope.cancel()",
    "error": "raise SystemExit(0)",
    "interrupt": "signal.raise_signal(signal.SIGINT); await trio.sleep_forever()",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_however_the_run_is_left(path: Path, end: str) -> None:
    program = f"""
import contextlib, signal, sys, trio
from pathlib import Path
from actors.store.database import Database

async def main():
    database = await Database.open(Path(sys.argv[1]), Path("/work"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        {ENDS[end]}

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
with contextlib.suppress(KeyboardInterrupt, BaseExceptionGroup):
    trio.run(main)
"""
    command = [sys.executable, "-c", program, str(path)]
    assert subprocess.run(command, cwd=REPOSITORY, timeout=30, check=False).returncode == 0
    assert not Path(f"{path}-wal").exists()  # SQLite removes its log when the last connection is closed


def test_no_acknowledged_write_is_lost_by_a_kill(path: Path) -> None:
    acknowledged: set[str] = set()
    for round_ in range(10):
        first = round_ * 1_000_000
        command = [*WRITER, str(path), str(first), "1000000"]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(200 + 50 * round_):
            acknowledged.add(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    db = apsw.Connection(str(path))
    assert db.pragma("integrity_check") == "ok"
    stored = {key for (key,) in db.execute("SELECT key FROM inbound")}
    db.close()
    assert len(acknowledged) > 2000
    assert acknowledged <= stored
