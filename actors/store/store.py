"""The store actor: a thin shell that lends a place in the tree to the database.

Asked by everyone who must not lose something; asks nobody. A request is answered when its transaction is durable.
"""

from pathlib import Path
from typing import Any

from actors.messages import StoreRequest
from actors.store.database import Database, Job
from supervisor import Actor, Mailbox, Overflow, Promise


class Store(Actor[StoreRequest]):
    """Keeps everything that must outlive a crash.

    A full, read-only or busy disk is a reply (`StoreUnavailable`), as are `UnknownRoom` and `Conflict`: it lives on.
    A start may fail with `StoreUnopened`, `StoreCorrupt` or `StoreTooNew`; a file that turns out damaged ends it.
    """

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, path: Path, root: Path) -> None:
        """`path`: the database file. `root`: absolute folder of the rooms' workspaces."""
        if not root.is_absolute():
            raise ValueError(f"the root of the workspaces must be an absolute path, not {root}")
        self._path = path
        self._root = root

    async def started(self) -> None:
        self._database = await Database.open(self._path, self._root)
        self.context.start_soon(self._database.run)

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        await self._database.submit(Job(message, promise.set, promise.fail))
        return promise
