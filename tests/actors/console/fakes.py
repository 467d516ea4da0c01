"""A small house around the console: a strict store in memory, a router that answers, the far ends of its descriptors.

What the real store's door does not allow, such as an order other than Doubt, Due, Sending, Sent, is noted among the
mistakes, and the house fails the test with them when it is left.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio
from msgspec.structs import replace

from actors.console.console import Console
from actors.console.lines import Lines
from actors.console.terminal import PLACE, Terminal
from actors.errors import Unavailable
from actors.messages import (
    Accept,
    Acceptance,
    Accepted,
    Delivery,
    DeliveryKind,
    Doubt,
    Due,
    Duplicate,
    Inbound,
    Key,
    Press,
    Pressed,
    Refused,
    Room,
    Sending,
    Sent,
    Undeliverable,
    Unfinished,
    Unsent,
    Wake,
    WakeRoom,
)
from supervisor import Actor, ChildSpec, Mailbox, Overflow, Promise, Ref, Reply, System, open_system
from supervisor import Supervisor as Tree

Asked = Doubt | Due | Sending | Sent | Unsent | Undeliverable | Accept | Press | Unfinished

_OVER = {"sent", "undeliverable"}

ROOM = Room(
    slug="console",
    place=PLACE,
    title="console",
    workspace="/w/console",
    session_id="s",
    leaf=None,
    created_at=0.0,
    updated_at=0.0,
)


@dataclass
class Rows:
    """What the store holds, and what it heard.

    `fail`: whether this request, the `number`th from 0, gets an error for a reply; `too_late`: after it was done.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    inbounds: list[Inbound] = field(default_factory=list)
    presses: dict[str, str] = field(default_factory=dict)
    waiting: list[Inbound] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    fail: Callable[[Asked, int], bool] = lambda _request, _number: False
    too_late: bool = False
    hung: bool = False
    doubted: bool = False
    count: int = 0
    news: trio.Event = field(default_factory=trio.Event)

    def hear(self, word: str) -> None:
        """Something was asked or told."""
        self.heard.append(word)
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what makes `condition` true; looked at whenever something was heard."""
        while not condition():
            self.news = trio.Event()
            await self.news.wait()

    def deliver(
        self,
        text: str,
        *,
        kind: DeliveryKind = DeliveryKind.ANSWER,
        turn: str | None = None,
        keys: tuple[tuple[Key, ...], ...] = (),
    ) -> Delivery:
        """Queue a delivery."""
        delivery = Delivery(
            id=len(self.deliveries) + 1,
            place=PLACE,
            kind=kind,
            text=text,
            reply_to=None,
            turn=turn,
            part=0,
            attempts=0,
            doubtful=False,
            created_at=0.0,
            keys=keys,
        )
        self.deliveries.append(delivery)
        self.states[delivery.id] = "waiting"
        return delivery

    def handle(self, request: Asked) -> object:
        """Do it, or raise Unavailable, or both."""
        fails = self.fail(request, self.count)
        self.count += 1
        self.news.set()
        reply = None if fails and not self.too_late else self.do(request)
        if fails:
            raise Unavailable("the disk is full")
        return reply

    def do(self, request: Asked) -> object:
        """Do it, and note what is a mistake."""
        if not isinstance(request, Unfinished):
            self.hear(type(request).__name__)
        match request:
            case Doubt():
                return self.doubt()
            case Due(limit=limit):
                self.demand(self.doubted, "Due before Doubt")
                return self.due()[:limit]
            case Sending(ids=ids):
                for one in ids:
                    self.demand(one in {delivery.id for delivery in self.due()}, f"Sending {one}, which is not due")
                    self.states[one] = "sending"
            case Sent(id=one, part=part, last=last):
                self.demand(self.states[one] in {"sending", "sent"}, f"Sent {one}, which was {self.states[one]}")
                self.demand(part == 0 and last, "the console sends in one part")
                self.states[one] = "sent"
            case Unsent(id=one):
                self.demand(self.states[one] != "sent", f"Unsent {one}, which is sent")
                self.states[one] = "waiting"
            case Undeliverable(id=one, reason=reason):
                self.demand(bool(reason), f"Undeliverable {one} without a reason")
                self.states[one] = "undeliverable"
            case Accept(inbound=inbound, capacity=capacity):
                return self.accept(inbound, capacity)
            case Press():
                self.demand(request.place == PLACE and request.owner, f"a press that is not the console's: {request}")
                self.presses[request.key] = request.data
                return Pressed(said=f"pressed {request.data}", room=ROOM)
            case Unfinished():
                return len(self.waiting) + sum(state not in _OVER for state in self.states.values())
        return None

    def doubt(self) -> int:
        """What says sending was cut off."""
        self.doubted = True
        cut = [one for one, state in self.states.items() if state == "sending"]
        for one in cut:
            self.states[one] = "waiting"
            self.deliveries[one - 1] = replace(self.deliveries[one - 1], doubtful=True)
        return len(cut)

    def due(self) -> tuple[Delivery, ...]:
        """The head of the only chat."""
        open_ones = [delivery for delivery in self.deliveries if self.states[delivery.id] not in _OVER]
        return tuple(delivery for delivery in open_ones[:1] if self.states[delivery.id] == "waiting")

    def accept(self, inbound: Inbound, capacity: int) -> Acceptance:
        """Commit 1."""
        self.demand(inbound.place == PLACE and inbound.person == 0, f"an inbound that is not the console's: {inbound}")
        if inbound.key in self.keys:
            return Duplicate(room=ROOM)
        self.keys.add(inbound.key)
        ahead = sum(one.command is None for one in self.waiting)
        if inbound.command is None and ahead >= capacity:
            self.deliver("refused", kind=DeliveryKind.REPORT)
            return Refused(room=ROOM, capacity=capacity)
        self.inbounds.append(inbound)
        self.waiting.append(inbound)
        return Accepted(room=ROOM, inbound=len(self.inbounds), ahead=ahead if inbound.command is None else 0)

    def demand(self, right: bool, what: str) -> None:
        """Note a mistake of the console's."""
        if not right:
            self.mistakes.append(what)


