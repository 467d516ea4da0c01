"""From one incarnation to the next in the same task: what is saved, and that nothing is inherited."""

import gc
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Actor,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Mailbox,
    Overflow,
    Shutdown,
    State,
    Supervisor,
)
from supervisor.events import ChildExited, ChildStarted, End
from supervisor.testing import Recorder, open_test_system
from tests.supervisor.workers import Do, Read, Worker

ENDLESS = 100_000
"""Restarts that a test would need seconds for, if nobody else got a turn in between."""

setting: ContextVar[Any] = ContextVar("setting", default=None)


def fail(worker: Worker) -> None:
    raise ValueError("told to")


def restless(spec: ChildSpec[Any]) -> Supervisor:
    """Restarts at once, however often."""
    return Supervisor(spec, intensity=Intensity(ENDLESS, within=1e6), backoff=Backoff(base=0.0))


def noting(what: Callable[[Worker], object]) -> Callable[[Worker], object]:
    return lambda worker: worker.notes.append(what(worker))


def task_of(_: Worker) -> trio.lowlevel.Task:
    return trio.lowlevel.current_task()


async def noted(spec: ChildSpec[Any], *deeds: Callable[[Any], object]) -> list[Any]:
    """What a worker has noted after it was told to do these, but for the notes of its `stopping`."""
    async with open_test_system(restless(spec)) as system:
        ref = system.ref("/a", Worker)
        for deed in deeds:
            await ref.tell(Do(what=deed))
        notes = await ref.ask(Read(), timeout=1.0)
    return [note for note in notes if not str(note).startswith("stopping")]


def child(start: Callable[[Any], object] | None = None) -> ChildSpec[Any]:
    return ChildSpec("a", partial(Worker, [], start))


async def test_a_restart_without_a_delay_goes_on_in_the_same_task() -> None:
    first, second = await noted(child(noting(task_of)), fail)
    assert first is second


