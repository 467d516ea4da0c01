"""Random trees of sub-agents that begin, wait, are ended and end: the bounds hold, all of them end, nobody is starved.

The decision runs against a model of the rows. What it decides is done in one step, as the registrar does it; that its
steps may be cut off is tested there, for each of them is decided anew from the rows.
"""

from collections import Counter

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.messages import Bounds, Subagent, SubagentState
from actors.subagents.slots import Decision, decide
from tests.actors.subagents.rows import sub

QUEUED, PREPARING, RUNNING = SubagentState.QUEUED, SubagentState.PREPARING, SubagentState.RUNNING
ROOMS = ["shop", "tea", "ink"]


class Tree(RuleBasedStateMachine):
    """All rooms of a service."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Subagent] = {}
        self.bounds = Bounds(max=1, max_per_room=1, max_depth=8)

    @initialize(most=st.integers(1, 4), per_room=st.integers(1, 4))
    def it_is_configured(self, most: int, per_room: int) -> None:
        self.bounds = Bounds(max=most, max_per_room=per_room, max_depth=8)

    # --- what the rows say

    def change(self, slug: str, **changes: object) -> None:
        self.rows[slug] = msgspec.structs.replace(self.rows[slug], **changes)

    def children(self, slug: str) -> list[Subagent]:
        return [row for row in self.rows.values() if row.parent == slug and not row.ended]

    def holding(self) -> list[Subagent]:
        return [row for row in self.rows.values() if row.state in (PREPARING, RUNNING) and not row.waiting]

    def at_work(self) -> list[Subagent]:
        """Those that run, and so may do something."""
        return [row for row in self.holding() if row.state is RUNNING and row.stop is None]

    def seen(self) -> list[Subagent]:
        """What the registrar gives the decision."""
        waiting = {row.slug for row in self.rows.values() if row.waiting}
        return [row for row in self.rows.values() if not row.ended or (row.awaited and row.parent in waiting)]

    # --- what happens

    @rule(room=st.sampled_from(ROOMS))
    def a_room_begins_one(self, room: str) -> None:
        slug = f"{room}-{len(self.rows)}"
        self.rows[slug] = sub(slug, QUEUED, room=room)

    @rule(data=st.data(), wait=st.booleans())
    def one_begins_another(self, data: st.DataObject, wait: bool) -> None:
        able = [row for row in self.at_work() if row.depth < self.bounds.max_depth]
        if not able:
            return
        parent = data.draw(st.sampled_from(able))
        slug = f"{parent.slug}.{len(self.rows)}"
        self.rows[slug] = sub(slug, QUEUED, room=parent.room, parent=parent.slug, depth=parent.depth + 1, awaited=wait)
        if wait:
            self.change(parent.slug, waiting=True)

    @rule(data=st.data())
    def one_waits_for_a_child_that_it_has(self, data: st.DataObject) -> None:
        able = [row for row in self.at_work() if self.children(row.slug)]
        if able:
            parent = data.draw(st.sampled_from(able))
            child = data.draw(st.sampled_from(self.children(parent.slug)))
            self.change(child.slug, awaited=True)
            self.change(parent.slug, waiting=True)

    @rule(data=st.data())
    def one_is_through(self, data: st.DataObject) -> None:
        if able := self.at_work():
            self.is_through(data.draw(st.sampled_from(able)))

    def is_through(self, row: Subagent) -> None:
        """Its run is over: it waits for what it began, or it ends."""
        if self.children(row.slug):
            self.change(row.slug, waiting=True)
        else:
            self.change(row.slug, state=SubagentState.COMPLETED)

    @rule(data=st.data())
    def one_is_to_end(self, data: st.DataObject) -> None:
        able = [row for row in self.rows.values() if not row.ended]
        if able:
            self.stop(data.draw(st.sampled_from(able)))

    def stop(self, row: Subagent) -> None:
        self.change(row.slug, stop=row.stop or SubagentState.CANCELLED)
        for child in self.children(row.slug):
            self.stop(child)

    @rule()
    def it_is_looked(self) -> None:
        self.look()

    def look(self) -> int:
        """Decide and do; how much was done."""
        seen = self.seen()
        done = decide(seen, self.bounds)
        self.check(seen, done)
        for row in (*done.end, *done.stop):
            self.change(row.slug, state=SubagentState.CANCELLED, waiting=False)
        for row in done.grant:
            self.change(row.slug, waiting=False)
            for child in self.rows.values():  # its tool calls are answered
                if child.parent == row.slug and child.ended and child.awaited:
                    self.change(child.slug, awaited=False)
        for row in done.begin:
            self.change(row.slug, state=RUNNING)
        return sum(map(len, done[:4]))

    # --- what must hold

    def check(self, seen: list[Subagent], done: Decision) -> None:
        held = Counter(row.room for row in self.holding())
        held.update(row.room for row in (*done.grant, *done.begin))
        full = held.total() >= self.bounds.max
        moved = {row.slug for row in (*done.grant, *done.begin)}
        newest = max((list(self.rows).index(row.slug) for row in done.begin), default=-1)
        for number, row in enumerate(self.rows.values()):
            if row.state is not QUEUED or row.stop is not None or row.slug in moved:
                continue
            room_full = held[row.room] >= self.bounds.max_per_room
            assert full or room_full, f"{row.slug} could begin"
            assert number > newest or room_full, f"{row.slug} was overtaken"
            assert done.ahead[row.slug] >= 1
        for row in seen:
            if not row.waiting or row.stop is not None or row.slug in moved:
                continue
            children = [each for each in seen if each.parent == row.slug]
            awaited = [each for each in children if each.awaited] or children
            if all(each.ended for each in awaited):
                assert held[row.room] >= self.bounds.max_per_room or (full and not done.begin), f"{row.slug} starves"
        for row in done.stop:
            assert not self.children(row.slug), f"{row.slug} ends before what is below it"
        assert [row.depth for row in done.stop] == sorted((row.depth for row in done.stop), reverse=True)
        assert set(done.ahead) == {
            row.slug for row in seen if row.state is QUEUED and row.stop is None and row.slug not in moved
        }

    @invariant()
    def no_bound_is_exceeded(self) -> None:
        held = Counter(row.room for row in self.holding())
        assert held.total() <= self.bounds.max
        assert all(number <= self.bounds.max_per_room for number in held.values())

    def teardown(self) -> None:
        """Whatever has come about: if everybody only does his work, all of it ends."""
        left = 2 * len(self.rows) + 10
        while any(not row.ended for row in self.rows.values()):
            left -= 1
            assert left, "nothing moves any more"
            moved = self.look()
            for row in self.at_work():
                self.is_through(row)
                moved += 1
            assert moved, "nobody can do anything"
            self.no_bound_is_exceeded()


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
