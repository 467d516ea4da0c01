"""What is told among the router, a room's conversation and its agent; nobody of them is asked anything."""

from typing import Literal

import msgspec

from actors.messages.records import Room, Usage
from actors.messages.subagents import LookAtChildren
from supervisor import Message

__all__ = [
    "Abort",
    "AgentEvent",
    "AgentLost",
    "AgentMessage",
    "AgentNoted",
    "AgentReady",
    "AgentWaits",
    "AnswerDialog",
    "Compact",
    "Compacted",
    "Continue",
    "Entry",
    "FileOffered",
    "ModelInfo",
    "ModelSet",
    "Prompt",
    "PromptRefused",
    "QuestionAsked",
    "QuestionClosed",
    "Recall",
    "Recalled",
    "Reopen",
    "RoomBusy",
    "RoomIdle",
    "SendToSleep",
    "SetModel",
    "Steer",
    "SteerTaken",
    "TextGrew",
    "Tick",
    "ToolCall",
    "ToolEnded",
    "ToolStarted",
    "TurnSettled",
    "TurnTooLong",
    "Wake",
    "WakeRoom",
]

# --- router -----------------------------------------------------------------------------------------------------------


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


class SendToSleep(Message):
    """Conversation → router: end the agents of these rooms as soon as they are idle, `slug` None: of all; kept asleep.

    The router says nothing back; who asked has said what will happen.
    """

    slug: str | None


# --- conversation → agent: each carries the turn and the incarnation it is meant for --------------------------------


class Prompt(Message):
    """Begin a run with this text. `images`: absolute paths of pictures. `since`: when the turn began."""

    turn: str
    incarnation: int
    text: str
    images: tuple[str, ...] = ()
    since: float = 0.0


class Continue(Message):
    """Go on with an interrupted run: `note` tells the model what happened; no user message is made up."""

    turn: str
    incarnation: int
    note: str
    since: float = 0.0


class Steer(Message):
    """Add this to the run that is on: it is heard between two steps. Told back as `SteerTaken` or in `TurnSettled`."""

    turn: str
    incarnation: int
    inbound: int
    text: str
    images: tuple[str, ...] = ()


class Recall(Message):
    """Say what the session holds since entry `since` (None: from its beginning; nothing if it has lost that one)."""

    turn: str
    incarnation: int
    since: str | None


class Abort(Message):
    """End the run. In order with the prompt that it ends: the agent takes each message at once."""

    turn: str
    incarnation: int


class AnswerDialog(Message):
    """What a person answered to an agent's question; None dismisses it. For `confirm` a bool, else text."""

    incarnation: int
    dialog: str
    value: str | bool | None


class Compact(Message):
    """Summarise the older part of the session, with these instructions or none. Answered with `Compacted`."""

    incarnation: int
    instructions: str


class SetModel(Message):
    """Use this model, this level of thinking, from the next answer on; None leaves it. Answered with `ModelSet`."""

    incarnation: int
    model: str | None
    thinking: str | None


class Reopen(Message):
    """The room begins a new session: end the process and open `session_id`."""

    session_id: str


class TurnTooLong(Message):
    """A timer of the conversation: this turn has used up its time."""

    turn: str


class Tick(Message):
    """A timer's message: time to look again."""


# --- agent → conversation -------------------------------------------------------------------------------------------


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model wants to run. `summary`: its arguments in one short line, redacted."""

    id: str
    tool: str
    summary: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of pi's session that matters for a resume.

    `role`: user, assistant, toolResult or another of pi's; `stop_reason` and `error` are an assistant's, else empty.
    `calls`: the tools that this assistant's message calls; `call`: of which call (its id) this is the result.
    """

    id: str
    role: str
    text: str
    stop_reason: str = ""
    error: str = ""
    calls: tuple[ToolCall, ...] = ()
    call: str = ""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be chosen. `images`: whether it sees pictures."""

    id: str
    images: bool = False


class AgentLost(Message):
    """The agent's pi has ended, or could not be started, or hangs and is being ended; the agent's `Down` comes next.

    `what`: how it ended, in one plain sentence that names the exit code, the signal, the lack of memory or what it did
    not do. `stderr`: its last lines, redacted, at most 10 of at most 300 characters. `session`: whether pi could still
    open the session; False when it is the session that is wrong.
    """

    incarnation: int
    what: str
    stderr: tuple[str, ...] = ()
    session: bool = True


class AgentReady(Message):
    """The agent's pi is up with the room's session, whose last entry is `leaf` (None: no assistant message yet).

    `model`, `thinking`: what it uses; `models`: what it could use, at most 50, as `provider/id` where that is needed.
    """

    incarnation: int
    session_id: str
    leaf: str | None
    model: ModelInfo | None = None
    thinking: str = ""
    models: tuple[ModelInfo, ...] = ()
    usage: Usage = Usage()


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


class AgentWaits(Message):
    """The run waits for sub-agents, so its time stands still; or it does not any more."""

    turn: str
    incarnation: int
    waits: bool


class SteerTaken(Message):
    """The model has heard this inbound: its entry is in the session."""

    turn: str
    incarnation: int
    inbound: int


class QuestionAsked(Message):
    """The agent waits for a person. `timeout`: seconds until it gives up by itself, None for never."""

    turn: str
    incarnation: int
    dialog: str
    method: Literal["select", "confirm", "input", "editor"]
    title: str
    text: str
    options: tuple[str, ...]
    timeout: float | None


class QuestionClosed(Message):
    """Nobody waits for this dialog's answer any more, and none was given."""

    turn: str
    incarnation: int
    dialog: str


class FileOffered(Message):
    """The agent sends its people a file: a delivery of it is queued already. `name`: what it is called."""

    turn: str
    name: str


class Compacted(Message):
    """The session is summarised, or not: `error` says why. `before`, `after`: tokens of its context."""

    incarnation: int
    error: str
    before: int = 0
    after: int = 0
    leaf: str | None = None


class ModelSet(Message):
    """What is used now; `error` says why it is not what was asked for."""

    incarnation: int
    model: ModelInfo | None
    thinking: str
    error: str


class PromptRefused(Message):
    """pi did not take the prompt; nothing runs. `error` is pi's sentence."""

    turn: str
    incarnation: int
    error: str


class TurnSettled(Message):
    """The run is over and the agent idle.

    `stop_reason`: pi's for the last assistant message (`stop`, `length`, `error`, `aborted`); `error`: its message if
    it failed; `leaf`: the session's last entry, None while it has no assistant message. `unconsumed`: inbounds that
    were to steer it and that the model never heard. `files`: how many files of the workspace changed since the turn
    began, None if that could not be told in time.
    """

    turn: str
    incarnation: int
    text: str
    stop_reason: str
    error: str
    leaf: str | None
    unconsumed: tuple[int, ...] = ()
    usage: Usage = Usage()
    files: int | None = None


AgentMessage = Prompt | Continue | Steer | Recall | Abort | AnswerDialog | Compact | SetModel | Reopen | LookAtChildren
AgentEvent = (
    AgentReady
    | AgentLost
    | Recalled
    | TextGrew
    | ToolStarted
    | ToolEnded
    | AgentNoted
    | AgentWaits
    | SteerTaken
    | QuestionAsked
    | QuestionClosed
    | FileOffered
    | Compacted
    | ModelSet
    | PromptRefused
    | TurnSettled
)
