"""The kill campaign: the service is killed at random moments, hundreds of times, while people go on writing.

Each time it is started again at once. At the end the people fall silent, and what they were told, what is in the
database and what still runs is held against what is promised. Most of the kills are under the real pi, some under the
scripted one, which starts sooner, so that more happens between two of them.
"""

import argparse
import math
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from tests.campaign import processes, scripted_pi
from tests.campaign.house import House, gone, open_house
from tests.campaign.ledger import heard, is_answer
from tests.campaign.model import Model, open_model
from tests.campaign.people import Manner, People, places
from tests.campaign.plan import LONGEST, SEAMS, Kill, plan
from tests.campaign.processes import Process
from tests.campaign.service import RUNGS
from tests.campaign.table import Table
from tests.campaign.verdict import CUT_OFF, Start, Tale, figures, table
from tests.fakes.telegram import FakeTelegram, Fault
from tests.fakes.telegram_api.people import buttons

DEFER: Final = 0.05
"""Seconds until a kill is tried again that would have been one too many for a message."""
PATIENT: Final = 15.0
"""Seconds after a start for the first poll, and then for the first answer."""
QUIET: Final = 60.0
"""Seconds for a message to leave its last attempt, and at the end for all that was said to be answered, and for the
database to come to rest."""


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kills", type=int, default=300, help="how often the service is killed (300)")
    parser.add_argument(
        "--pi", choices=["both", "real", "scripted"], default="both", help="which agents (both: 5 to 1)"
    )
    parser.add_argument("--rung", choices=["", *RUNGS], default="", help="how agents are contained (as well as can be)")
    parser.add_argument("--rooms", type=int, default=5, help="how many private chats, beside one topic (5)")


