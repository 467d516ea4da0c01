"""A little time for what must not be cut short: a request whose outcome would be unknown, a row that belongs to it.

Used by the outbox and its previews. It knows nothing of what is done in that time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["Grace"]


class Grace:
    """Blocks of code that a cancel reaches `seconds` later than everybody else."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scopes: set[trio.CancelScope] = set()
        self._over: float | None = None

    async def watch(self) -> None:
        """Waits for the cancel; belongs into the nursery whose cancel is meant."""
        try:
            await trio.sleep_forever()
        finally:
            self._over = trio.current_time() + self._seconds
            for scope in self._scopes:
                scope.deadline = self._over

    @contextmanager
    def given(self) -> Iterator[None]:
        """The block may go on for a while; if that is too short, it is left and the cancel takes its course."""
        with trio.CancelScope(shield=True) as scope:
            if self._over is not None:
                scope.deadline = self._over
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
