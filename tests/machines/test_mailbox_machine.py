"""Random traffic through a mailbox, against a plain list that does the same slowly."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.mailbox import Box
from supervisor.spec import Mailbox, Overflow

Item = tuple[str | None, int]
"""A key, or None for what may not be replaced, and a serial number."""


class Traffic(RuleBasedStateMachine):
    """One box and its model: a list of items, the index of each open key, and the lanes."""

    @initialize(bound=st.integers(1, 4), overflow=st.sampled_from(Overflow))
    def begin(self, bound: int, overflow: Overflow) -> None:
        self.dropped: list[Item] = []
        self.box = Box(Mailbox(bound, overflow, coalesce=lambda item: item[0]), self.dropped.append)
        self.bound, self.overflow = bound, overflow
        self.waiting: list[Item] = []
        self.open: dict[str, Item] = {}
        self.urgent: list[Item] = []
        self.orders: list[Item] = []
        self.lost: list[Item] = []
        self.serial = 0

    def item(self, key: str | None = None) -> Item:
        self.serial += 1
        return key, self.serial

    @rule(key=st.sampled_from(["a", "b", "c", None]))
    def put(self, key: str | None) -> None:
        item = self.item(key)
        taken = True
        if key is None:
            self.open.clear()
        if key in self.open:
            self.waiting[self.waiting.index(self.open[key])] = item
        elif len(self.waiting) < self.bound:
            self.waiting.append(item)
        elif self.overflow is Overflow.DROP_OLDEST:
            self.lost.append(self.close(self.waiting.pop(0)))
            self.waiting.append(item)
        else:
            taken = False
        if key is not None and taken:
            self.open[key] = item
        assert self.box.put(item) == taken

    def close(self, item: Item) -> Item:
        if item[0] is not None and self.open.get(item[0]) == item:
            del self.open[item[0]]
        return item

    @rule()
    def put_urgent(self) -> None:
        item = self.item()
        assert self.box.put_urgent(item) == (len(self.urgent) < self.bound)
        if len(self.urgent) < self.bound:
            self.urgent.append(item)

    @rule()
    def order(self) -> None:
        item = self.item()
        self.box.order(item)
        self.orders.append(item)

    @precondition(lambda self: self.orders or self.urgent or self.waiting)
    @rule()
    def take(self) -> None:
        lane = self.orders or self.urgent or self.waiting
        assert step(self.box) == self.close(lane.pop(0))

    @rule()
    def drain(self) -> None:
        assert list(self.box.drain()) == self.urgent + self.waiting
        self.urgent.clear()
        self.waiting.clear()
        self.open.clear()

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        if hasattr(self, "box"):
            assert len(self.box) == len(self.waiting) + len(self.urgent) <= 2 * self.bound
            assert self.dropped == self.lost


def step(box: Box) -> Any:
    """Take from a box that holds something: needs no event loop as long as the budget lasts."""
    box.begin_turn()
    taking = box.take()
    try:
        taking.send(None)
    except StopIteration as done:
        return done.value
    finally:
        taking.close()
    raise AssertionError("the box wanted to wait")


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
