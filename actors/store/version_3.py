"""The step of the `ladder` that brings sub-agents and the search in what was said. Nothing but SQL."""

VERSION_3 = """
-- The fields of `Subagent`. `key`: by which it was asked for, once. `turn`: a turn, or a run of its parent. `changes`,
-- `log`: JSON. `told_turn`, `told_call`: the tool call whose answer its report is, or was to be. `quiet`: it was
-- stopped with its turn or its room, so its report begins no turn.
CREATE TABLE subagents (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    slug       TEXT NOT NULL UNIQUE,
    room       TEXT NOT NULL REFERENCES rooms,
    parent     TEXT REFERENCES subagents (slug),
    turn       TEXT,
    by         INTEGER REFERENCES inbound,
    depth      INTEGER NOT NULL CHECK (depth >= 1),
    task       TEXT NOT NULL,
    isolation  TEXT NOT NULL CHECK (isolation IN ('copy', 'scratch')),
    model      TEXT,
    timeout    REAL NOT NULL,
    session_id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    workspace  TEXT NOT NULL,
    awaited    INTEGER NOT NULL DEFAULT 0 CHECK (awaited IN (0, 1)),
    state      TEXT NOT NULL DEFAULT 'queued' CHECK (state IN (
        'queued', 'preparing', 'running', 'completed', 'failed', 'timed_out', 'cancelled', 'lost'
    )),
    waiting    INTEGER NOT NULL DEFAULT 0 CHECK (waiting IN (0, 1)),
    quiet      INTEGER NOT NULL DEFAULT 0 CHECK (quiet IN (0, 1)),
    stop       TEXT CHECK (stop IN ('completed', 'failed', 'timed_out', 'cancelled', 'lost')),
    run        INTEGER NOT NULL DEFAULT 0 CHECK (run >= 0),
    attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    parted     INTEGER NOT NULL DEFAULT 0 CHECK (parted IN (0, 1)),
    prompt     TEXT NOT NULL DEFAULT '',
    leaf       TEXT,
    started_at REAL,
    ended_at   REAL,
    text       TEXT NOT NULL DEFAULT '',
    error      TEXT NOT NULL DEFAULT '',
    report     TEXT NOT NULL DEFAULT '',
    changes    TEXT,
    kept       TEXT CHECK (kept IN ('open', 'applied', 'discarded', 'expired')),
    cost       REAL NOT NULL DEFAULT 0,
    told_turn  TEXT,
    told_call  TEXT,
    told_at    REAL,
    heard      INTEGER NOT NULL DEFAULT 0 CHECK (heard IN (0, 1)),
    log        TEXT NOT NULL DEFAULT '[]',
    CHECK (quiet = 0 OR stop IS NOT NULL),
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'preparing', 'running'))),
    CHECK ((depth = 1) = (parent IS NULL)),
    CHECK (by IS NULL OR (parent IS NULL AND awaited = 0 AND told_call IS NULL AND heard = 0)),
    CHECK ((run = 0) = (attempt = 0)),
    CHECK ((kept IS NULL) = (changes IS NULL)),
    CHECK ((told_turn IS NULL) = (told_call IS NULL) AND (told_turn IS NULL) = (told_at IS NULL)),
    CHECK (ended_at IS NOT NULL OR (told_call IS NULL AND heard = 0 AND changes IS NULL)),
    CHECK (ended_at IS NULL OR waiting = 0)
) STRICT;

CREATE INDEX subagents_open ON subagents (room) WHERE ended_at IS NULL;
CREATE INDEX subagents_ended ON subagents (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX subagents_parent ON subagents (parent) WHERE parent IS NOT NULL;
CREATE INDEX subagents_unheard ON subagents (room) WHERE heard = 0 AND parent IS NULL AND by IS NULL;

-- The words of what was said, found by their beginnings, without the marks on their letters. The text itself stays
-- where it is.
CREATE VIRTUAL TABLE messages_words USING fts5 (
    content, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER messages_said AFTER INSERT ON messages BEGIN
    INSERT INTO messages_words (rowid, content) VALUES (new.id, new.content);
END;

CREATE TRIGGER messages_gone AFTER DELETE ON messages BEGIN
    INSERT INTO messages_words (messages_words, rowid, content) VALUES ('delete', old.id, old.content);
END;

CREATE TRIGGER messages_changed AFTER UPDATE OF id, content ON messages BEGIN
    INSERT INTO messages_words (messages_words, rowid, content) VALUES ('delete', old.id, old.content);
    INSERT INTO messages_words (rowid, content) VALUES (new.id, new.content);
END;

INSERT INTO messages_words (messages_words) VALUES ('rebuild');
"""
