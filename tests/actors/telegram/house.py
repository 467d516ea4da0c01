"""Telegram's two actors in a small house: the strict fake Bot API, a store, and a router that only takes notes.

The store keeps the real one's rows by the real one's records, but on trio's own thread: virtual time would run away
while nothing but another thread moves.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import apsw
import trio

from actors.messages import (
    Accept,
    Accepted,
    BeginTurn,
    DeliveryKind,
    EndProgress,
    EndTurn,
    FailRoom,
    Inbound,
    Mark,
    NewDelivery,
    OpenQuestion,
    Outcome,
    Place,
    Pull,
    React,
    ShowProgress,
    StoreRequest,
    Tell,
    Wake,
    WakeRoom,
    Work,
)
from actors.settings import Secret, TelegramSettings
from actors.store.errors import StoreError
from actors.store.rooms import Setting
from actors.store.schema import prepare
from actors.store.transaction import commit
from actors.telegram.gateway import Gateway
from actors.telegram.outbox import Outbox
from actors.telegram.pacing import Pacing
from supervisor import (
    Actor,
    ChildSpec,
    Intensity,
    Mailbox,
    Node,
    Overflow,
    Promise,
    Restart,
    Supervisor,
    System,
    open_system,
)
from tests.fakes.telegram import ANN, TOKEN, UNLIMITED, FakeTelegram, Limits

CHAT = ANN.id
GROUP = -100500
PRIVATE = Place("telegram", CHAT)
FORUM = Place("telegram", GROUP)
CAPACITY = 2
OUTBOX = "/outbox/telegram"
GATEWAY = "/front/telegram"

T = TypeVar("T")


class Store(Actor[StoreRequest]):
    """The store's records without its thread."""

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        (reply,) = commit(self._db, Setting(time.time(), "/work", "abcd"), [message])
        if isinstance(reply, StoreError):
            promise.fail(reply)
        else:
            promise.set(reply)
        return promise


