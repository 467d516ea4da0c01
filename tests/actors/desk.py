"""A service with a store and a control socket, for tests of what `actorctl` asks of it."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from actors.messages import (
    Accept,
    Accepted,
    BeginTurn,
    DeliveryKind,
    Due,
    EndTurn,
    Inbound,
    Knock,
    NewDelivery,
    OutboxMessage,
    Outcome,
    Place,
    Pull,
    StoreRequest,
    Wake,
    WakeRoom,
)
from actors.store.store import Store
from actors.verbs import service_verbs
from supervisor import Actor, ChildSpec, Mailbox, Overflow, Promise, Ref, Supervisor, System, open_system
from supervisor.control.server import ControlServer
from supervisor.control.verbs import VERBS

EVE = 666
HERE = Place("telegram", -100)


class Sender(Actor[OutboxMessage]):
    """Notes when it is woken."""

    mailbox = Mailbox(4, Overflow.REJECT)

    def __init__(self, woken: trio.Event) -> None:
        self._woken = woken

    async def receive(self, message: OutboxMessage) -> None:
        assert message == Wake()
        self._woken.set()


class Router(Actor[WakeRoom]):
    """Notes which rooms are woken."""

    mailbox = Mailbox(4, Overflow.REJECT)

    def __init__(self, rooms: list[str]) -> None:
        self._rooms = rooms

    async def receive(self, message: WakeRoom) -> None:
        self._rooms.append(message.room.slug)


class BrokenStore(Actor[StoreRequest]):
    """Says no, or nothing."""

    mailbox = Mailbox(4, Overflow.WAIT)

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        if self._error is not None:
            promise.fail(self._error)
        return promise


class Desk:
    """A service in which people can be let in."""

    def __init__(self, socket: Path, store: Ref[StoreRequest], woken: trio.Event, rooms: list[str]) -> None:
        self.socket = socket
        self.store = store
        self.woken = woken
        self.rooms = rooms

    async def knock(self, person: int = EVE, name: str = "Eve") -> str:
        code = await self.store.ask(Knock(front="telegram", person=person, name=name, owner=None), timeout=5)
        assert code is not None
        return code

    async def say(self, text: str, *, update: int, message_id: int, name: str = "Ada") -> Accepted:
        inbound = Inbound(
            key=f"telegram:1:{update}",
            place=HERE,
            person=5,
            name=name,
            text=text,
            at=1000.0,
            message_id=message_id,
            title="Shop",
        )
        accepted = await self.store.ask(Accept(inbound=inbound, capacity=8), timeout=5)
        assert isinstance(accepted, Accepted)
        return accepted

    async def end(self, turn: str, *said: Accepted, outcome: Outcome, answer: str = "") -> None:
        """A turn with these messages that begins for the third time and ends so."""
        slug, inbounds = said[0].room.slug, tuple(each.inbound for each in said)
        begin = BeginTurn(slug=slug, turn=turn, attempt=3, inbounds=inbounds, leaf_before=None)
        await self.store.ask(begin, timeout=5)
        deliveries = (NewDelivery(kind=DeliveryKind.ANSWER, text=answer),) if answer else ()
        end = EndTurn(slug=slug, turn=turn, outcome=outcome, answer=answer, leaf=None, deliveries=deliveries)
        await self.store.ask(end, timeout=5)

    async def queue(self) -> list[str]:
        return [each.text for each in (await self.store.ask(Pull(slug="shop"), timeout=5)).queue]

    async def said(self) -> list[str]:
        """What is to be said to people in the room."""
        return [each.text for each in await self.store.ask(Due(front="telegram", limit=9), timeout=5)]

    async def pair(self, *args: str) -> tuple[int, str, str]:
        """`actorctl pair …`."""
        return await self.actorctl("pair", *args)

    async def actorctl(self, *args: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `actorctl …`."""
        code = "import sys; from actors.ctl import main; sys.exit(main())"
        done = await trio.run_process(
            [sys.executable, "-c", code, *args],
            env={**os.environ, "DISPATCHD_SOCKET": str(self.socket), "TZ": "UTC"},
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@asynccontextmanager
async def open_desk(folder: Path, store: object = None, *, sender: bool = True) -> AsyncIterator[Desk]:
    socket, woken = folder / "ctl.sock", trio.Event()
    rooms: list[str] = []

    def tree(system: System) -> Supervisor:
        verbs = service_verbs(system.ref("/store", Store), system.ref("/sender", Sender), system.ref("/router", Router))
        kept = partial(Store, folder / "state.db", folder) if store is None else store
        return Supervisor(
            ChildSpec("control", partial(ControlServer, socket, {**VERBS, **verbs})),
            ChildSpec("store", kept),  # type: ignore[arg-type]  # any store
            *([ChildSpec("sender", partial(Sender, woken))] if sender else []),
            *([ChildSpec("router", partial(Router, rooms))] if sender else []),
        )

    async with open_system(tree) as system:
        yield Desk(socket, system.ref("/store", Store), woken, rooms)
