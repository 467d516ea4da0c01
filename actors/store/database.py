"""The database as trio sees it: one file, one connection in a thread of its own, one transaction at a time.

Group commit: what is submitted while a transaction runs makes up the next one. Spoken to by the store actor; knows
nothing of actors.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final, NamedTuple, Self

import apsw
import trio

from actors.messages import StoreRequest
from actors.store.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreUnopened, Trouble
from actors.store.rooms import Setting
from actors.store.schema import prepare
from actors.store.transaction import CORRUPT, UNAVAILABLE, commit, meaning, probe

BATCH = 256
"""Requests of one transaction, and requests that may wait for the next."""
PROBE_EVERY: Final = 2.0
"""Seconds between two tries whether a disk that failed can be written again."""

_log = logging.getLogger(__name__)


class Outage(NamedTuple):
    """Nothing can be written, `since` that time (Unix seconds)."""

    trouble: Trouble
    since: float


class Job(NamedTuple):
    """A request and whom to tell: `done` takes the reply once it is durable, `failed` the reason why it is not."""

    request: StoreRequest
    done: Callable[[object], None]
    failed: Callable[[Exception], None]


class Database:
    """Made by `open`, which must be followed by `run` in a task of its own: only that closes the connection.

    SQLite's thread is no daemon and would keep the process from ending; `run` closes it however it is left.
    `outage`: why nothing can be written now, if that is so.
    """

    def __init__(self, connection: "apsw.AsyncConnection", root: Path, wall: Callable[[], float]) -> None:
        self._connection = connection
        self._root = root
        self._wall = wall
        self.outage: Outage | None = None
        self._probe_at = inf
        self._submit, self._submitted = trio.open_memory_channel[Job](BATCH)

    @classmethod
    async def open(cls, path: Path, root: Path, *, wall: Callable[[], float] = time.time) -> Self:
        """Opens or creates the file at `path` and brings it to the newest version.

        `root`: absolute folder of the rooms' workspaces; nothing is made in it. `wall`: gives Unix seconds.
        Raises `StoreUnopened`, `StoreCorrupt`, `StoreTooNew`.
        """
        with trio.CancelScope(shield=True):
            try:
                connection = await _connect(path)
            except UNAVAILABLE as error:
                lasts = await trio.to_thread.run_sync(_is_out_of_reach, path)
                raise StoreUnopened(str(path), str(error), None if lasts else meaning(error)) from error
            except CORRUPT as error:
                raise StoreCorrupt(str(path), str(error)) from error
        return cls(connection, root, wall)

    async def submit(self, job: Job) -> None:
        """Hands a request over; waits while `BATCH` others wait. Its reply comes when its transaction has ended."""
        await self._submit.send(job)

    async def run(self) -> None:
        """Commits what is submitted, until it is cancelled; a transaction that has begun is ended first.

        Raises `StoreCorrupt`. Jobs that were not begun are told nothing.
        """
        try:
            while True:
                jobs: list[Job] = []
                with trio.move_on_at(self._probe_at):
                    jobs = [await self._submitted.receive(), *self._others()]
                if jobs:
                    await self._commit(jobs)
                if trio.current_time() >= self._probe_at:
                    await self._probe()
        finally:
            self._submitted.close()
            with trio.CancelScope(shield=True):
                await self._connection.aclose()

    def _others(self) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < BATCH - 1:
            try:
                jobs.append(self._submitted.receive_nowait())
            except trio.WouldBlock:
                break
        return jobs

    async def _commit(self, jobs: list[Job]) -> None:
        setting = Setting(self._wall(), str(self._root), secrets.token_hex(4))
        requests = [job.request for job in jobs]
        # Shielded: SQLite's thread would go on with a cancelled transaction, and take a caller's deadline for its own.
        with trio.CancelScope(shield=True):
            replies = await self._connection.async_run(commit, self._connection, setting, requests)
        troubles = [reply.trouble for reply in replies if isinstance(reply, StoreUnavailable)]
        if troubles and troubles[0] is not Trouble.BUSY:
            self._note(troubles[0])
        for job, reply in zip(jobs, replies, strict=True):
            if isinstance(reply, StoreError):
                job.failed(reply)
            else:
                job.done(reply)

    async def _probe(self) -> None:
        # A transaction that succeeds says nothing: it may have had nothing to write.
        with trio.CancelScope(shield=True):
            found = await self._connection.async_run(probe, self._connection)
        if found is Trouble.BUSY and self.outage is not None:
            found = self.outage.trouble  # who knows
        self._note(found)

    def _note(self, trouble: Trouble | None) -> None:
        """The disk is so now."""
        self._probe_at = inf if trouble is None else trio.current_time() + PROBE_EVERY
        before = self.outage
        if trouble is None:
            self.outage = None
            if before is not None:
                _log.warning("the database can be written again, after %.0f s", self._wall() - before.since)
        elif before is None or before.trouble is not trouble:
            self.outage = Outage(trouble, self._wall())
            _log.error("%s: nothing new is taken until %s", trouble.clause, trouble.until)


async def _connect(path: Path) -> "apsw.AsyncConnection":
    connection = await apsw.Connection.as_async(str(path))
    try:
        await connection.async_run(prepare, connection)
    except BaseException:
        await connection.aclose()
        raise
    return connection


def _is_out_of_reach(path: Path) -> bool:
    """Whether something stands there that can never be the database, or that is not ours to use."""
    return path.exists() and not (path.is_file() and os.access(path, os.R_OK | os.W_OK))
