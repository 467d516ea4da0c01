"""The gateway actor: fetches what people wrote and hands it to the store, one update after the other.

It polls, asks the store, tells the router and the outbox, and is asked by nobody. Telegram's offset moves only when the
store has committed, so an update is never lost, and what comes twice the store knows. It sends nothing of a room's.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, Never, TypeVar, assert_never

import trio
from telegram import Bot, ReplyParameters, Update
from telegram.error import TelegramError

from actors.asking import insist
from actors.messages import Accept, Inbound, OutboxMessage, Place, StoreRequest, Wake, WakeRoom
from actors.messages import Refused as QueueFull
from actors.settings import TelegramSettings
from actors.telegram.access import Gate
from actors.telegram.api import connect
from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, Trouble, Unknown, sorted_out
from actors.telegram.updates import ALLOWED_UPDATES, UNREADABLE, Ignored, Me, Refused, Unsupported, translate
from supervisor import Actor, ActorError, Description, Mailbox, Overflow, Ref

POLL: Final = 25
"""Seconds that Telegram may hold a poll while there is nothing."""
POLL_SLACK: Final = 10.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

UNSUPPORTED: Final = "I understand text so far. Please write it as a message."
UNSUPPORTED_EVERY: Final = 2.0
"""Seconds between two such answers in one place: ten photos at once get one."""
UNSUPPORTED_WITHIN: Final = 5.0
REMEMBERED: Final = 256
"""People refused and places answered that are remembered; beyond it the oldest is forgotten."""

R = TypeVar("R")

_log = logging.getLogger(__name__)


class Gateway(Actor[Never]):
    """Telegram's inbound half. It ends with `TokenRefused` when Telegram does not know the token."""

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        store: Ref[StoreRequest],
        router: Ref[WakeRoom],
        outbox: Ref[OutboxMessage],
        capacity: int,
        ready: trio.Event | None = None,
    ) -> None:
        """`capacity`: inbounds that may wait in a room. `ready`: set when the first poll, or a try of it, has ended."""
        self._settings = settings
        self._store = store
        self._router = router
        self._outbox = outbox
        self._capacity = capacity
        self._ready = trio.Event() if ready is None else ready
        self._gate = Gate(settings.allowed_user_ids, settings.allowed_group_ids)
        self._refused = _Recent()
        self._answered = _Recent()
        self._doing = "connecting"
        self._listening = False

    async def started(self) -> None:
        self.context.start_soon(self._run)

    async def receive(self, message: Never) -> None:
        assert_never(message)

    def describe(self) -> Description:
        return Description(doing=self._doing)

    # --- polling

    async def _run(self) -> None:
        async with connect(self._settings, connections=2) as bot:
            user = await self._persist(bot, bot.get_me)
            me = Me(user.id, user.username or "")
            offset: int | None = None
            while True:
                updates = await self._persist(bot, partial(self._poll, bot, offset))
                self._ready.set()
                if not self._listening:
                    _log.info("listening to Telegram as @%s", me.username)
                self._listening = True
                self._doing = f"listening as @{me.username}"
                for update in updates:
                    await self._take(bot, update, me)
                    offset = update.update_id + 1

    async def _poll(self, bot: Bot, offset: int | None) -> tuple[Update, ...]:
        # The first poll, also after trouble, does not wait: it is to be known soon that all is well.
        wait = POLL if self._listening else 0
        return await bot.get_updates(
            offset=offset, timeout=wait, read_timeout=POLL_SLACK, allowed_updates=ALLOWED_UPDATES
        )

    async def _persist(self, bot: Bot, call: Callable[[], Awaitable[R]]) -> R:
        """The result of a harmless call, however often it takes. Raises `TokenRefused`."""
        pause, since = FIRST_PAUSE, f"{datetime.now(UTC):%H:%M:%S} UTC"
        while True:
            try:
                return await call()
            except TelegramError as error:
                self._ready.set()
                trouble = sorted_out(error)
            self._listening = False
            status = _status(trouble, since)
            if status != self._doing:
                _log.warning("%s", status)
            self._doing = status
            if trouble == Busy(webhook=True):
                await self._delete_webhook(bot)
            await trio.sleep(trouble.seconds if isinstance(trouble, Flood) else pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _delete_webhook(self, bot: Bot) -> None:
        try:
            await bot.delete_webhook(drop_pending_updates=False)
        except TelegramError as error:
            _log.warning("the webhook could not be deleted: %r", sorted_out(error))

    # --- one update

    async def _take(self, bot: Bot, update: Update, me: Me) -> None:
        try:
            verdict = translate(update, me, self._gate)
        except UNREADABLE:  # a mistake of ours, and the next update must not wait for its mend
            _log.exception("update %s is skipped", update.update_id)
            return
        match verdict:
            case Inbound():
                await self._accept(verdict)
            case Unsupported(place, message_id):
                if self._answered.is_new(place, trio.current_time() + UNSUPPORTED_EVERY):
                    await self._say_unsupported(bot, place, message_id)
            case Refused(person, chat, reason):
                if self._refused.is_new((person, chat)):
                    _log.warning("a message is refused: %s", reason)
            case Ignored(reason):
                _log.debug("update %s is ignored: %s", update.update_id, reason)

    async def _accept(self, inbound: Inbound) -> None:
        reply = await insist(self._store, Accept(inbound=inbound, capacity=self._capacity))
        try:
            if isinstance(reply, QueueFull):
                self._outbox.tell_nowait(Wake())
            if reply.room is not None:  # a refused message, too, makes a room that gave up try again
                await self._router.tell(WakeRoom(room=reply.room))
        except ActorError as error:
            # The rows are the truth: the router asks for what is unfinished when it starts, the outbox looks by itself.
            _log.warning("%s is accepted, but nobody could be woken for it: %s", inbound.key, error)

    async def _say_unsupported(self, bot: Bot, place: Place, message_id: int) -> None:
        """Said once and not kept: a courtesy must neither hold up the poll nor be worth a row."""
        with trio.move_on_after(UNSUPPORTED_WITHIN):
            try:
                await bot.send_message(
                    place.chat,
                    UNSUPPORTED,
                    message_thread_id=place.thread,
                    disable_notification=True,
                    reply_parameters=ReplyParameters(message_id, allow_sending_without_reply=True),
                )
            except TelegramError as error:
                _log.info("%s was not told that only text is understood: %r", place, sorted_out(error))


def _status(trouble: Trouble, since: str) -> str:
    match trouble:
        case Flood(seconds):
            return f"Telegram wants silence for {seconds:g} s"
        case Busy(webhook=True):
            return "a webhook gets this bot's updates; deleting it"
        case Busy():
            return f"another program polls this bot (409) since {since}: stop it, or get a bot of its own for it"
        case NotSent(reason) | Unknown(reason):
            return f"Telegram is unreachable since {since}: {reason}"
        case Permanent(reason) | BadEntities(reason):
            return f"Telegram refuses to be polled since {since}: {reason}"


class _Recent:
    """The last keys that came up, each until a time or until it is pushed out."""

    def __init__(self) -> None:
        self._until: OrderedDict[object, float] = OrderedDict()

    def is_new(self, key: object, until: float = float("inf")) -> bool:
        """Whether the key is not known now; it is from then on, `until` that time of trio's clock."""
        if self._until.get(key, 0.0) > trio.current_time():
            return False
        self._until[key] = until
        self._until.move_to_end(key)
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)
        return True
