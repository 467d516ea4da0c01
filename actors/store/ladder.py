"""The steps that lead a database file from one version of the tables to the next. Nothing but SQL.

`schema` climbs them, and says which it has climbed. A step that was released is never changed again.
"""

from actors.store.version_3 import VERSION_3

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

VERSION_2 = """
ALTER TABLE rooms ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE rooms ADD COLUMN project TEXT;
ALTER TABLE rooms ADD COLUMN gone_at REAL;

-- `leaf`: where the session stood when its room went over to another one.
CREATE TABLE sessions (
    id       TEXT PRIMARY KEY,
    room     TEXT NOT NULL REFERENCES rooms,
    leaf     TEXT,
    began_at REAL NOT NULL,
    used_at  REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_room ON sessions (room);

-- Of the sessions that a room had before, nothing was kept but that it was told to begin a new one.
INSERT INTO sessions (id, room, began_at, used_at)
SELECT session_id, slug, ifnull(
    (SELECT max(accepted_at) FROM inbound WHERE room = slug AND command = 'new' AND state = 'done'), created_at
), updated_at FROM rooms;

-- A turn is open while it has no outcome.
CREATE TABLE new_turns (
    id             TEXT PRIMARY KEY,
    room           TEXT NOT NULL REFERENCES rooms,
    session        TEXT REFERENCES sessions,
    attempt        INTEGER NOT NULL CHECK (attempt >= 1),
    leaf_before    TEXT,
    cost_before    REAL NOT NULL DEFAULT 0,
    cost           REAL,
    stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1)),
    started_at     REAL NOT NULL,
    ended_at       REAL,
    outcome        TEXT CHECK (
        outcome IN ('done', 'failed', 'stopped', 'quarantined', 'waiting', 'interrupted')
    ),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO new_turns (id, room, session, attempt, leaf_before, stop_requested, started_at, ended_at, outcome)
SELECT id, room, (SELECT sessions.id FROM sessions WHERE sessions.room = turns.room AND began_at <= started_at),
    attempt, leaf_before, stop_requested, started_at, ended_at, outcome FROM turns;

DROP TABLE turns;
ALTER TABLE new_turns RENAME TO turns;
CREATE UNIQUE INDEX turns_open ON turns (room) WHERE outcome IS NULL;
CREATE INDEX turns_session ON turns (session, started_at);

-- The attempts that were ended on purpose.
CREATE TABLE partings (
    turn    TEXT NOT NULL REFERENCES turns,
    attempt INTEGER NOT NULL,
    decided INTEGER NOT NULL CHECK (decided IN (0, 1)),
    PRIMARY KEY (turn, attempt)
) STRICT, WITHOUT ROWID;

-- `retries`: the inbound, of a turn that failed, that is tried once more as this one. `held_after`: the newest inbound
-- when this one was held; only a command that came later says what becomes of it.
CREATE TABLE new_inbound (
    id          INTEGER PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    room        TEXT NOT NULL REFERENCES rooms,
    person      INTEGER NOT NULL,
    name        TEXT NOT NULL,
    owner       INTEGER NOT NULL DEFAULT 0 CHECK (owner IN (0, 1)),
    text        TEXT NOT NULL,
    quoted      TEXT NOT NULL DEFAULT '',
    at          REAL NOT NULL,
    message_id  INTEGER,
    reply_to    INTEGER,
    burst       TEXT,
    mode        TEXT CHECK (mode IN ('steer', 'follow_up', 'interrupt')),
    command     TEXT,
    state       TEXT NOT NULL CHECK (
        state IN ('queued', 'held', 'taken', 'done', 'quarantined', 'refused', 'dropped')
    ),
    held_after  INTEGER,
    turn        TEXT REFERENCES turns,
    steered     INTEGER NOT NULL DEFAULT 0 CHECK (steered IN (0, 1)),
    attempts    INTEGER NOT NULL DEFAULT 0,
    retries     INTEGER REFERENCES inbound,
    accepted_at REAL NOT NULL,
    CHECK (state <> 'taken' OR turn IS NOT NULL),
    CHECK ((state = 'held') = (held_after IS NOT NULL))
) STRICT;

INSERT INTO new_inbound (id, key, room, person, name, text, at, message_id, command, state, turn, attempts, accepted_at)
SELECT id, key, room, person, name, text, at, message_id, command, state, turn, attempts, accepted_at FROM inbound;

DROP TABLE inbound;
ALTER TABLE new_inbound RENAME TO inbound;
CREATE INDEX inbound_state ON inbound (state, room);
CREATE INDEX inbound_turn ON inbound (turn) WHERE turn IS NOT NULL;
CREATE INDEX inbound_message ON inbound (room, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX inbound_retries ON inbound (retries) WHERE retries IS NOT NULL;
CREATE INDEX inbound_burst ON inbound (room, burst) WHERE burst IS NOT NULL;
CREATE INDEX messages_turn ON messages (turn);

-- `path`: where the file lies in the room's workspace, once it does.
CREATE TABLE attachments (
    id      INTEGER PRIMARY KEY,
    inbound INTEGER NOT NULL REFERENCES inbound,
    handle  TEXT NOT NULL,
    name    TEXT NOT NULL,
    mime    TEXT NOT NULL,
    size    INTEGER NOT NULL,
    picture INTEGER NOT NULL CHECK (picture IN (0, 1)),
    path    TEXT
) STRICT;

CREATE INDEX attachments_inbound ON attachments (inbound);

-- `room`: whose matter it is, wherever it goes. `inbound`: what it is about, if it is no turn's. `buttons`, `topic`:
-- JSON. `revision`: how often it was changed; `shown`: the revision that people see; `is_edit`: of what has arrived,
-- and was changed, only the edit is to do.
CREATE TABLE new_deliveries (
    id         INTEGER PRIMARY KEY,
    key        TEXT UNIQUE,
    room       TEXT REFERENCES rooms,
    front      TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    thread     INTEGER,
    kind       TEXT NOT NULL CHECK (kind IN ('answer', 'report', 'question', 'note', 'topic')),
    text       TEXT NOT NULL,
    footer     TEXT NOT NULL DEFAULT '',
    buttons    TEXT NOT NULL DEFAULT '[]',
    file       TEXT,
    topic      TEXT,
    silent     INTEGER NOT NULL DEFAULT 0 CHECK (silent IN (0, 1)),
    reply_to   INTEGER,
    turn       TEXT REFERENCES turns,
    inbound    INTEGER REFERENCES inbound,
    state      TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'undeliverable')),
    part       INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    doubtful   INTEGER NOT NULL DEFAULT 0 CHECK (doubtful IN (0, 1)),
    revision   INTEGER NOT NULL DEFAULT 0,
    shown      INTEGER NOT NULL DEFAULT 0,
    is_edit    INTEGER AS (part > 0 AND revision > shown),
    reason     TEXT,
    created_at REAL NOT NULL,
    ended_at   REAL,
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'sending'))),
    CHECK ((topic IS NULL) = (kind <> 'topic'))
) STRICT;

INSERT INTO new_deliveries (id, key, front, chat, thread, kind, text, reply_to, turn, state, part, attempts, doubtful,
    reason, created_at, ended_at)
SELECT id, key, front, chat, thread, kind, text, reply_to, turn, state, part, attempts, doubtful, reason, created_at,
    ended_at FROM deliveries;

DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_open ON deliveries (front, chat) WHERE ended_at IS NULL;
CREATE INDEX parts_message ON parts (message_id) WHERE message_id IS NOT NULL;

-- The way of every message, step by step, in the order in which it was noted. `subject`: whose step it is: an inbound,
-- a turn or a delivery, such as `delivery:7`. The rest are the fields of `Hop`.
CREATE TABLE hops (
    id      INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    at      REAL NOT NULL,
    what    TEXT NOT NULL,
    whose   TEXT NOT NULL,
    ref     TEXT NOT NULL
) STRICT;

CREATE INDEX hops_subject ON hops (subject);

-- `delivery`: the message that asks it.
CREATE TABLE questions (
    id         INTEGER PRIMARY KEY,
    room       TEXT NOT NULL REFERENCES rooms,
    turn       TEXT NOT NULL REFERENCES turns,
    dialog     TEXT NOT NULL,
    method     TEXT NOT NULL CHECK (method IN ('select', 'confirm', 'input', 'editor')),
    title      TEXT NOT NULL,
    text       TEXT NOT NULL,
    options    TEXT NOT NULL,
    delivery   INTEGER REFERENCES deliveries,
    state      TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'expired', 'cancelled')),
    asked_at   REAL NOT NULL,
    expires_at REAL NOT NULL,
    closed_at  REAL,
    UNIQUE (turn, dialog),
    CHECK ((closed_at IS NULL) = (state = 'open'))
) STRICT;

CREATE INDEX questions_open ON questions (room) WHERE state = 'open';

-- Every press of a button with what was said to it, so that one that is told again is answered alike.
CREATE TABLE presses (
    key  TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    room TEXT REFERENCES rooms,
    said TEXT NOT NULL,
    used INTEGER NOT NULL CHECK (used IN (0, 1)),
    at   REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX presses_used ON presses (data) WHERE used = 1;

CREATE TABLE people (
    front  TEXT NOT NULL,
    person INTEGER NOT NULL,
    name   TEXT NOT NULL,
    owner  INTEGER NOT NULL CHECK (owner IN (0, 1)),
    since  REAL NOT NULL,
    PRIMARY KEY (front, person)
) STRICT, WITHOUT ROWID;

-- `decider`: the owner whom the configuration names. What was decided stays for its hour: approval may be repeated,
-- and about somebody who was turned away nobody is asked again so soon.
CREATE TABLE pairings (
    code        TEXT PRIMARY KEY,
    front       TEXT NOT NULL,
    person      INTEGER NOT NULL,
    name        TEXT NOT NULL,
    decider     INTEGER,
    created_at  REAL NOT NULL,
    expires_at  REAL NOT NULL,
    decided_at  REAL,
    UNIQUE (front, person)
) STRICT, WITHOUT ROWID;

-- Groups that the owner was asked about. `title`: as it was then.
CREATE TABLE groups (
    front      TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    title      TEXT NOT NULL,
    offered_at REAL NOT NULL,
    allowed_at REAL,
    PRIMARY KEY (front, chat)
) STRICT, WITHOUT ROWID;
"""

LADDER = (VERSION_1, VERSION_2, VERSION_3)
"""From an empty file to the newest version."""
