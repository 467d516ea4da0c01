"""A service with sub-agents and a control socket, for tests of what `actorctl` asks about them."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from actors.errors import Unavailable
from actors.messages import (
    ENDED,
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
from actors.store.errors import UnknownRoom
from actors.store.store import Store
from actors.verbs_agents import POOL, agent_verbs
from supervisor import (
    Actor,
    ChildSpec,
    Description,
    DynamicSupervisor,
    Mailbox,
    Overflow,
    Promise,
    Reply,
    Supervisor,
    System,
    open_system,
)
from supervisor.control.server import ControlServer
from supervisor.control.verbs import VERBS
from tests.actors.desk import Desk

BOUNDS = Bounds(max=2, max_per_room=2, max_depth=2)


class Books(Actor[StoreRequest]):
    """A store of rooms and sub-agents, as far as these verbs ask it."""

    mailbox = Mailbox(16, Overflow.WAIT)

    def __init__(self, rows: dict[str, Subagent]) -> None:
        self.rows = rows

    async def receive(self, message: StoreRequest) -> Reply | Promise[Any]:
        match message:
            case GetSubagent(slug=slug, room=None):
                return message.reply(self.rows.get(slug))
            case ListSubagents(room=room, parent=None, ended=most):
                wanted = [row for row in self.rows.values() if room in (None, row.room)]
                last = sorted((row for row in wanted if row.ended), key=lambda row: row.ended_at or 0)[-most:]
                kept = [row for row in wanted if not row.ended or row in last]
                return message.reply(tuple(msgspec.structs.replace(row, log=()) for row in kept))
            case StopSubagents(slug=str(slug), outcome=SubagentState.CANCELLED):
                below = [row.slug for row in self.rows.values() if row.parent == slug]
                for each in (*below, slug):
                    self.rows[each] = msgspec.structs.replace(self.rows[each], stop=SubagentState.CANCELLED)
                return message.reply((*below, slug))
            case GetRoom(slug=slug) if slug != "shop":
                promise: Promise[Any] = self.later(message)
                promise.fail(UnknownRoom(slug, ("lab", "shop")))
                return promise
            case GetRoom():
                return message.reply(None)  # type: ignore[arg-type]  # nobody looks at it
            case _:
                raise AssertionError(message)


class FullStore(Actor[StoreRequest]):
    """Its disk is full."""

    mailbox = Mailbox(4, Overflow.WAIT)

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        promise.fail(Unavailable("the disk is full: free it"))
        return promise


class Registrar(Actor[Wake]):
    """Notes when it is woken."""

    mailbox = Mailbox(4, Overflow.REJECT)

    def __init__(self, woken: trio.Event) -> None:
        self.woken = woken

    async def receive(self, message: Wake) -> None:  # noqa: ARG002
        self.woken.set()


class Part(Actor[ReadLog]):
    """A sub-agent, or its agent."""

    mailbox = Mailbox(4, Overflow.REJECT)

    def __init__(self, doing: str, pid: int | None = None, log: tuple[str, ...] | None = None) -> None:
        self.doing = doing
        self.pid = pid
        self.log = log

    async def receive(self, message: ReadLog) -> Reply | Promise[tuple[str, ...]]:
        return self.later(message) if self.log is None else message.reply(self.log)

    def describe(self) -> Description:
        return Description(doing=self.doing, pid=self.pid)


class House:
    """A service with sub-agents."""

    def __init__(self, system: System, socket: Path, rows: dict[str, Subagent], woken: trio.Event) -> None:
        self.system = system
        self.socket = socket
        self.rows = rows
        self.woken = woken
        self.actorctl = Desk(socket, system.ref("/store", Store), woken, []).actorctl

    def has(self, slug: str, *, ago: float = 5.0, **fields: Any) -> Subagent:
        """There is a sub-agent, begun `ago` seconds ago, of the room "lab" unless `fields` says otherwise."""
        now = time.time()
        given: dict[str, Any] = {"room": "lab", "parent": None, "depth": 1, "task": f"do {slug}", **fields}
        state = given.get("state", SubagentState.QUEUED)
        if state in ENDED:
            given.setdefault("ended_at", now - ago)
        row = Subagent(
            slug=slug,
            turn="lab.1",
            by=None,
            isolation="copy",
            model=None,
            timeout=60.0,
            session_id="s",
            created_at=now - ago - (60 if state in ENDED else 0),
            **given,
        )
        self.rows[slug] = row
        return row

    async def runs(self, slug: str, *, worker: partial[Part], agent: partial[Part]) -> None:
        """Its place in the tree."""
        parts = Supervisor(ChildSpec("subagent", worker), ChildSpec("agent", agent))
        await self.system.start_child(POOL, ChildSpec(slug, parts))

    async def agents(self, *args: str) -> list[list[str]]:
        """The cells of `actorctl agents …`."""
        code, out, err = await self.actorctl("agents", *args)
        assert (code, err) == (0, "")
        return [line.split() for line in out.splitlines()]

    async def json(self, *args: str) -> dict[str, Any]:
        code, out, err = await self.actorctl(*args, "--json")
        assert (code, err) == (0, "")
        answer: dict[str, Any] = json.loads(out)
        return answer


@asynccontextmanager
async def open_house(
    folder: Path, store: object = None, *, registrar: bool = True, sandbox: str = ""
) -> AsyncIterator[House]:
    socket, woken = folder / "ctl.sock", trio.Event()
    rows: dict[str, Subagent] = {}

    def tree(system: System) -> Supervisor:
        verbs = agent_verbs(
            system.ref("/store", Store),
            system.ref("/service/subagents/registrar", Registrar),
            lambda slug: system.ref(f"{POOL}/{slug}/subagent", Part),
            BOUNDS,
            sandbox=sandbox,
        )
        subagents = [
            ChildSpec("pool", DynamicSupervisor(max_children=9)),
            *([ChildSpec("registrar", partial(Registrar, woken))] if registrar else []),
        ]
        return Supervisor(
            ChildSpec("control", partial(ControlServer, socket, {**VERBS, **verbs})),
            ChildSpec("store", store or partial(Books, rows)),  # type: ignore[arg-type]  # any store
            ChildSpec("service", Supervisor(ChildSpec("subagents", Supervisor(*subagents)))),
        )

    async with open_system(tree) as system:
        yield House(system, socket, rows, woken)
