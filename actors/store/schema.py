"""The tables, and how a database file comes to have them.

A step of `LADDER` leads from one version to the next; `PRAGMA user_version` says how many were climbed. Spoken to by
the database when it opens and by the export; knows no request.
"""

import os
from pathlib import Path

import apsw

from actors.store.errors import StoreTooNew

BUSY_TIMEOUT = 2000
"""Milliseconds that a statement waits for another process's lock: less than the store's grace when it stops."""

VERSION_1 = """
CREATE TABLE rooms (
    slug       TEXT PRIMARY KEY,
    front      TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    thread     INTEGER,
    title      TEXT NOT NULL,
    workspace  TEXT NOT NULL,
    session_id TEXT NOT NULL UNIQUE,
    leaf       TEXT,
    failed_at  REAL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- NULLs are distinct in a unique index; no thread id equals the empty text.
CREATE UNIQUE INDEX rooms_place ON rooms (front, chat, ifnull(thread, ''));

-- A turn is open while it has no outcome.
CREATE TABLE turns (
    id             TEXT PRIMARY KEY,
    room           TEXT NOT NULL REFERENCES rooms,
    attempt        INTEGER NOT NULL CHECK (attempt >= 1),
    leaf_before    TEXT,
    stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1)),
    started_at     REAL NOT NULL,
    ended_at       REAL,
    outcome        TEXT CHECK (outcome IN ('done', 'failed', 'stopped', 'quarantined')),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX turns_open ON turns (room) WHERE outcome IS NULL;

CREATE TABLE inbound (
    id          INTEGER PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    room        TEXT NOT NULL REFERENCES rooms,
    person      INTEGER NOT NULL,
    name        TEXT NOT NULL,
    text        TEXT NOT NULL,
    at          REAL NOT NULL,
    message_id  INTEGER,
    command     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'taken', 'done', 'quarantined', 'refused')),
    turn        TEXT REFERENCES turns,
    attempts    INTEGER NOT NULL DEFAULT 0,
    accepted_at REAL NOT NULL,
    CHECK (state <> 'taken' OR turn IS NOT NULL)
) STRICT;

CREATE INDEX inbound_state ON inbound (state, room);
CREATE INDEX inbound_turn ON inbound (turn) WHERE turn IS NOT NULL;

CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY,
    key        TEXT UNIQUE,
    front      TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    thread     INTEGER,
    kind       TEXT NOT NULL CHECK (kind IN ('answer', 'report', 'note')),
    text       TEXT NOT NULL,
    reply_to   INTEGER,
    turn       TEXT REFERENCES turns,
    state      TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'undeliverable')),
    part       INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    doubtful   INTEGER NOT NULL DEFAULT 0 CHECK (doubtful IN (0, 1)),
    reason     TEXT,
    created_at REAL NOT NULL,
    ended_at   REAL,
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'sending')))
) STRICT;

CREATE INDEX deliveries_open ON deliveries (front, chat) WHERE ended_at IS NULL;

-- What a delivery became outside, part by part.
CREATE TABLE parts (
    delivery   INTEGER NOT NULL REFERENCES deliveries,
    part       INTEGER NOT NULL,
    message_id INTEGER,
    sent_at    REAL NOT NULL,
    PRIMARY KEY (delivery, part)
) STRICT, WITHOUT ROWID;

-- A turn has a second preview when the outbox crashed after the first: each must go.
CREATE TABLE previews (
    turn       TEXT NOT NULL REFERENCES turns,
    message_id INTEGER NOT NULL,
    front      TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    thread     INTEGER,
    PRIMARY KEY (turn, message_id)
) STRICT, WITHOUT ROWID;

-- What was said in a room. A text is there once, however often its inbound is tried.
CREATE TABLE messages (
    id      INTEGER PRIMARY KEY,
    room    TEXT NOT NULL REFERENCES rooms,
    turn    TEXT NOT NULL REFERENCES turns,
    inbound INTEGER UNIQUE REFERENCES inbound,
    role    TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    content TEXT NOT NULL,
    at      REAL NOT NULL
) STRICT;

CREATE INDEX messages_room ON messages (room);
"""

LADDER = (VERSION_1,)


def prepare(db: apsw.Connection, ladder: tuple[str, ...] = LADDER) -> None:
    """Sets the connection up for writing and brings its file to the newest version, in one transaction.

    Before an existing file is changed, a copy is made beside it, named after its version (`state.db.v1`).
    Raises `StoreTooNew`, and apsw's errors for what the disk or the file does.
    """
    found = version(db, len(ladder))
    if found == 0:
        os.chmod(db.filename, 0o600)  # before the log beside it is made: that gets the same mode
    db.pragma("busy_timeout", BUSY_TIMEOUT)
    db.pragma("foreign_keys", True)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")  # WAL's default may lose the last commits when the power fails
    if found == len(ladder):
        return
    if found:
        copy = Path(f"{db.filename}.v{found}")
        copy.unlink(missing_ok=True)  # of an update that did not end
        copy.touch(mode=0o600)  # VACUUM takes an empty file, and its mode
        db.execute("VACUUM INTO ?", (str(copy),))
    with db:
        for step in ladder[found:]:
            db.execute(step)
        db.pragma("user_version", len(ladder))


def version(db: apsw.Connection, known: int = len(LADDER)) -> int:
    """The file's version, 0 for an empty one. Raises `StoreTooNew` above `known`."""
    found = int(db.pragma("user_version"))
    if found > known:
        raise StoreTooNew(db.filename, found, known)
    return found
