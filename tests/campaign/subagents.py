"""The sub-agents' campaign: agents give work to sub-agents while these, they and the service are killed at random.

Some wait for the report, some do not, some sub-agents begin others, some are a person's; some are frozen, stopped, out
of time, or without an answer of their model. At the end all falls silent, and each is held against what is promised:
one end, one report where it belongs, one line for people, and nothing left of it.
"""

import argparse
import random
from typing import Final

import trio

from tests.bench.telegram_table import milliseconds, percentile
from tests.campaign.house import open_house
from tests.campaign.people import places
from tests.campaign.subagents_stage import MOST_OPEN, QUIET, Stage, open_demo
from tests.campaign.subagents_verdict import Bounds, Broken, Kind, judge, table
from tests.campaign.table import Line, Table, promise
from tests.fakes.telegram import FakeTelegram

BOUNDS: Final = Bounds(6, 3)
FAN: Final = Bounds(8, 8)
DEPTH: Final = 3
TIMEOUT: Final = 15
"""Seconds that a sub-agent has for its work."""


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kills", type=int, default=200, help="how often something is killed (200)")
    parser.add_argument("--rooms", type=int, default=3, help="how many rooms (3)")
    parser.add_argument("--fan", type=int, default=50, help="how many are begun at once for the fan-out (50; 0: none)")


async def run(options: argparse.Namespace) -> list[Table]:
    """The tables: the kills, then the fan-out."""
    found = [await kills(options.seed, options.kills, options.rooms)] if options.kills else []
    return [*found, await fan_out(options.fan)] if options.fan else found


async def kills(
    seed: int, count: int, rooms: int = 3, seconds: float = float("inf"), most_open: int = MOST_OPEN
) -> Table:
    """So many kills, or as many as there are in `seconds`, and other trouble between them.

    `most_open`: sub-agents of one room that may be open when it is asked for more.
    """
    chance = random.Random(seed)
    async with FakeTelegram.serve() as fake, open_demo() as model:
        where = places(fake, rooms)
        people = [place.chat for place in where]
        async with open_house(fake, model, people=people, config=config(BOUNDS), strict=False) as house:
            stage = Stage(house, fake, where, chance, BOUNDS, most_open)
            await stage.begin()
            until = trio.current_time() + seconds
            async with trio.open_nursery() as looking:
                looking.start_soon(stage.look_for_ever)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(stage.ask_for_ever)
                    while stage.kills < count and trio.current_time() < until:
                        await stage.trouble_one(nursery)
                    nursery.cancel_scope.cancel()
                await stage.rest()
                looking.cancel_scope.cancel()
            facts = await trio.to_thread.run_sync(stage.sight.facts)
            broken = [*stage.sight.watch.broken, *judge(facts)]
            if code := await house.stop():
                broken.append(Broken(Kind.ELSE, f"the service ended with {code} when it was told to stop"))
        broken += [Broken(Kind.LEFT, each) for each in house.left]
    return table(f"sub-agents: kills, seed {seed}", facts.rows, stage.trouble, stage.sight.watch.most, broken)


async def fan_out(count: int) -> Table:
    """So many at once, of which eight run."""
    async with FakeTelegram.serve() as fake, open_demo() as model:
        where = places(fake, 1)
        [place] = where
        async with open_house(fake, model, people=[place.chat], config=config(FAN), strict=False) as house:
            stage = Stage(house, fake, where, random.Random(0), FAN)
            await stage.begin()
            began = trio.current_time()
            fake.say(place.chat, "\n".join(f"spawn: run: echo number-{n}" for n in range(count)), sender=place.person)
            async with trio.open_nursery() as looking:
                looking.start_soon(stage.look_for_ever)
                with trio.move_on_after(QUIET):
                    rows = await trio.to_thread.run_sync(stage.sight.rows)
                    while len(rows) < count or any(row.ended_at is None for row in rows):
                        await trio.sleep(0.05)
                        rows = await trio.to_thread.run_sync(stage.sight.rows)
                lasted = trio.current_time() - began
                await stage.rest()
                looking.cancel_scope.cancel()
            facts = await trio.to_thread.run_sync(stage.sight.facts)
            broken = [each.said for each in (*stage.sight.watch.broken, *judge(facts))]
            if len(facts.rows) != count:
                broken.append(f"{len(facts.rows)} of {count} were begun")
            await house.stop()
        broken += house.left
    waits = [row.started_at - row.created_at for row in facts.rows if row.started_at]
    completed = sum(row.state == "completed" for row in facts.rows)
    if completed != count:
        broken.append(f"{completed} of {count} completed")
    lines = [
        Line(f"sub-agents of {count} completed", f"{completed}", f"{count}", completed == count),
        Line("most at once", f"{stage.sight.watch.most}", f"<= {FAN.all}", stage.sight.watch.most <= FAN.all),
        Line("all of them took", f"{lasted:.1f} s"),
        Line("waited for a place, p50", milliseconds(percentile(waits, 50))),
        promise("promises broken", broken),
    ]
    return Table("sub-agents: fan-out", lines, broken)


def config(bounds: Bounds) -> str:
    """The configuration of a service with these bounds."""
    return (
        f"[rooms]\nbusy = 'follow_up'\n[subagents]\nmax = {bounds.all}\nmax_per_room = {bounds.room}\n"
        f"max_depth = {DEPTH}\ntimeout = {TIMEOUT}\n"
    )
