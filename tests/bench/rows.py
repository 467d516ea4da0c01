"""What is measured, in which units, and which ratios are wanted. Pure: nothing here runs.

A row is one workload in one process; it gives one or more figures, each a line of the table.
"""

from enum import Enum
from typing import NamedTuple


class Unit(Enum):
    """How a figure is read, and which way is better."""

    PER_SECOND = "/s"
    BYTES = "B"
    MICROSECONDS = "us"
    MILLISECONDS = "ms"


class Figure(NamedTuple):
    """One line of the table. `key` is its name within its row's result."""

    key: str
    title: str
    unit: Unit


class Row(NamedTuple):
    """One workload. `size` is what its function gets: children, messages or calls. A `warm` one is run small first."""

    name: str
    size: int
    figures: tuple[Figure, ...]
    warm: bool = True


class Goal(NamedTuple):
    """A wanted ratio of ours: the sum of the figures `ours` over the sum of the figures `theirs` of `subject`.

    `at_least`: whether more is better. Without a subject it is the figure itself that has the limit.
    """

    title: str
    ours: tuple[str, ...]
    subject: str | None
    theirs: tuple[str, ...]
    limit: float
    at_least: bool = False


SUBJECTS = ("supervisor", "trio", "asyncio", "pykka", "triotp")
"""In the order of the table's columns; a module `with_<subject>` stands for each."""

APART = ("pykka", "triotp")
"""Those that live in an environment of their own."""


def _start_and_stop(name: str, title: str, size: int) -> Row:
    start = Figure(f"{name}_start", f"{title}: start", Unit.MILLISECONDS)
    return Row(name, size, (start, Figure(f"{name}_stop", f"{title}: stop", Unit.MILLISECONDS)))


ROWS = (
    Row("spawn", 2_000, (Figure("spawn", "spawn, all wanted at once", Unit.PER_SECOND),)),
    Row("spawn_ack", 2_000, (Figure("spawn_ack", "spawn, each acknowledged", Unit.PER_SECOND),)),
    Row("spawn_told", 2_000, (Figure("spawn_told", "spawn, until each was told once", Unit.PER_SECOND),)),
    Row("memory", 5_000, (Figure("memory", "an idle actor", Unit.BYTES),), warm=False),
    Row("memory_told", 5_000, (Figure("memory_told", "an actor that was told once", Unit.BYTES),), warm=False),
    Row("tell", 100_000, (Figure("tell", "tell, one to one", Unit.PER_SECOND),)),
    Row("fan_out", 1_000, (Figure("fan_out", "tell, one to 1,000", Unit.PER_SECOND),)),
    Row(
        "ask",
        5_000,
        (
            Figure("ask_p50", "ask, alone: p50", Unit.MICROSECONDS),
            Figure("ask_p99", "ask, alone: p99", Unit.MICROSECONDS),
        ),
    ),
    Row(
        "ask_100",
        10_000,
        (
            Figure("ask_100", "ask, 100 callers: per call", Unit.MICROSECONDS),
            Figure("ask_100_p50", "ask, 100 callers: p50 of a caller's wait", Unit.MICROSECONDS),
            Figure("ask_100_p99", "ask, 100 callers: p99 of a caller's wait", Unit.MICROSECONDS),
        ),
    ),
    Row(
        "restart",
        2_000,
        (
            Figure("restart_p50", "restart: p50", Unit.MICROSECONDS),
            Figure("restart_p99", "restart: p99", Unit.MICROSECONDS),
        ),
    ),
    Row("storm", 1_000, (Figure("storm", "1,000 crash at once: until all are up", Unit.MILLISECONDS),)),
    _start_and_stop("chain", "chain of 100 supervisors", 100),
    _start_and_stop("tree", "tree of 10x10x10", 10),
    _start_and_stop("static_1000", "1,000 children, static", 1_000),
    _start_and_stop("static_10000", "10,000 children, static", 10_000),
    _start_and_stop("dynamic_1000", "1,000 children, dynamic", 1_000),
    _start_and_stop("dynamic_10000", "10,000 children, dynamic", 10_000),
    Row("snapshot", 10_000, (Figure("snapshot", "snapshot of 10,000", Unit.MILLISECONDS),)),
)

GOALS = (
    *(
        Goal(f"{title} / {subject}", (key,), subject, (key,), limit, at_least=True)
        for key, title in (("tell", "tell"), ("fan_out", "tell to 1,000"))
        for subject, limit in (("trio", 8.0), ("asyncio", 1.0), ("pykka", 6.0))
    ),
    Goal("ask p50 / trio", ("ask_p50",), "trio", ("ask_p50",), 0.7),
    Goal("ask, 100 callers / trio", ("ask_100",), "trio", ("ask_100",), 0.3),
    Goal("spawn / trio", ("spawn",), "trio", ("spawn",), 1.0, at_least=True),
    Goal("bytes of an idle actor", ("memory",), None, (), 5_000.0),
    Goal("restart p50 / trio", ("restart_p50",), "trio", ("restart_p50",), 0.6),
    Goal("1,000 crash at once / trio", ("storm",), "trio", ("storm",), 0.6),
    Goal("tree start + stop / trio", ("tree_start", "tree_stop"), "trio", ("tree_start", "tree_stop"), 1.0),
    *(
        Goal(
            f"10,000 / 1,000 children, {kind}",
            (f"{kind}_10000_start", f"{kind}_10000_stop"),
            "supervisor",
            (f"{kind}_1000_start", f"{kind}_1000_stop"),
            12.0,
        )
        for kind in ("static", "dynamic")
    ),
)
"""A start and a stop are one figure in a goal: what a subject saves at the one it may have to pay at the other."""
