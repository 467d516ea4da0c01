"""The life of one incarnation: start, messages, stop, crash, zombie, and what it leaves to the next one."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    ChildSpec,
    Down,
    DynamicSupervisor,
    Mailbox,
    Overflow,
    Reply,
    Restart,
    Shutdown,
    StartFailed,
    StartTimeout,
    State,
    Supervisor,
)
from supervisor.events import BecameZombie, ChildExited, ChildStarted, End
from supervisor.testing import Act, Crash, Leave, Recorder, Script, Stick, WhoAreYou, open_test_system, scripted
from supervisor.testing import Player as ScriptedPlayer
from tests.supervisor.workers import Do, Read, Worker, one, worker

# --- the start


async def test_a_start_takes_no_longer_than_its_timeout(autojump_clock: MockClock) -> None:
    begin = trio.current_time()
    script = Script(Act.HANG)
    with pytest.raises(StartFailed) as caught:
        async with open_test_system(one(scripted("a", script, start_timeout=7.0))):
            pass
    assert trio.current_time() == pytest.approx(begin + 7)
    assert isinstance(caught.value.reason, StartTimeout)
    assert caught.value.reason.timeout == 7.0
    assert script.log == ["start a", "stopping a failed", "stopped a"]


async def test_a_start_that_is_late_without_noticing_is_late_all_the_same(autojump_clock: MockClock) -> None:
    closed: list[str] = []

    class Stubborn(ScriptedPlayer):
        async def started(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)
            self.context.start_soon(self.own)

        async def own(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                closed.append("closed")

    tree = one(ChildSpec("a", partial(Stubborn, Script()), start_timeout=7.0))
    with pytest.raises(StartFailed) as caught:
        async with open_test_system(tree):
            pass
    assert isinstance(caught.value.reason, StartTimeout)
    assert closed == ["closed"]  # a helper that owns something gets to close it


async def test_a_start_that_is_late_handles_nothing(autojump_clock: MockClock) -> None:
    class Stubborn(ScriptedPlayer):
        async def started(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    script = Script()
    async with open_test_system(one(ChildSpec("pool", DynamicSupervisor(max_children=1)))) as system:
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def start() -> None:
                with pytest.raises(StartFailed):
                    await system.start_child("/pool", ChildSpec("a", partial(Stubborn, script), start_timeout=7.0))

            await trio.sleep(1)
            await system.ref("/pool/a", Stubborn).tell(Leave())
        reasons = [letter.reason for letter in system.telemetry.dead_letters]
    assert reasons == ["the actor left the tree"]


async def test_a_stop_during_the_start_lets_it_go_within_its_grace(autojump_clock: MockClock) -> None:
    script = Script(Act.HANG, letting_go=4.0)
    async with open_test_system(one(scripted("b"))) as system, trio.open_nursery() as nursery:
        recorder = Recorder(system)

        @nursery.start_soon
        async def start() -> None:
            with pytest.raises(Exception, match="terminated"):
                await system.start_child("/", scripted("a", script, shutdown=5.0))

        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
        await system.terminate_child("/a")
        assert trio.current_time() == pytest.approx(begin + 4)
        assert not recorder.of(BecameZombie)
    assert script.log == ["start a", "stopping a shutdown", "stopped a"]


async def test_a_stop_before_the_first_step_of_a_start(autojump_clock: MockClock) -> None:
    script = Script()
    async with open_test_system(one(scripted("b"))) as system:
        recorder = Recorder(system)
        task = system._task
        task.call(partial(task.admin.start_child, scripted("a", script)), lambda _: None)
        task.call(partial(task.admin.terminate_child, "a"), lambda _: None)
        begin = trio.current_time()
        await recorder.wait_for(ChildExited, "/a")
        assert trio.current_time() == begin
        await trio.testing.wait_all_tasks_blocked()
        assert system.snapshot("/a").state is State.STOPPED


# --- the ways to end


async def test_stopping_runs_once_after_a_stop_a_crash_and_a_cancel(autojump_clock: MockClock) -> None:
    script = Script()
    async with open_test_system(one(scripted("a", script))) as system:
        ref = system.ref("/a", ScriptedPlayer)
        await ref.tell(Crash())
        await Recorder(system).wait_for(ChildStarted)
        await system.restart_child("/a")
        await ref.tell(Stick())  # past its grace it will be cancelled
        await trio.testing.wait_all_tasks_blocked()
    endings = [line for line in script.log if line.startswith("stopping")]
    assert endings == ["stopping a failed", "stopping a shutdown", "stopping a shutdown"]


async def test_a_brutal_stop_runs_no_stopping_but_a_crash_does(autojump_clock: MockClock) -> None:
    script = Script()
    async with open_test_system(one(scripted("a", script, shutdown=Shutdown.BRUTAL))) as system:
        await system.ref("/a", ScriptedPlayer).tell(Crash())
        await Recorder(system).wait_for(ChildStarted)
        begin = trio.current_time()
        await system.ref("/a", ScriptedPlayer).tell(Stick())
        await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() == begin
    assert script.log == ["start a", "stopping a failed", "stopped a", "start a"]


async def test_a_stop_gives_the_message_in_hand_its_grace(autojump_clock: MockClock) -> None:
    script = Script()
    async with open_test_system(one(scripted("a", script, shutdown=5.0))) as system:
        await system.ref("/a", ScriptedPlayer).tell(Stick(seconds=3))
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 3)
    assert not system.telemetry.dead_letters


async def test_past_the_grace_the_message_in_hand_is_cancelled_and_kept(autojump_clock: MockClock) -> None:
    script = Script(letting_go=0.5)
    async with open_test_system(one(scripted("a", script, shutdown=5.0))) as system:
        await system.ref("/a", ScriptedPlayer).tell(Stick())
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 5.5)
    assert script.log[-1] == "stopped a"
    assert [letter.message for letter in system.telemetry.dead_letters] == ["Stick"]


async def test_stopping_has_its_bounds_too(autojump_clock: MockClock) -> None:
    script = Script(letting_go=100.0)
    async with open_test_system(one(scripted("a", script, shutdown=5.0))) as system:
        recorder = Recorder(system)
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 5)
    assert not recorder.of(BecameZombie)
    async with open_test_system(one(scripted("a", script, shutdown=5.0))) as system:
        recorder = Recorder(system)
        await system.ref("/a", ScriptedPlayer).tell(Stick())
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
    assert trio.current_time() == pytest.approx(begin + 6)  # its last words
    assert not recorder.of(BecameZombie)


@pytest.mark.parametrize("after", ["crash", "stop"])
async def test_an_error_in_stopping_is_told_and_hides_nothing(after: str) -> None:
    class Clumsy(ScriptedPlayer):
        async def stopping(self, reason: str) -> None:
            raise OSError(f"cannot let go after {reason}")

    spec = ChildSpec("a", partial(Clumsy, Script()), restart=Restart.TRANSIENT)
    async with open_test_system(one(spec)) as system:
        recorder = Recorder(system)
        if after == "crash":
            await system.ref("/a", Clumsy).tell(Crash(word="first"))
        else:
            await system.terminate_child("/a")
        exited = await recorder.wait_for(ChildExited, "/a")
    assert exited.end is End.FAILED
    if after == "crash":
        assert exited.reason == "first"
        assert "cannot let go after failed" in exited.trace
    else:
        assert exited.reason == "OSError: cannot let go after shutdown"


@pytest.mark.parametrize("error", [SystemExit(3), type("Halt", (BaseException,), {})("halt")])
@pytest.mark.parametrize("where", ["factory", "receive"])
async def test_no_exception_of_an_actor_reaches_its_siblings(where: str, error: BaseException) -> None:
    def explode(_: object) -> None:
        raise error

    class Dud(Worker):
        def __init__(self) -> None:
            raise error

    tree = Supervisor(scripted("sibling"), worker([]), ChildSpec("pool", DynamicSupervisor(max_children=1)))
    async with open_test_system(tree) as system:
        if where == "factory":
            with pytest.raises(StartFailed) as caught:
                await system.start_child("/pool", ChildSpec("dud", Dud))
            assert caught.value.reason is error
        else:
            recorder = Recorder(system)
            await system.ref("/a", Worker).tell(Do(what=explode))
            await recorder.wait_for(ChildStarted, "/a")
        assert system.snapshot("/sibling").incarnation == 1


async def test_a_group_of_one_is_told_as_its_one() -> None:
    def explode(_: object) -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [ValueError("boom")])])

    async with open_test_system(one(worker([]))) as system:
        recorder = Recorder(system)
        await system.ref("/a", Worker).tell(Do(what=explode))
        assert (await recorder.wait_for(ChildExited)).reason == "ValueError: boom"
        await recorder.wait_for(ChildStarted)


# --- zombies


async def test_a_zombie_does_not_hold_up_the_stop(autojump_clock: MockClock) -> None:
    script = Script()
    tree = Supervisor(scripted("first", script), scripted("zombie", shutdown=1.0))
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def live() -> None:
            async with open_test_system(tree) as system:
                recorder = Recorder(system)
                await system.ref("/zombie", ScriptedPlayer).tell(Stick(seconds=500, shielded=True))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(watch, system, recorder)

        async def watch(system: Any, recorder: Recorder) -> None:
            begin = trio.current_time()
            await system.wait_over()
            assert trio.current_time() == pytest.approx(begin + 3)
            assert recorder.story[-2:] == ["zombie /zombie", "down /first 1 shutdown"]
            assert [letter.message for letter in system.telemetry.dead_letters] == ["Stick"]


async def test_a_zombie_takes_nothing_from_its_successor(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.mailbox.BUDGET_SECONDS", 1e9)  # so that it could take without a checkpoint
    async with open_test_system(one(scripted("a", shutdown=1.0))) as system:
        ref = system.ref("/a", ScriptedPlayer)
        recorder = Recorder(system)
        await ref.tell(Stick(seconds=10, shielded=True))
        await trio.testing.wait_all_tasks_blocked()
        await system.restart_child("/a")
        assert recorder.story == ["zombie /a", "up /a 2"]
        await ref.tell(Stick(seconds=20))  # the successor is busy when the zombie comes back
        await trio.testing.wait_all_tasks_blocked()
        answers: list[int] = []

        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def ask() -> None:
                answers.append(await ref.ask(WhoAreYou(), timeout=100))

            await trio.sleep(12)
            assert answers == []
            assert system.snapshot("/a").state is State.RUNNING
        assert answers == [2]


@pytest.mark.parametrize("how", ["busy", "draining"])
async def test_a_zombie_that_had_more_to_do_leaves_it_to_its_successor(how: str, autojump_clock: MockClock) -> None:
    who: list[int] = []

    def say(actor: Worker) -> None:
        who.append(actor.context.incarnation)

    class Stuck(Worker):
        mailbox = Mailbox(256, Overflow.WAIT)

        async def receive(self, message: Any) -> Reply | None:
            if isinstance(message, Read):
                with trio.CancelScope(shield=True):
                    await trio.sleep(10)
            return await super().receive(message)

    spec = ChildSpec("a", partial(Stuck, []), shutdown=1.0, drain=how == "draining")
    async with open_test_system(one(spec)) as system:
        ref = system.ref("/a", Stuck)
        for _ in range(40):  # in one go, so that it takes them without looking up
            ref.tell_nowait(Do(what=say))
        ref.tell_nowait(Read())
        if how == "draining":
            ref.tell_nowait(Do(what=say))
        await trio.testing.wait_all_tasks_blocked()
        who.clear()
        await system.restart_child("/a")
        await trio.testing.wait_all_tasks_blocked()
        await ref.tell(Read())  # now the successor is busy when the zombie comes back
        ref.tell_nowait(Do(what=say))
        await trio.sleep(60)
        assert who
        assert set(who) == {2}


async def test_a_zombie_that_ends_is_shown_as_stopped(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    tree = Supervisor(scripted("z", shutdown=1.0), worker(notes))
    async with open_test_system(tree) as system:
        zombie = system.ref("/z", ScriptedPlayer)
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.monitor(zombie)))
        await zombie.tell(Stick(seconds=10, shielded=True))
        await trio.testing.wait_all_tasks_blocked()
        await system.terminate_child("/z")
        assert system.snapshot("/z").state is State.ZOMBIE
        await trio.testing.wait_all_tasks_blocked()
        assert notes == [Down(path="/z", incarnation=1, reason="shutdown", restarting=False)]
        await trio.sleep(20)
        assert system.snapshot("/z").state is State.STOPPED


# --- messages over incarnations


@pytest.mark.parametrize("keep", [True, False])
async def test_what_waits_is_kept_or_discarded_as_the_mailbox_says(*, keep: bool, autojump_clock: MockClock) -> None:
    class Kind(ScriptedPlayer):
        mailbox = Mailbox(8, Overflow.WAIT, on_restart_keep=keep)

    script = Script()
    async with open_test_system(one(ChildSpec("a", partial(Kind, script)))) as system:
        ref = system.ref("/a", Kind)
        recorder = Recorder(system)
        await ref.tell(Crash(word="first"))
        await ref.tell(Crash(word="second"))
        await recorder.wait_for(ChildStarted, count=2 if keep else 1)
        await trio.testing.wait_all_tasks_blocked()
        reasons = [letter.reason for letter in system.telemetry.dead_letters]
    if keep:
        assert reasons == ["the actor ended on it: first", "the actor ended on it: second"]
    else:
        assert reasons == ["the actor ended on it: first", "the actor restarted"]


async def test_orders_for_one_incarnation_are_not_for_the_next(autojump_clock: MockClock) -> None:
    class CrashesLate(ScriptedPlayer):
        async def receive(self, message: Any) -> Reply | None:
            if isinstance(message, Crash):
                await trio.sleep(1)
            return await super().receive(message)

    async with open_test_system(one(ChildSpec("a", partial(CrashesLate, Script())))) as system:
        ref = system.ref("/a", CrashesLate)
        recorder = Recorder(system)
        await ref.tell(Crash())
        await trio.testing.wait_all_tasks_blocked()
        await system.restart_child("/a")  # its order to stop is never seen: the actor crashes on the message in hand
        assert await ref.ask(WhoAreYou(), timeout=5) == 2
        await trio.sleep(100)
        assert recorder.story == ["down /a 1 failed", "up /a 2"]
