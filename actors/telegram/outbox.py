"""The outbox actor: gets deliveries to Telegram, at least once and in the order of each chat, and shows running turns.

It asks the store, which has the deliveries, and is told by whoever queued one. `sending` makes the requests, `pacing`
says when, `previews` has the turns and `reactions` the receipts. It knows nothing of rooms.
"""

import logging
import time
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
    Edited,
    EndProgress,
    MigrateChat,
    OutboxMessage,
    React,
    Sending,
    Sent,
    ShowProgress,
    StoreRequest,
    TopicGone,
    TopicMade,
    Undeliverable,
    Unsent,
    Wake,
    outbox_key,
)
from actors.settings import TelegramSettings
from actors.telegram.api import connect
from actors.telegram.courtesy import AT_A_TIME, Courtesy
from actors.telegram.grace import Grace
from actors.telegram.pacing import Kind, Pacing
from actors.telegram.previews import Previews
from actors.telegram.reactions import Reactions
from actors.telegram.sending import Arrived, Changed, Made, Result, Sender
from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, TokenRefused, Unknown
from actors.telegram.updates import FRONT
from supervisor import Actor, Description, Mailbox, Overflow, Ref

IN_FLIGHT: Final = 8
"""Deliveries on their way at a time, each to another chat."""
FILES_IN_FLIGHT: Final = 2
"""Files among them: each may take minutes, and lies in memory for that time."""
CONNECTIONS: Final = IN_FLIGHT + AT_A_TIME
"""Deliveries never wait for a connection that typing and previews have."""
MOST_CHATS: Final = 256
"""Chats that are looked at at a time."""
LOOK_EVERY: Final = 30.0
"""Seconds after which it looks for deliveries though nobody said that there are any."""
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 60.0
LONGEST_DOUBT: Final = 300.0
"""Seconds between two tries where each may have arrived, though its answer was lost: people see every one of them."""
GRACE: Final = 3.0
"""Seconds that a request on its way is given when the outbox is stopped."""
GIVEN_UP_AFTER: Final = 86_400.0
"""Seconds after which a delivery that Telegram itself keeps failing on makes way for the next one in its chat."""
ENOUGH_TRIES: Final = 20
"""Tries of it at least: a delivery that is old because the service was down is not given up. They also are enough while
others arrive: then it is not Telegram that is out of reach."""

_log = logging.getLogger(__name__)


