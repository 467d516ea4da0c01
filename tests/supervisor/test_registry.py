"""Places and incarnations, where no tree is needed to see them."""

from contextvars import copy_context
from typing import Any, Never

import trio
from trio.testing import MockClock

from supervisor import Actor, ChildSpec, Down, Mailbox, Message, Overflow, Supervisor
from supervisor.errors import one_line
from supervisor.registry import Cell, Registry
from supervisor.snapshot import State


class Note(Message):
    text: str = ""


class Idle(Actor[Never]):
    mailbox = Mailbox(2, Overflow.WAIT)


def cell_at(registry: Registry, path: str) -> Cell:
    return Cell(path, ChildSpec(path.rpartition("/")[2], Idle), registry)


def orders(cell: Cell) -> list[Any]:
    assert cell.box is not None
    return list(cell.box.control)


def test_a_watcher_hears_of_each_end() -> None:
    registry = Registry()
    watcher, other = cell_at(registry, "/w"), cell_at(registry, "/o")
    life = watcher.begin_life(copy_context())
    registry.watch("/o", life)
    registry.watch("/o", life)  # twice is once
    for number in (1, 2):
        other.begin_life(copy_context())
        other.end_life(None)
        other.tell_watchers("normal", restarting=number == 1)
    assert orders(watcher) == [
        Down(path="/o", incarnation=1, reason="normal", restarting=True),
        Down(path="/o", incarnation=2, reason="normal", restarting=False),
    ]
    registry.unwatch("/o", life)
    other.tell_watchers("normal", restarting=False)
    assert len(orders(watcher)) == 2
    assert not registry.watchers


def test_what_is_not_there_is_said_at_once() -> None:
    registry = Registry()
    watcher, other = cell_at(registry, "/w"), cell_at(registry, "/o")
    life = watcher.begin_life(copy_context())
    registry.watch("/nobody", life)
    other.close_down("terminated")
    registry.watch("/o", life)
    assert [order.path for order in orders(watcher)] == ["/nobody", "/o"]
    assert {order.reason for order in orders(watcher)} == {"noproc"}
    assert registry.watchers.keys() == {"/o"}  # it may be started again


def test_monitors_end_with_the_watcher_and_when_the_place_leaves_for_good() -> None:
    registry = Registry()
    watcher, gone, restarted = (cell_at(registry, path) for path in ("/w", "/gone", "/sup/a"))
    life = watcher.begin_life(copy_context())
    registry.watch("/gone", life)
    registry.watch("/sup/a", life)
    gone.leave("deleted", for_good=True)
    restarted.leave("its supervisor ended", for_good=False)
    assert registry.watchers.keys() == {"/sup/a"}
    again = cell_at(registry, "/sup/a")
    again.begin_life(copy_context())
    again.tell_watchers("failed", restarting=False)
    assert [order.path for order in orders(watcher)] == ["/sup/a"]
    watcher.end_life(None)
    assert not registry.watchers
    assert orders(watcher) == []  # what the incarnation did not see is not for the next one


async def test_timers_end_with_the_incarnation(autojump_clock: MockClock) -> None:
    registry = Registry()
    cell = cell_at(registry, "/a")
    assert cell.box is not None
    life = cell.begin_life(copy_context())
    for _ in range(3):
        life.send_after(1.0, Note())
    life.send_after(1.0, Note()).cancel()
    assert registry.timers.pending == 3
    cell.end_life(None)
    assert registry.timers.pending == 0
    zombie = life.send_after(1.0, Note())
    cell.begin_life(copy_context())
    zombie.fire()
    assert len(cell.box) == 0


async def test_a_timer_that_finds_the_urgent_lane_full_is_a_dead_letter() -> None:
    registry = Registry()
    cell = cell_at(registry, "/a")
    life = cell.begin_life(copy_context())
    for text in ("1", "2", "3"):
        life.send_after(1.0, Note(text=text)).fire()
    assert [letter.text for letter in registry.telemetry.dead_letters] == ["Note(text='3')"]


def test_a_dead_letter_survives_a_message_that_cannot_print_itself() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    registry = Registry()
    cell_at(registry, "/a").dead_letter(Bad(), "because " * 100)
    letter = registry.telemetry.dead_letters[0]
    assert letter.message == "Bad"
    assert len(letter.reason) == 500


def test_a_place_shows_what_it_is() -> None:
    registry = Registry()
    above = Cell("/", ChildSpec("root", Supervisor()), registry)
    above.children = {"a": cell_at(registry, "/a")}
    node = above.snapshot()
    assert (node.kind, node.mailbox, node.state) == ("one_for_one", None, State.STARTING)
    assert node.children[0].kind == "Idle"
    assert node.children[0].mailbox is not None
    assert node.children[0].mailbox.capacity == 2


def test_errors_are_told_in_one_line() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(trio.BrokenResourceError("gone")) == "gone"
    assert one_line(trio.BrokenResourceError()) == "BrokenResourceError"
    assert len(one_line(ValueError("x" * 1000))) == 500
    assert one_line(OddError())
