"""The rows of deliveries: what goes out to people, part by part, and how sure it is that it went.

Plain functions of a connection and a request, called inside a transaction by `records`. A delivery's life: waiting →
sending → waiting (next part, or again) → sent or undeliverable. One that has arrived and is then changed (in
`outgoing`) waits once more, to be edited: that is told by a `revision` that nobody has been shown.
"""

from itertools import zip_longest
from pathlib import PurePath
from typing import Final

import apsw
import msgspec

from actors.messages import (
    Delivery,
    DeliveryKind,
    Doubt,
    Doubted,
    Due,
    Edited,
    Key,
    NewDelivery,
    Place,
    RecentlySent,
    Sending,
    Sent,
    Topic,
    Undeliverable,
    Unsent,
    line_key,
)
from actors.phrases import inert, short
from actors.store.buttons import buttons_of, press_data
from actors.store.errors import Conflict
from actors.store.hops import is_noted, note, of_delivery
from actors.store.outgoing import queue_delivery, tell_room
from actors.store.rooms import room
from actors.store.texts import storable

_Row = tuple[
    int, str, int, int | None, str, str, int | None, str | None, int, int, int, float, str, str, str | None,
    str | None, int, int, int, int | None,
]  # fmt: skip


_LOSS: Final = "lost:"
"""With what the keys begin of the words about what could not be delivered."""


_MOST_RECENT: Final = 1000


def open_deliveries(db: apsw.Connection, place: Place) -> int:
    """How many deliveries to a place have not ended."""
    count: int = db.execute(
        "SELECT count(*) FROM deliveries WHERE front = ? AND chat = ? AND thread IS ? AND ended_at IS NULL",
        (place.front, place.chat, place.thread),
    ).get
    return count


def doubt(db: apsw.Connection, now: float, request: Doubt) -> int:
    """Nobody is sending now: what says so was cut off. An edit is simply made again."""
    db.execute(
        "UPDATE deliveries SET state = 'waiting', doubtful = 0 "
        "WHERE front = ? AND ended_at IS NULL AND state = 'sending' AND is_edit",
        (request.front,),
    )
    cut_off = list(
        db.execute(
            "UPDATE deliveries SET state = 'waiting', doubtful = 1 "
            "WHERE front = ? AND ended_at IS NULL AND state = 'sending' RETURNING id, attempts",
            (request.front,),
        )
    )
    for delivery, attempts in cut_off:
        _note(db, now, delivery, "doubted", request.front, attempts)
    return len(cut_off)


def due(db: apsw.Connection, request: Due) -> tuple[Delivery, ...]:
    """The head of each chat, oldest first. A chat whose head is being sent yields nothing: its order is kept.

    What may be gone past is no head. The lines about sub-agents come after all else: there may be many, each changes
    all the time, and nobody waits for them.
    """
    rows = db.execute(
        "SELECT id, front, chat, thread, kind, text, reply_to, turn, part, attempts, doubtful, created_at, "
        "footer, buttons, file, topic, revision, silent, is_edit, "
        "(SELECT message_id FROM parts WHERE delivery = id ORDER BY parts.part DESC LIMIT 1) "
        "FROM deliveries WHERE state = 'waiting' AND id IN "
        "(SELECT min(CASE WHEN key GLOB ?1 THEN id | (1 << 62) ELSE id END) & ~(1 << 62) "
        "FROM deliveries WHERE front = ?2 AND ended_at IS NULL "
        "AND id NOT IN (SELECT value FROM json_each(?3)) GROUP BY chat) ORDER BY id LIMIT max(0, ?4)",
        (line_key("*"), request.front, msgspec.json.encode(request.besides).decode(), request.limit),
    )
    return tuple(map(_delivery, rows))


def recently_sent(db: apsw.Connection, request: RecentlySent) -> tuple[tuple[int, float], ...]:
    """What has arrived since then, oldest first."""
    newest = db.execute(
        "SELECT chat, parts.sent_at FROM parts JOIN deliveries ON deliveries.id = delivery "
        "WHERE delivery > (SELECT max(id) FROM deliveries) - ?3 AND front = ?1 AND parts.sent_at >= ?2 "
        "ORDER BY parts.sent_at DESC LIMIT ?3",
        (request.front, request.since, _MOST_RECENT),
    )
    return tuple(reversed([(chat, at) for chat, at in newest]))


