"""What a stop does to a room: its turn is to end, and what waits is held until a person says what becomes of it.

Plain functions of a connection, called inside a transaction by `acceptance`, `presses`, `commands` and `turns`. What is
held keeps its place in the queue and its id, and is nobody's work.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import apsw

from actors.store.hops import note, of_inbound, of_turn

STOPPING: Final = frozenset({"stop", "new"})
"""The commands that stop a room in the transaction that accepts them."""


def stop(db: apsw.Connection, now: float, slug: str) -> None:
    """What a person's stop means from the moment that it is accepted."""
    hold(db, now, slug)
    stop_turn(db, now, slug)


def stop_turn(db: apsw.Connection, now: float, slug: str) -> bool:
    """The room's open turn is to be stopped, whatever crashes; whether there is one."""
    turn = db.execute("SELECT id, stop_requested FROM turns WHERE room = ? AND outcome IS NULL", (slug,)).fetchone()
    if turn is None:
        return False
    which, requested = turn
    if not requested:
        db.execute("UPDATE turns SET stop_requested = 1 WHERE id = ?", (which,))
        note(db, now, of_turn(which), "told to stop", which)
    return True


def hold(db: apsw.Connection, now: float, slug: str, *, before: int | None = None) -> None:
    """All texts that wait in the room are held. `before`: only those that were there before this inbound."""
    held = db.execute(
        "UPDATE inbound SET state = 'held', held_after = (SELECT max(id) FROM inbound) "
        "WHERE room = ?1 AND state = 'queued' AND command IS NULL AND (?2 IS NULL OR id < ?2) RETURNING id",
        (slug, before),
    )
    _note(db, now, held, "held")


def hold_returned(db: apsw.Connection, now: float, slug: str, turn: str, returned: Sequence[int]) -> None:
    """What a stopped turn gave back is held as what the stop found waiting: one later word is for both."""
    stopped: int = db.execute(
        "SELECT ifnull((SELECT id FROM inbound WHERE room = ? AND command IN ('stop', 'new') AND state <> 'refused' "
        # from the newest back, and none that is older than the turn: it may have been stopped from another room
        "AND id > (SELECT ifnull(min(id), 0) FROM inbound WHERE turn = ?) ORDER BY id DESC LIMIT 1), 0)",
        (slug, turn),
    ).get
    for inbound in returned:
        held = db.execute(
            "UPDATE inbound SET state = 'held', held_after = ? WHERE id = ? AND state = 'queued' RETURNING id",
            (stopped, inbound),
        )
        _note(db, now, held, "held")


def keep_whole(db: apsw.Connection, now: float, slug: str) -> None:
    """What waits of a burst that is held is held with it: a part that came late, or one that was given back."""
    held = db.execute(
        "UPDATE inbound SET state = 'held', held_after = "
        "(SELECT max(held_after) FROM inbound AS rest WHERE rest.room = inbound.room AND rest.burst = inbound.burst) "
        "WHERE room = ?1 AND state = 'queued' AND command IS NULL AND burst IN "
        "(SELECT burst FROM inbound WHERE room = ?1 AND state = 'held' AND burst IS NOT NULL) RETURNING id",
        (slug,),
    )
    _note(db, now, held, "held")


def release(db: apsw.Connection, now: float, slug: str, command: int) -> None:
    """What this command found held waits again, where it stood. What a later stop has held is not meant by it."""
    freed = db.execute(
        "UPDATE inbound SET state = 'queued', held_after = NULL "
        "WHERE room = ? AND state = 'held' AND held_after < ? RETURNING id",
        (slug, command),
    )
    _note(db, now, freed, "released")


def drop_held(db: apsw.Connection, now: float, slug: str, command: int) -> None:
    """What this command found held is never done."""
    dropped = db.execute(
        "UPDATE inbound SET state = 'dropped', held_after = NULL "
        "WHERE room = ? AND state = 'held' AND held_after < ? RETURNING id",
        (slug, command),
    )
    _note(db, now, dropped, "dropped")


def is_stopping(db: apsw.Connection, slug: str) -> bool:
    """Whether a stop waits for its answer: it may have come when its turn had just been decided to end otherwise."""
    return bool(
        db.execute(
            "SELECT count(*) FROM inbound WHERE room = ? AND state = 'queued' AND command IN ('stop', 'new')", (slug,)
        ).get
    )


def is_holding(db: apsw.Connection, slug: str) -> bool:
    """Whether anything is held in the room."""
    return bool(db.execute("SELECT count(*) FROM inbound WHERE room = ? AND state = 'held'", (slug,)).get)


def _note(db: apsw.Connection, now: float, rows: Iterable[tuple[int]], what: str) -> None:
    for (inbound,) in list(rows):  # all of them first: a statement that is not at its end keeps its transaction open
        note(db, now, of_inbound(inbound), what, str(inbound))
