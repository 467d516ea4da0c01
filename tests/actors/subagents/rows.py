"""Rows of sub-agents, for tests."""

from typing import Any

from actors.messages import Changes, Subagent, SubagentState

QUEUED, PREPARING, RUNNING = SubagentState.QUEUED, SubagentState.PREPARING, SubagentState.RUNNING


def sub(slug: str, state: SubagentState = RUNNING, *, room: str = "shop", **changes: Any) -> Subagent:
    """The row of one that was begun by a room's agent, unless it is changed."""
    fields: dict[str, Any] = {
        "slug": slug,
        "room": room,
        "parent": None,
        "turn": "t-1",
        "by": None,
        "depth": 1,
        "task": f"the task of {slug}",
        "isolation": "copy",
        "model": None,
        "timeout": 600.0,
        "session_id": f"{slug}-1",
        "created_at": 1000.0,
        "workspace": "/work/shop",
        "state": state,
    }
    return Subagent(**(fields | changes))


def changes(folder: str, *names: str) -> Changes:
    """What one changed, kept in this folder."""
    return Changes(
        files=len(names) or 1,
        names=tuple(f"M {name}" for name in names or ("a.txt",)),
        added=1,
        removed=1,
        patch=f"{folder}/patch",
        repository=f"{folder}/repository.git",
    )
