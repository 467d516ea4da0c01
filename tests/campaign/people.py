"""The people of a campaign: they write, wait for the answer, and press what an interrupted turn offers them.

What each of them says and when is drawn from the seed and the person's name alone, so a replay says the same; what they
are answered goes into the ledger as it arrives at the fake Telegram.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import trio

from tests.campaign import mind
from tests.campaign.ledger import Ledger
from tests.fakes.telegram import Call, FakeTelegram, Message, User
from tests.fakes.telegram_api.people import buttons

GO_ON: Final = ("Go on", "Try again", "Retry", "Run")
"""What a person presses under a report that offers it, the first of these that is there."""
THINKING: Final = 0.2
"""Seconds until they press."""
MOST_OPEN: Final = 4
"""Messages of one person that may wait: a room's queue takes twice as many."""
PATIENCE: Final = 20.0
"""Seconds after which a person says something else though the answer has not come."""

ALL_KINDS: Final = tuple((kind, 1.0) for kind in mind.KINDS)


class Place(NamedTuple):
    """Where a person speaks: a private chat, or a topic of a group. `room`: its name in the ledger."""

    room: str
    chat: int
    thread: int | None
    person: User


class Manner(NamedTuple):
    """How people speak. `pause`: seconds from an answer to the next message; `kinds`: of `mind.KINDS`, with weights.

    `joins`: how often somebody writes once more before the answer.
    """

    pause: tuple[float, float] = (0.1, 1.0)
    kinds: tuple[tuple[str, float], ...] = ALL_KINDS
    joins: float = 0.2


def places(fake: FakeTelegram, private: int, topics: int = 0) -> list[Place]:
    """So many private chats, and topics, each in a group of its own: Telegram takes 20 messages a minute of a group."""
    found = []
    for number in range(private):
        person = User(1000 + number, f"P{number}", f"p{number}")
        found.append(Place(f"p{number}", person.id, None, person))
    for number in range(topics):
        person = found[number % private].person
        group = -1001 - number
        fake.open_group(group, f"Group {number}", forum=True)
        found.append(Place(f"t{number}", group, fake.open_topic(group, "topic", sender=person), person))
    return found


class People:
    """All of them. `presses`: what they were offered and took; `quiet`: nobody says anything new."""

    def __init__(
        self, fake: FakeTelegram, where: Sequence[Place], ledger: Ledger, seed: object, manner: Manner | None = None
    ) -> None:
        self.fake = fake
        self.places = list(where)
        self.ledger = ledger
        self.seed = seed
        self.manner = manner or Manner()
        self.presses: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        """What the bot said beside answers."""
        self._rooms = {(place.chat, place.thread): place for place in self.places}
        self._changed = trio.Event()
        self._looked = 0
        self._pending: list[Call] = []
        self._pressed: set[tuple[int, int, str]] = set()
        self._quiet = False

    async def live(self) -> None:
        """All that they do, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watch)
            nursery.start_soon(self.speak)

    async def speak(self) -> None:
        """What they say, until there is `hush`."""
        async with trio.open_nursery() as nursery:
            for place in self.places:
                nursery.start_soon(self._speak, place)

    async def watch(self) -> None:
        """What they see, and press, until cancelled."""
        async with trio.open_nursery() as nursery:
            await self._watch(nursery)

    def hush(self) -> None:
        """From now on nobody begins anything."""
        self._quiet = True

    async def all_answered(self, timeout: float, room: str | None = None) -> bool:
        """Until an answer to everything (of one room) has arrived; False if the time is over before."""
        with trio.move_on_after(timeout):
            while self.ledger.waiting(room):
                await self._changed.wait()
            return True
        return False

    def say(self, place: Place, kind: str, words: str = "") -> int:
        """One message; returns its number."""
        number = self.ledger.say(place.room, trio.current_time(), kind)
        text = " ".join(part for part in (f"say-{number} {kind}", words) if part)
        self.fake.say(place.chat, text, sender=place.person, thread=place.thread)
        return number

    async def _speak(self, place: Place) -> None:
        chance = random.Random(f"{self.seed}/{place.room}")
        kinds, weights = zip(*self.manner.kinds, strict=True)
        await trio.sleep(chance.uniform(*self.manner.pause))
        while not self._quiet:
            for _ in range(2 if chance.random() < self.manner.joins else 1):
                if len(self.ledger.waiting(place.room)) < MOST_OPEN:
                    self.say(place, chance.choices(kinds, weights)[0])
                await trio.sleep(chance.uniform(0.0, 0.3))
            await self.all_answered(PATIENCE, place.room)
            await trio.sleep(chance.uniform(*self.manner.pause))

    # --- what they see

    async def _watch(self, nursery: trio.Nursery) -> None:
        while True:
            await self.fake.wait_for(self._news, timeout=3600.0)
            for call in self._news():
                self._pending.remove(call)
                if call.status == 200:
                    self._see(call, nursery)
            self._changed.set()
            self._changed = trio.Event()

    def _news(self) -> list[Call]:
        """The calls that show a message and have had their effect, since the last look."""
        new = self.fake.calls[self._looked :]
        self._looked += len(new)
        self._pending += [call for call in new if call.method in {"sendMessage", "editMessageText"}]
        return [call for call in self._pending if call.status is not None]

    def _see(self, call: Call, nursery: trio.Nursery) -> None:
        place = self._rooms.get((call.params["chat_id"], call.params.get("message_thread_id")))
        text = str(call.params.get("text", ""))
        if (
            place is not None
            and call.method == "sendMessage"
            and self.ledger.arrived(place.room, call.at, text) is None
        ):
            self.notes[text.partition("\n")[0][:60]] += 1
        if any(word in str(call.params.get("reply_markup", "")) for word in GO_ON):
            nursery.start_soon(self._press, call.params["chat_id"], text)

    async def _press(self, chat: int, text: str) -> None:
        await trio.sleep(THINKING)
        for message in list(self.fake.world.chats[chat].messages.values()):
            offered = {button["text"]: button["callback_data"] for button in buttons(message)}
            label = next((label for label in GO_ON if label in offered), None)
            if message.sender is None and label is not None:
                self._take(chat, message, label, offered[label], text)

    def _take(self, chat: int, message: Message, label: str, data: str, text: str) -> None:
        if (chat, message.id, data) in self._pressed:
            return
        self._pressed.add((chat, message.id, data))
        place = self._rooms.get((chat, message.thread))
        if place is None:
            return
        self.presses[f"{label} (set aside)" if "set aside" in text else label] += 1
        self.ledger.moved.update(self.ledger.waiting(place.room))
        self.fake.press(chat, message.id, data, sender=place.person)
