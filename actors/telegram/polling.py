"""The poll: fetches updates batch by batch, through whatever trouble the network, Telegram or another poller makes.

The gateway takes each update and says so; only then does the next poll confirm it to Telegram. It decides nothing about
what an update means.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import trio
from telegram import Bot, Update, User
from telegram.error import TelegramError

from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, Trouble, Unknown, sorted_out
from actors.telegram.updates import ALLOWED_UPDATES

__all__ = ["Poller"]

POLL: Final = 25
"""Seconds that Telegram may hold a poll while there is nothing."""
POLL_SLACK: Final = 10.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

R = TypeVar("R")

_log = logging.getLogger(__name__)


class Poller:
    """One bot's poll. `doing`: what it does, for people. `listening`: whether the last call of it succeeded."""

    def __init__(self, bot: Bot, tried: trio.Event) -> None:
        """`tried`: set when the first poll, or a try of any call, has ended."""
        self.doing = "connecting"
        self.listening = False
        self._bot = bot
        self._tried = tried
        self._name = ""
        self._offset: int | None = None

    async def user(self) -> User:
        """The bot itself; asked for first. Raises `TokenRefused`."""
        user = await self._persist(self._bot.get_me)
        self._name = user.username or str(user.id)
        return user

    async def batch(self) -> tuple[Update, ...]:
        """What came behind the last update taken; often nothing. Raises `TokenRefused`."""
        updates = await self._persist(self._poll)
        self._tried.set()
        if not self.listening:
            _log.info("listening to Telegram as @%s", self._name)
        self.listening = True
        self.doing = f"listening as @{self._name}"
        return updates

    async def peek(self) -> tuple[Update, ...]:
        """What waits, with what was given out and is not taken yet; nothing if that is not to be had just now.

        Not while `batch` is waited for: Telegram lets only one poll at a time.
        """
        try:
            return await self._get(0)
        except TelegramError as error:
            _log.debug("nothing is seen of what waits: %r", sorted_out(error))
            return ()

    def taken(self, update: Update) -> None:
        """This one is done with: Telegram need not keep it. The next poll says so."""
        self._offset = update.update_id + 1

    async def _poll(self) -> tuple[Update, ...]:
        # The first poll, also after trouble, does not wait: it is to be known soon that all is well.
        return await self._get(POLL if self.listening else 0)

    async def _get(self, timeout: int) -> tuple[Update, ...]:
        return await self._bot.get_updates(
            offset=self._offset, timeout=timeout, read_timeout=POLL_SLACK, allowed_updates=ALLOWED_UPDATES
        )

    async def _persist(self, call: Callable[[], Awaitable[R]]) -> R:
        """The result of a harmless call, however often it takes."""
        pause, since = FIRST_PAUSE, f"{datetime.now(UTC):%H:%M:%S} UTC"
        while True:
            try:
                return await call()
            except TelegramError as error:
                self._tried.set()
                trouble = sorted_out(error)
            self.listening = False
            status = _status(trouble, since)
            if status != self.doing:
                _log.warning("%s", status)
            self.doing = status
            if trouble == Busy(webhook=True):
                await self._delete_webhook()
            await trio.sleep(trouble.seconds if isinstance(trouble, Flood) else pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _delete_webhook(self) -> None:
        try:
            await self._bot.delete_webhook(drop_pending_updates=False)
        except TelegramError as error:
            _log.warning("the webhook could not be deleted: %r", sorted_out(error))


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
