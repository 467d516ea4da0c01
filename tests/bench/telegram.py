"""`python -m tests.bench.telegram`: the tables of the service at work in Telegram; `--help` says how to choose.

`side`: beside a process for each message. `load`: 100 rooms at once. `workspaces`: of sub-agents. `subagents`: how soon
they are at work, and what they hold. Loopback only; all take about five minutes, and end all that they have started.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import trio

from tests.bench import subagents, telegram_load, telegram_side, workspaces
from tests.bench.telegram_table import Line, text

Measure: TypeAlias = Callable[[], Awaitable[list[Line]]]

LIMIT: Final = 600.0
"""Seconds for all of it."""


def main() -> int:
    """Prints the tables. What cannot be measured is an exception; a goal that is missed is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.telegram", description="Measure the service at work.")
    parser.add_argument("--only", choices=["load", "side", "subagents", "workspaces"], help="one of the tables")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the load lasts (60)")
    options = parser.parse_args()
    if options.only in (None, "side"):
        show("side by side, medians", trio.run(bounded, telegram_side.measure))
    if options.only in (None, "load"):
        title = f"{telegram_load.ROOMS} rooms at once for {options.seconds:g} s"
        show(title, trio.run(bounded, partial(telegram_load.measure, options.seconds)))
    if options.only in (None, "workspaces"):
        show("workspaces of sub-agents, medians", trio.run(bounded, workspaces.measure))
    if options.only in (None, "subagents"):
        show("sub-agents, medians", trio.run(bounded, subagents.measure))
    return 0


async def bounded(measure: Measure) -> list[Line]:
    """The lines of one table, or `trio.TooSlowError`."""
    with trio.fail_after(LIMIT):
        return await measure()


def show(title: str, lines: list[Line]) -> None:
    """Prints a table."""
    sys.stdout.write(text(title, lines) + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
