"""What the life of a sub-agent wants done, and where it is: plain data.

`life` makes the steps, `subagent` carries them out, in order, and reports what the step names.
"""

from enum import StrEnum
from typing import NamedTuple

from actors.messages import Changes, SubagentState

__all__ = [
    "Begin",
    "Collect",
    "CommitWait",
    "End",
    "EndAgent",
    "Phase",
    "Prepare",
    "Pull",
    "SendAbort",
    "SendContinue",
    "SendPrompt",
    "SendRecall",
    "Step",
    "StopChildren",
    "TimeOut",
]


class Phase(StrEnum):
    """Where it is, as people are told it too."""

    LOOKING = "starting"
    PREPARING = "making its workspace"
    READY = "waiting for its agent"
    BEGINNING = "beginning"
    RECALLING = "looking what its session holds"
    RUNNING = "running"
    STOPPING = "being ended"
    SETTLING = "waiting for its sub-agents"
    CHILDREN = "ending its sub-agents"
    CLOSING = "ending its agent"
    COLLECTING = "keeping what it changed"
    ENDING = "reporting"
    ENDED = "ended"


class Pull(NamedTuple):
    """Look at the rows, its own and its children's; report `pulled`."""


class Prepare(NamedTuple):
    """Make its workspace, unless it is there; report `prepared`, `impossible` or, if a run was `begun`, `gone`."""

    begun: bool


class Begin(NamedTuple):
    """Commit that this attempt of this run begins; report `began`. `reports`: of whom the prompt tells."""

    run: int
    attempt: int
    prompt: str
    leaf: str | None
    reports: tuple[str, ...] = ()


class SendPrompt(NamedTuple):
    """Give the agent this."""

    turn: str
    text: str


class SendContinue(NamedTuple):
    """Make the agent go on with what it was doing."""

    turn: str
    note: str


class SendRecall(NamedTuple):
    """Ask the agent what its session holds since this entry; report `recalled`."""

    turn: str
    since: str | None


class SendAbort(NamedTuple):
    """Make the agent stop; report `settled`."""

    turn: str


class CommitWait(NamedTuple):
    """Commit that it waits for its children; report `waited`."""


class TimeOut(NamedTuple):
    """Commit that it is to end because its time is used up; then report `pulled`."""


class StopChildren(NamedTuple):
    """Commit that all below it are to end; report `children_stopped`."""


class EndAgent(NamedTuple):
    """End its agent for good, and what is still being prepared; report `agent_ended`."""


class Collect(NamedTuple):
    """Keep what it changed; report `collected`."""


class End(NamedTuple):
    """Commit its end; report `ended`."""

    outcome: SubagentState
    text: str
    error: str
    changes: Changes | None
    cost: float


Step = (
    Pull
    | Prepare
    | Begin
    | SendPrompt
    | SendContinue
    | SendRecall
    | SendAbort
    | CommitWait
    | TimeOut
    | StopChildren
    | EndAgent
    | Collect
    | End
)
