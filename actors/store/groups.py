"""The rows of groups: offered by somebody who may speak, allowed by the owner.

Plain functions of a connection, called inside a transaction by `records`, `access`, `topics` and `presses`.
"""

import apsw

from actors.messages import Button, DeliveryKind, GroupOffered, MigrateChat, NewDelivery, Place
from actors.phrases import inert, short
from actors.store.buttons import kept
from actors.store.outgoing import queue_delivery, reword
from actors.store.people import owner_of
from actors.store.texts import storable


def group_offered(db: apsw.Connection, now: float, request: GroupOffered) -> None:
    """The owner is asked, once for each group; while there is none, it may be offered again."""
    owner = request.owner if request.owner is not None else owner_of(db, request.front)
    if owner is None or _is_known(db, request.front, request.chat):
        return
    title = short(storable(request.title))
    db.execute(
        "INSERT INTO groups (front, chat, title, offered_at) VALUES (?, ?, ?, ?)",
        (request.front, request.chat, title, now),
    )
    asked = NewDelivery(
        kind=DeliveryKind.QUESTION,
        text=f"{inert(short(request.name))} has added me to the group {inert(title)}. "
        "Nobody can speak with me there until you allow it.",
        buttons=_buttons(request.chat),
        key=_key(request.front, request.chat),
    )
    queue_delivery(db, now, Place(request.front, owner), asked)


def allow(db: apsw.Connection, now: float, front: str, chat: int) -> None:
    """The group may be used, by those in it who may speak; it is told so."""
    db.execute("UPDATE groups SET allowed_at = ? WHERE front = ? AND chat = ?", (now, front, chat))
    title: str = db.execute("SELECT title FROM groups WHERE front = ? AND chat = ?", (front, chat)).get
    reword(db, now, _key(front, chat), f"The group {inert(title)} may be used.")
    told = NewDelivery(kind=DeliveryKind.NOTE, text="I may be used here now, by everybody who may speak with me.")
    queue_delivery(db, now, Place(front, chat), told)


def is_offered(db: apsw.Connection, front: str, chat: int) -> bool:
    """Whether this group waits for the owner's word."""
    return bool(
        db.execute("SELECT count(*) FROM groups WHERE front = ? AND chat = ? AND allowed_at IS NULL", (front, chat)).get
    )


def allowed_groups(db: apsw.Connection, front: str) -> frozenset[int]:
    """The groups of a front end that may be used."""
    return frozenset(
        chat for (chat,) in db.execute("SELECT chat FROM groups WHERE front = ? AND allowed_at IS NOT NULL", (front,))
    )


def move_permission(db: apsw.Connection, request: MigrateChat) -> None:
    """The group's permission, or the question about it with its button, goes with its id."""
    front, old, new = request.front, request.old, request.new
    if not _is_known(db, front, old):
        return
    db.execute(
        "INSERT INTO groups (front, chat, title, offered_at, allowed_at) "
        "SELECT front, ?3, title, offered_at, allowed_at FROM groups WHERE front = ?1 AND chat = ?2 "
        "ON CONFLICT (front, chat) DO UPDATE SET allowed_at = ifnull(allowed_at, excluded.allowed_at)",
        (front, old, new),
    )
    db.execute("DELETE FROM groups WHERE front = ? AND chat = ?", (front, old))
    db.execute(
        "UPDATE OR IGNORE deliveries SET key = ?, buttons = CASE buttons WHEN '[]' THEN buttons ELSE ? END "
        "WHERE key = ?",
        (_key(front, new), kept(_buttons(new)), _key(front, old)),
    )


def _key(front: str, chat: int) -> str:
    return f"group/{front}/{chat}"


def _buttons(chat: int) -> tuple[tuple[Button, ...], ...]:
    return ((Button(label="Allow", command="allow", argument=str(chat)),),)


def _is_known(db: apsw.Connection, front: str, chat: int) -> bool:
    return bool(db.execute("SELECT count(*) FROM groups WHERE front = ? AND chat = ?", (front, chat)).get)
