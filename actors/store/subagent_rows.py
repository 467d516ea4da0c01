"""The rows of sub-agents as they are read: one by its name, many by their room or their parent.

Plain functions of a connection, called inside a transaction by `spawning`, `subagents`, `reports` and `results`, which
change them.
"""

from typing import Any, Final

import apsw
import msgspec

from actors.messages import Changes, GetSubagent, ListSubagents, Subagent, SubagentState
from actors.store.errors import Conflict
from actors.store.hops import note, of_inbound, of_turn

_FIELDS: Final = Subagent.__struct_fields__
_FLAGS: Final = ("awaited", "waiting", "parted", "told", "heard")
_ROWS: Final = "SELECT {} FROM subagents"
_COLUMNS: Final = ", ".join({"told": "told_call IS NOT NULL"}.get(field, field) for field in _FIELDS)
_WITH_LOG: Final = _ROWS.format(_COLUMNS)
_WITHOUT_LOG: Final = _ROWS.format(_COLUMNS.removesuffix("log") + "'[]'")
_UPDATE: Final = "UPDATE subagents SET "
_LISTED: Final = (
    " WHERE id IN (SELECT id FROM subagents WHERE ended_at IS NULL{whose}) OR id IN "
    "(SELECT id FROM subagents WHERE ended_at IS NOT NULL{whose} ORDER BY ended_at DESC, id DESC LIMIT max(0, :ended)) "
    "ORDER BY id"
)


def get_subagent(db: apsw.Connection, request: GetSubagent) -> Subagent | None:
    """One of them with its log, if it is of that room."""
    found = _find(db, request.slug)
    return None if found is None or request.room not in {None, found.room} else found


def list_subagents(db: apsw.Connection, request: ListSubagents) -> tuple[Subagent, ...]:
    """The open ones and the newest of those that have ended, by their age."""
    whose = "" if request.room is None else " AND room = :room"
    whose += "" if request.parent is None else " AND parent = :parent"
    rows = db.execute(_WITHOUT_LOG + _LISTED.format(whose=whose), msgspec.structs.asdict(request))
    return tuple(map(_subagent, rows))


def the_subagent(db: apsw.Connection, request: str, slug: str) -> Subagent:
    """The sub-agent of that name. Raises `Conflict` in the name of that request if there is none."""
    found = _find(db, slug)
    if found is None:
        raise Conflict(request, f"there is no sub-agent {slug}")
    return found


def set_fields(db: apsw.Connection, slug: str, **fields: str | float | None) -> None:
    """Writes these columns of one row."""
    names = ", ".join(f"{name} = ?" for name in fields)
    db.execute(_UPDATE + names + " WHERE slug = ?", (*fields.values(), slug))


def origin(db: apsw.Connection, slug: str) -> tuple[str | None, int | None]:
    """What it, or whoever is above all of it, began with: a turn of the room's, or a person's inbound; else None."""
    found: tuple[str | None, int | None] | None = db.execute(
        "WITH RECURSIVE up (slug, parent, turn, by) AS (SELECT slug, parent, turn, by FROM subagents WHERE slug = ? "
        "UNION ALL SELECT each.slug, each.parent, each.turn, each.by FROM subagents AS each JOIN up "
        "ON each.slug = up.parent) SELECT turn, by FROM up WHERE parent IS NULL",
        (slug,),
    ).fetchone()
    return (None, None) if found is None else found


def note_step(db: apsw.Connection, now: float, slug: str, what: str) -> None:
    """One more step on the way of the turn, or of the person's inbound, that all this began with."""
    turn, by = origin(db, slug)
    subject = of_inbound(by) if by is not None else None if turn is None else of_turn(turn)
    if subject is not None:
        note(db, now, subject, f"sub-agent {what}", slug)


def _find(db: apsw.Connection, slug: str) -> Subagent | None:
    row = db.execute(_WITH_LOG + " WHERE slug = ?", (slug,)).fetchone()
    return None if row is None else _subagent(row)


def _subagent(row: tuple[Any, ...]) -> Subagent:
    fields = dict(zip(_FIELDS, row, strict=True))
    fields.update((flag, bool(fields[flag])) for flag in _FLAGS)
    fields["state"] = SubagentState(fields["state"])
    fields["stop"] = None if fields["stop"] is None else SubagentState(fields["stop"])
    fields["changes"] = None if fields["changes"] is None else msgspec.json.decode(fields["changes"], type=Changes)
    fields["log"] = msgspec.json.decode(fields["log"], type=tuple[str, ...])
    return Subagent(**fields)
