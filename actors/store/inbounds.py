"""The rows of inbounds and their attachments: written once, queued for a turn, or for an answer if they are commands.

Plain functions of a connection, called inside a transaction by `acceptance`, `presses`, `commands` and `turns`, which
know why. An inbound's key is unique for ever.
"""

import apsw

from actors.messages import Attachment, Inbound, Queued, SavedFile, note_key
from actors.store.errors import Conflict
from actors.store.hops import note, of_inbound
from actors.store.texts import storable

_QUEUED = (
    "SELECT id, person, name, text, at, message_id, command, attempts, accepted_at, owner, quoted, burst, mode, "
    "command IS NOT NULL AND turn IS NOT NULL, steered FROM inbound"
)

_WITHDRAW = (
    "UPDATE inbound SET state = 'dropped', held_after = NULL WHERE key = ? AND state IN ('queued', 'held') RETURNING id"
)
_BRING_BACK = "UPDATE inbound SET state = 'queued' WHERE key = ? AND state = 'dropped' RETURNING id"


def write(
    db: apsw.Connection, now: float, slug: str, inbound: Inbound, state: str = "queued", title: str | None = None
) -> int:
    """A new row with its attachments; its id. The room was used, and its place is called `title` now."""
    db.execute(
        "INSERT INTO inbound (key, room, person, name, owner, text, quoted, at, message_id, reply_to, burst, mode, "
        "command, state, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            inbound.key,
            slug,
            inbound.person,
            storable(inbound.name),
            inbound.owner,
            storable(inbound.text),
            storable(inbound.quoted),
            inbound.at,
            inbound.message_id,
            inbound.reply_to,
            inbound.burst,
            inbound.mode,
            inbound.command,
            state,
            now,
        ),
    )
    row = db.last_insert_rowid()
    for each in inbound.attachments:
        _attach(db, row, each)
    note(db, now, of_inbound(row), "accepted" if state == "queued" else state, inbound.key)
    if state == "queued":
        title = storable(title or "") or None
        db.execute("UPDATE rooms SET updated_at = ?, title = ifnull(?, title) WHERE slug = ?", (now, title, slug))
    return row


def waiting_in(db: apsw.Connection, slug: str) -> tuple[Queued, ...]:
    """What waits in a room, texts and commands, oldest first."""
    return _queued(db, " WHERE state = 'queued' AND room = ? ORDER BY id", slug)


def held_in(db: apsw.Connection, slug: str) -> tuple[Queued, ...]:
    """What is held in a room, oldest first."""
    return _queued(db, " WHERE state = 'held' AND room = ? ORDER BY id", slug)


def taken_by(db: apsw.Connection, turn: str) -> tuple[Queued, ...]:
    """The inbounds of a turn, oldest first."""
    return _queued(db, " WHERE turn = ? ORDER BY id", turn)


def places(db: apsw.Connection, slug: str, *states: str, apart: str | None = None) -> int:
    """How many places the texts in these states take in a room's queue, without those of the burst `apart`.

    A burst takes one in each state that some of it is in.
    """
    return sum(_places(db, slug, state, apart) for state in states)


def _places(db: apsw.Connection, slug: str, state: str, apart: str | None) -> int:
    count: int = db.execute(
        "SELECT count(DISTINCT ifnull(burst, id)) FROM inbound "
        "WHERE state = ? AND room = ? AND command IS NULL AND ifnull(burst, id) IS NOT ?",
        (state, slug, apart),
    ).get
    return count


def waiting_commands(db: apsw.Connection, slug: str) -> int:
    """How many commands of a room wait for their answer."""
    count: int = db.execute(
        "SELECT count(*) FROM inbound WHERE state = 'queued' AND room = ? AND command IS NOT NULL", (slug,)
    ).get
    return count


def waits(db: apsw.Connection, slug: str, inbound: int, *, or_held: bool = False) -> bool:
    """Whether this text is in the room's queue; `or_held`: or is held."""
    states = ("queued", "held" if or_held else "queued")
    return bool(
        db.execute(
            "SELECT count(*) FROM inbound WHERE id = ? AND room = ? AND state IN (?, ?) AND command IS NULL",
            (inbound, slug, *states),
        ).get
    )


def take(db: apsw.Connection, request: str, slug: str, inbound: int, turn: str) -> None:
    """Out of the queue, into a turn. Raises `Conflict` for what does not wait."""
    if not waits(db, slug, inbound):
        raise Conflict(request, f"inbound {inbound} does not wait in room {slug}")
    db.execute("UPDATE inbound SET state = 'taken', turn = ? WHERE id = ?", (turn, inbound))


def give_back(db: apsw.Connection, now: float, request: str, turn: str, inbound: int) -> None:
    """Out of a turn that had taken it, into the queue: its id keeps it where it stood."""
    db.execute(
        "UPDATE inbound SET state = 'queued', turn = NULL, steered = 0, attempts = 0 "
        "WHERE id = ? AND turn = ? AND state = 'taken'",
        (inbound, turn),
    )
    if db.changes() == 0:
        raise Conflict(request, f"inbound {inbound} is not one of turn {turn}")
    note(db, now, of_inbound(inbound), "given back", turn)


def drop(db: apsw.Connection, now: float, slug: str, inbound: int) -> None:
    """Out of the queue for good, also if it is held, with the rest of its burst. One that waits no more stays."""
    if waits(db, slug, inbound, or_held=True):
        dropped = db.execute(
            "UPDATE inbound SET state = 'dropped', held_after = NULL "
            "WHERE room = ?1 AND state IN ('queued', 'held') AND command IS NULL "
            "AND (id = ?2 OR burst = (SELECT burst FROM inbound WHERE id = ?2)) RETURNING id",
            (slug, inbound),
        )
        for (row,) in list(dropped):
            note(db, now, of_inbound(row), "dropped", str(row))