class _Pause(NamedTuple):
    """A chat is left alone until then: how often in a row it went wrong, since when, and why."""

    until: float
    tries: int
    since: float
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
        self._reactions: Reactions
        self._open = trio.Event()
        self._woken = trio.Event()
        self._busy: dict[int, float] = {}  # since when
        self._uploads: set[int] = set()
        self._pauses: dict[int, _Pause] = {}
        self._waiting = 0
        self._unreachable: str | None = None
        self._reached = -inf

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
            case React():
                self._reactions.show(message)

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
            courtesy = Courtesy(bot, self._pacing)
            self._previews = Previews(courtesy, self._store, self._grace, nursery)
            self._reactions = Reactions(courtesy)
            self._open.set()
            nursery.start_soon(self._previews.sweep)
            nursery.start_soon(self._reactions.run)
            await self._deliver(Sender(bot), nursery)

    async def _deliver(self, sender: Sender, nursery: trio.Nursery) -> None:
        doubtful = await insist(self._store, Doubt(front=FRONT))
        if doubtful:
            _log.warning("%d deliveries were cut off; they are sent again and say so", doubtful)
        while True:
            self._woken = trio.Event()
            due = await insist(self._store, Due(front=FRONT, limit=MOST_CHATS))
            chosen, wait = self._choose(due, trio.current_time())
            self._waiting = len(due) + len(self._busy.keys() - {delivery.place.chat for delivery in due})
            if chosen:
                ids, revisions = zip(*((delivery.id, delivery.revision) for delivery in chosen), strict=True)
                await insist(self._store, Sending(ids=ids, revisions=revisions))
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
            upload = delivery.file is not None and delivery.edits is None
            if chat in self._busy or (upload and len(self._uploads) == FILES_IN_FLIGHT):
                continue
            pause = self._pauses.get(chat)
            left = max(0.0 if pause is None else pause.until - now, self._pacing.may(chat, _kind(delivery), now))
            if left > 0:
                wait = min(wait, left)
                continue
            self._pacing.spent(chat, _kind(delivery), now)
            self._busy[chat] = now
            if upload:
                self._uploads.add(chat)
            chosen.append(delivery)
        return chosen, wait

    # --- one request of one delivery

    async def _send(self, delivery: Delivery, sender: Sender, nursery: trio.Nursery) -> None:
        chat = delivery.place.chat
        with self._grace.given():
            ended = None if delivery.kind is DeliveryKind.QUESTION else delivery.turn
            if ended is not None:
                await self._previews.give_way(ended)
            try:
                result = await sender.send(delivery)
            except TokenRefused:
                await insist(self._store, Unsent(id=delivery.id))
                raise
            self._pacing.answered(chat, _kind(delivery), self._busy[chat], trio.current_time())
            await self._note(delivery, result)
            if ended is not None and isinstance(result, Arrived) and result.last:
                nursery.start_soon(self._previews.clean_up, ended)
        del self._busy[chat]
        self._uploads.discard(chat)
        self._woken.set()

    async def _note(self, delivery: Delivery, result: Result) -> None:
        """Writes down what came of a request, and how long its chat is left alone."""
        chat = delivery.place.chat
        if isinstance(result, Arrived | Changed | Made):
            self._pauses.pop(chat, None)
            self._unreachable, self._reached = None, trio.current_time()
        match result:
            case Arrived(message_id, last):
                await insist(self._store, Sent(id=delivery.id, part=delivery.part, message_id=message_id, last=last))
            case Changed():
                await insist(self._store, Edited(id=delivery.id, revision=delivery.revision))
            case Made(thread):
                await insist(self._store, TopicMade(id=delivery.id, thread=thread))
            case Permanent(moved_to=int(new)):
                _log.warning("the group %d is the supergroup %d from now on", chat, new)
                await insist(self._store, MigrateChat(front=FRONT, old=chat, new=new))
                await insist(self._store, Unsent(id=delivery.id))
            case Permanent(reason) | BadEntities(reason):
                if isinstance(result, Permanent) and result.topic_gone and delivery.place.thread is not None:
                    owner = min(self._settings.allowed_user_ids, default=None)
                    await insist(self._store, TopicGone(place=delivery.place, owner=owner))
                await self._give_up(delivery, reason)
            case Flood(seconds):
                now = trio.current_time()
                self._pacing.flood(chat, now + seconds)
                self._pauses[chat] = _Pause(now + seconds, 0, now, f"flood wait until {_clock(seconds)}")
                await insist(self._store, Unsent(id=delivery.id))
            case NotSent(reason):
                self._pause(chat, reason, LONGEST_PAUSE)
                await insist(self._store, Unsent(id=delivery.id))
            case Unknown(reason) if self._is_hopeless(delivery):
                await self._give_up(delivery, f"Telegram has failed on it {delivery.attempts + 1} times: {reason}")
            case Unknown(reason):
                self._pause(chat, reason, LONGEST_DOUBT)
                await insist(self._store, Doubted(id=delivery.id))
            case Busy():
                self._pause(chat, "refused with 409", LONGEST_PAUSE)
                await insist(self._store, Unsent(id=delivery.id))

    def _is_hopeless(self, delivery: Delivery) -> bool:
        pause = self._pauses.get(delivery.place.chat)
        others_arrive = pause is not None and pause.tries >= ENOUGH_TRIES and self._reached > pause.since
        old = time.time() - delivery.created_at > GIVEN_UP_AFTER
        return delivery.attempts >= ENOUGH_TRIES and (old or others_arrive)

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        self._pauses.pop(delivery.place.chat, None)
        _log.warning("delivery %d cannot arrive in %s: %s", delivery.id, delivery.place, reason)
        await insist(self._store, Undeliverable(id=delivery.id, reason=reason))

    def _pause(self, chat: int, reason: str, longest: float) -> None:
        now = trio.current_time()
        before = self._pauses.get(chat)
        tries, since = (1, now) if before is None else (before.tries + 1, before.since)
        seconds = min(longest, FIRST_PAUSE * 2 ** min(tries - 1, 10))
        self._pauses[chat] = _Pause(now + seconds, tries, since, f"next try at {_clock(seconds)}")
        if self._unreachable is None:
            self._unreachable = f"Telegram is unreachable since {_clock()}: {reason}"
            _log.warning("%s", self._unreachable)


def _kind(delivery: Delivery) -> Kind:
    """A person waits for a final; a change, a topic and a note can wait themselves."""
    small = delivery.edits is not None or delivery.kind in {DeliveryKind.NOTE, DeliveryKind.TOPIC}
    return Kind.NOTE if small else Kind.FINAL


def _clock(seconds: float = 0.0) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S} UTC"
