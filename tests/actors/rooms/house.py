"""A house for rooms, for tests: the store's own rows behind an actor without a thread, and neighbours led by the test.

The real store works in a thread, which a virtual clock does not wait for; this one does the same in the actor's task.
"""

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
    Bounds,
    BusyMode,
    Continue,
    Fetch,
    Fetched,
    GetRoom,
    ModelInfo,
    Prompt,
    QuestionAsked,
    Reopen,
    Room,
    StoreRequest,
    TurnSettled,
    Usage,
    Wake,
)
from actors.rooms.conversation import Conversation
from actors.rooms.fates import Setting
from actors.store.buttons import buttons_of, press_data
from supervisor import (
    Actor,
    ChildSpec,
    Intensity,
    Mailbox,
    Message,
    Overflow,
    Promise,
    Ref,
    Reply,
    Restart,
    Strategy,
    Supervisor,
    System,
)
from supervisor.testing import Probe, open_test_system
from tests.actors.rooms.rows import PROJECTS
from tests.actors.store.books import Books

BOUNDS: Final = Bounds(max=2, max_per_room=2, max_depth=2)
PATIENCE: Final = 120.0
"""Seconds of virtual time that a test waits for something."""


class Boom(Exception):
    """What something dies of because a test says so."""


class BookStore(Actor[StoreRequest]):
    """The store's transactions. `before` and `after` may raise, or return an error to answer with."""

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, books: Books, faults: "Faults") -> None:
        self._books = books
        self._faults = faults

    async def receive(self, message: StoreRequest) -> Reply | Promise[Any]:
        self._faults.asked.append(message)
        promise: Promise[Any] = self.later(message)
        refused = self._faults.before.pop(type(message), None)
        if isinstance(refused, Boom):
            raise refused
        if refused is not None:
            promise.fail(refused)
            return promise
        (reply,) = self._books.batch(message)
        if type(message) in self._faults.after:
            raise self._faults.after.pop(type(message))
        if isinstance(reply, Exception):
            promise.fail(reply)
        else:
            promise.set(reply)
        return promise


class Faults:
    """What is to go wrong, once each: by the type of the request, before or after its transaction."""

    def __init__(self) -> None:
        self.before: dict[type, Exception] = {}
        self.after: dict[type, Exception] = {}
        self.asked: list[StoreRequest] = []


class Pi:
    """What outlives an agent's incarnation: its session's leaf, what it was told, and how it is to die."""

    def __init__(self) -> None:
        self.told: list[AgentMessage] = []
        self.leaf: str | None = None
        self.incarnation = 0
        self.old_session: str | None = None
        self.model = ModelInfo(id="ant/small")
        self.usage = Usage()
        self.unconsumed: tuple[int, ...] = ()
        self._news = trio.Event()
        self._death = trio.Event()
        self._conversation: Ref[AgentEvent] | None = None

    async def next(self, number: int) -> AgentMessage:
        """The `number`-th message that any incarnation was told, from 0, as soon as it has come."""
        with trio.fail_after(PATIENCE):
            while len(self.told) <= number:
                await self._news.wait()
        return self.told[number]

    async def say(self, event: AgentEvent) -> None:
        """Tell the conversation."""
        assert self._conversation is not None
        await self._conversation.tell(event)

    async def finish(self, prompt: AgentMessage, text: str, stop_reason: str = "stop") -> None:
        """End the run that a prompt began."""
        assert isinstance(prompt, Prompt | Continue)
        self.leaf = f"leaf of {prompt.turn}"
        await self.say(
            TurnSettled(
                turn=prompt.turn,
                incarnation=self.incarnation,
                text=text,
                stop_reason=stop_reason,
                error="",
                leaf=self.leaf,
                unconsumed=self.unconsumed,
                usage=self.usage,
                files=2,
            )
        )

    async def ask(self, prompt: AgentMessage, *options: str, dialog: str = "d", timeout: float | None = None) -> None:
        """Let the run that a prompt began wait for a person."""
        assert isinstance(prompt, Prompt | Continue)
        await self.say(
            QuestionAsked(
                turn=prompt.turn,
                incarnation=self.incarnation,
                dialog=dialog,
                method="select" if options else "input",
                title="Which one?",
                text="",
                options=options,
                timeout=timeout,
            )
        )

    def crash(self) -> None:
        """End the incarnation that lives now."""
        self._death.set()

    async def lose(self, what: str, *stderr: str) -> None:
        """The same, with a word about it."""
        await self.say(AgentLost(incarnation=self.incarnation, what=what, stderr=stderr))
        self.crash()

    def hear(self, message: AgentMessage) -> None:
        self.told.append(message)
        self._news.set()
        self._news = trio.Event()

    async def live(self, incarnation: int, conversation: Ref[AgentEvent]) -> None:
        self.incarnation, self._conversation, self._death = incarnation, conversation, trio.Event()
        await self._death.wait()
        raise Boom("pi ended")


