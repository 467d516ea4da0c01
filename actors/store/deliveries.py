"""The rows of deliveries and previews: what goes out to people, part by part, and how sure it is that it went.

Plain functions of a connection and a request, called inside a transaction by `records`; other records queue deliveries
through `queue_delivery`. A delivery's life: waiting → sending → waiting (next part, or again) → sent or undeliverable.
"""

import apsw

from actors.messages import (
    Delivery,
    DeliveryKind,
    Doubt,
    Doubted,
    Due,
    NewDelivery,
    Place,
    Preview,
    PreviewGone,
    PreviewShown,
    Sending,
    Sent,
    StalePreviews,
    Undeliverable,
    Unsent,
)
from actors.store.errors import Conflict
from actors.store.texts import storable

_Row = tuple[int, str, int, int | None, str, str, int | None, str | None, int, int, int, float]


def queue_delivery(
    db: apsw.Connection, now: float, place: Place, new: NewDelivery, *, turn: str | None = None, key: str | None = None
) -> None:
    """Queues a message to a place; one with a `key` that was seen before is not queued again."""
    db.execute(
        "INSERT INTO deliveries (key, front, chat, thread, kind, text, reply_to, turn, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (key, place.front, place.chat, place.thread, new.kind, storable(new.text), new.reply_to, turn, now),
    )


def open_deliveries(db: apsw.Connection, place: Place) -> int:
    """How many deliveries to a place have not ended."""
    count: int = db.execute(
        "SELECT count(*) FROM deliveries WHERE front = ? AND chat = ? AND thread IS ? AND ended_at IS NULL",
        (place.front, place.chat, place.thread),
    ).get
    return count


def doubt(db: apsw.Connection, request: Doubt) -> int:
    """Nobody is sending now: what says so was cut off."""
    db.execute(
        "UPDATE deliveries SET state = 'waiting', doubtful = 1 "
        "WHERE front = ? AND ended_at IS NULL AND state = 'sending'",
        (request.front,),
    )
    return db.changes()


def due(db: apsw.Connection, request: Due) -> tuple[Delivery, ...]:
    """The head of each chat, oldest first. A chat whose head is being sent yields nothing: its order is kept."""
    rows = db.execute(
        "SELECT id, front, chat, thread, kind, text, reply_to, turn, part, attempts, doubtful, created_at "
        "FROM deliveries WHERE state = 'waiting' AND id IN "
        "(SELECT min(id) FROM deliveries WHERE front = ? AND ended_at IS NULL GROUP BY chat) "
        "ORDER BY id LIMIT max(0, ?)",
        (request.front, request.limit),
    )
    return tuple(map(_delivery, rows))


def sending(db: apsw.Connection, request: Sending) -> None:
    """Commit 2b. One that already says so is not counted again."""
    for delivery in request.ids:
        if _is_over(db, "Sending", delivery):
            raise Conflict("Sending", f"delivery {delivery} has ended")
        db.execute(
            "UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE id = ? AND state = 'waiting'",
            (delivery,),
        )


def sent(db: apsw.Connection, now: float, request: Sent) -> None:
    """Commit 3. The next part begins with no attempts and no doubt; a part that arrived before changes nothing."""
    if _is_over(db, "Sent", request.id):
        return
    part: int = db.execute("SELECT part FROM deliveries WHERE id = ?", (request.id,)).get
    if request.part < part:
        return
    if request.part > part:
        raise Conflict(
            "Sent", f"part {part} of delivery {request.id} has not arrived, so part {request.part} cannot have"
        )
    db.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", (request.id, part, request.message_id, now))
    db.execute(
        "UPDATE deliveries SET state = ?, ended_at = ?, part = part + 1, attempts = 0, doubtful = 0 WHERE id = ?",
        ("sent" if request.last else "waiting", now if request.last else None, request.id),
    )


def unsent(db: apsw.Connection, request: Unsent) -> None:
    """Back to waiting. A doubt that an earlier send left stays."""
    if not _is_over(db, "Unsent", request.id):
        db.execute("UPDATE deliveries SET state = 'waiting' WHERE id = ?", (request.id,))


def doubted(db: apsw.Connection, request: Doubted) -> None:
    """Back to waiting with a doubt."""
    if not _is_over(db, "Doubted", request.id):
        db.execute(
            "UPDATE deliveries SET state = 'waiting', doubtful = 1 WHERE id = ? AND state = 'sending'", (request.id,)
        )


def undeliverable(db: apsw.Connection, now: float, request: Undeliverable) -> None:
    """The end of a delivery that cannot arrive."""
    if not _is_over(db, "Undeliverable", request.id):
        db.execute(
            "UPDATE deliveries SET state = 'undeliverable', reason = ?, ended_at = ? WHERE id = ?",
            (storable(request.reason), now, request.id),
        )


def preview_shown(db: apsw.Connection, request: PreviewShown) -> None:
    """Keeps a preview's address; the same one twice is one."""
    preview, place = request.preview, request.preview.place
    db.execute(
        "INSERT INTO previews (turn, message_id, front, chat, thread) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (turn, message_id) DO NOTHING",
        (preview.turn, preview.message_id, place.front, place.chat, place.thread),
    )


def preview_gone(db: apsw.Connection, request: PreviewGone) -> None:
    """Forgets one preview; another one of its turn is still to be deleted."""
    db.execute(
        "DELETE FROM previews WHERE turn = ? AND message_id = ?", (request.preview.turn, request.preview.message_id)
    )


def stale_previews(db: apsw.Connection, request: StalePreviews) -> tuple[Preview, ...]:
    """The previews of turns that have ended and whose answers have arrived, oldest message first."""
    rows = db.execute(
        "SELECT turn, front, chat, thread, message_id FROM previews JOIN turns ON turns.id = turn "
        "WHERE previews.front = ?1 AND outcome IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM deliveries WHERE deliveries.turn = turns.id AND deliveries.ended_at IS NULL) "
        "ORDER BY message_id",
        (request.front,),
    )
    return tuple(
        Preview(turn=turn, place=Place(front, chat, thread), message_id=message_id)
        for turn, front, chat, thread, message_id in rows
    )


def _is_over(db: apsw.Connection, request: str, delivery: int) -> bool:
    over = db.execute("SELECT ended_at IS NOT NULL FROM deliveries WHERE id = ?", (delivery,)).get
    if over is None:
        raise Conflict(request, f"there is no delivery {delivery}")
    return bool(over)


def _delivery(row: _Row) -> Delivery:
    delivery, front, chat, thread, kind, text, reply_to, turn, part, attempts, doubtful, created_at = row
    return Delivery(
        id=delivery,
        place=Place(front, chat, thread),
        kind=DeliveryKind(kind),
        text=text,
        reply_to=reply_to,
        turn=turn,
        part=part,
        attempts=attempts,
        doubtful=bool(doubtful),
        created_at=created_at,
    )
