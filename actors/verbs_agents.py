"""What `actorctl` can be asked about sub-agents: which there are and what they do, what one did, and that it ends.

The rows are the store's; what runs now is looked up in the tree, and what an agent's processes hold in `/proc`. Like
`verbs`, it waits for nobody for long, and decides nothing: who is to end is the store's to note and the registrar's to
see to.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Final, TypeVar

import msgspec
import trio

from actors import standing
from actors.errors import Unfit
from actors.messages import (
    Bounds,
    GetRoom,
    GetSubagent,
    ListSubagents,
    ReadLog,
    StopSubagents,
    StoreRequest,
    Subagent,
    SubagentState,
    Wake,
)
from actors.phrases import short
from actors.processes import Process, memory_of, own_processes
from actors.redaction import redact
from actors.subagents import words
from actors.subagents.slots import decide
from actors.verbs import PATIENCE, ask_store
from supervisor import ActorError, Asks, Node, NoSuchActor, Ref
from supervisor.control.errors import Refused
from supervisor.control.verbs import Host, Verb, verb
from supervisor.control.views import rfc3339

R = TypeVar("R")

POOL: Final = "/service/subagents/pool"
"""Below it each open sub-agent has a node with the children `subagent` and `agent`."""
DAY: Final = 86_400.0
"""Seconds for which an ended one is listed."""
ENDED: Final = 50
"""So many of those that have ended are listed."""
ALL: Final = 1000
"""So many where all are wanted, or those of one sub-agent."""
LOG_PATIENCE: Final = 1.0
"""Seconds that a sub-agent has to say what it did so far; the row says it later."""
TEXT: Final = 200
"""Characters of a task or of what one does, in a list."""

Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """Those of a room, or a sub-agent and all below it; None: of everybody. `all`: also those that ended long ago."""

    of: Slug | None = None
    all: bool = False


class AgentId(msgspec.Struct, forbid_unknown_fields=True):
    """One of them."""

    id: Slug


class AgentView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sub-agent. Times: RFC 3339, UTC. `memory`: resident bytes of all that its agent runs.

    `parent`: the sub-agent that began it; missing: the room's agent, or a person. `state`: `queued`, `preparing`,
    `running`, `waiting` (for its own sub-agents), `stopping`, or how it ended: `completed`, `failed`, `timed_out`,
    `cancelled`, `lost`. `task`, `doing`: on one line, only the beginning; `doing` of one that has ended: what came of
    it. `cost`: US dollars. `kept`: what became of what it made.
    """

    id: str
    room: str
    parent: str | None = None
    depth: int
    state: str
    task: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    run: int
    attempt: int
    cost: float
    pid: int | None = None
    memory: int | None = None
    doing: str | None = None
    kept: str | None = None


