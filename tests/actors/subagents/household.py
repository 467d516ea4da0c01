"""One sub-agent at work, for tests: the store's rows, a worker, an agent led by the test, ground without folders."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from actors.asking import insist
from actors.messages import (
    AgentEvent,
    AgentLost,
    AgentMessage,
    AgentReady,
    Changes,
    Entry,
    FindHome,
    GetSubagent,
    ModelInfo,
    Place,
    PrepareSubagent,
    Prompt,
    Recall,
    Recalled,
    Room,
    StopSubagents,
    Subagent,
    SubagentState,
    ToolCall,
    ToolStarted,
    TurnSettled,
    Usage,
    Wake,
)
from actors.store.buttons import buttons_of
from actors.subagents.ground import Ground, Made, Unmade
from actors.subagents.subagent import Worker
from supervisor import (
    Actor,
    ChildSpec,
    Intensity,
    Mailbox,
    Message,
    Overflow,
    Ref,
    Restart,
    State,
    Strategy,
    Supervisor,
    System,
)
from supervisor.testing import Probe, open_test_system
from tests.actors.rooms.house import BookStore, Boom, Faults, until
from tests.actors.store.books import Books

PATIENCE: Final = 120.0
"""Seconds of virtual time that a test waits for something."""
MODELS: Final = (ModelInfo(id="ant/small"), ModelInfo(id="ant/large"))


class Site:
    """The ground: what was done on it, and what is to go wrong."""

    def __init__(self) -> None:
        self.ready: dict[str, Made] = {}
        self.calls: list[str] = []
        self.gate = trio.Event()  # the workspace is made when it is set
        self.gate.set()
        self.gathering = trio.Event()  # what was changed is kept when it is set
        self.gathering.set()
        self.unmade = ""
        self.unkept = ""
        self.changes: Changes | None = None
        self.alive: Callable[[], bool] = lambda: False  # whether anybody works there

    def ground(self) -> Ground:
        """As the worker is given it."""
        return Ground(lambda slug: f"/state/{slug}/work", self._look, self._make, self._gather)

    async def _look(self, slug: str) -> Made | None:
        await trio.lowlevel.checkpoint()
        return self.ready.get(slug)

    async def _make(self, sub: Subagent, parent: str, told: Callable[[str], None]) -> Made:
        self.calls.append(f"make {sub.slug} of {parent}")
        try:
            told("carrying files")
            await self.gate.wait()
        except trio.Cancelled:
            self.calls.append("wiped")
            raise
        if self.unmade:
            raise Unmade(self.unmade)
        self.ready[sub.slug] = Made("clone", ("big.bin left out: 600 MB.",))
        return self.ready[sub.slug]

    async def _gather(self, sub: Subagent) -> Changes | None:
        await trio.lowlevel.checkpoint()
        assert not self.alive(), "somebody still works there"
        self.calls.append(f"gather {sub.slug}")
        await self.gathering.wait()
        if self.unkept:
            raise Unmade(self.unkept)
        return self.changes if sub.slug in self.ready else None


class Pi:
    """What outlives an agent's incarnation: its session, what it was told, and how it is to die."""

    def __init__(self) -> None:
        self.told: list[AgentMessage] = []
        self.homes: list[Room] = []
        self.leaf: str | None = None
        self.incarnation = 0
        self.model = MODELS[0]
        self.usage = Usage()
        self.fails = 0  # so many of its next starts
        self.worker: Ref[Any] | None = None
        self._news = trio.Event()
        self._death = trio.Event()

    async def next(self, number: int) -> AgentMessage:
        """The `number`-th message that any incarnation was told, from 0, as soon as it has come."""
        with trio.fail_after(PATIENCE):
            while len(self.told) <= number:
                await self._news.wait()
        return self.told[number]

    async def prompt(self, number: int) -> Prompt:
        """The same, which is a prompt."""
        message = await self.next(number)
        assert isinstance(message, Prompt), message
        return message

    async def say(self, event: AgentEvent) -> None:
        """Tell the worker."""
        assert self.worker is not None
        await self.worker.tell(event)

    async def finish(self, turn: str, text: str, stop_reason: str = "stop", error: str = "") -> None:
        """End a run."""
        self.leaf = f"leaf of {turn}"
        await self.say(
            TurnSettled(
                turn=turn,
                incarnation=self.incarnation,
                text=text,
                stop_reason=stop_reason,
                error=error,
                leaf=self.leaf,
                usage=self.usage,
            )
        )

    async def recall(self, number: int, *entries: Entry) -> Recall:
        """Answer the `number`-th message, which asks what the session holds."""
        message = await self.next(number)
        assert isinstance(message, Recall), message
        leaf = entries[-1].id if entries else None
        await self.say(Recalled(turn=message.turn, incarnation=self.incarnation, entries=entries, leaf=leaf))
        return message

    async def tool(self, turn: str, call: str, tool: str, summary: str = "") -> None:
        """Begin to run a tool."""
        await self.say(ToolStarted(turn=turn, call=call, tool=tool, summary=summary))

    async def lose(self, what: str) -> None:
        """End the incarnation that lives now, with a word about it."""
        await self.say(AgentLost(incarnation=self.incarnation, what=what))
        self.crash()

    def crash(self) -> None:
        """End the incarnation that lives now."""
        self._death.set()

    def hear(self, message: AgentMessage) -> None:
        self.told.append(message)
        self._news.set()
        self._news = trio.Event()

    async def live(self) -> None:
        self._death = trio.Event()
        await self._death.wait()
        raise Boom("pi ended")


