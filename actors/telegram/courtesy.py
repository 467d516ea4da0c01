"""Requests that nobody waits for: typing, previews, marks. They may fail, and they never crowd out a delivery.

Used by what shows running turns and receipts. At most `AT_A_TIME` are under way; a 429 is told to the pacing.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio
from telegram import Bot
from telegram.error import TelegramError

from actors.telegram.pacing import Kind, Pacing
from actors.telegram.trouble import Flood, Trouble, sorted_out

__all__ = ["AT_A_TIME", "REQUEST", "Courtesy"]

AT_A_TIME: Final = 8
REQUEST: Final = 5.0
"""Seconds for an answer to a request that does not matter."""

R = TypeVar("R")


class Courtesy:
    """A bot for such requests."""

    def __init__(self, bot: Bot, pacing: Pacing) -> None:
        self.bot = bot
        self.pacing = pacing
        self._places = trio.CapacityLimiter(AT_A_TIME)

    async def attempt(self, chat: int, request: Callable[[], Awaitable[R]], kind: Kind | None = None) -> R | Trouble:
        """What the request returns, or why it failed. `kind`: as what it counts, if it does. Raises `TokenRefused`."""
        sent = trio.current_time()
        if kind is not None:
            self.pacing.spent(chat, kind, sent)
        try:
            async with self._places:
                return await request()
        except TelegramError as error:
            trouble = sorted_out(error)
        finally:
            if kind is not None:
                self.pacing.answered(chat, kind, sent, trio.current_time())
        if isinstance(trouble, Flood):
            self.pacing.flood(chat, trio.current_time() + trouble.seconds)
        return trouble
