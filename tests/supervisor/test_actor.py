"""What an actor can do by its context: helper tasks, timers, monitors; and what it says of itself."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    ChildSpec,
    Description,
    Down,
    Intensity,
    Reply,
    Restart,
    State,
    Supervisor,
)
from supervisor.events import ChildExited, ChildStarted, End
from supervisor.testing import Act, Crash, Leave, Recorder, Script, open_test_system, scripted
from supervisor.testing import Player as ScriptedPlayer
from tests.supervisor.workers import Do, Read, Worker, one, worker

# --- helpers


async def test_helpers_begin_after_the_start_and_die_with_the_actor() -> None:
    notes: list[Any] = []

    def start(actor: Worker) -> None:
        actor.context.start_soon(actor.helper, "h")
        actor.notes.append("started")

    async with open_test_system(one(worker(notes, start))):
        await trio.testing.wait_all_tasks_blocked()
        assert notes == ["started", "h begins in /a"]
    assert notes[2:] == ["stopping shutdown", "h ends"]


async def test_a_helper_can_begin_at_any_message(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(one(worker(notes))) as system:
        ref = system.ref("/a", Worker)
        await ref.tell(Do(what=lambda actor: actor.context.start_soon(actor.helper, "h1", 1.0)))
        await trio.testing.wait_all_tasks_blocked()
        await ref.tell(Do(what=lambda actor: actor.context.start_soon(actor.helper, "h2", 1.0)))
        await trio.sleep(2)
        begun = {"h1 begins in /a", "h2 begins in /a", "h1 ends", "h2 ends"}
        assert set(await ref.ask(Read(), timeout=5)) == begun


@pytest.mark.parametrize("drain", [True, False])
async def test_a_first_helper_that_is_asked_for_as_the_stop_comes_gets_to_close(
    *, drain: bool, autojump_clock: MockClock
) -> None:
    class Slow(Worker):
        async def receive(self, message: Any) -> Reply | None:
            await trio.sleep(1)
            return await super().receive(message)

    notes: list[Any] = []
    async with open_test_system(one(ChildSpec("a", partial(Slow, notes), drain=drain))) as system:
        ref = system.ref("/a", Slow)
        if drain:  # then it is asked for while what waits is handled
            await ref.tell(Do(what=lambda _: None))
        await ref.tell(Do(what=lambda actor: actor.context.start_soon(actor.helper, "h")))
        await trio.testing.wait_all_tasks_blocked()
    assert [line for line in notes if line.startswith("h ")] == ["h begins in /a", "h ends"]


async def test_a_helper_that_fails_crashes_its_actor_with_its_own_error(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    def start(actor: Worker) -> None:
        actor.context.start_soon(actor.helper, "bystander")
        if actor.context.incarnation == 1:
            actor.context.start_soon(actor.helper, "bad", 1.0, ValueError("boom"))

    async with open_test_system(one(worker(notes, start))) as system:
        recorder = Recorder(system)
        exited = await recorder.wait_for(ChildExited, "/a")
        assert (exited.end, exited.reason) == (End.FAILED, "ValueError: boom")
        assert "ExceptionGroup" not in exited.reason
        assert notes.index("bystander ends") < notes.index("stopping failed")  # helpers are gone by then
        await recorder.wait_for(ChildStarted, "/a")
        assert system.snapshot("/a").incarnation == 2


async def test_a_helper_can_stop_its_actor(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    async def leave(actor: Worker) -> None:
        await trio.sleep(1)
        actor.context.stop()

    def start(actor: Worker) -> None:
        actor.context.start_soon(leave, actor)

    async with open_test_system(one(worker(notes, start, restart=Restart.TRANSIENT))) as system:
        exited = await Recorder(system).wait_for(ChildExited, "/a")
        assert exited.end is End.NORMAL
        assert notes == ["stopping normal"]


async def test_a_helper_that_fails_during_the_stop_does_not_cut_it_short(autojump_clock: MockClock) -> None:
    notes: list[str] = []

    class Owner(Worker):
        """Like an actor with a process: ending it makes its reader fail."""

        async def started(self) -> None:
            self.ended = trio.Event()
            self.context.start_soon(self.read)

        async def read(self) -> None:
            await self.ended.wait()
            raise EOFError

        async def stopping(self, reason: str) -> None:
            self.ended.set()
            await trio.sleep(1)
            notes.append(f"let go after {reason}")

    async with open_test_system(one(ChildSpec("a", partial(Owner, [])))):
        pass
    assert notes == ["let go after shutdown"]


# --- timers


async def test_timers_die_with_the_incarnation(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    def start(actor: Worker) -> None:
        number = actor.context.incarnation
        actor.context.send_after(5.0, Do(what=lambda _: notes.append(f"timer of {number}")))

    async with open_test_system(one(worker(notes, start))) as system:
        await system.restart_child("/a")
        await trio.sleep(10)
        assert notes == ["stopping shutdown", "timer of 2"]


async def test_a_timers_message_overtakes_and_can_be_cancelled(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    def work(actor: Worker) -> None:
        actor.context.send_after(1.0, Do(what=lambda _: notes.append("no"))).cancel()
        actor.context.send_after(0.0, Do(what=lambda _: notes.append("yes")))

    async with open_test_system(one(worker(notes))) as system:
        await system.ref("/a", Worker).tell(Do(what=work))
        await trio.sleep(10)
        assert notes == ["yes"]


async def test_a_repeated_message_comes_until_it_is_cancelled_or_the_incarnation_ends(
    autojump_clock: MockClock,
) -> None:
    notes: list[Any] = []

    def start(actor: Worker) -> None:
        number = actor.context.incarnation
        actor.context.every(2.0, Do(what=lambda _: notes.append(f"timer of {number}")))
        actor.context.every(1.0, Do(what=lambda _: notes.append("no"))).cancel()

    async with open_test_system(one(worker(notes, start))) as system:
        await trio.sleep(5)
        assert notes == ["timer of 1"] * 2
        await system.restart_child("/a")
        await trio.sleep(5)
        assert notes == ["timer of 1"] * 2 + ["stopping shutdown"] + ["timer of 2"] * 2


async def test_a_repeated_message_needs_time_in_between() -> None:
    async with open_test_system(one(worker([], restart=Restart.TEMPORARY))) as system:
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.every(0.0, Read())))
        await trio.testing.wait_all_tasks_blocked()
        assert "ValueError: what is repeated needs some time" in system.telemetry.failures[0].reason


# --- monitors


async def test_a_monitor_hears_of_each_end_and_whether_it_comes_back(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    tree = Supervisor(scripted("b", restart=Restart.TRANSIENT), worker(notes))
    async with open_test_system(tree) as system:
        other = system.ref("/b", ScriptedPlayer)
        recorder = Recorder(system)
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.monitor(other)))
        await other.tell(Crash(word="boom"))
        await recorder.wait_for(ChildStarted, "/b")
        await other.tell(Leave())
        await recorder.wait_for(ChildExited, "/b", count=2)
        await trio.testing.wait_all_tasks_blocked()
        assert notes == [
            Down(path="/b", incarnation=1, reason="boom", restarting=True),
            Down(path="/b", incarnation=2, reason="normal", restarting=False),
        ]
        notes.clear()
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.demonitor(other)))
        await system.restart_child("/b")
        await system.terminate_child("/b")
        await trio.testing.wait_all_tasks_blocked()
        assert notes == []


async def test_a_monitor_hears_that_a_child_ignored_its_start(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    tree = one(scripted("b", Script(Act.OK, Act.IGNORE)))
    async with open_test_system(tree) as system:
        await system.start_child("/", worker(notes))
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.monitor("/b")))
        await system.ref("/b", ScriptedPlayer).tell(Crash())
        await trio.testing.wait_all_tasks_blocked()
        assert notes == [
            Down(path="/b", incarnation=1, reason="boom", restarting=True),
            Down(path="/b", incarnation=2, reason="ignored", restarting=False),
        ]


async def test_monitoring_nothing(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(one(worker(notes))) as system:
        nobody = system.ref("/nobody", Worker)
        await system.ref("/a", Worker).tell(Do(what=lambda actor: actor.context.monitor(nobody)))
        await trio.testing.wait_all_tasks_blocked()
        assert notes == [Down(path="/nobody", incarnation=0, reason="noproc", restarting=False)]


async def test_a_supervisor_that_gives_up_is_heard_of_and_so_are_its_children(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    below = Supervisor(scripted("b"), intensity=Intensity(0, 5.0))
    tree = Supervisor(worker(notes), ChildSpec("sup", below))
    async with open_test_system(tree) as system:
        recorder = Recorder(system)

        def watch(actor: Worker) -> None:
            actor.context.monitor("/sup")
            actor.context.monitor("/sup/b")

        await system.ref("/a", Worker).tell(Do(what=watch))
        for number in (1, 2):  # the second time on new places at the same paths
            await system.ref("/sup/b", ScriptedPlayer).tell(Crash(word="boom"))
            await recorder.wait_for(ChildStarted, "/sup", count=number)
        await trio.testing.wait_all_tasks_blocked()
        downs = list(notes)
    assert [(down.path, down.incarnation, down.restarting) for down in downs] == [
        ("/sup/b", 1, False),  # not by its own supervisor
        ("/sup", 1, True),
        ("/sup/b", 1, False),
        ("/sup", 2, True),
    ]
    assert "gave up, 1 failure within 5 s" in downs[1].reason


# --- what it says of itself


async def test_an_actors_state_can_be_looked_at_cut_and_without_its_context() -> None:
    class Secretive(Worker):
        def inspect(self) -> Mapping[str, object]:
            return {name: value for name, value in super().inspect().items() if name != "token"}

        async def started(self) -> None:
            self.token = "do not show"
            self.long = "x" * 10_000

    async with open_test_system(one(ChildSpec("a", partial(Secretive, [1, 2])))) as system:
        state = system.inspect("/a")
        assert state.keys() == {"notes", "long", "_start"}
        assert state["notes"] == "[1, 2]"
        assert len(state["long"]) <= 200


async def test_what_an_actor_says_of_itself_is_shown() -> None:
    class Sleeper(ScriptedPlayer):
        def describe(self) -> Description:
            return Description(doing="dreaming", pid=42, asleep=True)

    async with open_test_system(one(ChildSpec("a", partial(Sleeper, Script())))) as system:
        node = system.snapshot("/a")
        assert (node.state, node.doing, node.pid) == (State.ASLEEP, "dreaming", 42)
