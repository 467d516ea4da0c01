"""The rows with triotp: supervisors and gen_servers after OTP, each child in a nursery of its own, on an old trio.

Its calls are made without its timeout, which would cost a cancel scope each; they then wait for ever when the server
crashes. It has no orderly stop: its children are cancelled.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from time import perf_counter
from types import SimpleNamespace
from typing import Any, Final

import trio
import trio.testing
from triotp import (  # type: ignore[import-not-found]  # lives in the peers' environment
    application,
    dynamic_supervisor,
    gen_server,
    node,
    supervisor,
)

from tests.bench.measure import (
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

ENDLESS: Final = supervisor.options(max_restarts=10**9, max_seconds=5)


class Adder:
    """What triotp wants as a module: adds up what it is told, and reports when that is `goal`."""

    async def init(self, state: "State") -> "State":
        state.up.hit()
        return state

    async def handle_cast(self, message: Add | Crash, state: "State") -> tuple[Any, "State"]:
        if isinstance(message, Crash):
            raise CrashedError
        state.total += message.n
        if state.total == state.goal:
            state.done.hit()
        return gen_server.NoReply(), state

    async def handle_call(self, _message: object, _caller: object, state: "State") -> tuple[Any, "State"]:
        return gen_server.Reply(payload=state.total), state

    async def terminate(self, reason: BaseException | None, state: "State") -> None:
        """Nothing to let go; without it, each crash would be logged."""


class State:
    """One Adder's state, and where it reports to."""

    def __init__(self, up: Gauge, done: Gauge, goal: float) -> None:
        self.up = up
        self.done = done
        self.goal = goal
        self.total = 0


def _server(name: str, up: Gauge, done: Gauge | None = None, goal: float = inf) -> Any:
    state = State(up, done or Gauge(), goal)
    return supervisor.child_spec(id=name, task=gen_server.start, args=[Adder(), state, name])


async def _up(nursery: trio.Nursery, children: list[Any], up: Gauge, leaves: int) -> None:
    """Start a supervisor in `nursery` and wait until all `leaves` below it are up."""
    all_up = trio.Event()
    up.expect(leaves, all_up.set)
    await nursery.start(supervisor.start, children, ENDLESS)
    await all_up.wait()


async def _pool(nursery: trio.Nursery, up: Gauge, count: int) -> None:
    """Start a dynamic supervisor in `nursery`, and in it `count` children: it acknowledges none."""
    all_up = trio.Event()
    up.expect(count, all_up.set)
    pool = await nursery.start(dynamic_supervisor.start, ENDLESS)
    for number in range(count):
        await dynamic_supervisor.start_child(pool, _server(f"child{number}", up))
    await all_up.wait()


async def spawn(count: int) -> Figures:
    async with trio.open_nursery() as nursery:
        watch = Stopwatch()
        await _pool(nursery, Gauge(), count)
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return {"spawn": count / passed}


async def memory(count: int) -> Figures:
    async with trio.open_nursery() as nursery:
        before = resident()
        await _pool(nursery, Gauge(), count)
        grown = resident() - before
        nursery.cancel_scope.cancel()
    return {"memory": grown / count}


async def _tell(actors: int, each: int) -> float:
    message, up, done, all_done = Add(1), Gauge(), Gauge(), trio.Event()
    done.expect(actors, all_done.set)
    names = [f"child{number}" for number in range(actors)]
    async with trio.open_nursery() as nursery:
        await _up(nursery, [_server(name, up, done, each) for name in names], up, actors)
        watch = Stopwatch()
        for _ in range(each):
            for name in names:
                await gen_server.cast(name, message)
        await all_done.wait()
        passed = watch.lap()
        nursery.cancel_scope.cancel()
    return actors * each / passed


async def tell(count: int) -> Figures:
    return {"tell": await _tell(1, count)}


async def fan_out(count: int) -> Figures:
    return {"fan_out": await _tell(count, FAN_OUT_MESSAGES)}


async def _waits(callers: int, calls: int) -> tuple[float, list[float]]:
    """The seconds that all took, and those of each call."""
    waits: list[float] = []
    up = Gauge()

    async def call() -> None:
        for _ in range(calls):
            begin = perf_counter()
            await gen_server.call("server", None)
            waits.append(perf_counter() - begin)

    async with trio.open_nursery() as nursery:
        await _up(nursery, [_server("server", up)], up, 1)
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


async def _crashes(children: int, times: int) -> list[float]:
    """How long it took, each time, until all were up after all had crashed."""
    waits, message, up = [], Crash(), Gauge()
    names = [f"child{number}" for number in range(children)]
    async with trio.open_nursery() as nursery:
        await _up(nursery, [_server(name, up) for name in names], up, children)
        for _ in range(times):
            all_up = trio.Event()
            up.expect(children, all_up.set)
            begin = perf_counter()
            for name in names:
                await gen_server.cast(name, message)
            await all_up.wait()
            waits.append(up.at - begin)
            # It says that it is up before it listens; a message sent right now would find no mailbox.
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return waits


async def restart(count: int) -> Figures:
    return percentiles("restart", await _crashes(1, count))


async def storm(count: int) -> Figures:
    return {"storm": (await _crashes(count, 1))[0] * 1e3}


def _branches(fan: int, depth: int, up: Gauge, name: str = "") -> list[Any]:
    names = [f"{name}/{number}" for number in range(fan)]
    if depth == 1:
        return [_server(name, up) for name in names]
    return [
        supervisor.child_spec(id=name, task=supervisor.start, args=[_branches(fan, depth - 1, up, name), ENDLESS])
        for name in names
    ]


async def _grown(name: str, fan: int, depth: int) -> Figures:
    up, watch = Gauge(), Stopwatch()
    async with trio.open_nursery() as nursery:
        await _up(nursery, _branches(fan, depth, up), up, fan**depth)
        start = watch.lap()
        nursery.cancel_scope.cancel()
    return start_and_stop(name, start, watch.lap())


async def chain(depth: int) -> Figures:
    return await _grown("chain", 1, depth)


async def tree(fan: int) -> Figures:
    return await _grown("tree", fan, 3)


async def _static(name: str, count: int) -> Figures:
    return await _grown(name, count, 1)


async def _dynamic(name: str, count: int) -> Figures:
    watch = Stopwatch()
    async with trio.open_nursery() as nursery:
        await _pool(nursery, Gauge(), count)
        start = watch.lap()
        nursery.cancel_scope.cancel()
    return start_and_stop(name, start, watch.lap())


def _run(row: Callable[[int], Awaitable[Figures]], size: int) -> Figures:
    """Run it as triotp wants it: as an application on a node."""
    figures: Figures = {}

    async def start(_: None) -> None:
        figures.update(await row(size))

    app = SimpleNamespace(__name__="bench", start=start)
    node.run(apps=[application.app_spec(module=app, start_arg=None, permanent=False)])
    return figures


_ROWS: dict[str, Callable[[int], Awaitable[Figures]]] = {
    "spawn": spawn,
    "memory": memory,
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
}
ROWS: dict[str, Callable[[int], Figures]] = {name: partial(_run, row) for name, row in _ROWS.items()}
