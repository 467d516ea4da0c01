"""Orders overtake all messages: stop now, stop when empty, suspend, resume; and what is seen of an actor meanwhile."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import AdminRefused, ChildSpec, Down, Mailbox, NoSuchActor, Overflow, Restart, State, Supervisor, System
from supervisor.events import ChildExited, ChildStarted, End
from supervisor.orders import ORDERS, StopOrder
from supervisor.testing import (
    Act,
    Crash,
    Leave,
    Player,
    Recorder,
    Script,
    Stick,
    WhoAreYou,
    open_test_system,
    scripted,
)
from tests.supervisor.workers import Do, Worker, one, worker


def note(number: int) -> Do:
    return Do(what=lambda actor: actor.notes.append(number))


def test_a_plain_stop_does_not_drain() -> None:
    assert not StopOrder(End.SHUTDOWN).drain
    assert type(StopOrder(End.NORMAL)) in ORDERS


# --- stop now, or stop when empty


async def busy(system: System) -> None:
    """From now on messages to `/a` wait; a stop is obeyed at once."""
    system.suspend("/a")
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("drain", [True, False])
async def test_a_draining_stop_handles_what_waits(*, drain: bool, autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(one(worker(notes, drain=drain))) as system:
        await busy(system)
        ref = system.ref("/a", Worker)
        for number in range(5):
            ref.tell_nowait(note(number))
        ref.tell_nowait(note(5), urgent=True)
    assert notes == ([5, 0, 1, 2, 3, 4] if drain else []) + ["stopping shutdown"]
    assert len(system.telemetry.dead_letters) == (0 if drain else 6)


async def test_what_comes_during_a_drain_is_not_waited_for(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    def again(actor: Worker) -> None:
        actor.notes.append("again")
        actor.context.ref.tell_nowait(Do(what=again))

    async with open_test_system(one(worker(notes, drain=True))) as system:
        await busy(system)
        system.ref("/a", Worker).tell_nowait(Do(what=again))
        system.ref("/a", Worker).tell_nowait(note(1))
    assert notes == ["again", 1, "stopping shutdown"]
    assert len(system.telemetry.dead_letters) == 1


async def test_notices_that_come_before_the_end_take_no_messages_place(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    def watch(actor: Worker) -> None:
        actor.context.monitor("/nobody")  # says so at once, in the lane of the orders

    async with open_test_system(one(worker(notes, drain=True))) as system:
        await busy(system)
        ref = system.ref("/a", Worker)
        ref.tell_nowait(Do(what=watch))
        for number in range(3):
            ref.tell_nowait(note(number))
    assert [item for item in notes if not isinstance(item, Down)] == [0, 1, 2, "stopping shutdown"]
    assert not system.telemetry.dead_letters


async def test_a_drain_answers_those_who_ask(autojump_clock: MockClock) -> None:
    spec = scripted("a", drain=True)
    async with open_test_system(one(spec)) as system, trio.open_nursery() as nursery:
        ref = system.ref("/a", Player)
        answers: list[int] = []

        async def ask() -> None:
            answers.append(await ref.ask(WhoAreYou(), timeout=5))

        await ref.tell(Stick(seconds=1.0))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await system.terminate_child("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert answers == [1, 1, 1]


async def test_a_drain_ends_with_its_grace(autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a", drain=True, shutdown=5.0))) as system:
        ref = system.ref("/a", Player)
        for _ in range(4):
            await ref.tell(Stick(seconds=2.0))
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
        await system.terminate_child("/a")
        assert trio.current_time() == begin + 5
        assert len(system.telemetry.dead_letters) == 2  # the third was cut short, the fourth never begun


async def test_a_crash_in_a_drain_is_an_end_like_others(autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a", drain=True))) as system:
        await busy(system)
        recorder = Recorder(system)
        ref = system.ref("/a", Player)
        await ref.tell(Crash())
        await ref.tell(Leave())
        await system.terminate_child("/a")
        assert recorder.of(ChildExited)[0].end is End.FAILED
        assert not recorder.of(ChildStarted)
        assert system.snapshot("/a").state is State.STOPPED


async def test_a_drain_of_a_coalescing_box(autojump_clock: MockClock) -> None:
    notes: list[Any] = []

    class Latest(Worker):
        mailbox = Mailbox(4, Overflow.DROP_OLDEST, coalesce=type)

    spec = ChildSpec("a", partial(Latest, notes), drain=True)
    async with open_test_system(one(spec)) as system:
        await busy(system)
        for number in range(5):
            system.ref("/a", Latest).tell_nowait(note(number))
    assert notes == [4, "stopping shutdown"]


# --- suspend and resume


async def test_a_suspended_actor_takes_nothing_until_it_is_resumed(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(one(worker(notes))) as system:
        ref = system.ref("/a", Worker)
        system.suspend("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert system.snapshot("/a").state is State.SUSPENDED
        assert system.count_children("/")["active"] == 1
        ref.tell_nowait(note(1))
        ref.tell_nowait(note(2), urgent=True)
        await trio.sleep(100)
        assert notes == []
        system.resume("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert notes == [2, 1]
        assert system.snapshot("/a").state is State.RUNNING


async def test_the_message_in_hand_is_finished_first(autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a"))) as system:
        await system.ref("/a", Player).tell(Stick(seconds=3.0))
        await trio.testing.wait_all_tasks_blocked()
        system.suspend("/a")
        await trio.sleep(2)
        assert system.snapshot("/a").state is State.RUNNING
        await trio.sleep(2)
        assert system.snapshot("/a").state is State.SUSPENDED


@pytest.mark.parametrize("orders", ["sr", "ssr", "rr", "srsr", "sssrr", "rsr"])
async def test_orders_can_be_given_twice(orders: str, autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a"))) as system:
        for spread in (False, True):
            for order in orders:
                (system.suspend if order == "s" else system.resume)("/a")
                if spread:
                    await trio.testing.wait_all_tasks_blocked()
            assert await system.ref("/a", Player).ask(WhoAreYou(), timeout=5) == 1
            assert system.snapshot("/a").state is State.RUNNING


async def test_notices_wait_too_and_keep_their_order(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(Supervisor(scripted("b"), scripted("c"), worker(notes))) as system:
        ref = system.ref("/a", Worker)
        await ref.tell(Do(what=lambda actor: actor.context.monitor("/b")))
        await ref.tell(Do(what=lambda actor: actor.context.monitor("/c")))
        await trio.testing.wait_all_tasks_blocked()
        system.suspend("/a")
        for path in ("/b", "/c", "/b"):
            await system.restart_child(path)
        assert notes == []
        system.resume("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert [down.path for down in notes] == ["/b", "/c", "/b"]


@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_a_suspended_actor_can_be_stopped(how: str, autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with open_test_system(one(worker(notes, restart=Restart.TRANSIENT))) as system:
        contexts: list[Any] = []
        await system.ref("/a", Worker).tell(Do(what=lambda actor: contexts.append(actor.context)))
        await trio.testing.wait_all_tasks_blocked()
        system.suspend("/a")
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
        if how == "stop":
            await system.terminate_child("/a")
        else:
            contexts[0].stop()
            await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == begin
        assert notes == ["stopping shutdown" if how == "stop" else "stopping normal"]
        assert system.snapshot("/a").state is State.STOPPED


async def test_a_stop_that_finds_an_order_to_suspend_is_shown_as_a_stop(autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a", Script(letting_go=3.0)))) as system, trio.open_nursery() as nursery:
        await system.ref("/a", Player).tell(Stick(seconds=1.0))
        await trio.testing.wait_all_tasks_blocked()
        system.suspend("/a")
        nursery.start_soon(system.terminate_child, "/a")
        await trio.sleep(2)
        assert system.snapshot("/a").state is State.STOPPING


async def test_a_restart_resumes(autojump_clock: MockClock) -> None:
    async with open_test_system(one(scripted("a"))) as system:
        system.suspend("/a")
        await trio.testing.wait_all_tasks_blocked()
        await system.restart_child("/a")
        assert system.snapshot("/a").state is State.RUNNING
        assert await system.ref("/a", Player).ask(WhoAreYou(), timeout=5) == 2


async def test_whom_one_cannot_suspend(autojump_clock: MockClock) -> None:
    tree = Supervisor(scripted("a"), ChildSpec("sup", Supervisor()), scripted("i", Script(Act.IGNORE)))
    async with open_test_system(tree) as system:
        await system.terminate_child("/a")
        for order in (system.suspend, system.resume, system.inspect):
            for path in ("/a", "/sup", "/i", "/"):
                with pytest.raises(AdminRefused, match="no running actor"):
                    order(path)
            with pytest.raises(NoSuchActor):
                order("/nobody")
