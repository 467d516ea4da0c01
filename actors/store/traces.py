"""The way of one message, put together from the hops of its inbound, its turns, its retries and its deliveries.

Plain functions of a connection, called inside a transaction by `records`; they change nothing. A message may be named
by any id of it that a person comes across.
"""

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from actors.messages import Hop, Trace
from actors.store.hops import STORE, of_delivery, of_inbound, of_turn
from actors.store.outgoing import QUEUED
from actors.store.subagent_rows import origin

HOPS = 1000
"""Hops of one trace: its first ones."""

# Room by room, as the index is. What a press has become bears the id of the message with the button, which is ours.
_BY_MESSAGE = (
    "SELECT inbound.id, accepted_at FROM rooms CROSS JOIN inbound ON inbound.room = slug WHERE message_id = ? "
    "AND NOT EXISTS (SELECT 1 FROM presses WHERE presses.key = inbound.key)"
)
_PREFIXES = 1000
"""Beginnings of keys that are tried: as many bots and runs of a console as anybody has had."""


class _Meant(NamedTuple):
    """What an id may stand for, and since when it does; the newest is meant."""

    at: float
    inbounds: tuple[int, ...] = ()
    turn: str | None = None
    delivery: int | None = None


def trace(db: apsw.Connection, request: Trace) -> tuple[Hop, ...]:
    """All that is known of a message, in the order of time; of the same time, in the order in which it was noted."""
    meant = max(_candidates(db, request.message.strip()), key=lambda each: each.at, default=None)
    if meant is None:
        return ()
    found = [_written(db, inbound) for inbound in meant.inbounds]
    todo = list(_subjects(db, meant))
    seen = set(todo)
    for subject in todo:  # it grows by the deliveries that are queued on the way
        for number, hop in _hops(db, subject):
            found.append((number, hop))
            is_ours = hop.what == QUEUED and hop.where == STORE and hop.id.isdecimal()
            delivery = of_delivery(int(hop.id)) if is_ours else subject
            if delivery not in seen:
                seen.add(delivery)
                todo.append(delivery)
        if len(found) >= HOPS:
            break
    found.sort(key=lambda each: (each[1].at, each[0]))
    return tuple(hop for _, hop in found[:HOPS])


# --- what is meant ----------------------------------------------------------------------------------------------------


def _candidates(db: apsw.Connection, message: str) -> Iterator[_Meant]:
    number = int(message) if message.isascii() and message.isdecimal() and len(message) < 19 else None
    keys = [message]
    if number is not None:
        keys += [prefix + message for prefix in _prefixes(db)]
        yield from _inbounds(db, "SELECT id, accepted_at FROM inbound WHERE id = ?", number)
        yield from _inbounds(db, _BY_MESSAGE, number)
        yield from _sent(db, number)
    for key in keys:
        yield from _inbounds(db, "SELECT id, accepted_at FROM inbound WHERE key = ?", key)
    for turn, at in list(db.execute("SELECT id, started_at FROM turns WHERE id = ?", (message,))):
        yield _of_turn(db, at, turn)
    yield from _of_subagent(db, message)


def _of_subagent(db: apsw.Connection, slug: str) -> Iterator[_Meant]:
    turn, by = origin(db, slug)
    for at in [each for (each,) in db.execute("SELECT started_at FROM turns WHERE id = ?", (turn,))]:
        assert turn is not None
        yield _of_turn(db, at, turn)
    if by is not None:
        yield from _inbounds(db, "SELECT id, accepted_at FROM inbound WHERE id = ?", by)


def _inbounds(db: apsw.Connection, which: str, value: int | str) -> Iterator[_Meant]:
    for inbound, at in list(db.execute(which, (value,))):
        yield _Meant(at, (inbound,))


def _sent(db: apsw.Connection, message_id: int) -> Iterator[_Meant]:
    rows = db.execute(
        "SELECT deliveries.id, sent_at, turn, inbound FROM parts JOIN deliveries ON deliveries.id = delivery "
        "WHERE message_id = ? ORDER BY sent_at DESC LIMIT 1",
        (message_id,),
    )
    for delivery, at, turn, inbound in list(rows):
        if turn is not None:
            yield _of_turn(db, at, turn)
        else:
            yield _Meant(at, () if inbound is None else (inbound,), delivery=delivery)


def _of_turn(db: apsw.Connection, at: float, turn: str) -> _Meant:
    rows = db.execute("SELECT id FROM inbound WHERE turn = ? AND command IS NULL ORDER BY id", (turn,))
    return _Meant(at, tuple(inbound for (inbound,) in rows), turn=turn)


def _prefixes(db: apsw.Connection) -> Iterator[str]:
    """What stands before the update's id in all keys there are: each is one look into the index of the keys."""
    since = ""
    for _ in range(_PREFIXES):
        key: str | None = db.execute("SELECT min(key) FROM inbound WHERE key >= ?", (since,)).get
        if key is None:
            return
        front, colon, _ = key.rpartition(":")
        if colon:
            yield front + colon
        since = front + chr(ord(":") + 1) if colon else key + "\0"


# --- what belongs to it -----------------------------------------------------------------------------------------------


def _subjects(db: apsw.Connection, meant: _Meant) -> dict[str, None]:
    """What has hops of its own, each once."""
    family = [each for inbound in meant.inbounds for each in _family(db, inbound)]
    subjects = [of_inbound(each) for each in family] + [of_turn(each) for each in _turns(db, family)]
    if meant.turn is not None:
        subjects.append(of_turn(meant.turn))
    if meant.delivery is not None:
        subjects.append(of_delivery(meant.delivery))
    return dict.fromkeys(subjects)


def _family(db: apsw.Connection, inbound: int) -> list[int]:
    """An inbound with what it retries and what retries it."""
    rows = db.execute(
        "WITH RECURSIVE earlier (id) AS (VALUES (?) UNION "
        "SELECT retries FROM inbound JOIN earlier ON inbound.id = earlier.id WHERE retries IS NOT NULL), "
        "family (id) AS (SELECT id FROM earlier UNION "
        "SELECT inbound.id FROM inbound JOIN family ON inbound.retries = family.id) "
        "SELECT id FROM family ORDER BY id LIMIT ?",
        (inbound, HOPS),
    )
    return [each for (each,) in rows]


def _turns(db: apsw.Connection, inbounds: list[int]) -> Iterator[str]:
    for inbound in inbounds:
        turn = db.execute("SELECT turn FROM inbound WHERE id = ? AND command IS NULL", (inbound,)).get
        if turn is not None:
            yield turn


def _hops(db: apsw.Connection, subject: str) -> Iterator[tuple[int, Hop]]:
    rows = db.execute(
        "SELECT id, at, what, whose, ref FROM hops WHERE subject = ? ORDER BY id LIMIT ?", (subject, HOPS)
    )
    for number, at, what, whose, ref in list(rows):
        yield number, Hop(at=at, what=what, where=whose, id=ref)


def _written(db: apsw.Connection, inbound: int) -> tuple[int, Hop]:
    """When the person wrote it, by the front end's clock, which may be ahead of ours."""
    front, at, message = db.execute(
        "SELECT front, min(at, accepted_at), ifnull(message_id, key) FROM inbound JOIN rooms ON slug = room "
        "WHERE id = ?",
        (inbound,),
    ).get
    return 0, Hop(at=at, what="written", where=front, id=str(message))
