"""The rows of turns: begun once, joined, counted at each attempt, ended once together with all that the end brings.

Plain functions of a connection and a request, called inside a transaction by `records`. A turn's id makes them
repeatable; a room has at most one open turn.
"""

import apsw

from actors.messages import (
    BeginTurn,
    DeliveryKind,
    EndTurn,
    FailRoom,
    JoinTurn,
    NewDelivery,
    Outcome,
    PartTurn,
    Pull,
    RequestStop,
    Room,
    SubagentState,
    Turn,
    Unfinished,
    Work,
)
from actors.store.deliveries import open_deliveries
from actors.store.errors import Conflict
from actors.store.hops import note, note_all, of_inbound, of_turn
from actors.store.inbounds import give_back, held_in, see_end, take, taken_by, waiting_in
from actors.store.outgoing import tell_room
from actors.store.questions import asked_at, cancel_questions, open_questions
from actors.store.reports import leave_turn
from actors.store.rooms import has_failed, room, room_at, wake
from actors.store.sessions import use
from actors.store.stopping import hold, hold_returned, is_stopping, keep_whole, stop_turn
from actors.store.subagents import stop_below
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
        questions=open_questions(db, home.slug),
        held=held_in(db, home.slug),
        backlog=open_deliveries(db, home.place),
    )


def begin_turn(db: apsw.Connection, now: float, request: BeginTurn) -> Turn:
    """Commit 1b. Of a turn that is known only the attempt changes, and never goes back."""
    home = room(db, request.slug)
    wake(db, home.slug)
    if not _is_known(db, home, request):
        _begin(db, now, home, request)
    elif _has_ended(db, request.turn):
        raise Conflict("BeginTurn", f"turn {request.turn} has ended")
    if request.attempt > _attempt(db, request.turn):
        db.execute("UPDATE turns SET attempt = ? WHERE id = ?", (request.attempt, request.turn))
        _note_attempt(db, now, request)
    db.execute("UPDATE inbound SET attempts = max(attempts, ?) WHERE turn = ?", (request.attempt, request.turn))
    return _the_open_turn(db, home)


def part_turn(db: apsw.Connection, now: float, request: PartTurn) -> None:
    """An attempt does not count, once. A turn that has ended in the meantime has nothing left to count."""
    home = room(db, request.slug)
    if not _is_known(db, home, request):
        raise Conflict("PartTurn", f"there is no turn {request.turn}")
    if _has_ended(db, request.turn):
        return
    if not 1 <= request.attempt <= _attempt(db, request.turn):
        raise Conflict("PartTurn", f"turn {request.turn} has had no attempt {request.attempt}")
    db.execute(
        "INSERT INTO partings (turn, attempt, decided) VALUES (?, ?, ?) ON CONFLICT (turn, attempt) DO NOTHING",
        (request.turn, request.attempt, request.decided),
    )
    if db.changes():
        note(db, now, of_turn(request.turn), f"parted (attempt {request.attempt})", request.turn)


def join_turn(db: apsw.Connection, now: float, request: JoinTurn) -> Turn:
    """One more inbound in the turn that runs. It shares the attempt; what joined it before stays as it is."""
    home = room(db, request.slug)
    if not _is_known(db, home, request) or _has_ended(db, request.turn):
        raise Conflict("JoinTurn", f"turn {request.turn} is not open")
    joined = db.execute("SELECT turn FROM inbound WHERE id = ? AND state = 'taken'", (request.inbound,)).get
    if joined != request.turn:
        take(db, "JoinTurn", home.slug, request.inbound, request.turn)
        db.execute(
            "UPDATE inbound SET steered = 1, attempts = (SELECT attempt FROM turns WHERE id = turn) WHERE id = ?",
            (request.inbound,),
        )
        note(db, now, of_inbound(request.inbound), "joined", request.turn)
    return _the_open_turn(db, home)


def request_stop(db: apsw.Connection, now: float, request: RequestStop) -> bool:
    """The open turn is to be stopped, whatever crashes."""
    home = room(db, request.slug)
    if request.hold:
        hold(db, now, home.slug)
    return stop_turn(db, now, home.slug)


