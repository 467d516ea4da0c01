"""Calls beside the gateway's poll that nobody waits for: answers to presses, a word about what is not understood.

None of them holds up the poll. They are bounded in number and in time, and lost without harm: whatever must arrive is
a delivery, and goes through the outbox.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from telegram.error import TelegramError

from actors.telegram.trouble import sorted_out
from supervisor import Context

__all__ = ["Sideline"]

MOST: Final = 64
"""At once: more come only in a flood, and their answers would be too late."""
WITHIN: Final = 10.0
"""Seconds for one; Telegram itself takes the answer to a press for some 15."""

_log = logging.getLogger(__name__)


class Sideline:
    """Runs them as helper tasks of one incarnation of an actor."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._running = 0

    def start(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        """Begin one, at once; `what` is what the log says of it if it comes to nothing."""
        if self._running >= MOST:
            _log.warning("%s: left out, there are too many at once", what)
            return
        self._running += 1
        self._context.start_soon(self._run, what, call)

    async def _run(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        try:
            with trio.move_on_after(WITHIN) as scope:
                await call()
            if scope.cancelled_caught:
                _log.info("%s: not within %g s", what, WITHIN)
        except TelegramError as error:
            _log.info("%s: %r", what, sorted_out(error))
        finally:
            self._running -= 1
