"""The sub-agents' campaign: agents give work to sub-agents while these, they and the service are killed at random.

Some wait for the report, some do not, some sub-agents begin others. At the end all falls silent, and each sub-agent is
held against what is promised: one end, one report where it belongs, one line for people, and nothing left of it.
"""

import argparse
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, Final

import trio

from tests.bench.telegram_table import milliseconds, percentile
from tests.campaign.house import House, open_house
from tests.campaign.people import Place, places
from tests.campaign.table import Line, Table, promise
from tests.fakes.telegram import FakeTelegram

CONFIG: Final = "[rooms]\nbusy = 'follow_up'\n[subagents]\nmax = 6\nmax_per_room = 3\nmax_depth = 3\n"
JOBS: Final = (
    "spawn: slow: {n} ;; run: echo {token} > {token}.txt",
    "delegate: slow: {n} ;; run: echo {token} > {token}.txt",
    "spawn: delegate: slow: {n} ;; run: echo {token}",
    "delegate: delegate: slow: {n}",
    "spawn: spawn: slow: {n}",
    "spawn: slow: {n}\nspawn: run: echo {token}\ndelegate: slow: {n}",
)
MOST_OPEN: Final = 10
"""Sub-agents of one room that are open before it is asked for more."""
KILLED: Final = {"child": 0.45, "parent": 0.25, "service": 0.3}
QUIET: Final = 240.0
"""Seconds for all to come to its end after the last kill."""
_ENDED: Final = ("completed", "failed", "timed_out", "cancelled", "lost")


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kills", type=int, default=200, help="how often something is killed (200)")
    parser.add_argument("--rooms", type=int, default=3, help="how many rooms (3)")
    parser.add_argument("--fan", type=int, default=50, help="how many are begun at once for the fan-out (50)")


async def run(options: argparse.Namespace) -> list[Table]:
    """The tables: the kills, then the fan-out."""
    return [await kills(options.seed, options.kills, options.rooms), await fan_out(options.fan)]


async def kills(seed: int, count: int, rooms: int = 3, seconds: float = float("inf")) -> Table:
    """So many kills, or as many as there are in `seconds`."""
    async with FakeTelegram.serve() as fake:
        where = places(fake, rooms)
        async with open_house(fake, people=[place.chat for place in where], config=CONFIG, strict=False) as house:
            stage = Stage(house, fake, where, random.Random(seed))
            until = trio.current_time() + seconds
            await house.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.ask_for_ever)
                while stage.killed.total() < count and trio.current_time() < until:
                    await stage.kill_one()
                nursery.cancel_scope.cancel()
            await stage.rest()
            broken = stage.broken()
            if code := await house.stop():
                broken.append(f"the service ended with {code} when it was told to stop")
        broken += house.left
        return stage.table(seed, broken)


