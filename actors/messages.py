"""The shared tongue: every record and message that crosses from one folder to another.

Folders meet only here. Pure data; times are Unix seconds (float, UTC), ids of rows are SQLite integers, texts are
Markdown unless they say otherwise. Requests to the store are idempotent by the key they carry: callers repeat them
freely.
"""

from enum import StrEnum
from typing import Any

import msgspec

from supervisor import Message, Request


class Place(msgspec.Struct, frozen=True):
    """A room's address outside: front end (`telegram`, `console`), chat id and, for a topic, thread id."""

    front: str
    chat: int
    thread: int | None = None

    def __str__(self) -> str:
        return f"{self.front}:{self.chat}" + ("" if self.thread is None else f":{self.thread}")


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """One message from a person, as a front end hands it over.

    `key`: unique for ever, such as `telegram:<bot id>:<update id>`. `command`: the word behind the slash when the
    text is a command of ours (lower case, without `@bot`), else None. `title`: what the place is called, for the
    room's slug.
    """

    key: str
    place: Place
    person: int
    name: str
    text: str
    at: float
    message_id: int | None = None
    command: str | None = None
    title: str = ""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A room as the store knows it.

    `workspace`: absolute path of its folder. `session_id`: pi's session. `leaf`: id of the session's last entry when
    the last turn ended; None while the session has no assistant message.
    """

    slug: str
    place: Place
    title: str
    workspace: str
    session_id: str
    leaf: str | None
    created_at: float
    updated_at: float


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted inbound that waits for its turn, or a command that waits for its answer.

    `saw_end`: a turn has ended since this command was accepted, so what it was to stop is over.
    """

    id: int
    person: int
    name: str
    text: str
    at: float
    message_id: int | None
    command: str | None
    attempts: int
    saw_end: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has not ended: its inbounds in order, how often it was tried, where the session stood before it."""

    id: str
    attempt: int
    leaf_before: str | None
    stop_requested: bool
    started_at: float
    inbounds: tuple[Queued, ...]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """All that a room has to do: its open turn, what waits behind it (oldest first), commands to answer."""

    room: Room
    turn: Turn | None
    queue: tuple[Queued, ...]
    commands: tuple[Queued, ...]


class Outcome(StrEnum):
    """How a turn ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"


class DeliveryKind(StrEnum):
    """What a delivery is for: an answer ends a turn, a report tells of trouble, a note is small talk of the service."""

    ANSWER = "answer"
    REPORT = "report"
    NOTE = "note"


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a person, to be queued. `reply_to`: the front end's id of the message that it answers."""

    kind: DeliveryKind
    text: str
    reply_to: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A durable message to a person.

    `part`: how many parts of it have arrived (a long text is sent in parts; 0 at first). `attempts`: sends begun for
    the part that is next. `doubtful`: an earlier send of that part was cut off, so it may arrive a second time and
    must say so.
    """

    id: int
    place: Place
    kind: DeliveryKind
    text: str
    reply_to: int | None
    turn: str | None
    part: int
    attempts: int
    doubtful: bool
    created_at: float


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A message that shows a running turn and goes when its final has arrived."""

    turn: str
    place: Place
    message_id: int