def end_turn(db: apsw.Connection, now: float, request: EndTurn) -> None:
    """Commit 2. A text that is tried again, from quarantine or as a new row, stands in the conversation once."""
    home = room(db, request.slug)
    if not _is_known(db, home, request):
        raise Conflict("EndTurn", f"there is no turn {request.turn}")
    if _has_ended(db, request.turn):
        return
    db.execute(
        "UPDATE turns SET outcome = ?, ended_at = ?, cost = ? WHERE id = ?",
        (request.outcome, now, request.cost, request.turn),
    )
    db.execute("UPDATE rooms SET leaf = ?, updated_at = ? WHERE slug = ?", (request.leaf, now, home.slug))
    use(db, now, home.session_id)
    for inbound in request.returned:
        give_back(db, now, "EndTurn", request.turn, inbound)
    cut_off = asked_at(db, request.turn) if request.outcome is Outcome.WAITING else None
    unheard, awaited = leave_turn(db, now, home.slug, cut_off)
    if request.outcome is Outcome.STOPPED:
        stop_below(db, now, awaited, SubagentState.CANCELLED, quiet=True)
    returned = (*request.returned, *unheard)
    if request.hold or is_stopping(db, home.slug):
        hold_returned(db, now, home.slug, request.turn, returned)
    if returned:
        keep_whole(db, now, home.slug)
    state = "quarantined" if request.outcome is Outcome.QUARANTINED else "done"
    db.execute("UPDATE inbound SET state = ? WHERE turn = ?", (state, request.turn))
    db.execute(
        "INSERT INTO messages (room, turn, inbound, role, content, at) SELECT room, turn, id, 'user', text, at "
        "FROM inbound WHERE turn = ? AND retries IS NULL ORDER BY id ON CONFLICT (inbound) DO NOTHING",
        (request.turn,),
    )
    if request.answer:
        db.execute(
            "INSERT INTO messages (room, turn, role, content, at) VALUES (?, ?, 'assistant', ?, ?)",
            (home.slug, request.turn, storable(request.answer), now),
        )
    if request.outcome is not Outcome.WAITING:
        cancel_questions(db, now, request.turn)
    see_end(db, home.slug, request.turn)
    note_all(db, of_turn(request.turn), request.hops)
    note(db, now, of_turn(request.turn), f"ended ({request.outcome})", request.turn)
    tell_room(db, now, home, request.deliveries, turn=request.turn)


def fail_room(db: apsw.Connection, now: float, request: FailRoom) -> None:
    """Tells the room's people; its open turn is left as it stands, and nobody is working on it until the next try."""
    home = room(db, request.slug)
    turn = _open_turn(db, home.slug)
    report = NewDelivery(
        kind=DeliveryKind.REPORT,
        text=request.text,
        buttons=request.buttons,
        key=f"failed:{home.slug}:{request.key}",
    )
    tell_room(db, now, home, (report,), turn=None if turn is None else turn.id)
    db.execute("UPDATE rooms SET failed_at = ifnull(failed_at, ?) WHERE slug = ?", (now, home.slug))


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
        "INSERT INTO turns (id, room, session, attempt, leaf_before, cost_before, started_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            request.turn,
            home.slug,
            home.session_id,
            request.attempt,
            request.leaf_before,
            request.cost_before,
            now,
        ),
    )
    use(db, now, home.session_id)
    for inbound in request.inbounds:
        take(db, "BeginTurn", home.slug, inbound, request.turn)
    _note_attempt(db, now, request)


def _note_attempt(db: apsw.Connection, now: float, request: BeginTurn) -> None:
    note(db, now, of_turn(request.turn), f"begun (attempt {request.attempt})", request.turn)


def _attempt(db: apsw.Connection, turn: str) -> int:
    attempt: int = db.execute("SELECT attempt FROM turns WHERE id = ?", (turn,)).get
    return attempt


def _the_open_turn(db: apsw.Connection, home: Room) -> Turn:
    turn = _open_turn(db, home.slug)
    assert turn is not None
    return turn


def _open_turn(db: apsw.Connection, slug: str) -> Turn | None:
    row = db.execute(
        "SELECT id, attempt, leaf_before, stop_requested, started_at, cost_before, "
        "(SELECT count(*) FROM partings WHERE turn = id), "
        "(SELECT decided FROM partings WHERE turn = id AND partings.attempt = turns.attempt) "
        "FROM turns WHERE room = ? AND outcome IS NULL",
        (slug,),
    ).fetchone()
    if row is None:
        return None
    turn, attempt, leaf_before, stop_requested, started_at, cost_before, parted, decided = row
    return Turn(
        id=turn,
        attempt=attempt,
        leaf_before=leaf_before,
        stop_requested=bool(stop_requested),
        started_at=started_at,
        inbounds=taken_by(db, turn),
        cost_before=cost_before,
        parted=parted,
        decided=bool(decided),
    )


def _is_known(db: apsw.Connection, home: Room, request: BeginTurn | PartTurn | JoinTurn | EndTurn) -> bool:
    owner = db.execute("SELECT room FROM turns WHERE id = ?", (request.turn,)).get
    if owner not in {None, home.slug}:
        raise Conflict(type(request).__name__, f"turn {request.turn} belongs to room {owner}")
    return owner is not None


def _has_ended(db: apsw.Connection, turn: str) -> bool:
    return bool(db.execute("SELECT outcome IS NOT NULL FROM turns WHERE id = ?", (turn,)).get)
