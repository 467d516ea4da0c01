"""The outage campaign: Telegram and the provider fail in every way, a hundred times each, while people go on writing.

Telegram is gone, slow, wants silence, or drops the connection after the effect; the provider is gone, refuses the key,
fails, hangs, or is silent until pi has had enough. Nobody restarts anything: it must be well again by itself. What
arrived is read from the chats as they are at the end, so that a message counts whose sender never heard of it.
"""

import argparse
import random
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from typing import Final

import trio

from tests.bench.telegram_table import milliseconds, percentile
from tests.campaign.house import House, open_house
from tests.campaign.ledger import Ledger, is_answer, tally
from tests.campaign.outages import FATAL, KINDS, Outage, report_trouble, resent, told_badly, too_early
from tests.campaign.people import Manner, People, Place, places
from tests.campaign.provider import Provider, Trouble, open_provider
from tests.campaign.table import Line, Table, promise
from tests.fakes.telegram import Call, FakeTelegram, Fault

BRISK: Final = (sys.executable, "-m", "tests.campaign.brisk", "run")
TRY_AGAIN: Final = ("Try again", "Retry")
"""What a person presses under the report of a turn that failed."""
THINKING: Final = 0.2
"""Seconds until they press."""
QUIET: Final = 90.0
"""Seconds for everything to be answered, and again for the database to come to rest."""
WELL: Final = 60.0
"""Seconds after an outage in which what it held up must be answered."""
TOO_SLOW: Final = 22.0
"""Seconds for an answer of Telegram's that the service does not wait for."""
BETWEEN: Final = 3
"""Messages that arrive between two that fail: what is lost again and again is tried more and more rarely."""
LULL: Final = 1.0
"""Seconds between two kinds of failure."""
MANNER: Final = Manner(pause=(0.05, 0.3), kinds=(("quick", 2.0), ("stream", 1.0), ("late", 1.0)), joins=0.0)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--times", type=int, default=100, help="how often each thing fails (100)")
    parser.add_argument("--quick", action="store_true", help="each 8 times")
    parser.add_argument("--rooms", type=int, default=8, help="how many people write (8)")
    parser.add_argument("--only", default="", metavar="WORDS", help=f"one kind, by words of it: {'; '.join(KINDS)}")


async def run(options: argparse.Namespace) -> list[Table]:
    """The tables of the campaign."""
    times = 8 if options.quick else options.times
    only = [kind for kind in KINDS if options.only in kind]
    tale = await campaign(options.seed, times, options.rooms, only)
    chosen = f"--times {times} --rooms {options.rooms} --seed {options.seed}"
    kind = f' --only "{options.only}"' if options.only else ""
    again = f"again by: make campaign ARGS='outage {chosen}{kind}'"
    broken = tale.broken()
    return [kinds(tale), verdict(tale)._replace(broken=[*broken, again] if broken else [])]


@dataclass
class Tale:
    """What happened. `ledger`: what was said, and what stood in the chats at the end."""

    ledger: Ledger = field(default_factory=Ledger)
    outages: list[Outage] = field(default_factory=list)
    lasted: dict[str, float] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    """The first report of each kind of trouble."""
    badly: list[str] = field(default_factory=list)
    """Reports that do not say in a sentence what failed, or show no way on."""
    unreported: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    floods: list[str] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    """What was not well again in time, or only by a restart."""
    agents: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    presses: int = 0
    worked_next: int = 0
    """So often the message after one that had failed was answered before anybody asked for that one again."""

    def broken(self) -> list[str]:
        """A sentence for each promise that was not kept."""
        return [
            *self.ledger.told(),
            *chain(self.badly, self.unreported, self.early, self.floods, self.unwell, self.agents, self.other),
            *(f"in the database: {row}" for row in self.rows),
        ]


def kinds(tale: Tale) -> Table:
    """How often each thing failed, and how soon all was well again."""
    lines = []
    for kind in KINDS:
        found = [outage for outage in tale.outages if outage.kind == kind]
        if not found:
            continue
        took = [outage.recovered - outage.ended for outage in found if outage.recovered is not None]
        lines.append(Line(kind, f"{len(found)}"))
        lines.append(Line("  well again after, p50", milliseconds(percentile(took, 50))))
        lines.append(Line("  p99", milliseconds(percentile(took, 99))))
        lines.append(Line("  all of these took", f"{tale.lasted.get(kind, 0.0):.0f} s"))
    return Table("outages", lines)


