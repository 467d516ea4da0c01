"""What the store is asked about sub-agents, from their beginning to what becomes of what they made.

All of it may be repeated. Whoever has changed a row tells the registrar to look again.
"""

import msgspec

from actors.messages.records import NewDelivery
from actors.messages.subagents import Changes, Isolation, Kept, Subagent, SubagentState
from supervisor import Request

__all__ = [
    "AwaitReport",
    "BeginRun",
    "Bounds",
    "EndSubagent",
    "GetSubagent",
    "GrantSlot",
    "ListSubagents",
    "PartRun",
    "PrepareSubagent",
    "ReturnReports",
    "SettleResult",
    "Spawn",
    "SpawnRefused",
    "Spawned",
    "StopSubagents",
    "TellReport",
    "WaitForChildren",
]


# --- a sub-agent's life ------------------------------------------------------------------------------------


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


# --- reports that are the answer of a tool call -----------------------------------------------------------


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


# --- what they made ----------------------------------------------------------------------------------------


class SettleResult(Request[bool]):
    """It is decided what becomes of what a sub-agent made; returns whether that was open.

    `kept` None: nothing was decided, and only `deliveries` are queued. `command`: the inbound of its room that wanted
    it, which is answered by that.
    """

    slug: str
    kept: Kept | None
    deliveries: tuple[NewDelivery, ...] = ()
    command: int | None = None
