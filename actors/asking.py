"""Asking a part of the service that may just be crashing, restarting or short of disk: again, until it answers.

For idempotent requests only. What cannot succeed by waiting (a conflict, an unknown room) is raised at once.
"""

import logging
from typing import Any, Final, TypeVar

import trio

from actors.errors import Unavailable
from supervisor import ActorError, Asks, Ref

R = TypeVar("R")

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0

_log = logging.getLogger(__name__)


async def insist(ref: Ref[Any], request: Asks[Any, R], *, timeout: float = 10.0) -> R:
    """The reply to `request`, however often it takes; `timeout` seconds each time. Cancel it to give up."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await ref.ask(request, timeout=timeout)
        except (ActorError, Unavailable) as error:
            _log.warning("%s is not answered, trying again: %s", type(request).__name__, error)
        await trio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