class LogView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a sub-agent did, oldest line first, the last 200.

    `live`: it says so itself, now; else its row does. `report`: what its parent was given, once it has ended.
    """

    agent: AgentView
    live: bool
    lines: tuple[str, ...]
    report: str | None = None


def agent_verbs(
    store: Ref[StoreRequest],
    registrar: Ref[Wake],
    worker: Callable[[str], Ref[ReadLog]],
    bounds: Bounds,
    *,
    pool: str = POOL,
    sandbox: str = "",
) -> Mapping[str, Verb]:
    """The verbs about sub-agents. `worker`: by its slug, who says what an open one did. `pool`: where they are.

    `bounds`: by which one counts who is before those that wait for a place. `sandbox`: what keeps them apart here, in
    one line.
    """

    async def ask(request: Asks[StoreRequest, R]) -> R:
        return await ask_store(store, request)

    async def known(slug: str) -> Subagent:
        row = await ask(GetSubagent(slug=slug))
        if row is None:
            raise Refused("refused", f"there is no sub-agent {slug!r}; see: actorctl agents --all")
        return row

    async def listing(host: Host, given: Which) -> dict[str, str | list[AgentView]]:
        of = None if given.of is None else await ask(GetSubagent(slug=given.of))
        room = given.of if of is None else of.room
        every = given.all or of is not None
        rows = await ask(ListSubagents(room=room, ended=ALL if every else ENDED))
        if of is not None:
            rows = _below(of.slug, rows)
        elif given.of is not None and not rows:
            await _room(given.of)
        since = 0.0 if every else time.time() - DAY
        shown = [row for row in rows if row.ended_at is None or row.ended_at >= since]
        agents = await views(host, shown)
        return {"sandbox": sandbox, "agents": agents} if sandbox else {"agents": agents}

    async def views(host: Host, rows: Sequence[Subagent]) -> list[AgentView]:
        """What is known of each: its row, its place in the tree, its processes, its place in the queue."""
        places: dict[str, Node] = {}
        with suppress(NoSuchActor):
            places = {_name(place): place for place in host.system.snapshot(pool).children}
        queued = any(row.state is SubagentState.QUEUED for row in rows)
        ahead = decide(await ask(ListSubagents()), bounds).ahead if queued else {}
        return await trio.to_thread.run_sync(partial(_seen, rows, places, ahead), abandon_on_cancel=True)

    async def _room(slug: str) -> None:
        try:
            await ask(GetRoom(slug=slug))
        except Unfit:
            raise Refused(
                "refused", f"there is no room and no sub-agent called {slug!r}; see: actorctl agents --all"
            ) from None

    async def logs(host: Host, given: AgentId) -> LogView:
        row = await known(given.id)
        live, lines = False, row.log
        if not row.ended:
            with suppress(ActorError):  # it waits for a place, is about to be started, or has just ended
                lines, live = await worker(row.slug).ask(ReadLog(), timeout=LOG_PATIENCE), True
            if not live:
                row = await known(given.id)
                lines = row.log
        [agent] = await views(host, [row])
        report = redact(row.report) or None if row.ended else None
        return LogView(agent=agent, live=live, lines=tuple(map(redact, lines)), report=report)

    async def cancel(_host: Host, given: AgentId) -> dict[str, list[str]]:
        row = await known(given.id)
        if row.ended:
            raise Refused("refused", f"{row.slug} has ended already ({row.state}); see: actorctl logs {row.slug}")
        ending = await ask(StopSubagents(slug=row.slug))
        with suppress(ActorError):  # it looks again by itself
            registrar.tell_nowait(Wake())
        return {"ending": list(ending or (row.slug,))}

    return {
        "agents list": verb(Which, listing, patience=PATIENCE),
        "agents cancel": verb(AgentId, cancel, patience=PATIENCE),
        "logs": verb(AgentId, logs, patience=PATIENCE),
    }


def _below(slug: str, rows: Sequence[Subagent]) -> tuple[Subagent, ...]:
    """This one and all that it began, they began, and so on. Whoever began another is older, and stands before it."""
    found = {slug}
    for row in rows:
        if row.parent in found:
            found.add(row.slug)
    return tuple(row for row in rows if row.slug in found)


def _seen(rows: Sequence[Subagent], places: Mapping[str, Node], ahead: Mapping[str, int]) -> list[AgentView]:
    processes = own_processes() if places else {}
    return [_view(row, _parts(places.get(row.slug)), processes, ahead.get(row.slug, 0)) for row in rows]


def _view(row: Subagent, parts: Mapping[str, Node], processes: Mapping[int, Process], ahead: int) -> AgentView:
    agent = parts.get("agent")
    pid = None if agent is None else agent.pid
    doing = _outcome(row) if row.ended else _doing(row, parts, ahead)
    return AgentView(
        id=row.slug,
        room=row.room,
        parent=row.parent,
        depth=row.depth,
        state=_state(row),
        task=short(redact(row.task), TEXT),
        created_at=rfc3339(row.created_at),
        started_at=None if row.started_at is None else rfc3339(row.started_at),
        ended_at=None if row.ended_at is None else rfc3339(row.ended_at),
        run=row.run,
        attempt=row.attempt,
        cost=row.cost,
        pid=pid,
        memory=None if pid is None else memory_of(pid, processes),
        doing=short(redact(doing), TEXT) or None,
        kept=row.kept,
    )


def _state(row: Subagent) -> str:
    if row.ended:
        return row.state.value
    if row.stop is not None:
        return "stopping"
    return "waiting" if row.waiting else row.state.value


def _doing(row: Subagent, parts: Mapping[str, Node], ahead: int) -> str:
    """What one does that is open: of one at work its agent knows best, of one that makes its workspace its worker."""
    at_work = row.state is SubagentState.RUNNING and not row.waiting and row.stop is None
    if at_work and "agent" in parts:
        return parts["agent"].doing or ""
    making = row.state is SubagentState.PREPARING and row.stop is None
    if making and "subagent" in parts:
        said = parts["subagent"].doing or ""
        return said.partition(": ")[2] or said  # before it stands how deep it is, as the tree shows it
    return words.state(row, now=time.time(), ahead=ahead)


def _outcome(row: Subagent) -> str:
    """What came of one that has ended."""
    return ": ".join(filter(None, (row.error, standing.made(row)))) or "changed nothing"


def _parts(place: Node | None) -> dict[str, Node]:
    return {} if place is None else {_name(child): child for child in place.children}


def _name(place: Node) -> str:
    return place.path.rpartition("/")[2]
