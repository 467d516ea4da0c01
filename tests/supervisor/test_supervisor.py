"""Live supervisors: order, strategies, intensity, escalation, and admin calls in the middle of everything."""

from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    AdminRefused,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    IntensityExceeded,
    Restart,
    Shutdown,
    State,
    Strategy,
    Supervisor,
    System,
)
from supervisor.events import BecameZombie, ChildExited, ChildStarted, GaveUp, RestartScheduled
from supervisor.testing import (
    Act,
    Crash,
    Leave,
    Player,
    Recorder,
    Script,
    Scripted,
    Stick,
    open_test_system,
    scripted,
)

PATIENT = Intensity(10, 600.0)


def incarnations(system: System, path: str = "/") -> dict[str, int]:
    return {node.path: node.incarnation for node in system.which_children(path)}


async def crash(system: System, path: str, recorder: Recorder, word: str = "boom") -> None:
    """Crash it, and wait until that has been noticed."""
    count = len(recorder.of(ChildExited, path)) + 1
    await system.ref(path, Player).tell(Crash(word=word))
    await recorder.wait_for(ChildExited, path, count=count)


async def test_children_start_in_order_and_stop_in_reverse(autojump_clock: MockClock) -> None:  # OTP 87
    log: list[str] = []
    below = Supervisor(scripted("b1", Script(log=log, letting_go=1.0)), scripted("b2", Script(log=log, letting_go=1.0)))
    tree = Supervisor(
        scripted("a", Script(log=log)), ChildSpec("b", below), scripted("c", Script(log=log, letting_go=2.0))
    )
    async with open_test_system(tree):
        assert log == ["start a", "start b1", "start b2", "start c"]
        log.clear()
    stops = ["stopping c shutdown", "stopped c", "stopping b2 shutdown", "stopped b2", "stopping b1 shutdown"]
    assert log == [*stops, "stopped b1", "stopping a shutdown", "stopped a"]


@pytest.mark.parametrize(
    ("strategy", "replaced"),
    [
        (Strategy.ONE_FOR_ONE, {"/b"}),
        (Strategy.REST_FOR_ONE, {"/b", "/c"}),
        (Strategy.ONE_FOR_ALL, {"/a", "/b", "/c"}),
    ],
)
async def test_strategies(strategy: Strategy, replaced: set[str], autojump_clock: MockClock) -> None:  # OTP 41, 43, 52
    log: list[str] = []
    tree = Supervisor(*(scripted(id, Script(log=log)) for id in "abc"), strategy=strategy)
    async with open_test_system(tree) as system:
        log.clear()
        recorder = Recorder(system)
        await crash(system, "/b", recorder)
        await recorder.wait_for(ChildStarted, max(replaced))
        assert incarnations(system) == {path: 2 if path in replaced else 1 for path in ("/a", "/b", "/c")}
        starts = [line for line in log if line.startswith("start ")]
        assert starts == [f"start {path[1:]}" for path in sorted(replaced)]


async def test_too_many_restarts_stop_the_siblings_and_tell_the_one_above(autojump_clock: MockClock) -> None:
    log: list[str] = []
    below = Supervisor(scripted("x", Script(log=log)), scripted("y", Script(log=log)), intensity=Intensity(2, 3600.0))
    tree = Supervisor(scripted("a"), ChildSpec("sup", below))
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        for number in (1, 2):
            await crash(system, "/sup/x", recorder)
            await recorder.wait_for(ChildStarted, "/sup/x", count=number)
        await crash(system, "/sup/x", recorder, "the last")
        gave_up = await recorder.wait_for(GaveUp, "/sup")
        assert gave_up.reason == ("/sup/x: gave up, 3 failures within 3600 s: the last")
        await recorder.wait_for(ChildStarted, "/sup")
        assert incarnations(system) == {"/a": 1, "/sup": 2}
        assert incarnations(system, "/sup") == {"/sup/x": 1, "/sup/y": 1}
        assert recorder.of(ChildExited, "/sup/y")[0].end == "shutdown"


async def test_a_child_that_cannot_start_again_escalates(autojump_clock: MockClock) -> None:  # OTP 42
    tree = Supervisor(scripted("a", Script(Act.OK, Act.FAIL)), intensity=Intensity(3, 60.0))
    with pytest.raises(IntensityExceeded) as caught:  # noqa: PT012  # the block is what raises
        async with open_test_system(tree) as system:
            recorder = Recorder(system)
            await system.ref("/a", Player).tell(Crash())
            await trio.sleep_forever()
    assert (caught.value.path, caught.value.restarts) == ("/a", 4)
    assert isinstance(caught.value.reason, Scripted)
    assert [event.delay for event in recorder.of(RestartScheduled)] == pytest.approx([0, 0.1, 0.2], rel=0.2)


async def test_a_transient_supervisor_that_gave_up_stays_as_failed(autojump_clock: MockClock) -> None:
    below = Supervisor(scripted("x"), intensity=Intensity(0, 5.0))
    tree = Supervisor(scripted("a"), ChildSpec("sup", below, restart=Restart.TRANSIENT))
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        await crash(system, "/sup/x", recorder, "boom")
        await recorder.wait_for(ChildExited, "/sup")
        await trio.testing.wait_all_tasks_blocked()
        node = system.snapshot("/sup")
        assert node.state is State.FAILED
        assert node.error is not None
        assert "gave up, 1 failure within 5 s: boom" in node.error
        assert node.children[0].state is State.FAILED  # still shown
        assert system.snapshot("/a").state is State.RUNNING
        await system.restart_child("/sup")
        assert system.snapshot("/sup").state is State.RUNNING
        assert system.snapshot("/sup/x").state is State.RUNNING