def verdict(tale: Tale) -> Table:
    """What was promised, and figures."""
    ledger = tale.ledger
    lines = [
        Line("messages", f"{len(ledger.said)}"),
        Line("answers, as messages of Telegram", f"{len(ledger.finals)}"),
        promise("lost", ledger.waiting()),
        promise("answered twice without a word", ledger.unmarked()),
        Line("answered twice, marked", f"{ledger.marked()}"),
        promise("out of order", ledger.disorder()),
        promise("stray answers", ledger.strays()),
        promise("calls while Telegram wanted silence", tale.early),
        promise("calls that were one too many for Telegram", tale.floods),
        promise("failed turns without a report", tale.unreported),
        promise("reports without a reason or a way on", tale.badly),
        promise("not well again by itself", tale.unwell),
        promise("agents that did not live through it", tale.agents),
        promise("rows not at their end", tale.rows),
        promise("other", tale.other),
        Line("failed turns that were tried again", f"{tale.presses}"),
        Line("  after the next message had been answered", f"{tale.worked_next}"),
        Line(f"turns ended: {tally(tale.outcomes)}", ""),
        *(Line(f"{kind} is told as: {text}", "") for kind, text in sorted(tale.reports.items())),
    ]
    return Table("what is promised", lines, tale.broken())


# --- who writes -------------------------------------------------------------------------------------------------------


class Patient(People):
    """They press what a failed turn offers; every second time they write something else first, and that is answered.

    `troubles`: what the provider does with the messages to come. `reports`: (when, text) of failed turns.
    """

    def __init__(
        self, fake: FakeTelegram, where: Sequence[Place], tale: Tale, provider: Provider, seed: object
    ) -> None:
        super().__init__(fake, where, tale.ledger, seed, MANNER)
        self.troubles: deque[tuple[Trouble, ...]] = deque()
        self.troubled: dict[int, tuple[Trouble, ...]] = {}
        self.reports: list[tuple[str, str]] = []
        self._tale = tale
        self._provider = provider
        self._chance = random.Random(f"{seed}/patient")

    def say(self, place: Place, kind: str, words: str = "") -> int:
        if self.troubles and len(self.ledger.waiting(place.room)) == 0:
            number = len(self.ledger.said) + 1
            self.troubled[number] = self.troubles.popleft()
            self._provider.give(number, self.troubled[number])
        return super().say(place, kind, words)

    def _see(self, call: Call, nursery: trio.Nursery) -> None:
        super()._see(call, nursery)
        place = self._rooms.get((call.params["chat_id"], call.params.get("message_thread_id")))
        markup, text = str(call.params.get("reply_markup", "")), str(call.params.get("text", ""))
        if place is not None and call.method == "sendMessage" and any(label in markup for label in TRY_AGAIN):
            self.reports.append((place.room, text))
            self._tale.badly += told_badly(text)
            self._tale.reports.setdefault(report_trouble(text), text)
            nursery.start_soon(self._try_again, place)

    async def _press(self, chat: int, text: str) -> None:
        """What `People` does at once is done by `_try_again`."""

    async def _try_again(self, place: Place) -> None:
        await trio.sleep(THINKING)
        if self._chance.random() < 0.5 and not self._quiet:
            number = super().say(place, "quick")
            self.ledger.moved.update(self.ledger.waiting(place.room))
            with trio.move_on_after(WELL):
                while number in self.ledger.waiting(place.room):
                    await self._changed.wait()
                self._tale.worked_next += 1
        self.ledger.moved.update(self.ledger.waiting(place.room))
        shown = self.fake.shown(place.chat, place.thread).bubbles
        label = next((label for bubble in shown for row in bubble.buttons for label in row if label in TRY_AGAIN), None)
        if label is None:
            self._tale.badly.append(f"in {place.room} nothing can be pressed under a report")
            return
        self._tale.presses += 1
        self.fake.tap(place.chat, label, sender=place.person, thread=place.thread)


# --- what fails -------------------------------------------------------------------------------------------------------


class Tap(deque[tuple[Fault, float]]):
    """The faults that wait for calls of one method, with a note of those that found one."""

    def __init__(self, calls: Sequence[Call]) -> None:
        super().__init__()
        self.struck: list[tuple[Fault, float, Call]] = []
        self._calls = calls

    def popleft(self) -> tuple[Fault, float]:
        fault, seconds = super().popleft()
        self.struck.append((fault, seconds, self._calls[-1]))
        return fault, seconds