def sending(db: apsw.Connection, now: float, request: Sending) -> None:
    """Commit 2b. One that already says so is not counted again. People see the revision that their first part says."""
    for delivery, revision in zip_longest(request.ids, request.revisions):
        if is_over(db, "Sending", delivery):
            raise Conflict("Sending", f"delivery {delivery} has ended")
        begun = list(
            db.execute(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, "
                "shown = CASE part WHEN 0 THEN ifnull(?, revision) ELSE shown END WHERE id = ? AND state = 'waiting' "
                "RETURNING front, part, attempts, is_edit, revision",
                (revision, delivery),
            )
        )
        for front, part, attempts, is_edit, newest in begun:
            which = "edit" if is_edit else f"part {part + 1}"
            if not is_edit or is_noted(newest):
                _note(db, now, delivery, f"sending ({which}, attempt {attempts})", front, attempts)


def sent(db: apsw.Connection, now: float, request: Sent) -> None:
    """Commit 3. The next part begins with no attempts and no doubt; a part that arrived before changes nothing.

    What was changed while it was on its way is to be edited next, and no further part of the old text is sent. Where
    a front end has no ids of messages, nothing can be edited.
    """
    if is_over(db, "Sent", request.id):
        return
    front, part, shown, revision = db.execute(
        "SELECT front, part, shown, revision FROM deliveries WHERE id = ?", (request.id,)
    ).get
    if request.part < part:
        return
    if request.part > part:
        raise Conflict(
            "Sent", f"part {part} of delivery {request.id} has not arrived, so part {request.part} cannot have"
        )
    db.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", (request.id, part, request.message_id, now))
    to_edit = revision > shown and request.message_id is not None
    ends = request.last and not to_edit
    db.execute(
        "UPDATE deliveries SET state = ?, ended_at = ?, part = part + 1, attempts = 0, doubtful = 0, shown = ? "
        "WHERE id = ?",
        ("sent" if ends else "waiting", now if ends else None, shown if to_edit else revision, request.id),
    )
    message = request.id if request.message_id is None else request.message_id
    note(db, now, of_delivery(request.id), f"sent (part {part + 1})", str(message), whose=front)


def edited(db: apsw.Connection, now: float, request: Edited) -> None:
    """People see that revision. One that is no newer than what they see changes nothing."""
    if is_over(db, "Edited", request.id):
        return
    seen = list(
        db.execute(
            "UPDATE deliveries SET shown = min(revision, ?2), attempts = 0, "
            "state = CASE WHEN revision <= ?2 THEN 'sent' ELSE 'waiting' END, "
            "ended_at = CASE WHEN revision <= ?2 THEN ?3 END WHERE id = ?1 AND is_edit AND shown < ?2 RETURNING front",
            (request.id, request.revision, now),
        )
    )
    for (front,) in seen if is_noted(request.revision) else ():
        note(db, now, of_delivery(request.id), "edited", str(request.id), whose=front)


def unsent(db: apsw.Connection, now: float, request: Unsent) -> None:
    """Back to waiting. A doubt that an earlier send left stays, unless only an edit is left to do."""
    if is_over(db, "Unsent", request.id):
        return
    back = list(
        db.execute(
            "UPDATE deliveries SET state = 'waiting', doubtful = doubtful AND NOT is_edit "
            "WHERE id = ? AND state = 'sending' RETURNING front, attempts",
            (request.id,),
        )
    )
    for front, attempts in back:
        _note(db, now, request.id, "unsent", front, attempts)


def doubted(db: apsw.Connection, now: float, request: Doubted) -> None:
    """Back to waiting with a doubt; an edit does no harm when it is made twice."""
    if is_over(db, "Doubted", request.id):
        return
    back = list(
        db.execute(
            "UPDATE deliveries SET state = 'waiting', doubtful = NOT is_edit WHERE id = ? AND state = 'sending' "
            "RETURNING front, attempts",
            (request.id,),
        )
    )
    for front, attempts in back:
        _note(db, now, request.id, "doubted", front, attempts)


