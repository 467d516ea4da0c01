"""The agent's own time in a turn: what it may use up, and what it has used. Waiting for a person does not count.

A part of the conversation and of a sub-agent, which are told `TurnTooLong` when a turn has used up its time.
"""

import trio

from actors.messages import TurnTooLong
from supervisor import Context, Timer


class OwnTime:
    """One room's stopwatch. `limit`: seconds for each run of a turn."""

    def __init__(self, context: Context, limit: float) -> None:
        self._context = context
        self._limit = limit
        self._turn: str | None = None
        self._used = 0.0
        self._left = 0.0
        self._since: float | None = None
        self._timer: Timer | None = None

    def begin(self, turn: str) -> None:
        """A run of this turn begins: the whole limit is left."""
        self.pause()
        if turn != self._turn:
            self._turn, self._used = turn, 0.0
        self._left = self._limit
        self.go_on()

    def pause(self) -> None:
        """The agent waits for a person."""
        if self._since is None:
            return
        passed = trio.current_time() - self._since
        self._used, self._left, self._since = self._used + passed, self._left - passed, None
        if self._timer is not None:
            self._timer.cancel()

    def go_on(self) -> None:
        """It does not any more. While no run is on, or it did not wait, nothing changes."""
        if self._since is None and self._turn is not None:
            self._since = trio.current_time()
            self._timer = self._context.send_after(max(0.0, self._left), TurnTooLong(turn=self._turn))

    def end(self) -> float:
        """The turn is over; returns the seconds that its runs have taken."""
        self.pause()
        self._turn = None
        return self._used
