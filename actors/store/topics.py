"""Places that change: topics that are made, deleted and found again, and groups that get another id.

Plain functions of a connection and a request, called inside a transaction by `records`. A room keeps its session and
its folder wherever it stands; `gone_at` says that it stands nowhere.
"""

import apsw
import msgspec

from actors.messages import (
    Binding,
    Button,
    DeliveryKind,
    MigrateChat,
    NewDelivery,
    Place,
    Room,
    Topic,
    TopicGone,
    TopicMade,
)
from actors.phrases import code, inert
from actors.store.deliveries import give_up, is_over
from actors.store.errors import Conflict
from actors.store.groups import move_permission
from actors.store.hops import note, of_delivery
from actors.store.outgoing import queue_delivery, tell_room
from actors.store.people import owner_of
from actors.store.rooms import Setting, bind, make_room, move, open_turn_of, room, room_at
from actors.store.sessions import enter

GONE = "the topic is gone"
"""Why a delivery has ended that is sent after all when its room has a topic again."""


def topic_made(db: apsw.Connection, setting: Setting, request: TopicMade) -> Room:
    """The room of a new topic: a new one, or one that comes back with all that it had to say."""
    over = is_over(db, "TopicMade", request.id)
    front, chat, name, asker, kept = db.execute(
        "SELECT front, chat, text, room, topic FROM deliveries WHERE id = ?", (request.id,)
    ).get
    if kept is None:
        raise Conflict("TopicMade", f"delivery {request.id} is no topic")
    place = Place(front, chat, request.thread)
    if over:
        home = room_at(db, place)
        if home is None:
            raise Conflict("TopicMade", f"delivery {request.id} has ended without this topic")
        return home
    topic = msgspec.json.decode(kept, type=Topic)
    if topic.room is None:
        home = _new_room(db, setting, place, name, topic.binding)
    else:
        home = _returned(db, setting.now, room(db, topic.room), place)
    db.execute(
        "UPDATE deliveries SET state = 'sent', ended_at = ?, part = 1, shown = revision WHERE id = ?",
        (setting.now, request.id),
    )
    note(db, setting.now, of_delivery(request.id), "sent (topic)", str(request.thread), whose=front)
    here = NewDelivery(kind=DeliveryKind.NOTE, text=f"Room `{home.slug}` is here; it works in {code(home.workspace)}.")
    tell_room(db, setting.now, home, (here,))
    there = NewDelivery(kind=DeliveryKind.NOTE, text=f"The topic {inert(name)} is made.")
    if asker is not None and asker != home.slug:
        tell_room(db, setting.now, room(db, asker), (there,))
    return home


def topic_gone(db: apsw.Connection, now: float, request: TopicGone) -> None:
    """What was to go there ends, and is kept for the day when the room has a topic again."""
    place = request.place
    address = (place.front, place.chat, place.thread)
    still_open = db.execute(
        "SELECT id FROM deliveries WHERE ended_at IS NULL AND front = ? AND chat = ? AND thread IS ?", address
    )
    for (delivery,) in list(still_open):
        give_up(db, now, delivery, GONE)
    db.execute("DELETE FROM previews WHERE front = ? AND chat = ? AND thread IS ?", address)
    home = room_at(db, place)
    if home is None or home.gone_at is not None:
        return
    db.execute("UPDATE rooms SET gone_at = ? WHERE slug = ?", (now, home.slug))
    owner = request.owner if request.owner is not None else owner_of(db, place.front)
    if owner is not None:
        told = NewDelivery(
            kind=DeliveryKind.REPORT,
            text=f"The topic {inert(home.title or home.slug)} was deleted. Room `{home.slug}` keeps its session and "
            "its folder, and what it has to say waits until it has a topic again.",
            buttons=((Button(label="Make a new topic", command="recreate", argument=home.slug),),),
            key=f"gone:{home.slug}:{place.thread}",
        )
        queue_delivery(db, now, Place(place.front, owner), told, slug=home.slug)


def found_again(db: apsw.Connection, now: float, home: Room) -> None:
    """Somebody speaks in a place that was taken for gone."""
    if home.gone_at is not None:
        db.execute("UPDATE rooms SET gone_at = NULL WHERE slug = ?", (home.slug,))
        _revive(db, now, home.place, home.place)


def migrate_chat(db: apsw.Connection, now: float, request: MigrateChat) -> None:
    """The chat has another id, everywhere."""
    chats = (request.new, request.front, request.old)
    for (slug,) in list(db.execute("SELECT slug FROM rooms WHERE front = ? AND chat = ?", chats[1:])):
        home = room(db, slug)
        place = Place(request.front, request.new, home.place.thread)
        if home.gone_at is None or room_at(db, place) is None:
            move(db, now, slug, place)
    db.execute("UPDATE deliveries SET chat = ? WHERE front = ? AND chat = ?", chats)
    db.execute("UPDATE previews SET chat = ? WHERE front = ? AND chat = ?", chats)
    move_permission(db, request)


def _new_room(db: apsw.Connection, setting: Setting, place: Place, name: str, binding: Binding | None) -> Room:
    home = room_at(db, place)
    if home is None:
        return make_room(db, setting, place, name, binding)
    # Somebody's message was there before we were told of the topic. What it has begun goes on where it is.
    if binding is not None and open_turn_of(db, home.slug) is None:
        bind(db, home.slug, binding)
        enter(db, setting.now, "TopicMade", home, f"{home.slug}-{setting.token}")
    return room(db, home.slug)


def _returned(db: apsw.Connection, now: float, home: Room, place: Place) -> Room:
    move(db, now, home.slug, place)
    db.execute("UPDATE rooms SET gone_at = NULL WHERE slug = ?", (home.slug,))
    _revive(db, now, home.place, place)
    return room(db, home.slug)


def _revive(db: apsw.Connection, now: float, old: Place, new: Place) -> None:
    """What ended because its topic was gone is sent, whole: what had arrived of it is gone with the topic."""
    ended = db.execute(
        "SELECT id FROM deliveries WHERE front = ? AND chat = ? AND thread IS ? "
        "AND state = 'undeliverable' AND reason = ?",
        (old.front, old.chat, old.thread, GONE),
    )
    for (delivery,) in list(ended):
        db.execute("DELETE FROM parts WHERE delivery = ?", (delivery,))
        db.execute(
            "UPDATE deliveries SET front = ?, chat = ?, thread = ?, state = 'waiting', ended_at = NULL, "
            "reason = NULL, part = 0, attempts = 0, doubtful = 0, reply_to = NULL WHERE id = ?",
            (new.front, new.chat, new.thread, delivery),
        )
        note(db, now, of_delivery(delivery), "queued again", str(delivery))
