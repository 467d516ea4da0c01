"""`open_system`: what goes in comes out as it was, and the tree is always stopped in order."""

from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    AdminRefused,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    IntensityExceeded,
    NoSuchActor,
    Ref,
    StartFailed,
    State,
    Supervisor,
    System,
    current_path,
)
from supervisor.events import GaveUp
from supervisor.testing import (
    Act,
    Crash,
    Player,
    Probe,
    Recorder,
    Script,
    Scripted,
    WhoAreYou,
    open_test_system,
    scripted,
)


def pair(log: list[str], intensity: Intensity | None = None) -> Supervisor:
    return Supervisor(scripted("a", Script(log=log)), scripted("b", Script(log=log)), intensity=intensity)


STOPPED = ["stopping b shutdown", "stopped b", "stopping a shutdown", "stopped a"]


async def test_the_blocks_own_error_comes_out_as_itself() -> None:
    log: list[str] = []
    cause = KeyError("cause")
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with open_test_system(pair(log)):
            raise error from cause
    assert caught.value is error
    assert error.__cause__ is cause
    assert log[2:] == STOPPED


async def test_the_blocks_own_group_comes_out_as_itself() -> None:
    group = ExceptionGroup("mine", [ValueError("1"), ValueError("2")])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_test_system(pair([])):
            raise group
    assert caught.value.message == "mine"  # trio makes a new one of it on the way, with the same errors
    assert caught.value.exceptions == group.exceptions


async def test_a_cancel_from_outside_still_stops_in_order(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = Supervisor(scripted("a", Script(log=log, letting_go=3.0)), scripted("b", Script(log=log, letting_go=3.0)))
    begin = trio.current_time()
    with trio.move_on_after(1) as scope:
        async with open_test_system(tree):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(begin + 7)
    assert log[2:] == STOPPED


async def test_an_error_of_the_block_is_not_hidden_by_a_cancel_from_outside(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="mine"), trio.CancelScope() as scope:  # noqa: PT012  # the block is what raises
        async with open_test_system(pair([])):
            scope.cancel()
            raise ValueError("mine")


async def test_a_root_that_gives_up_cancels_the_block_and_says_why(autojump_clock: MockClock) -> None:
    log: list[str] = []
    ended = []
    with pytest.raises(IntensityExceeded) as caught:  # noqa: PT012  # the block is what raises
        async with open_test_system(pair(log, Intensity(0, 5.0))) as system:
            recorder = Recorder(system)
            await system.ref("/a", Player).tell(Crash())
            try:
                await trio.sleep_forever()
            finally:
                ended.append(system.snapshot().state)
    assert caught.value.path == "/a"
    assert isinstance(caught.value.reason, Scripted)
    assert len(recorder.of(GaveUp, "/")) == 1
    assert ended == [State.FAILED]
    assert log[-2:] == ["stopping b shutdown", "stopped b"]


async def test_a_first_start_that_fails_is_raised_and_the_rest_stopped(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = Supervisor(
        scripted("a", Script(log=log)),
        ChildSpec("sup", Supervisor(scripted("dud", Script(Act.FAIL, log=log)))),
        scripted("never", Script(log=log)),
    )
    with pytest.raises(StartFailed) as caught:
        async with open_test_system(tree):
            raise AssertionError("the block must not be entered")
    assert caught.value.path == "/sup"
    assert isinstance(caught.value.reason, StartFailed)
    assert caught.value.reason.path == "/sup/dud"
    assert isinstance(caught.value.reason.reason, Scripted)
    assert "start never" not in log
    assert log[-1] == "stopped a"


async def test_a_cancel_while_the_tree_starts(autojump_clock: MockClock) -> None:
    log: list[str] = []
    tree = Supervisor(scripted("a", Script(log=log)), scripted("b", Script(Act.HANG, log=log), start_timeout=1000.0))
    begin = trio.current_time()
    with trio.move_on_after(5):
        async with open_test_system(tree):
            raise AssertionError("the block must not be entered")
    assert trio.current_time() == pytest.approx(begin + 5)
    assert log == ["start a", "start b", *STOPPED]


async def test_a_tree_can_be_written_with_refs_of_its_own() -> None:
    heard: list[object] = []

    class Talker(Player):
        def __init__(self, other: Ref[WhoAreYou]) -> None:
            super().__init__(Script())
            self._other = other

        async def started(self) -> None:
            heard.append(await self._other.ask(WhoAreYou(), timeout=5))

    def tree(system: System) -> Supervisor:
        first = system.ref("/first", Player)
        return Supervisor(scripted("first"), ChildSpec("second", partial(Talker, first)))

    async with open_test_system(tree, name="house") as system:
        assert system.name == "house"
    assert heard == [1]


async def test_a_system_shows_itself() -> None:
    tree = Supervisor(scripted("a"), ChildSpec("pool", DynamicSupervisor(max_children=1)))
    async with open_test_system(tree) as system:
        root = system.snapshot()
        assert (root.path, root.kind, root.state) == ("/", "one_for_one", State.RUNNING)
        assert [(node.path, node.kind) for node in root.children] == [("/a", "Player"), ("/pool", "dynamic")]
        assert system.count_children("/") == {"specs": 2, "active": 2, "supervisors": 1, "workers": 1}
    assert system.snapshot().state is State.STOPPED


async def test_calls_to_what_is_not_there() -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system:
        for call in (system.terminate_child, system.restart_child, system.delete_child):
            with pytest.raises(NoSuchActor):
                await call("/nobody")
            with pytest.raises(AdminRefused, match="the root has no supervisor"):
                await call("/")
        with pytest.raises(NoSuchActor):
            await system.start_child("/nobody", scripted("x"))
        with pytest.raises(AdminRefused, match="not a running supervisor"):
            await system.start_child("/a", scripted("x"))
        with pytest.raises(NoSuchActor):
            system.snapshot("/nobody")
        with pytest.raises(NoSuchActor):
            system.get_spec("/nobody")


async def test_helpers_and_actors_know_where_they_are() -> None:
    paths: list[str] = []

    class Curious(Player):
        async def started(self) -> None:
            paths.append(current_path.get())

    async with open_test_system(Supervisor(ChildSpec("a", partial(Curious, Script())))) as system:
        assert current_path.get() == ""
        assert repr(system.ref("/a", Curious)) == "Ref(/a)"
    assert paths == ["/a"]


async def test_refs_are_equal_by_address() -> None:
    async with open_test_system(Supervisor(ChildSpec("a", partial(Probe, [])))) as system:
        assert system.ref("/a", Probe) == system.ref("/a", Probe)
        assert len({system.ref("/a", Probe), system.ref("/a", Probe), system.ref("/b", Probe)}) == 2
