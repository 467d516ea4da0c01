"""How a sub-agent has ended, and what can be decided about what it made."""

from typing import Any

import msgspec
import pytest

from actors import standing
from actors.messages import Changes, Subagent, SubagentState

MADE = Changes(
    files=3, names=("M a", "A b", "D c"), added=12, removed=4, patch="/r/patch", repository="/r/repository.git"
)
NOTHING = msgspec.structs.replace(MADE, files=0, names=(), added=0, removed=0, left_out=("big is too large.",))


def sub(state: SubagentState = SubagentState.COMPLETED, **fields: Any) -> Subagent:
    """One that has worked for two minutes."""
    row = Subagent(
        slug="fix", room="lab", parent=None, turn="t1", by=None, depth=1, task="fix it", isolation="copy", model=None,
        timeout=60.0, session_id="fix-1", created_at=990.0, state=state, started_at=1000.0, ended_at=1120.0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (sub(), "completed in 2 min"),
        (sub(cost=0.03), "completed in 2 min, $0.030"),
        (sub(ended_at=1000.1), "completed in 1 s"),
        (sub(SubagentState.FAILED), "failed after 2 min"),
        (sub(SubagentState.TIMED_OUT), "timed out after 2 min"),
        (sub(SubagentState.LOST), "lost after 2 min"),
        (sub(SubagentState.CANCELLED, started_at=None), "cancelled before it began"),
        (sub(changes=MADE, kept="open"), "completed in 2 min · 3 files, +12 −4"),
        (sub(changes=MADE, kept="applied"), "completed in 2 min · 3 files, +12 −4 · applied"),
        (sub(changes=NOTHING, kept="open"), "completed in 2 min"),
    ],
)
def test_how_it_ended(row: Subagent, says: str) -> None:
    assert standing.ended(row) == says


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (None, "There is no sub-agent `fix` in this room. /agents shows those there are."),
        (sub(SubagentState.RUNNING, ended_at=None), "Sub-agent `fix` has not ended yet. /kill fix ends it."),
        (sub(), "Sub-agent `fix` changed no files, so there is nothing to apply, show or discard."),
        (
            sub(changes=NOTHING, kept="open"),
            "Sub-agent `fix` changed no files, so there is nothing to apply, show or discard.",
        ),
        (sub(changes=MADE, kept="applied"), "What `fix` made is in the workspace already."),
        (sub(changes=MADE, kept="discarded"), "What `fix` made was discarded."),
        (sub(changes=MADE, kept="expired"), "What `fix` made was not applied in 14 days, and is gone."),
        (sub(changes=MADE, kept="open"), None),
    ],
)
def test_what_can_be_decided_about_what_it_made(row: Subagent | None, why: str | None) -> None:
    assert standing.undecidable(row, "fix") == why


def test_an_id_that_nobody_has_is_shown_as_it_is() -> None:
    assert standing.undecidable(None, "x`y") == (
        "There is no sub-agent ``x`y`` in this room. /agents shows those there are."
    )
