"""The mailbox by itself: policies, lanes, coalescing, and what a cancel may not lose."""

from collections.abc import Hashable
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor.mailbox import BUDGET_MESSAGES, Box
from supervisor.spec import Mailbox, Overflow


def box_of(bound: int, overflow: Overflow = Overflow.WAIT, **options: Any) -> tuple[Box, list[Any]]:
    dropped: list[Any] = []
    return Box(Mailbox(bound, overflow, **options), dropped.append), dropped


async def take_all(box: Box) -> list[Any]:
    """What a receiver gets until there is nothing left."""
    taken = []
    with trio.move_on_after(1):
        while True:
            taken.append(await box.take())
    return taken


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.REJECT])
def test_a_full_box_says_no(overflow: Overflow) -> None:
    box, dropped = box_of(2, overflow)
    assert [box.put(n) for n in range(3)] == [True, True, False]
    assert (len(box), list(box.drain()), dropped) == (2, [0, 1], [])


def test_drop_oldest_keeps_the_newest() -> None:
    box, dropped = box_of(2, Overflow.DROP_OLDEST)
    assert all(box.put(n) for n in range(5))
    assert (list(box.drain()), dropped) == ([3, 4], [0, 1, 2])


async def test_waiting_senders_get_in_in_order(autojump_clock: MockClock) -> None:
    box, _ = box_of(1)
    box.put(0)
    async with trio.open_nursery() as nursery:
        for n in (1, 2, 3):
            nursery.start_soon(box.wait_put, n)
            await trio.testing.wait_all_tasks_blocked()
        assert await take_all(box) == [0, 1, 2, 3]


async def test_draining_takes_from_waiting_senders_too() -> None:
    box, _ = box_of(1)
    box.put(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.wait_put, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert list(box.drain()) == [0, 1]


async def test_a_closing_box_sends_waiting_senders_away() -> None:
    box, _ = box_of(1)
    box.put(0)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await box.wait_put(1)

        await trio.testing.wait_all_tasks_blocked()
        box.close()


def first_letter(message: str) -> Hashable | None:
    return None if message.isupper() else message[0]


async def test_a_newer_snapshot_takes_the_place_of_the_older(autojump_clock: MockClock) -> None:
    box, _ = box_of(3, coalesce=first_letter)
    for message in ("a1", "b1", "a2", "a3", "b2"):
        assert box.put(message)
    assert len(box) == 2
    assert await take_all(box) == ["a3", "b2"]
    box.put("a4")
    assert await take_all(box) == ["a4"]


async def test_no_snapshot_overtakes_what_came_before_it(autojump_clock: MockClock) -> None:
    box, _ = box_of(9, coalesce=first_letter)
    for message in ("a1", "END", "a2", "a3"):
        box.put(message)
    assert await take_all(box) == ["a1", "END", "a3"]


def test_what_is_put_whole_is_not_shown_to_the_key_function() -> None:
    box, _ = box_of(9, coalesce=first_letter)
    box.put("a1")
    box.push_whole(7)  # a call, of which first_letter could make nothing
    box.put("a2")
    assert list(box.drain()) == ["a1", 7, "a2"]


def test_a_full_box_of_distinct_keys_does_what_its_policy_says() -> None:
    box, _ = box_of(2, Overflow.REJECT, coalesce=first_letter)
    assert [box.put(m) for m in ("a1", "b1", "c1", "b2")] == [True, True, False, True]
    assert list(box.drain()) == ["a1", "b2"]
    box, dropped = box_of(2, Overflow.DROP_OLDEST, coalesce=first_letter)
    for message in ("a1", "b1", "c1", "a2", "c2"):
        box.put(message)
    assert (list(box.drain()), dropped) == (["c2", "a2"], ["a1", "b1"])


async def test_orders_come_before_urgent_ones_and_those_before_the_rest(autojump_clock: MockClock) -> None:
    box, _ = box_of(1)
    box.put("late")
    assert box.put_urgent("urgent")
    assert not box.put_urgent("too many")  # the lane has the bound of the box
    box.order("order")
    assert await take_all(box) == ["order", "urgent", "late"]


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("lane", ["put", "put_urgent", "order"])
async def test_each_lane_wakes_a_waiting_receiver(lane: str, *, used_before: bool, autojump_clock: MockClock) -> None:
    box, _ = box_of(1)
    if used_before:  # the channel exists then, and the receiver waits in it
        box.put("first")
        assert await box.take() == "first"
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def receive() -> None:
            assert await take_all(box) == ["news"]

        await trio.testing.wait_all_tasks_blocked()
        getattr(box, lane)("news")


async def test_an_order_that_comes_during_the_budget_checkpoint_is_seen(autojump_clock: MockClock) -> None:
    box, _ = box_of(BUDGET_MESSAGES * 2)
    for n in range(BUDGET_MESSAGES):
        box.put(n)
    taken: list[object] = []

    async def receive() -> None:
        while (item := await box.take()) != "order":
            taken.append(item)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        # Its first checkpoint is the one when the budget is used up: the order falls right into it.
        while len(taken) < BUDGET_MESSAGES:
            await trio.lowlevel.checkpoint()
        box.order("order")
        await trio.testing.wait_all_tasks_blocked()
        assert not nursery.child_tasks


async def test_a_flooded_receiver_lets_others_run() -> None:
    box, _ = box_of(10_000)
    for n in range(10_000):
        box.put(n)
    turns: list[str] = []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def flooded() -> None:
            for _ in range(10_000):
                await box.take()
                turns.append("flooded")

        @nursery.start_soon
        async def other() -> None:
            for _ in range(20):
                turns.append("other")
                await trio.lowlevel.checkpoint()

    between = "".join(turn[0] for turn in turns).rstrip("f").split("o")
    assert len(between) == 21
    # Two budgets, because trio runs the tasks that are ready in either order.
    assert max(len(flood) for flood in between) <= 2 * BUDGET_MESSAGES


@pytest.mark.parametrize("seed", range(5))
async def test_random_cancels_lose_nothing(seed: int, autojump_clock: MockClock) -> None:
    random = Random(seed)
    box, _ = box_of(3)
    sent: list[int] = []
    received: list[int] = []

    async def send() -> None:
        for n in range(1000):
            while True:
                with trio.CancelScope() as scope:
                    if random.random() < 0.3:
                        scope.deadline = trio.current_time() + random.choice([0, 0.001])
                    if not box.put(n):
                        await box.wait_put(n)
                    sent.append(n)
                    break
            if random.random() < 0.2:
                await trio.sleep(0.001)

    async def receive() -> None:
        while len(received) < 1000:
            with trio.CancelScope() as scope:
                if random.random() < 0.3:
                    scope.deadline = trio.current_time() + random.choice([0, 0.001])
                received.append(await box.take())
            if random.random() < 0.2:
                await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(receive)
    assert received == sent == list(range(1000))


async def test_it_counts_what_was_received() -> None:
    box, _ = box_of(200)
    for n in range(150):
        box.put(n)
    box.put_urgent("urgent")
    box.order("order")
    for _ in range(152):
        await box.take()
    assert box.received == 151  # the order is none
