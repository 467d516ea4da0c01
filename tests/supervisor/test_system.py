"""`open_system`: what goes in comes out as it was, and the tree is always stopped in order."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    ActorError,
    AdminRefused,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    IntensityExceeded,
    NoReply,
    NoSuchActor,
    Ref,
    Restart,
    Shutdown,
    StartFailed,
    State,
    Strategy,
    Supervisor,
    System,
    current_path,
    open_system,
)
from supervisor.events import Event, EventsLost, GaveUp, Handled
from supervisor.testing import (
    PATIENCE,
    Act,
    Crash,
    Leave,
    Player,
    Recorder,
    Script,
    Scripted,
    Stick,
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


async def test_a_fault_in_the_runtime_ends_the_system_and_hangs_nowhere(autojump_clock: MockClock) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError(event)

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError), flatten_subgroups=True):
        async with open_system(pair([])) as system:
            system.telemetry.listeners.append(broken)
            await system.ref("/a", Player).tell(Crash())
            await trio.sleep_forever()


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


# --- looking on


async def test_a_trace_tells_each_message_that_is_handled(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"), scripted("b"))) as system:
        ref = system.ref("/a", Player)
        trace = system.trace("/a")
        await system.ref("/b", Player).tell(Stick(seconds=0.0))
        await ref.tell(Stick(seconds=0.0))
        assert await ref.ask(WhoAreYou(), timeout=5) == 1
        await ref.tell(Crash())  # not handled
        await trio.testing.wait_all_tasks_blocked()
        assert await ref.ask(WhoAreYou(), timeout=5) == 2  # over a restart too
        trace.close()
        await ref.tell(Stick(seconds=0.0))
        await trio.testing.wait_all_tasks_blocked()
        told = [event async for event in trace if isinstance(event, Handled)]
    assert [(event.path, event.message, event.asked, event.answer) for event in told] == [
        ("/a", "Stick", False, ""),
        ("/a", "WhoAreYou", True, "1"),
        ("/a", "WhoAreYou", True, "2"),
    ]
    assert all(event.took >= 0 for event in told)
    assert told[0].text == "Stick(seconds=0.0, shielded=False)"


async def test_a_slow_reader_of_a_trace_is_told_what_it_lost() -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system:
        trace = system.trace("/a", bound=2)
        for _ in range(5):
            assert await system.ref("/a", Player).ask(WhoAreYou(), timeout=5) == 1
        trace.close()
        events = [event async for event in trace]
    assert isinstance(events[0], EventsLost)
    assert events[0].count == 3
    assert len(events) == 3


async def test_a_trace_of_one_who_hears_nothing_else_begins_at_once(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system:
        ref = system.ref("/a", Player)
        await ref.tell(Stick(seconds=1.0))
        await ref.tell(Stick(seconds=2.0))
        await trio.testing.wait_all_tasks_blocked()
        trace = system.trace("/a")  # one message is in hand, the other waits
        await trio.sleep(10)
        trace.close()
        assert [event.text async for event in trace if isinstance(event, Handled)][-1].startswith("Stick(seconds=2.0")
    with pytest.raises(NoSuchActor):
        system.trace("/nobody")


async def test_what_is_traced_fails_and_crashes_as_ever(autojump_clock: MockClock) -> None:
    class Mute(Player):
        async def receive(self, message: Any) -> None:
            if isinstance(message, Crash):
                raise ValueError("boom")

    async with open_test_system(Supervisor(ChildSpec("a", partial(Mute, Script())))) as system:
        trace = system.trace("/a")
        with pytest.raises(NoReply):
            await system.ref("/a", Mute).ask(WhoAreYou(), timeout=5)
        await system.ref("/a", Mute).tell(Crash())
        await trio.testing.wait_all_tasks_blocked()
        assert system.snapshot("/a").incarnation == 2
        trace.close()
        assert [event.answer async for event in trace if isinstance(event, Handled)] == [""]


class Life:
    """A random tree, and random things that happen to it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.made = 0

    def child(self, depth: int, *, sound: bool = True) -> ChildSpec[Any]:
        """A leaf or a supervisor; a `sound` one starts, others may fail or hang a few times before."""
        pick = self.random.choice
        self.made += 1
        if depth and self.random.random() < 0.5:
            below: Supervisor | DynamicSupervisor = DynamicSupervisor(max_children=4)
            if self.random.random() < 0.8:
                children = [self.child(depth - 1) for _ in range(self.random.randint(1, 3))]
                intensity = Intensity(self.random.randint(1, 4), 1000.0)
                below = Supervisor(*children, strategy=pick(list(Strategy)), intensity=intensity)
            graces: list[float | Shutdown] = [Shutdown.INFINITE, 2.0, Shutdown.BRUTAL]
            return ChildSpec(f"s{self.made}", below, restart=pick(list(Restart)), shutdown=pick(graces))
        later = [pick(list(Act)) for _ in range(self.random.randint(0, 3))]
        script = Script(*[Act.OK][:sound], *later, Act.OK, letting_go=pick([0.0, 1.0, 7.0]))
        graces = [Shutdown.BRUTAL, 1.0, 5.0]
        return scripted(f"c{self.made}", script, restart=pick(list(Restart)), shutdown=pick(graces), start_timeout=3.0)

    async def happen(self, system: System) -> None:
        """One thing, to one place. What does not fit its state is refused, and that is all."""
        path = self.random.choice(sorted(system._registry.cells))
        stick = Stick(seconds=self.random.choice([0.5, 4.0, 20.0]), shielded=self.random.random() < 0.2)
        ref = system.ref(path, Player)
        things: list[Callable[[], Awaitable[object]]] = [
            partial(ref.tell, self.random.choice((Crash(), Leave(), stick))),
            partial(ref.ask, WhoAreYou(), timeout=3.0),
            partial(system.terminate_child, path),
            partial(system.restart_child, path),
            partial(system.delete_child, path),
            partial(system.start_child, path, self.child(1, sound=False)),
        ]
        with suppress(ActorError):
            await self.random.choices(things, [4, 1, 1, 1, 1, 1])[0]()


@pytest.mark.parametrize("seed", range(60))
async def test_random_lives_end_well(seed: int, autojump_clock: MockClock) -> None:
    life = Life(seed)
    tree = Supervisor(*(life.child(2) for _ in range(3)), intensity=Intensity(1000, 5.0), backoff=Backoff(base=0))
    with trio.fail_after(PATIENCE):
        async with open_test_system(tree) as system:
            async with trio.open_nursery() as nursery:
                for _ in range(60):
                    nursery.start_soon(life.happen, system)
                    await trio.sleep(life.random.choice([0, 0, 0.01, 0.2, 3]))
                if life.random.random() < 0.3:
                    nursery.cancel_scope.cancel()
            if life.random.random() < 0.5:  # else it is stopped in the middle of it all
                await trio.sleep(300)
                rest = {State.RUNNING, State.STOPPED, State.FAILED}
                assert {cell.state for cell in system._registry.cells.values()} <= rest
                assert system._registry.timers.pending == 0
