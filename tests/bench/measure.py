"""What all subjects measure with: the message they send, a gauge, a stopwatch, percentiles, resident memory.

Imports nothing but the standard library: it runs in the peers' environment too.
"""

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

Figures = dict[str, float]
"""What a row's function returns: figures by their key, each in the unit that `rows` states."""

BOUND = 64
"""Messages that may wait in each bounded mailbox, channel or queue."""
FAN_OUT_MESSAGES = 50
"""How many each of the many receives in `fan_out`: fewer than the bound, so that no sender need wait."""
CALLERS = 100


class Add:
    """What is told. One is made beforehand and sent again and again: only the hand-over is measured."""

    __slots__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n


class Crash:
    """Makes its receiver fail."""


class CrashedError(Exception):
    """What it fails with."""


class Gauge:
    """Counts what happens and says when the last of what is expected has happened. For one thread."""

    def __init__(self) -> None:
        self.at = 0.0
        self._left = 0
        self._reached: Callable[[], None] = lambda: None

    def expect(self, count: int, reached: Callable[[], None]) -> None:
        """From now on wait for `count` hits and then call `reached`."""
        self._left, self._reached = count, reached

    def hit(self) -> None:
        """One has happened."""
        self._left -= 1
        if self._left == 0:
            self.at = perf_counter()
            self._reached()


class Stopwatch:
    """Seconds since it was made, or since its last lap."""

    def __init__(self) -> None:
        self._since = perf_counter()

    def lap(self) -> float:
        """Read it and start anew."""
        now = perf_counter()
        passed, self._since = now - self._since, now
        return passed


def start_and_stop(name: str, start: float, stop: float) -> Figures:
    """The two figures of a row that starts and stops something, from seconds."""
    return {f"{name}_start": start * 1e3, f"{name}_stop": stop * 1e3}


def percentiles(name: str, seconds: Sequence[float]) -> Figures:
    """Median and 99th percentile in microseconds."""
    ordered = sorted(seconds)
    return {f"{name}_p50": ordered[len(ordered) // 2] * 1e6, f"{name}_p99": ordered[len(ordered) * 99 // 100] * 1e6}


def resident() -> int:
    """Bytes of memory that this process holds, rubbish collected. Linux only."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