async def test_a_restart_after_a_delay_has_a_task_of_its_own(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    tree = Supervisor(ChildSpec("a", partial(Worker, notes, noting(task_of))), intensity=Intensity(3, 60.0))
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        for _ in range(2):  # the second one waits
            await system.ref("/a", Worker).tell(Do(what=fail))
        await recorder.wait_for(ChildStarted, count=2)
    first, second, third = (note for note in notes if isinstance(note, trio.lowlevel.Task))
    assert first is second
    assert second is not third


# --- what is not inherited


async def test_variables_are_not_inherited() -> None:
    def change(worker: Worker) -> None:
        setting.set("of the first")
        raise ValueError("told to")

    assert await noted(child(noting(lambda _: setting.get())), change, noting(lambda _: setting.get())) == [None] * 3


async def test_a_variable_that_was_set_to_an_equal_object_is_not_inherited() -> None:
    setting.set(["of the test"])

    def change(worker: Worker) -> None:
        setting.set(["of the test"])
        raise ValueError("told to")

    first, second = await noted(child(noting(lambda _: setting.get())), change)
    assert first is second is setting.get()


async def test_a_factory_sets_variables_for_its_own_actor_only() -> None:
    values = iter(["first", "second"])
    notes: list[Any] = []

    def make() -> Worker:
        if (value := next(values)) == "first":
            setting.set(value)
        return Worker(notes)

    make.mailbox = Worker.mailbox  # type: ignore[attr-defined]
    read = noting(lambda _: setting.get())
    assert await noted(ChildSpec("a", make), read, fail, read) == ["first", None]
    assert setting.get() is None


async def test_no_cancel_scope_is_inherited(autojump_clock: MockClock) -> None:
    def enter(worker: Worker) -> None:
        trio.CancelScope(deadline=trio.current_time() + 1, shield=True).__enter__()

    async with open_test_system(restless(child())) as system:
        recorder, ref = Recorder(system), system.ref("/a", Worker)
        await ref.tell(Do(what=enter))
        await ref.tell(Do(what=fail))
        await recorder.wait_for(ChildStarted)
        await ref.tell(Do(what=noting(lambda _: trio.current_effective_deadline())))
        await trio.sleep(2)
        assert (await ref.ask(Read(), timeout=1.0))[-1] == float("inf")
        assert len(recorder.of(ChildStarted)) == 1


async def test_a_nursery_that_was_left_open_is_an_error_at_once_and_not_inherited() -> None:
    class Leaves(Worker):
        async def receive(self, message: Any) -> Any:
            if isinstance(message, Do):
                await trio.open_nursery().__aenter__()
            return await super().receive(message)

    tasks: list[trio.lowlevel.Task] = []
    with pytest.raises(ExceptionGroup) as caught:
        await noted(ChildSpec("a", partial(Leaves, [], lambda worker: tasks.append(task_of(worker)))), fail)
    assert caught.group_contains(RuntimeError, match="Nursery stack corrupted")
    assert len(set(tasks)) == len(tasks)


async def test_no_helper_is_inherited() -> None:
    def begin(worker: Worker) -> None:
        worker.context.start_soon(worker.helper, "helper")

    async def settle(notes: list[Any]) -> None:
        while "helper begins in /a" not in notes:
            await trio.testing.wait_all_tasks_blocked()

    notes: list[Any] = []
    start = noting(lambda worker: f"start {worker.context.incarnation}")
    async with open_test_system(restless(ChildSpec("a", partial(Worker, notes, start)))) as system:
        ref = system.ref("/a", Worker)
        await ref.tell(Do(what=begin))
        await settle(notes)
        await ref.tell(Do(what=fail))
        await ref.ask(Read(), timeout=1.0)
        assert notes == ["start 1", "helper begins in /a", "helper ends", "stopping failed", "start 2"]


async def test_what_is_cancelled_before_its_turn_comes_never_serves() -> None:
    """It rises with other variables, so it gives way first; that is when it is told to stop."""

    def change(worker: Worker) -> None:
        setting.set("of the first")
        raise ValueError("told to")

    notes: list[Any] = []
    spec = ChildSpec("a", partial(Worker, notes, lambda _: None), shutdown=Shutdown.BRUTAL)
    async with open_test_system(restless(spec)) as system:
        recorder = Recorder(system)
        await system.ref("/a", Worker).tell(Do(what=change))
        while not recorder.of(ChildExited):  # it goes by single steps, so that it has not begun when the stop comes
            await trio.lowlevel.checkpoint()
        await system.terminate_child("/a")
        assert [event.end for event in recorder.of(ChildExited)] == [End.FAILED, End.SHUTDOWN]
        assert system.snapshot("/a").state is State.STOPPED


# --- what is left behind


@pytest.fixture
def litter() -> Iterator[Callable[[], list[object]]]:
    """What of the runtime has become garbage that only a collection would free, since it was last asked."""

    def found() -> list[object]:
        gc.collect()
        garbage = [thing for thing in gc.garbage if type(thing).__module__.startswith(("supervisor", "tests"))]
        gc.garbage.clear()
        return garbage

    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    yield found
    gc.enable()
    gc.set_debug(0)
    gc.garbage.clear()


async def test_a_crash_leaves_nothing_to_be_collected(litter: Callable[[], list[object]]) -> None:
    async with open_test_system(restless(child())) as system:
        recorder, ref = Recorder(system), system.ref("/a", Worker)
        litter()
        for number in range(1, 4):
            await ref.tell(Do(what=fail))
            await recorder.wait_for(ChildStarted, count=number)
        assert litter() == []


class Idle(Actor[Do]):
    mailbox = Mailbox(4, Overflow.WAIT)

    async def receive(self, message: Do) -> None:
        message.what(self)


@pytest.mark.parametrize("factory", [Idle, partial(Worker, [])])
@pytest.mark.parametrize("told", [False, True])
async def test_a_child_that_leaves_leaves_nothing_to_be_collected(
    factory: Callable[[], Actor[Any]], told: bool, litter: Callable[[], list[object]]
) -> None:
    async with open_test_system(Supervisor(ChildSpec("pool", DynamicSupervisor(max_children=1)))) as system:
        litter()
        await system.start_child("/pool", ChildSpec("a", factory))
        if told:
            await system.ref("/pool/a", Worker).tell(Do(what=lambda _: None))
            await trio.testing.wait_all_tasks_blocked()
        await system.terminate_child("/pool/a")
        await trio.testing.wait_all_tasks_blocked()
        assert litter() == []


# --- fairness


class Restless(Actor[Do]):
    """Rises and ends in one way or another, and never waits for anything."""

    mailbox = Mailbox(4, Overflow.WAIT)
    made = 0

    def __init__(self, way: str) -> None:
        type(self).made += 1
        self._way = way
        if way == "factory" and self.made > 1:
            raise ValueError("cannot be made")

    async def started(self) -> None:
        if self.made > 1 and self._way == "started":
            raise ValueError("cannot start")
        if self._way == "stopped":
            self.context.stop()

    async def receive(self, message: Do) -> None:
        message.what(self)


@pytest.mark.parametrize("way", ["factory", "started", "stopped"])
async def test_one_that_rises_and_falls_without_end_lets_the_others_have_their_turn(way: str) -> None:
    Restless.made = 0
    async with open_test_system(restless(ChildSpec("a", partial(Restless, way)))) as system:
        await system.ref("/a", Restless).tell(Do(what=fail))
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert 20 < Restless.made < ENDLESS
