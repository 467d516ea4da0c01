"""Who hears what became of a sub-agent: once, as the answer of a tool call, as an inbound of its room, or in a prompt.

Plain functions of a connection, called inside a transaction by `records`, by `subagents` when one ends or its run is
over, and by `turns` when the room's turn is. A report that has ended and that nobody has heard is either told, and the
turn or run in which it was decides; or awaited by a call of that; or a parent that is a sub-agent looks for it.
"""

from typing import Final, NamedTuple

import apsw

from actors.messages import AwaitReport, Inbound, ReturnReports, Subagent, TellReport, report_key
from actors.store.errors import Conflict
from actors.store.inbounds import bring_back, withdraw, write
from actors.store.rooms import open_turn_of, room
from actors.store.stopping import keep_whole
from actors.store.subagent_rows import note_step, set_fields, the_subagent

_OF_ROOM: Final = "SELECT slug FROM subagents WHERE room = ? AND parent IS NULL AND by IS NULL AND heard = 0"
_OF_PARENT: Final = "SELECT slug FROM subagents WHERE room = ? AND parent = ? AND heard = 0"


class Left(NamedTuple):
    """What a turn left behind. `unheard`: inbounds with reports that it awaited; `awaited`: whose end it awaited."""

    unheard: tuple[int, ...]
    awaited: tuple[str, ...]


def burst_of(slug: str) -> str:
    """The burst of all reports to a room's agent: those that come together are one turn. It has no bound."""
    return f"reports:{slug}"


def await_report(db: apsw.Connection, request: AwaitReport) -> Subagent:
    """A call waits. For one of a person nobody does, nor while no turn or run is on in which a call could be."""
    found = the_subagent(db, "AwaitReport", request.slug)
    if found.ended or found.by is not None or _turn_of(db, found) is None:
        return found
    wait_for(db, found.slug, found.parent)
    return the_subagent(db, "AwaitReport", request.slug)


def wait_for(db: apsw.Connection, slug: str, parent: str | None) -> None:
    """Somebody waits for its report; a parent that is a sub-agent needs no slot while it does."""
    set_fields(db, slug, awaited=True)
    if parent is not None:
        set_fields(db, parent, waiting=True)


def tell_report(db: apsw.Connection, now: float, request: TellReport) -> Subagent:
    """The first call has it. One of a turn or a run that is over, or of somebody else's, does not count.

    A message with it that still waits goes away: nobody is to read what a call has answered.
    """
    found = the_subagent(db, "TellReport", request.slug)
    if not found.ended:
        raise Conflict("TellReport", f"sub-agent {found.slug} has not ended")
    counts = found.by is None and not found.told and request.turn == _turn_of(db, found)
    if counts and (not found.heard or withdraw(db, now, report_key(found.slug))):
        set_fields(db, found.slug, awaited=False, heard=False)
        set_fields(db, found.slug, told_turn=request.turn, told_call=request.call, told_at=now)
        note_step(db, now, found.slug, "report told")
    return the_subagent(db, "TellReport", request.slug)


def return_reports(db: apsw.Connection, now: float, request: ReturnReports) -> tuple[str, ...]:
    """What the session holds was heard; the rest goes its way. Of a turn or a run that is over nothing is changed."""
    for found in _unheard(db, request.room, request.parent):
        if request.turn != _turn_of(db, found):
            continue
        if found.told and _call_of(db, found.slug) in request.heard:
            _hear(db, now, found.slug)
        elif found.told or found.awaited:
            _let_go(db, now, found)
    return _still_to_hear(db, request)


def leave_turn(db: apsw.Connection, now: float, slug: str, cut_off: float | None = None) -> Left:
    """The room's turn is over: what was told in it was heard, and what it awaited goes its way.

    `cut_off`: since when one of its calls has waited whose end nobody will see. pi writes down the results of calls
    that run side by side when the last has ended: so what was told since then is in no session.
    """
    unheard, awaited = [], []
    for found in _unheard(db, slug, None):
        if found.told and (cut_off is None or _told_at(db, found.slug) < cut_off):
            _hear(db, now, found.slug)
        elif found.told or found.awaited:
            inbound = _let_go(db, now, found)
            if inbound is None:
                awaited.append(found.slug)
            else:
                unheard.append(inbound)
    return Left(tuple(unheard), tuple(awaited))


