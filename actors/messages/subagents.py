"""Sub-agents: their rows, what the store is asked about them, what their registrar and their agents are told.

A sub-agent is a temporary agent with a workspace of its own and one task. Its row is the truth: whoever has changed it
tells the registrar to look again, and nobody is asked anything but the store. A *parent* is the room's agent, or
another sub-agent of the room.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from actors.messages.records import NewDelivery, Room
from supervisor import Message, Request

__all__ = [
    "ENDED",
    "AwaitReport",
    "BeginRun",
    "Bounds",
    "Changes",
    "Decide",
    "EndSubagent",
    "FindHome",
    "Found",
    "GetSubagent",
    "GrantSlot",
    "Isolation",
    "Kept",
    "ListSubagents",
    "LookAtChildren",
    "PartRun",
    "PrepareSubagent",
    "ReadLog",
    "ReturnReports",
    "SearchHistory",
    "SettleResult",
    "Spawn",
    "SpawnRefused",
    "Spawned",
    "StopSubagents",
    "Subagent",
    "SubagentState",
    "TellReport",
    "WaitForChildren",
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


# --- the store: a sub-agent's life ------------------------------------------------------------------------------------


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed. `max`, `max_per_room`: at once; who waits for others does not count. `max_depth`: from 1.

    `max_open`: of one room, queued ones included.
    """

    max: int
    max_per_room: int
    max_depth: int
    max_open: int = 100


class Spawned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The sub-agent is durable. `ahead`: how many of the open ones must end or wait before it can begin; 0: it can."""

    subagent: Subagent
    ahead: int


class SpawnRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing was begun; `reason` is a sentence that names the bound and what could be done instead."""

    reason: str


class Spawn(Request[Spawned | SpawnRefused]):
    """A sub-agent is wanted, once for each `key`; repeated, the same answer.

    `parent`, `turn`, `by`: as in `Subagent`. `wait`: the tool call waits for the report; a parent that is a sub-agent
    gives up its slot in the same transaction. `queue`: whether it may wait for its turn; else it is refused if it
    cannot begin at once. A parent that has ended, or is to, begins nothing.
    """

    key: str
    room: str
    parent: str | None
    turn: str | None
    by: int | None
    task: str
    isolation: Isolation
    model: str | None
    timeout: float
    wait: bool
    queue: bool
    bounds: Bounds


class GetSubagent(Request[Subagent | None]):
    """The sub-agent called `slug`; None if there is none. `room`: only if it is that room's."""

    slug: str
    room: str | None = None


class ListSubagents(Request[tuple[Subagent, ...]]):
    """Sub-agents without their logs, oldest first: the open ones, and the `ended` that ended last.

    `room`, `parent`: only theirs.
    """

    room: str | None = None
    parent: str | None = None
    ended: int = 0


class PrepareSubagent(Request[Subagent]):
    """A queued one has its slot: it is `preparing` from now on, or what it was if it is not queued any more."""

    slug: str


class BeginRun(Request[Subagent]):
    """Before pi hears anything: run `run` of it, attempt `attempt` (both from 1), with this prompt; it is `running`.

    A first attempt notes `prompt` and `leaf`; a later one only counts. `reports`: of which of its children `prompt`
    tells; they are heard. Reports that were told in an earlier run are heard, too. Raises `Conflict` if it has ended.
    """

    slug: str
    run: int
    attempt: int
    prompt: str
    leaf: str | None
    reports: tuple[str, ...] = ()


class PartRun(Request[None]):
    """This attempt of a run was ended on purpose, so it does not count; said again, nothing happens."""

    slug: str
    run: int
    attempt: int


class WaitForChildren(Request[Subagent]):
    """It has nothing to do until its children have ended: it gives up its slot."""

    slug: str


class GrantSlot(Request[Subagent]):
    """It may go on: it waits for nobody any more and has a slot again. Nothing happens if it does not wait."""

    slug: str


class StopSubagents(Request[tuple[str, ...]]):
    """These are to end as `outcome`, unless they are to end already, and all below them as cancelled.

    Exactly one is given: `slug` (that one), `parent` (its children) or `room` (all of that room, whose agent is to
    rest: their reports begin no turn). Returns who is to end, deepest first; what has ended stays.
    """

    slug: str | None = None
    parent: str | None = None
    room: str | None = None
    outcome: SubagentState = SubagentState.CANCELLED


class EndSubagent(Request[bool]):
    """The one terminal report: the sub-agent has ended, and `deliveries` are queued for the room's people.

    Only the first has an effect; returns whether this was it. In the same transaction its report finds its way: to a
    tool call that waits, it is left; a room's agent that does not wait gets it as an inbound with `report_key`, which
    waits for the end of its turn, joined with others that come together; a parent sub-agent looks for it by itself; and
    a person's sub-agent reports to people only. `log`: the last 200 lines.
    """

    slug: str
    outcome: SubagentState
    text: str
    error: str
    report: str
    changes: Changes | None
    cost: float
    deliveries: tuple[NewDelivery, ...]
    log: tuple[str, ...] = ()


# --- the store: reports that are the answer of a tool call -----------------------------------------------------------


class AwaitReport(Request[Subagent]):
    """A tool call of its parent waits from now on for the report of one that was begun without waiting.

    As if `Spawn` had said `wait`: a parent that is a sub-agent gives up its slot in the same transaction. Nothing
    happens if it has ended: its report is there already, or on its way.
    """

    slug: str


class TellReport(Request[Subagent]):
    """The report of a sub-agent that has ended is about to be given as the answer of tool call `call` in `turn`.

    Nobody waits for it any more. Whether it was heard is known when that turn or run ends, or goes on after a crash.
    """

    slug: str
    turn: str
    call: str


class ReturnReports(Request[tuple[str, ...]]):
    """A turn (or a parent's run) was cut off and goes on: what was told in it counts only if its session says so.

    `heard`: the tool calls whose results are in the session. Reports told by another call, or awaited by one that is
    gone, find their way as if nobody had waited. Returns the sub-agents of which the agent is still to hear.
    """

    room: str
    parent: str | None
    turn: str
    heard: tuple[str, ...]


# --- the store: what they made ----------------------------------------------------------------------------------------


class SettleResult(Request[bool]):
    """It is decided what becomes of what a sub-agent made; returns whether that was open.

    `kept` None: nothing was decided, and only `deliveries` are queued. `command`: the inbound of its room that wanted
    it, which is answered by that.
    """

    slug: str
    kept: Kept | None
    deliveries: tuple[NewDelivery, ...] = ()
    command: int | None = None


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
