"""The outbox actor: gets deliveries to Telegram, at least once and in the order of each chat, and shows running turns.

It asks the store, which has the deliveries, and is told by whoever queued one. `sending` makes the requests, `pacing`
says when, `previews` has the turns and `reactions` the receipts. It knows nothing of rooms.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
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
    RecentlySent,
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
from actors.telegram.pacing import GROUP, Kind, Pacing
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
DOUBT_AMONG_OTHERS: Final = 8.0
"""Seconds between two tries at most while other chats are reached: then it is the delivery, which is gone past soon."""
FORGOTTEN_AFTER: Final = 3600.0
"""Seconds after which it is no longer known how often Telegram failed on a delivery that was not tried since."""
GRACE: Final = 3.0
"""Seconds that a request on its way is given when the outbox is stopped."""
GIVEN_UP_AFTER: Final = 86_400.0
"""Seconds after which a delivery that Telegram itself keeps failing on makes way for the next one in its chat."""
ENOUGH_TRIES: Final = 20
"""Tries of it at least: a delivery that is old because the service was down is not given up. They also are enough while
others arrive: then it is not Telegram that is out of reach."""
ASIDE_AFTER: Final = 5
"""Tries, in about a minute, after which the next one in the chat may go past a delivery that Telegram fails on."""

_log = logging.getLogger(__name__)


class _Pause(NamedTuple):
    """A chat is left alone until then: how often in a row it went wrong, since when, and why."""

    until: float
    tries: int
    since: float
    reason: str


class _Stuck(NamedTuple):
    """A delivery on which Telegram fails: how often in a row and since when, and until when others may go past it."""

    chat: int
    tries: int
    since: float
    until: float


class Outbox(Actor[OutboxMessage]):
    """Telegram's outbound half. It ends with `TokenRefused` when Telegram does not know the token."""

    mailbox = Mailbox(256, Overflow.WAIT, coalesce=outbox_key)

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        store: Ref[StoreRequest],
        outgoing: Path | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """`outgoing`: the folder of the copies that were made to be sent; each goes when its delivery has ended.

        `pacing`: one for all incarnations, because Telegram does not forget what the last one has sent.
        """
        self._outgoing = outgoing
        self._settings = settings
        self._store = store
        self._pacing = Pacing() if pacing is None else pacing
        self._grace = Grace(GRACE)
        self._previews: Previews
        self._reactions: Reactions
        self._open = trio.Event()
        self._woken = trio.Event()
        self._busy: dict[int, float] = {}  # since when
        self._uploads: set[int] = set()
        self._pauses: dict[int, _Pause] = {}
        self._stuck: dict[int, _Stuck] = {}  # by the delivery
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
        stuck = [(delivery, each) for delivery, each in self._stuck.items() if each.tries >= ASIDE_AFTER]
        words += [f"delivery {delivery} to chat {each.chat}: failed {each.tries} times" for delivery, each in stuck[:3]]
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
        await self._recall()
        while True:
            self._woken = trio.Event()
            aside = self._aside(trio.current_time())
            due = await insist(self._store, Due(front=FRONT, limit=MOST_CHATS, besides=tuple(aside)))
            now = trio.current_time()
            chosen, wait = self._choose(due, now)
            wait = min([wait, *(stuck.until - now for stuck in aside.values())])
            chats = {delivery.place.chat for delivery in due} | {stuck.chat for stuck in aside.values()}
            self._waiting = len(chats | self._busy.keys())
            if chosen:
                ids, revisions = zip(*((delivery.id, delivery.revision) for delivery in chosen), strict=True)
                await insist(self._store, Sending(ids=ids, revisions=revisions))
            for delivery in chosen:
                nursery.start_soon(self._send, delivery, sender, nursery)
            with trio.move_on_after(max(0.0, min(wait, LOOK_EVERY))):
                await self._woken.wait()

    async def _recall(self) -> None:
        """What an earlier life of the service has sent counts too."""
        if len(self._pacing):
            return
        ago = time.time() - trio.current_time()
        for chat, at in await insist(self._store, RecentlySent(front=FRONT, since=time.time() - GROUP.period)):
            self._pacing.recall(chat, min(at - ago, trio.current_time()))

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
            self._stuck.pop(delivery.id, None)
            self._unreachable = None
            self._end_outage(chat, trio.current_time())
        match result:
            case Arrived(message_id, last):
                await insist(self._store, Sent(id=delivery.id, part=delivery.part, message_id=message_id, last=last))
                if last:
                    await self._discard(delivery)
            case Changed():
                await insist(self._store, Edited(id=delivery.id, revision=delivery.revision))
            case Made(thread):
                await insist(self._store, TopicMade(id=delivery.id, thread=thread))
            case Permanent(moved_to=int(new)):
                _log.warning("the group %d is the supergroup %d from now on", chat, new)
                await insist(self._store, MigrateChat(front=FRONT, old=chat, new=new))
                await insist(self._store, Unsent(id=delivery.id))
            case Permanent(reason) | BadEntities(reason):
                topic_gone = isinstance(result, Permanent) and result.topic_gone and delivery.place.thread is not None
                if topic_gone:
                    owner = min(self._settings.allowed_user_ids, default=None)
                    await insist(self._store, TopicGone(place=delivery.place, owner=owner))
                await self._give_up(delivery, reason, tell=not (isinstance(result, Permanent) and result.unreachable))
                if not topic_gone:  # else it is sent when there is a topic again
                    await self._discard(delivery)
            case Flood(seconds):
                now = trio.current_time()
                self._pacing.flood(chat, now + seconds)
                self._pauses[chat] = _Pause(now + seconds, 0, now, f"flood wait until {_clock(seconds)}")
                await insist(self._store, Unsent(id=delivery.id))
            case NotSent(reason):
                self._pause(chat, reason, LONGEST_PAUSE)
                await insist(self._store, Unsent(id=delivery.id))
            case Unknown(reason) if self._is_hopeless(delivery):
                why = f"Telegram has failed on it {delivery.attempts + 1} times: {reason}"
                await self._give_up(delivery, why, tell=True)
                await self._discard(delivery)
            case Unknown(reason):
                before = self._pauses.get(chat)
                others_arrive = before is not None and self._reached > before.since
                self._stick(delivery, self._pause(chat, reason, DOUBT_AMONG_OTHERS if others_arrive else LONGEST_DOUBT))
                await insist(self._store, Doubted(id=delivery.id))
            case Busy():
                self._pause(chat, "refused with 409", LONGEST_PAUSE)
                await insist(self._store, Unsent(id=delivery.id))

    def _aside(self, now: float) -> dict[int, _Stuck]:
        """What others may go past now. It holds up its chat no longer, and is tried in between."""
        return {
            delivery: stuck
            for delivery, stuck in self._stuck.items()
            if stuck.tries >= ASIDE_AFTER and stuck.until > now
        }

    def _stick(self, delivery: Delivery, pause: _Pause) -> None:
        """Telegram has failed on this one. What may go past it does so first when its chat is spoken to again."""
        now = trio.current_time()
        before = self._stuck.get(delivery.id)
        tries, since = (1, now) if before is None else (before.tries + 1, before.since)
        until = max(pause.until + 1.0, now + _backoff(tries, LONGEST_DOUBT))
        self._stuck = {key: each for key, each in self._stuck.items() if each.until > now - FORGOTTEN_AFTER}
        self._stuck[delivery.id] = _Stuck(delivery.place.chat, tries, since, until)

    def _is_hopeless(self, delivery: Delivery) -> bool:
        stuck = self._stuck.get(delivery.id)
        others_arrive = stuck is not None and stuck.tries >= ENOUGH_TRIES and self._reached > stuck.since
        old = time.time() - delivery.created_at > GIVEN_UP_AFTER
        return delivery.attempts >= ENOUGH_TRIES and (old or others_arrive)

    async def _give_up(self, delivery: Delivery, reason: str, *, tell: bool) -> None:
        self._pauses.pop(delivery.place.chat, None)
        self._stuck.pop(delivery.id, None)
        _log.warning("delivery %d cannot arrive in %s: %s", delivery.id, delivery.place, reason)
        await insist(self._store, Undeliverable(id=delivery.id, reason=reason, tell=tell))

    async def _discard(self, delivery: Delivery) -> None:
        """Remove the copy that was made for this delivery. What is left of a kill goes when it is a week old."""
        file = None if delivery.file is None else Path(delivery.file)
        if file is not None and file.parent.parent == self._outgoing:
            await trio.to_thread.run_sync(_remove, file, abandon_on_cancel=True)

    def _end_outage(self, chat: int, now: float) -> None:
        """Something has arrived. Where nothing else did since another chat went wrong, it was not that one's fault."""
        soon = now + FIRST_PAUSE
        for other, pause in self._pauses.items():
            if pause.tries and pause.since >= self._reached and pause.until > soon:
                self._pauses[other] = _Pause(soon, 1, pause.since, f"next try at {_clock(FIRST_PAUSE)}")
        for delivery, stuck in self._stuck.items():
            if stuck.chat != chat and stuck.since >= self._reached and stuck.until > soon:
                self._stuck[delivery] = stuck._replace(until=soon)
        self._reached = now

    def _pause(self, chat: int, reason: str, longest: float) -> _Pause:
        before = self._pauses.get(chat)
        tries = 1 if before is None else before.tries + 1
        seconds = _backoff(tries, longest)
        now = trio.current_time()
        since = now if before is None else before.since
        self._pauses[chat] = pause = _Pause(now + seconds, tries, since, f"next try at {_clock(seconds)}")
        if self._unreachable is None:
            self._unreachable = f"Telegram is unreachable since {_clock()}: {reason}"
            _log.warning("%s", self._unreachable)
        return pause


def _backoff(tries: int, longest: float) -> float:
    """Seconds until the next try."""
    return min(longest, FIRST_PAUSE * 2.0 ** min(tries - 1, 10))


def _remove(file: Path) -> None:
    with suppress(OSError):  # somebody was faster
        file.unlink()
        file.parent.rmdir()


def _kind(delivery: Delivery) -> Kind:
    """A person waits for a final; a change, a topic and a note can wait themselves."""
    small = delivery.edits is not None or delivery.kind in {DeliveryKind.NOTE, DeliveryKind.TOPIC}
    return Kind.NOTE if small else Kind.FINAL


def _clock(seconds: float = 0.0) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S} UTC"
