"""What was cut off too often and is set aside: listed, tried once more, or dropped.

Plain functions of a connection and a request, called inside a transaction by `records`. A message is in quarantine
while its state says so and no newer row tries it again; what was decided keeps its row.
"""

import apsw

from actors.messages import (
    DeliveryKind,
    DropQuarantined,
    ListQuarantined,
    NewDelivery,
    Quarantined,
    RetryQuarantined,
    Room,
)
from actors.phrases import inert, short
from actors.store.hops import note, of_inbound
from actors.store.inbounds import retry
from actors.store.outgoing import tell_room
from actors.store.rooms import room, wake

_SET_ASIDE = (
    "FROM inbound JOIN turns ON turns.id = turn WHERE state = 'quarantined' "
    "AND NOT EXISTS (SELECT 1 FROM inbound AS new WHERE new.retries = inbound.id)"
)


def list_quarantined(db: apsw.Connection, request: ListQuarantined) -> tuple[Quarantined, ...]:
    """The messages in quarantine, oldest first."""
    rows = db.execute(
        "SELECT inbound.id, inbound.room, name, text, at, attempts, turn, ended_at "
        f"{_SET_ASIDE} ORDER BY inbound.id LIMIT max(0, ?)",
        (request.limit,),
    )
    return tuple(
        Quarantined(
            inbound=inbound,
            room=slug,
            name=name,
            text=text,
            at=at,
            attempts=attempts,
            turn=turn,
            set_aside_at=set_aside_at,
        )
        for inbound, slug, name, text, at, attempts, turn, set_aside_at in rows
    )


def retry_quarantined(db: apsw.Connection, now: float, request: RetryQuarantined) -> Room | None:
    """The whole turn again, as new messages, in the room as it is now."""
    found = _set_aside(db, request.inbound)
    if found is None:
        return None
    slug, turn = found
    retry(db, now, slug, turn)
    wake(db, slug)
    return room(db, slug)


def drop_quarantined(db: apsw.Connection, now: float, request: DropQuarantined) -> Room | None:
    """The whole turn is done with, and whoever waits for it is told."""
    found = _set_aside(db, request.inbound)
    if found is None:
        return None
    slug, turn = found
    dropped = list(
        db.execute(
            "UPDATE inbound SET state = 'dropped' WHERE turn = ? AND state = 'quarantined' "
            "RETURNING id, message_id, text",
            (turn,),
        )
    )
    for inbound, _, _ in dropped:
        note(db, now, of_inbound(inbound), "dropped", str(inbound))
    first, message_id, text = min(dropped)
    home = room(db, slug)
    told = NewDelivery(
        kind=DeliveryKind.NOTE, text=_dropped(text, len(dropped), message_id is not None), reply_to=message_id
    )
    tell_room(db, now, home, (told,), inbound=first)
    return home


def _set_aside(db: apsw.Connection, inbound: int) -> tuple[str, str] | None:
    """The room and the turn of a message in quarantine."""
    row: tuple[str, str] | None = db.execute(
        f"SELECT inbound.room, turn {_SET_ASIDE} AND inbound.id = ?", (inbound,)
    ).fetchone()
    return row


def _dropped(text: str, count: int, is_reply: bool) -> str:
    which = "This message" if is_reply else f"The message “{inert(short(text))}”"
    if count == 1:
        return f"{which} was set aside and is dropped now. Send it again if it should be done after all."
    return f"{which} and {count - 1} more were set aside and are dropped now. Send again what should be done after all."
