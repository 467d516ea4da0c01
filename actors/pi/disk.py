"""Blocking file work, done in threads and waited for no longer than it is worth.

Whoever of this folder reads or copies a room's files comes through here. A mount that hangs keeps its threads, but no
more than a few of them, and none of another room's.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

T = TypeVar("T")

THREADS: Final = 2
"""Threads at once for one place; if a mount of it hangs, so many are lost to it."""

_limiters: dict[str, trio.CapacityLimiter] = {}
"""Of the places where threads are at work."""


class TooSlow(OSError):
    """The disk did not answer in time; what was begun may still be done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the disk did not answer within {seconds:g} s")


async def off_thread(work: Callable[[], T], *, place: str, seconds: float) -> T:
    """What `work` returns, or raises. Raises TooSlow after `seconds`, and leaves it alone then.

    `place`: a room or a folder of one; what is done for one place does not wait for what hangs in another.
    """
    for idle in [name for name, limiter in _limiters.items() if not _in_use(limiter)]:
        del _limiters[idle]
    limiter = _limiters.setdefault(place, trio.CapacityLimiter(THREADS))
    with trio.move_on_after(seconds):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
    raise TooSlow(seconds)


def _in_use(limiter: trio.CapacityLimiter) -> bool:
    return bool(limiter.borrowed_tokens or limiter.statistics().tasks_waiting)
