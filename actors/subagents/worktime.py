"""The time that a sub-agent has for its work: over all its runs, without what it waits for others.

A part of `subagent`, which is told `TurnTooLong` when it is used up. An incarnation counts its own.
"""

from actors.owntime import OwnTime
from supervisor import Context


class WorkTime:
    """One sub-agent's stopwatch."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._on: OwnTime | None = None
        self._used = 0.0

    def begin(self, turn: str, timeout: float) -> None:
        """It works in this turn, if it did not already; `timeout`: seconds that it has in all."""
        if self._on is None:
            self._on = OwnTime(self._context, max(0.0, timeout - self._used))
            self._on.begin(turn)

    def wait(self, *, waits: bool) -> None:
        """It waits for others in its work, or does not any more."""
        if self._on is not None and waits:
            self._on.pause()
        elif self._on is not None:
            self._on.go_on()

    def end(self) -> None:
        """It does not work."""
        if self._on is not None:
            self._used += self._on.end()
            self._on = None
