"""What the store is asked, and what it answers. Every request that changes something may be repeated."""

from typing import Literal

import msgspec

from actors.messages.records import (
    Access,
    Binding,
    Button,
    Delivery,
    Inbound,
    NewDelivery,
    Outcome,
    Pairing,
    Person,
    Place,
    Preview,
    Question,
    QuestionState,
    Room,
    RoomSettings,
    SessionInfo,
    Turn,
    Work,
)
from supervisor import Request

__all__ = [
    "Accept",
    "Acceptance",
    "Accepted",
    "Amend",
    "Amended",
    "AnswerCommand",
    "Approve",
    "BeginTurn",
    "CloseQuestion",
    "Deny",
    "Doubt",
    "Doubted",
    "Due",
    "Duplicate",
    "Edited",
    "EndTurn",
    "FailRoom",
    "GetAccess",
    "GetRoom",
    "GroupOffered",
    "JoinTurn",
    "Knock",
    "ListRooms",
    "MigrateChat",
    "OpenQuestion",
    "Pairings",
    "People",
    "Press",
    "Pressed",
    "PreviewGone",
    "PreviewShown",
    "Pull",
    "Refused",
    "RemovePerson",
    "RenameRoom",
    "RequestStop",
    "SavedFile",
    "Sending",
    "Sent",
    "Sessions",
    "StalePreviews",
    "StoreRequest",
    "Tell",
    "TopicGone",
    "TopicMade",
    "Undeliverable",
    "Unfinished",
    "UnfinishedRooms",
    "Unsent",
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

    Commands are counted apart and take no place in the queue; a burst takes one place. `stop` is never refused, and
    marks the running turn as stopped in the same transaction. What answers an open question (a reply to it; any text,
    and to one that is to be confirmed the words of an option) becomes the command `answer` with the text
    `/answer <question> <the answer>`, and answers it in the same transaction; if the question's turn has ended it
    stays a text, which then says what it answers. It takes no place in the queue either.
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


# --- rooms ------------------------------------------------------------------------------------------------------------


class GetRoom(Request[Room]):
    """The room called `slug`."""

    slug: str


class ListRooms(Request[tuple[Room, ...]]):
    """All rooms, most recently used first, at most `limit`."""

    limit: int = 1000


class UnfinishedRooms(Request[tuple[Room, ...]]):
    """The rooms that have an open turn, a queue or unanswered commands: those to wake after a start."""


class Sessions(Request[tuple[SessionInfo, ...]]):
    """The sessions of a room, the one in use first, then the most recently used, at most `limit`."""

    slug: str
    limit: int = 20


class Pull(Request[Work]):
    """All that the room called `slug` has to do, read in one transaction."""

    slug: str


class Unfinished(Request[int]):
    """How many things are still to do for a place: waiting inbounds, commands, an open turn, undelivered deliveries.

    While its room has given up, only the deliveries: the rest waits for the next message.
    """

    place: Place


class FailRoom(Request[None]):
    """The room gave up: its open turn waits as it stands for the next wake, and its people are told. By `key`, once."""

    slug: str
    key: str
    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()


class RequestStop(Request[bool]):
    """The running turn of this room is to be stopped, as by `stop`. Returns whether there is one."""

    slug: str


# --- turns ------------------------------------------------------------------------------------------------------------


class BeginTurn(Request[Turn]):
    """Commit 1b, before pi hears anything: the turn runs, attempt `attempt` (from 1), with these inbounds.

    `turn` is chosen by the caller. A first attempt takes its inbounds out of the queue and notes where the session
    stands (`leaf_before`, `cost_before`); a later one only counts. `attempt` is set, not added, so a repeated request
    changes nothing.
    """

    slug: str
    turn: str
    attempt: int
    inbounds: tuple[int, ...]
    leaf_before: str | None
    cost_before: float = 0.0


class JoinTurn(Request[Turn]):
    """A waiting inbound joins the turn that runs, before pi hears of it. Raises `Conflict` if it does not wait."""

    slug: str
    turn: str
    inbound: int


class EndTurn(Request[None]):
    """Commit 2: the turn is over and its deliveries are queued, in one transaction. Repeated: nothing happens.

    `leaf`: the session's last entry now. `answer`: what the agent said, kept as a message of the room; may be empty.
    `returned`: inbounds that joined it and were not consumed; they wait again, where they stood. `cost`: US dollars.
    Its open questions are cancelled, unless the outcome is `waiting`.
    """

    slug: str
    turn: str
    outcome: Outcome
    answer: str
    leaf: str | None
    deliveries: tuple[NewDelivery, ...]
    returned: tuple[int, ...] = ()
    cost: float | None = None


class AnswerCommand(Request[None]):
    """The command inbound `inbound` is done and its deliveries are queued.

    `new_session`: the room begins this session, or goes on with it if it had it before. `binding`: its workspace
    changes (with a new session). `settings`: they are these from now on. `drop`: this waiting inbound is never done.
    `retry`: the messages of this turn, which failed or was quarantined, are queued once more as new ones.
    """

    slug: str
    inbound: int
    deliveries: tuple[NewDelivery, ...]
    new_session: str | None = None
    binding: Binding | None = None
    settings: RoomSettings | None = None
    drop: int | None = None
    retry: str | None = None


class Tell(Request[None]):
    """Queues deliveries to a room's people outside of a turn's end; one without a key is told again if repeated.

    `slug`: the room; None if each of them says its place, whether there is a room or not.
    """

    slug: str | None
    deliveries: tuple[NewDelivery, ...]


class OpenQuestion(Request[Question]):
    """The agent asks: the question is open and `delivery` queued, in one transaction. The same dialog twice is one.

    `{id}` in a button's argument or in the delivery's key stands for the question's id.
    """

    slug: str
    turn: str
    dialog: str
    method: Literal["select", "confirm", "input", "editor"]
    title: str
    text: str
    options: tuple[str, ...]
    expires_at: float
    delivery: NewDelivery


class CloseQuestion(Request[None]):
    """A question is over, `deliveries` (the edit of its message, a word) are queued. One that is over stays so."""

    slug: str
    question: int
    state: QuestionState
    deliveries: tuple[NewDelivery, ...]


class SavedFile(Request[None]):
    """An attachment lies in the workspace at `path` (relative), so it is not fetched again."""

    attachment: int
    path: str


# --- deliveries -------------------------------------------------------------------------------------------------------


class Doubt(Request[int]):
    """An outbox starts: what says `sending` was cut off and becomes doubtful. Returns how many deliveries."""

    front: str


class Due(Request[tuple[Delivery, ...]]):
    """The oldest undelivered delivery of each chat of `front`, for at most `limit` chats, none that is being sent.

    Messages to be edited count as undelivered.
    """

    front: str
    limit: int


class Sending(Request[None]):
    """Commit 2b: the next part of each of these is about to be sent; attempt + 1.

    `revisions`: what each of them says, as `Due` gave it; without them, its newest one.
    """

    ids: tuple[int, ...]
    revisions: tuple[int, ...] = ()


class Sent(Request[None]):
    """Commit 3: a part arrived.

    `part`: its number, from 0. `message_id`: what the front end calls it. `last`: whether the delivery is now complete.
    """

    id: int
    part: int
    message_id: int | None
    last: bool


class Edited(Request[None]):
    """The delivery's message says what its `revision` says; a later one is still to be shown."""

    id: int
    revision: int


class TopicMade(Request[Room]):
    """A delivery of the kind `topic` has become this topic: its room stands there now, and says so in both places."""

    id: int
    thread: int


class Unsent(Request[None]):
    """A send that certainly had no effect (refused, too many requests): the part waits again, not doubtful."""

    id: int


class Doubted(Request[None]):
    """A send whose outcome is unknown (timed out, connection lost): the part waits again and is doubtful."""

    id: int


class Undeliverable(Request[None]):
    """A delivery that can never arrive (chat gone, bot blocked): its row ends with `reason`.

    Of an edit only the edit ends so. Where a topic could not be made, its room is told why.
    """

    id: int
    reason: str


class PreviewShown(Request[None]):
    """A preview message was sent; kept until `PreviewGone`, so that none is orphaned by a crash."""

    preview: Preview


class PreviewGone(Request[None]):
    """A preview was deleted, or is out of reach."""

    preview: Preview


class StalePreviews(Request[tuple[Preview, ...]]):
    """Previews of `front` whose turn has ended and has nothing more to deliver."""

    front: str


# --- places that change -----------------------------------------------------------------------------------------------


class TopicGone(Request[None]):
    """The topic of this place is deleted.

    Its deliveries end; its room is unbound and waits for a new topic. The owner is told once, with a button to make
    one, in the private chat `owner` (None: nobody to tell).
    """

    place: Place
    owner: int | None


class RenameRoom(Request[None]):
    """The place is called `title` now. An unknown place is nothing."""

    place: Place
    title: str


class MigrateChat(Request[None]):
    """A group has become a supergroup with another id: its rooms, deliveries and permission go with it."""

    front: str
    old: int
    new: int


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


StoreRequest = (
    Accept
    | Amend
    | Press
    | GetRoom
    | ListRooms
    | UnfinishedRooms
    | Sessions
    | Pull
    | Unfinished
    | FailRoom
    | RequestStop
    | BeginTurn
    | JoinTurn
    | EndTurn
    | AnswerCommand
    | Tell
    | OpenQuestion
    | CloseQuestion
    | SavedFile
    | Doubt
    | Due
    | Sending
    | Sent
    | Edited
    | TopicMade
    | Unsent
    | Doubted
    | Undeliverable
    | PreviewShown
    | PreviewGone
    | StalePreviews
    | TopicGone
    | RenameRoom
    | MigrateChat
    | GetAccess
    | Knock
    | Pairings
    | People
    | Approve
    | Deny
    | RemovePerson
    | GroupOffered
)
