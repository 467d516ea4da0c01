"""Starts the real service with another program in the place of pi: `python -m tests.bench.telegram_service`.

The variable BENCH_PI names that program, BENCH_NODE what runs it, instead of Node.
"""

import os
import sys
from pathlib import Path

import msgspec

from actors import service
from actors.pi.installation import Installation, locate


def installation() -> Installation:
    """What is installed, but for pi."""
    return msgspec.structs.replace(locate(), node=Path(os.environ["BENCH_NODE"]), cli=Path(os.environ["BENCH_PI"]))


if __name__ == "__main__":
    vars(service)["locate"] = installation
    sys.exit(service.main(["run"]))
