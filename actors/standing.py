"""How a sub-agent has ended, in words, and what can be decided about what it made: the same wherever it is told.

Pure. Used for its line and its report, for the commands of a room, and by `actorctl`.
"""

from typing import Final

from actors.messages import Changes, Subagent, SubagentState
from actors.phrases import code, counted, inert, lasting, money, short

__all__ = ["diff_stat", "ended", "made", "outcome", "undecidable"]

_OUTCOMES: Final[dict[SubagentState, str]] = {
    SubagentState.COMPLETED: "completed",
    SubagentState.FAILED: "failed",
    SubagentState.TIMED_OUT: "timed out",
    SubagentState.CANCELLED: "cancelled",
    SubagentState.LOST: "lost",
}
_DECIDED: Final = {
    "applied": "is in the workspace already",
    "discarded": "was discarded",
    "expired": "was not applied in 14 days, and is gone",
}


def outcome(sub: Subagent) -> str:
    """How one that has ended did so, how long that took and what it cost: `completed in 2 min, $0.03`."""
    said = _OUTCOMES.get(sub.state, str(sub.state))
    if sub.started_at is None:
        return f"{said} before it began"
    if sub.ended_at is not None:
        how = "in" if sub.state is SubagentState.COMPLETED else "after"
        said += f" {how} {lasting(max(1.0, sub.ended_at - sub.started_at))}"
    return f"{said}, {money(sub.cost)}" if sub.cost else said


def diff_stat(changes: Changes) -> str:
    """How much was changed: `3 files, +12 −4`."""
    return f"{counted(changes.files, 'file')}, +{changes.added} −{changes.removed}"


def made(sub: Subagent) -> str:
    """What it made and what became of that: `3 files, +12 −4 · applied`; empty if that is nothing."""
    if sub.changes is None or not sub.made:
        return ""
    fate = "" if sub.kept in (None, "open") else f" · {sub.kept}"
    return f"{diff_stat(sub.changes)}{fate}"


def ended(sub: Subagent) -> str:
    """Both, on one line."""
    return " · ".join(filter(None, (outcome(sub), made(sub))))


def undecidable(sub: Subagent | None, slug: str) -> str | None:
    """Why nothing can be applied, shown or discarded of what it made; None if that is open.

    `sub`: None if there is none called `slug`.
    """
    if sub is None:
        return f"There is no sub-agent {code(short(slug))} in this room. /agents shows those there are."
    if not sub.ended:
        return f"Sub-agent {code(slug)} has not ended yet. /kill {inert(slug)} ends it."
    if not sub.made:
        return f"Sub-agent {code(slug)} changed no files, so there is nothing to apply, show or discard."
    if sub.kept != "open":
        return f"What {code(slug)} made {_DECIDED.get(sub.kept or '', 'is gone')}."
    return None
