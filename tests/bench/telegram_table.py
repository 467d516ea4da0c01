"""The tables of the Telegram part of the bench: lines with their goals, and how figures are summed up and written.

Pure: text out, nothing is run or printed.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

TITLE: Final = 43
CELL: Final = 14


class Line(NamedTuple):
    """One figure, as it is written. `good`: whether it meets its goal; None where there is none."""

    title: str
    figure: str
    goal: str = ""
    good: bool | None = None


def text(title: str, lines: Sequence[Line]) -> str:
    """A table."""
    head = f"{title:<{TITLE}}{'measured':>{CELL}}{'goal':>{CELL}}"
    body = [
        f"{line.title:<{TITLE}}{line.figure:>{CELL}}{line.goal:>{CELL}}"
        + ("" if line.good is None else "  ok" if line.good else "  missed")
        for line in lines
    ]
    return "\n".join([head, "-" * len(head), *(line.rstrip() for line in body)])


def percentile(seconds: Sequence[float], which: int) -> float:
    """The `which`-th percentile; not a number where nothing was measured, which meets no goal."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) * which // 100, len(ordered) - 1)] if ordered else math.nan


def milliseconds(seconds: float) -> str:
    """As people read it."""
    return "–" if math.isnan(seconds) else f"{seconds * 1e3:,.1f} ms"
