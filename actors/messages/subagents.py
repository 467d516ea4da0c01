"""Sub-agents: what is known of one, what their registrar and their agents are told.

A sub-agent is a temporary agent with a workspace of its own and one task. Its row is the truth: whoever has changed it
tells the registrar to look again, and nobody is asked anything but the store. A *parent* is the room's agent, or
another sub-agent of the room.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from actors.messages.records import Room
from supervisor import Message, Request

__all__ = [
    "ENDED",
    "Changes",
    "Decide",
    "FindHome",
    "Isolation",
    "Kept",
    "LookAtChildren",
    "ReadLog",
    "Subagent",
    "SubagentState",
    "line_key",
    "report_key",
]


Isolation = Literal["copy", "scratch"]
"""What a sub-agent's workspace begins as: a copy of its parent's (of a git workspace, a clone), or an empty folder."""

Kept = Literal["open", "applied", "discarded", "expired"]
"""What became of what a sub-agent made; `open`: nobody has decided yet."""


class SubagentState(StrEnum):
    """Where a sub-agent is, or how it ended: the last five are for good.

    `timed_out`: it used up its time. `cancelled`: somebody wanted that. `failed`: it could not do it, its model or its
    workspace could not, or it was cut off too often. `lost`: it ended without a word, and its supervisor speaks for it.
    """

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


ENDED = frozenset(
    {
        SubagentState.COMPLETED,
        SubagentState.FAILED,
        SubagentState.TIMED_OUT,
        SubagentState.CANCELLED,
        SubagentState.LOST,
    }
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a sub-agent changed in its workspace, against what that began as.

    `files`: how many; `names`: of the first 100, a letter (A, M, D) and the path. `added`, `removed`: lines. `patch`:
    absolute path of a patch that git applies. `repository`: absolute path of a bare git repository whose branch `base`
    is what the workspace began as and whose branch `result` is what it became. `left_out`: sentences about what could
    not be kept.
    """

    files: int
    names: tuple[str, ...]
    added: int
    removed: int
    patch: str
    repository: str
    left_out: tuple[str, ...] = ()


class Subagent(msgspec.Struct, frozen=True, kw_only=True):
    """A sub-agent as the store knows it.

    `room`: whose people hear of it. `parent`: the sub-agent that began it; None: the room's agent, or a person, then
    `by` is the inbound that said so. `turn`: the turn, or the parent's run (`<slug>/<run>`), in which it was begun.
    `depth`: 1 for a room's. `workspace`: absolute path of the room's when it was begun; of that a room's is made, and
    into no other is it merged. `timeout`: seconds of its own time, without what it waits for others.

    `awaited`: a tool call of its parent waits for its report. `waiting`: it waits for children, and has given up its
    slot. `stop`: how it is to end, as somebody wants. `run`: which of its runs is on, or was last (0: none was begun;
    each has its `prompt`, and `leaf` is where the session stood before it); `attempt`: of that run; `parted`: that one
    was ended on purpose and does not count.

    `text`: what it said last; `error`: one sentence; `report`: the same for its parent, whole. `told`: it was given as
    the answer of a tool call that may not have been heard; `heard`: it is in its parent's session or queue. `log`: what
    it did, one line each, oldest first, the last 200.
    """

    slug: str
    room: str
    parent: str | None
    turn: str | None
    by: int | None
    depth: int
    task: str
    isolation: Isolation
    model: str | None
    timeout: float
    session_id: str
    created_at: float
    workspace: str = ""
    awaited: bool = False
    state: SubagentState = SubagentState.QUEUED
    waiting: bool = False
    stop: SubagentState | None = None
    run: int = 0
    attempt: int = 0
    parted: bool = False
    prompt: str = ""
    leaf: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    text: str = ""
    error: str = ""
    report: str = ""
    changes: Changes | None = None
    kept: Kept | None = None
    cost: float = 0.0
    told: bool = False
    heard: bool = False
    log: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED

    @property
    def made(self) -> bool:
        """Whether it changed something that can be merged."""
        return self.changes is not None and self.changes.files > 0

    @property
    def turn_id(self) -> str:
        """What the run that is on is called where turns are named."""
        return f"{self.slug}/{self.run}"


def line_key(slug: str) -> str:
    """The key of the one delivery that shows people what a sub-agent does and what became of it."""
    return f"subagent:{slug}"


def report_key(slug: str) -> str:
    """The key of the inbound by which a room's agent hears what became of a sub-agent that it does not wait for."""
    return f"subagent:{slug}"


# --- what the registrar, a sub-agent and an agent are told ------------------------------------------------------------


class Decide(Message):
    """Conversation → registrar: a person's command about what a sub-agent of this room made.

    It is done once and then answered, by `SettleResult`; told again, it is done if it was not. `what`: `diff` shows it.
    """

    room: str
    command: int
    reply_to: int | None
    slug: str
    what: Literal["apply", "diff", "discard"]


class FindHome(Request[Room]):
    """A sub-agent's agent → the sub-agent: what pi is to be started with; answered when its workspace is ready.

    A `Room` made of its row: its slug, session and folder, its room's place.
    """


class ReadLog(Request[tuple[str, ...]]):
    """`actorctl` → a sub-agent: what it has done so far, one line each, oldest first."""


class LookAtChildren(Message):
    """Registrar → agent: a sub-agent that it waits for may have ended. Carries nothing; losing it costs seconds."""
