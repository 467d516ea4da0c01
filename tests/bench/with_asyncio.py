"""The rows with nothing but asyncio: bounded queues, futures, task groups, hand-written restart loops."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from math import inf
from time import perf_counter

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

Inbox = asyncio.Queue[Add | Crash]
Actors = list[tuple[asyncio.Task[None], Inbox]]
Requests = asyncio.Queue[asyncio.Future[int]]


async def _actor(inbox: Inbox, up: Gauge, done: Gauge, goal: float) -> None:
    """Adds up what it is told, and reports when that is `goal`."""
    total = 0
    up.hit()
    while True:
        message = await inbox.get()
        assert isinstance(message, Add)
        total += message.n
        if total == goal:
            done.hit()


async def _spawned(count: int, done: Gauge, goal: float = inf) -> Actors:
    up, all_up = Gauge(), asyncio.Event()
    up.expect(count, all_up.set)
    actors = []
    for _ in range(count):
        inbox = Inbox(BOUND)
        actors.append((asyncio.create_task(_actor(inbox, up, done, goal)), inbox))
    await all_up.wait()
    return actors


async def _stopped(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def spawn(count: int) -> Figures:
    watch = Stopwatch()
    actors = await _spawned(count, Gauge())
    passed = watch.lap()
    await _stopped(*(task for task, _ in actors))
    return {"spawn": count / passed}


async def memory(count: int) -> Figures:
    before = resident()
    actors = await _spawned(count, Gauge())
    grown = resident() - before
    await _stopped(*(task for task, _ in actors))
    return {"memory": grown / count}


async def spawn_told(count: int) -> Figures:
    done, all_done = Gauge(), asyncio.Event()
    done.expect(count, all_done.set)
    watch = Stopwatch()
    actors = await _spawned(count, done, 1)
    for _, inbox in actors:
        await inbox.put(Add(1))
    await all_done.wait()
    passed = watch.lap()
    await _stopped(*(task for task, _ in actors))
    return {"spawn_told": count / passed}


async def _tell(count: int, each: int) -> float:
    message = Add(1)
    done, all_done = Gauge(), asyncio.Event()
    done.expect(count, all_done.set)
    actors = await _spawned(count, done, each + 1)
    for _, inbox in actors:
        await inbox.put(message)
    while any(not inbox.empty() for _, inbox in actors):  # noqa: ASYNC110  # no event would say that all is quiet
        await asyncio.sleep(0)
    watch = Stopwatch()
    for _ in range(each):
        for _, inbox in actors:
            await inbox.put(message)
    await all_done.wait()
    passed = watch.lap()
    await _stopped(*(task for task, _ in actors))
    return count * each / passed


async def tell(count: int) -> Figures:
    return {"tell": await _tell(1, count)}


async def fan_out(count: int) -> Figures:
    return {"fan_out": await _tell(count, FAN_OUT_MESSAGES)}


async def _server(requests: Requests) -> None:
    while True:
        (await requests.get()).set_result(0)


async def _ask(requests: Requests) -> int:
    reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    await requests.put(reply)
    return await reply


async def _waits(callers: int, calls: int) -> tuple[float, list[float]]:
    """The seconds that all took, and those of each call."""
    waits: list[float] = []
    requests = Requests(BOUND)

    async def call() -> None:
        for _ in range(calls):
            begin = perf_counter()
            await _ask(requests)
            waits.append(perf_counter() - begin)

    server = asyncio.create_task(_server(requests))
    watch = Stopwatch()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    passed = watch.lap()
    await _stopped(server)
    return passed, waits


async def ask(count: int) -> Figures:
    return percentiles("ask", (await _waits(1, count))[1])


async def ask_100(count: int) -> Figures:
    passed, waits = await _waits(CALLERS, max(count // CALLERS, 1))
    return {"ask_100": passed / len(waits) * 1e6, **percentiles("ask_100", waits)}


async def _fragile(inbox: Inbox, up: Gauge) -> None:
    up.hit()
    await inbox.get()
    raise CrashedError


async def _kept_up(inbox: Inbox, up: Gauge) -> None:
    while True:
        with suppress(CrashedError):
            await asyncio.create_task(_fragile(inbox, up))


async def _crashes(children: int, times: int) -> list[float]:
    """How long it took, each time, until all were up after all had crashed."""
    waits, message, up, all_up = [], Crash(), Gauge(), asyncio.Event()
    inboxes = [Inbox(BOUND) for _ in range(children)]
    up.expect(children, all_up.set)
    tasks = [asyncio.create_task(_kept_up(inbox, up)) for inbox in inboxes]
    await all_up.wait()
    for _ in range(times):
        all_up = asyncio.Event()
        up.expect(children, all_up.set)
        begin = perf_counter()
        for inbox in inboxes:
            await inbox.put(message)
        await all_up.wait()
        waits.append(up.at - begin)
    await _stopped(*tasks)
    return waits


async def restart(count: int) -> Figures:
    return percentiles("restart", await _crashes(1, count))


async def storm(count: int) -> Figures:
    return {"storm": (await _crashes(count, 1))[0] * 1e3}


async def _branch(fan: int, depth: int, up: Gauge) -> None:
    """A group of `fan` tasks, each a group of `fan` tasks, and so on; the last only wait."""
    if depth == 0:
        up.hit()
        await asyncio.Event().wait()
    async with asyncio.TaskGroup() as group:
        for _ in range(fan):
            group.create_task(_branch(fan, depth - 1, up))


async def _grown(name: str, fan: int, depth: int) -> Figures:
    up, all_up = Gauge(), asyncio.Event()
    up.expect(fan**depth, all_up.set)
    watch = Stopwatch()
    root = asyncio.create_task(_branch(fan, depth, up))
    await all_up.wait()
    start = watch.lap()
    await _stopped(root)
    return start_and_stop(name, start, watch.lap())


async def chain(depth: int) -> Figures:
    return await _grown("chain", 1, depth)


async def tree(fan: int) -> Figures:
    return await _grown("tree", fan, 3)


async def _children(name: str, count: int) -> Figures:
    watch = Stopwatch()
    actors = await _spawned(count, Gauge())
    start = watch.lap()
    await _stopped(*(task for task, _ in actors))
    return start_and_stop(name, start, watch.lap())


def _run(row: Callable[[int], Coroutine[None, None, Figures]], size: int) -> Figures:
    return asyncio.run(row(size))


_ROWS: dict[str, Callable[[int], Coroutine[None, None, Figures]]] = {
    "spawn": spawn,
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
    # A list of tasks does not know whether its children are fixed: both kinds are the same work.
    "static_1000": partial(_children, "static_1000"),
    "static_10000": partial(_children, "static_10000"),
    "dynamic_1000": partial(_children, "dynamic_1000"),
    "dynamic_10000": partial(_children, "dynamic_10000"),
}
ROWS: dict[str, Callable[[int], Figures]] = {name: partial(_run, row) for name, row in _ROWS.items()}
