"""The rows of turns: begun once, counted at each attempt, ended once together with all that the end brings.

Plain functions of a connection and a request, called inside a transaction by `records`. A turn's id makes them
repeatable; a room has at most one open turn.
"""

import apsw

from actors.messages import (
    BeginTurn,
    DeliveryKind,
    EndTurn,
    FailRoom,
    NewDelivery,
    Outcome,
    Pull,
    Room,
    Turn,
    Unfinished,
    Work,
)
from actors.store.deliveries import open_deliveries, queue_delivery
from actors.store.errors import Conflict
from actors.store.inbounds import see_end, taken_by, waiting_in
from actors.store.rooms import has_failed, room, room_at
from actors.store.texts import storable


def pull(db: apsw.Connection, request: Pull) -> Work:
    """A room's work as it stands."""
    home = room(db, request.slug)
    waiting = waiting_in(db, home.slug)
    return Work(
        room=home,
        turn=_open_turn(db, home.slug),
        queue=tuple(each for each in waiting if each.command is None),
        commands=tuple(each for each in waiting if each.command is not None),
    )


def begin_turn(db: apsw.Connection, now: float, request: BeginTurn) -> Turn:
    """Commit 1b. Of a turn that is known only the attempt changes, and never goes back."""
    home = room(db, request.slug)
    db.execute("UPDATE rooms SET failed_at = NULL WHERE slug = ?", (home.slug,))
    if not _is_known(db, home, request):
        _begin(db, now, home, request)
    elif _has_ended(db, request.turn):
        raise Conflict("BeginTurn", f"turn {request.turn} has ended")
    db.execute("UPDATE turns SET attempt = max(attempt, ?) WHERE id = ?", (request.attempt, request.turn))
    db.execute("UPDATE inbound SET attempts = max(attempts, ?) WHERE turn = ?", (request.attempt, request.turn))
    turn = _open_turn(db, home.slug)
    assert turn is not None
    return turn


def end_turn(db: apsw.Connection, now: float, request: EndTurn) -> None:
    """Commit 2. A text that was quarantined before and is tried again stands in the conversation once."""
    home = room(db, request.slug)
    if not _is_known(db, home, request):
        raise Conflict("EndTurn", f"there is no turn {request.turn}")
    if _has_ended(db, request.turn):
        return
    db.execute("UPDATE turns SET outcome = ?, ended_at = ? WHERE id = ?", (request.outcome, now, request.turn))
    db.execute("UPDATE rooms SET leaf = ?, updated_at = ? WHERE slug = ?", (request.leaf, now, home.slug))
    state = "quarantined" if request.outcome is Outcome.QUARANTINED else "done"
    db.execute("UPDATE inbound SET state = ? WHERE turn = ?", (state, request.turn))
    db.execute(
        "INSERT INTO messages (room, turn, inbound, role, content, at) SELECT room, turn, id, 'user', text, at "
        "FROM inbound WHERE turn = ? ORDER BY id ON CONFLICT (inbound) DO NOTHING",
        (request.turn,),
    )
    if request.answer:
        db.execute(
            "INSERT INTO messages (room, turn, role, content, at) VALUES (?, ?, 'assistant', ?, ?)",
            (home.slug, request.turn, storable(request.answer), now),
        )
    see_end(db, home.slug, request.turn)
    for new in request.deliveries:
        queue_delivery(db, now, home.place, new, turn=request.turn)


def fail_room(db: apsw.Connection, now: float, request: FailRoom) -> None:
    """Tells the room's people; its open turn is left as it stands, and nobody is working on it until the next try."""
    home = room(db, request.slug)
    turn = _open_turn(db, home.slug)
    report = NewDelivery(kind=DeliveryKind.REPORT, text=request.text)
    key = f"failed:{home.slug}:{request.key}"
    queue_delivery(db, now, home.place, report, turn=None if turn is None else turn.id, key=key)
    db.execute("UPDATE rooms SET failed_at = ? WHERE slug = ?", (now, home.slug))


def unfinished(db: apsw.Connection, request: Unfinished) -> int:
    """How much a place still waits for; the inbounds of an open turn count as that turn.

    A room that gave up works on nothing: what it has left counts again from the next message on.
    """
    undelivered = open_deliveries(db, request.place)
    home = room_at(db, request.place)
    if home is None or has_failed(db, home.slug):
        return undelivered
    return undelivered + len(waiting_in(db, home.slug)) + (_open_turn(db, home.slug) is not None)


def _begin(db: apsw.Connection, now: float, home: Room, request: BeginTurn) -> None:
    other = _open_turn(db, home.slug)
    if other is not None:
        raise Conflict("BeginTurn", f"turn {other.id} of room {home.slug} has not ended")
    db.execute(
        "INSERT INTO turns (id, room, attempt, leaf_before, started_at) VALUES (?, ?, ?, ?, ?)",
        (request.turn, home.slug, request.attempt, request.leaf_before, now),
    )
    for inbound in request.inbounds:
        db.execute(
            "UPDATE inbound SET state = 'taken', turn = ? "
            "WHERE id = ? AND room = ? AND state = 'queued' AND command IS NULL",
            (request.turn, inbound, home.slug),
        )
        if db.changes() == 0:
            raise Conflict("BeginTurn", f"inbound {inbound} does not wait in room {home.slug}")


def _open_turn(db: apsw.Connection, slug: str) -> Turn | None:
    row = db.execute(
        "SELECT id, attempt, leaf_before, stop_requested, started_at FROM turns WHERE room = ? AND outcome IS NULL",
        (slug,),
    ).fetchone()
    if row is None:
        return None
    turn, attempt, leaf_before, stop_requested, started_at = row
    return Turn(
        id=turn,
        attempt=attempt,
        leaf_before=leaf_before,
        stop_requested=bool(stop_requested),
        started_at=started_at,
        inbounds=taken_by(db, turn),
    )


def _is_known(db: apsw.Connection, home: Room, request: BeginTurn | EndTurn) -> bool:
    owner = db.execute("SELECT room FROM turns WHERE id = ?", (request.turn,)).get
    if owner not in {None, home.slug}:
        raise Conflict(type(request).__name__, f"turn {request.turn} belongs to room {owner}")
    return owner is not None


def _has_ended(db: apsw.Connection, turn: str) -> bool:
    return bool(db.execute("SELECT outcome IS NOT NULL FROM turns WHERE id = ?", (turn,)).get)
