"""The rows of people who were approved, one of each front end its owner.

Plain functions of a connection and a request, called inside a transaction by `records`. How somebody comes to be one
of them is in `pairings`.
"""

import apsw

from actors.messages import People, Person, RemovePerson

_PEOPLE = "SELECT person, name, owner, since FROM people"
_OWNER_FIRST = " ORDER BY owner DESC, since, person"


def people(db: apsw.Connection, _request: People) -> tuple[Person, ...]:
    """Everybody who was approved."""
    return _read(db, _PEOPLE + _OWNER_FIRST)


def people_of(db: apsw.Connection, front: str) -> tuple[Person, ...]:
    """Everybody who was approved on one front end."""
    return _read(db, _PEOPLE + " WHERE front = ?" + _OWNER_FIRST, front)


def person_of(db: apsw.Connection, front: str, person: int) -> Person | None:
    """Somebody who was approved, or None for a stranger."""
    return next(iter(_read(db, _PEOPLE + " WHERE front = ? AND person = ?", front, person)), None)


def owner_of(db: apsw.Connection, front: str) -> int | None:
    """The approved person who decides about others on this front end."""
    owner: int | None = db.execute("SELECT person FROM people WHERE front = ? AND owner", (front,)).get
    return owner


def let_in(db: apsw.Connection, now: float, front: str, person: int, name: str, *, owner: bool) -> None:
    """Somebody is a stranger no more."""
    db.execute(
        "INSERT INTO people (front, person, name, owner, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (front, person, name, owner, now),
    )


def remove_person(db: apsw.Connection, request: RemovePerson) -> bool:
    """Somebody is a stranger again. An owner who goes leaves the place to the next who is approved."""
    db.execute("DELETE FROM pairings WHERE person = ? AND decided_at IS NOT NULL", (request.person,))
    db.execute("DELETE FROM people WHERE person = ?", (request.person,))
    return db.changes() > 0


def _read(db: apsw.Connection, query: str, *values: str | int) -> tuple[Person, ...]:
    return tuple(
        Person(id=person, name=name, owner=bool(owner), since=since)
        for person, name, owner, since in db.execute(query, values)
    )
