"""A database on a disk that is full for a while; started by `test_full_disk` on a small file system of its own.

Prints what it saw as JSON.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

import apsw
import trio

from actors.messages import Accept, Accepted, Inbound, Place, StoreRequest
from actors.store.database import Database, Job
from actors.store.errors import StoreUnavailable, StoreUnopened


def accept(key: int) -> Accept:
    inbound = Inbound(
        key=str(key), place=Place("telegram", 1), person=1, name="Ada", text="x" * 5000, at=0.0, title="Shop"
    )
    return Accept(inbound=inbound, capacity=10_000)


async def ask(database: Database, request: StoreRequest) -> object:
    """The reply, or the error in its place."""
    send, receive = trio.open_memory_channel[object](1)
    await database.submit(Job(request, send.send_nowait, send.send_nowait))
    return await receive.receive()


def fill(disk: Path) -> None:
    """Take what is left of the disk."""
    with (disk / "filler").open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"\0" * 4096)


async def main(disk: Path) -> None:
    database = await Database.open(disk / "state.db", Path("/work"))
    saw: dict[str, object] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        taken = [isinstance(await ask(database, accept(key)), Accepted) for key in range(10)]
        fill(disk)
        refused = None
        for key in range(10, 500):  # the log may still have room
            reply = await ask(database, accept(key))
            taken.append(isinstance(reply, Accepted))
            if isinstance(reply, StoreUnavailable):
                refused = reply
                break
        assert refused is not None
        saw["refused"] = [refused.plight, refused.until]
        again = [await ask(database, accept(1000 + number)) for number in range(5)]
        saw["again"] = [type(reply).__name__ for reply in again]
        saw["outage"] = database.outage is not None and database.outage.trouble.clause
        await trio.sleep(2.5)
        saw["still"] = database.outage is not None
        try:
            await Database.open(disk / "other.db", Path("/work"))
        except StoreUnopened as error:
            saw["another"] = error.trouble is not None and error.trouble.clause
        (disk / "filler").unlink()
        with trio.fail_after(10):
            while database.outage is not None:  # noqa: ASYNC110 - the database tells nobody
                await trio.sleep(0.05)
        taken.append(isinstance(await ask(database, accept(2000)), Accepted))
        nursery.cancel_scope.cancel()
    db = apsw.Connection(str(disk / "state.db"))
    saw["lost"] = sum(taken) - int(db.execute("SELECT count(*) FROM inbound").get)
    saw["integrity"] = db.pragma("integrity_check")
    sys.stdout.write(json.dumps(saw))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
