"""How a sub-agent ends: the one terminal report, with the line that its people see, made of its row.

Pure. A sub-agent makes it of itself; its supervisor makes it for one that cannot, or that never began.
"""

from collections.abc import Sequence

import msgspec

from actors.messages import Changes, EndSubagent, Subagent, SubagentState
from actors.redaction import redact
from actors.subagents import words

__all__ = ["MOST_LOG", "end"]

MOST_LOG = 200
"""Lines of a log that are kept."""


def end(
    sub: Subagent,
    outcome: SubagentState,
    now: float,
    *,
    text: str = "",
    error: str = "",
    changes: Changes | None = None,
    cost: float | None = None,
    log: Sequence[str] = (),
) -> EndSubagent:
    """The report of one that is still open. `now`: Unix seconds; `cost`: US dollars, None for what its row has."""
    ended = msgspec.structs.replace(
        sub,
        state=outcome,
        waiting=False,
        ended_at=now,
        text=redact(text),
        error=redact(error),
        changes=changes,
        kept=None if changes is None else "open",
        cost=sub.cost if cost is None else cost,
    )
    answer = None if sub.by is None else words.answer(ended)
    return EndSubagent(
        slug=sub.slug,
        outcome=outcome,
        text=ended.text,
        error=ended.error,
        report=words.report(ended),
        changes=changes,
        cost=ended.cost,
        deliveries=(words.line(ended), *(() if answer is None else (answer,))),
        log=tuple(log[-MOST_LOG:]),
    )
