"""A registrar at work, for tests: the store's own rows, a pool of sub-agents that do what the test says, no threads."""

import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from actors.asking import insist
from actors.messages import (
    BeginRun,
    Changes,
    EndSubagent,
    GetSubagent,
    LookAtChildren,
    Place,
    Room,
    StoreRequest,
    Subagent,
    SubagentState,
    Wake,
)
from actors.settings import SubagentsSettings
from actors.store.buttons import buttons_of
from actors.subagents import ends
from actors.subagents.deciding import Merging
from actors.subagents.registrar import Registrar
from actors.subagents.results import Applied
from actors.subagents.sweep import Disk
from supervisor import (
    Actor,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Mailbox,
    NoSuchActor,
    Overflow,
    Ref,
    Restart,
    Strategy,
    Supervisor,
    System,
)
from supervisor.testing import Probe, Recorder, open_test_system
from tests.actors.rooms.house import BookStore, Boom, Faults, until
from tests.actors.store.books import Books

POOL: Final = "/subagents/pool"
REGISTRAR: Final = "/subagents/registrar"


class Worker(Actor[Any]):
    """Speaks for a sub-agent as far as `Estate` lets it: begins its run, ends when it is to."""

    mailbox = Mailbox(16, Overflow.WAIT)

    def __init__(self, estate: "Estate", slug: str) -> None:
        self._estate = estate
        self._slug = slug

    async def started(self) -> None:
        if self._slug in self._estate.unstartable:
            raise Boom("it cannot start")
        self._estate.starts.append(self._slug)
        self.context.start_soon(self._look)

    async def receive(self, message: Any) -> None:
        if message == "die":
            raise Boom("the worker broke")
        if isinstance(message, Wake):
            self._estate.wakes.append(self._slug)
            await self._look()

    async def _look(self) -> None:
        estate, slug = self._estate, self._slug
        sub = await insist(estate.store, GetSubagent(slug=slug))
        assert sub is not None
        if sub.ended:
            return
        if sub.stop is not None:
            if slug not in estate.deaf:
                await insist(estate.store, ends.end(sub, sub.stop, time.time(), text="so far"))
                estate.registrar.tell_nowait(Wake())
        elif not sub.run:
            begin = BeginRun(slug=slug, run=1, attempt=1, prompt=sub.task, leaf=None)
            await insist(estate.store, begin)


class TellingStore(BookStore):
    """The store; `Estate.meanwhile` is done when a request has been carried out and before it is answered."""

    def __init__(self, books: Books, faults: Faults, estate: "Estate") -> None:
        super().__init__(books, faults)
        self._estate = estate

    async def receive(self, message: StoreRequest) -> Any:
        reply = await super().receive(message)
        await self._estate.carried_out(type(message))
        return reply


class FragileRegistrar(Registrar):
    """A registrar that a test can crash."""

    async def receive(self, message: Any) -> None:
        if message is None:
            raise Boom("the registrar broke")
        await super().receive(message)