class Row(dict[str, Any]):
    """One row of the table of sub-agents."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Stage:
    """The rooms, what they are asked for, and who is killed."""

    def __init__(self, house: House, fake: FakeTelegram, where: Sequence[Place], chance: random.Random) -> None:
        self.house = house
        self.fake = fake
        self.where = where
        self.chance = chance
        self.killed: Counter[str] = Counter()
        self.asked = 0
        self.found: list[Row] = []

    # --- what happens

    async def ask_for_ever(self) -> None:
        """Work for the rooms, as long as they have not too much of it."""
        while True:
            await trio.sleep(self.chance.uniform(0.3, 1.5))
            place = self.chance.choice(self.where)
            busy = Counter(row.room for row in await self.rows() if row.ended_at is None)
            if busy[place.room] < MOST_OPEN:
                self.asked += 1
                words = self.chance.choice(JOBS).format(n=self.chance.randint(5, 60), token=f"job-{self.asked}")
                self.fake.say(place.chat, words, sender=place.person)

    async def kill_one(self) -> None:
        """Something is killed, if it is there."""
        await trio.sleep(self.chance.uniform(0.1, 2.5))
        [what] = self.chance.choices(list(KILLED), list(KILLED.values()))
        if what == "service":
            await self.house.kill()
            self.killed[what] += 1
            await self.house.start()
            return
        agents = await trio.to_thread.run_sync(self.house.agents)
        rooms = {place.room for place in self.where}
        found = sorted(slug for slug in agents if (slug in rooms) == (what == "parent"))
        if found:
            with suppress(ProcessLookupError):
                os.kill(agents[self.chance.choice(found)], signal.SIGKILL)
                self.killed[what] += 1

    async def rest(self) -> None:
        """Until nothing goes on any more."""
        deadline = trio.current_time() + QUIET
        while trio.current_time() < deadline:
            if not (await trio.to_thread.run_sync(self._open) or self._folders()):
                return
            await trio.sleep(0.2)  # another process's doings: nobody tells us of them

    def _open(self) -> list[str]:
        found = [f"sub-agent {row.slug} is {row.state}" for row in self._rows() if row.ended_at is None]
        return found + [f"{count} {what}" for what, count in self.house.books.open_rows().items() if count]

    def _folders(self) -> list[str]:
        rows = self._rows()
        state = self.house.state
        kept = {row.slug for row in rows if row.kept == "open"}
        found = [f"the folder subagents/{each.name}" for each in (state / "subagents").glob("*")]
        found += [f"the result {each.name}" for each in (state / "results").glob("*") if each.name not in kept]
        slugs = {row.slug for row in rows}
        return found + [f"the session of {each.name}" for each in (state / "sessions").glob("*") if each.name in slugs]

    async def rows(self) -> list[Row]:
        """All sub-agents."""
        return await trio.to_thread.run_sync(self._rows)

    def _rows(self) -> list[Row]:
        path = self.house.state / "state.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
            db.row_factory = sqlite3.Row
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'subagents'").fetchone():
                return []  # the service has just begun
            return [Row(dict(row)) for row in db.execute("SELECT * FROM subagents ORDER BY rowid")]

    # --- what came of it

    def broken(self) -> list[str]:
        """A sentence for each promise that was not kept."""
        rows = self.found = self._rows()
        told = [*self._open(), *(f"{each} is left" for each in self._folders())]
        told += [f"{row.slug} has a process" for row in rows if row.slug in self.house.agents()]
        for row in rows:
            told += self._of(row)
        return told

    def _of(self, row: Row) -> Iterator[str]:
        if row.ended_at is None:
            return
        if row.state not in _ENDED:
            yield f"{row.slug} ended as {row.state}"
        place = next(place for place in self.where if place.room == row.room)
        said = [text for text in self.fake.said(place.chat) if f"Sub-agent {row.slug}:" in text]
        ends = [
            text for text in said if any(word in text for word in ("completed", "failed", "cancelled", "lost", "ended"))
        ]
        if not ends:
            yield f"people were not told the end of {row.slug}: {said}"
        if len(said) > 1 and not any("second time" in text or "again" in text for text in said):
            yield f"people see {row.slug} {len(said)} times"
        if row.parent is None:
            times = self._heard(row)
            if times != 1:
                yield f"{row.slug} ({row.state}) was heard {times} times"

    def _heard(self, row: Row) -> int:
        """How often the room's agent has read its report; a report that was set aside counts, too."""
        files = (self.house.state / "sessions" / row.room).glob("*.jsonl")
        lines = [line for file in files for line in file.read_text().splitlines() if '"role":"assistant"' not in line]
        found = sum(f"[Report of sub-agent {row.slug}." in line for line in lines)
        return found or self._set_aside(row)

    def _set_aside(self, row: Row) -> int:
        path = self.house.state / "state.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
            query = "SELECT count(*) FROM inbound WHERE key = ? AND state = 'quarantined'"
            return int(db.execute(query, (f"subagent:{row.slug}",)).fetchone()[0])

    def table(self, seed: int, broken: list[str]) -> Table:
        """What is shown."""
        rows = self.found
        killed = ", ".join(f"{n} {what}" for what, n in sorted(self.killed.items()))
        others = [each for each in broken if not any(word in each for word in ("heard", "not told", "left", "process"))]
        lines = [
            Line(f"kills: {killed}", f"{self.killed.total()}"),
            Line("sub-agents begun", f"{len(rows)}"),
            *(Line(f"  {state}", f"{n}") for state, n in sorted(Counter(row.state for row in rows).items())),
            Line("  of these begun by sub-agents", f"{sum(row.parent is not None for row in rows)}"),
            promise("reports missing", [s for s in broken if "heard 0" in s or "not told" in s]),
            promise("reports twice", [s for s in broken if "heard" in s and "heard 0" not in s]),
            promise("processes, folders, sessions left", [s for s in broken if "left" in s or "process" in s]),
            promise("anything else", others),
        ]
        return Table(f"sub-agents: kills, seed {seed}", lines, broken)


async def fan_out(count: int) -> Table:
    """So many at once, of which eight run."""
    async with FakeTelegram.serve() as fake:
        [place] = places(fake, 1)
        config = "[subagents]\nmax = 8\nmax_per_room = 8\n"
        async with open_house(fake, people=[place.chat], config=config, strict=False) as house:
            stage = Stage(house, fake, [place], random.Random(0))
            await house.start()
            began = trio.current_time()
            fake.say(place.chat, "\n".join(f"spawn: run: echo number-{n}" for n in range(count)), sender=place.person)
            most = 0
            with trio.move_on_after(QUIET):
                while True:
                    rows = await stage.rows()
                    most = max(most, sum(row.state in ("preparing", "running") and not row.waiting for row in rows))
                    if len(rows) == count and all(row.ended_at is not None for row in rows):
                        break
                    await trio.sleep(0.05)
            lasted = trio.current_time() - began
            await stage.rest()
            broken = stage.broken()
            rows = await stage.rows()
            if len(rows) != count:
                broken.append(f"{len(rows)} of {count} were begun")
            if most > 8:
                broken.append(f"{most} ran at once")
            waits = [row.started_at - row.created_at for row in rows if row.started_at]
            await house.stop()
        broken += house.left
        lines = [
            Line(f"sub-agents of {count} completed", f"{sum(row.state == 'completed' for row in rows)}", f"{count}"),
            Line("most at once", f"{most}", "<= 8", most <= 8),
            Line("all of them took", f"{lasted:.1f} s"),
            Line("waited for a place, p50", milliseconds(percentile(waits, 50))),
            promise("promises broken", broken),
        ]
        return Table("sub-agents: fan-out", lines, broken)
