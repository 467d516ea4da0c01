"""The rows with our runtime, by its public door alone: supervised actors, bounded mailboxes, every guarantee on."""

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from time import perf_counter
from typing import Final

import trio
import trio.testing

from supervisor import (
    Actor,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Mailbox,
    Message,
    Overflow,
    Ref,
    Reply,
    Request,
    Supervisor,
    System,
    open_system,
)
from tests.bench.measure import (
    BOUND,
    CALLERS,
    FAN_OUT_MESSAGES,
    CrashedError,
    Figures,
    Gauge,
    Stopwatch,
    percentiles,
    resident,
    start_and_stop,
)

SNAPSHOTS: Final = 5
TIMEOUT: Final = 60.0
"""Seconds that an ask may take; far from what it takes."""


class Add(Message):
    """What is told."""

    n: int


class Total(Request[int]):
    """What is asked."""


class Crash(Message):
    """Makes the actor fail."""


class Adder(Actor[Add]):
    """Adds up what it is told, and reports when that is `goal`."""

    mailbox = Mailbox(BOUND, Overflow.WAIT)

    def __init__(self, done: Gauge, goal: float = inf) -> None:
        self._done = done
        self._goal = goal
        self._total = 0

    async def receive(self, message: Add) -> None:
        self._total += message.n
        if self._total == self._goal:
            self._done.hit()


class Server(Actor[Total]):
    """Replies at once."""

    mailbox = Mailbox(BOUND, Overflow.WAIT)

    async def receive(self, message: Total) -> Reply:
        return message.reply(0)


class Fragile(Actor[Crash]):
    """Says when it is up, and fails at the first message."""

    mailbox = Mailbox(BOUND, Overflow.WAIT)

    def __init__(self, up: Gauge) -> None:
        self._up = up

    async def started(self) -> None:
        self._up.hit()

    async def receive(self, message: Crash) -> None:  # noqa: ARG002  # any message will do
        raise CrashedError


_IDLE: Final = partial(Adder, Gauge())


def _idle(number: int) -> ChildSpec[Add]:
    return ChildSpec(f"child{number}", _IDLE)


def _pool(most: int) -> Supervisor:
    return Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=most)))


async def _fill(system: System, count: int) -> None:
    """Each start is acknowledged before the next is asked for."""
    for number in range(count):
        await system.start_child("/pool", _idle(number))


async def spawn(count: int) -> Figures:
    numbers = iter(range(count))

    async def caller(system: System) -> None:
        for number in numbers:
            await system.start_child("/pool", _idle(number))

    async with open_system(_pool(count)) as system:
        watch = Stopwatch()
        async with trio.open_nursery() as group:
            for _ in range(CALLERS):
                group.start_soon(caller, system)
        return {"spawn": count / watch.lap()}


async def spawn_ack(count: int) -> Figures:
    async with open_system(_pool(count)) as system:
        watch = Stopwatch()
        await _fill(system, count)
        return {"spawn_ack": count / watch.lap()}


async def memory(count: int) -> Figures:
    async with open_system(_pool(count)) as system:
        before = resident()
        await _fill(system, count)
        return {"memory": (resident() - before) / count}


async def memory_told(count: int) -> Figures:
    """The task and the channel come with the first message."""
    async with open_system(_pool(count)) as system:
        before = resident()
        await _fill(system, count)
        for number in range(count):
            await system.ref(f"/pool/child{number}", Adder).tell(Add(n=1))
        await trio.testing.wait_all_tasks_blocked()
        return {"memory_told": (resident() - before) / count}


async def spawn_told(count: int) -> Figures:
    """Until each has handled its first message, for that is when its task and its channel are made."""
    done, all_done = Gauge(), trio.Event()
    done.expect(count, all_done.set)
    numbers = iter(range(count))

    async def caller(system: System) -> None:
        for number in numbers:
            await system.start_child("/pool", ChildSpec(f"child{number}", partial(Adder, done, 1)))
            await system.ref(f"/pool/child{number}", Adder).tell(Add(n=1))

    async with open_system(_pool(count)) as system:
        watch = Stopwatch()
        async with trio.open_nursery() as group:
            for _ in range(CALLERS):
                group.start_soon(caller, system)
        await all_done.wait()
        return {"spawn_told": count / watch.lap()}


async def _tell(actors: int, each: int) -> float:
    """Each has handled a message before the watch begins: what the first one costs is in `spawn_told`."""
    message = Add(n=1)
    done, all_done = Gauge(), trio.Event()
    done.expect(actors, all_done.set)
    children = [ChildSpec(f"child{number}", partial(Adder, done, each + 1)) for number in range(actors)]
    async with open_system(Supervisor(*children)) as system:
        refs = [system.ref(f"/child{number}", Adder) for number in range(actors)]
        for ref in refs:
            await ref.tell(message)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        for _ in range(each):
            for ref in refs:
                await ref.tell(message)
        await all_done.wait()
        return actors * each / watch.lap()


