"""The whole service on one page: parts → child specs. The only file that knows every actor.

Pure but for the refs, which are addresses. Order is start order; the stop is its reverse: sinks before sources. What
is risky (a network, a terminal) stands under a transient supervisor of its own: when that gives up, the node is
`failed` and the rest goes on.
"""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import trio

from actors.asking import insist
from actors.console.console import Console
from actors.console.lines import Lines
from actors.console.terminal import Terminal
from actors.messages import (
    AgentEvent,
    Bounds,
    Fetch,
    FindHome,
    LookAtChildren,
    OutboxMessage,
    Place,
    ReadLog,
    Room,
    Subagent,
    Wake,
)
from actors.pi.agent import Agent
from actors.pi.caretaker import Caretaker
from actors.pi.demo_model import DemoModel
from actors.pi.demo_server import DemoServer
from actors.pi.hands import MakeHands
from actors.pi.host_tools import OF_SUBAGENTS, OF_THE_DEEPEST
from actors.pi.installation import AgentPlan
from actors.pi.live import START_DEADLINE
from actors.pi.sandbox import summary
from actors.rooms.conversation import Conversation
from actors.rooms.router import Router
from actors.settings import Settings
from actors.store.store import Store
from actors.subagents import premises
from actors.subagents.hands import Helpers
from actors.subagents.registrar import Registrar
from actors.subagents.subagent import Worker
from actors.telegram.files import Files
from actors.telegram.gateway import Gateway
from actors.telegram.outbox import Outbox
from actors.telegram.pacing import Pacing
from actors.verbs import service_verbs
from actors.verbs_agents import agent_verbs
from supervisor import (
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Ref,
    Restart,
    Strategy,
    Supervisor,
    System,
)
from supervisor.control.server import ControlServer
from supervisor.control.verbs import VERBS

STORE = "/store"
SENDER = "/service/outbox/telegram/sender"
FILES = "/service/outbox/files/fetcher"
TERMINAL = "/service/outbox/console/terminal"
ROUTER = "/service/rooms/router"
POOL = "/service/rooms/pool"
REGISTRAR = "/service/subagents/registrar"
SUBAGENTS = "/service/subagents/pool"
CONSOLE_QUEUE = 1000
"""Lines that may wait in the console: people paste, and nobody else is crowded out by it."""
MOST_SUBAGENTS = 10_000
"""In the pool: all that run, and all that wait for their own; who may begin is the registrar's to decide."""
AGENT_GRACE = 8.0
"""Seconds that an agent gets to end its process: more than the ladder of EOF, SIGTERM and SIGKILL takes."""
ROOM_INTENSITY = Intensity(5, within=8 * START_DEADLINE)
"""So wide that a pi which hangs at each start, and fails only at its deadline, makes the room give up as well."""


class ConsoleParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the console needs. `lines` outlives its actor."""

    lines: Lines
    name: str
    banner: str


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is made of.

    `finished` is set by a front end that wants the service to end. `interrupt`: who is asked, in order, to take a
    Ctrl-C before it ends the service; filled when the tree is made.
    """

    settings: Settings
    plan: AgentPlan
    demo: DemoServer | None
    console: ConsoleParts | None
    finished: trio.Event
    interrupt: list[Callable[[], bool]]


def tree(parts: Parts, system: System) -> Supervisor:
    """The supervision tree of the service."""
    paths = parts.settings.paths
    store, registrar = system.ref(STORE, Store), system.ref(REGISTRAR, Registrar)
    verbs = {
        **VERBS,
        **service_verbs(store, system.ref(SENDER, Outbox), system.ref(ROUTER, Router)),
        **agent_verbs(
            store,
            registrar,
            partial(_worker, system),
            bounds(parts.settings),
            pool=SUBAGENTS,
            sandbox=summary(parts.plan.bubblewrap),
        ),
    }
    # First up and last down: so one can look while anything else fails or drains.
    return Supervisor(
        ChildSpec("control", partial(ControlServer, paths.socket, verbs)),
        ChildSpec("store", partial(Store, paths.database, paths.workspaces)),
        ChildSpec("service", Supervisor(*_service(parts, system), intensity=Intensity(10, within=60.0))),
        intensity=Intensity(10, within=60.0),
    )


