"""A batch of requests as one transaction: BEGIN, a savepoint for each request, COMMIT.

Called by the database in SQLite's thread, in one go; knows neither trio nor who asks. The one place where apsw's errors
become the store's.
"""

import logging
from collections.abc import Sequence
from typing import Final

import apsw

from actors.messages import StoreRequest
from actors.store.errors import Conflict, StoreCorrupt, StoreError, StoreUnavailable, Trouble, UnknownRoom
from actors.store.records import apply
from actors.store.rooms import Setting

UNAVAILABLE = (apsw.FullError, apsw.ReadOnlyError, apsw.BusyError, apsw.IOError, apsw.CantOpenError)
CORRUPT = (apsw.CorruptError, apsw.NotADBError)
UNFIT = (apsw.ConstraintError, apsw.TooBigError, ValueError, OverflowError)
"""What a value does that no column takes."""
MISTAKES = (AssertionError, AttributeError, LookupError, TypeError, apsw.SQLError)
"""What code raises that has not thought of something. It ends one request: the store would die of it again and again,
and in the end the service with it."""

_log: Final = logging.getLogger(__name__)


def commit(db: apsw.Connection, setting: Setting, requests: Sequence[StoreRequest]) -> list[object]:
    """Does the requests in their order and returns their replies, durable, or for each the error it is owed.

    A request that fails leaves no trace and does not touch the others. A disk that fails is no request's fault: each is
    owed `StoreUnavailable` then, since SQLite may have rolled all of them back. Raises `StoreCorrupt`.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        replies = [_attempt(db, setting, request) for request in requests]
        db.execute("COMMIT")
    except UNAVAILABLE as error:
        trouble = meaning(error)
        return [StoreUnavailable(str(error), trouble) for _ in requests]  # one each: an error belongs to its asker
    except CORRUPT as error:
        raise StoreCorrupt(db.filename, str(error)) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return replies


def probe(db: apsw.Connection) -> Trouble | None:
    """Writes what is there already; returns why that cannot be done now. Raises `StoreCorrupt`."""
    try:
        db.execute("BEGIN IMMEDIATE")
        db.pragma("user_version", db.pragma("user_version"))
        db.execute("COMMIT")
    except UNAVAILABLE as error:
        return meaning(error)
    except CORRUPT as error:
        raise StoreCorrupt(db.filename, str(error)) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return None


def meaning(error: apsw.Error) -> Trouble:
    """What one of the `UNAVAILABLE` says of the disk."""
    match error:
        case apsw.BusyError():
            return Trouble.BUSY
        case apsw.ReadOnlyError():
            return Trouble.READ_ONLY
        case apsw.FullError():
            return Trouble.FULL
        case _ if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:  # the log's index cannot grow
            return Trouble.FULL
        case _:
            return Trouble.FAILING


def _attempt(db: apsw.Connection, setting: Setting, request: StoreRequest) -> object:
    db.execute("SAVEPOINT request")
    error: StoreError
    try:
        reply = apply(db, setting, request)
    except (UnknownRoom, Conflict) as refused:
        error = refused
    except UNFIT as unfit:
        error = Conflict(type(request).__name__, str(unfit))
    except MISTAKES as mistake:
        _log.exception("%s was not done, by a mistake of ours", type(request).__name__)
        error = Conflict(type(request).__name__, f"a mistake of ours ({mistake!r}), see the log")
    else:
        db.execute("RELEASE request")
        return reply
    db.execute("ROLLBACK TO request")
    db.execute("RELEASE request")
    return error
