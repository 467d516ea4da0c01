"""The reports of sub-agents among a room's messages: how they are known, and what they are called.

Pure. A report waits and begins a turn as a message does, but nobody wrote it: so nobody is told that it waits, it joins
no run and ends none, and it is shown by whose report it is.
"""

from collections.abc import Sequence
from typing import Final

from actors.messages import Queued
from actors.phrases import inert, short

_BURST: Final = "reports:"
"""How the mark begins by which the store joins the reports of one room that come together."""
_NAMED: Final = 3
MOST_TOGETHER: Final = 60_000
"""Characters of reports that are one prompt; what is over begins the next turn."""


def is_report(row: Queued) -> bool:
    """Whether this is what a sub-agent reports to the room's agent."""
    return row.person == 0 and row.burst is not None and row.burst.startswith(_BURST)


def are_reports(rows: Sequence[Queued]) -> bool:
    """Whether these are reports only, and at least one."""
    return bool(rows) and all(map(is_report, rows))


def fits(row: Queued, group: Sequence[Queued]) -> bool:
    """Whether this one can be in one prompt with those: of reports, only so much."""
    return not is_report(row) or sum(len(each.text) for each in (*group, row)) <= MOST_TOGETHER


def called(rows: Sequence[Queued]) -> str:
    """What these reports are called, as Markdown: `the report of sub-agent shop-2`."""
    return f"the {'report' if len(rows) == 1 else 'reports'} of {_names(rows)}"


def subject(rows: Sequence[Queued]) -> str:
    """What a sentence about the messages of a turn begins with, as Markdown."""
    return f"What {_names(rows)} reported" if are_reports(rows) else "This message"


def _names(rows: Sequence[Queued]) -> str:
    names = ", ".join(inert(short(row.name)) for row in rows[:_NAMED])
    return f"{names} and {len(rows) - _NAMED} more" if len(rows) > _NAMED else names