class ScriptedAgent(Actor[AgentMessage]):
    """An agent that greets and otherwise does what the test says."""

    mailbox = Mailbox(64, Overflow.REJECT, on_restart_keep=False)

    def __init__(self, pi: Pi, slug: str, store: Ref[StoreRequest], conversation: Ref[AgentEvent]) -> None:
        self._pi = pi
        self._slug = slug
        self._store = store
        self._conversation = conversation
        self._session = ""

    async def started(self) -> None:
        self.context.start_soon(self._pi.live, self.context.incarnation, self._conversation)
        self.context.start_soon(self._greet)

    async def receive(self, message: AgentMessage) -> None:
        self._pi.hear(message)
        if isinstance(message, Reopen) and message.session_id != self._session:
            self._pi.leaf = None
            self.context.start_soon(self._greet)

    async def _greet(self) -> None:
        room = await insist(self._store, GetRoom(slug=self._slug))
        self._session, self._pi.old_session = self._pi.old_session or room.session_id, None
        await self._conversation.tell(
            AgentReady(
                incarnation=self.context.incarnation,
                session_id=self._session,
                leaf=self._pi.leaf,
                model=self._pi.model,
                usage=self._pi.usage,
            )
        )


class Fetcher(Actor[Fetch]):
    """Saves a file under its name, once the test lets it; some are not to be had."""

    mailbox = Mailbox(8, Overflow.WAIT)

    def __init__(self, gate: trio.Event, fetched: list[Fetch]) -> None:
        self._gate = gate
        self._fetched = fetched

    async def receive(self, message: Fetch) -> Reply:
        await self._gate.wait()
        self._fetched.append(message)
        name = message.attachment.name
        if name.startswith("lost"):
            return message.reply(Fetched(path=None, error="it is too large"))
        return message.reply(Fetched(path=f"uploads/{name}"))