class ScriptedAgent(Actor[AgentMessage]):
    """An agent that asks for its home, greets, and otherwise does what the test says."""

    mailbox = Mailbox(64, Overflow.REJECT, on_restart_keep=False)

    def __init__(self, pi: Pi, slug: str, worker: Ref[AgentEvent | FindHome]) -> None:
        self._pi = pi
        self._slug = slug
        self._worker = worker

    async def started(self) -> None:
        self.context.start_soon(self._greet)

    async def receive(self, message: AgentMessage) -> None:
        self._pi.hear(message)

    async def _greet(self) -> None:
        pi = self._pi
        pi.homes.append(await insist(self._worker, FindHome()))
        if pi.fails:
            pi.fails -= 1
            raise Boom("no bwrap here")
        pi.worker, pi.incarnation = self._worker, self.context.incarnation
        await self._worker.tell(
            AgentReady(
                incarnation=pi.incarnation,
                session_id=pi.homes[-1].session_id,
                leaf=pi.leaf,
                model=pi.model,
                models=MODELS,
                usage=pi.usage,
            )
        )
        await pi.live()


class FragileWorker(Worker):
    """A worker that a test can crash."""

    async def receive(self, message: Any) -> Any:
        if message == "die":
            raise Boom("the worker broke")
        return await super().receive(message)


class Household:
    """One sub-agent, its neighbours, and what they have heard."""

    def __init__(self, system: System, books: Books, faults: Faults, slug: str, pi: Pi, site: Site) -> None:
        self.system = system
        self.books = books
        self.faults = faults
        self.slug = slug
        self.pi = pi
        self.site = site
        self.path = f"/pool/{slug}"
        self.worker: Ref[Any] = system.ref(f"{self.path}/subagent", FragileWorker)
        self.registrar: list[Message] = []
        self.outbox: list[Message] = []

    @property
    def row(self) -> Subagent:
        """As it stands now."""
        found = self.books.do(GetSubagent(slug=self.slug))
        assert found is not None
        return found

    def agent_lives(self) -> bool:
        """Whether its agent is up."""
        return self.system.snapshot(f"{self.path}/agent").state is State.RUNNING

    def line(self) -> str:
        """What people see of it now."""
        text: str | None = self.books.db.execute(
            "SELECT text FROM deliveries WHERE key = ?", (f"subagent:{self.slug}",)
        ).get
        return text or ""

    def buttons(self) -> list[str]:
        """The labels of the buttons under it."""
        kept = self.books.db.execute("SELECT buttons FROM deliveries WHERE key = ?", (f"subagent:{self.slug}",)).get
        return [button.label for row in buttons_of(kept) for button in row]

    def answers(self) -> list[str]:
        """The answers that people were sent."""
        return [str(text) for (text,) in self.books.db.execute("SELECT text FROM deliveries WHERE kind = 'answer'")]

    async def wake(self) -> None:
        """The registrar says that the row has changed."""
        await self.worker.tell(Wake())

    async def stop(self, outcome: SubagentState = SubagentState.CANCELLED) -> None:
        """Somebody wants it to end."""
        self.books.do(StopSubagents(slug=self.slug, outcome=outcome))
        await self.wake()

    def child(self, task: str, **changes: Any) -> str:
        """It begins a sub-agent of its own, which is at work."""
        return self.books.at_work(task, parent=self.slug, turn=self.row.turn_id, **changes)

    async def end_child(self, slug: str, text: str = "done") -> None:
        """A child of it ends, and the registrar says so."""
        self.books.do(self.books.ending(slug, text=text))
        await self.wake()

    async def ended(self) -> Subagent:
        """Its row, once it has reported."""
        await until(lambda: self.row.ended)
        return self.row


