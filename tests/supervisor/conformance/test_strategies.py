"""OTP's cases 40 to 54: who is restarted with whom, how often, and what follows a restart that fails."""

import gc
from functools import partial
from typing import Never
from weakref import ref as weak

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Restart,
    State,
    Strategy,
    Supervisor,
    System,
)
from supervisor.events import ChildExited, End, GaveUp, RestartScheduled
from supervisor.testing import Act, Player, Recorder, Script, open_test_system, scripted
from tests.supervisor.conformance import AT_ONCE, PATIENT, at_once, crash, incarnations

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
TWICE = Intensity(2, within=3600.0)


def inside(below: Supervisor | DynamicSupervisor) -> Supervisor:
    """A tree whose inner supervisor may give up without ending it all."""
    return Supervisor(ChildSpec("sup", below, restart=Restart.TEMPORARY), scripted("outside"))


async def gives_up(system: System, recorder: Recorder) -> None:
    """The supervisor at `/sup` has ended like one that gave up, and all of its children are gone."""
    exited = await recorder.wait_for(ChildExited, "/sup")
    assert exited.end is End.SHUTDOWN
    assert len(recorder.of(GaveUp, "/sup")) == 1
    await trio.testing.wait_all_tasks_blocked()
    assert incarnations(system) == {"outside": 1}


async def test_40_restarts_far_enough_apart_are_never_too_many(autojump_clock: MockClock) -> None:
    tree = at_once(scripted("a"), intensity=Intensity(1, within=1.0))
    async with open_test_system(tree) as system:
        for number in range(2, 8):
            await crash(system, "/a")
            assert incarnations(system) == {"a": number}
            await trio.sleep(1.1)
        assert system.snapshot().state is State.RUNNING


async def test_40_restarts_within_the_period_are_too_many(autojump_clock: MockClock) -> None:
    below = at_once(scripted("a"), intensity=Intensity(1, within=1.0))
    async with open_test_system(inside(below)) as system:
        recorder = Recorder(system)
        for _ in range(2):
            await crash(system, "/sup/a")
            await trio.sleep(0.9)
        await gives_up(system, recorder)


@pytest.mark.parametrize(
    ("strategy", "then"),
    [(ONE, {"a": 1, "b": 2, "c": 1}), (ALL, {"a": 2, "b": 2, "c": 2}), (REST, {"a": 1, "b": 2, "c": 2})],
    ids=["41", "43", "52"],
)
async def test_41_43_52_who_is_restarted_and_how_often(
    strategy: Strategy, then: dict[str, int], autojump_clock: MockClock
) -> None:
    below = Supervisor(*map(scripted, "abc"), strategy=strategy, intensity=TWICE, backoff=AT_ONCE)
    async with open_test_system(inside(below)) as system:
        recorder = Recorder(system)
        await crash(system, "/sup/b")
        assert incarnations(system, "/sup") == then
        await crash(system, "/sup/c")
        assert not recorder.of(GaveUp)
        await crash(system, "/sup/b")
        await gives_up(system, recorder)


@pytest.mark.parametrize("strategy", [ONE, ALL, REST], ids=["42", "44", "53"])
async def test_42_44_53_a_child_that_cannot_start_again(strategy: Strategy, autojump_clock: MockClock) -> None:
    dud = scripted("b", Script(Act.OK, Act.FAIL))
    below = Supervisor(scripted("a"), dud, scripted("c"), strategy=strategy, intensity=TWICE, backoff=AT_ONCE)
    async with open_test_system(inside(below)) as system:
        recorder = Recorder(system)
        await crash(system, "/sup/b")
        await gives_up(system, recorder)
        assert len(recorder.of(RestartScheduled)) == 2
        assert [event.end for event in recorder.of(ChildExited, "/sup/b")] == [End.FAILED] * 3


