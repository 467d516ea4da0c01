"""Asking a part of the service that may just be crashing, restarting or short of disk: again, until it answers.

For idempotent requests only. What cannot succeed by waiting (a conflict, an unknown room, a fault in the asker or in
the handler) is raised at once.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Final, TypeVar

import trio

from actors.errors import Unavailable
from supervisor import ActorError, AskCycle, Asks, NoReply, Ref

M = TypeVar("M")
R = TypeVar("R")

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two tries: the first pause, doubled up to the longest."""
LOG_EVERY: Final = 60.0
"""Seconds between two lines of the log about one question: a full disk may last for days, and everybody asks."""

_log = logging.getLogger(__name__)


async def insist(
    ref: Ref[M], request: Asks[M, R], *, timeout: float = 10.0, unavailable: Callable[[Unavailable], None] | None = None
) -> R:
    """The reply to `request`, however often it takes; `timeout` seconds each time. Cancel it to give up.

    `unavailable`: told of each such reply.
    """
    pause, logged = FIRST_PAUSE, -inf
    while True:
        try:
            return await ref.ask(request, timeout=timeout)
        except (AskCycle, NoReply):
            raise
        except (ActorError, Unavailable) as error:
            if trio.current_time() - logged >= LOG_EVERY:
                logged = trio.current_time()
                _log.warning("%s is not answered, trying again: %s", type(request).__name__, error)
            if unavailable is not None and isinstance(error, Unavailable):
                unavailable(error)
        await trio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