class FakeStore(Actor[Asked]):
    """The rows behind a mailbox."""

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    async def receive(self, message: Asked) -> Reply | Promise[Any] | None:
        promise: Promise[Any] = self.later(message)
        if not self.rows.hung:
            try:
                promise.set(self.rows.handle(message))
            except Unavailable as error:
                promise.fail(error)
        return promise


class FakeRouter(Actor[WakeRoom]):
    """Answers all that waits by its echo as soon as it is woken; `at_work` False: only notes that it was woken."""

    mailbox = Mailbox(256, Overflow.WAIT)

    def __init__(self, rows: Rows, *, at_work: bool) -> None:
        self.rows = rows
        self.at_work = at_work

    async def receive(self, message: WakeRoom) -> None:
        self.rows.hear("WakeRoom")
        assert message.room == ROOM
        if self.at_work:
            answer_all(self.rows)
            self.context.system.ref("/terminal", Terminal).tell_nowait(Wake())


def answer_all(rows: Rows) -> None:
    """Every inbound that waits gets its answer."""
    while rows.waiting:
        inbound = rows.waiting.pop(0)
        rows.deliver(f"stopped by {inbound.name}" if inbound.command else f"echo {inbound.text}")


class End:
    """The far end of a descriptor of the console's: what it wrote, or what it is to read."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.data = b""

    @property
    def text(self) -> str:
        """All that was read so far."""
        return self.data.decode()

    async def read(self, expected: str) -> str:
        """Read on until the text holds `expected`, or ends."""
        while expected not in self.text:
            await trio.lowlevel.wait_readable(self.fd)
            chunk = os.read(self.fd, 1 << 20)
            if not chunk:
                break
            self.data += chunk
        return self.text

    def rest(self) -> str:
        """All there is by now."""
        os.set_blocking(self.fd, False)
        with suppress(BlockingIOError):
            while chunk := os.read(self.fd, 1 << 20):
                self.data += chunk
        return self.text

    def write(self, text: str) -> None:
        """What the console is to read."""
        os.write(self.fd, text.encode())

    def close(self) -> None:
        """Harmless when it is closed already."""
        fd, self.fd = self.fd, -1
        with suppress(OSError):
            os.close(fd)


@dataclass
class House:
    """The console at work, seen from outside."""

    system: System
    rows: Rows
    finished: trio.Event
    stdin: End
    stdout: End
    stderr: End
    terminal: Ref[Any]
    console: Ref[Any]


@asynccontextmanager
async def open_house(
    rows: Rows, *, at_work: bool = True, tty: bool = False, with_console: bool = True, capacity: int = 8
) -> AsyncIterator[House]:
    """Terminal and, if wanted, console, on pipes or on a pseudo-terminal for stdin and another for stderr."""
    stdin, stdin_far = reversed(os.openpty()) if tty else os.pipe()
    stdout_far, stdout = os.pipe()
    stderr_far, stderr = os.openpty() if tty else os.pipe()
    near, far = (stdin, stdout, stderr), (End(stdin_far), End(stdout_far), End(stderr_far))
    finished = trio.Event()
    tree = Tree(
        ChildSpec("store", partial(FakeStore, rows)), ChildSpec("router", partial(FakeRouter, rows, at_work=at_work))
    )
    try:
        async with open_system(tree) as system:
            store, console = system.ref("/store", FakeStore), system.ref("/console", Console)
            terminal_factory = partial(Terminal, store, console, finished, stdout=stdout, stderr=stderr)
            terminal = await system.start_child("/", ChildSpec("terminal", terminal_factory, shutdown=0.1))
            if with_console:
                console_factory = partial(
                    Console,
                    store,
                    system.ref("/router", FakeRouter),
                    terminal,
                    Lines(stdin),
                    finished,
                    name="ann",
                    capacity=capacity,
                    banner="BANNER",
                )
                console = await system.start_child("/", ChildSpec("console", console_factory, shutdown=0.1))
            yield House(system, rows, finished, *far, terminal, console)
            assert list(system.telemetry.failures) == []
        assert rows.mistakes == []
    finally:
        for end in far:
            end.close()
        for fd in near:
            with suppress(OSError):
                os.close(fd)