async def tell(count: int) -> Figures:
    return {"tell": await _tell(1, count)}


async def fan_out(count: int) -> Figures:
    return {"fan_out": await _tell(count, FAN_OUT_MESSAGES)}


async def _waits(callers: int, calls: int) -> tuple[float, list[float]]:
    """The seconds that all took, and those of each call."""
    waits: list[float] = []

    async def call(server: Ref[Total]) -> None:
        for _ in range(calls):
            begin = perf_counter()
            await server.ask(Total(), timeout=TIMEOUT)
            waits.append(perf_counter() - begin)

    async with open_system(Supervisor(ChildSpec("server", Server))) as system:
        watch = Stopwatch()
        async with trio.open_nursery() as group:
            for _ in range(callers):
                group.start_soon(call, system.ref("/server", Server))
        return watch.lap(), waits


async def ask(count: int) -> Figures:
    return percentiles("ask", (await _waits(1, count))[1])


async def ask_100(count: int) -> Figures:
    passed, waits = await _waits(CALLERS, max(count // CALLERS, 1))
    return {"ask_100": passed / len(waits) * 1e6, **percentiles("ask_100", waits)}


async def _crashes(children: int, times: int) -> list[float]:
    """How long it took, each time, until all were up after all had crashed."""
    waits, message, up = [], Crash(), Gauge()
    specs = [ChildSpec(f"child{number}", partial(Fragile, up)) for number in range(children)]
    # An intensity that is never exceeded needs a backoff that never waits.
    endless = Supervisor(*specs, intensity=Intensity(children * times, within=1e6), backoff=Backoff(base=0.0))
    async with open_system(endless) as system:
        refs = [system.ref(f"/child{number}", Fragile) for number in range(children)]
        for _ in range(times):
            all_up = trio.Event()
            up.expect(children, all_up.set)
            begin = perf_counter()
            for ref in refs:
                await ref.tell(message)
            await all_up.wait()
            waits.append(up.at - begin)
    return waits


async def restart(count: int) -> Figures:
    return percentiles("restart", await _crashes(1, count))


async def storm(count: int) -> Figures:
    return {"storm": (await _crashes(count, 1))[0] * 1e3}


async def _opened(name: str, tree: Callable[[], Supervisor]) -> Figures:
    """From nothing to all up, and from there to nothing."""
    watch = Stopwatch()
    async with open_system(tree()):
        start = watch.lap()
    return start_and_stop(name, start, watch.lap())


def _branch(fan: int, depth: int) -> Supervisor:
    if depth == 1:
        return Supervisor(*(_idle(number) for number in range(fan)))
    return Supervisor(*(ChildSpec(f"branch{number}", _branch(fan, depth - 1)) for number in range(fan)))


async def chain(depth: int) -> Figures:
    return await _opened("chain", lambda: _branch(1, depth))


async def tree(fan: int) -> Figures:
    return await _opened("tree", lambda: _branch(fan, 3))


async def _static(name: str, count: int) -> Figures:
    return await _opened(name, lambda: _branch(count, 1))


async def _dynamic(name: str, count: int) -> Figures:
    watch = Stopwatch()
    async with open_system(_pool(count)) as system:
        await _fill(system, count)
        start = watch.lap()
    return start_and_stop(name, start, watch.lap())


async def snapshot(count: int) -> Figures:
    waits = []
    async with open_system(_pool(count)) as system:
        await _fill(system, count)
        for _ in range(SNAPSHOTS):
            watch = Stopwatch()
            system.snapshot()
            waits.append(watch.lap())
    return {"snapshot": sorted(waits)[SNAPSHOTS // 2] * 1e3}


def _run(row: Callable[[int], Awaitable[Figures]], size: int) -> Figures:
    return trio.run(row, size)


_ROWS: dict[str, Callable[[int], Awaitable[Figures]]] = {
    "spawn": spawn,
    "spawn_ack": spawn_ack,
    "spawn_told": spawn_told,
    "memory": memory,
    "memory_told": memory_told,
    "tell": tell,
    "fan_out": fan_out,
    "ask": ask,
    "ask_100": ask_100,
    "restart": restart,
    "storm": storm,
    "chain": chain,
    "tree": tree,
    "static_1000": partial(_static, "static_1000"),
    "static_10000": partial(_static, "static_10000"),
    "dynamic_1000": partial(_dynamic, "dynamic_1000"),
    "dynamic_10000": partial(_dynamic, "dynamic_10000"),
    "snapshot": snapshot,
}
ROWS: dict[str, Callable[[int], Figures]] = {name: partial(_run, row) for name, row in _ROWS.items()}
