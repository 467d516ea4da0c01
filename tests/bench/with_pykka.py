"""The rows with pykka: an actor is a thread with an unbounded queue. It has no supervisors and restarts nothing."""

from collections.abc import Callable
from functools import partial
from threading import Thread
from time import perf_counter
from typing import Any

import pykka  # type: ignore[import-not-found]  # lives in the peers' environment

from tests.bench.measure import (
    CALLERS,
    FAN_OUT_MESSAGES,
    Add,
    Figures,
    Stopwatch,
    percentiles,
    resident,
    start_and_stop,
)


class Adder(pykka.ThreadingActor):  # type: ignore[misc]  # of an unknown class
    """Adds up what it is told; asked with None, it says how much that is."""

    def __init__(self) -> None:
        super().__init__()
        self._total = 0

    def on_receive(self, message: Add | None) -> int | None:
        if message is None:
            return self._total
        self._total += message.n
        return None


def _spawned(count: int) -> list[Any]:
    return [Adder.start() for _ in range(count)]


def _stop(refs: list[Any]) -> None:
    for ref in refs:
        ref.stop(block=False)
    for ref in refs:
        ref.actor_stopped.wait()


def spawn(count: int) -> Figures:
    watch = Stopwatch()
    refs = _spawned(count)
    passed = watch.lap()
    _stop(refs)
    return {"spawn": count / passed}


def spawn_ack(count: int) -> Figures:
    watch = Stopwatch()
    refs = []
    for _ in range(count):
        ref = Adder.start()
        ref.ask(None)
        refs.append(ref)
    passed = watch.lap()
    _stop(refs)
    return {"spawn_ack": count / passed}


def memory(count: int) -> Figures:
    before = resident()
    refs = _spawned(count)
    grown = resident() - before
    _stop(refs)
    return {"memory": grown / count}


def _tell(actors: int, each: int) -> float:
    message = Add(1)
    refs = _spawned(actors)
    watch = Stopwatch()
    for _ in range(each):
        for ref in refs:
            ref.tell(message)
    assert [ref.ask(None) for ref in refs] == [each] * actors
    passed = watch.lap()
    _stop(refs)
    return actors * each / passed


def tell(count: int) -> Figures:
    return {"tell": _tell(1, count)}


def fan_out(count: int) -> Figures:
    return {"fan_out": _tell(count, FAN_OUT_MESSAGES)}


def _waits(callers: int, calls: int) -> tuple[float, list[float]]:
    """The seconds that all took, and those of each call."""
    waits: list[float] = []
    (server,) = _spawned(1)

    def call() -> None:
        for _ in range(calls):
            begin = perf_counter()
            server.ask(None)
            waits.append(perf_counter() - begin)

    threads = [Thread(target=call) for _ in range(callers)]
    watch = Stopwatch()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = watch.lap()
    _stop([server])
    return passed, waits


def ask(count: int) -> Figures:
    return percentiles("ask", _waits(1, count)[1])


def ask_100(count: int) -> Figures:
    passed, waits = _waits(CALLERS, max(count // CALLERS, 1))
    return {"ask_100": passed / len(waits) * 1e6, **percentiles("ask_100", waits)}


def _children(name: str, count: int) -> Figures:
    watch = Stopwatch()
    refs = _spawned(count)
    start = watch.lap()
    _stop(refs)
    return start_and_stop(name, start, watch.lap())


ROWS: dict[str, Callable[[int], Figures]] = {
    "spawn": spawn,
    "spawn_ack": spawn_ack,
    "memory": memory,
    "tell": tell,
    "fan_out": fan_out,
    "ask": ask,
    "ask_100": ask_100,
    # 10,000 threads are no longer a matter of the library.
    "static_1000": partial(_children, "static_1000"),
    "dynamic_1000": partial(_children, "dynamic_1000"),
}
