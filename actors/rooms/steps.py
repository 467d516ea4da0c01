"""What the conversation's state machine wants done, and what it is told about the world: plain data.

`turns` and its parts make the steps, `conversation` carries them out, in order, and reports what the step names.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

from actors.messages import (
    Attachment,
    Binding,
    NewDelivery,
    Outcome,
    Question,
    QuestionAsked,
    QuestionState,
    Queued,
    Room,
    RoomSettings,
    SessionInfo,
    Subagent,
)

__all__ = [
    "Answer",
    "AwaitBurst",
    "Begin",
    "Close",
    "Delegate",
    "End",
    "EndSubagent",
    "FetchFiles",
    "GiveAnswer",
    "Interrupt",
    "Join",
    "Known",
    "LookAgain",
    "NoteBusy",
    "Open",
    "Part",
    "PassOn",
    "Phase",
    "RestartAgent",
    "SendAbort",
    "SendCompact",
    "SendContinue",
    "SendModel",
    "SendPrompt",
    "SendRecall",
    "SendSteer",
    "ShowTurn",
    "Sleep",
    "Step",
    "TellPeople",
]


class Phase(StrEnum):
    """Where the conversation is, as people are told it too; the machine itself is never in the four marked ones."""

    IDLE = "idle"
    STARTING = "starting"  # idle, with an agent that is not ready yet
    WAITING = "waiting for an answer"  # running, and the agent has asked a person
    DELEGATING = "waiting for sub-agents"  # running, and the agent does nothing until they have ended
    FAILED = "failed"  # idle, with an agent that could not be started
    BEGINNING = "beginning"
    FETCHING = "fetching files"
    RECALLING = "recalling"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDING = "ending"
    COMPACTING = "summarising the session"


class Known(NamedTuple):
    """What only the shell can see, at a pull. The lists are there if a waiting command asks for them.

    `now`: Unix seconds. `doing`: the agent's work in a few words. `failure`: why a part of the room ended last.
    `subagents`: oldest first; those of other rooms are among them if a command names one.
    """

    now: float
    doing: str = "idle"
    rooms: tuple[Room, ...] = ()
    sessions: tuple[SessionInfo, ...] = ()
    failure: str = ""
    subagents: tuple[Subagent, ...] = ()


# --- the store's ------------------------------------------------------------------------------------------------------


class Begin(NamedTuple):
    """Commit 1b for this turn; report `began`. `leaf`, `cost`: where the session stands (a first attempt notes it)."""

    turn: str
    attempt: int
    inbounds: tuple[int, ...]
    leaf: str | None
    cost: float = 0.0


class Part(NamedTuple):
    """Commit that this attempt was ended on purpose. `decided`: it had gone on after every crash before it."""

    turn: str
    attempt: int
    decided: bool


class Join(NamedTuple):
    """These messages join the turn; report `joined`."""

    turn: str
    inbounds: tuple[int, ...]


class Interrupt(NamedTuple):
    """Commit that the turn is to be stopped; report `interrupted`."""

    turn: str


class End(NamedTuple):
    """Commit 2 for this turn; then report `pulled` with what is left.

    `receipts`: the front end's ids of the messages that are dealt with. `cost`, `files`: None if not known. `hold`:
    what is returned is held.
    """

    turn: str
    outcome: Outcome
    answer: str
    leaf: str | None
    deliveries: tuple[NewDelivery, ...]
    returned: tuple[int, ...] = ()
    receipts: tuple[int, ...] = ()
    cost: float | None = None
    files: int | None = None
    hold: bool = False


class Answer(NamedTuple):
    """A command is done: commit its deliveries and what it changes; then report `pulled`.

    `fresh`: the room is to begin a new session; `session`: it is to go on with that one. `receipts`: the front end's
    ids of the messages that are dealt with by it: dropped, or an answer that was heard. `held`: what becomes of what is
    held; `hold`: what the command found waiting is held too. `set_aside`: this message, which is in quarantine, is
    never done.
    """

    command: Queued
    deliveries: tuple[NewDelivery, ...] = ()
    fresh: bool = False
    session: str | None = None
    binding: Binding | None = None
    settings: RoomSettings | None = None
    drop: int | None = None
    retry: str | None = None
    receipts: tuple[int, ...] = ()
    held: Literal["run", "drop", "hold"] | None = None
    set_aside: int | None = None


class Sleep(NamedTuple):
    """End the agents of this room (None: of all) as soon as they are idle; `stop`: what runs there is stopped first.

    `command`: the id of the command that wants it.
    """

    slug: str | None
    stop: bool
    command: int


class Delegate(NamedTuple):
    """Begin a sub-agent with this task, as the command wants; then answer that with what became of it."""

    command: Queued
    task: str


class PassOn(NamedTuple):
    """Tell the registrar what is to become of what a sub-agent made. It answers the command, which waits for that."""

    command: Queued
    slug: str
    what: Literal["apply", "diff", "discard"]


class EndSubagent(NamedTuple):
    """This sub-agent and all below it are to end."""

    slug: str


class TellPeople(NamedTuple):
    """Tell the room's people."""

    deliveries: tuple[NewDelivery, ...]


