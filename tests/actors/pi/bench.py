"""A bench for the agent actor: a store that knows one room, a conversation that keeps what it hears, and a pi.

The pi is the scripted one, or the real one with `real`. All of it runs in a true system, under a true supervisor.
"""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from actors.messages import (
    AgentEvent,
    AgentMessage,
    AgentReady,
    Found,
    GetRoom,
    NewDelivery,
    Place,
    Room,
    SearchHistory,
    StoreRequest,
    Tell,
)
from actors.pi.agent import Agent
from actors.pi.hands import MakeHands
from actors.pi.host_tools import OF_ROOMS, HostTool
from actors.pi.installation import AgentPlan, Installation
from actors.pi.process import LaunchSpec
from actors.pi.providers import Provider
from actors.pi.sandbox import Sandbox
from actors.settings import Secret
from supervisor import (
    Actor,
    ChildSpec,
    Intensity,
    Mailbox,
    Overflow,
    Promise,
    Ref,
    Reply,
    Restart,
    Supervisor,
    System,
    open_system,
)
from supervisor.testing import Recorder, assert_nothing_left
from tests.fakes import pi as fake_pi

E = TypeVar("E", bound=AgentEvent)

PATIENCE = 30.0
ROOM = Room(
    slug="den",
    place=Place(front="console", chat=1),
    title="Den",
    workspace="",
    session_id="den-1",
    leaf=None,
    created_at=0.0,
    updated_at=0.0,
)
SECRET = "key-of-the-fake-model"
PROVIDER = Provider(id="fake", model="fake-1", secrets={"FAKE_LLM_KEY": Secret(SECRET)})


class FakePlan(AgentPlan, frozen=True, kw_only=True):
    """Starts the scripted pi in place of the real one, with the next of `scripts`; the last one stays."""

    scripts: list[dict[str, Any]]

    def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
        real = super().spec(room, mark, *given, **more)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return msgspec.structs.replace(
            real,
            argv=(*fake_pi.COMMAND, *real.argv[2:]),
            env=real.env | {"FAKE_PI": json.dumps(script)},
            needs=(),
        )


def plan(folder: Path, **more: Any) -> dict[str, Any]:
    """The fields of a plan whose folders are below `folder`."""
    here = Path(__file__)
    fields = {
        "installation": Installation(node=here, cli=here, extension=here, version="0"),
        "provider": PROVIDER,
        "sessions_dir": folder / "sessions",
        "agent_dir": folder / "agent",
        "cache_dir": folder / "cache",
        "trust_projects": False,
        "environ": dict(os.environ),
    }
    return fields | more


def scripted(folder: Path, *scripts: dict[str, Any], **more: Any) -> FakePlan:
    """A plan with the scripted pi."""
    return FakePlan(**plan(folder, scripts=list(scripts) or [{}], **more))


class RoomStore(Actor[StoreRequest]):
    """A store that knows one room and its past, and keeps what it is to tell people."""

    mailbox = Mailbox(16, Overflow.WAIT)

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench

    async def receive(self, message: StoreRequest) -> Reply | Promise[Any]:
        match message:
            case Tell():
                self._bench.told += message.deliveries
                return message.reply(None)
            case SearchHistory():
                self._bench.searched.append(message)
                promise: Promise[tuple[Found, ...]] = self.later(message)
                if isinstance(self._bench.past, Exception):
                    promise.fail(self._bench.past)
                else:
                    promise.set(self._bench.past)
                return promise
            case _:
                assert isinstance(message, GetRoom)
                return message.reply(self._bench.room)


class Listener(Actor[AgentEvent]):
    """A conversation that keeps what it hears; closed `ears` make it deaf for a while."""

    mailbox = Mailbox(4, Overflow.WAIT)

    def __init__(self, hear: Callable[[AgentEvent], None], ears: "Ears") -> None:
        self._hear = hear
        self._ears = ears

    async def receive(self, message: AgentEvent) -> None:
        await self._ears.wait()
        self._hear(message)


