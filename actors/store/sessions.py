"""The rows of sessions: which a room has had, which it is in, and what each was about.

Plain functions of a connection, called inside a transaction. A room is in one session at a time and can go back to any
that it had.
"""

import apsw

from actors.messages import Room, SessionInfo, Sessions
from actors.store.errors import Conflict
from actors.store.rooms import no_open_turn, room

FIRST = 80
"""Characters that are shown of a session's first message."""


def sessions(db: apsw.Connection, request: Sessions) -> tuple[SessionInfo, ...]:
    """A room's sessions; turns that are open are not counted yet."""
    home = room(db, request.slug)
    rows = db.execute(
        "SELECT id, began_at, used_at, "
        "(SELECT count(*) FROM turns WHERE session = sessions.id AND outcome IS NOT NULL), "
        "ifnull((SELECT content FROM messages WHERE role = 'user' AND turn = "
        "(SELECT turns.id FROM turns WHERE session = sessions.id AND outcome IS NOT NULL ORDER BY started_at LIMIT 1)"
        " ORDER BY id LIMIT 1), '') "
        "FROM sessions WHERE room = ? ORDER BY id = ? DESC, used_at DESC, began_at DESC LIMIT max(0, ?)",
        (home.slug, home.session_id, request.limit),
    )
    return tuple(
        SessionInfo(id=id, began_at=began, used_at=used, turns=turns, first=first[:FIRST])
        for id, began, used, turns, first in rows
    )


def enter(db: apsw.Connection, now: float, request: str, home: Room, session: str) -> None:
    """The room begins this session or goes on with it. Raises `Conflict` under an open turn, or if another room has it.

    Where the old one stood is kept, so that a return finds it there.
    """
    if session == home.session_id:
        return
    no_open_turn(db, request, home.slug)
    owner = db.execute("SELECT room FROM sessions WHERE id = ?", (session,)).get
    if owner not in {None, home.slug}:
        raise Conflict(request, f"session {session} belongs to room {owner}")
    db.execute("UPDATE sessions SET leaf = ? WHERE id = ?", (home.leaf, home.session_id))
    db.execute(
        "INSERT INTO sessions (id, room, began_at, used_at) VALUES (?1, ?2, ?3, ?3) "
        "ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at",
        (session, home.slug, now),
    )
    db.execute(
        "UPDATE rooms SET session_id = ?1, leaf = (SELECT leaf FROM sessions WHERE id = ?1) WHERE slug = ?2",
        (session, home.slug),
    )


def use(db: apsw.Connection, now: float, session: str) -> None:
    """Something was said in this session."""
    db.execute("UPDATE sessions SET used_at = ? WHERE id = ?", (now, session))
