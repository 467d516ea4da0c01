"""A small tree with a control server in it, and two ways to speak to that: as `actorctl` does, and byte by byte."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from supervisor import (
    Actor,
    ChildSpec,
    Description,
    DynamicSupervisor,
    Mailbox,
    Message,
    Overflow,
    Restart,
    Supervisor,
    System,
    open_system,
)
from supervisor.control.client import call
from supervisor.control.server import ControlServer
from supervisor.control.verbs import VERBS, Verb


class Crash(Message):
    """Raise."""


class Nothing(Message):
    """Be told."""


class Worker(Actor[Crash | Nothing]):
    """Says what it is told to say, and takes no second start if it is told so."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, description: Description | None = None, starts: int = 1000) -> None:
        self.description = description or Description()
        self.starts = starts

    async def started(self) -> None:
        if self.context.incarnation > self.starts:
            raise RuntimeError("it had enough")

    async def receive(self, message: Crash | Nothing) -> None:
        if isinstance(message, Crash):
            raise ValueError("the disk\nis gone")

    def describe(self) -> Description:
        return self.description


BUSY = Description(doing="counts its sheep", pid=os.getpid())


def house(socket: Path, *, verbs: Mapping[str, Verb] = VERBS) -> Supervisor:
    """Control, a store, and a service with a room and a part that starts only once."""
    return Supervisor(
        ChildSpec("control", partial(ControlServer, socket, verbs)),
        ChildSpec("store", Worker),
        ChildSpec(
            "service",
            Supervisor(
                ChildSpec("rooms", DynamicSupervisor(max_children=100)),
                ChildSpec("busy", partial(Worker, BUSY)),
                ChildSpec("once", partial(Worker, starts=1), restart=Restart.TEMPORARY),
            ),
        ),
    )


@asynccontextmanager
async def open_house(socket: Path, *, verbs: Mapping[str, Verb] = VERBS) -> AsyncIterator[System]:
    """The tree of `house`, live, with two rooms."""
    async with open_system(house(socket, verbs=verbs), name="house") as system:
        for name in ("alpha", "beta"):
            await system.start_child("/service/rooms", ChildSpec(name, Worker))
        yield system


async def ask(socket: Path, verb: str, **args: object) -> object:
    """What `actorctl` would hear."""
    return await trio.to_thread.run_sync(partial(call, str(socket), verb, args))


async def speak(socket: Path, data: bytes, *, to_the_end: bool = True) -> bytes:
    """Send bytes, perhaps close that direction, and hear all that comes back."""
    stream = await trio.open_unix_socket(str(socket))
    heard = bytearray()
    async with stream:
        try:
            await stream.send_all(data)
            if to_the_end:
                await stream.send_eof()
        except trio.BrokenResourceError:
            pass  # it has heard enough
        try:
            async for chunk in stream:
                heard += chunk
        except trio.BrokenResourceError:
            pass  # it left while we still spoke
    return bytes(heard)
