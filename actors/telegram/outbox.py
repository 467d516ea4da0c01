"""The outbox actor: gets deliveries to Telegram, at least once and in the order of each chat, and shows running turns.

It asks the store, which has the deliveries, and is told by whoever queued one. `sending` makes the requests, `pacing`
says when, `previews` has the turns. It knows nothing of rooms.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final, NamedTuple

import trio

from actors.asking import insist
from actors.messages import (
    Delivery,
    DeliveryKind,
    Doubt,
    Doubted,
    Due,
    EndProgress,
    OutboxMessage,
    Sending,
    Sent,
    ShowProgress,
    StoreRequest,
    Undeliverable,
    Unsent,
    Wake,
    outbox_key,
)
from actors.settings import TelegramSettings
from actors.telegram.api import connect
from actors.telegram.grace import Grace
from actors.telegram.pacing import Kind, Pacing
from actors.telegram.previews import Previews
from actors.telegram.sending import Arrived, Sender
from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, TokenRefused, Trouble, Unknown
from actors.telegram.updates import FRONT
from supervisor import Actor, Description, Mailbox, Overflow, Ref

IN_FLIGHT: Final = 8
"""Deliveries on their way at a time, each to another chat."""
CONNECTIONS: Final = 2 * IN_FLIGHT
"""Half of them for typing and previews."""
MOST_CHATS: Final = 256
"""Chats that are looked at at a time."""
LOOK_EVERY: Final = 30.0
"""Seconds after which it looks for deliveries though nobody said that there are any."""
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 60.0
GRACE: Final = 3.0
"""Seconds that a request on its way is given when the outbox is stopped."""

_log = logging.getLogger(__name__)


class _Pause(NamedTuple):
    """A chat is left alone until then: how often in a row it went wrong, and why."""

    until: float
    tries: int
    reason: str


class Outbox(Actor[OutboxMessage]):
    """Telegram's outbound half. It ends with `TokenRefused` when Telegram does not know the token."""

    mailbox = Mailbox(256, Overflow.WAIT, coalesce=outbox_key)

    def __init__(self, settings: TelegramSettings, *, store: Ref[StoreRequest]) -> None:
        self._settings = settings
        self._store = store
        self._pacing = Pacing()
        self._grace = Grace(GRACE)
        self._previews: Previews
        self._open = trio.Event()
        self._woken = trio.Event()
        self._busy: set[int] = set()
        self._pauses: dict[int, _Pause] = {}
        self._waiting = 0
        self._unreachable: str | None = None

    async def started(self) -> None:
        self.context.start_soon(self._run)

    async def receive(self, message: OutboxMessage) -> None:
        await self._open.wait()
        match message:
            case Wake():
                self._woken.set()
            case ShowProgress():
                self._previews.show(message)
            case EndProgress():
                self._previews.end(message.turn)

    def describe(self) -> Description:
        """How much is to send, and what keeps it from going."""
        words = [f"{self._waiting} to send" if self._waiting else "nothing to send"]
        if self._unreachable is not None:
            words.append(self._unreachable)
        words += [f"chat {chat}: {pause.reason}" for chat, pause in list(self._pauses.items())[:3]]
        return Description(doing="; ".join(words))

    # --- which, and when

    async def _run(self) -> None:
        async with connect(self._settings, connections=CONNECTIONS) as bot, trio.open_nursery() as nursery:
            nursery.start_soon(self._grace.watch)
            self._previews = Previews(bot, self._store, self._pacing, self._grace, nursery)
            self._open.set()
            nursery.start_soon(self._previews.sweep)
            await self._deliver(Sender(bot), nursery)

    async def _deliver(self, sender: Sender, nursery: trio.Nursery) -> None:
        doubtful = await insist(self._store, Doubt(front=FRONT))
        if doubtful:
            _log.warning("%d deliveries were cut off; they are sent again and say so", doubtful)
        while True:
            self._woken = trio.Event()
            due = await insist(self._store, Due(front=FRONT, limit=MOST_CHATS))
            chosen, wait = self._choose(due, trio.current_time())
            self._waiting = len(due) + len(self._busy - {delivery.place.chat for delivery in due})
            if chosen:
                await insist(self._store, Sending(ids=tuple(delivery.id for delivery in chosen)))
            for delivery in chosen:
                nursery.start_soon(self._send, delivery, sender, nursery)
            with trio.move_on_after(min(wait, LOOK_EVERY)):
                await self._woken.wait()

    def _choose(self, due: Sequence[Delivery], now: float) -> tuple[list[Delivery], float]:
        """What is sent now, what a person waits for first; and in how many seconds to look again."""
        chosen: list[Delivery] = []
        wait = inf
        for delivery in sorted(due, key=lambda each: (-_kind(each), each.id)):
            chat = delivery.place.chat
            if len(self._busy) == IN_FLIGHT:
                break
            if chat in self._busy:
                continue
            pause = self._pauses.get(chat)
            left = max(0.0 if pause is None else pause.until - now, self._pacing.may(chat, _kind(delivery), now))
            if left > 0:
                wait = min(wait, left)
                continue
            self._pacing.spent(chat, now)
            self._busy.add(chat)
            chosen.append(delivery)
        return chosen, wait

    # --- one part of one delivery

    async def _send(self, delivery: Delivery, sender: Sender, nursery: trio.Nursery) -> None:
        with self._grace.given():
            if delivery.turn is not None:
                await self._previews.give_way(delivery.turn)
            try:
                result = await sender.send(delivery)
            except TokenRefused:
                await insist(self._store, Unsent(id=delivery.id))
                raise
            await self._note(delivery, result)
            if isinstance(result, Arrived) and result.last and delivery.turn is not None and delivery.place.chat < 0:
                nursery.start_soon(self._previews.clean_up, delivery.turn)
        self._busy.discard(delivery.place.chat)
        self._woken.set()

    async def _note(self, delivery: Delivery, result: Arrived | Trouble) -> None:
        """Writes down what came of a request, and how long its chat is left alone."""
        chat = delivery.place.chat
        match result:
            case Arrived(message_id, last):
                self._pauses.pop(chat, None)
                self._unreachable = None
                await insist(self._store, Sent(id=delivery.id, part=delivery.part, message_id=message_id, last=last))
            case Permanent(reason) | BadEntities(reason):
                self._pauses.pop(chat, None)
                _log.warning("delivery %d cannot arrive in %s: %s", delivery.id, delivery.place, reason)
                await insist(self._store, Undeliverable(id=delivery.id, reason=reason))
            case Flood(seconds):
                now = trio.current_time()
                self._pacing.flood(chat, now + seconds)
                self._pauses[chat] = _Pause(now + seconds, 0, f"flood wait until {_clock(seconds)}")
                await insist(self._store, Unsent(id=delivery.id))
            case NotSent(reason):
                self._pause(chat, reason)
                await insist(self._store, Unsent(id=delivery.id))
            case Unknown(reason):
                self._pause(chat, reason)
                await insist(self._store, Doubted(id=delivery.id))
            case Busy():
                self._pause(chat, "refused with 409")
                await insist(self._store, Unsent(id=delivery.id))

    def _pause(self, chat: int, reason: str) -> None:
        before = self._pauses.get(chat)
        tries = 1 if before is None else before.tries + 1
        seconds = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10))
        self._pauses[chat] = _Pause(trio.current_time() + seconds, tries, f"next try at {_clock(seconds)}")
        if self._unreachable is None:
            self._unreachable = f"Telegram is unreachable since {_clock()}: {reason}"
            _log.warning("%s", self._unreachable)


def _kind(delivery: Delivery) -> Kind:
    return Kind.NOTE if delivery.kind is DeliveryKind.NOTE else Kind.FINAL


def _clock(seconds: float = 0.0) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S} UTC"
