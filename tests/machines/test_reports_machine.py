"""Random days of sub-agents: begun, awaited, ended, told of, cut off, in any order, each request once or twice.

The real store runs against a model of those who listen: the room's agent and its session, and each sub-agent with its
own. Whatever happens, a sub-agent ends once, and whoever began it hears of that exactly once.
"""

from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import apsw
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.messages import (
    ENDED,
    AwaitReport,
    BeginRun,
    BeginTurn,
    EndTurn,
    GrantSlot,
    ListSubagents,
    Outcome,
    PrepareSubagent,
    ReturnReports,
    Spawned,
    SpawnRefused,
    StopSubagents,
    Subagent,
    SubagentState,
    TellReport,
    WaitForChildren,
    report_key,
)
from actors.store.errors import Conflict
from actors.store.ladder import LADDER
from supervisor import Request
from tests.actors.store.books import Books

R = TypeVar("R")

RARELY = [False, False, False, False, True]
ENDS = [Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.STOPPED, Outcome.QUARANTINED, Outcome.INTERRUPTED]
THEN = ["", "written", "dies", "written, dies"]


class InMemory(Books):
    """The store's tables, made anew for each day."""

    def __init__(self) -> None:
        self.db = apsw.Connection(":memory:")
        for step in LADDER:
            self.db.execute(step)
        self.db.pragma("foreign_keys", True)
        self.now = 1000.0
        self._keys = count(1)


class Call:
    """A tool call that waits for a report. `turn`: the turn or run that it is in; `told`: the report is its answer.

    `early`: it has waited since before the end.
    """

    def __init__(self, id: str, turn: str, slug: str, early: bool) -> None:
        self.id, self.turn, self.slug, self.early, self.told = id, turn, slug, early, False


class Listener:
    """Whoever begins sub-agents: the room's agent, or one of them.

    `turn`: the turn or run that is on. `calls`: those that wait in its process; `results`: the calls whose results are
    in its session. `crashed`: its process is gone, and it has not gone on yet.
    """

    def __init__(self) -> None:
        self.turn: str | None = None
        self.calls: list[Call] = []
        self.results: list[str] = []
        self.crashed = False


