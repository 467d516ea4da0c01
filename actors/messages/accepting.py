"""What the store is asked about what people say and press, and about who may."""

import msgspec

from actors.messages.records import (
    Access,
    Inbound,
    Pairing,
    Person,
    Place,
    Room,
)
from supervisor import Request

__all__ = [
    "Accept",
    "Acceptance",
    "Accepted",
    "Amend",
    "Amended",
    "Approve",
    "Deny",
    "Duplicate",
    "GetAccess",
    "GroupOffered",
    "Knock",
    "Pairings",
    "People",
    "Press",
    "Pressed",
    "Refused",
    "RemovePerson",
]


# --- what people say and press ----------------------------------------------------------------------------------------


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The inbound is durable. `ahead`: how many wait or run before it."""

    room: Room
    inbound: int
    ahead: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The room's queue is full; the refusal is queued as a delivery and this inbound is never done later."""

    room: Room
    capacity: int


class Duplicate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """This key was seen before; nothing was done. `room` is None if it was refused then."""

    room: Room | None


Acceptance = Accepted | Refused | Duplicate


class Accept(Request[Acceptance]):
    """Commit 1. Makes the room of an unknown place; refuses when `capacity` inbounds already wait in it.

    Commands are counted apart and take no place in the queue; a burst takes one place. `stop` is never refused; it and
    `new` mark the running turn as stopped and hold all that waits (`Work.held`) in the same transaction. What answers
    an open question (a reply to it; any text, and to one that is to be confirmed the words of an option) becomes the
    command `answer` with the text `/answer <question> <the answer>`, and answers it in the same transaction; if the
    question's turn has ended it stays a text, which then says what it answers. It takes no place in the queue either.
    """

    inbound: Inbound
    capacity: int


class Amended(msgspec.Struct, frozen=True, kw_only=True):
    """`late`: its turn has begun or is over, and the person is told so; else the new text stands, or nothing did."""

    room: Room | None
    late: bool


class Amend(Request[Amended]):
    """A person has edited a message. Before its turn it says the new text; afterwards the edit is refused with a word.

    An edit that changes no word, and one of a message or a command that is not known, does nothing.
    """

    key: str
    place: Place
    message_id: int
    text: str


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """A button was pressed. `said`: the answer to the press, plain, at most 200 characters. `room`: whom to wake."""

    said: str
    room: Room | None


class Press(Request[Pressed]):
    """A person has pressed the button with this data in this place.

    What it means is accepted as an inbound command of the place's room, once; `stop:<turn>` also marks that turn as
    stopped. A button whose time is over (turn ended, message begun, question closed) does nothing and says so. Those
    that let people or groups in are done here, and only for the owner.
    """

    key: str
    place: Place
    person: int
    name: str
    owner: bool
    data: str
    at: float
    message_id: int | None


# --- who may speak ----------------------------------------------------------------------------------------------------


class GetAccess(Request[Access]):
    """Who was approved on this front end."""

    front: str


class Knock(Request[str | None]):
    """A stranger has written in private: the code that they are told, in a delivery, and that is good for an hour.

    The same one while it lasts. None while three others wait, and for the rest of the hour after they were turned away;
    then nobody is told anything. `owner`: who decides,
    with two buttons; None: only `actorctl pair` can.
    """

    front: str
    person: int
    name: str
    owner: int | None


class Pairings(Request[tuple[Pairing, ...]]):
    """The codes that wait, oldest first."""


class People(Request[tuple[Person, ...]]):
    """Everybody who was approved, the owner first."""


class Approve(Request[Person | None]):
    """Lets in whom this code was made for, who is told. None: there is no such code, or its hour is over."""

    code: str


class Deny(Request[bool]):
    """Takes the code back; whether there was one. Nobody is told."""

    code: str


class RemovePerson(Request[bool]):
    """Somebody who was approved is so no more; whether they were."""

    person: int


class GroupOffered(Request[None]):
    """Somebody who may speak has added the bot to a group: the owner is asked, once, whether it may be used there."""

    front: str
    chat: int
    title: str
    name: str
    owner: int | None