@asynccontextmanager
async def open_household(
    tmp_path: Path,
    *,
    pi: Pi | None = None,
    site: Site | None = None,
    faults: Faults | None = None,
    by_person: bool = False,
    before: Callable[[Books, str], None] | None = None,
    **spawn: Any,
) -> AsyncIterator[Household]:
    """A sub-agent of the shop that has its place. `before`: what has been done to its row in an earlier life."""
    books, faults, pi, site = Books(tmp_path / "state.db"), faults or Faults(), pi or Pi(), site or Site()
    books.now = time.time()
    here = Place("telegram", 7)  # a private chat: in a group the line changes more slowly
    said = books.say("hi", place=here)
    books.begin("t1", said)
    origin: dict[str, Any] = (
        {"by": books.say("/spawn", place=here, command="spawn").inbound} if by_person else {"turn": "t1"}
    )
    slug = books.spawn("Look into it", **(origin | spawn)).slug
    books.do(PrepareSubagent(slug=slug))
    if before is not None:
        before(books, slug)
    homes: list[Household] = []

    def tree(system: System) -> Supervisor:
        home = Household(system, books, faults, slug, pi, site)
        homes.append(home)
        worker = partial(
            FragileWorker,
            slug,
            store=system.ref("/store", BookStore),
            agent=system.ref(f"{home.path}/agent", ScriptedAgent),
            registrar=system.ref("/registrar", Probe),
            outbox=lambda _: system.ref("/outbox", Probe),
            ground=site.ground(),
        )
        parts = Supervisor(
            ChildSpec("subagent", worker),
            ChildSpec("agent", partial(ScriptedAgent, pi, slug, home.worker)),
            strategy=Strategy.REST_FOR_ONE,
            intensity=Intensity(5, within=60.0),
        )
        return Supervisor(
            ChildSpec("store", partial(BookStore, books, faults)),
            ChildSpec("outbox", partial(Probe, home.outbox)),
            ChildSpec("registrar", partial(Probe, home.registrar)),
            ChildSpec("pool", Supervisor(ChildSpec(slug, parts, restart=Restart.TEMPORARY))),
            intensity=Intensity(10, within=60.0),
        )

    async with open_test_system(tree):
        site.alive = homes[0].agent_lives
        yield homes[0]
    books.db.close()


# --- entries of a session


def user(text: str = "the prompt") -> Entry:
    """What it was told."""
    return Entry(id=f"u {text}", role="user", text=text)


def said(text: str, stop_reason: str = "stop") -> Entry:
    """What it said."""
    return Entry(id=f"a {text}", role="assistant", text=text, stop_reason=stop_reason)


def called(call: str, tool: str = "bash") -> Entry:
    """A call that it made."""
    calls = (ToolCall(id=call, tool=tool, summary=""),)
    return Entry(id=f"c {call}", role="assistant", text="", stop_reason="toolUse", calls=calls)


def result(call: str, text: str = "ok") -> Entry:
    """What came of a call."""
    return Entry(id=f"r {call}", role="toolResult", text=text, call=call)