class Estate:
    """The registrar, its neighbours, and what they have heard."""

    def __init__(self, system: System, books: Books, faults: Faults, state: Path, room: Room) -> None:
        self.system = system
        self.recorder = Recorder(system)
        self.books = books
        self.faults = faults
        self.state = state
        self.room = room
        self.registrar: Ref[Any] = system.ref(REGISTRAR, FragileRegistrar)
        self.store: Ref[StoreRequest] = system.ref("/store", BookStore)
        self.router: list[Any] = []
        self.outbox: list[Any] = []
        self.agents: list[tuple[str, str | None]] = []  # who was told to look
        self.wakes: list[str] = []
        self.starts: list[str] = []
        self.deaf: set[str] = set()
        self.unstartable: set[str] = set()
        self.applied: list[str] = []
        self.merging: Callable[[], tuple[str, ...]] = lambda: ("a.txt",)
        self.diff = "+a line"
        self.changed: dict[str, Changes | Exception] = {}
        self.unremovable: set[str] = set()
        self.gathered: list[str] = []
        self.slow = 0.0  # seconds that gathering and merging take
        self.meanwhile: dict[type, Callable[[], Awaitable[object]]] = {}
        self._crash: tuple[type, int] | None = None

    # --- what a test does

    def spawn(self, task: str, parent: str | None = None, **changes: Any) -> str:
        """A sub-agent of the shop's, or of `parent`, whose run is on; its slug."""
        if parent is not None:
            changes.setdefault("turn", self.row(parent).turn_id)
        return self.books.spawn(task, parent=parent, **changes).slug

    async def wake(self) -> None:
        await self.registrar.tell(Wake())

    async def running(self, task: str, parent: str | None = None, **changes: Any) -> str:
        """The same, once it runs."""
        slug = self.spawn(task, parent, **changes)
        await self.wake()
        await self.runs(slug)
        return slug

    async def runs(self, *slugs: str) -> None:
        """Wait until these run."""
        await until(lambda: all(self.row(slug).state is SubagentState.RUNNING for slug in slugs))

    async def finish(self, slug: str, **changes: Any) -> None:
        """It ends by itself."""
        sub = self.row(slug)
        end = ends.end(sub, SubagentState.COMPLETED, self.books.now, text="done", **changes)
        assert self.books.do(end)
        await self.wake()

    async def ended(self, *slugs: str) -> None:
        """Wait until these have ended and nothing of them is left in the tree."""
        await until(lambda: all(self.row(slug).ended for slug in slugs) and not set(slugs) & set(self.pool()))

    async def kill(self, slug: str) -> None:
        """Its worker dies until its supervisor gives it up."""
        ref: Ref[Any] = self.system.ref(f"{POOL}/{slug}/subagent", Worker)
        while slug in self.pool():
            with suppress(NoSuchActor):
                await ref.tell("die")
            await trio.sleep(0.3)

    async def crash(self) -> None:
        """The registrar dies."""
        before = self.system.snapshot(REGISTRAR).incarnation
        await self.registrar.tell(None)
        await until(lambda: self.system.snapshot(REGISTRAR).incarnation > before)

    def crash_after(self, request: type, times: int = 1) -> None:
        """The registrar dies when so many requests of that type have been carried out, before it hears of it."""
        self._crash = request, times

    async def carried_out(self, request: type) -> None:
        if request in self.meanwhile:
            await self.meanwhile.pop(request)()
        if self._crash is None or self._crash[0] is not request:
            return
        self._crash = (request, self._crash[1] - 1) if self._crash[1] > 1 else None
        if self._crash is None:
            self.registrar.tell_nowait(None, urgent=True)
            await trio.sleep(0.01)

    @property
    def crashed(self) -> bool:
        """Whether it has died of that."""
        return self._crash is None and self.system.snapshot(REGISTRAR).incarnation > 1

    # --- what a test looks at

    def row(self, slug: str) -> Subagent:
        return self.books.subagent(slug)

    def states(self) -> dict[str, str]:
        return {str(slug): str(state) for slug, state in self.books.db.execute("SELECT slug, state FROM subagents")}

    def pool(self) -> list[str]:
        return [node.path.rpartition("/")[2] for node in self.system.which_children(POOL)]

    def lines(self) -> dict[str, str]:
        """What people read about each, by its slug."""
        rows = self.books.db.execute("SELECT key, text FROM deliveries WHERE key GLOB 'subagent:*' ORDER BY id")
        return {str(key).partition(":")[2]: str(text) for key, text in rows}

    def buttons(self, slug: str) -> list[str]:
        """Those under its line."""
        kept: str = self.books.db.execute("SELECT buttons FROM deliveries WHERE key = ?", (f"subagent:{slug}",)).get
        return [button.command for row in buttons_of(kept) for button in row]

    def answers(self) -> list[str]:
        """What people were answered besides."""
        rows = self.books.db.execute("SELECT text FROM deliveries WHERE key IS NULL ORDER BY id")
        return [str(text) for (text,) in rows]

    def inbounds(self) -> list[str]:
        """The keys of the reports that wait for the room's agent."""
        rows = self.books.db.execute("SELECT key FROM inbound WHERE key GLOB 'subagent:*' ORDER BY id")
        return [str(key) for (key,) in rows]

    def asked(self, request: type) -> int:
        return sum(isinstance(each, request) for each in self.faults.asked)

    def ends_that_counted(self) -> list[str]:
        """Of whom an end was committed, once for each time."""
        return [each.slug for each in self.faults.asked if isinstance(each, EndSubagent)]

    def folders(self, slug: str) -> list[Path]:
        """What one works with, made as the worker would."""
        work, session = self.state / "subagents" / slug, self.state / "sessions" / slug
        for folder in (work, session):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "a.txt").write_text("text", encoding="utf-8")
        return [work, session]

    async def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []  # noqa: ASYNC240  # no threads

    async def remove(self, folder: Path) -> None:
        if folder.name in self.unremovable:
            raise PermissionError(13, "Permission denied")
        assert folder.name not in self.pool() or folder.parent.name == "results", f"{folder.name} still runs"
        shutil.rmtree(folder, ignore_errors=True)

    async def gather(self, sub: Subagent) -> Changes | None:
        assert sub.slug not in self.pool(), f"{sub.slug} still runs"
        self.gathered.append(sub.slug)
        await trio.sleep(self.slow)
        found = self.changed.get(sub.slug)
        if isinstance(found, Exception):
            raise found
        return found

    async def apply(self, changes: Any, workspace: str) -> Applied:
        self.applied.append(f"{changes.patch} {workspace}")
        await trio.sleep(self.slow)
        return Applied(self.merging())

    async def show(self, _: Any, most: int) -> str:
        return self.diff[:most]