def leave_run(db: apsw.Connection, now: float, parent: Subagent) -> None:
    """A run of that sub-agent is over: what was told in it was heard, and it awaits nobody any more."""
    for found in _unheard(db, parent.room, parent.slug):
        if found.told:
            _hear(db, now, found.slug)
        elif found.awaited:
            _let_go(db, now, found)


def hear_in_prompt(db: apsw.Connection, now: float, parent: Subagent, slugs: tuple[str, ...]) -> None:
    """These children of that sub-agent have ended, and its next prompt tells of them."""
    for found in _unheard(db, parent.room, parent.slug):
        if found.slug in slugs and found.ended:
            _hear(db, now, found.slug)


def find_way(db: apsw.Connection, now: float, found: Subagent) -> int | None:
    """The report of one that has ended and that no call waits for; the inbound with it, if it is a room's agent's.

    A parent that is a sub-agent looks for it by itself, and of a person's only people hear. So they do of one that was
    stopped with its turn or its room: its agent is to rest, and finds the report if it looks.
    """
    if not found.ended or found.awaited or found.parent is not None or found.by is not None:
        return None
    if db.execute("SELECT quiet FROM subagents WHERE slug = ?", (found.slug,)).get:
        _hear(db, now, found.slug)
        return None
    row = bring_back(db, now, report_key(found.slug)) or write(db, now, found.room, _message(db, now, found))
    keep_whole(db, now, found.room)
    _hear(db, now, found.slug)
    return row


def _message(db: apsw.Connection, now: float, found: Subagent) -> Inbound:
    return Inbound(
        key=report_key(found.slug),
        place=room(db, found.room).place,
        person=0,
        name=f"sub-agent {found.slug}",
        text=found.report,
        at=now,
        burst=burst_of(found.room),
        mode="follow_up",
    )


def _let_go(db: apsw.Connection, now: float, found: Subagent) -> int | None:
    """No call waits for it, and none has told it."""
    set_fields(db, found.slug, awaited=False, told_turn=None, told_call=None, told_at=None)
    return find_way(db, now, the_subagent(db, "ReturnReports", found.slug))


def _hear(db: apsw.Connection, now: float, slug: str) -> None:
    set_fields(db, slug, heard=True, awaited=False)
    note_step(db, now, slug, "report heard")


def _unheard(db: apsw.Connection, slug: str, parent: str | None) -> list[Subagent]:
    """The children of the room's agent or of that sub-agent that are open or unheard, oldest first."""
    which, values = (_OF_ROOM, (slug,)) if parent is None else (_OF_PARENT, (slug, parent))
    rows = db.execute(f"{which} ORDER BY id", values)
    return [the_subagent(db, "ReturnReports", each) for (each,) in list(rows)]


def _still_to_hear(db: apsw.Connection, request: ReturnReports) -> tuple[str, ...]:
    """The open ones, the unheard ones, and those whose report waits in the room's queue."""
    unheard = [each.slug for each in _unheard(db, request.room, request.parent) if not each.told]
    if request.parent is not None:
        return tuple(unheard)
    queued = db.execute(
        "SELECT slug FROM inbound JOIN subagents ON inbound.key = ? || slug "
        "WHERE inbound.room = ? AND inbound.burst = ? AND inbound.state IN ('queued', 'held') ORDER BY inbound.id",
        (report_key(""), request.room, burst_of(request.room)),
    )
    return tuple(sorted({*unheard, *(slug for (slug,) in queued)}))


def _turn_of(db: apsw.Connection, found: Subagent) -> str | None:
    """The turn or the run that is on, of whoever hears of it."""
    if found.parent is None:
        return open_turn_of(db, found.room)
    parent = the_subagent(db, "TellReport", found.parent)
    return None if parent.ended else parent.turn_id


def _told_at(db: apsw.Connection, slug: str) -> float:
    at: float = db.execute("SELECT told_at FROM subagents WHERE slug = ?", (slug,)).get
    return at


def _call_of(db: apsw.Connection, slug: str) -> str | None:
    call: str | None = db.execute("SELECT told_call FROM subagents WHERE slug = ?", (slug,)).get
    return call
