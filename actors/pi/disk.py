"""Blocking file work, done in threads and waited for no longer than it is worth.

Whoever of this folder reads or copies a room's files comes through here. A mount that hangs keeps its thread, but no
more than a few of them, and nobody else's.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

T = TypeVar("T")

THREADS: Final = 8
"""Threads at once, of all rooms together."""

_threads: trio.CapacityLimiter | None = None


class TooSlow(OSError):
    """The disk did not answer in time; what was begun may still be done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the disk did not answer within {seconds:g} s")


async def off_thread(work: Callable[[], T], *, seconds: float) -> T:
    """What `work` returns, or raises. Raises TooSlow after `seconds`, and leaves it alone then."""
    with trio.move_on_after(seconds):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=_limiter())
    raise TooSlow(seconds)


def _limiter() -> trio.CapacityLimiter:
    global _threads  # noqa: PLW0603 - the process has one disk, however many rooms
    if _threads is None:
        _threads = trio.CapacityLimiter(THREADS)
    return _threads
