"""How a sub-agent comes to be: asked for once, refused with a sentence, or a row that waits for its slot.

Plain functions of a connection, a setting and a request, called inside a transaction by `records`. The bounds come with
the request; who begins when is the registrar's affair.
"""

from collections import Counter
from typing import Final

import apsw

from actors.messages import Bounds, Spawn, Spawned, SpawnRefused, Subagent, SubagentState
from actors.store.errors import Conflict
from actors.store.reports import wait_for
from actors.store.rooms import Setting, names, room
from actors.store.subagent_rows import note_step, the_subagent
from actors.store.texts import slug_of_task, storable

TASK_LIMIT: Final = 64 * 2**10
"""Bytes of UTF-8 that a task may have."""

_RESERVED: Final = frozenset({"console"})
"""Names that a room may still want."""
_HOLDING: Final = (
    "SELECT room FROM subagents WHERE slug IS NOT ? AND state IN ('preparing', 'running') "
    "AND (waiting = 0 OR NOT EXISTS "
    "(SELECT 1 FROM subagents AS child WHERE child.parent = subagents.slug AND child.ended_at IS NULL))"
)
"""Who has a slot, or goes on before anybody begins: a parent whose children have all ended."""


def spawn(db: apsw.Connection, setting: Setting, request: Spawn) -> Spawned | SpawnRefused:
    """A new row, or the one with this key. A refusal leaves none."""
    home = room(db, request.room)
    known = db.execute("SELECT slug FROM subagents WHERE key = ?", (request.key,)).get
    if known is not None:
        found = the_subagent(db, "Spawn", known)
        return Spawned(subagent=found, ahead=_ahead_of(db, request.bounds, found))
    parent = None if request.parent is None else the_subagent(db, "Spawn", request.parent)
    if parent is not None and parent.room != home.slug:
        raise Conflict("Spawn", f"sub-agent {parent.slug} belongs to room {parent.room}")
    depth = 1 if parent is None else parent.depth + 1
    reason = _refusal(db, request, parent, depth)
    if reason:
        return SpawnRefused(reason=reason)
    slug = slug_of_task(request.task, taken=names(db) | _RESERVED)
    db.execute(
        "INSERT INTO subagents (key, slug, room, parent, turn, by, depth, task, isolation, model, timeout, session_id, "
        "created_at, workspace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.key,
            slug,
            home.slug,
            request.parent,
            request.turn,
            request.by,
            depth,
            storable(request.task),
            request.isolation,
            request.model,
            request.timeout,
            f"{slug}-{setting.token}",
            setting.now,
            home.workspace,
        ),
    )
    if request.wait and request.by is None:
        wait_for(db, slug, request.parent)
    note_step(db, setting.now, slug, "asked for")
    found = the_subagent(db, "Spawn", slug)
    return Spawned(subagent=found, ahead=_ahead_of(db, request.bounds, found))


def _refusal(db: apsw.Connection, request: Spawn, parent: Subagent | None, depth: int) -> str:
    """Why nothing is begun; empty if something is."""
    size, bounds = len(request.task.encode("utf-8", "replace")), request.bounds
    if not request.task.strip():
        return "The task is empty: say what the sub-agent is to do and what it is to report."
    if size > TASK_LIMIT:
        return (
            f"The task has {size // 2**10 + 1} KiB and may have {TASK_LIMIT // 2**10}: put what is long into a file of "
            "the workspace and name that file in the task."
        )
    if _is_over(db, request, parent):
        return "Whoever asked for it has ended or is about to, so no sub-agent is begun for it."
    if depth > bounds.max_depth:
        return (
            f"Sub-agents may be {_times(bounds.max_depth, 'level')} deep, and this one would be at level {depth}: "
            "do the task yourself."
        )
    count: int = db.execute("SELECT count(*) FROM subagents WHERE room = ? AND ended_at IS NULL", (request.room,)).get
    if count >= bounds.max_open:
        return (
            f"This room has {_times(count, 'sub-agent')} that have not ended, and may have {bounds.max_open}: wait for "
            "some, or end those that are not needed."
        )
    apart = request.parent if request.wait else None
    ahead = 0 if request.queue else _ahead(db, bounds, request.room, None, apart)
    if ahead:
        return (
            f"No place is free: at most {_times(bounds.max, 'sub-agent')} may be at work at once, "
            f"{bounds.max_per_room} of them for one room, and {ahead} must end first. Let it wait for its turn, or "
            "try again later."
        )
    return ""


def _is_over(db: apsw.Connection, request: Spawn, parent: Subagent | None) -> bool:
    """Whether the turn or the run that asks is not on any more, or is to be stopped."""
    if parent is not None:
        return parent.ended or parent.stop is not None or request.turn not in {None, parent.turn_id}
    if request.turn is None or request.by is not None:
        return False
    on = "SELECT count(*) FROM turns WHERE id = ? AND room = ? AND outcome IS NULL AND stop_requested = 0"
    return not db.execute(on, (request.turn, request.room)).get


def _ahead_of(db: apsw.Connection, bounds: Bounds, found: Subagent) -> int:
    if found.state is not SubagentState.QUEUED:
        return 0
    before: int = db.execute("SELECT id FROM subagents WHERE slug = ?", (found.slug,)).get
    return _ahead(db, bounds, found.room, before, None)


def _ahead(db: apsw.Connection, bounds: Bounds, slug: str, before: int | None, apart: str | None) -> int:
    """How many must end or wait before a queued one of this room can begin.

    `before`: its row, None for one that would be the last. `apart`: who is about to wait. Of what other rooms have
    queued only what they have slots for goes first.
    """
    holding = Counter(each for (each,) in db.execute(_HOLDING, (apart,)))
    queued = Counter(
        each
        for (each,) in db.execute(
            "SELECT room FROM subagents WHERE state = 'queued' AND (?1 IS NULL OR id < ?1)", (before,)
        )
    )
    first = sum(
        count if each == slug else min(count, max(0, bounds.max_per_room - holding[each]))
        for each, count in queued.items()
    )
    at_once = holding.total() + first - bounds.max + 1
    in_room = holding[slug] + queued[slug] - bounds.max_per_room + 1
    return max(0, at_once, in_room)


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