@asynccontextmanager
async def open_estate(
    tmp_path: Path, *, before: Callable[[Books, Path], object] = lambda _, __: None, **bounds: int
) -> AsyncIterator[Estate]:
    """A registrar for one room called shop that has nothing to do. `bounds`: of `SubagentsSettings`."""
    books, faults, state = Books(tmp_path / "state.db"), Faults(), tmp_path / "state"
    books.now = time.time()
    room = books.say(title="Shop").room
    books.db.execute("UPDATE inbound SET state = 'done'")
    before(books, state)
    found: list[Estate] = []

    def tree(system: System) -> Supervisor:
        estate = Estate(system, books, faults, state, room)
        found.append(estate)

        def make(sub: Subagent) -> ChildSpec[Any]:
            worker = ChildSpec("subagent", partial(Worker, estate, sub.slug))
            return ChildSpec(
                sub.slug, Supervisor(worker, intensity=Intensity(1, within=60.0)), restart=Restart.TEMPORARY
            )

        def agent_of(slug: str, parent: str | None) -> Ref[LookAtChildren]:
            estate.agents.append((slug, parent))
            return system.ref("/agents", Probe)

        def outbox(place: Place) -> Ref[Any]:
            assert place == estate.room.place
            return system.ref("/outbox", Probe)

        registrar = partial(
            FragileRegistrar,
            POOL,
            store=estate.store,
            router=system.ref("/router", Probe),
            outbox=outbox,
            make=make,
            worker=lambda slug: system.ref(f"{POOL}/{slug}/subagent", Worker),
            agent_of=agent_of,
            settings=msgspec.convert({"max": 2, "max_per_room": 9, "max_depth": 8} | bounds, SubagentsSettings),
            state=state,
            merging=Merging(estate.apply, estate.show),
            disk=Disk(estate.names, estate.remove),
            gather=estate.gather,
        )
        return Supervisor(
            ChildSpec("store", partial(TellingStore, books, faults, estate)),
            ChildSpec("outbox", partial(Probe, estate.outbox)),
            ChildSpec("router", partial(Probe, estate.router)),
            ChildSpec("agents", partial(Probe, [])),
            ChildSpec(
                "subagents",
                Supervisor(
                    ChildSpec("pool", DynamicSupervisor(max_children=50)),
                    ChildSpec("registrar", registrar),
                    strategy=Strategy.REST_FOR_ONE,
                    intensity=Intensity(10, within=60.0),
                ),
            ),
        )

    async with open_test_system(tree):
        yield found[0]
    books.db.close()
