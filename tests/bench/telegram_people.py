"""The other side of the load: a strict fake Telegram in a process of its own, and a hundred people who use it.

Run by `telegram_load`, which gives the word for each part by a line on stdin: for the warming up, in which every room
gets its agent, and for the load itself. First it prints where it listens, then one line of JSON for each part. Each
person waits for the answer before saying the next thing.
"""

import json
import re
import sys
import time
from collections import Counter
from typing import Final

import trio

from tests.bench.telegram_pi import NAMED
from tests.fakes.telegram import Call, FakeTelegram, User

PRIVATE: Final = tuple(range(1000, 1050))
GROUPS: Final = tuple(range(-1010, -1000))
TOPICS_EACH: Final = 5
DELTAS: Final = 1000
"""Of an answer: twenty seconds."""
PAUSE: Final = 5.0
"""Seconds from an answer to the next question, in a private chat: people read."""
PAUSE_IN_TOPICS: Final = 20.0
"""In a topic; Telegram takes 20 messages a minute of a whole group, and what shows an answer growing is one too."""
APART: Final = 0.2
"""Seconds from one person's first question to the next one's: not all at once, as people come."""
PATIENCE: Final = 180.0
"""Seconds in which the last answers must have come."""
SHOWING: Final = frozenset({"sendMessage", "sendMessageDraft", "editMessageText"})
FINAL: Final = re.compile(r"done-((?:load|warm)-\d+)")


class People:
    """Who speaks, where, and what came of it: monotonic seconds by the name of each message."""

    def __init__(self, fake: FakeTelegram) -> None:
        self.fake = fake
        self.said: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.answered: dict[str, trio.Event] = {}
        self.finals: Counter[str] = Counter()
        self.private: set[str] = set()
        self._looked = 0
        self._calls: list[Call] = []
        self.places: list[tuple[int, int | None, User]] = [(p, None, User(p, f"P{p}", f"p{p}")) for p in PRIVATE]
        for number, group in enumerate(GROUPS):
            fake.open_group(group, f"Group {number}", forum=True)
            for topic in range(TOPICS_EACH):
                person = self.places[number * TOPICS_EACH + topic][2]
                self.places.append((group, fake.open_topic(group, f"topic {topic}", sender=person), person))

    async def ask(self, name: str, chat: int, thread: int | None, person: User) -> None:
        """One message and its answer."""
        self.answered[name] = trio.Event()
        if chat > 0:
            self.private.add(name)
        self.said[name] = time.monotonic()
        mention = "" if chat > 0 else "@dispatch_test_bot "
        self.fake.say(chat, f"{mention}{name} {DELTAS}", sender=person, thread=thread)
        await self.answered[name].wait()

    async def converse(self, number: int, until: float) -> None:
        """One person's part of the load."""
        turn = 0
        await trio.sleep(number * 37 % len(self.places) * APART)
        while trio.current_time() < until:
            place = self.places[number]
            await self.ask(f"load-{number * 100 + turn}", *place)
            turn += 1
            await trio.sleep(PAUSE if place[1] is None else PAUSE_IN_TOPICS)

    async def watch(self) -> None:
        """Notes when something is seen; the calls of the bot tell it."""
        while True:
            await self.fake.wait_for(self._arrived, timeout=3600.0)
            for call in self._arrived():
                self._calls.remove(call)
                self._note(call)

    def _arrived(self) -> list[Call]:
        """The calls that show something and have had their effect, since the last look."""
        new = self.fake.calls[self._looked :]
        self._looked += len(new)
        self._calls += [call for call in new if call.method in SHOWING]
        return [call for call in self._calls if call.status is not None]

    def _note(self, call: Call) -> None:
        if call.status != 200:
            return
        text, now = str(call.params.get("text", "")), time.monotonic()
        for name in NAMED.findall(text):
            self.seen.setdefault(name, now)
        if call.method == "sendMessage":
            for name in FINAL.findall(text):
                self.finals[name] += 1
                self.answered[name].set()

    def told(self) -> dict[str, object]:
        """All that was seen, as plain data."""
        statuses = Counter(f"{call.method}{_where(call)} {call.status}" for call in self.fake.calls)
        return {
            "said": self.said,
            "seen": self.seen,
            "finals": self.finals,
            "private": sorted(self.private),
            "statuses": statuses,
            "cpu": time.process_time(),
        }


def _where(call: Call) -> str:
    chat = call.params.get("chat_id")
    return "" if not isinstance(chat, int) else " in private" if chat > 0 else " in a group"


async def main() -> None:
    """Both parts, each after its word."""
    seconds = float(sys.argv[1])
    async with FakeTelegram.serve() as fake, trio.open_nursery() as nursery:
        people = People(fake)
        nursery.start_soon(people.watch)
        say({"base_url": fake.base_url})
        await word()
        with trio.move_on_after(PATIENCE):
            async with trio.open_nursery() as warming:
                for number, place in enumerate(people.places):
                    warming.start_soon(people.ask, f"warm-{number}", *place)
                    await trio.sleep(0.1)
        say(people.told())
        await word()
        until = trio.current_time() + seconds
        with trio.move_on_at(until + PATIENCE):
            async with trio.open_nursery() as talking:
                for number in range(len(people.places)):
                    talking.start_soon(people.converse, number, until)
        say(people.told())
        nursery.cancel_scope.cancel()


def say(what: dict[str, object]) -> None:
    """A line of JSON for whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def word() -> None:
    """Waits for a line; without one it is over."""
    if not await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        sys.exit(1)


if __name__ == "__main__":
    trio.run(main)
