"""Random days of a sub-agent: its agent, its worker and its service die at any moment, it is stopped, its children come
and go, and it reports exactly once.

The life of one runs against a model of the store (rows), of the session (entries), of the agent and of the helpers.
Steps are carried out one by one, so that a crash may fall between any two.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors import resume
from actors.messages import (
    AgentLost,
    AgentReady,
    Entry,
    PromptRefused,
    Recalled,
    Subagent,
    SubagentState,
    ToolCall,
    TurnSettled,
)
from actors.subagents import steps
from actors.subagents.life import MOST_ATTEMPTS, MOST_PARTED, Life
from actors.subagents.steps import Phase, Step
from tests.actors.subagents.rows import changes, sub

Facts = Callable[[], list[Step]]
ME = "me"
RARELY = [False, False, False, True]
OTHERS = [SubagentState.CANCELLED, SubagentState.TIMED_OUT]


class Written(NamedTuple):
    """An entry of the session, with the run that wrote it."""

    run: int
    entry: Entry


class Days(RuleBasedStateMachine):
    """One sub-agent."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = 0
        # the store
        self.row = sub(ME, SubagentState.PREPARING, turn="t1")
        self.children: dict[str, Subagent] = {}
        self.told_call: dict[str, str] = {}  # whose report was the answer of which call
        self.reports: list[steps.End] = []
        self.told_in_prompt: list[str] = []
        self.known_stop: SubagentState | None = None
        self.spoken_for = False
        self.parted = 0
        # the workspace and the helpers
        self.home = False
        self.making = self.begun_before = self.ending_agent = self.collecting = False
        # the session, the agent
        self.entries: list[Written] = []
        self.incarnation = 0
        self.wanted = True
        self.alive = self.greeted = False
        self.running: int | None = None
        self.unwritten = False
        self.call: str | None = None  # the tool call that is on
        self.waits_for: str | None = None  # and the child that it waits for
        self.aborting = False
        self.finished: dict[int, str] = {}
        # the worker and what waits for it
        self.box: deque[Facts] = deque()
        self.todo: deque[Step] = deque()
        self.start_worker()

    @initialize(at_work=st.booleans(), crashes=st.sampled_from([0, 0, 0, 1, 2, 3]), children=st.integers(0, 2))
    def it_may_have_come_far(self, at_work: bool, crashes: int, children: int) -> None:
        for crash in range(crashes + 1 if at_work else 0):
            if crash:
                self.agent_works()
                self.agent_crashes()
            while self.running is None and not self.row.ended:
                self.let_it_go_on()
        for _ in range(children if self.running is not None else 0):
            self.it_spawns(wait=False)

    # --- the worker

    def start_worker(self) -> None:
        self.life = Life()
        self.todo.clear()
        self.box.clear()
        self.making = self.ending_agent = self.collecting = self.aborting = False
        self.kill_agent()
        self.wanted = True
        self.known_stop = None
        self.box.append(self.pull)

    def pull(self) -> list[Step]:
        return self.life.pulled(*self.rows())

    def rows(self) -> tuple[Subagent, tuple[Subagent, ...]]:
        if not self.row.ended and self.life.phase not in (Phase.ENDING, Phase.ENDED):
            self.known_stop = self.row.stop
        return self.row, tuple(self.children.values())

    @precondition(lambda self: self.todo or self.box)
    @rule(most=st.integers(1, 12))
    def worker_goes_on(self, most: int) -> None:
        while most > 0 and (self.todo or self.box):
            self.take_a_step()
            most -= 1

    def take_a_step(self) -> None:
        following = self.carry_out(self.todo.popleft()) if self.todo else self.box.popleft()()
        self.todo.extend(following)

    @precondition(lambda self: not self.row.ended)
    @rule(often=st.sampled_from(RARELY))
    def worker_crashes(self, often: bool) -> None:
        if often or self.running is not None:
            self.start_worker()

    def carry_out(self, step: Step) -> list[Step]:
        assert not self.reports or not isinstance(step, steps.End), "it reports once"
        match step:
            case steps.Pull():
                return self.pull()
            case steps.Prepare(begun):
                assert begun == (self.row.run > 0)
                self.making, self.begun_before = True, begun
            case steps.Begin():
                if self.row.ended:
                    return self.pull()
                self.begin(step)
                return self.life.began(self.row)
            case steps.SendPrompt() | steps.SendContinue() | steps.SendRecall():
                assert self.row.turn_id == step.turn
                assert not self.aborting, "nothing is asked while an abort is on"
                assert not self.known_stop, "what is to end is given nothing"
                self.hear(step)
            case steps.SendAbort():
                self.aborting = self.hears() and self.running is not None
            case steps.CommitWait():
                if not self.row.ended:
                    self.row = msgspec.structs.replace(self.row, waiting=True)
                return self.life.waited(*self.rows())
            case steps.TimeOut():
                self.stop(SubagentState.TIMED_OUT)
                return self.pull()
            case steps.StopChildren():
                self.stop_children()
                return self.life.children_stopped(*self.rows())
            case steps.EndAgent():
                assert not any(not child.ended for child in self.children.values())
                self.ending_agent, self.making = True, False
            case steps.Collect():
                assert not self.alive, "nobody changes what is being collected"
                self.collecting = True
            case steps.End():
                self.end(step)
        return []

    # --- the store

    def begin(self, step: steps.Begin) -> None:
        assert step.attempt <= MOST_ATTEMPTS + 1, "a run is tried so often and not more"
        assert self.known_stop is None
        assert not self.row.waiting, "who goes on has a place"
        if step.run > self.row.run:
            assert (step.run, step.attempt) == (self.row.run + 1, 1)
            assert step.run == 1 or step.run - 1 in self.finished
            self.settle_told()
            assert all(self.children[slug].ended and not self.children[slug].heard for slug in step.reports)
            assert bool(step.reports) == (step.run > 1), "what it goes on with"
            self.told_in_prompt += step.reports
            for slug in step.reports:
                self.change(slug, heard=True)
            self.row = msgspec.structs.replace(self.row, run=step.run, attempt=0, prompt=step.prompt, leaf=step.leaf)
            assert step.leaf == self.leaf()
        else:
            assert (step.run, step.prompt) == (self.row.run, self.row.prompt)
            assert self.row.attempt <= step.attempt <= self.row.attempt + 1
        self.row = msgspec.structs.replace(
            self.row, attempt=max(step.attempt, self.row.attempt), state=SubagentState.RUNNING, waiting=False
        )

    def settle_told(self) -> None:
        """A run is over: what was told in it was heard, and what it awaited goes its way."""
        for child in list(self.children.values()):
            if child.told and not child.heard:
                self.change(child.slug, heard=True)
            elif child.awaited:
                self.change(child.slug, awaited=False)

    def recalled(self, event: Recalled) -> list[Step]:
        if not self.life.awaits(event):
            assert self.life.recalled(event) == []
            return []
        if event.turn == self.row.turn_id:
            self.return_reports(resume.results(event.entries))
        return self.life.recalled(event, [slug for slug, child in self.children.items() if not child.heard])

    def return_reports(self, heard: tuple[str, ...]) -> None:
        for child in list(self.children.values()):
            if child.heard:
                continue
            if child.told and self.told_call[child.slug] in heard:
                self.change(child.slug, heard=True)
            else:
                self.change(child.slug, told=False, awaited=False)

    def change(self, slug: str, **fields: object) -> None:
        self.children[slug] = msgspec.structs.replace(self.children[slug], **fields)

    def end(self, step: steps.End) -> None:
        assert not any(not child.ended for child in self.children.values()), "all below it have ended"
        assert not self.alive
        if self.known_stop is not None:
            assert step.outcome is self.known_stop, "a stop wins"
        if self.row.ended:
            self.life.ended()
            return
        self.reports.append(step)
        if step.outcome is SubagentState.COMPLETED:
            assert self.row.run in self.finished
            assert step.text == self.finished[self.row.run]
            self.settle_told()
            assert all(child.heard for child in self.children.values()), "it has heard of all of them"
        if step.outcome is SubagentState.TIMED_OUT:
            assert self.row.stop is SubagentState.TIMED_OUT
        self.row = msgspec.structs.replace(self.row, state=step.outcome, ended_at=1.0, waiting=False)
        self.life.ended()

    def stop(self, outcome: SubagentState) -> None:
        if not self.row.ended and self.row.stop is None:
            self.row = msgspec.structs.replace(self.row, stop=outcome)
            self.stop_children()

    def stop_children(self) -> None:
        for child in list(self.children.values()):
            if not child.ended:
                self.change(child.slug, stop=SubagentState.CANCELLED)

    @precondition(lambda self: not self.row.ended)
    @rule(outcome=st.sampled_from(OTHERS), often=st.sampled_from(RARELY))
    def somebody_stops_it(self, outcome: SubagentState, often: bool) -> None:
        if often:
            self.stop(outcome)
            self.box.append(self.pull)

    @precondition(lambda self: not self.row.ended and self.row.stop is not None)
    @rule(often=st.sampled_from(RARELY))
    def its_registrar_speaks_for_it(self, often: bool) -> None:
        """It did not end in time."""
        if often:
            self.row = msgspec.structs.replace(self.row, state=SubagentState.LOST, ended_at=1.0, waiting=False)
            self.spoken_for = True
            for child in list(self.children.values()):
                self.end_child(child.slug)
            self.kill_agent()
            self.wanted = False
            self.box.append(self.pull)

    @rule()
    def a_wake(self) -> None:
        self.box.append(self.pull)

    @precondition(lambda self: self.row.waiting and not self.row.ended)
    @rule()
    def the_registrar_grants(self) -> None:
        is_open = [child for child in self.children.values() if not child.ended]
        if (self.running is None and is_open) or any(child.awaited for child in is_open):
            return
        self.row = msgspec.structs.replace(self.row, waiting=False)
        self.box.append(self.pull)

    # --- its children

    @precondition(lambda self: any(not child.ended for child in self.children.values()))
    @rule()
    def a_child_ends(self) -> None:
        self.end_child(next(slug for slug, child in self.children.items() if not child.ended))
        self.box.append(self.pull)

    def end_child(self, slug: str) -> None:
        if not self.children[slug].ended:
            self.change(slug, state=SubagentState.COMPLETED, ended_at=1.0, text="done")

    @precondition(lambda self: self.at_work() and self.call is None and self.row.stop is None)
    @precondition(lambda self: len(self.children) < 6)
    @rule(wait=st.booleans())
    def it_spawns(self, wait: bool) -> None:
        self.write_prompt()
        self.ids += 1
        slug = f"child{self.ids}"
        self.children[slug] = sub(slug, parent=ME, depth=2, awaited=wait)
        if wait:
            self.call, self.waits_for = self.write_call("spawn_subagent"), slug
            self.row = msgspec.structs.replace(self.row, waiting=True)

    @precondition(lambda self: self.waits_for is not None and self.children[self.waits_for].ended)
    @precondition(lambda self: not self.row.waiting and not self.aborting)
    @rule(written=st.booleans())
    def the_tool_answers(self, written: bool) -> None:
        slug, call = self.waits_for, self.call
        assert slug is not None
        assert call is not None
        self.change(slug, told=True, awaited=False)
        self.told_call[slug] = call
        if written:
            self.write("toolResult", "its report", call=call)
            self.call = self.waits_for = None
        else:  # and pi dies before it is in the session
            self.agent_crashes()

    # --- the helpers

    @precondition(lambda self: self.making)
    @rule(possible=st.sampled_from([True, True, True, False]))
    def the_workspace_is_made(self, possible: bool) -> None:
        self.making = False
        if self.home:
            self.box.append(lambda: self.life.prepared("copy", ()))
        elif self.begun_before:
            self.box.append(self.life.gone)
        elif possible:
            self.home = True
            self.box.append(lambda: self.life.prepared("copy", ()))
        else:
            self.box.append(lambda: self.life.impossible("No space."))

    @precondition(lambda self: self.home and not self.row.ended)
    @rule(often=st.sampled_from(RARELY))
    def somebody_removes_its_workspace(self, often: bool) -> None:
        if often and self.life.phase is not Phase.COLLECTING:
            self.home = False
            self.start_worker()

    @precondition(lambda self: self.ending_agent)
    @rule()
    def the_agent_is_ended(self) -> None:
        self.ending_agent, self.wanted = False, False
        if self.alive:
            number = self.incarnation
            self.kill_agent()
            self.box.appendleft(lambda: self.life.agent_down(number, "shutdown"))
        self.box.append(self.life.agent_ended)

    @precondition(lambda self: self.collecting)
    @rule(possible=st.booleans())
    def its_work_is_kept(self, possible: bool) -> None:
        self.collecting = False
        made = changes("/r") if possible and self.home else None
        self.box.append(lambda: self.life.collected(made, "" if possible else "It could not be kept."))

    # --- the agent

    @precondition(lambda self: self.wanted and not self.greeted and self.life.has_home)
    @rule()
    def agent_is_ready(self) -> None:
        if not self.alive:
            self.incarnation += 1
        self.alive = self.greeted = True
        ready = AgentReady(incarnation=self.incarnation, session_id=f"{ME}-1", leaf=self.leaf())
        self.box.append(lambda: self.life.agent_ready(ready))

    @precondition(lambda self: self.wanted and not self.alive and self.life.has_home)
    @rule()
    def agent_cannot_be_started(self) -> None:
        self.incarnation += 1
        self.end_agent("boom")

    @precondition(lambda self: self.alive)
    @rule()
    def agent_crashes(self) -> None:
        lost = AgentLost(incarnation=self.incarnation, what="pi ended")
        self.end_agent("boom")
        self.box.appendleft(lambda: self.tell_loss(lost))

    def tell_loss(self, lost: AgentLost) -> list[Step]:
        self.life.agent_lost(lost)
        return []

    @precondition(lambda self: self.alive and self.parted < MOST_PARTED - 1)
    @rule()
    def agent_is_restarted(self) -> None:
        self.parted += 1
        self.end_agent("shutdown")

    def end_agent(self, reason: str) -> None:
        number = self.incarnation
        self.kill_agent()
        self.box.appendleft(lambda: self.life.agent_down(number, reason))

    def kill_agent(self) -> None:
        self.alive = self.greeted = self.aborting = self.unwritten = False
        self.running = self.call = self.waits_for = None

    def hears(self) -> bool:
        return self.alive and self.greeted and self.life.agent == self.incarnation

    def at_work(self) -> bool:
        return self.running is not None and not self.aborting and not self.row.ended

    def hear(self, step: steps.SendPrompt | steps.SendContinue | steps.SendRecall) -> None:
        if not self.hears():
            return
        assert self.running is None, "two prompts at once"
        run = self.row.run
        mine = [each.entry for each in self.entries if each.run == run]
        if isinstance(step, steps.SendRecall):
            ids = [each.entry.id for each in self.entries]
            assert step.since is None or step.since in ids
            behind = self.entries[0 if step.since is None else ids.index(step.since) + 1 :]
            assert {each.run for each in behind} <= {run}, "another run's entries are taken for its own"
            found = tuple(each.entry for each in behind)
            event = Recalled(turn=step.turn, incarnation=self.incarnation, entries=found, leaf=self.leaf())
            self.box.append(lambda: self.recalled(event))
            return
        assert run not in self.finished, "an answer is not worked out twice"
        if isinstance(step, steps.SendPrompt):
            assert not mine, "what was heard is not said again"
            assert step.text == self.row.prompt
        else:
            assert mine, "what goes on has begun"
        self.running, self.unwritten = run, isinstance(step, steps.SendPrompt)

    def leaf(self) -> str | None:
        return self.entries[-1].entry.id if self.entries else None

    def write(self, role: str, text: str, stop_reason: str = "", *, call: str = "", tool: str = "") -> str:
        assert self.running is not None
        self.ids += 1
        made = f"c{self.ids}"
        calls = (ToolCall(id=made, tool=tool, summary=""),) if tool else ()
        entry = Entry(id=f"e{self.ids}", role=role, text=text, stop_reason=stop_reason, calls=calls, call=call)
        self.entries.append(Written(self.running, entry))
        return made

    def write_prompt(self) -> None:
        if self.unwritten:
            self.write("user", "the prompt")
            self.unwritten = False

    def write_call(self, tool: str) -> str:
        return self.write("assistant", "", "toolUse", tool=tool)

    @precondition(lambda self: self.at_work() and self.call is None)
    @rule()
    def agent_works(self) -> None:
        self.write_prompt()
        call = self.write_call("bash")
        self.write("toolResult", "ok", call=call)

    @precondition(lambda self: self.at_work() and self.unwritten)
    @rule(often=st.sampled_from(RARELY))
    def agent_refuses(self, often: bool) -> None:
        if often:
            event = PromptRefused(turn=self.row.turn_id, incarnation=self.incarnation, error="busy")
            self.running, self.unwritten = None, False
            self.box.append(lambda: self.life.refused(event))

    @precondition(lambda self: self.running is not None and not self.aborting and self.call is None)
    @rule(stop_reason=st.sampled_from(["stop", "stop", "stop", "length", "error"]), told=st.booleans())
    def agent_finishes(self, stop_reason: str, told: bool) -> None:
        self.settle(stop_reason)
        if not told:  # it dies with its last words on the lips
            self.box.pop()
            self.agent_crashes()

    @precondition(lambda self: self.aborting)
    @rule()
    def the_abort_takes_effect(self) -> None:
        self.settle("aborted")

    def settle(self, stop_reason: str) -> None:
        self.write_prompt()
        run = self.running
        assert run is not None
        text = f"answer of run {run}"
        self.write("assistant", text, stop_reason)
        if stop_reason in ("stop", "length"):
            assert run not in self.finished
            self.finished[run] = text
        event = TurnSettled(
            turn=f"{ME}/{run}",
            incarnation=self.incarnation,
            text=text,
            stop_reason=stop_reason,
            error="it broke" if stop_reason == "error" else "",
            leaf=self.leaf(),
        )
        self.running = self.call = self.waits_for = None
        self.aborting = False
        self.box.append(lambda: self.life.settled(event))

    @precondition(lambda self: self.at_work())
    @rule(often=st.sampled_from(RARELY))
    def it_takes_too_long(self, often: bool) -> None:
        if often:
            turn = f"{ME}/{self.running}"
            self.box.append(lambda: self.life.too_long(turn))

    # --- what must hold

    @invariant()
    def it_reports_once_and_then_does_nothing(self) -> None:
        assert len(self.reports) + self.spoken_for <= 1
        if self.reports:
            assert self.row.ended
            assert self.life.phase is Phase.ENDED or self.todo or self.box

    @invariant()
    def what_is_to_end_is_being_ended(self) -> None:
        if self.known_stop is not None and self.running is not None and self.hears() and not (self.todo or self.box):
            assert self.aborting, "its run goes on all the same"

    @invariant()
    def a_prompt_tells_of_each_child_once(self) -> None:
        assert len(set(self.told_in_prompt)) == len(self.told_in_prompt)

    def teardown(self) -> None:
        """Nothing bad happens any more: it ends."""
        for _ in range(1000):
            if self.row.ended and not (self.todo or self.box):
                break
            self.let_it_go_on()
        assert self.row.ended, f"it hangs while it is {self.life.phase}"
        assert len(self.reports) == 1 or self.spoken_for

    def let_it_go_on(self) -> None:
        if self.todo or self.box:
            self.take_a_step()
        elif self.making:
            self.the_workspace_is_made(possible=True)
        elif self.ending_agent:
            self.the_agent_is_ended()
        elif self.collecting:
            self.its_work_is_kept(possible=True)
        elif self.aborting:
            self.the_abort_takes_effect()
        elif any(not child.ended for child in self.children.values()):
            self.a_child_ends()
        elif self.row.waiting:
            self.the_registrar_grants()
        elif self.waits_for is not None:
            self.the_tool_answers(written=True)
        elif self.running is not None:
            self.agent_finishes("stop", told=True)
        elif self.wanted and not self.greeted and self.life.has_home:
            self.agent_is_ready()


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=400, stateful_step_count=60, deadline=None)
