"""Actors that have nothing to get ready and have heard nothing: up, and without a task."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Actor,
    ActorStopped,
    ChildSpec,
    Down,
    DynamicSupervisor,
    Mailbox,
    Overflow,
    Reply,
    Request,
    Shutdown,
    State,
    Supervisor,
    System,
    current_path,
)
from supervisor.testing import Player, Stick, open_test_system, scripted

setting: ContextVar[str] = ContextVar("setting", default="of nobody")


class Where(Request[tuple[str, str]]):
    """Under which path, and with which setting, it runs."""


class Quiet(Actor[Where]):
    """Has neither `started` nor `stopping`."""

    mailbox = Mailbox(4, Overflow.WAIT)

    async def receive(self, message: Where) -> Reply:
        return message.reply((current_path.get(), setting.get()))


class Careful(Quiet):
    """Notes that it has let go."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    async def stopping(self, reason: str) -> None:
        self._notes.append(reason)


def tree(*children: ChildSpec[Any]) -> Supervisor:
    return Supervisor(*children, ChildSpec("pool", DynamicSupervisor(max_children=100)))


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_a_task_comes_with_the_first_thing_that_is_heard() -> None:
    async with open_test_system(tree()) as system:
        before = tasks()
        refs = [await system.start_child("/pool", ChildSpec(f"a{number}", Quiet)) for number in range(10)]
        assert {node.state for node in system.which_children("/pool")} == {State.RUNNING}
        assert tasks() == before
        await refs[3].ask(Where(), timeout=1.0)
        assert tasks() == before + 1


@pytest.mark.parametrize(
    "rouse",
    [
        lambda system: system.ref("/a", Quiet).tell_nowait(Where()),
        lambda system: system.ref("/a", Quiet).tell_nowait(Where(), urgent=True),
        lambda system: system.suspend("/a"),
        lambda system: system.trace("/a"),
    ],
    ids=["message", "urgent", "order", "trace"],
)
async def test_anything_wakes_it(rouse: Callable[[System], object]) -> None:
    async with open_test_system(tree(ChildSpec("a", Quiet))) as system:
        before = tasks()
        rouse(system)
        rouse(system)
        await trio.testing.wait_all_tasks_blocked()
        assert tasks() == before + 1
        system.resume("/a")
        assert (await system.ref("/a", Quiet).ask(Where(), timeout=1.0))[0] == "/a"


async def test_it_has_the_variables_of_its_factory_and_none_of_who_wakes_it() -> None:
    def make() -> Quiet:
        setting.set(f"of {current_path.get()}")
        return Quiet()

    make.mailbox = Quiet.mailbox  # type: ignore[attr-defined]
    async with open_test_system(tree(ChildSpec("a", make), ChildSpec("b", Quiet))) as system:
        setting.set("of the test")
        assert await system.ref("/a", Quiet).ask(Where(), timeout=1.0) == ("/a", "of /a")
        assert await system.ref("/b", Quiet).ask(Where(), timeout=1.0) == ("/b", "of nobody")


# --- its end


async def test_it_is_stopped_without_a_task_if_it_has_nothing_to_let_go_of() -> None:
    async with open_test_system(tree(ChildSpec("a", Quiet))) as system:
        ref = system.ref("/a", Quiet)
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.terminate_child("/a")  # whose caller no longer waits
        assert system.snapshot("/a").state is State.STOPPED  # and yet it is done: nobody else had to do anything
        with pytest.raises(ActorStopped):
            await ref.tell(Where())


async def test_it_lets_go_even_if_it_never_heard_anything() -> None:
    notes: list[str] = []
    async with open_test_system(tree(ChildSpec("a", partial(Careful, notes)))) as system:
        await system.terminate_child("/a")
        assert notes == ["shutdown"]


async def test_it_does_not_after_a_brutal_stop() -> None:
    notes: list[str] = []
    async with open_test_system(tree(ChildSpec("a", partial(Careful, notes), shutdown=Shutdown.BRUTAL))) as system:
        await system.terminate_child("/a")
        assert (notes, system.snapshot("/a").state) == ([], State.STOPPED)


async def test_when_its_supervisor_is_killed_it_does_not_wait_for_its_siblings(autojump_clock: MockClock) -> None:
    notes: list[str] = []
    branch = Supervisor(ChildSpec("a", partial(Careful, notes)), scripted("b"))
    async with (
        open_test_system(tree(ChildSpec("branch", branch, shutdown=Shutdown.BRUTAL))) as system,
        trio.open_nursery() as nursery,
    ):
        await system.ref("/branch/b", Player).tell(Stick(seconds=1.0, shielded=True))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(system.terminate_child, "/branch")
        await trio.testing.wait_all_tasks_blocked()
        assert notes == ["shutdown"]


async def test_one_that_watches_it_hears_of_its_end() -> None:
    heard: list[Any] = []

    class Watcher(Actor[Down]):
        mailbox = Mailbox(4, Overflow.WAIT)

        async def started(self) -> None:
            self.context.monitor("/a")

        async def receive(self, message: Down) -> None:
            heard.append((message.path, message.reason))

    async with open_test_system(tree(ChildSpec("a", Quiet), ChildSpec("watcher", Watcher))) as system:
        await system.terminate_child("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert heard == [("/a", "shutdown")]


async def test_a_restarted_one_sleeps_again_unless_it_has_a_channel() -> None:
    async with open_test_system(tree(ChildSpec("a", Quiet), ChildSpec("b", Quiet))) as system:
        await system.ref("/b", Quiet).ask(Where(), timeout=1.0)
        before = tasks()
        for path in ("/a", "/b"):
            await system.restart_child(path)
        assert tasks() == before
        assert {path: system.snapshot(path).incarnation for path in ("/a", "/b")} == {"/a": 2, "/b": 2}
        assert (await system.ref("/a", Quiet).ask(Where(), timeout=1.0))[0] == "/a"
