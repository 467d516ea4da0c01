"""OTP's cases 69 to 93: nested supervisors, counts, restart loops, order, many children, reports."""

from functools import partial
from typing import Any, Never

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    ActorStopped,
    AdminRefused,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    NoSuchActor,
    Restart,
    State,
    Strategy,
    Supervisor,
)
from supervisor.errors import LINE
from supervisor.events import BecameZombie, ChildExited, ChildStarted, RestartScheduled
from supervisor.testing import (
    Act,
    Crash,
    Player,
    Probe,
    Recorder,
    Script,
    Stick,
    WhoAreYou,
    open_test_system,
    scripted,
)
from supervisor.traces import KEPT
from tests.supervisor.conformance import PATIENT, Way, at_once, counts, crash, end, incarnations, mortal

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
SLOW = Backoff(base=1.0, factor=2.0, cap=4.0, jitter=0.0)


def pool(most: int, **options: Any) -> ChildSpec[Any]:
    return ChildSpec("pool", DynamicSupervisor(max_children=most, **({"intensity": PATIENT} | options)))


async def test_69_a_child_that_does_not_listen_does_not_hold_up_its_termination(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a", shutdown=1.0))) as system:
        recorder = Recorder(system)
        await system.ref("/a", Player).tell(Stick(seconds=500.0, shielded=True))
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
        await system.terminate_child("/a")
        assert trio.current_time() == begin + 3
        assert recorder.of(BecameZombie, "/a")
        assert system.snapshot("/a").state is State.ZOMBIE


async def test_70_crashes_are_local_and_an_escalation_restarts_what_is_written(autojump_clock: MockClock) -> None:
    inner = at_once(scripted("x"), scripted("y"), intensity=Intensity(1, within=100.0))
    middle = at_once(ChildSpec("inner", inner), scripted("m"), strategy=ALL)
    by_hand: ChildSpec[Never] = ChildSpec("by_hand", at_once(scripted("z")), restart=Restart.TRANSIENT)
    async with open_test_system(at_once(ChildSpec("middle", middle), by_hand, scripted("a"))) as system:
        await system.start_child("/middle/inner", scripted("guest"))
        await crash(system, "/middle/inner/x")
        assert incarnations(system, "/middle/inner") == {"x": 2, "y": 1, "guest": 1}
        await crash(system, "/middle/inner/guest")
        assert incarnations(system, "/middle/inner") == {"x": 1, "y": 1}
        assert incarnations(system, "/middle") == {"inner": 2, "m": 2}
        assert incarnations(system) == {"middle": 1, "by_hand": 1, "a": 1}


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_70_what_was_terminated_by_hand_stays_down(strategy: Strategy, autojump_clock: MockClock) -> None:
    below: ChildSpec[Never] = ChildSpec("sup", at_once(scripted("x")), restart=Restart.TRANSIENT)
    async with open_test_system(at_once(scripted("a"), below, scripted("c"), strategy=strategy)) as system:
        await system.terminate_child("/sup")
        await crash(system, "/a")
        assert incarnations(system) == {"a": 2, "sup": 1, "c": 2}
        assert system.snapshot("/sup").state is State.STOPPED
        await system.restart_child("/sup")
        await crash(system, "/a")
        assert incarnations(system) == {"a": 3, "sup": 3, "c": 3}


@pytest.mark.parametrize("kind", ["71", "72"])
async def test_71_72_counts_of_many_children(kind: str) -> None:
    async with open_test_system(Supervisor(pool(1000))) as system:
        for number in range(1000):
            child = scripted(f"c{number}") if kind == "71" else ChildSpec(f"c{number}", Supervisor())
            await system.start_child("/pool", child)
        supervisors = 1000 if kind == "72" else 0
        assert counts(system, "/pool") == [1000, 1000, supervisors, 1000 - supervisors]
        for number in range(0, 1000, 2):
            await system.terminate_child(f"/pool/c{number}")
        supervisors //= 2
        assert counts(system, "/pool") == [500, 500, supervisors, 500 - supervisors]
        assert [node.path for node in system.which_children("/pool")] == [f"/pool/c{n}" for n in range(1, 1000, 2)]


async def test_73_restarting_children_are_counted_but_are_not_active(autojump_clock: MockClock) -> None:
    dud = Script(Act.OK, Act.FAIL)
    tree = Supervisor(scripted("a"), scripted("b", dud), intensity=PATIENT, backoff=SLOW)
    async with open_test_system(tree) as system:
        await crash(system, "/b")
        assert system.snapshot("/b").state is State.RESTARTING
        assert counts(system) == [2, 1, 0, 2]
        await trio.sleep(10)
        assert counts(system) == [2, 1, 0, 2]


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("way", [*Way, None])
@pytest.mark.parametrize("strategy", Strategy)
async def test_76_specs_of_temporary_children_are_not_kept(
    strategy: Strategy, way: Way | None, restart: Restart, autojump_clock: MockClock
) -> None:
    child = mortal("a", way or Way.NORMAL, restart=restart)
    async with open_test_system(at_once(child, strategy=strategy)) as system:
        if way is None:
            await system.terminate_child("/a")
        else:
            await end(system, "/a", way)
        if restart is Restart.TEMPORARY:
            await system.start_child("/", child)
        else:
            with pytest.raises(AdminRefused, match="already"):
                await system.start_child("/", child)


async def test_77_ten_thousand_temporary_children_come_and_go() -> None:
    probe = partial(Probe, [])
    async with open_test_system(Supervisor(pool(10_000))) as system:
        async with trio.open_nursery() as nursery:
            for number in range(10_000):
                child = ChildSpec(f"c{number}", probe, restart=Restart.TEMPORARY)
                nursery.start_soon(system.start_child, "/pool", child)
        assert counts(system, "/pool") == [10_000, 10_000, 0, 10_000]
        await system.terminate_child("/pool")
        assert counts(system) == [1, 0, 1, 0]


async def test_88_ten_thousand_children_of_a_static_supervisor() -> None:
    probe = partial(Probe, [])
    async with open_test_system(Supervisor(*(ChildSpec(f"c{n}", probe) for n in range(10_000)))) as system:
        recorder = Recorder(system)
        assert counts(system) == [10_000, 10_000, 0, 10_000]
    assert [event.path for event in recorder.of(ChildExited)] == [f"/c{n}" for n in range(9_999, -1, -1)]


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_78_a_temporary_bystander_goes_for_good_and_costs_nothing(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    children = scripted("a"), scripted("b", restart=Restart.TEMPORARY), scripted("c", restart=Restart.TEMPORARY)
    async with open_test_system(at_once(*children, strategy=strategy, intensity=Intensity(1, 100.0))) as system:
        await crash(system, "/a")
        assert incarnations(system) == {"a": 2}
        assert system.snapshot().state is State.RUNNING


@pytest.mark.parametrize("kind", ["worker", "supervisor"])
async def test_79_a_path_is_found_again_after_every_end(kind: str, autojump_clock: MockClock) -> None:
    below = at_once(scripted("x"), intensity=Intensity(0, 1.0))
    tree = at_once(scripted("a") if kind == "worker" else ChildSpec("a", below))
    path = "/a" if kind == "worker" else "/a/x"
    async with open_test_system(tree) as system:
        ref = system.ref(path, Player)
        for _ in range(3):
            await crash(system, path)
            assert await ref.ask(WhoAreYou(), timeout=5) >= 1
            await system.restart_child("/a")
            assert await ref.ask(WhoAreYou(), timeout=5) >= 1
            await system.terminate_child("/a")
            with pytest.raises(NoSuchActor if kind == "supervisor" else ActorStopped):
                await ref.ask(WhoAreYou(), timeout=5)
            await system.restart_child("/a")
            assert await ref.ask(WhoAreYou(), timeout=5) >= 1


LOOPS = [("80", ONE), ("80 all", ALL), ("81", REST), ("82", None)]


@pytest.mark.parametrize(("strategy"), [how for _, how in LOOPS], ids=[name for name, _ in LOOPS])
@pytest.mark.parametrize("by", ["terminate", "stop"])
async def test_80_81_82_a_restart_loop_answers(strategy: Strategy | None, by: str, autojump_clock: MockClock) -> None:
    dud, other = scripted("a", Script(Act.OK, Act.FAIL)), scripted("b")
    below: Supervisor | DynamicSupervisor = DynamicSupervisor(max_children=5, intensity=PATIENT, backoff=SLOW)
    if strategy is not None:
        below = Supervisor(dud, other, strategy=strategy, intensity=PATIENT, backoff=SLOW)
    async with open_test_system(Supervisor(ChildSpec("sup", below))) as system:
        if strategy is None:
            await system.start_child("/sup", dud)
            await system.start_child("/sup", other)
        recorder = Recorder(system)
        await crash(system, "/sup/a")
        await recorder.wait_for(RestartScheduled, "/sup/a", count=4)
        await trio.testing.wait_all_tasks_blocked()
        assert system.snapshot("/sup/a").state is State.RESTARTING
        begin = trio.current_time()
        with pytest.raises(AdminRefused, match="already"):
            await system.start_child("/sup", dud)
        with pytest.raises(AdminRefused, match="not down"):
            await system.delete_child("/sup/a")
        assert counts(system, "/sup")[0] == 2
        if by == "terminate":
            await system.terminate_child("/sup/a")
            assert incarnations(system, "/sup").keys() == ({"b"} if strategy is None else {"a", "b"})
        else:
            await system.terminate_child("/sup")
        assert trio.current_time() == begin
        count = len(recorder.of(RestartScheduled))
        await trio.sleep(100)
        assert len(recorder.of(RestartScheduled)) == count


@pytest.mark.parametrize("strategy", Strategy)
async def test_80_a_restart_by_hand_in_the_loop(strategy: Strategy, autojump_clock: MockClock) -> None:
    script = Script(Act.OK, Act.FAIL, Act.FAIL, Act.OK)
    tree = Supervisor(scripted("a", script), scripted("b"), strategy=strategy, intensity=PATIENT, backoff=SLOW)
    async with open_test_system(tree) as system:
        await crash(system, "/a")
        await Recorder(system).wait_for(RestartScheduled, "/a")
        begin = trio.current_time()
        await system.restart_child("/a")  # does not wait for the backoff
        assert trio.current_time() == begin
        assert system.snapshot("/a").state is State.RUNNING
        await trio.sleep(10)
        assert system.snapshot("/b").state is State.RUNNING


async def test_87_starts_in_order_and_stops_in_reverse(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = at_once(*(scripted(id, Script(log=log, letting_go=1.0)) for id in "abcd"), strategy=REST)
    async with open_test_system(tree) as system:
        assert log == ["start a", "start b", "start c", "start d"]
        log.clear()
        await system.ref("/b", Player).tell(Crash())
        await Recorder(system).wait_for(ChildStarted, "/d")
        assert [line for line in log if not line.startswith("stopped")] == [
            "stopping b failed", "stopping d shutdown", "stopping c shutdown", "start b", "start c", "start d",
        ]  # fmt: skip
        log.clear()
    assert log == [line for id in "dcba" for line in (f"stopping {id} shutdown", f"stopped {id}")]


async def test_89_90_reports_are_bounded_and_a_reason_is_one_line(autojump_clock: MockClock) -> None:
    async with open_test_system(at_once(scripted("a"))) as system:
        recorder = Recorder(system)
        await system.ref("/a", Player).tell(Crash(word="first\nsecond " + "x" * 100_000))
        exited = await recorder.wait_for(ChildExited)
        assert exited.reason.startswith("first second xxx")
        assert len(exited.reason) == LINE
        assert len(exited.trace) == KEPT
        error = system.snapshot("/a").error
        assert error == exited.reason


async def test_92_93_which_children_and_which_child(autojump_clock: MockClock) -> None:
    tree = Supervisor(scripted("a"), ChildSpec("sup", Supervisor(scripted("x"))), pool(3))
    async with open_test_system(tree) as system:
        await system.start_child("/pool", scripted("p"))
        nodes = system.which_children("/")
        assert [(node.path, node.kind) for node in nodes] == [
            ("/a", "Player"), ("/sup", "one_for_one"), ("/pool", "dynamic"),
        ]  # fmt: skip
        assert [node.path for node in system.which_children("/sup")] == ["/sup/x"]
        assert [node.path for node in system.which_children("/pool")] == ["/pool/p"]
        assert system.snapshot("/pool/p").state is State.RUNNING
        for path in ("/q", "/sup/q", "/pool/q"):
            with pytest.raises(NoSuchActor):
                system.snapshot(path)
        await system.terminate_child("/a")
        assert system.which_children("/")[0].state is State.STOPPED
