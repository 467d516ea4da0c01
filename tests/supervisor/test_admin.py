"""Admin calls, in the middle of everything: each is answered once, and says why it did not work."""

from functools import partial
from typing import Any

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
    StartFailed,
    State,
    Supervisor,
    System,
)
from supervisor.events import BecameZombie, ChildExited, ChildStarted, RestartScheduled
from supervisor.testing import (
    Act,
    Crash,
    Leave,
    Player,
    Recorder,
    Script,
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


async def test_terminating_a_child_in_its_restart_loop(autojump_clock: MockClock) -> None:
    tree = Supervisor(scripted("a", Script(Act.OK, Act.FAIL, Act.FAIL, Act.OK)), intensity=PATIENT)
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        await system.ref("/a", Player).tell(Crash())
        await recorder.wait_for(RestartScheduled, count=2)
        await system.terminate_child("/a")
        assert system.snapshot("/a").state is State.STOPPED
        await trio.sleep(1000)
        assert system.snapshot("/a").state is State.STOPPED
        with pytest.raises(StartFailed):
            await system.restart_child("/a")
        assert system.snapshot("/a").state is State.FAILED
        await system.restart_child("/a")
        assert system.snapshot("/a").state is State.RUNNING


async def test_an_old_backoff_does_not_shorten_a_new_one(autojump_clock: MockClock) -> None:
    slow = Backoff(base=10.0, factor=10.0, cap=1000.0, jitter=0)
    tree = Supervisor(scripted("a"), intensity=Intensity(10, 1e6), backoff=slow)
    async with open_test_system(tree) as system:
        recorder = Recorder(system)
        await crash(system, "/a", recorder)
        await recorder.wait_for(ChildStarted, count=1)
        await crash(system, "/a", recorder)  # restart in 10 s …
        await system.restart_child("/a")  # … but by hand now
        await crash(system, "/a", recorder)  # restart in 100 s
        begin = trio.current_time()
        await recorder.wait_for(ChildStarted, count=3)
        assert trio.current_time() == pytest.approx(begin + 100)


async def test_a_child_that_ends_just_before_it_is_told_to(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"), intensity=PATIENT)) as system:
        ref = system.ref("/a", Player)
        recorder = Recorder(system)
        for number in range(20):  # the stop finds it before, in and after its end
            ref.tell_nowait(Crash())
            for _ in range(number % 5):
                await trio.lowlevel.checkpoint()
            await system.restart_child("/a")
            await trio.sleep(100)  # the stop may come first: then the next incarnation takes the message, and crashes
            assert system.snapshot("/a").state is State.RUNNING
            assert system._registry.timers.pending == 0
        assert not recorder.of(BecameZombie)


async def test_restarting_children_count_as_children(autojump_clock: MockClock) -> None:
    pool = DynamicSupervisor(max_children=1, intensity=PATIENT)
    async with open_test_system(Supervisor(ChildSpec("pool", pool))) as system:
        recorder = Recorder(system)
        await system.start_child("/pool", scripted("a", Script(Act.OK, Act.FAIL)))
        await system.ref("/pool/a", Player).tell(Crash())
        await recorder.wait_for(RestartScheduled, count=3)
        assert system.count_children("/pool") == {"specs": 1, "active": 0, "supervisors": 0, "workers": 1}
        with pytest.raises(AdminRefused, match="that is its most"):
            await system.start_child("/pool", scripted("b"))


async def test_administration(autojump_clock: MockClock) -> None:  # OTP 23
    async with open_test_system(Supervisor(scripted("a"))) as system:
        await system.start_child("/", spec := scripted("b"))
        assert system.get_spec("/b") is spec
        with pytest.raises(AdminRefused, match="'b' already"):
            await system.start_child("/", scripted("b"))
        with pytest.raises(AdminRefused, match="not down"):
            await system.delete_child("/b")
        await system.terminate_child("/b")
        await system.terminate_child("/b")
        with pytest.raises(AdminRefused, match="'b' already"):
            await system.start_child("/", scripted("b"))
        with pytest.raises(ActorStopped):
            await system.ref("/b", Player).tell(Leave())
        await system.restart_child("/b")
        assert incarnations(system) == {"/a": 1, "/b": 2}
        await system.terminate_child("/b")
        await system.delete_child("/b")
        assert incarnations(system) == {"/a": 1}
        assert system.count_children("/") == {"specs": 1, "active": 1, "supervisors": 0, "workers": 1}


async def test_a_child_that_cannot_start_is_not_kept(autojump_clock: MockClock) -> None:  # OTP 11, 12
    tree = Supervisor(scripted("a"), ChildSpec("pool", DynamicSupervisor(max_children=3)))
    async with open_test_system(tree) as system:
        for path in ("/", "/pool"):
            for act, reason in ((Act.FAIL, "cannot start"), (Act.HANG, "did not start within 30 s")):
                with pytest.raises(StartFailed, match=reason):
                    await system.start_child(path, scripted("dud", Script(act)))
        with pytest.raises(StartFailed, match="cannot start"):
            await system.start_child("/pool", ChildSpec("sup", Supervisor(scripted("x", Script(Act.FAIL)))))
        assert incarnations(system) == {"/a": 1, "/pool": 1}
        assert system.which_children("/pool") == ()


async def test_callers_of_a_child_that_is_terminated_while_it_starts(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def start() -> None:
            with pytest.raises(AdminRefused, match="it was terminated"):
                await system.start_child("/", scripted("b", Script(Act.HANG)))

        await trio.testing.wait_all_tasks_blocked()
        await system.terminate_child("/b")
        assert system.snapshot("/b").state is State.STOPPED


async def test_admin_calls_end_with_their_supervisor(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery, open_test_system(Supervisor(scripted("a"))) as system:

        async def refused(what: str) -> None:
            with pytest.raises(AdminRefused, match=what):
                await system.start_child("/", scripted("late", Script(Act.HANG)))

        async def after() -> None:
            await system.wait_over()
            with pytest.raises(AdminRefused, match="the supervisor ended"):
                await system.start_child("/", scripted("later"))

        nursery.start_soon(refused, "the supervisor ended")
        nursery.start_soon(after)
        await trio.testing.wait_all_tasks_blocked()


async def test_an_admin_call_that_meets_the_end_is_refused() -> None:
    async with open_test_system(Supervisor()) as system:
        system._task.stop()  # and behind it in the same queue:
        with pytest.raises(AdminRefused, match="the supervisor ended"):
            await system.start_child("/", scripted("late"))


async def test_two_calls_at_once_are_both_answered(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system, trio.open_nursery() as nursery:
        answers: list[str] = []

        async def call(name: str, what: partial[Any]) -> None:
            try:
                await what()
            except (AdminRefused, StartFailed) as error:
                answers.append(f"{name}: {error}")
            else:
                answers.append(name)

        new = scripted("b", Script(Act.FAIL))
        nursery.start_soon(call, "start", partial(system.start_child, "/", new))
        await trio.lowlevel.checkpoint()
        nursery.start_soon(call, "again", partial(system.start_child, "/", new))
        for name in ("one", "two"):
            nursery.start_soon(call, name, partial(system.restart_child, "/a"))
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(answers) == [
            "again: /: there is a child called 'b' already",
            "one",
            "start: /b: could not start: cannot start",
            "two",
        ]
        assert incarnations(system) == {"/a": 2}


async def test_a_restart_in_the_middle_of_a_first_start_that_fails(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system, trio.open_nursery() as nursery:
        failed: list[str] = []

        async def start() -> None:
            with pytest.raises(StartFailed):
                await system.start_child("/", scripted("b", Script(Act.HANG, Act.FAIL)))
            failed.append("start")

        async def restart() -> None:
            with pytest.raises(StartFailed):
                await system.restart_child("/b")
            failed.append("restart")

        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(restart)
        await trio.sleep(100)
        assert sorted(failed) == ["restart", "start"]
        assert incarnations(system) == {"/a": 1}


async def test_a_restart_that_overtakes_a_termination_answers_both(autojump_clock: MockClock) -> None:
    spec = scripted("a", Script(letting_go=3.0))
    async with open_test_system(Supervisor(spec)) as system, trio.open_nursery() as nursery:
        begin = trio.current_time()
        nursery.start_soon(system.terminate_child, "/a")
        await trio.testing.wait_all_tasks_blocked()
        await system.restart_child("/a")
        assert trio.current_time() == begin + 3
        assert incarnations(system) == {"/a": 2}