def withdraw(db: apsw.Connection, now: float, key: str) -> bool:
    """What waits under this key, or is held, is not needed any more; False if nothing does."""
    return _turn_over(db, now, "withdrawn", _WITHDRAW, key) is not None


def bring_back(db: apsw.Connection, now: float, key: str) -> int | None:
    """What was withdrawn waits again, where it stood; its id."""
    return _turn_over(db, now, "given back", _BRING_BACK, key)


def _turn_over(db: apsw.Connection, now: float, what: str, statement: str, key: str) -> int | None:
    row: int | None = db.execute(statement, (key,)).get
    if row is not None:
        note(db, now, of_inbound(row), what, key)
    return row


def retry(db: apsw.Connection, now: float, slug: str, turn: str) -> None:
    """The messages of a turn that failed are queued once more, as new ones, unless they were before."""
    if not can_retry(db, slug, turn):
        return
    for each in taken_by(db, turn):
        if each.command is not None:
            continue
        db.execute(
            "INSERT INTO inbound (key, room, person, name, owner, text, quoted, at, message_id, reply_to, burst, "
            "state, retries, accepted_at) "
            "SELECT 'retry:' || id, room, person, name, owner, text, quoted, at, message_id, reply_to, burst, "
            "'queued', id, ? FROM inbound WHERE id = ?",
            (now, each.id),
        )
        row = db.last_insert_rowid()
        for attachment in each.attachments:
            _attach(db, row, attachment)
        note(db, now, of_inbound(row), "retried", str(row))


def can_retry(db: apsw.Connection, slug: str, turn: str) -> bool:
    """Whether a turn of this room failed, was interrupted or quarantined, and was neither retried nor dropped."""
    return bool(
        db.execute(
            "SELECT count(*) FROM turns "
            "WHERE id = ?1 AND room = ?2 AND outcome IN ('failed', 'interrupted', 'quarantined') "
            "AND NOT EXISTS (SELECT 1 FROM inbound AS new JOIN inbound AS old ON new.retries = old.id "
            "WHERE old.turn = ?1) AND NOT EXISTS (SELECT 1 FROM inbound WHERE turn = ?1 AND state = 'dropped')",
            (turn, slug),
        ).get
    )


def see_end(db: apsw.Connection, slug: str, turn: str) -> None:
    """A turn has ended: the commands that wait in its room bear it from now on, so that none stops the next one too."""
    db.execute("UPDATE inbound SET turn = ? WHERE room = ? AND state = 'queued' AND command IS NOT NULL", (turn, slug))


def answer(db: apsw.Connection, now: float, request: str, slug: str, command: int) -> bool:
    """A command of this room is done; False if it was. Raises `Conflict` in the name of that request if it is none."""
    state = db.execute(
        "SELECT state FROM inbound WHERE id = ? AND room = ? AND command IS NOT NULL", (command, slug)
    ).get
    if state is None:
        raise Conflict(request, f"inbound {command} is no command of room {slug}")
    if state == "done":
        return False
    db.execute("UPDATE inbound SET state = 'done' WHERE id = ?", (command,))
    note(db, now, of_inbound(command), "answered", str(command))
    return True


def saved_file(db: apsw.Connection, request: SavedFile) -> None:
    """Where a file lies now."""
    db.execute("UPDATE attachments SET path = ? WHERE id = ?", (request.path, request.attachment))
    if db.changes() == 0:
        raise Conflict("SavedFile", f"there is no attachment {request.attachment}")


def _attach(db: apsw.Connection, inbound: int, file: Attachment) -> None:
    db.execute(
        "INSERT INTO attachments (inbound, handle, name, mime, size, picture, path) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (inbound, storable(file.handle), storable(file.name), storable(file.mime), file.size, file.picture, file.path),
    )


def _attached(db: apsw.Connection, inbound: int) -> tuple[Attachment, ...]:
    rows = db.execute(
        "SELECT id, handle, name, mime, size, picture, path FROM attachments WHERE inbound = ? ORDER BY id", (inbound,)
    )
    return tuple(
        Attachment(id=id, handle=handle, name=name, mime=mime, size=size, picture=bool(picture), path=path)
        for id, handle, name, mime, size, picture, path in rows
    )


def _queued(db: apsw.Connection, which: str, value: str) -> tuple[Queued, ...]:
    return tuple(
        Queued(
            id=inbound,
            person=person,
            name=name,
            text=text,
            at=at,
            message_id=message_id,
            command=command,
            attempts=attempts,
            accepted_at=accepted_at,
            owner=bool(owner),
            quoted=quoted,
            attachments=_attached(db, inbound),
            burst=burst,
            mode=mode,
            saw_end=bool(saw_end),
            steered=bool(steered),
            noted=_is_noted(db, inbound),
        )
        for (
            inbound, person, name, text, at, message_id, command, attempts, accepted_at, owner, quoted, burst, mode,
            saw_end, steered,
        ) in db.execute(_QUEUED + which, (value,))
    )  # fmt: skip


def _is_noted(db: apsw.Connection, inbound: int) -> bool:
    return bool(db.execute("SELECT count(*) FROM deliveries WHERE key = ?", (note_key(inbound),)).get)
