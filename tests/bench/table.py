"""From samples to the table and the verdict on each goal. Pure: text out, nothing is run or printed."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from tests.bench.rows import GOALS, SUBJECTS, Figure, Goal, Row, Unit

Samples = Mapping[tuple[str, str], Sequence[float | None]]
"""(subject, figure's key) to its value in each round; None where it was not measured in that round."""

LABEL: Final = 43
CELL: Final = 11
ABSENT: Final = "–"


def text(rows: Iterable[Row], samples: Samples) -> str:
    """The whole table, and the goals whose figures were measured; at most 100 columns wide."""
    names = ("ours" if subject == "supervisor" else subject for subject in SUBJECTS)
    head = f"{'medians':<{LABEL}}" + "".join(f"{name:>{CELL}}" for name in names)
    lines = [head, "-" * len(head)]
    lines += [_line(figure, samples) for row in rows for figure in row.figures]
    verdicts = [(goal, measured) for goal in GOALS if (measured := ratio(goal, samples)) is not None]
    if verdicts:
        head = f"{'goals, as medians of the rounds’ ratios':<{LABEL}}{'wanted':>{CELL}}{'measured':>{CELL}}  verdict"
        lines += ["", head, "-" * len(lines[0])]
        lines += [_verdict(goal, measured) for goal, measured in verdicts]
    return "\n".join(lines)


def ratio(goal: Goal, samples: Samples) -> float | None:
    """What the goal limits, as measured; None if something of it was not.

    The median of the ratios within each round: what a round compares ran within the same seconds.
    """
    ratios = []
    for ours, theirs in zip(_sums("supervisor", goal.ours, samples), _theirs(goal, samples), strict=False):
        if ours is not None and theirs:
            ratios.append(ours / theirs)
    return median(ratios) if ratios else None


def missed_by(goal: Goal, measured: float) -> float:
    """How many times the measured ratio would have to be better; 1 or less where the goal is met."""
    return goal.limit / measured if goal.at_least else measured / goal.limit


def _theirs(goal: Goal, samples: Samples) -> list[float | None]:
    if goal.subject is None:
        return [1.0] * len(samples.get(("supervisor", goal.ours[0]), ()))
    return _sums(goal.subject, goal.theirs, samples)


def _sums(subject: str, keys: Sequence[str], samples: Samples) -> list[float | None]:
    """The sum of these figures in each round."""
    total: list[float | None] = []
    for values in zip(*(samples.get((subject, key), ()) for key in keys), strict=True):
        known = [value for value in values if value is not None]
        total.append(sum(known) if len(known) == len(values) else None)
    return total


def _line(figure: Figure, samples: Samples) -> str:
    label = f"{figure.title}, {figure.unit.value}"
    return f"{label:<{LABEL}}" + "".join(f"{_cell(figure, samples.get((s, figure.key), ())):>{CELL}}" for s in SUBJECTS)


def _cell(figure: Figure, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ABSENT
    middle = median(known)
    whole = figure.unit in (Unit.PER_SECOND, Unit.BYTES) or middle >= 1000
    return f"{middle:,.0f}" if whole else f"{middle:,.1f}"


def _verdict(goal: Goal, measured: float) -> str:
    wanted = f"{'>=' if goal.at_least else '<='} {goal.limit:,g}"
    shown = f"{measured:,.0f}" if measured >= 1000 else f"{measured:.2f}"
    factor = missed_by(goal, measured)
    said = "ok" if factor <= 1 else f"missed by {factor:.2f}x"
    return f"{goal.title:<{LABEL}}{wanted:>{CELL}}{shown:>{CELL}}  {said}"
