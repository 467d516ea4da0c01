"""Timers on the virtual clock: in order, once, and nothing left behind."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from supervisor.clock import Repeater, Timers


class Late:
    """A call that notes when it was too late."""

    def __init__(self, log: list[tuple[str, float]], name: str) -> None:
        self._log = log
        self._name = name

    def expire(self, timeout: float) -> None:
        assert timeout > 0
        self._log.append((self._name, trio.current_time()))


@pytest.fixture
async def timers() -> AsyncIterator[Timers]:
    timers = Timers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run)
        yield timers
        nursery.cancel_scope.cancel()


async def test_call_backs_come_in_order_of_time(timers: Timers, autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []
    begin = trio.current_time()
    for name, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a2", 1.0)):
        timers.after(seconds, lambda name=name: log.append((name, trio.current_time() - begin)))  # type: ignore[misc]
    assert timers.pending == 4
    await trio.sleep(10)
    assert [name for name, _ in log] == ["a", "a2", "b", "c"]
    assert [at for _, at in log] == pytest.approx([1, 1, 2, 3])
    assert timers.pending == 0


async def test_a_cancelled_timer_does_not_come(timers: Timers, autojump_clock: MockClock) -> None:
    log: list[str] = []
    timer = timers.after(1.0, lambda: log.append("no"))
    timer.cancel()
    timer.cancel()
    assert timer.cancelled
    assert timers.pending == 0
    await trio.sleep(2)
    assert log == []


async def test_a_sooner_timer_wakes_a_sleeping_clock(timers: Timers, autojump_clock: MockClock) -> None:
    log: list[float] = []
    timers.after(100.0, lambda: None)
    await trio.sleep(1)
    begin = trio.current_time()
    timers.after(1.0, lambda: log.append(trio.current_time() - begin))
    await trio.sleep(2)
    assert log == pytest.approx([1.0])


async def test_cancelled_timers_do_not_pile_up(timers: Timers, autojump_clock: MockClock) -> None:
    for _ in range(10_000):
        timers.after(3600.0, lambda: None).cancel()
    assert len(timers._heap) <= 65


async def test_calls_expire_each_at_its_own_time(timers: Timers, autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []
    begin = trio.current_time()
    for name, timeout in (("slow", 5.0), ("fast", 1.0), ("fast2", 1.0), ("gone", 1.0)):
        call = Late(log, name)
        timers.watch(call, timeout)
        if name == "gone":
            timers.forget(call, timeout)
            timers.forget(call, timeout)
    assert timers.pending == 3
    await trio.sleep(10)
    assert [name for name, _ in log] == ["fast", "fast2", "slow"]
    assert [at - begin for _, at in log] == pytest.approx([1, 1, 5])
    assert timers.pending == 0
    assert not any(timers._groups.values())


async def test_a_repeater_does_not_drift_and_leaves_out_what_it_missed(
    timers: Timers, autojump_clock: MockClock
) -> None:
    log: list[float] = []
    begin = trio.current_time()
    repeater = Repeater(timers, 2.0, lambda: log.append(trio.current_time() - begin))
    assert timers.pending == 1
    await trio.sleep(4.5)
    autojump_clock.jump(4.0)  # as if the program had been busy for as long
    await trio.sleep(4.0)
    assert log == [2, 4, 8.5, 10, 12]
    repeater.cancel()
    repeater.cancel()
    await trio.sleep(10)
    assert len(log) == 5
    assert timers.pending == 0


async def test_a_repeater_can_end_itself(timers: Timers, autojump_clock: MockClock) -> None:
    log: list[str] = []

    def once() -> None:
        log.append("once")
        repeater.cancel()

    repeater = Repeater(timers, 1.0, once)
    await trio.sleep(10)
    assert log == ["once"]
    assert repeater.cancelled
    assert timers.pending == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_a_repeater_needs_time_in_between(seconds: float, timers: Timers) -> None:
    with pytest.raises(ValueError, match="some time in between"):
        Repeater(timers, seconds, lambda: None)
    assert timers.pending == 0