class Router(Actor[WakeRoom]):
    """Notes whom it is to wake."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, woken: list[str]) -> None:
        self._woken = woken

    async def receive(self, message: WakeRoom) -> None:
        self._woken.append(message.room.slug)


class House:
    """The fake, the tree, and what a test does with them."""

    def __init__(self, fake: FakeTelegram, system: System, db: apsw.Connection, settings: TelegramSettings) -> None:
        self.fake = fake
        self.system = system
        self.settings = settings
        self.woken: list[str] = []
        self.ready = trio.Event()
        self.outgoing: Path | None = None
        self.pacing: Pacing | None = None
        self._db = db
        self._keys = 0

    # --- the tree

    async def start_store(self) -> None:
        await self.system.start_child("/", ChildSpec("store", partial(Store, self._db)))
        await self.system.start_child("/", ChildSpec("router", partial(Router, self.woken)))

    async def start_outbox(self) -> None:
        store = self.system.ref("/store", Store)
        outbox = partial(Outbox, self.settings, store=store, outgoing=self.outgoing, pacing=self.pacing)
        await self._start("outbox", ChildSpec("telegram", outbox))

    async def start_gateway(self) -> None:
        gateway = partial(
            Gateway,
            self.settings,
            store=self.system.ref("/store", Store),
            router=self.system.ref("/router", Router),
            outbox=self.system.ref(OUTBOX, Outbox),
            capacity=CAPACITY,
            ready=self.ready,
        )
        await self._start("front", ChildSpec("telegram", gateway))

    async def _start(self, name: str, child: ChildSpec[T]) -> None:
        """Under a supervisor of its own, as the service has it."""
        own = Supervisor(child, intensity=Intensity(3, within=5.0))
        await self.system.start_child("/", ChildSpec(name, own, restart=Restart.TRANSIENT))

    def node(self, path: str) -> Node:
        return self.system.snapshot(path)

    def doing(self, path: str) -> str:
        return self.node(path).doing or ""

    async def until(self, predicate: Callable[[], T], timeout: float = 120.0) -> T:
        """The predicate's first true result; asked for twice a second."""
        with trio.fail_after(timeout):
            while not (found := predicate()):  # noqa: ASYNC110 - what is waited for tells nobody
                await trio.sleep(0.5)
        return found

    # --- the store

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self._db.execute(sql).fetchall()

    def fill_disk(self) -> None:
        """Nothing can be written from now on."""

        def refuse() -> bool:
            raise apsw.FullError("database or disk is full")

        self._db.set_commit_hook(refuse)

    def free_disk(self) -> None:
        """There is space again."""
        self._db.set_commit_hook(None)

    def deliveries(self) -> list[str]:
        """The state of each delivery, oldest first."""
        return [str(state) for (state,) in self.rows("SELECT state FROM deliveries ORDER BY id")]

    async def done(self, count: int = 1) -> None:
        """Waits until there are that many deliveries and all have come to their end."""
        await self.until(lambda: [state in {"sent", "undeliverable"} for state in self.deliveries()] == [True] * count)

    async def work(self, slug: str) -> Work:
        return await self.system.ref("/store", Store).ask(Pull(slug=slug), timeout=5)

    async def begin(self, place: Place = PRIVATE, *, turn: str = "t1") -> str:
        """A turn that runs in the room of a place; the room's name."""
        self._keys += 1
        inbound = Inbound(
            key=f"test:{self._keys}", place=place, person=1, name="Ann", text="?", at=0.0, title=str(place)
        )
        store = self.system.ref("/store", Store)
        accepted = await store.ask(Accept(inbound=inbound, capacity=100), timeout=5)
        assert isinstance(accepted, Accepted)
        slug = accepted.room.slug
        begun = BeginTurn(slug=slug, turn=turn, attempt=1, inbounds=(accepted.inbound,), leaf_before=None)
        await store.ask(begun, timeout=5)
        return slug

    async def end(
        self,
        slug: str,
        *texts: str,
        turn: str = "t1",
        kind: DeliveryKind = DeliveryKind.ANSWER,
        reply_to: int | None = None,
    ) -> None:
        """That turn's end, with these texts to deliver."""
        deliveries = tuple(NewDelivery(kind=kind, text=text, reply_to=reply_to) for text in texts)
        ended = EndTurn(slug=slug, turn=turn, outcome=Outcome.DONE, answer="", leaf=None, deliveries=deliveries)
        await self.system.ref("/store", Store).ask(ended, timeout=5)
        await self.wake()

    async def answer(
        self,
        *texts: str,
        place: Place = PRIVATE,
        turn: str = "t1",
        kind: DeliveryKind = DeliveryKind.ANSWER,
        reply_to: int | None = None,
    ) -> None:
        """A whole turn."""
        await self.end(await self.begin(place, turn=turn), *texts, turn=turn, kind=kind, reply_to=reply_to)

    async def tell(self, slug: str, *deliveries: NewDelivery) -> None:
        """What a room says out of turn."""
        await self.system.ref("/store", Store).ask(Tell(slug=slug, deliveries=deliveries), timeout=5)
        await self.wake()

    async def question(self, slug: str, text: str, *, turn: str = "t1") -> None:
        """Its agent asks its people."""
        asked = OpenQuestion(
            slug=slug,
            turn=turn,
            dialog="d1",
            method="input",
            title="",
            text=text,
            options=(),
            expires_at=time.time() + 3600,
            delivery=NewDelivery(kind=DeliveryKind.QUESTION, text=text, key="question:{id}"),
        )
        await self.system.ref("/store", Store).ask(asked, timeout=5)
        await self.wake()

    async def fail(self, slug: str, text: str) -> None:
        """The room gives up."""
        await self.system.ref("/store", Store).ask(FailRoom(slug=slug, key=f"failed:{slug}", text=text), timeout=5)
        await self.wake()

    # --- the outbox

    async def wake(self) -> None:
        await self.system.ref(OUTBOX, Outbox).tell(Wake())

    async def show(
        self,
        text: str,
        place: Place = PRIVATE,
        *,
        turn: str = "t1",
        tools: tuple[str, ...] = (),
        begun: bool = True,
        waits: bool = False,
    ) -> None:
        since = time.time()
        picture = ShowProgress(place=place, turn=turn, text=text, tools=tools, since=since, begun=begun, waits=waits)
        await self.system.ref(OUTBOX, Outbox).tell(picture)

    async def react(self, message_id: int, mark: Mark, place: Place = PRIVATE) -> None:
        await self.system.ref(OUTBOX, Outbox).tell(React(place=place, message_id=message_id, mark=mark))

    async def end_progress(self, place: Place = PRIVATE, *, turn: str = "t1") -> None:
        await self.system.ref(OUTBOX, Outbox).tell(EndProgress(place=place, turn=turn))


@asynccontextmanager
async def house(
    *,
    limits: Limits = UNLIMITED,
    token: str = TOKEN,
    users: frozenset[int] = frozenset({CHAT}),
    groups: frozenset[int] = frozenset({GROUP}),
    outbox: bool = True,
    gateway: bool = True,
) -> AsyncIterator[House]:
    """Ann may speak, alone and in one forum."""
    with _database() as db:
        async with FakeTelegram.serve(limits=limits) as fake, open_system(Supervisor()) as system:
            fake.world.chat(CHAT, title=ANN.name)
            fake.open_group(GROUP, "Forum", forum=True)
            settings = TelegramSettings(
                bot_token=Secret(token), allowed_user_ids=users, allowed_group_ids=groups, base_url=fake.base_url
            )
            house = House(fake, system, db, settings)
            await house.start_store()
            if outbox:
                await house.start_outbox()
            if gateway:
                await house.start_gateway()
            yield house


@contextmanager
def _database() -> Iterator[apsw.Connection]:
    with TemporaryDirectory() as folder:
        db = apsw.Connection(f"{folder}/state.db")
        try:
            prepare(db)
            yield db
        finally:
            db.close()