class Days(RuleBasedStateMachine):
    """One room."""

    def __init__(self) -> None:
        super().__init__()
        self.books = InMemory()
        self.ids = count(1)
        self.books.say()
        self.attempt = 1
        self.listeners: dict[str | None, Listener] = {None: Listener()}
        self.parents: dict[str, str | None] = {}
        self.persons: set[str] = set()
        self.ends: dict[str, SubagentState] = {}
        self.heard: dict[str, list[str]] = {}
        self.over: list[Request[Any]] = []

    @initialize(waits=st.lists(st.booleans(), min_size=1, max_size=4))
    def a_day_begins(self, waits: list[bool]) -> None:
        """With a turn that has begun some, of which the first has begun one."""
        self.a_turn_begins(again=False)
        for wait in waits:
            self.begins_one(None, wait)
        self.starts(self.startable()[0])
        self.begins_one(next(iter(self.parents)), waits[-1])

    def teardown(self) -> None:
        self.dust_settles()
        self.books.db.close()

    def do(self, request: Request[R], again: bool = False) -> R:
        """Once or twice; the second time nothing changes."""
        reply = self.books.do(request)
        if again:
            before = self.books.rows()
            self.books.do(request)
            assert self.books.rows() == before, request
        return reply

    def row(self, slug: str) -> Subagent:
        return self.books.subagent(slug)

    def children(self, parent: str | None) -> list[Subagent]:
        rows = self.books.do(ListSubagents(room="shop", ended=1000))
        return [row for row in rows if row.parent == parent and row.slug not in self.persons]

    def running(self) -> list[str | None]:
        return [name for name, each in self.listeners.items() if each.turn is not None and not each.crashed]

    def pick(self, data: st.DataObject, names: list[Any]) -> Any:
        return data.draw(st.sampled_from(names))

    def hears(self, slug: str, how: str) -> None:
        self.heard[slug].append(how)

    # --- the room's turns

    @precondition(lambda self: self.listeners[None].turn is None)
    @rule(again=st.booleans())
    def a_turn_begins(self, again: bool) -> None:
        queue = self.books.work().queue
        first = queue[0].id if queue else self.books.say().inbound
        turn = f"t{first}"
        self.attempt = 1
        self.do(BeginTurn(slug="shop", turn=turn, attempt=1, inbounds=(first,), leaf_before=None), again)
        self.listeners[None].turn = turn

    @precondition(lambda self: None in self.running())
    @rule(really=st.sampled_from(RARELY), outcome=st.sampled_from(ENDS), again=st.booleans(), hold=st.booleans())
    def a_turn_may_end(self, really: bool, outcome: Outcome, again: bool, hold: bool) -> None:
        if really:
            self.a_turn_ends(outcome, again, hold)

    def a_turn_ends(self, outcome: Outcome, again: bool, hold: bool) -> None:
        room = self.listeners[None]
        assert room.turn is not None
        request = EndTurn(
            slug="shop",
            turn=room.turn,
            outcome=outcome,
            answer="",
            leaf=None,
            deliveries=(),
            hold=hold and outcome is Outcome.STOPPED,
        )
        waits = {call.slug for call in room.calls if not call.told}
        self.do(request, again)
        if outcome is Outcome.STOPPED:
            assert all(self.row(slug).stop is not None for slug in waits if slug not in self.ends)
        self.leaves(room)
        self.over.append(request)

    def leaves(self, listener: Listener) -> None:
        """Its turn or run is over: what a call was told in it is in its session, or would be."""
        for call in listener.calls:
            if call.told:
                self.hears(call.slug, call.id)
            else:
                self.over.append(TellReport(slug=call.slug, turn=call.turn, call=call.id))
        listener.calls, listener.turn, listener.results = [], None, []

    # --- sub-agents come to be

    @precondition(lambda self: self.running() and len(self.parents) < 12)
    @rule(data=st.data(), wait=st.booleans(), again=st.booleans())
    def one_is_begun(self, data: st.DataObject, wait: bool, again: bool) -> None:
        self.begins_one(self.pick(data, self.running()), wait, again)

    def begins_one(self, name: str | None, wait: bool, again: bool = False) -> None:
        listener = self.listeners[name]
        request = self.books.spawning(parent=name, turn=listener.turn, wait=wait)
        reply = self.do(request, again)
        if isinstance(reply, SpawnRefused):
            assert name is not None, "the room's turn is on"
            assert self.row(name).stop is not None or self.row(name).depth == request.bounds.max_depth
            return
        self.born(reply.subagent.slug, name)
        if wait:
            self.waits(listener, reply.subagent.slug)
        self.over.append(request)

    @precondition(lambda self: len(self.persons) < 2)
    @rule(again=st.booleans())
    def a_person_begins_one(self, again: bool) -> None:
        command = self.books.say("/spawn", command="spawn", capacity=99).inbound
        reply = self.do(self.books.spawning(by=command, wait=True), again)
        assert isinstance(reply, Spawned)
        self.born(reply.subagent.slug, None)
        self.persons.add(reply.subagent.slug)

    def born(self, slug: str, parent: str | None) -> None:
        self.parents[slug], self.heard[slug] = parent, []

    def waits(self, listener: Listener, slug: str) -> None:
        assert listener.turn is not None
        listener.calls.append(Call(f"c{next(self.ids)}", listener.turn, slug, early=slug not in self.ends))

    @precondition(lambda self: self.startable())
    @rule(data=st.data(), again=st.booleans())
    def one_begins(self, data: st.DataObject, again: bool) -> None:
        self.starts(self.pick(data, self.startable()), again)

    def starts(self, slug: str, again: bool = False) -> None:
        self.do(PrepareSubagent(slug=slug), again)
        self.do(BeginRun(slug=slug, run=1, attempt=1, prompt="p", leaf=None), again)
        self.listeners[slug] = Listener()
        self.listeners[slug].turn = f"{slug}/1"

    def startable(self) -> list[str]:
        return [slug for slug in self.parents if slug not in self.listeners and slug not in self.ends]

    # --- and wait for each other

    @precondition(lambda self: self.running())
    @rule(data=st.data(), again=st.booleans())
    def one_is_checked(self, data: st.DataObject, again: bool) -> None:
        """A call waits for one that was begun without waiting, or tells at once of one that has ended."""
        name = self.pick(data, self.running())
        listener = self.listeners[name]
        called = {call.slug for call in listener.calls}
        rows = [row for row in self.children(name) if row.slug not in called and not row.told]
        if not rows:
            return
        row = self.pick(data, rows)
        self.waits(listener, row.slug)
        if not row.ended:
            self.do(AwaitReport(slug=row.slug), again)

    def untold(self) -> list[tuple[str | None, Call]]:
        return [(name, call) for name, each in self.listeners.items() for call in each.calls if not call.told]

    @precondition(lambda self: bool(self.untold()))
    @rule(data=st.data(), again=st.booleans(), ends=st.booleans(), then=st.sampled_from(THEN))
    def hands_look(self, data: st.DataObject, again: bool, ends: bool, then: str) -> None:
        """At one of whom a call waits; it may have ended just now."""
        name, call = self.pick(data, self.untold())
        if ends and call.slug not in self.ends:
            self.finishes(call.slug, SubagentState.COMPLETED, again)
        self.looks(name, call, again)
        self.goes_wrong(name, call, then)

    def goes_wrong(self, name: str | None, call: Call, then: str) -> None:
        """The answer of a call that was told its report arrives, or its agent dies, before or behind that."""
        listener = self.listeners[name]
        if call.told and "written" in then:
            self.arrives(listener, call)
        if "dies" in then:
            listener.calls, listener.crashed = [], True

    def looks(self, name: str | None, call: Call, again: bool = False) -> None:
        row = self.row(call.slug)
        if not row.ended:
            return
        if name is not None and self.row(name).waiting and self.do(GrantSlot(slug=name), again).waiting:
            return
        row = self.do(TellReport(slug=call.slug, turn=call.turn, call=call.id), again)
        if row.told and not row.heard:
            call.told = True
        else:  # it comes by itself
            assert row.heard
            self.listeners[name].calls.remove(call)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), again=st.booleans(), then=st.sampled_from(THEN))
    def one_that_has_ended_is_checked(self, data: st.DataObject, again: bool, then: str) -> None:
        """What it reports may wait as a message."""
        name = self.pick(data, self.running())
        called = {call.slug for call in self.listeners[name].calls}
        ended = [row.slug for row in self.children(name) if row.ended and not row.told and row.slug not in called]
        if ended:
            self.waits(self.listeners[name], ended[-1])
            call = self.listeners[name].calls[-1]
            self.looks(name, call, again)
            self.goes_wrong(name, call, then)

    @precondition(lambda self: any(call.told for each in self.listeners.values() for call in each.calls))
    @rule(data=st.data())
    def an_answer_is_written(self, data: st.DataObject) -> None:
        found = [(each, call) for each in self.listeners.values() for call in each.calls if call.told]
        self.arrives(*self.pick(data, found))

    def arrives(self, listener: Listener, call: Call) -> None:
        listener.calls.remove(call)
        listener.results.append(call.id)
        self.hears(call.slug, call.id)

    # --- they end

    @precondition(lambda self: self.parents)
    @rule(data=st.data(), outcome=st.sampled_from(sorted(ENDED)), again=st.booleans(), twice=st.sampled_from(RARELY))
    def one_ends(self, data: st.DataObject, outcome: SubagentState, again: bool, twice: bool) -> None:
        names = [slug for slug in self.parents if (slug in self.ends) == twice]
        if names:
            self.finishes(self.pick(data, names), outcome, again)

    def finishes(self, slug: str, outcome: SubagentState, again: bool = False) -> None:
        first = self.do(self.books.ending(slug, outcome=outcome), again)
        assert first == (slug not in self.ends), "each ends once"
        self.ends.setdefault(slug, outcome)
        listener = self.listeners.pop(slug, None)
        if listener is not None:
            self.leaves(listener)

    @precondition(lambda self: self.parents)
    @rule(data=st.data(), which=st.sampled_from(["slug", "parent", "room"]), again=st.booleans())
    def some_are_told_to_stop(self, data: st.DataObject, which: str, again: bool) -> None:
        meant = {which: "shop" if which == "room" else self.pick(data, sorted(self.parents))}
        told = self.do(StopSubagents(slug=meant.get("slug"), parent=meant.get("parent"), room=meant.get("room")), again)
        depths = [self.row(slug).depth for slug in told]
        assert depths == sorted(depths, reverse=True), "deepest first"
        assert all(self.row(slug).stop is not None for slug in told)

    # --- a sub-agent's runs

    @precondition(lambda self: any(name is not None for name in self.running()))
    @rule(data=st.data(), again=st.booleans())
    def a_run_follows(self, data: st.DataObject, again: bool) -> None:
        """Its run is over; it waits for its children, and its next prompt tells of those that it has not heard of."""
        name = self.pick(data, [each for each in self.running() if each is not None])
        self.next_run(name, again)

    def next_run(self, name: str, again: bool = False) -> None:
        listener = self.listeners[name]
        for call in [each for each in listener.calls if each.told]:
            self.arrives(listener, call)
        self.do(WaitForChildren(slug=name), again)
        self.do(GrantSlot(slug=name), again)
        reports = tuple(row.slug for row in self.children(name) if row.ended and not row.told and not row.heard)
        run = self.row(name).run + 1
        self.leaves(listener)
        self.do(BeginRun(slug=name, run=run, attempt=1, prompt="p", leaf=None, reports=reports), again)
        for slug in reports:
            self.hears(slug, f"prompt {name}/{run}")
        listener.turn = f"{name}/{run}"

    # --- everything dies

    def called(self) -> list[str | None]:
        return [name for name in self.running() if self.listeners[name].calls or self.listeners[name].results]

    @precondition(lambda self: bool(self.called()))
    @rule(data=st.data(), all_of_them=st.booleans())
    def something_dies(self, data: st.DataObject, all_of_them: bool) -> None:
        """An agent with a call, or the service."""
        names = self.called()
        for name in self.running() if all_of_them else [self.pick(data, names)]:
            self.listeners[name].calls, self.listeners[name].crashed = [], True

    @precondition(lambda self: any(each.crashed for each in self.listeners.values()))
    @rule(data=st.data(), again=st.booleans())
    def one_goes_on(self, data: st.DataObject, again: bool) -> None:
        self.goes_on(self.pick(data, [name for name, each in self.listeners.items() if each.crashed]), again)

    def goes_on(self, name: str | None, again: bool = False) -> None:
        listener = self.listeners[name]
        assert listener.turn is not None
        if name is None:
            self.attempt += 1
            self.do(
                BeginTurn(slug="shop", turn=listener.turn, attempt=self.attempt, inbounds=(), leaf_before=None), again
            )
        else:
            row = self.row(name)
            self.do(BeginRun(slug=name, run=row.run, attempt=row.attempt + 1, prompt="", leaf=None), again)
        request = ReturnReports(room="shop", parent=name, turn=listener.turn, heard=tuple(listener.results))
        still = self.do(request, again)
        for row in self.children(name):
            assert not row.awaited, "nobody waits in a process that is gone"
            assert row.heard or not row.told, "what was told there counts as heard, or not as told"
            assert row.slug in still or row.heard
        self.over.append(request)
        listener.crashed = False

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def something_comes_again_when_it_is_over(self, data: st.DataObject) -> None:
        request = self.pick(data, self.over)
        turn = getattr(request, "turn", None)
        if any(each.turn == turn for each in self.listeners.values()):
            return  # whoever asked waits for the answer before it goes on
        before = self.books.rows()
        with suppress(Conflict):
            self.books.do(request)
        assert self.books.rows() == before, request

    # --- what holds

    def inbounds(self, slug: str) -> int:
        found: int = self.books.db.execute(
            "SELECT count(*) FROM inbound WHERE key = ? AND state <> 'dropped'", (report_key(slug),)
        ).get
        return found

    def times(self, slug: str) -> list[str]:
        return self.heard[slug] + ["inbound"] * self.inbounds(slug)

    @invariant()
    def each_has_one_end(self) -> None:
        for slug in self.parents:
            row = self.row(slug)
            assert row.ended == (slug in self.ends)
            assert not row.ended or row.state is self.ends[slug]

    @invariant()
    def nobody_hears_twice(self) -> None:
        for slug, parent in self.parents.items():
            times = self.times(slug)
            assert len(times) <= 1, times
            assert not times or slug in self.ends, "what has not ended cannot be told"
            if parent is not None or slug in self.persons:
                assert self.inbounds(slug) == 0

    @invariant()
    def what_the_rooms_agent_has_not_heard_is_in_the_hands_of_its_turn(self) -> None:
        room = self.listeners[None]
        for row in self.children(None):
            if row.ended and not row.heard:
                assert room.turn is not None
                assert row.awaited or row.told
            if row.awaited and not room.crashed:
                assert any(call.slug == row.slug for call in room.calls)

    @invariant()
    def what_a_call_waits_for_is_left_to_it(self) -> None:
        for listener in self.listeners.values():
            for call in listener.calls:
                row = self.row(call.slug)
                assert row.awaited or call.told or not call.early

    def dust_settles(self) -> None:
        """Everybody goes on to the end."""
        for name in [name for name, each in self.listeners.items() if each.crashed]:
            self.goes_on(name)
        deepest_first = sorted(self.parents, key=lambda slug: -self.row(slug).depth)
        early = {slug for slug in self.parents if self.parents[slug] in self.ends and slug not in self.ends}
        gone = set(self.ends)
        for slug in deepest_first:
            if slug in self.ends:
                continue
            if slug in self.listeners:
                for call in list(self.listeners[slug].calls):
                    if not call.told:
                        self.looks(slug, call)
                self.next_run(slug)
                assert all(row.heard for row in self.children(slug))
            self.finishes(slug, SubagentState.COMPLETED)
        for call in list(self.listeners[None].calls):
            if not call.told:
                self.looks(None, call)
        if self.listeners[None].turn is not None:
            self.a_turn_ends(Outcome.DONE, again=True, hold=False)
        for slug, parent in self.parents.items():
            nobody_left = parent in gone or parent in early
            quiet = self.books.db.execute("SELECT quiet FROM subagents WHERE slug = ?", (slug,)).get
            expected = {0} if slug in self.persons else {0, 1} if nobody_left or quiet else {1}
            assert len(self.times(slug)) in expected, (slug, self.times(slug))
        self.nobody_hears_twice()


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
