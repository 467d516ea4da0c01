"""How a database file comes to have the tables.

`PRAGMA user_version` says how many steps of the `ladder` were climbed. Spoken to by the database when it opens and by
the export; knows no request.
"""

import os
from pathlib import Path

import apsw

from actors.store.errors import StoreCorrupt, StoreTooNew
from actors.store.ladder import LADDER

BUSY_TIMEOUT = 2000
"""Milliseconds that a statement waits for another process's lock: less than the store's grace when it stops."""


def prepare(db: apsw.Connection, ladder: tuple[str, ...] = LADDER) -> None:
    """Sets the connection up for writing and brings its file to the newest version, in one transaction.

    Before an existing file is changed, a copy is made beside it, named after its version (`state.db.v1`).
    Raises `StoreTooNew`, `StoreCorrupt`, and apsw's errors for what the disk or the file does.
    """
    db.pragma("busy_timeout", BUSY_TIMEOUT)  # the first look also waits: a reader may be mending what a kill has left
    found = version(db, len(ladder))
    if found == 0:
        os.chmod(db.filename, 0o600)  # before the log beside it is made: that gets the same mode
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")  # WAL's default may lose the last commits when the power fails
    if found < len(ladder):
        if found:
            _keep_copy(db, found)
        _climb(db, ladder[found:], len(ladder))
    db.pragma("foreign_keys", True)


def _keep_copy(db: apsw.Connection, found: int) -> None:
    copy = Path(f"{db.filename}.v{found}")
    copy.unlink(missing_ok=True)  # of an update that did not end
    copy.touch(mode=0o600)  # VACUUM takes an empty file, and its mode
    db.execute("VACUUM INTO ?", (str(copy),))


def _climb(db: apsw.Connection, steps: tuple[str, ...], top: int) -> None:
    # A table that others refer to can only be built anew while nobody looks; whether all still fits is checked after.
    db.pragma("foreign_keys", False)
    with db:
        for step in steps:
            db.execute(step)
        lost = db.execute("PRAGMA foreign_key_check").fetchone()
        if lost is not None:
            raise StoreCorrupt(db.filename, f"a row of {lost[0]} refers to one of {lost[2]} that is not there")
        db.pragma("user_version", top)


def version(db: apsw.Connection, known: int = len(LADDER)) -> int:
    """The file's version, 0 for an empty one. Raises `StoreTooNew` above `known`."""
    found = int(db.pragma("user_version"))
    if found > known:
        raise StoreTooNew(db.filename, found, known)
    return found