async def run(options: argparse.Namespace) -> list[Table]:
    """The tables of the campaign."""
    scripted = {"real": 0, "scripted": options.kills, "both": options.kills // 6}[options.pi]
    parts = {"real": options.kills - scripted, "scripted": scripted}
    tales = [
        await campaign(f"{options.seed}/{pi}", kills, pi=pi, rooms=options.rooms, rung=options.rung)
        for pi, kills in parts.items()
        if kills
    ]
    chosen = " ".join(f"--{name} {getattr(options, name)}" for name in ("kills", "pi", "rooms", "seed"))
    chosen += f" --rung {options.rung}" if options.rung else ""
    again = f"again by: make campaign ARGS='kill {chosen}'"
    tables = [told._replace(broken=[*told.broken, again] if told.broken else []) for told in map(table, tales)]
    return [*tables[:-1], tables[-1]._replace(figures=figures(tales))]


async def campaign(
    seed: str,
    kills: int,
    *,
    pi: str = "real",
    rooms: int = 5,
    rung: str = "",
    seconds: float = math.inf,
    manner: Manner | None = None,
) -> Tale:
    """One campaign on a fresh folder: so many kills, or as many as there are in `seconds`.

    Raises an error only if it could not be held at all.
    """
    tale = Tale(pi)
    began = trio.current_time()
    program = Path(scripted_pi.__file__) if pi == "scripted" else None
    async with FakeTelegram.serve() as fake, open_model() as model:
        where = places(fake, rooms, 1)
        async with open_house(
            fake,
            model if program is None else None,
            people=sorted({place.person.id for place in where}),
            groups=sorted({place.chat for place in where if place.chat < 0}),
            pi=program,
            rung=rung,
            strict=False,
        ) as house:
            people = People(fake, where, tale.ledger, seed, manner)
            killer = Killer(house, fake, model, people, tale)
            seams = SEAMS if program is None else [seam for seam in SEAMS if seam != "model"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(people.live)
                await killer.all(plan(seed, kills, seams=seams), began + seconds, nursery)
                people.hush()
                await people.all_answered(QUIET)
                await killer.rest()
                nursery.cancel_scope.cancel()
            await killer.end()
        tale.orphans = list(dict.fromkeys([*tale.orphans, *house.left]))
        tale.presses = people.presses
        tale.refused = sum(call.status == 429 for call in fake.calls)
        shown = [message for place in where for message in fake.messages(place.chat, place.thread)]
        tale.previews = sum("Working on it" in message.text for message in shown)
        tale.pressable = sum(bool(buttons(message)) for message in shown) - tale.previews
    tale.lasted = trio.current_time() - began
    return tale


class Killer:
    """Starts the service, kills it when the plan says so, and notes what it found and what survived."""

    def __init__(self, house: House, fake: FakeTelegram, model: Model, people: People, tale: Tale) -> None:
        self.house = house
        self.fake = fake
        self.model = model
        self.people = people
        self.tale = tale
        self._calls = self._asked_before = 0
        model.on_asked = self._asked

    async def all(self, kills: Sequence[Kill], until: float, nursery: trio.Nursery) -> None:
        """The whole plan, as far as there is time; then the service runs."""
        for kill in kills:
            if trio.current_time() > until:
                break
            await self.start()
            if kill.agent is not None:
                await self._kill_agent(kill.agent, kill.which)
            came = await self._moment(kill)
            await self.kill(f"at {kill.seam}" if came and kill.seam else "at any time", nursery)
            self.fake.clear_faults()
        await self.start()

    async def start(self) -> None:
        """A start, of which the first signs are noted as they come; nothing if it runs, because a kill was left out."""
        if hasattr(self.house, "process") and self.house.process.returncode is None:
            return
        self._calls, self._asked_before = len(self.fake.calls), self.model.asked
        self.tale.starts.append(Start(trio.current_time(), frozenset(self.people.ledger.waiting())))
        await self.house.launch()

    async def kill(self, why: str, nursery: trio.Nursery) -> None:
        """SIGKILL, later if it were one too many for a message, and never if that message comes to no end."""
        house = self.house
        deadline = trio.current_time() + QUIET
        while await trio.to_thread.run_sync(self._one_too_many):
            if trio.current_time() > deadline:
                self.tale.left_out += 1
                return
            await trio.sleep(DEFER)
        if house.process.returncode is not None:
            self.tale.other.append(f"the service ended by itself with {house.process.returncode}")
        else:
            await house.kill()
        self._note()
        nursery.start_soon(self._look_for_orphans, processes.now())
        self.tale.kills[why] += 1
        self.tale.found[await trio.to_thread.run_sync(house.books.busiest)] += 1

    async def rest(self) -> None:
        """Until nothing is open in the database; what is even then, the verdict names."""
        books = self.house.books
        deadline = trio.current_time() + QUIET
        while trio.current_time() < deadline:
            if not any((await trio.to_thread.run_sync(books.open_rows)).values()):
                break
            await trio.sleep(0.1)
        self._note()

    async def end(self) -> None:
        """Stops the service as systemd would, and reads the database; nothing runs then."""
        tale, books = self.tale, self.house.books
        if code := await self.house.stop():
            tale.other.append(f"the service ended with {code} when it was told to stop")
        await self._look_for_orphans(processes.now())
        tale.handed = heard(file.read_text() for file in self.house.state.glob("sessions/*/*.jsonl"))
        tale.rows = [f"{count} {what}" for what, count in books.open_rows().items() if count]
        tale.outcomes = books.outcomes()
        tale.attempts = books.attempts()
        tale.other += [f"a delivery was given up: {why}" for why in books.undeliverable()]
        if (sound := books.sound()) != "ok":
            tale.other.append(f"the database: {sound}")

    # --- inside

    async def _moment(self, kill: Kill) -> bool:
        """Until it is time for this kill. Returns whether that is at its seam: some wait for one in vain."""
        if kill.fault:
            self.fake.set_fault("sendMessage", Fault[kill.fault], 4, seconds=1.0)
        if kill.seam != "start":
            await self._until(self._polls, PATIENT)
        came = kill.seam in {"", "start"}
        if kill.seam == "answer":
            came = await self._until(self._is_answered, PATIENT)
        elif not came:
            came = await self._until(lambda: self._times(kill.seam) >= kill.nth, LONGEST)
        if came:
            await trio.sleep(kill.delay)
        return came

    async def _until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Until it holds; False if the time is over before."""
        with trio.move_on_after(timeout):
            await self.fake.wait_for(condition, timeout=3600.0)
            return True
        return False

    def _polls(self) -> bool:
        self._note()
        return self.tale.starts[-1].polled is not None

    def _is_answered(self) -> bool:
        self._note()
        start = self.tale.starts[-1]
        return start.answered is not None or not start.waited

    def _times(self, seam: str) -> int:
        """How often it was seen since the start."""
        calls = self.fake.calls[self._calls :]
        if seam == "model":
            return self.model.asked - self._asked_before
        if seam == "final":
            return sum(call.method == "sendMessage" and is_answer(call.params.get("text")) for call in calls)
        return sum(call.method == seam for call in calls)

    def _one_too_many(self) -> bool:
        """Whether a message is in its last attempt. To be sure of it the service stands still for the look."""
        if self.house.process.returncode is not None or self.house.books.most_attempts() < CUT_OFF - 1:
            return False
        self.house.freeze()
        too_many = self.house.books.most_attempts() >= CUT_OFF
        if too_many:
            self.house.thaw()
        return too_many

    async def _kill_agent(self, delay: float, which: float) -> None:
        """SIGKILL one agent, of those for whose message that is not one too many; nothing if none comes up in time."""
        await self._until(self._polls, PATIENT)
        await trio.sleep(delay)
        deadline = trio.current_time() + LONGEST
        while trio.current_time() < deadline:
            agents = await trio.to_thread.run_sync(self.house.agents)
            may = [slug for slug in sorted(agents) if self.house.books.most_attempts(slug) < CUT_OFF - 1]
            if may:
                with suppress(ProcessLookupError):
                    os.kill(agents[may[int(which * len(may))]], signal.SIGKILL)
                    self.tale.agents += 1
                return
            await trio.sleep(DEFER)

    async def _look_for_orphans(self, killed: int) -> None:
        """What began before the kill is gone soon after it, or at the latest at the next start."""

        def left() -> set[Process]:
            return {process for process in self.house.processes() if process.started < killed - 1}

        self.tale.orphans += [f"process {p.pid} survived: {p.command()[:100]}" for p in await gone(left)]

    def _asked(self, at: float) -> None:
        if self.tale.starts and self.tale.starts[-1].asked is None:
            self.tale.starts[-1].asked = at
        self.fake.world.changed()  # whoever waits for a request looks again

    def _note(self) -> None:
        """What the last start has shown of itself."""
        start = self.tale.starts[-1]
        if start.polled is None:
            start.polled = next((c.at for c in self.fake.calls[self._calls :] if c.method == "getUpdates"), None)
        if start.answered is None:
            finals = self.people.ledger.finals[-100:]
            new = [each for each in finals if each.at > start.at and start.waited & set(each.numbers)]
            if new:
                start.answered = new[0].at
                [chat] = [place.chat for place in self.people.places if place.room == new[0].room]
                calls = self.fake.calls[self._calls :]
                start.held_up = any(call.status == 429 and call.params.get("chat_id") == chat for call in calls)
