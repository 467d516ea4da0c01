"""What the store is asked about rooms, their turns and their places."""

from typing import Literal

import msgspec

from actors.messages.records import (
    Binding,
    Button,
    Hop,
    NewDelivery,
    Outcome,
    Place,
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
    "AnswerCommand",
    "BeginTurn",
    "CloseQuestion",
    "EndTurn",
    "FailRoom",
    "Found",
    "GetRoom",
    "JoinTurn",
    "ListRooms",
    "MigrateChat",
    "OpenQuestion",
    "PartTurn",
    "Pull",
    "RenameRoom",
    "RequestStop",
    "SavedFile",
    "SearchHistory",
    "Sessions",
    "Tell",
    "TopicGone",
    "Unfinished",
    "UnfinishedRooms",
]


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
    """The running turn of this room is to be stopped, as by `stop`. Returns whether there is one.

    `hold`: what waits behind it is held, as by `stop`; else it goes on with that.
    """

    slug: str
    hold: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a room's past. `role`: `user` or `assistant`. `snippet`: at most 300 characters around the words."""

    at: float
    role: str
    turn: str
    snippet: str


class SearchHistory(Request[tuple[Found, ...]]):
    """What was said in this room with these words, best first, at most `limit`. Any text is a question, none an error.

    Words are looked for as they are, the last one also as a beginning; "words in quotes" together.
    """

    room: str
    words: str
    limit: int = 10


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


class PartTurn(Request[None]):
    """This attempt of an open turn was ended on purpose, so it does not count against its messages; said once each.

    `decided`: False if it had not gone on yet after a crash, whose fate is open then.
    """

    slug: str
    turn: str
    attempt: int
    decided: bool = True


class JoinTurn(Request[Turn]):
    """A waiting inbound joins the turn that runs, before pi hears of it. Raises `Conflict` if it does not wait."""

    slug: str
    turn: str
    inbound: int


class EndTurn(Request[None]):
    """Commit 2: the turn is over and its deliveries are queued, in one transaction. Repeated: nothing happens.

    `leaf`: the session's last entry now. `answer`: what the agent said, kept as a message of the room; may be empty.
    `returned`: inbounds that joined it and were not consumed; they wait again, where they stood, or are held (`hold`).
    `cost`: US dollars. Its open questions are cancelled, unless the outcome is `waiting`. `hops`: what only the
    conversation has seen of its way, for `Trace`.
    """

    slug: str
    turn: str
    outcome: Outcome
    answer: str
    leaf: str | None
    deliveries: tuple[NewDelivery, ...]
    returned: tuple[int, ...] = ()
    cost: float | None = None
    hold: bool = False
    hops: tuple[Hop, ...] = ()


class AnswerCommand(Request[None]):
    """The command inbound `inbound` is done and its deliveries are queued.

    `new_session`: the room begins this session, or goes on with it if it had it before. `binding`: its workspace
    changes (with a new session). `settings`: they are these from now on. `drop`: this waiting inbound is never done.
    `retry`: the messages of this turn, which failed, was quarantined or interrupted, are queued once more as new ones.
    `held`: what becomes of the messages that are held; `hold`: those that this command found waiting are held too.
    """

    slug: str
    inbound: int
    deliveries: tuple[NewDelivery, ...]
    new_session: str | None = None
    binding: Binding | None = None
    settings: RoomSettings | None = None
    drop: int | None = None
    retry: str | None = None
    held: Literal["run", "drop", "hold"] | None = None


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
