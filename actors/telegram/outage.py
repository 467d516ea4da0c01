"""While the store can take nothing, because its disk is full, people hear of it: straight from here, once in each chat.

Used by the gateway, which meanwhile stands at one update and confirms none. No row can be written then, so this goes
past the outbox; it may be lost, and nobody waits for it.
"""

import logging
from collections.abc import Callable
from typing import Final

import trio
from telegram import Bot, ReplyParameters, Update
from telegram.error import TelegramError

from actors.errors import Unavailable
from actors.messages import Inbound
from actors.telegram.polling import Poller
from actors.telegram.trouble import sorted_out
from supervisor import Context

__all__ = ["Outage"]

AT_FIRST: Final = 1.0
"""Seconds that it may last without a word."""
LOOK_EVERY: Final = 5.0
"""Seconds between two looks at who has written meanwhile."""
WORD: Final = 10.0
"""Seconds for a word to arrive."""

_log = logging.getLogger(__name__)


class Outage:
    """One gateway's. `plight`: what keeps updates from being taken now, empty if nothing does."""

    def __init__(self, context: Context, bot: Bot, poller: Poller, wanted: Callable[[Update], Inbound | None]) -> None:
        """`wanted`: what an update says to us, if whoever wrote it may speak here."""
        self.plight = ""
        self._context = context
        self._bot = bot
        self._poller = poller
        self._wanted = wanted
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def noticed(self, error: Unavailable) -> None:
        """An update could not be taken, and is tried again."""
        if error.plight and not self.plight:
            self.plight = error.plight
            self._scope, self._ended = trio.CancelScope(), trio.Event()
            self._context.start_soon(self._speak, f"{error.plight[:1].upper()}{error.plight[1:]}", error.until)

    async def over(self) -> None:
        """One has been taken. When this returns nothing more is said, and nobody else polls."""
        if self.plight:
            self._scope.cancel()
            await self._ended.wait()
            self.plight = ""

    async def _speak(self, plight: str, until: str) -> None:
        word = f"{plight}: your message is not taken yet; it will be as soon as {until}."
        told: set[int] = set()
        try:
            with self._scope:
                await trio.sleep(AT_FIRST)
                while True:
                    for update in await self._poller.peek():
                        inbound = self._wanted(update)
                        if inbound is not None and inbound.place.chat not in told:
                            told.add(inbound.place.chat)
                            await self._say(inbound, word)
                    await trio.sleep(LOOK_EVERY)
        finally:
            self._ended.set()

    async def _say(self, inbound: Inbound, word: str) -> None:
        place, message = inbound.place, inbound.message_id
        reply = None if message is None else ReplyParameters(message, allow_sending_without_reply=True)
        try:
            with trio.move_on_after(WORD):
                await self._bot.send_message(place.chat, word, message_thread_id=place.thread, reply_parameters=reply)
        except TelegramError as error:
            _log.info("a word about an outage did not arrive: %r", sorted_out(error))
