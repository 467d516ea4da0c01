"""What is said to people: deliveries queued, and changed by their key.

Called by every other record that has something to say, in that record's own transaction. What becomes of a delivery
is in `deliveries`.
"""

from collections.abc import Sequence
from typing import Final

import apsw
import msgspec

from actors.messages import DeliveryKind, NewDelivery, Place, Room, Tell
from actors.store.buttons import kept
from actors.store.errors import Conflict
from actors.store.hops import is_noted, note, of_delivery, of_inbound, of_turn
from actors.store.rooms import room
from actors.store.texts import storable

QUEUED: Final = "queued"
"""The hop that says, with a turn or an inbound, which delivery belongs to it."""


def tell(db: apsw.Connection, now: float, request: Tell) -> None:
    """Deliveries out of turn. Raises `Conflict` for one that goes nowhere."""
    if request.slug is not None:
        tell_room(db, now, room(db, request.slug), request.deliveries)
        return
    for new in request.deliveries:
        if new.place is None:
            raise Conflict("Tell", "neither a room nor a place is named")
        queue_delivery(db, now, new.place, new)


def tell_room(
    db: apsw.Connection,
    now: float,
    home: Room,
    deliveries: Sequence[NewDelivery],
    turn: str | None = None,
    inbound: int | None = None,
) -> None:
    """Queues what a room has to say, there or where it says. A muted room's answers ring nowhere.

    `turn`, `inbound`: what it is said about.
    """
    for new in deliveries:
        silent = home.settings.muted and new.kind is DeliveryKind.ANSWER
        place = new.place or home.place
        queue_delivery(db, now, place, new, slug=home.slug, turn=turn, inbound=inbound, silent=silent)


def queue_delivery(
    db: apsw.Connection,
    now: float,
    place: Place,
    new: NewDelivery,
    *,
    slug: str | None = None,
    turn: str | None = None,
    inbound: int | None = None,
    silent: bool = False,
) -> int:
    """Queues a message to a place and returns its id; one whose `key` there is already is changed to this one instead.

    `slug`: the room whose matter it is; `inbound`: what it is about, if it is no turn's; where that is not said, it is
    the message that it answers. Raises `Conflict` for a topic that does not say what it is for.
    """
    if (new.topic is None) != (new.kind is not DeliveryKind.TOPIC):
        raise Conflict("NewDelivery", "a topic, and nothing else, says what it is for")
    known = None if new.key is None else _known(db, new.key)
    if known is not None:
        _change(db, now, known, new)
        return known
    if turn is None and inbound is None and slug is not None and new.reply_to is not None:
        answered = "SELECT max(id) FROM inbound WHERE room = ? AND message_id = ?"
        inbound = db.execute(answered, (slug, new.reply_to)).get
    db.execute(
        "INSERT INTO deliveries (key, room, front, chat, thread, kind, text, footer, buttons, file, topic, silent, "
        "reply_to, turn, inbound, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.key,
            slug,
            place.front,
            place.chat,
            place.thread,
            new.kind,
            storable(new.text),
            storable(new.footer),
            kept(new.buttons),
            new.file,
            None if new.topic is None else msgspec.json.encode(new.topic).decode(),
            silent,
            new.reply_to,
            turn,
            inbound,
            now,
        ),
    )
    delivery = db.last_insert_rowid()
    subject = of_turn(turn) if turn else of_inbound(inbound) if inbound else of_delivery(delivery)
    note(db, now, subject, QUEUED, str(delivery))
    return delivery


def again(db: apsw.Connection, new: NewDelivery) -> NewDelivery:
    """The same as a message of its own if the one with its key has arrived where nothing can be edited, or is gone."""
    known = None if new.key is None else _known(db, new.key)
    if known is None:
        return new
    fixed = db.execute(
        "SELECT count(*) FROM deliveries JOIN parts ON parts.delivery = deliveries.id "
        "WHERE deliveries.id = ? AND state = 'sent' AND (message_id IS NULL "
        "OR EXISTS (SELECT 1 FROM rooms WHERE slug = deliveries.room AND gone_at IS NOT NULL))",
        (known,),
    ).get
    return msgspec.structs.replace(new, key=f"{new.key}:again") if fixed else new


def reword(db: apsw.Connection, now: float, key: str, text: str) -> None:
    """Changes what the delivery of that key says, if there is one, and takes its buttons away."""
    known = _known(db, key)
    if known is not None:
        _change(db, now, known, NewDelivery(kind=DeliveryKind.NOTE, text=text))


def _known(db: apsw.Connection, key: str) -> int | None:
    known: int | None = db.execute("SELECT id FROM deliveries WHERE key = ?", (key,)).get
    return known


def _change(db: apsw.Connection, now: float, delivery: int, new: NewDelivery) -> None:
    """The row says the new words. If its message, or a part of it, is there to be edited, it waits for that."""
    text, footer, buttons = storable(new.text), storable(new.footer), kept(new.buttons)
    changed = list(
        db.execute(
            "UPDATE deliveries SET text = ?2, footer = ?3, buttons = ?4, revision = revision + 1 "
            "WHERE id = ?1 AND (text, footer, buttons) IS NOT (?2, ?3, ?4) RETURNING revision",
            (delivery, text, footer, buttons),
        )
    )
    for (revision,) in changed:
        if is_noted(revision):
            note(db, now, of_delivery(delivery), "changed", str(delivery))
        db.execute(
            "UPDATE deliveries SET state = 'waiting', ended_at = NULL, reason = NULL, attempts = 0, doubtful = 0 "
            "WHERE id = ?1 AND state IN ('waiting', 'sent') AND "
            "(SELECT message_id FROM parts WHERE delivery = ?1 ORDER BY part DESC LIMIT 1) IS NOT NULL",
            (delivery,),
        )
