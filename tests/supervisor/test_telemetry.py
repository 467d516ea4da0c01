"""The bus: never waits, loses the oldest, and says so."""

import pytest
import trio
import trio.testing

from supervisor.events import ChildExited, ChildStarted, DeadLetter, End, Event, EventsLost
from supervisor.telemetry import KEPT_DEAD_LETTERS, KEPT_FAILURES, Telemetry


def started(number: int) -> ChildStarted:
    return ChildStarted(path="/a", at=0.0, incarnation=number)


async def test_a_subscriber_hears_what_comes_after_it() -> None:
    bus = Telemetry()
    bus.emit(started(1))
    events = bus.subscribe()
    heard: list[Event] = []

    async def listen() -> None:
        heard.extend([event async for event in events])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        bus.emit(started(2))
        bus.emit(started(3))
        await trio.testing.wait_all_tasks_blocked()
        events.close()
        bus.emit(started(4))
    assert heard == [started(2), started(3)]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many() -> None:
    bus = Telemetry()
    slow, quick = bus.subscribe(2), bus.subscribe(10)
    for number in range(5):
        bus.emit(started(number))
    slow.close()
    quick.close()
    heard = [event async for event in slow]
    assert isinstance(heard[0], EventsLost)
    assert heard[0].count == 3
    assert heard[1:] == [started(3), started(4)]
    assert [event async for event in quick] == [started(number) for number in range(5)]


@pytest.mark.parametrize("bound", [0, -1])
def test_a_subscription_holds_something(bound: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Telemetry().subscribe(bound)


def test_listeners_are_called_at_once_and_in_order() -> None:
    bus = Telemetry()
    heard: list[str] = []
    bus.listeners += [lambda _: heard.append("first"), lambda _: heard.append("second")]
    bus.emit(started(1))
    assert heard == ["first", "second"]


def test_the_last_dead_letters_and_failures_are_kept() -> None:
    bus = Telemetry()
    for number in range(1000):
        bus.emit(DeadLetter(path="/a", at=0.0, message="M", text=str(number), reason=""))
        bus.emit(ChildExited(path="/a", at=0.0, incarnation=number, end=End.FAILED, reason="", trace=""))
        bus.emit(ChildExited(path="/a", at=0.0, incarnation=number, end=End.NORMAL, reason="", trace=""))
    assert len(bus.dead_letters) == KEPT_DEAD_LETTERS
    assert bus.dead_letters[-1].text == "999"
    assert len(bus.failures) == KEPT_FAILURES
    assert all(failure.end is End.FAILED for failure in bus.failures)
