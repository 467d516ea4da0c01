"""Timers of the runtime: one task wakes for all of them.

`Timers.at` calls back at a time; `Timers.watch` ends calls that got no reply. A trio cancel scope for each ask would
double its cost, so calls with the same timeout share a dict: insertion order is deadline order, and removal is O(1).
"""

import heapq
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

import trio

KEPT_GROUPS: Final = 16
"""How many durations are remembered without a call that uses them: most programs have a few, and use them again."""


class Expiring(Protocol):
    """Something that can be too late."""

    def expire(self, timeout: float) -> None:
        """It is too late: `timeout` seconds are over."""


class Timer:
    """A call-back that is due at some time; `cancel` makes it never happen."""

    __slots__ = ("_callback", "_timers")

    def __init__(self, callback: Callable[[], None], timers: "Timers") -> None:
        self._callback: Callable[[], None] | None = callback
        self._timers = timers

    def cancel(self) -> None:
        """Forget it. Harmless when it has happened."""
        if self._callback is not None:
            self._callback = None
            self._timers._sweep()

    @property
    def cancelled(self) -> bool:
        """Whether it will never happen (any more)."""
        return self._callback is None

    def fire(self) -> None:
        """Call back, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Repeater:
    """A call-back that is due every so many seconds, without drift, until `cancel`. Missed ones are left out."""

    def __init__(self, timers: "Timers", seconds: float, callback: Callable[[], None]) -> None:
        if not seconds > 0:
            raise ValueError(f"what is repeated needs some time in between, not {seconds} s")
        self._timers = timers
        self._seconds = seconds
        self._callback = callback
        self._due = trio.current_time()
        self.cancelled = False
        self._arm()

    def cancel(self) -> None:
        """No more. Harmless when repeated."""
        self.cancelled = True
        self._timer.cancel()

    def _arm(self) -> None:
        now = trio.current_time()
        self._due += self._seconds * max(1, -(-(now - self._due) // self._seconds))
        self._timer = self._timers.at(self._due, self._fire)

    def _fire(self) -> None:
        self._arm()
        self._callback()


class Timers:
    """All timers of one system. Call-backs are synchronous and belong to the runtime; they do not raise."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._dead = 0
        self._groups: dict[float, dict[Expiring, float]] = {}
        self._sleep = trio.CancelScope()
        self._wakes_at = inf

    def at(self, deadline: float, callback: Callable[[], None]) -> Timer:
        """Call back at `deadline` (seconds on trio's clock)."""
        timer = Timer(callback, self)
        self._count += 1
        heapq.heappush(self._heap, (deadline, self._count, timer))
        self._wake_by(deadline)
        return timer

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back in `seconds`."""
        return self.at(trio.current_time() + seconds, callback)

    def _sweep(self) -> None:
        """One more timer in the heap is cancelled: let go of them all once they are its larger half."""
        self._dead += 1
        if self._dead * 2 > len(self._heap) > 64:
            self._heap = [entry for entry in self._heap if not entry[2].cancelled]
            heapq.heapify(self._heap)
            self._dead = 0

    def watch(self, call: Expiring, timeout: float) -> None:
        """Expire `call` after `timeout` seconds, unless `forget` comes first."""
        deadline = trio.current_time() + timeout
        group = self._groups.get(timeout)
        if group is None:
            group = self._groups[timeout] = {}
        group[call] = deadline
        self._wake_by(deadline)

    def forget(self, call: Expiring, timeout: float) -> None:
        """The call has ended. Harmless when it is not watched."""
        group = self._groups.get(timeout)
        if group is not None:
            group.pop(call, None)
            if not group and len(self._groups) > KEPT_GROUPS:
                del self._groups[timeout]

    @property
    def pending(self) -> int:
        """How many calls and live timers there are."""
        timers = sum(not timer.cancelled for _, _, timer in self._heap)
        return timers + sum(len(group) for group in self._groups.values())

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._wakes_at = self._next()
            with trio.CancelScope(deadline=self._wakes_at) as self._sleep:
                await trio.sleep_forever()
            self._fire(trio.current_time())

    def _wake_by(self, deadline: float) -> None:
        if deadline < self._wakes_at:
            self._wakes_at = self._sleep.deadline = deadline

    def _next(self) -> float:
        heap = self._heap[0][0] if self._heap else inf
        return min(heap, min((next(iter(group.values())) for group in self._groups.values() if group), default=inf))

    def _fire(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.cancelled:
                self._dead -= 1
            timer.fire()
        for timeout, group in list(self._groups.items()):
            late = []
            for call, deadline in group.items():
                if deadline > now:
                    break
                late.append(call)
            for call in late:
                self.forget(call, timeout)
                call.expire(timeout)