# --- store: what is asked of it -------------------------------------------------------------------------------------


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

    Commands are counted apart and take no place in the queue. `stop` is never refused, and marks the running turn as
    stopped in the same transaction.
    """

    inbound: Inbound
    capacity: int


class GetRoom(Request[Room]):
    """The room called `slug`."""

    slug: str


class Pull(Request[Work]):
    """All that the room called `slug` has to do, read in one transaction."""

    slug: str


class BeginTurn(Request[Turn]):
    """Commit 1b, before pi hears anything: the turn runs, attempt `attempt` (from 1), with these inbounds.

    `turn` is chosen by the caller. A first attempt takes its inbounds out of the queue and notes where the session
    stands (`leaf_before`); a later one only counts. `attempt` is set, not added, so a repeated request changes
    nothing.
    """

    slug: str
    turn: str
    attempt: int
    inbounds: tuple[int, ...]
    leaf_before: str | None


class EndTurn(Request[None]):
    """Commit 2: the turn is over and its deliveries are queued, in one transaction. Repeated: nothing happens.

    `leaf`: the session's last entry now. `answer`: what the agent said, kept as a message of the room; may be empty.
    """

    slug: str
    turn: str
    outcome: Outcome
    answer: str
    leaf: str | None
    deliveries: tuple[NewDelivery, ...]


class AnswerCommand(Request[None]):
    """The command inbound `inbound` is done and its deliveries are queued.

    `new_session`: the room begins this session.
    """

    slug: str
    inbound: int
    deliveries: tuple[NewDelivery, ...]
    new_session: str | None = None


class FailRoom(Request[None]):
    """The room gave up: its open turn waits as it stands for the next wake, and its people are told. By `key`, once."""

    slug: str
    key: str
    text: str


class UnfinishedRooms(Request[tuple[Room, ...]]):
    """The rooms that have an open turn, a queue or unanswered commands: those to wake after a start."""


class ListRooms(Request[tuple[Room, ...]]):
    """All rooms, most recently used first, at most `limit`."""

    limit: int = 1000


class Unfinished(Request[int]):
    """How many things are still to do for a place: waiting inbounds, commands, an open turn, undelivered deliveries.

    While its room has given up, only the deliveries: the rest waits for the next message.
    """

    place: Place


class Doubt(Request[int]):
    """An outbox starts: what says `sending` was cut off and becomes doubtful. Returns how many deliveries."""

    front: str


class Due(Request[tuple[Delivery, ...]]):
    """The oldest undelivered delivery of each chat of `front`, for at most `limit` chats, none that is being sent."""

    front: str
    limit: int


class Sending(Request[None]):
    """Commit 2b: the next part of each of these is about to be sent; attempt + 1."""

    ids: tuple[int, ...]


class Sent(Request[None]):
    """Commit 3: a part arrived.

    `part`: its number, from 0. `message_id`: what the front end calls it. `last`: whether the delivery is now complete.
    """

    id: int
    part: int
    message_id: int | None
    last: bool


class Unsent(Request[None]):
    """A send that certainly had no effect (refused, too many requests): the part waits again, not doubtful."""

    id: int


class Doubted(Request[None]):
    """A send whose outcome is unknown (timed out, connection lost): the part waits again and is doubtful."""

    id: int


class Undeliverable(Request[None]):
    """A delivery that can never arrive (chat gone, bot blocked): its row ends with `reason`."""

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


StoreRequest = (
    Accept
    | GetRoom
    | Pull
    | BeginTurn
    | EndTurn
    | AnswerCommand
    | FailRoom
    | UnfinishedRooms
    | ListRooms
    | Unfinished
    | Doubt
    | Due
    | Sending
    | Sent
    | Unsent
    | Doubted
    | Undeliverable
    | PreviewShown
    | PreviewGone
    | StalePreviews
)


# --- rooms ---------------------------------------------------------------------------------------------------------


class Wake(Message):
    """There is something to pull. Carries nothing: the rows are the truth."""


class WakeRoom(Message):
    """Gateway → router: this room has something to do."""

    room: Room


class RoomIdle(Message):
    """Conversation → router: this room has nothing to do."""

    slug: str


class RoomBusy(Message):
    """Conversation → router: this room, which said that it is idle, has something to do after all."""

    slug: str


# --- conversation → agent: told, never asked; each carries the turn and the incarnation it is meant for --------------


class Prompt(Message):
    """Begin a run with this text."""

    turn: str
    incarnation: int
    text: str


class Continue(Message):
    """Go on with an interrupted run: `note` tells the model what happened; no user message is made up."""

    turn: str
    incarnation: int
    note: str


class Recall(Message):
    """Say what the session holds since entry `since` (None: from its beginning; nothing if it has lost that one)."""

    turn: str
    incarnation: int
    since: str | None


class Abort(Message):
    """End the run. In order with the prompt that it ends: the agent takes each message at once."""

    turn: str
    incarnation: int


class Reopen(Message):
    """The room begins a new session: end the process and open `session_id`."""

    session_id: str


class TurnTooLong(Message):
    """A timer of the conversation: this turn has used up its time."""

    turn: str


class Tick(Message):
    """A timer's message: time to look again."""


# --- agent → conversation -------------------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of pi's session that matters for a resume.

    `role`: user, assistant, toolResult or another of pi's; `stop_reason` and `error` are an assistant's, else empty.
    """

    id: str
    role: str
    text: str
    stop_reason: str = ""
    error: str = ""


class AgentReady(Message):
    """The agent's pi is up with the room's session, whose last entry is `leaf` (None: no assistant message yet)."""

    incarnation: int
    session_id: str
    leaf: str | None


class Recalled(Message):
    """The answer to `Recall`: entries, oldest first, and the session's leaf."""

    turn: str
    incarnation: int
    entries: tuple[Entry, ...]
    leaf: str | None


class TextGrew(Message):
    """The answer so far (cumulative: the newest replaces the older)."""

    turn: str
    text: str


class ToolStarted(Message):
    """The agent runs a tool. `summary`: its arguments in one short line."""

    turn: str
    call: str
    tool: str
    summary: str


class ToolEnded(Message):
    """The tool is done."""

    turn: str
    call: str
    tool: str
    failed: bool


class AgentNoted(Message):
    """Something a person may want to know while a turn runs: a retry of the model, a compaction."""

    turn: str
    text: str


class PromptRefused(Message):
    """pi did not take the prompt; nothing runs. `error` is pi's sentence."""

    turn: str
    incarnation: int
    error: str


class TurnSettled(Message):
    """The run is over and the agent idle.

    `stop_reason`: pi's for the last assistant message (`stop`, `length`, `error`, `aborted`); `error`: its message if
    it failed; `leaf`: the session's last entry, None while it has no assistant message.
    """

    turn: str
    incarnation: int
    text: str
    stop_reason: str
    error: str
    leaf: str | None


AgentMessage = Prompt | Continue | Recall | Abort | Reopen
AgentEvent = AgentReady | Recalled | TextGrew | ToolStarted | ToolEnded | AgentNoted | PromptRefused | TurnSettled


# --- conversation → outbox ------------------------------------------------------------------------------------------


class ShowProgress(Message):
    """What a running turn looks like now: cumulative, repeated at least every 5 s; after 15 s without it, it is over.

    `text`: the answer so far. `tools`: one short line per tool, oldest first. `since`: when the turn began.
    """

    place: Place
    turn: str
    text: str
    tools: tuple[str, ...]
    since: float


class EndProgress(Message):
    """The turn runs no more: typing ends at once; the preview goes when the final has arrived."""

    place: Place
    turn: str


OutboxMessage = Wake | ShowProgress | EndProgress


def outbox_key(message: OutboxMessage | Any) -> object | None:
    """The coalescing key of an outbox's mailbox: one wake, one picture per turn; an end is never dropped."""
    if isinstance(message, Wake):
        return "wake"
    return message.turn if isinstance(message, ShowProgress) else None
