"""Codes of strangers that wait for the owner's word: made when they write, good for an hour, approved or denied.

Plain functions of a connection and a request, called inside a transaction by `records`, and by `presses` for the
owner's buttons.
"""

import apsw

from actors.messages import Approve, Button, DeliveryKind, Deny, Knock, NewDelivery, Pairing, Pairings, Person, Place
from actors.phrases import inert, short
from actors.store.codes import normal
from actors.store.outgoing import queue_delivery, reword
from actors.store.people import let_in, owner_of, person_of
from actors.store.rooms import Setting
from actors.store.texts import storable

LIFE = 3600.0
"""Seconds that a code is good."""

MOST = 3
"""Codes that wait at a time."""

_WAITING = (
    "SELECT code, person, name, expires_at FROM pairings WHERE decided_at IS NULL AND expires_at > ? "
    "ORDER BY created_at, code"
)


def knock(db: apsw.Connection, setting: Setting, request: Knock) -> str | None:
    """A stranger's code. They are told once, and so is the owner; who was turned away gets no other for its hour."""
    now, front, person = setting.now, request.front, request.person
    if person_of(db, front, person) is not None:
        return None
    db.execute("DELETE FROM pairings WHERE expires_at <= ?", (now,))
    known = db.execute(
        "SELECT code, decided_at FROM pairings WHERE front = ? AND person = ?", (front, person)
    ).fetchone()
    if known is not None:
        return known[0] if known[1] is None else None
    if len(_waiting(db, now)) >= MOST:
        return None
    code, name = setting.code(), short(storable(request.name))
    db.execute(
        "INSERT INTO pairings (code, front, person, name, decider, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (code, front, person, name, request.owner, now, now + LIFE),
    )
    told = f"Nobody has let you in yet. Your code is `{code}`, for an hour. Whoever runs this service lets you in with"
    told += f" `actorctl pair approve {code}`."
    queue_delivery(db, now, Place(front, person), NewDelivery(kind=DeliveryKind.NOTE, text=told))
    owner = request.owner if request.owner is not None else owner_of(db, front)
    if owner is not None:
        asked = NewDelivery(
            kind=DeliveryKind.QUESTION,
            text=f"{inert(name)} ({person}) wants to speak with me. The code is `{code}`, for an hour.",
            buttons=(
                (
                    Button(label="Approve", command="approve", argument=code),
                    Button(label="Deny", command="deny", argument=code),
                ),
            ),
            key=f"knock/{code}",
        )
        queue_delivery(db, now, Place(front, owner), asked)
    return code


def pairings(db: apsw.Connection, now: float, _request: Pairings) -> tuple[Pairing, ...]:
    """The codes that are good, oldest first."""
    return _waiting(db, now)


def approve(db: apsw.Connection, now: float, request: Approve) -> Person | None:
    """The first becomes the owner, where nobody is. Repeated within the hour it answers alike."""
    code = normal(request.code)
    found = db.execute(
        "SELECT front, person, name, decider, decided_at FROM pairings WHERE code = ? AND expires_at > ?", (code, now)
    ).fetchone()
    if found is None:
        return None
    front, person, name, decider, decided_at = found
    if decided_at is None:
        owner = decider is None and owner_of(db, front) is None
        db.execute("UPDATE pairings SET decided_at = ? WHERE code = ?", (now, code))
        let_in(db, now, front, person, name, owner=owner)
        told = "You are let in: write what you want done."
        told += " You are the owner, and decide about others." if owner else ""
        queue_delivery(db, now, Place(front, person), NewDelivery(kind=DeliveryKind.NOTE, text=told))
        reword(db, now, f"knock/{code}", f"{inert(name)} ({person}) may speak with me.")
    return person_of(db, front, person)


def deny(db: apsw.Connection, now: float, request: Deny) -> bool:
    """The code is no good any more."""
    code = normal(request.code)
    for each in _waiting(db, now):
        if each.code == code:
            db.execute("UPDATE pairings SET decided_at = ? WHERE code = ?", (now, code))
            reword(db, now, f"knock/{code}", f"{inert(each.name)} ({each.person}) was turned away.")
            return True
    return False


def is_waiting(db: apsw.Connection, now: float, code: str) -> bool:
    """Whether this code waits for a word."""
    return any(each.code == code for each in _waiting(db, now))


def _waiting(db: apsw.Connection, now: float) -> tuple[Pairing, ...]:
    rows = db.execute(_WAITING, (now,))
    return tuple(
        Pairing(code=code, person=person, name=name, expires_at=expires) for code, person, name, expires in rows
    )