class Ears:
    """Whether the listener listens."""

    def __init__(self) -> None:
        self._open = trio.Event()
        self._open.set()

    def close(self) -> None:
        self._open = trio.Event()

    def open(self) -> None:
        self._open.set()

    async def wait(self) -> None:
        await self._open.wait()


class Bench:
    """The room, what was heard of its agent, and hands to steer both."""

    def __init__(self, room: Room, ears: Ears) -> None:
        self.room = room
        self.heard: list[AgentEvent] = []
        self.told: list[NewDelivery] = []
        self.past: tuple[Found, ...] | Exception = ()
        self.searched: list[SearchHistory] = []
        self.ears = ears
        self.system: System
        self.recorder: Recorder
        self.agent: Ref[AgentMessage]
        self._read = 0
        self._news = trio.Event()

    def hear(self, event: AgentEvent) -> None:
        self.heard.append(event)
        self._news.set()

    async def until(self, kind: type[E], which: Callable[[E], bool] = lambda _: True) -> E:
        """The next event of `kind` that was not looked at yet; what came before it counts as looked at."""
        with trio.fail_after(PATIENCE):
            while True:
                while self._read < len(self.heard):
                    event = self.heard[self._read]
                    self._read += 1
                    if isinstance(event, kind) and which(event):
                        return event
                self._news = trio.Event()
                await self._news.wait()

    async def ready(self) -> int:
        """Wait for the agent; its incarnation."""
        return (await self.until(AgentReady)).incarnation

    async def full(self) -> None:
        """Wait until the conversation's mailbox is full."""
        with trio.fail_after(PATIENCE):
            while True:
                fill = self.system.snapshot("/conversation").mailbox
                if fill is not None and fill.size == fill.capacity:
                    return
                await trio.sleep(0.01)

    async def listened(self) -> None:
        """Wait until the conversation has heard all that it was told."""
        with trio.fail_after(PATIENCE):
            while (fill := self.system.snapshot("/conversation").mailbox) is not None and fill.size:  # noqa: ASYNC110
                await trio.sleep(0.01)

    @property
    def pid(self) -> int:
        """The process of the agent."""
        pid = self.system.snapshot("/agent").pid
        assert pid is not None
        return pid

    @property
    def doing(self) -> str | None:
        """What the tree says that it does."""
        return self.system.snapshot("/agent").doing


@asynccontextmanager
async def open_bench(
    folder: Path,
    plan: AgentPlan,
    *,
    restart: Restart = Restart.PERMANENT,
    tools: tuple[type[HostTool], ...] = OF_ROOMS,
    hands: MakeHands | None = None,
    find: Callable[[], Awaitable[Room]] | None = None,
    sandbox: Callable[[Room], Sandbox] | None = None,
    **room: Any,
) -> AsyncIterator[Bench]:
    """The tree, up. `room`: fields of the room; all else as `Agent` has it."""
    given = msgspec.structs.replace(ROOM, **({"workspace": str(folder / "work")} | room))
    bench = Bench(given, Ears())
    for name in ("sessions", "agent"):
        (folder / name).mkdir(exist_ok=True)

    def tree(system: System) -> Supervisor:
        bench.recorder = Recorder(system)
        store = system.ref("/store", RoomStore)
        conversation = system.ref("/conversation", Listener)
        return Supervisor(
            ChildSpec("store", partial(RoomStore, bench)),
            ChildSpec("conversation", partial(Listener, bench.hear, bench.ears)),
            ChildSpec(
                "agent",
                partial(
                    Agent,
                    given.slug,
                    plan,
                    store=store,
                    conversation=conversation,
                    find=find,
                    tools=tools,
                    sandbox=sandbox,
                    hands=hands,
                ),
                restart=restart,
                shutdown=8.0,
            ),
            intensity=Intensity(5, within=60.0),
        )

    async with open_system(tree) as system:
        bench.system = system
        bench.agent = system.ref("/agent", Agent)
        yield bench
    assert_nothing_left(system)


def processes(marker: str) -> list[int]:
    """The living processes in whose environment or command line `marker` stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                seen = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in seen:
                found.append(int(entry.name))
    return found
