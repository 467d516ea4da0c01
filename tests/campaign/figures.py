"""What the service itself costs: with a thousand rooms that sleep, and beside twenty agents that all speak.

The agents are real pis before the campaign's model, which streams to all of them at the pace of a real one. What is
counted is the processor's time and the memory of the service's own process, and of its agents' with their tools.
"""

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import trio

from actors.messages import Place
from tests.actors.store.books import Books
from tests.bench.telegram_house import TICK, own_share, resident
from tests.bench.telegram_table import milliseconds
from tests.campaign import mind
from tests.campaign.house import House, open_house
from tests.campaign.ledger import Ledger
from tests.campaign.model import Context, open_model
from tests.campaign.people import Manner, People, places
from tests.campaign.table import Line, Table
from tests.fakes.telegram import FakeTelegram

ROOMS: Final = 1000
TURNS: Final = 5
"""Of each room that sleeps."""
ENTRY: Final = '{"type":"message","id":"00000000","message":{"role":"user","content":[{"type":"text","text":"hi"}]}}\n'
SLEEPING_GOAL: Final = 120e6
SHARE_GOAL: Final = 0.10
WORDS: Final = 250
PACE: Final = 1 / 50
"""Seconds between two words of the model: about that of a fast one."""
SETTLING: Final = 3.0
"""Seconds of rest before a measurement."""
WARM: Final = 120.0
"""Seconds for all agents to have started and answered once."""


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rooms", type=int, default=ROOMS, help=f"how many sleep ({ROOMS})")
    parser.add_argument("--agents", type=int, default=20, help="how many are at work (20)")
    parser.add_argument("--seconds", type=float, default=30.0, help="for how long (30)")


async def run(options: argparse.Namespace) -> list[Table]:
    """The two tables."""
    return [await sleeping(options.rooms), await at_work(options.seed, options.agents, options.seconds)]


# --- asleep -----------------------------------------------------------------------------------------------------------


async def sleeping(rooms: int) -> Table:
    """The service's memory after a start with so many known rooms, and after one with none."""
    async with FakeTelegram.serve() as fake, open_house(fake, people=range(5000, 5000 + rooms)) as house:
        empty = await memory_after_a_start(house)
        made = perf_counter()
        await trio.to_thread.run_sync(furnish, house.state, rooms)
        made = perf_counter() - made
        before = trio.current_time()
        full = await memory_after_a_start(house)
        polled = next(call.at for call in fake.called("getUpdates") if call.at > before) - before
        size = house.books.path.stat().st_size
    lines = [
        Line("service, no room known: resident", megabytes(empty.resident)),
        Line(f"service, {rooms:,} rooms asleep: resident", megabytes(full.resident), megabytes(SLEEPING_GOAL))._replace(
            good=full.resident <= SLEEPING_GOAL
        ),
        Line("  its own and its share of the common (PSS)", megabytes(full.share)),
        Line("  the agents' keeper (PSS)", megabytes(full.beside)),
        Line("  start → first poll", f"{polled * 1e3:,.0f} ms"),
        Line("  database", megabytes(size)),
        Line("  turns in it", f"{rooms * TURNS:,}"),
    ]
    return Table(f"{rooms:,} known rooms asleep", lines, figures=[lines[1]])


class Memory(NamedTuple):
    """Bytes: of the service's process, and what is beside it."""

    resident: int
    share: int
    beside: int


async def memory_after_a_start(house: House) -> Memory:
    """Starts the service, lets it come to rest, looks, and stops it."""
    await house.start()
    await trio.sleep(SETTLING)
    pid = house.process.pid
    beside = sum(own_share(process.pid) for process in house.processes() if process.pid != pid)
    found = Memory(resident(pid), own_share(pid), beside)
    await house.stop()
    return found


def furnish(state: Path, rooms: int) -> None:
    """Rooms with a history, as the store and pi would have written it. The service must not run."""
    books = Books(state / "state.db")
    books.db.pragma("synchronous", "off")
    for number in range(rooms):
        place = Place("telegram", 5000 + number)
        room = None
        for turn in range(TURNS):
            said = books.say(f"message {turn} of room {number}, some words long", place=place, title=f"Person {number}")
            name = f"turn of {said.inbound}"
            room = books.begin(name, said)
            books.end(room, name, "an answer of a few lines.\n" * 10)
            books.send_all()
        assert room is not None
        folder = state / "sessions" / room.slug
        folder.mkdir(parents=True)
        (folder / f"2026-01-01T00-00-00-000Z_{room.session_id}.jsonl").write_text(ENTRY * 50)
    books.db.close()