def _service(parts: Parts, system: System) -> list[ChildSpec[Any]]:
    settings = parts.settings
    store = system.ref(STORE, Store)
    router = system.ref(ROUTER, Router)
    outboxes: list[ChildSpec[Any]] = []
    fronts: list[ChildSpec[Any]] = []
    if settings.telegram.bot_token is not None:
        outbox = partial(Outbox, settings.telegram, store=store, outgoing=parts.plan.outgoing_dir, pacing=Pacing())
        gateway = partial(
            Gateway,
            settings.telegram,
            store=store,
            router=router,
            outbox=_outbox(system, "telegram"),
            capacity=settings.rooms.queue,
        )
        outboxes.append(_risky("telegram", ChildSpec("sender", outbox, asks=(STORE,))))
        outboxes.append(_risky("files", ChildSpec("fetcher", partial(Files, settings.telegram))))
        fronts.append(_risky("telegram", ChildSpec("gateway", gateway, asks=(STORE, ROUTER))))
    if parts.console is not None:
        terminal = partial(Terminal, store, system.ref("/service/console/reader", Console), parts.finished)
        console = partial(
            Console,
            store,
            router,
            system.ref(TERMINAL, Terminal),
            parts.console.lines,
            parts.finished,
            name=parts.console.name,
            capacity=CONSOLE_QUEUE,
            banner=parts.console.banner,
        )
        outboxes.append(_risky("console", ChildSpec("terminal", terminal, asks=(STORE,))))
        fronts.append(_risky("console", ChildSpec("reader", console, asks=(STORE, ROUTER, TERMINAL))))
    demo = [] if parts.demo is None else [_risky("demo_model", ChildSpec("server", partial(DemoModel, parts.demo)))]
    cages = ChildSpec("cages", partial(Caretaker, parts.plan.cages, summary(parts.plan.bubblewrap)))
    return [
        ChildSpec("outbox", Supervisor(*outboxes)),
        *demo,
        cages,
        ChildSpec("rooms", _rooms(parts, system)),
        ChildSpec("subagents", _subagents(parts, system)),
        *fronts,
    ]


def _rooms(parts: Parts, system: System) -> Supervisor:
    settings = parts.settings
    router = partial(
        Router,
        POOL,
        store=system.ref(STORE, Store),
        outbox=partial(_outbox_of, system),
        make_room=partial(room_spec, parts, system),
        conversation=partial(_conversation, system),
        most=settings.rooms.max,
        idle_timeout=settings.pi.idle_timeout,
        gives_up=ROOM_INTENSITY,
    )
    return Supervisor(
        ChildSpec("pool", DynamicSupervisor(max_children=settings.rooms.max)),
        ChildSpec("router", router, asks=(STORE,)),
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(10, within=60.0),
    )


def room_spec(parts: Parts, system: System, room: Room, failed: bool = False) -> ChildSpec[Any]:
    """One room: if its conversation dies, both start anew; if its agent dies, only that one does.

    Temporary, so that a room that keeps failing gives up alone and uses up nobody else's restarts. `failed`: it did,
    and this is the next try.
    """
    path = f"{POOL}/{room.slug}"
    settings = parts.settings
    store = system.ref(STORE, Store)
    asks = (STORE,) if _files_of(system, room.place) is None else (STORE, FILES)
    conversation = partial(
        Conversation,
        room.slug,
        store=store,
        agent=system.ref(f"{path}/agent", Agent),
        router=system.ref(ROUTER, Router),
        registrar=system.ref(REGISTRAR, Registrar),
        outbox=partial(_outbox_of, system),
        files=partial(_files_of, system),
        new_session=_new_session,
        turn_timeout=settings.pi.turn_timeout,
        busy=settings.rooms.busy,
        capacity=settings.rooms.queue,
        projects={name: project.path for name, project in settings.projects.items()},
        on_restart=settings.rooms.on_restart,
        bounds=bounds(settings),
        subagent_timeout=settings.subagents.timeout,
        failed=failed,
    )
    agent = partial(
        Agent,
        room.slug,
        parts.plan,
        store=store,
        conversation=system.ref(f"{path}/conversation", Conversation),
        hands=_hands(parts, system, room.slug, None),
    )
    return ChildSpec(
        room.slug,
        Supervisor(
            ChildSpec("conversation", conversation, asks=asks),
            ChildSpec("agent", agent, shutdown=AGENT_GRACE, asks=(STORE, f"{path}/conversation")),
            strategy=Strategy.REST_FOR_ONE,
            intensity=ROOM_INTENSITY,
        ),
        restart=Restart.TEMPORARY,
    )


