"""One row with one subject in a process of its own: `python -m tests.bench.worker <subject> <row> <size>`.

Prints the figures as one JSON object. A process of its own, so that neither memory nor rubbish of one measurement is
carried into the next.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable

from tests.bench.measure import Figures
from tests.bench.rows import ROWS


def functions(subject: str) -> dict[str, Callable[[int], Figures]]:
    """The subject's rows by their names. Raises `ImportError` where its library is missing."""
    found: dict[str, Callable[[int], Figures]] = importlib.import_module(f"tests.bench.with_{subject}").ROWS
    return found


def main(subject: str, name: str, size: int) -> None:
    """Warm up at a tenth of the size, then measure."""
    row = functions(subject)[name]
    if next(known for known in ROWS if known.name == name).warm:
        row(max(size // 10, 1))
        gc.collect()
    sys.stdout.write(json.dumps(row(size)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