async def test_a_restarted_supervisor_has_its_static_children_only(autojump_clock: MockClock) -> None:  # OTP 70
    below = Supervisor(scripted("x"), intensity=Intensity(0, 5.0))
    async with open_test_system(Supervisor(ChildSpec("sup", below))) as system:
        recorder = Recorder(system)
        await system.start_child("/sup", scripted("guest"))
        await crash(system, "/sup/x", recorder)
        await recorder.wait_for(ChildStarted, "/sup")
        assert incarnations(system, "/sup") == {"/sup/x": 1}


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_a_stop_in_the_middle_of_a_restart_loop(strategy: Strategy, autojump_clock: MockClock) -> None:
    tree = Supervisor(
        scripted("z"),
        scripted("a", Script(Act.OK, Act.FAIL)),
        strategy=strategy,
        intensity=Intensity(30, 3600.0),
        backoff=Backoff(cap=60.0),
    )
    async with open_test_system(tree) as system:  # OTP 80-82
        recorder = Recorder(system)
        await system.ref("/a", Player).tell(Crash())
        await recorder.wait_for(RestartScheduled, count=5)
        assert system.snapshot("/a").state is State.RESTARTING
        assert system.count_children("/")["specs"] == 2
        with pytest.raises(AdminRefused, match="already"):
            await system.start_child("/", scripted("a"))
        begin = trio.current_time()
    assert trio.current_time() == begin


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_temporary_bystander_goes_for_good(strategy: Strategy, autojump_clock: MockClock) -> None:
    tree = Supervisor(scripted("a"), scripted("b", restart=Restart.TEMPORARY), strategy=strategy)
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        await crash(system, "/a", recorder)
        await recorder.wait_for(ChildStarted, "/a")
        assert incarnations(system) == {"/a": 2}


async def test_children_that_crash_while_all_stop(autojump_clock: MockClock) -> None:  # OTP 21
    tree = Supervisor(scripted("a"), scripted("b"), scripted("c", Script(letting_go=3.0)))
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        a, b = system.ref("/a", Player), system.ref("/b", Player)
        await a.tell(Stick(seconds=1))
        await a.tell(Crash())
        await b.tell(Stick(seconds=1))
        await b.tell(Leave())
    assert sorted(recorder.story[:2]) == ["down /a 1 failed", "down /b 1 normal"]
    assert recorder.story[2:] == ["down /c 1 shutdown"]


async def test_dynamic_children_stop_all_at_once(autojump_clock: MockClock) -> None:  # OTP 47
    tree = Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=10)))
    async with open_test_system(tree) as system:
        for number in range(10):
            await system.start_child("/pool", scripted(f"c{number}", Script(letting_go=4.0)))
        assert system.count_children("/pool") == {"specs": 10, "active": 10, "supervisors": 0, "workers": 10}
        with pytest.raises(AdminRefused, match="that is its most"):
            await system.start_child("/pool", scripted("one more"))
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 4)


@pytest.mark.parametrize("ending", [Crash(), Leave()])
async def test_a_temporary_dynamic_child_leaves_the_tree(ending: Crash | Leave, autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=1)))) as system:
        for _ in range(3):  # its id is free again at once
            recorder = Recorder(system)
            ref = await system.start_child("/pool", scripted("a", restart=Restart.TEMPORARY))
            await ref.tell(ending)
            await recorder.wait_for(ChildExited, "/pool/a")
            await trio.testing.wait_all_tasks_blocked()
            assert system.which_children("/pool") == ()
        assert system.snapshot("/pool").incarnation == 1


async def test_many_dynamic_children_come_and_go() -> None:  # OTP 71
    async with open_test_system(Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=500)))) as system:
        async with trio.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(system.start_child, "/pool", scripted(f"c{number}", restart=Restart.TEMPORARY))
        assert system.count_children("/pool")["active"] == 500
        async with trio.open_nursery() as nursery:
            for number in range(0, 500, 2):
                nursery.start_soon(system.terminate_child, f"/pool/c{number}")
        assert len(system.which_children("/pool")) == 250


async def test_a_child_that_ends_at_once_was_up_all_the_same(autojump_clock: MockClock) -> None:
    class Brief(Player):
        async def started(self) -> None:
            self.context.stop()

    async with open_test_system(Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=3)))) as system:
        recorder = Recorder(system)
        await system.start_child("/pool", ChildSpec("a", partial(Brief, Script()), restart=Restart.TEMPORARY))
        await trio.testing.wait_all_tasks_blocked()
        assert recorder.story == ["up /pool/a 1", "down /pool/a 1 normal"]
        assert system.which_children("/pool") == ()


async def test_a_brutal_supervisor_takes_all_down_at_once(autojump_clock: MockClock) -> None:
    log: list[str] = []
    below = Supervisor(*(scripted(id, Script(log=log, letting_go=100.0)) for id in "xyz"))
    async with open_test_system(Supervisor(ChildSpec("sup", below, shutdown=Shutdown.BRUTAL))) as system:
        recorder = Recorder(system)
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 1)  # their last words, all at once
    assert not recorder.of(BecameZombie)
    assert recorder.story[-1] == "down /sup 1 shutdown"
