"""The tables of a campaign: figures, and promises, which are kept or broken. Those of the bench, with a verdict.

Pure: text out, nothing is run or printed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.telegram_table import Line, text

__all__ = ["Line", "Table", "promise", "shown"]

_MOST = 20
"""So many broken promises are told in full."""


class Table(NamedTuple):
    """One table. `broken`: a sentence for each promise that was not kept; a goal that is missed is none.

    `figures`: what of it also belongs in the one table at the end.
    """

    title: str
    lines: Sequence[Line]
    broken: Sequence[str] = ()
    figures: Sequence[Line] = ()


def promise(title: str, broken: Sequence[object]) -> Line:
    """The line of a promise: how often it was broken, which must be never."""
    return Line(title, f"{len(broken)}", "0", not broken)


def shown(table: Table) -> str:
    """The table as people read it, with what was broken below."""
    told = [f"BROKEN: {sentence}" for sentence in table.broken[:_MOST]]
    if len(table.broken) > _MOST:
        told.append(f"and {len(table.broken) - _MOST} more")
    return "\n".join([text(table.title, table.lines), *told, ""])