def undeliverable(db: apsw.Connection, now: float, request: Undeliverable) -> None:
    """The end of a delivery that cannot arrive; of one that has, only the edit ends.

    The room that asked for a topic is told why there is none.
    """
    if is_over(db, "Undeliverable", request.id):
        return
    give_up(db, now, request.id, request.reason)
    kind, slug, text, state = db.execute(
        "SELECT kind, room, text, state FROM deliveries WHERE id = ?", (request.id,)
    ).get
    if kind == DeliveryKind.TOPIC:
        if slug is not None:
            why = f"The topic “{inert(text)}” could not be made: {inert(request.reason)}"
            tell_room(db, now, room(db, slug), (NewDelivery(kind=DeliveryKind.REPORT, text=why),))
    elif request.tell and state == "undeliverable":
        _tell_of_loss(db, now, request.id, request.reason)


def give_up(db: apsw.Connection, now: float, delivery: int, reason: str) -> None:
    """Ends an open delivery, or only its edit if it has arrived."""
    (ended,) = list(
        db.execute(
            "UPDATE deliveries SET state = CASE WHEN is_edit THEN 'sent' ELSE 'undeliverable' END, shown = revision, "
            "reason = ?, ended_at = ? WHERE id = ? RETURNING front, state",
            (storable(reason), now, delivery),
        )
    )
    front, state = ended
    note(db, now, of_delivery(delivery), state if state != "sent" else "edit given up", str(delivery), whose=front)


def _tell_of_loss(db: apsw.Connection, now: float, delivery: int, reason: str) -> None:
    """One word for all that is lost in a place until that word arrives; about the word itself there is none."""
    key, slug, turn, inbound, part, text, file, *address = db.execute(
        "SELECT ifnull(key, ''), room, turn, inbound, part, text, file, front, chat, thread FROM deliveries "
        "WHERE id = ?",
        (delivery,),
    ).get
    if key.startswith(_LOSS):
        return
    waiting = db.execute(
        "SELECT key FROM deliveries WHERE front = ? AND chat = ? AND thread IS ? AND ended_at IS NULL "
        "AND substr(key, 1, ?) = ?",
        (*address, len(_LOSS), _LOSS),
    ).get
    new = NewDelivery(
        kind=DeliveryKind.REPORT,
        text=_lost(reason, text, file, part, others=waiting is not None),
        key=waiting or f"{_LOSS}{delivery}",
    )
    queue_delivery(db, now, Place(*address), new, slug=slug, turn=turn, inbound=inbound)


def _lost(reason: str, text: str, file: str | None, part: int, *, others: bool) -> str:
    why = inert(short(reason, 200)).rstrip(".")
    if others:
        return f"Several messages could not be delivered here. The newest: {why}. Ask for them again if they matter."
    what = "A message" if part == 0 else "The rest of a message"
    if file is not None:
        what = f"The file “{inert(short(PurePath(file).name))}”"
    begins = f" It begins: “{inert(short(text))}”" if text.strip() else ""
    return f"{what} could not be delivered here: {why}.{begins} Ask for it again if it matters."


def is_over(db: apsw.Connection, request: str, delivery: int) -> bool:
    """Whether nothing more is to be done about a delivery. Raises `Conflict` for one that is not there."""
    over = db.execute("SELECT ended_at IS NOT NULL FROM deliveries WHERE id = ?", (delivery,)).get
    if over is None:
        raise Conflict(request, f"there is no delivery {delivery}")
    return bool(over)


def _note(db: apsw.Connection, now: float, delivery: int, what: str, front: str, attempt: int) -> None:
    if is_noted(attempt):
        note(db, now, of_delivery(delivery), what, str(delivery), whose=front)


def _delivery(row: _Row) -> Delivery:
    (
        delivery, front, chat, thread, kind, text, reply_to, turn, part, attempts, doubtful, created_at, footer,
        buttons, file, topic, revision, silent, is_edit, message_id,
    ) = row  # fmt: skip
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
        footer=footer,
        keys=_keys(delivery, buttons),
        file=file,
        topic=None if topic is None else msgspec.json.decode(topic, type=Topic),
        edits=message_id if is_edit else None,
        revision=revision,
        silent=bool(silent),
    )


def _keys(delivery: int, buttons: str) -> tuple[tuple[Key, ...], ...]:
    keys: list[tuple[Key, ...]] = []
    number = 0
    for row in buttons_of(buttons):
        keys.append(tuple(Key(button.label, press_data(delivery, number + n)) for n, button in enumerate(row)))
        number += len(row)
    return tuple(keys)
