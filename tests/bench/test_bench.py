"""The benchmark still runs: each row with each subject at a tiny size, and the table of samples known by heart.

No figure is judged here.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bench.__main__ import CANNOT
from tests.bench.rows import APART, GOALS, ROWS, SUBJECTS, Goal, Row
from tests.bench.table import Samples, missed_by, ratio, text
from tests.bench.worker import functions

ROOT = Path(__file__).parents[2]

TINY = {"tell": 200, "ask_100": 200, "memory": 500, "memory_told": 500, "tree": 2}
"""Sizes of the rows that need one of their own; `ask_100` has 100 callers, and few actors fit into memory at hand."""


def in_a_process(subject: str, row: Row) -> Mapping[str, float]:
    command = [sys.executable, "-m", "tests.bench.worker", subject, row.name, str(TINY.get(row.name, 5))]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    figures: Mapping[str, float] = json.loads(ran.stdout)
    return figures


def check(row: Row, figures: Mapping[str, float]) -> None:
    assert set(figures) == {figure.key for figure in row.figures}
    assert min(figures.values()) > 0


MEMORY = ("memory", "memory_told")
"""The rows that need a process of their own."""


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in MEMORY], ids=lambda row: row.name)
@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject not in APART])
def test_each_row_gives_its_figures(subject: str, row: Row) -> None:
    if row.name in CANNOT[subject]:
        assert row.name not in functions(subject)
    else:
        check(row, functions(subject)[row.name](TINY.get(row.name, 5)))


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in MEMORY], ids=lambda row: row.name)
@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject not in APART])
def test_memory_is_measured_in_a_process_of_its_own(subject: str, row: Row) -> None:
    if row.name in CANNOT[subject]:
        assert row.name not in functions(subject)
    else:
        check(row, in_a_process(subject, row))


# The peers (pykka, triotp) have an environment of their own, which `make bench` makes; it fails if one of their figures
# cannot be had.


def test_every_goal_is_made_of_figures_that_are_measured() -> None:
    keys = {figure.key for row in ROWS for figure in row.figures}
    assert [goal for goal in GOALS if not keys.issuperset(goal.ours + goal.theirs)] == []


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_the_medians() -> None:
    goal = Goal("tell / trio", ("tell",), "trio", ("tell",), 9.0, at_least=True)
    samples: Samples = {("supervisor", "tell"): [10.0, 20.0, 60.0], ("trio", "tell"): [10.0, 5.0, 20.0]}
    measured = ratio(goal, samples)
    assert measured == 3.0
    assert missed_by(goal, measured) == 3.0


def test_a_ratio_adds_up_its_figures_and_leaves_out_rounds_that_lack_one() -> None:
    goal = Goal("tree", ("start", "stop"), "trio", ("start", "stop"), 1.0)
    samples: Samples = {
        ("supervisor", "start"): [1.0, 9.0],
        ("supervisor", "stop"): [2.0, None],
        ("trio", "start"): [3.0, 1.0],
        ("trio", "stop"): [3.0, 1.0],
    }
    assert ratio(goal, samples) == 0.5
    assert ratio(goal, {}) is None


def test_the_table_says_what_is_absent_what_is_met_and_what_is_missed() -> None:
    rows = [row for row in ROWS if row.name in ("tell", "memory")]
    samples: Samples = {
        ("supervisor", "tell"): [1_000_000.0],
        ("trio", "tell"): [100_000.0],
        ("asyncio", "tell"): [2_000_000.0],
        ("supervisor", "memory"): [6_000.0],
    }
    table = text(rows, samples)
    assert [line.split() for line in table.splitlines() if line] == [
        ["medians", "ours", "trio", "asyncio", "pykka", "triotp"],
        ["-" * 98],
        ["an", "idle", "actor,", "B", "6,000", "–", "–", "–", "–"],
        ["tell,", "one", "to", "one,", "/s", "1,000,000", "100,000", "2,000,000", "–", "–"],
        ["goals,", "as", "medians", "of", "the", "rounds’", "ratios", "wanted", "measured", "verdict"],
        ["-" * 98],
        ["tell", "/", "trio", ">=", "8", "10.00", "ok"],
        ["tell", "/", "asyncio", ">=", "1", "0.50", "missed", "by", "2.00x"],
        ["bytes", "of", "an", "idle", "actor", "<=", "5,000", "6,000", "missed", "by", "1.20x"],
    ]
    assert max(map(len, table.splitlines())) <= 100