def _subagents(parts: Parts, system: System) -> Supervisor:
    settings = parts.settings
    registrar = partial(
        Registrar,
        SUBAGENTS,
        store=system.ref(STORE, Store),
        router=system.ref(ROUTER, Router),
        outbox=partial(_outbox_of, system),
        make=partial(subagent_spec, parts, system),
        worker=partial(_worker, system),
        agent_of=partial(_agent_of, system),
        settings=settings.subagents,
        state=settings.paths.state_dir,
    )
    return Supervisor(
        ChildSpec("pool", DynamicSupervisor(max_children=MOST_SUBAGENTS)),
        ChildSpec("registrar", registrar, asks=(STORE,)),
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(10, within=60.0),
    )


def subagent_spec(parts: Parts, system: System, sub: Subagent) -> ChildSpec[Any]:
    """One sub-agent: as a room, with its worker in place of the conversation, and closed off where that is possible.

    Temporary: whether it comes back is the registrar's to decide, who speaks for one that has given up.
    """
    path = f"{SUBAGENTS}/{sub.slug}"
    settings, state = parts.settings, parts.settings.paths.state_dir
    store, worker = system.ref(STORE, Store), _worker(system, sub.slug)
    subagent = partial(
        Worker,
        sub.slug,
        store=store,
        agent=system.ref(f"{path}/agent", Agent),
        registrar=system.ref(REGISTRAR, Registrar),
        outbox=partial(_outbox_of, system),
        ground=premises.ground(state),
    )
    deepest = sub.depth >= settings.subagents.max_depth
    agent = partial(
        Agent,
        sub.slug,
        parts.plan,
        store=store,
        conversation=worker,
        find=partial(insist, worker, FindHome()),
        tools=OF_THE_DEEPEST if deepest else OF_SUBAGENTS,
        sandbox=partial(premises.sandbox, state, parts.plan.bubblewrap.program),
        hands=_hands(parts, system, sub.room, sub.slug),
    )
    return ChildSpec(
        sub.slug,
        Supervisor(
            ChildSpec("subagent", subagent, asks=(STORE,)),
            ChildSpec("agent", agent, shutdown=AGENT_GRACE, asks=(STORE, f"{path}/subagent")),
            strategy=Strategy.REST_FOR_ONE,
            intensity=ROOM_INTENSITY,
        ),
        restart=Restart.TEMPORARY,
    )


def bounds(settings: Settings) -> Bounds:
    """What the configuration allows of sub-agents."""
    given = settings.subagents
    return Bounds(max=given.max, max_per_room=given.max_per_room, max_depth=given.max_depth)


def _hands(parts: Parts, system: System, room: str, parent: str | None) -> MakeHands:
    settings = parts.settings

    def make(tell: Callable[[str, bool], Awaitable[None]]) -> Helpers:
        return Helpers(
            room,
            parent,
            store=system.ref(STORE, Store),
            registrar=system.ref(REGISTRAR, Registrar),
            bounds=bounds(settings),
            timeout=settings.subagents.timeout,
            state=settings.paths.state_dir,
            tell=tell,
        )

    return make


def _worker(system: System, slug: str) -> Ref[AgentEvent | Wake | FindHome | ReadLog]:
    return system.ref(f"{SUBAGENTS}/{slug}/subagent", Worker)


def _agent_of(system: System, room: str, parent: str | None) -> Ref[LookAtChildren]:
    return system.ref(f"{POOL}/{room}/agent" if parent is None else f"{SUBAGENTS}/{parent}/agent", Agent)


def _risky(name: str, child: ChildSpec[Any]) -> ChildSpec[Any]:
    return ChildSpec(name, Supervisor(child, intensity=Intensity(5, within=60.0)), restart=Restart.TRANSIENT)


def _outbox(system: System, front: str) -> Ref[OutboxMessage]:
    return system.ref(SENDER, Outbox) if front == "telegram" else system.ref(TERMINAL, Terminal)


def _outbox_of(system: System, place: Place) -> Ref[OutboxMessage]:
    return _outbox(system, place.front)


def _files_of(system: System, place: Place) -> Ref[Fetch] | None:
    return system.ref(FILES, Files) if place.front == "telegram" else None


def _conversation(system: System, slug: str) -> Ref[Wake]:
    return system.ref(f"{POOL}/{slug}/conversation", Conversation)


def _new_session(slug: str) -> str:
    return f"{slug}-{secrets.token_hex(4)}"