class House:
    """One room in a system, with a recording router and outbox."""

    def __init__(self, system: System, books: Books, faults: Faults, room: Room, pi: Pi) -> None:
        self.system = system
        self.books = books
        self.faults = faults
        self.room = room
        self.pi = pi
        self.files = trio.Event()  # set it, and files can be fetched
        self.fetched: list[Fetch] = []
        self.router: list[Message] = []
        self.registrar: list[Message] = []
        self.outbox: list[Message] = []
        self.conversation: Ref[Any] = system.ref(f"/pool/{room.slug}/conversation", Conversation)

    def texts(self) -> list[str]:
        """What the room's people are told, as it stands now, the oldest first; neither waits nor crashes."""
        about = "key IS NULL OR key NOT GLOB 'busy:*' AND key NOT GLOB 'crash:*'"
        rows = self.books.db.execute(f"SELECT text FROM deliveries WHERE {about} ORDER BY id")
        return [str(text) for (text,) in rows]

    def waits(self) -> list[str]:
        """What people are told about messages that find the agent busy, as it stands now, the oldest first."""
        rows = self.books.db.execute("SELECT text FROM deliveries WHERE key GLOB 'busy:*' ORDER BY id")
        return [str(text) for (text,) in rows]

    def crashes(self) -> list[str]:
        """What people are told about crashes of turns that go on, as it stands now, the oldest first."""
        rows = self.books.db.execute("SELECT text FROM deliveries WHERE key GLOB 'crash:*' ORDER BY id")
        return [str(text) for (text,) in rows]

    def states(self) -> dict[str, str]:
        """What became of each inbound, by its text."""
        return {str(text): str(state) for text, state in self.books.db.execute("SELECT text, state FROM inbound")}

    async def say(self, text: str, command: str | None = None, **changes: Any) -> int:
        """A person writes; the inbound's id."""
        said = self.books.say(text, command=command, **changes)
        await self.conversation.tell(Wake())
        return said.inbound

    async def press(self, label: str) -> None:
        """A person presses the newest button with this label."""
        rows: list[Any] = self.books.db.execute("SELECT id, buttons FROM deliveries ORDER BY id DESC").fetchall()
        found = [
            press_data(delivery, number)
            for delivery, kept in rows
            for number, button in enumerate(button for row in buttons_of(kept) for button in row)
            if button.label == label
        ]
        pressed = self.books.press(found[0])
        assert pressed.room is not None, pressed.said
        await self.conversation.tell(Wake())

    async def prompt(self, number: int) -> Prompt:
        """The `number`-th message to the agent, which is a prompt."""
        message = await self.pi.next(number)
        assert isinstance(message, Prompt), message
        return message


@asynccontextmanager
async def open_room(
    tmp_path: Path,
    *,
    turn_timeout: float = 1800.0,
    first: str = "hi",
    faults: Faults | None = None,
    pi: Pi | None = None,
    busy: BusyMode = "follow_up",
    has_files: bool = True,
    on_restart: Setting = "resume",
    failed: bool = False,
    **inbound: Any,  # changes of the first message
) -> AsyncIterator[House]:
    """A room with one accepted message, awake. `faults`: those that must be there before its first step."""
    books, faults, pi = Books(tmp_path / "state.db"), faults or Faults(), pi or Pi()
    books.now = time.time()
    room = books.say(first, **inbound).room
    houses: list[House] = []
    count = iter(range(1, 100))

    def tree(system: System) -> Supervisor:
        house = House(system, books, faults, room, pi)
        houses.append(house)
        store = system.ref("/store", BookStore)
        conversation = partial(
            Conversation,
            room.slug,
            store=store,
            agent=system.ref(f"/pool/{room.slug}/agent", ScriptedAgent),
            router=system.ref("/router", Probe),
            registrar=system.ref("/registrar", Probe),
            outbox=lambda _: system.ref("/outbox", Probe),
            new_session=lambda slug: f"{slug}-new{next(count)}",
            turn_timeout=turn_timeout,
            files=lambda _: system.ref("/files", Fetcher) if has_files else None,
            busy=busy,
            capacity=8,
            projects=PROJECTS,
            on_restart=on_restart,
            bounds=BOUNDS,
            subagent_timeout=600.0,
            failed=failed,
        )
        agent = partial(ScriptedAgent, pi, room.slug, store, house.conversation)
        parts = Supervisor(
            ChildSpec("conversation", conversation),
            ChildSpec("agent", agent),
            strategy=Strategy.REST_FOR_ONE,
            intensity=Intensity(5, within=60.0),
        )
        return Supervisor(
            ChildSpec("store", partial(BookStore, books, faults)),
            ChildSpec("files", partial(Fetcher, house.files, house.fetched)),
            ChildSpec("outbox", partial(Probe, house.outbox)),
            ChildSpec("router", partial(Probe, house.router)),
            ChildSpec("registrar", partial(Probe, house.registrar)),
            ChildSpec("pool", Supervisor(ChildSpec(room.slug, parts, restart=Restart.TEMPORARY))),
            intensity=Intensity(10, within=60.0),
        )

    async with open_test_system(tree):
        yield houses[0]
    books.db.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait, on a virtual clock, until something has come about."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  # rows have no event
            await trio.sleep(0.1)
