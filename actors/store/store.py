"""The store actor: a thin shell that lends a place in the tree to the database.

Asked by everyone who must not lose something; asks nobody. A request is answered when its transaction is durable.
"""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from actors.messages import StoreRequest
from actors.store.database import PROBE_EVERY, Database, Job, Outage
from actors.store.errors import StoreUnavailable, StoreUnopened, Trouble
from supervisor import Actor, Description, Mailbox, Overflow, Promise

_log = logging.getLogger(__name__)


class Store(Actor[StoreRequest]):
    """Keeps everything that must outlive a crash.

    A full, read-only or busy disk is a reply (`StoreUnavailable`), as are `UnknownRoom` and `Conflict`: it lives on.
    A start may fail with `StoreUnopened`, `StoreCorrupt` or `StoreTooNew`, but not because the disk is full: that is
    waited for, and a reply meanwhile. A file that turns out damaged ends it.
    """

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, path: Path, root: Path) -> None:
        """`path`: the database file. `root`: absolute folder of the rooms' workspaces."""
        if not root.is_absolute():
            raise ValueError(f"the root of the workspaces must be an absolute path, not {root}")
        self._path = path
        self._root = root
        self._database: Database | None = None
        self._unopened: Outage | None = None

    async def started(self) -> None:
        try:
            await self._open()
        except StoreUnopened as error:
            if error.trouble is not Trouble.FULL:
                raise
            _log.error("%s: nothing is taken until %s", error.trouble.clause, error.trouble.until)
            self._unopened = Outage(error.trouble, time.time())
            self.context.start_soon(self._open_later)

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        if self._database is None:
            promise.fail(StoreUnavailable("it is not open yet", Trouble.FULL))
        else:
            await self._database.submit(Job(message, promise.set, promise.fail))
        return promise

    def describe(self) -> Description:
        outage = self._unopened if self._database is None else self._database.outage
        if outage is None:
            return Description()
        since = datetime.fromtimestamp(outage.since, UTC)
        return Description(doing=f"{outage.trouble.clause} since {since:%H:%M:%S} UTC")

    async def _open(self) -> None:
        self._database = await Database.open(self._path, self._root)
        self.context.start_soon(self._database.run)

    async def _open_later(self) -> None:
        while self._database is None:
            await trio.sleep(PROBE_EVERY)
            try:
                await self._open()
            except StoreUnopened as error:
                if error.trouble is not Trouble.FULL:
                    raise