# --- at work ----------------------------------------------------------------------------------------------------------


class Used(NamedTuple):
    """Seconds of the processor and bytes of memory (PSS): the service's, and its agents' with all that they began."""

    service: float
    agents: float
    service_memory: int
    agents_memory: int


async def at_work(seed: object, agents: int, seconds: float) -> Table:
    """What the service uses while all its agents speak, against what they use."""
    manner = Manner(pause=(0.5, 2.0), kinds=(("stream", 3.0), ("tool", 1.0)), joins=0.0)
    ledger = Ledger()
    async with FakeTelegram.serve() as fake, open_model(at_a_pace) as model:
        where = places(fake, agents)
        async with open_house(
            fake, model, people=[place.chat for place in where], config=f"[rooms]\nmax = {agents}\n"
        ) as house:
            people = People(fake, where, ledger, seed, manner)
            await house.start()
            await trio.sleep(SETTLING)
            idle = own_share(house.process.pid)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(people.watch)
                for place in where:
                    people.say(place, "quick")
                if not await people.all_answered(WARM):
                    raise RuntimeError("not all agents answered before the measurement")
                await trio.sleep(SETTLING)
                rest_began, rest_before = perf_counter(), used(house)
                await trio.sleep(SETTLING)
                rest, rested = used(house), perf_counter() - rest_began
                warm = len(ledger.finals)
                nursery.start_soon(people.speak)
                began, before, asked, called = perf_counter(), used(house), model.asked, len(fake.calls)
                await trio.sleep(seconds)
                after, lasted = used(house), perf_counter() - began
                turns, requests, calls = len(ledger.finals) - warm, model.asked - asked, len(fake.calls) - called
                people.hush()
                answered = await people.all_answered(WARM)
                nursery.cancel_scope.cancel()
            await house.stop()
    service, theirs = after.service - before.service, after.agents - before.agents
    at_rest = rest.service - rest_before.service
    added = after.service_memory - idle
    share, memory_share = service / theirs, added / after.agents_memory
    goal = f"{100 * SHARE_GOAL:.0f} %"
    lines = [
        Line("answers meanwhile", f"{turns}"),
        Line("requests to the model", f"{requests}"),
        Line("calls of the Bot API", f"{calls}"),
        Line("processor: the service", f"{100 * service / lasted:.1f} % of a core"),
        Line("processor: the agents", f"{100 * theirs / lasted:.1f} % of a core"),
        Line("  added by the service", f"{100 * share:.1f} %", goal, share <= SHARE_GOAL),
        Line("  an answer: the service", milliseconds(service / max(1, turns))),
        Line("  an answer: its agent", milliseconds(theirs / max(1, turns))),
        Line("processor: the service, all idle", f"{100 * at_rest / rested:.1f} % of a core"),
        Line("memory: the service, no agent", megabytes(idle)),
        Line("memory: the service", megabytes(after.service_memory)),
        Line("memory: the agents", megabytes(after.agents_memory)),
        Line("  added by the service", f"{100 * memory_share:.1f} %", goal, memory_share <= SHARE_GOAL),
    ]
    broken = ledger.told() if answered else [*ledger.told(), "not everything was answered"]
    added_lines = [line for line in lines if "added" in line.title]
    named = [
        line._replace(title=f"{what} added to {agents} agents")
        for what, line in zip(("processor", "memory"), added_lines, strict=True)
    ]
    return Table(f"{agents} agents at work for {lasted:.0f} s", lines, broken, named)


def at_a_pace(context: Context) -> dict[str, Any]:
    """The campaign's mind, with longer answers to `stream`."""
    thought = mind.reply(context)
    if len(thought["deltas"]) > 1:
        thought |= {"deltas": [*(f"word{at} " for at in range(WORDS)), thought["deltas"][-1]], "gap": PACE}
    return thought


def used(house: House) -> Used:
    """What has been used up to now. What has ended counts for whoever waited for it."""
    pid = house.process.pid
    others = [process.pid for process in house.processes() if process.pid != pid]
    return Used(
        seconds_of(pid, waited=False),
        sum(seconds_of(other, waited=True) for other in others),
        own_share(pid),
        sum(map(own_share, others)),
    )


def seconds_of(pid: int, *, waited: bool) -> float:
    """A process's time in user and system mode; `waited`: with that of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11 : 15 if waited else 13])) / TICK


def megabytes(size: float) -> str:
    """As people read it."""
    return f"{size / 1e6:,.1f} MB"
