"""A room's conversation as plain data, read from the file beside the running service or without it.

Called by the command line, not by an actor: it opens the file read-only, waits for nobody and changes nothing. So it
reads no more than what every version of the tables has.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import apsw

from actors.store.errors import StoreCorrupt, StoreUnopened, UnknownRoom
from actors.store.schema import version
from actors.store.transaction import CORRUPT, UNAVAILABLE

NAMED = 50
"""Rooms that are named to someone who asked for one that is not there: the most recently used."""


class ExportedMessage(TypedDict):
    """`role`: user or assistant. `timestamp`: RFC 3339, UTC."""

    role: str
    content: str
    timestamp: str


class ExportedRoom(TypedDict):
    """What `dispatchd export` prints. The ids are the front end's; times are RFC 3339, UTC; messages oldest first."""

    thread_id: int | None
    chat_id: int
    created_at: str
    updated_at: str
    active_subagent: str | None
    messages: list[ExportedMessage]


def export(path: Path, slug: str) -> ExportedRoom:
    """The conversation of the room called `slug` in the database at `path`. Blocks.

    Raises `UnknownRoom` (which names those there are), `StoreUnopened`, `StoreCorrupt`, `StoreTooNew`.
    """
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return _read(db, slug)
        finally:
            db.close()
    except UNAVAILABLE as error:
        raise StoreUnopened(str(path), str(error)) from error
    except CORRUPT as error:
        raise StoreCorrupt(str(path), str(error)) from error


def _read(db: apsw.Connection, slug: str) -> ExportedRoom:
    if version(db) == 0:
        raise UnknownRoom(slug)
    with db:  # one transaction: the messages fit the room's times
        found = db.execute("SELECT thread, chat, created_at, updated_at FROM rooms WHERE slug = ?", (slug,)).fetchone()
        if found is None:
            named = db.execute("SELECT slug FROM rooms ORDER BY updated_at DESC, slug LIMIT ?", (NAMED,))
            raise UnknownRoom(slug, tuple(each for (each,) in named))
        thread, chat, created_at, updated_at = found
        rows = db.execute("SELECT role, content, at FROM messages WHERE room = ? ORDER BY id", (slug,))
        messages = [_message(*row) for row in rows]
    return ExportedRoom(
        thread_id=thread,
        chat_id=chat,
        created_at=_rfc3339(created_at),
        updated_at=_rfc3339(updated_at),
        active_subagent=None,
        messages=messages,
    )


def _message(role: str, content: str, at: float) -> ExportedMessage:
    return ExportedMessage(role=role, content=content, timestamp=_rfc3339(at))


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
