"""Commit 1: what a person says is accepted or refused, once, or changed before anybody has begun with it.

Plain functions of a connection, a setting and a request, called inside a transaction by `records`. The rows are those
of `inbounds`; what a press of a button says is in `presses`.
"""

import apsw
import msgspec

from actors.messages import (
    Accept,
    Acceptance,
    Accepted,
    Amend,
    Amended,
    Button,
    DeliveryKind,
    Duplicate,
    Inbound,
    NewDelivery,
    Refused,
    Room,
)
from actors.store.inbounds import places, waiting_commands, write
from actors.store.outgoing import tell_room
from actors.store.questions import Asked, answer, answered_by, asks, take_answer
from actors.store.reports import burst_of
from actors.store.rooms import Setting, make_room, room, room_at, wake
from actors.store.stopping import STOPPING, keep_whole, stop
from actors.store.texts import storable
from actors.store.topics import found_again

LATE = "This message had been taken up before it was edited. Send what has changed as a message of its own."
"""What a person reads whose edit came too late."""
COUNTED = 1000
"""Refusals that one word counts."""

_SAY = (Button(label="Run", command="run_held", argument=""), Button(label="Drop", command="drop_held", argument=""))


def accept(db: apsw.Connection, setting: Setting, request: Accept) -> Acceptance:
    """Commit 1. A refused key is kept too, so that what was refused is never done later."""
    inbound = request.inbound
    seen = db.execute("SELECT room, state FROM inbound WHERE key = ?", (inbound.key,)).fetchone()
    if seen is not None:
        slug, state = seen
        return Duplicate(room=None if state == "refused" else room(db, slug))
    home = room_at(db, inbound.place) or make_room(db, setting, inbound.place, inbound.title)
    wake(db, home.slug)
    found_again(db, setting.now, home)
    asked = answered_by(db, setting.now, home.slug, inbound)
    if asked is not None:
        take_answer(db, setting.now, home.slug, asked, inbound.text)
        inbound = answering(inbound, asked)
    elif not _has_place(db, home, inbound, request.capacity):
        return _refuse(db, setting.now, home, inbound, request.capacity)
    ahead = 0
    if inbound.command is None:
        ahead = places(db, home.slug, "queued", "taken", apart=inbound.burst)
    row = write(db, setting.now, home.slug, inbound, title=inbound.title)
    if inbound.command in STOPPING:
        stop(db, setting.now, home.slug)
    elif inbound.burst is not None:
        keep_whole(db, setting.now, home.slug)
    return Accepted(room=room(db, home.slug), inbound=row, ahead=ahead)


def answering(inbound: Inbound, asked: Asked) -> Inbound:
    """What an answer goes on as: a command to the agent that waits or, if that has ended, a text that quotes it."""
    if asked.ended:
        return msgspec.structs.replace(inbound, command=None, quoted=asks(asked.question))
    return msgspec.structs.replace(inbound, command="answer", text=answer(asked.question, inbound.text))


def amend(db: apsw.Connection, setting: Setting, request: Amend) -> Amended:
    """The new text, or a word that it comes too late. Of what was refused or dropped nothing is said."""
    home = room_at(db, request.place)
    if home is None:
        return Amended(room=None, late=False)
    text = storable(request.text)
    found = db.execute(
        "SELECT id, state, text FROM inbound WHERE room = ? AND message_id = ? AND command IS NULL "
        "ORDER BY id DESC LIMIT 1",  # the newest: a message that is tried once more has a row for each time
        (home.slug, request.message_id),
    ).fetchone()
    if found is None:
        return Amended(room=home, late=False)
    inbound, state, before = found
    if text == before or state in {"refused", "dropped"}:
        return Amended(room=home, late=False)
    if state in {"queued", "held"}:
        db.execute("UPDATE inbound SET text = ? WHERE id = ?", (text, inbound))
        return Amended(room=home, late=False)
    note = NewDelivery(kind=DeliveryKind.NOTE, text=LATE, reply_to=request.message_id, key=f"amend:{request.key}")
    tell_room(db, setting.now, home, (note,))
    return Amended(room=home, late=True)


def refusal(capacity: int, refused: int = 1, held: int = 0) -> str:
    """What a person reads of whose messages so many found the queue full. `held`: of what fills it."""
    waiting = "1 message is" if capacity == 1 else f"{capacity} messages are"
    because, then = f"because {waiting} already waiting here", "later"
    if held:
        which = "" if capacity == 1 else "all of them " if held >= capacity else f"{held} of them "
        because += f", {which}held since a stop"
        then = "when you have said Run or Drop"
    if refused == 1:
        return f"This message was not taken, {because}; please send it again {then}."
    return f"{refused} messages were not taken, {because}; please send those again {then} that bear no mark."


def _has_place(db: apsw.Connection, home: Room, inbound: Inbound, capacity: int) -> bool:
    """Whether the room can take it. What belongs to a refused burst is refused with it, for it is one message."""
    if inbound.command is not None:
        return inbound.command == "stop" or waiting_commands(db, home.slug) < capacity
    if inbound.burst is not None:
        states = {
            state
            for (state,) in db.execute(
                "SELECT DISTINCT state FROM inbound WHERE room = ? AND burst = ?", (home.slug, inbound.burst)
            )
        }
        if states & {"queued", "held", "refused"}:
            return bool(states & {"queued", "held"})
    return places(db, home.slug, "queued", "held", apart=burst_of(home.slug)) < capacity


def _refuse(db: apsw.Connection, now: float, home: Room, inbound: Inbound, capacity: int) -> Refused:
    """One word for all that is refused in a minute: whoever writes so fast must not wait for that many answers.

    What is held may have been forgotten: the word brings its buttons along.
    """
    row = write(db, now, home.slug, inbound, "refused")
    minute = int(now // 60)
    refused: int = db.execute(
        "SELECT count(*) FROM (SELECT accepted_at FROM inbound WHERE state = 'refused' AND room = ? "
        "ORDER BY id DESC LIMIT ?) WHERE accepted_at >= ?",  # not all that were ever refused are looked at
        (home.slug, COUNTED, minute * 60),
    ).get
    held = 0 if inbound.command is not None else places(db, home.slug, "held", apart=burst_of(home.slug))
    report = NewDelivery(
        kind=DeliveryKind.REPORT,
        text=refusal(capacity, refused, held),
        buttons=(_SAY,) if held else (),
        reply_to=inbound.message_id,
        key=f"refused:{home.slug}:{minute}",
    )
    tell_room(db, now, home, (report,), inbound=row)
    return Refused(room=home, capacity=capacity)
