"""OTP's cases 16 to 22: how children are stopped, in time or not, and children that end while they are stopped."""

from functools import partial
from typing import Any, Never

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import ChildSpec, DynamicSupervisor, Intensity, Restart, Shutdown, Supervisor
from supervisor.events import BecameZombie, ChildExited, ChildStarted, End, RestartScheduled
from supervisor.testing import Crash, Leave, Player, Recorder, Script, Stick, open_test_system, scripted
from tests.supervisor.conformance import Way, mortal


def pool(intensity: Intensity | None = None) -> ChildSpec[Any]:
    return ChildSpec("pool", DynamicSupervisor(max_children=20, intensity=intensity or Intensity()))


async def test_16_an_infinite_grace_for_workers_and_for_supervisors(autojump_clock: MockClock) -> None:
    slow = Script(letting_go=1e5)
    inner = Supervisor(scripted("x", slow, shutdown=Shutdown.INFINITE))
    below: ChildSpec[Never] = ChildSpec("sup", inner, shutdown=Shutdown.INFINITE)
    async with open_test_system(Supervisor(below, scripted("a", slow, shutdown=Shutdown.INFINITE))) as system:
        recorder = Recorder(system)
        begin = trio.current_time()
    assert trio.current_time() == begin + 2e5
    assert recorder.story == ["down /a 1 shutdown", "down /sup/x 1 shutdown", "down /sup 1 shutdown"]
    assert slow.log[-1] == "stopped x"


async def test_17_a_grace_in_seconds(autojump_clock: MockClock) -> None:
    good, late = Script(), Script()
    tree = Supervisor(scripted("good", good, shutdown=1.0), scripted("late", late, shutdown=1.0))
    async with open_test_system(tree) as system:
        await system.ref("/late", Player).tell(Stick())
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == begin + 1
    assert [letter.path for letter in system.telemetry.dead_letters] == ["/late"]  # it was cut short
    assert good.log[-1] == "stopped good"


async def test_18_a_grace_in_seconds_for_dynamic_children(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool())) as system:
        for number in range(10):
            ref = await system.start_child("/pool", scripted(f"c{number}", shutdown=1.0))
            if number % 2:
                await ref.tell(Stick())
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == begin + 1
    assert len(system.telemetry.dead_letters) == 5


async def test_19_a_brutal_stop_asks_nothing(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = Supervisor(scripted("a", Script(log=log)), scripted("b", Script(log=log), shutdown=Shutdown.BRUTAL))
    async with open_test_system(tree):
        log.clear()
    assert log == ["stopping a shutdown", "stopped a"]


async def test_20_a_brutal_stop_of_dynamic_children(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_test_system(Supervisor(pool())) as system:
        recorder = Recorder(system)
        for number in range(10):
            await system.start_child("/pool", scripted(f"c{number}", Script(log=log), shutdown=Shutdown.BRUTAL))
        log.clear()
    assert log == []
    assert len(recorder.of(ChildExited)) == 11
    assert recorder.story[-1] == "down /pool 1 shutdown"


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("dynamic", [False, True], ids=["21", "22"])
async def test_21_22_children_that_end_by_themselves_while_all_stop(
    way: Way, restart: Restart, *, dynamic: bool, autojump_clock: MockClock
) -> None:
    racer = mortal("racer", way, restart=restart)
    last = scripted("last", Script(letting_go=3.0))  # the supervisor waits for this one meanwhile
    below = pool() if dynamic else ChildSpec("pool", Supervisor(racer, last))
    async with open_test_system(Supervisor(below)) as system:
        if dynamic:
            await system.start_child("/pool", racer)
            await system.start_child("/pool", last)
        recorder = Recorder(system)
        target = "/pool/racer/inner" if way is Way.SHUTDOWN else "/pool/racer"
        await system.ref(target, Player).tell(Stick(seconds=1.0))
        await system.ref(target, Player).tell(Crash() if way is Way.FAILED else Leave())
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == begin + 3
    (exited,) = recorder.of(ChildExited, "/pool/racer")
    # Dynamic ones are all told to stop at once, so what waits behind the message in hand is not handled any more.
    assert exited.end is (End.SHUTDOWN if dynamic else End(way.value))
    assert recorder.of(ChildExited, "/pool")[0].end is End.SHUTDOWN
    assert not recorder.of(ChildStarted)
    assert not recorder.of(RestartScheduled)


@pytest.mark.parametrize("restart", Restart)
async def test_22_dynamic_children_that_fail_when_they_are_stopped(restart: Restart, autojump_clock: MockClock) -> None:
    class Sour(Player):
        async def stopping(self, reason: str) -> None:
            raise OSError(f"would not {reason}")

    async with open_test_system(Supervisor(pool(Intensity(0, 1.0)))) as system:
        recorder = Recorder(system)
        for number in range(3):
            await system.start_child("/pool", ChildSpec(f"c{number}", partial(Sour, Script()), restart=restart))
        await system.start_child("/pool", scripted("good", restart=restart))
    ends = {event.path: event.end for event in recorder.of(ChildExited)}
    assert [ends[f"/pool/c{number}"] for number in range(3)] == [End.FAILED] * 3
    assert (ends["/pool/good"], ends["/pool"]) == (End.SHUTDOWN, End.SHUTDOWN)
    assert not recorder.of(RestartScheduled)
    assert not recorder.of(BecameZombie)