class Outages:
    """Makes things fail, one kind after the other."""

    def __init__(
        self, fake: FakeTelegram, provider: Provider, people: Patient, tale: Tale, seed: object, times: int
    ) -> None:
        self.fake = fake
        self.provider = provider
        self.people = people
        self.tale = tale
        self.times = times
        self.struck: list[tuple[Fault, float, Call]] = []
        self._chance = random.Random(f"{seed}/outages")

    async def all(self, only: Sequence[str]) -> None:
        """These kinds, in their order."""
        failures = (
            self._telegram_gone,
            self._telegram_slow,
            self._telegram_silence,
            self._telegram_drops,
            self._provider_gone,
            self._provider_401,
            self._provider_500,
            self._provider_hangs,
            self._provider_silent,
        )
        for kind, fail in zip(KINDS, failures, strict=True):
            if kind not in only:
                continue
            began = trio.current_time()
            await fail(kind)
            self.tale.lasted[kind] = trio.current_time() - began
            await trio.sleep(LULL)

    # --- Telegram

    async def _telegram_gone(self, kind: str) -> None:
        for number in range(self.times):
            began = trio.current_time()
            async with self.fake.refusing():
                await trio.sleep(3.0 if number % 20 == 19 else self._chance.uniform(0.05, 0.4))
            await self._until_well(kind, began)

    async def _telegram_slow(self, kind: str) -> None:
        # Some are slower than the service waits, so that nobody knows what came of them.
        await self._calls(kind, Fault.SLOW, lambda n: TOO_SLOW if n % 25 == 7 else self._chance.uniform(0.5, 2.5))

    async def _telegram_silence(self, kind: str) -> None:
        await self._calls(kind, Fault.FLOOD, lambda _: float(self._chance.randint(1, 4)))

    async def _telegram_drops(self, kind: str) -> None:
        await self._calls(kind, Fault.DROP_AFTER, lambda _: 0.0)

    async def _calls(self, kind: str, fault: Fault, seconds: Callable[[int], float]) -> None:
        """So many calls that bring an answer or a report go wrong."""
        server = self.fake._server
        tap = server.faults["sendMessage"] = Tap(server.calls)
        given = 0
        with trio.move_on_after(self.times * 3.0 + WELL) as scope:
            while len([call for _, _, call in tap.struck if _matters(call)]) < self.times:
                before = self._arrived()
                self.fake.set_fault("sendMessage", fault, seconds=seconds(given))
                given += 1
                await _until(lambda: not tap)
                await _until(lambda before=before: self._arrived() >= before + BETWEEN)  # type: ignore[misc]
        tap.clear()
        if scope.cancelled_caught:
            self.tale.unwell.append(f"{kind}: only {len(tap.struck)} calls came")
        self.struck += tap.struck
        for _, lasts, call in tap.struck:
            if _matters(call):
                ended = call.at + lasts if fault in (Fault.SLOW, Fault.FLOOD) else call.at
                self.tale.outages.append(Outage(kind, call.at, ended, call=call))

    def _arrived(self) -> int:
        """How many answers people have had."""
        return len(self.tale.ledger.finals)

    # --- the provider

    async def _provider_gone(self, kind: str) -> None:
        for number in range(self.times):
            began = trio.current_time()
            async with self.provider.gone():
                # One in five for longer than pi tries.
                await trio.sleep(1.2 if number % 5 == 4 else self._chance.uniform(0.05, 0.5))
            await self._until_well(kind, began)

    async def _provider_401(self, kind: str) -> None:
        await self._messages(kind, lambda _: (Trouble.UNAUTHORIZED,))

    async def _provider_500(self, kind: str) -> None:
        # Half of them longer than pi tries.
        await self._messages(kind, lambda n: (Trouble.FAILING,) * (FATAL if n % 2 else self._chance.randint(1, 3)))

    async def _provider_hangs(self, kind: str) -> None:
        await self._messages(kind, lambda n: (Trouble.HANGING,) * (FATAL if n % 5 == 0 else self._chance.randint(1, 3)))

    async def _provider_silent(self, kind: str) -> None:
        # Few, because each takes pi as long as it waits for a word.
        times = max(2, self.times // 10)
        await self._messages(kind, lambda n: (Trouble.SILENT,) * (FATAL if n % 3 == 0 else 1), times)

    async def _messages(
        self, kind: str, troubles: Callable[[int], tuple[Trouble, ...]], times: int | None = None
    ) -> None:
        """So many messages meet such a provider."""
        wanted = times or self.times
        before = set(self.people.troubled)
        self.people.troubles.extend(troubles(n) for n in range(wanted))
        with trio.move_on_after(wanted * 5.0 + WELL) as scope:
            await _until(lambda: not self.people.troubles)
        new = set(self.people.troubled) - before
        with trio.move_on_after(WELL) as well:
            await _until(lambda: not new & set(self.tale.ledger.waiting()))
        if scope.cancelled_caught or well.cancelled_caught:
            left = sorted(new & set(self.tale.ledger.waiting()))
            self.tale.unwell.append(f"{kind}: messages {left} wait after {WELL:g} s")
        for number in new:
            said = self.tale.ledger.said[number].at
            self.tale.outages.append(Outage(kind, said, self.provider.failed.get(number, inf), number=number))

    # --- both

    async def _until_well(self, kind: str, began: float) -> None:
        """Until all is answered that waits when the outage is over, and Telegram is polled again."""
        ended, polled = trio.current_time(), len(self.fake.called("getUpdates"))
        waiting = set(self.tale.ledger.waiting())
        telegram = kind.startswith("Telegram")
        with trio.move_on_after(WELL) as scope:
            await _until(lambda: not waiting & set(self.tale.ledger.waiting()))
            await _until(lambda: not telegram or len(self.fake.called("getUpdates")) > polled)
        if scope.cancelled_caught:
            left = sorted(waiting & set(self.tale.ledger.waiting()))
            self.tale.unwell.append(f"{kind}: messages {left} wait {WELL:g} s after its end")
        else:
            self.tale.outages.append(Outage(kind, began, ended, recovered=trio.current_time()))


def _matters(call: Call) -> bool:
    """Whether it brings somebody what they wait for, and not a courtesy."""
    return is_answer(call.params.get("text")) or any(
        label in str(call.params.get("reply_markup", "")) for label in TRY_AGAIN
    )


# --- all of it --------------------------------------------------------------------------------------------------------


async def campaign(seed: object, times: int, rooms: int, only: Sequence[str] = KINDS) -> Tale:
    """One campaign on a fresh folder, with these kinds of failure.

    Raises an error only if it could not be held at all.
    """
    tale = Tale()
    async with FakeTelegram.serve() as fake, open_provider() as provider:
        where = places(fake, rooms)
        async with open_house(fake, provider, people=[place.person.id for place in where]) as house:
            house.argv = BRISK
            people = Patient(fake, where, tale, provider, seed)
            await house.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(people.live)
                agents = await _all_awake(house, rooms)
                outages = Outages(fake, provider, people, tale, seed, times)
                await outages.all(only)
                people.hush()
                await people.all_answered(QUIET)
                await _rest(house)
                after = await trio.to_thread.run_sync(house.agents)
                nodes = await trio.to_thread.run_sync(house.nodes)
                nursery.cancel_scope.cancel()
            tale.agents = [
                f"the agent of {slug} was process {pid} and is {after.get(slug)}"
                for slug, pid in agents.items()
                if after.get(slug) != pid
            ]
            tale.unwell += [f"{n['path']} was restarted {n['restarts']} times" for n in nodes if n.get("restarts")]
            if code := await house.stop():
                tale.other.append(f"the service ended with {code} when it was told to stop")
            _read(tale, house, outages, people)
    return tale


def _read(tale: Tale, house: House, outages: Outages, people: Patient) -> None:
    """What the chats, the calls and the database say in the end."""
    fake = outages.fake
    truth = Ledger(said=dict(tale.ledger.said), moved=tale.ledger.moved)
    truth._open.update(truth.said)
    messages = [
        (message.at, place.room, message.text) for place in people.places for message in fake.messages(place.chat)
    ]
    for at, room, text in sorted(messages):
        truth.arrived(room, at, text)
    tale.ledger = truth
    copies = truth.copies()
    for outage in tale.outages:
        if outage.call is not None:
            outage.recovered = resent(outage, fake.calls)
        elif outage.number is not None:
            later = [final.at for final in copies.get(outage.number, []) if final.at >= outage.ended]
            outage.recovered = min(later, default=None)
    struck = [(call, seconds) for fault, seconds, call in outages.struck if fault is Fault.FLOOD]
    tale.early = too_early(struck, fake.calls)
    wanted = {id(call) for call, _ in struck}
    tale.floods = [
        f"{call.method} in chat {call.params.get('chat_id')}"
        for call in fake.calls
        if call.status == 429 and id(call) not in wanted
    ]
    books = house.books
    tale.rows = [f"{count} {what}" for what, count in books.open_rows().items() if count]
    tale.outcomes = books.outcomes()
    tale.notes = people.notes
    tale.other += [f"a delivery was given up: {why}" for why in books.undeliverable()]
    failed = tale.outcomes.get("failed", 0)
    if len(people.reports) != failed:
        tale.unreported = [f"{failed} turns failed and {len(people.reports)} reports came"]
    if set(tale.outcomes) - {"done", "failed"}:
        tale.other.append(f"turns ended otherwise: {tally(tale.outcomes)}")


async def _all_awake(house: House, rooms: int) -> dict[str, int]:
    """The process id of each room's agent, as soon as all have one."""
    with trio.fail_after(QUIET):
        while True:
            agents = await trio.to_thread.run_sync(house.agents)
            if len(agents) == rooms:
                return agents
            await trio.sleep(0.05)  # another process's doings: nobody tells us of them


async def _rest(house: House) -> None:
    """Until nothing is open in the database; what is even then, the verdict names."""
    with trio.move_on_after(QUIET):
        while True:
            if not any((await trio.to_thread.run_sync(house.books.open_rows)).values()):
                return
            await trio.sleep(0.1)


async def _until(holds: Callable[[], bool]) -> None:
    """Until it holds; looked at now and then, because it is about what several others do."""
    while True:
        if holds():
            return
        await trio.sleep(0.03)