class NoteBusy(NamedTuple):
    """Tell a person that this message waits, as the `place`th."""

    waiting: Queued
    place: int


class Open(NamedTuple):
    """The question is open; report `opened`."""

    asked: QuestionAsked
    reply_to: int | None


class Close(NamedTuple):
    """The question is over."""

    question: Question
    state: QuestionState
    deliveries: tuple[NewDelivery, ...]


# --- the agent's ------------------------------------------------------------------------------------------------------


class SendPrompt(NamedTuple):
    """Give the agent these messages. `failed`: why some of their files could not be fetched."""

    turn: str
    inbounds: tuple[Queued, ...]
    failed: dict[int, str]


class SendContinue(NamedTuple):
    """Make the agent go on with what it was doing."""

    turn: str
    note: str


class SendSteer(NamedTuple):
    """Add these messages to the run; they are known to the agent by the first one's id."""

    turn: str
    inbounds: tuple[Queued, ...]
    failed: dict[int, str]


class SendRecall(NamedTuple):
    """Ask the agent what its session holds since this entry; report `recalled`."""

    turn: str
    since: str | None


class SendAbort(NamedTuple):
    """Make the agent stop; report `settled`."""

    turn: str


class GiveAnswer(NamedTuple):
    """Answer the agent's dialog; None dismisses it."""

    dialog: str
    value: str | bool | None


class SendCompact(NamedTuple):
    """Make the agent summarise its session; report `compacted`."""

    instructions: str


class SendModel(NamedTuple):
    """Make the agent use this model, this level of thinking; report `model_set`."""

    model: str | None
    thinking: str | None


class RestartAgent(NamedTuple):
    """End the agent's process and begin another one, with the same session."""


# --- the shell's own --------------------------------------------------------------------------------------------------


class FetchFiles(NamedTuple):
    """Get these; report `fetched`."""

    attachments: tuple[Attachment, ...]


class AwaitBurst(NamedTuple):
    """More of this burst may be coming; report `quiet` unless it does."""

    newest: int


class LookAgain(NamedTuple):
    """Pull once more in so many seconds."""

    seconds: float


class ShowTurn(NamedTuple):
    """A person waits for this turn: show that something happens."""

    turn: str
    note: str | None


Step = (
    Begin
    | Part
    | Join
    | Interrupt
    | End
    | Answer
    | Sleep
    | Delegate
    | PassOn
    | EndSubagent
    | TellPeople
    | NoteBusy
    | Open
    | Close
    | SendPrompt
    | SendContinue
    | SendSteer
    | SendRecall
    | SendAbort
    | GiveAnswer
    | SendCompact
    | SendModel
    | RestartAgent
    | FetchFiles
    | AwaitBurst
    | LookAgain
    | ShowTurn
)
