"""`make bench`: runs the rounds and prints the table; `--help` says how to choose.

In each round every row runs once with each subject, one after the other and in a rotating order, each in a process of
its own, so that a noisy neighbour disturbs all of them alike. The pure part of it is `table`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.bench.rows import APART, ROWS, SUBJECTS, Row
from tests.bench.table import Samples, text

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = ROOT / ".venv" / "bench" / "bin" / "python"
"""The interpreter of the environment that `make bench` makes for the peers."""
LIMIT: Final = 60.0
"""Seconds that one measurement may take."""
SLOW: Final = 4.0
"""Seconds after which a measurement is not repeated in later rounds; all of them together are to take minutes."""

CANNOT: Final = {
    "supervisor": frozenset[str](),
    "trio": frozenset({"memory_told", "snapshot"}),
    "asyncio": frozenset({"memory_told", "spawn_ack", "snapshot"}),  # a task is created without a word of its being up
    "pykka": frozenset(
        {"spawn_told", "memory_told", "restart", "storm", "chain", "tree", "static_10000", "dynamic_10000", "snapshot"}
    ),  # no supervisors, and 10,000 threads are no longer a matter of the library
    "triotp": frozenset(
        {"spawn_told", "memory_told", "spawn_ack", "snapshot"}
    ),  # its dynamic supervisor acknowledges nothing
}
"""The rows that a subject has no means for, or no difference to show in: its actors are made whole at once."""


def main() -> int:
    """Returns 1 if something could not be measured that should have been, else 0."""
    known = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the runtime beside its peers.")
    parser.add_argument("--rows", help=f"some of: {','.join(known)}")
    parser.add_argument("--subjects", help=f"some of: {','.join(SUBJECTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each row runs with each subject (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    options = parser.parse_args()
    names = _chosen(parser, options.rows, known)
    subjects = _chosen(parser, options.subjects, SUBJECTS)
    rows = [row for row in ROWS if row.name in names]
    samples, failures = _rounds(rows, subjects, options.rounds)
    if options.json is not None:
        options.json.write_text(json.dumps(_plain(samples), indent=1) + "\n")
    sys.stdout.write(text(rows, samples) + "\n")
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    return 1 if failures else 0


def _chosen(parser: argparse.ArgumentParser, asked: str | None, known: Sequence[str]) -> list[str]:
    names = list(known) if asked is None else asked.split(",")
    for name in names:
        if name not in known:
            parser.error(f"there is no {name!r}; there are: {', '.join(known)}")
    return names


def _rounds(rows: Sequence[Row], subjects: Sequence[str], rounds: int) -> tuple[Samples, list[str]]:
    """All samples, and what failed."""
    samples: dict[tuple[str, str], list[float | None]] = {}
    failures: list[str] = []
    skipped = {(subject, name) for subject in subjects for name in CANNOT[subject]}
    for number in range(rounds):
        turn = number % len(subjects)
        for row in rows:
            _progress(f"round {number + 1} of {rounds}: {row.name}")
            for subject in (*subjects[turn:], *subjects[:turn]):
                figures: Mapping[str, float] = {}
                if (subject, row.name) not in skipped:
                    begin = perf_counter()
                    try:
                        figures = _measured(subject, row)
                    except subprocess.SubprocessError as error:
                        failures.append(f"{subject}, {row.name}: {error}\n{_last_words(error)}")
                    if not figures or perf_counter() - begin > SLOW:
                        skipped.add((subject, row.name))
                for figure in row.figures:
                    samples.setdefault((subject, figure.key), []).append(figures.get(figure.key))
    _progress("")
    return samples, failures


def _measured(subject: str, row: Row) -> Mapping[str, float]:
    """One measurement in its own process. Raises `subprocess.SubprocessError`."""
    python = str(PEERS) if subject in APART else sys.executable
    ran = subprocess.run(
        [python, "-m", "tests.bench.worker", subject, row.name, str(row.size)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    figures: Mapping[str, float] = json.loads(ran.stdout)
    return figures


def _last_words(error: subprocess.SubprocessError) -> str:
    said = getattr(error, "stderr", None) or ""
    return "\n".join(str(said).splitlines()[-5:])


def _plain(samples: Samples) -> dict[str, dict[str, list[float | None]]]:
    plain: dict[str, dict[str, list[float | None]]] = {}
    for (subject, key), values in samples.items():
        plain.setdefault(subject, {})[key] = list(values)
    return plain


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")


if __name__ == "__main__":
    sys.exit(main())
