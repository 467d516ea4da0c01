"""The rows of inbounds: accepted or refused once, then queued for a turn, or for an answer if they are commands.

Plain functions of a connection and a request, called inside a transaction by `records`. An inbound's key, for ever
unique, makes acceptance repeatable. What a turn does with its inbounds is in `turns`.
"""

import apsw

from actors.messages import (
    Accept,
    Acceptance,
    Accepted,
    AnswerCommand,
    DeliveryKind,
    Duplicate,
    Inbound,
    NewDelivery,
    Queued,
    Refused,
    Room,
)
from actors.store.deliveries import queue_delivery
from actors.store.errors import Conflict
from actors.store.rooms import Setting, make_room, room, room_at
from actors.store.texts import storable

_QUEUED = (
    "SELECT id, person, name, text, at, message_id, command, attempts, command IS NOT NULL AND turn IS NOT NULL "
    "FROM inbound"
)
_Row = tuple[int, int, str, str, float, int | None, str | None, int, int]


def accept(db: apsw.Connection, setting: Setting, request: Accept) -> Acceptance:
    """Commit 1. A refused key is kept too, so that what was refused is never done later."""
    inbound = request.inbound
    seen = db.execute("SELECT room, state FROM inbound WHERE key = ?", (inbound.key,)).fetchone()
    if seen is not None:
        slug, state = seen
        return Duplicate(room=None if state == "refused" else room(db, slug))
    home = room_at(db, inbound.place) or make_room(db, setting, inbound.place, inbound.title)
    db.execute("UPDATE rooms SET failed_at = NULL WHERE slug = ?", (home.slug,))  # even a refused message tries again
    waiting: int = db.execute(
        "SELECT count(*) FROM inbound WHERE state = 'queued' AND room = ? AND (command IS NOT NULL) = ?",
        (home.slug, inbound.command is not None),
    ).get
    if waiting >= request.capacity and inbound.command != "stop":
        _insert(db, setting.now, home, inbound, "refused")
        text = refusal(request.capacity)
        new = NewDelivery(kind=DeliveryKind.REPORT, text=text, reply_to=inbound.message_id)
        queue_delivery(db, setting.now, home.place, new)
        return Refused(room=home, capacity=request.capacity)
    row = _insert(db, setting.now, home, inbound, "queued")
    title = storable(inbound.title) or home.title
    db.execute("UPDATE rooms SET updated_at = ?, title = ? WHERE slug = ?", (setting.now, title, home.slug))
    if inbound.command == "stop":
        db.execute("UPDATE turns SET stop_requested = 1 WHERE room = ? AND outcome IS NULL", (home.slug,))
    running: int = db.execute("SELECT count(*) FROM inbound WHERE state = 'taken' AND room = ?", (home.slug,)).get
    ahead = waiting + running if inbound.command is None else 0
    return Accepted(room=room(db, home.slug), inbound=row, ahead=ahead)


def refusal(capacity: int) -> str:
    """What a person reads whose message found the queue full."""
    waiting = "1 message is" if capacity == 1 else f"{capacity} messages are"
    return f"This message was not taken, because {waiting} already waiting here; please send it again later."


def waiting_in(db: apsw.Connection, slug: str) -> tuple[Queued, ...]:
    """What waits in a room, texts and commands, oldest first."""
    return tuple(map(_queued, db.execute(_QUEUED + " WHERE state = 'queued' AND room = ? ORDER BY id", (slug,))))


def taken_by(db: apsw.Connection, turn: str) -> tuple[Queued, ...]:
    """The inbounds of a turn, oldest first."""
    return tuple(map(_queued, db.execute(_QUEUED + " WHERE turn = ? ORDER BY id", (turn,))))


def see_end(db: apsw.Connection, slug: str, turn: str) -> None:
    """A turn has ended: the commands that wait in its room bear it from now on, so that none stops the next one too."""
    db.execute("UPDATE inbound SET turn = ? WHERE room = ? AND state = 'queued' AND command IS NOT NULL", (turn, slug))


def answer_command(db: apsw.Connection, now: float, request: AnswerCommand) -> None:
    """A command is done. A new session is begun only while no turn is open, for a turn belongs to its session."""
    home = room(db, request.slug)
    state = db.execute(
        "SELECT state FROM inbound WHERE id = ? AND room = ? AND command IS NOT NULL", (request.inbound, home.slug)
    ).get
    if state is None:
        raise Conflict("AnswerCommand", f"inbound {request.inbound} is no command of room {home.slug}")
    if state == "done":
        return
    if request.new_session is not None:
        turn = db.execute("SELECT id FROM turns WHERE room = ? AND outcome IS NULL", (home.slug,)).get
        if turn is not None:
            raise Conflict("AnswerCommand", f"turn {turn} of room {home.slug} has not ended in the old session")
        db.execute("UPDATE rooms SET session_id = ?, leaf = NULL WHERE slug = ?", (request.new_session, home.slug))
    db.execute("UPDATE inbound SET state = 'done' WHERE id = ?", (request.inbound,))
    for new in request.deliveries:
        queue_delivery(db, now, home.place, new)


def _insert(db: apsw.Connection, now: float, home: Room, inbound: Inbound, state: str) -> int:
    db.execute(
        "INSERT INTO inbound (key, room, person, name, text, at, message_id, command, state, accepted_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            inbound.key,
            home.slug,
            inbound.person,
            storable(inbound.name),
            storable(inbound.text),
            inbound.at,
            inbound.message_id,
            inbound.command,
            state,
            now,
        ),
    )
    return db.last_insert_rowid()


def _queued(row: _Row) -> Queued:
    inbound, person, name, text, at, message_id, command, attempts, saw_end = row
    return Queued(
        id=inbound,
        person=person,
        name=name,
        text=text,
        at=at,
        message_id=message_id,
        command=command,
        attempts=attempts,
        saw_end=bool(saw_end),
    )
