"""The rows with nothing but trio: memory channels with blocking calls, nurseries, hand-written restart loops.

What a program without an actor library would write; it has no supervision but what stands here.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from time import perf_counter

import trio
import trio.testing

from tests.bench.measure import (
    BOUND,
    CALLERS,
    FAN_OUT_MESSAGES,
    Add,
    Crash,
    CrashedError,
    Figures,
    Gauge,
    Stopwatch,
    percentiles,
    resident,
    start_and_stop,
)

Sender = trio.MemorySendChannel[Add | Crash]
Receiver = trio.MemoryReceiveChannel[Add | Crash]
Requests = trio.MemoryReceiveChannel[trio.MemorySendChannel[int]]


async def _actor(receive: Receiver, up: Gauge, done: Gauge, goal: float) -> None:
    """Adds up what it is told, and reports when that is `goal`."""
    total = 0
    up.hit()
    while True:
        message = await receive.receive()
        assert isinstance(message, Add)
        total += message.n
        if total == goal:
            done.hit()


async def _spawned(nursery: trio.Nursery, count: int, done: Gauge, goal: float = inf) -> list[Sender]:
    senders = []
    up, all_up = Gauge(), trio.Event()
    up.expect(count, all_up.set)
    for _ in range(count):
        send, receive = trio.open_memory_channel[Add | Crash](BOUND)
        senders.append(send)
        nursery.start_soon(_actor, receive, up, done, goal)
    await all_up.wait()
    return senders


async def spawn(count: int) -> Figures:
    async with trio.open_nursery() as nursery:
        watch = Stopwatch()
        await _spawned(nursery, count, Gauge())
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return {"spawn": count / passed}


async def spawn_ack(count: int) -> Figures:
    async def acknowledged(receive: Receiver, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await _actor(receive, Gauge(), Gauge(), inf)

    async with trio.open_nursery() as nursery:
        senders = []
        watch = Stopwatch()
        for _ in range(count):
            send, receive = trio.open_memory_channel[Add | Crash](BOUND)
            senders.append(send)
            await nursery.start(acknowledged, receive)
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return {"spawn_ack": count / passed}


async def memory(count: int) -> Figures:
    async with trio.open_nursery() as nursery:
        before = resident()
        senders = await _spawned(nursery, count, Gauge())
        grown = resident() - before
        del senders
        nursery.cancel_scope.cancel()
    return {"memory": grown / count}


async def spawn_told(count: int) -> Figures:
    async with trio.open_nursery() as nursery:
        done, all_done = Gauge(), trio.Event()
        done.expect(count, all_done.set)
        watch = Stopwatch()
        for send in await _spawned(nursery, count, done, 1):
            await send.send(Add(1))
        await all_done.wait()
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return {"spawn_told": count / passed}


async def _tell(actors: int, each: int) -> float:
    message = Add(1)
    async with trio.open_nursery() as nursery:
        done, all_done = Gauge(), trio.Event()
        done.expect(actors, all_done.set)
        senders = await _spawned(nursery, actors, done, each + 1)
        for send in senders:
            await send.send(message)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        for _ in range(each):
            for send in senders:
                await send.send(message)
        await all_done.wait()
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return actors * each / passed


async def tell(count: int) -> Figures:
    return {"tell": await _tell(1, count)}


async def fan_out(count: int) -> Figures:
    return {"fan_out": await _tell(count, FAN_OUT_MESSAGES)}


async def _server(requests: Requests) -> None:
    total = 0
    while True:
        reply = await requests.receive()
        await reply.send(total)


async def _ask(requests: trio.MemorySendChannel[trio.MemorySendChannel[int]]) -> int:
    send, receive = trio.open_memory_channel[int](1)
    await requests.send(send)
    return await receive.receive()


async def _waits(callers: int, calls: int) -> tuple[float, list[float]]:
    """The seconds that all took, and those of each call."""
    waits: list[float] = []
    send, receive = trio.open_memory_channel[trio.MemorySendChannel[int]](BOUND)

    async def call() -> None:
        for _ in range(calls):
            begin = perf_counter()
            await _ask(send)
            waits.append(perf_counter() - begin)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_server, receive)
        watch = Stopwatch()
        async with trio.open_nursery() as group:
            for _ in range(callers):
                group.start_soon(call)
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return passed, waits


async def ask(count: int) -> Figures:
    return percentiles("ask", (await _waits(1, count))[1])


async def ask_100(count: int) -> Figures:
    passed, waits = await _waits(CALLERS, max(count // CALLERS, 1))
    return {"ask_100": passed / len(waits) * 1e6, **percentiles("ask_100", waits)}


async def _fragile(receive: Receiver, up: Gauge) -> None:
    up.hit()
    await receive.receive()
    raise CrashedError


async def _kept_up(receive: Receiver, up: Gauge) -> None:
    while True:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_fragile, receive, up)
        except* CrashedError:
            pass


async def _crashes(children: int, times: int) -> list[float]:
    """How long it took, each time, until all were up after all had crashed."""
    waits, message, up, senders = [], Crash(), Gauge(), []
    async with trio.open_nursery() as nursery:
        all_up = trio.Event()
        up.expect(children, all_up.set)
        for _ in range(children):
            send, receive = trio.open_memory_channel[Add | Crash](BOUND)
            senders.append(send)
            nursery.start_soon(_kept_up, receive, up)
        await all_up.wait()
        for _ in range(times):
            all_up = trio.Event()
            up.expect(children, all_up.set)
            begin = perf_counter()
            for send in senders:
                await send.send(message)
            await all_up.wait()
            waits.append(up.at - begin)
        nursery.cancel_scope.cancel()
    return waits


async def restart(count: int) -> Figures:
    return percentiles("restart", await _crashes(1, count))


async def storm(count: int) -> Figures:
    return {"storm": (await _crashes(count, 1))[0] * 1e3}


async def _branch(fan: int, depth: int, up: Gauge) -> None:
    """A nursery with `fan` tasks, each a nursery with `fan` tasks, and so on; the last only wait."""
    if depth == 0:
        up.hit()
        await trio.sleep_forever()
    async with trio.open_nursery() as nursery:
        for _ in range(fan):
            nursery.start_soon(_branch, fan, depth - 1, up)


async def _grown(name: str, fan: int, depth: int) -> Figures:
    up, all_up = Gauge(), trio.Event()
    up.expect(fan**depth, all_up.set)
    watch = Stopwatch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_branch, fan, depth, up)
        await all_up.wait()
        start = watch.lap()
        nursery.cancel_scope.cancel()
    return start_and_stop(name, start, watch.lap())


async def chain(depth: int) -> Figures:
    return await _grown("chain", 1, depth)


async def tree(fan: int) -> Figures:
    return await _grown("tree", fan, 3)


async def _children(name: str, count: int) -> Figures:
    watch = Stopwatch()
    async with trio.open_nursery() as nursery:
        await _spawned(nursery, count, Gauge())
        start = watch.lap()
        nursery.cancel_scope.cancel()
    return start_and_stop(name, start, watch.lap())


def _run(row: Callable[[int], Awaitable[Figures]], size: int) -> Figures:
    return trio.run(row, size)


_ROWS: dict[str, Callable[[int], Awaitable[Figures]]] = {
    "spawn": spawn,
    "spawn_ack": spawn_ack,
    "spawn_told": spawn_told,
    "memory": memory,
    "tell": tell,
    "fan_out": fan_out,
    "ask": ask,
    "ask_100": ask_100,
    "restart": restart,
    "storm": storm,
    "chain": chain,
    "tree": tree,
    # A nursery does not know whether its children are fixed: both kinds are the same work.
    "static_1000": partial(_children, "static_1000"),
    "static_10000": partial(_children, "static_10000"),
    "dynamic_1000": partial(_children, "dynamic_1000"),
    "dynamic_10000": partial(_children, "dynamic_10000"),
}
ROWS: dict[str, Callable[[int], Figures]] = {name: partial(_run, row) for name, row in _ROWS.items()}
