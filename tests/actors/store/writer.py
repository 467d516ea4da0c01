"""A program for tests: accepts messages through a database as fast as it can and prints each key once it is durable.

`python -m tests.actors.store.writer PATH FIRST COUNT`: keys FIRST, FIRST + 1, …; ends by itself after COUNT of them.
"""

import os
import sys
from pathlib import Path

import trio

from actors.messages import Accept, Inbound, Place
from actors.store.database import Database, Job

WRITERS = 32


async def main(path: Path, first: int, count: int) -> None:
    """Accept `count` messages, some rooms at a time, and end without closing anything by hand."""
    database = await Database.open(path, Path("/work"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        async with trio.open_nursery() as writers:
            for number in range(WRITERS):
                writers.start_soon(write, database, range(first + number, first + count, WRITERS))
        nursery.cancel_scope.cancel()


async def write(database: Database, keys: range) -> None:
    """Accept these keys, each after the one before is durable."""
    for key in keys:
        place = Place("telegram", key % 5)
        inbound = Inbound(key=str(key), place=place, person=1, name="Ada", text="x" * 100, at=0.0)
        durable = trio.Event()

        def done(_: object, durable: trio.Event = durable, key: int = key) -> None:
            os.write(1, f"{key}\n".encode())
            durable.set()

        await database.submit(Job(Accept(inbound=inbound, capacity=1_000_000), done, fail))
        await durable.wait()


def fail(error: Exception) -> None:
    """No write fails here."""
    raise error


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