async def test_45_one_for_all_a_sibling_whose_restart_fails_takes_the_set_down_again(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = at_once(
        scripted("a", Script(log=log)),
        scripted("b", Script(Act.OK, Act.FAIL, Act.OK, log=log)),
        scripted("c", Script(log=log)),
        strategy=ALL,
    )
    async with open_test_system(tree) as system:
        log.clear()
        await crash(system, "/a")
        assert incarnations(system) == {"a": 3, "b": 3, "c": 2}
        assert [line for line in log if not line.startswith("stopped")] == [
            "stopping a failed",
            "stopping c shutdown",
            "stopping b shutdown",
            "start a",
            "start b",
            "stopping b failed",
            "stopping a shutdown",
            "start a",
            "start b",
            "start c",
        ]


def pool(intensity: Intensity = PATIENT, backoff: Backoff = AT_ONCE) -> DynamicSupervisor:
    return DynamicSupervisor(max_children=20, intensity=intensity, backoff=backoff)


async def test_46_dynamic_children_are_restarted_one_by_one(autojump_clock: MockClock) -> None:
    async with open_test_system(inside(pool(TWICE))) as system:
        recorder = Recorder(system)
        for id in "ab":
            await system.start_child("/sup", scripted(id))
        await crash(system, "/sup/a")
        assert incarnations(system, "/sup") == {"a": 2, "b": 1}
        await crash(system, "/sup/b")
        await crash(system, "/sup/b")
        await gives_up(system, recorder)


async def test_47_dynamic_children_stop_together_each_with_all_of_its_grace(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_test_system(inside(pool())) as system:
        for number in range(5):
            await system.start_child("/sup", scripted(f"c{number}", Script(log=log, letting_go=4.5), shutdown=5.0))
        begin = trio.current_time()
        await system.terminate_child("/sup")
        assert trio.current_time() == begin + 4.5
    assert len([line for line in log if line.startswith("stopped")]) == 5


async def test_49_a_dynamic_child_that_cannot_start_again(autojump_clock: MockClock) -> None:
    async with open_test_system(inside(pool(TWICE))) as system:
        recorder = Recorder(system)
        await system.start_child("/sup", scripted("good"))
        await system.start_child("/sup", scripted("a", Script(Act.OK, Act.FAIL)))
        await crash(system, "/sup/a")
        await gives_up(system, recorder)


class Luggage:
    """Something that a child is started with."""


class Porter(Player):
    def __init__(self, luggage: Luggage) -> None:
        super().__init__(Script())
        self.luggage = luggage


@pytest.mark.parametrize(
    ("path", "restart", "kept"),
    [
        ("/pool", Restart.TEMPORARY, False),
        ("/one", Restart.TEMPORARY, False),
        ("/all", Restart.TEMPORARY, False),
        ("/rest", Restart.TEMPORARY, False),
        ("/one", Restart.TRANSIENT, True),
        ("/all", Restart.PERMANENT, True),
    ],
    ids=["50", "75 one", "75 all", "75 rest", "75 transient", "75 permanent"],
)
async def test_50_75_what_a_temporary_child_was_started_with_goes_with_it(
    path: str, restart: Restart, *, kept: bool, autojump_clock: MockClock
) -> None:
    supers: list[ChildSpec[Never]] = [
        ChildSpec(id, at_once(strategy=how)) for id, how in (("one", ONE), ("all", ALL), ("rest", REST))
    ]
    async with open_test_system(Supervisor(*supers, ChildSpec("pool", pool()))) as system:
        luggage = Luggage()
        remembered = weak(luggage)
        await system.start_child(path, ChildSpec("a", partial(Porter, luggage), restart=restart))
        await system.start_child(path, scripted("b", restart=restart))
        del luggage
        await crash(system, f"{path}/a")
        gc.collect()
        assert (remembered() is not None) == kept
        assert "b" in incarnations(system, path)


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.PERMANENT])
async def test_51_a_dynamic_child_that_ignores_its_restart_is_dropped(
    restart: Restart, autojump_clock: MockClock
) -> None:
    async with open_test_system(inside(pool())) as system:
        await system.start_child("/sup", scripted("a", Script(Act.OK, Act.IGNORE), restart=restart))
        await system.start_child("/sup", scripted("b"))
        await crash(system, "/sup/a")
        assert incarnations(system, "/sup") == {"b": 1}
        assert system.snapshot("/sup").state is State.RUNNING


@pytest.mark.parametrize("strategy", Strategy)
async def test_51_a_static_child_that_ignores_its_restart_is_kept_down(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    ignoring = scripted("a", Script(Act.OK, Act.IGNORE, Act.OK))
    async with open_test_system(at_once(ignoring, scripted("b"), strategy=strategy)) as system:
        await crash(system, "/a")
        assert system.snapshot("/a").state is State.STOPPED
        assert system.snapshot("/b").state is State.RUNNING
        await system.restart_child("/a")
        assert system.snapshot("/a").state is State.RUNNING


async def test_54_rest_for_one_a_sibling_whose_restart_fails_is_retried_without_the_earlier_ones(
    autojump_clock: MockClock,
) -> None:
    tree = at_once(
        scripted("a"),
        scripted("b"),
        scripted("c", Script(Act.OK, Act.FAIL, Act.OK)),
        scripted("d"),
        strategy=REST,
    )
    async with open_test_system(tree) as system:
        await crash(system, "/b")
        assert incarnations(system) == {"a": 1, "b": 2, "c": 3, "d": 2}
