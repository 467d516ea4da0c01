"""The life of one sub-agent: what is done about each thing that happens to it.

Pure: facts in, steps out; `subagent` carries them out. Its row is the truth, so after any crash it is enough to pull it
again. It moves

    looking → preparing → ready → beginning → (recalling →) running → settling → (ready → … →)
    children → closing → collecting → ending → ended

where ready waits for an agent and perhaps for a place, settling decides what follows a run (its own sub-agents' reports
begin another one), children waits until those below it have ended, closing until its agent has. A stop leads from
everywhere to the end.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from actors import resume
from actors.messages import (
    AgentLost,
    AgentReady,
    Changes,
    PromptRefused,
    Recalled,
    Subagent,
    SubagentState,
    TurnSettled,
)
from actors.phrases import lasting
from actors.subagents import words
from actors.subagents.checks import model_trouble
from actors.subagents.steps import (
    Begin,
    Collect,
    CommitWait,
    End,
    EndAgent,
    Phase,
    Prepare,
    Pull,
    SendAbort,
    SendContinue,
    SendPrompt,
    SendRecall,
    Step,
    StopChildren,
    TimeOut,
)
from actors.subagents.words import Kind

__all__ = ["MOST_ATTEMPTS", "Life"]

MOST_ATTEMPTS: Final = 3
"""How often a run is tried. One attempt more only looks whether the last one had finished."""
MOST_PARTED: Final = 20
"""Ends on purpose of its agent that do not count as attempts, so that nothing is tried without end."""
ORDERLY: Final = ("normal", "shutdown")
"""Reasons of an end that somebody asked for."""
SERVICE_ENDED: Final = "the service itself was ended"
_LAST: Final = (Phase.CLOSING, Phase.COLLECTING, Phase.ENDING, Phase.ENDED)
"""The phases in which nothing but what they wait for matters."""


class _Ending(NamedTuple):
    outcome: SubagentState
    error: str


class Life:
    """One sub-agent's state. Each method takes a fact and returns the steps that follow from it, in order."""

    def __init__(self) -> None:
        self.phase = Phase.LOOKING
        self.sub: Subagent | None = None
        self.agent: int | None = None  # the incarnation that is ready
        self.cost = 0.0
        self._ready: AgentReady | None = None
        self._children: tuple[Subagent, ...] = ()
        self._kind: Kind | None = None
        self._left_out: tuple[str, ...] = ()
        self._gone = 0  # the newest incarnation that is known to have ended
        self._lost: AgentLost | None = None
        self._what = SERVICE_ENDED  # what cut its run off last
        self._failed_starts = 0
        self._orderly = False  # the last cut was wanted
        self._parted = 0
        self._fresh = False  # the attempt that is being begun is the first of its run
        self._leaf: str | None = None
        self._said = ""  # what it had answered before its run was cut off
        self._text = ""
        self._short_answer = False
        self._stale = False  # something has happened that the rows which were pulled may not say
        self._asked_to_wait = False
        self._below_stopped = False
        self._ending: _Ending | None = None

    @property
    def has_home(self) -> bool:
        """Whether its workspace is there and an agent has something to do in it."""
        return self._kind is not None and self._ending is None and self.phase not in _LAST

    @property
    def pausing(self) -> bool:
        """Whether no run is on."""
        return self.phase not in (Phase.RECALLING, Phase.RUNNING, Phase.STOPPING)

    @property
    def attempt(self) -> tuple[int, int] | None:
        """The run and the attempt that end now if it is stopped on purpose; None if none is on."""
        sub = self.sub
        on = not self.pausing or (self.phase is Phase.READY and self._orderly)
        return (sub.run, sub.attempt) if on and sub is not None and sub.run > 0 else None

    # --- facts from the store

    def pulled(self, sub: Subagent | None, children: Sequence[Subagent]) -> list[Step]:
        """The rows as they are now. Somebody else may have ended it."""
        self._children, self._stale = tuple(children), False
        if sub is None or sub.ended:
            self.sub, self.phase = sub or self.sub, Phase.ENDED
            return []
        self._know(sub)
        return self._next()

    def began(self, sub: Subagent) -> list[Step]:
        """The attempt is committed."""
        if self.phase is not Phase.BEGINNING:
            return []
        self._know(sub)
        self.phase = Phase.READY
        if self.agent is None or sub.stop is not None:  # it was cut off in the meantime
            return self._next()
        self._said = ""
        if self._fresh:
            return self._run(SendPrompt(sub.turn_id, sub.prompt))
        self.phase = Phase.RECALLING
        return [SendRecall(sub.turn_id, sub.leaf)]

    def waited(self, sub: Subagent | None, children: Sequence[Subagent]) -> list[Step]:
        """It is committed that it waits; the rows as they are since then."""
        self._asked_to_wait = False
        return self.pulled(sub, children)

    def children_stopped(self, sub: Subagent | None, children: Sequence[Subagent]) -> list[Step]:
        """It is committed that all below it are to end; the rows as they are since then."""
        self._below_stopped = True
        return self.pulled(sub, children)

    def ended(self) -> None:
        """It has reported."""
        self.phase = Phase.ENDED

    # --- facts from its workspace

    def prepared(self, kind: Kind, left_out: Sequence[str]) -> list[Step]:
        """The workspace is there."""
        if self.phase is not Phase.PREPARING:
            return []
        self._kind, self._left_out, self.phase = kind, tuple(left_out), Phase.READY
        return self._next()

    def impossible(self, reason: str) -> list[Step]:
        """It cannot have a workspace. `reason`: one sentence."""
        return self._finish(SubagentState.FAILED, words.sentence(reason)) if self.phase is Phase.PREPARING else []

    def gone(self) -> list[Step]:
        """A run of it was begun, and its workspace is not there any more."""
        if self.phase is not Phase.PREPARING:
            return []
        return self._finish(SubagentState.LOST, "Its workspace is gone, with all that it had done.")

    def collected(self, changes: Changes | None, error: str = "") -> list[Step]:
        """What it changed is kept; None if that is nothing, or cannot be kept because of `error`."""
        if self.phase is not Phase.COLLECTING:
            return []
        assert self.sub is not None
        assert self._ending is not None
        self.phase = Phase.ENDING
        outcome, why = self._ending
        if self.sub.stop is not None and outcome is not self.sub.stop:
            outcome, why = self.sub.stop, " ".join(part for part in (self._why_stopped(), why) if part)
        said = " ".join(part for part in (why, words.sentence(error)) if part)
        return [End(outcome, self._text, said, changes, self.cost)]

    # --- facts from the agent

    def agent_lost(self, event: AgentLost) -> None:
        """The agent says why it ends; its end itself comes next."""
        self._lost = event

    def agent_ready(self, ready: AgentReady) -> list[Step]:
        """pi is up with its session. A pi that was ready before is gone then."""
        if ready.incarnation <= self._gone or self.phase in _LAST:
            return []
        if self.agent is not None:
            self._cut(orderly=False, what="another agent has taken its place")
        self.agent, self._ready, self._failed_starts = ready.incarnation, ready, 0
        self._leaf, self.cost = ready.leaf, max(self.cost, ready.usage.cost)
        self._stale = True  # it may have given up its place in the meantime, or is to end
        return [Pull()]

    def agent_down(self, incarnation: int, reason: str) -> list[Step]:
        """That incarnation of the agent ended; the next one will report `agent_ready`."""
        if incarnation <= self._gone:
            return []
        self._gone = incarnation
        said, self._lost = self._lost, None
        what = said.what if said is not None and said.incarnation == incarnation else reason
        orderly, never_up = reason in ORDERLY, self.agent is None
        self._cut(orderly=orderly, what=what)
        if never_up and not orderly:
            self._failed_starts += 1
        return self._next()

    def agent_ended(self) -> list[Step]:
        """Its agent is no more, and none follows."""
        if self.phase is not Phase.CLOSING:
            return []
        self.agent, self.phase = None, Phase.COLLECTING
        return [Collect()]

    def awaits(self, event: Recalled) -> bool:
        """Whether this is what it has asked for."""
        return self.phase is Phase.RECALLING and self._is_about(event.turn, event.incarnation)

    def recalled(self, event: Recalled, subagents: Sequence[str] = ()) -> list[Step]:
        """What the session holds of an earlier attempt. `subagents`: its own, of which it has not heard yet."""
        sub = self.sub
        if not self.awaits(event) or sub is None:
            return []
        self._leaf = event.leaf
        match resume.decide(event.entries):
            case resume.Finished(text, stop_reason):
                return self._answered(text, stop_reason)
            case resume.GoOn(said=said) if sub.attempt > MOST_ATTEMPTS:
                self._text = said or self._text
                return self._cut_off_too_often()
            case _ if sub.attempt > MOST_ATTEMPTS:
                return self._cut_off_too_often()
            case resume.GoOn(note, said):
                self._said = said
                return self._run(SendContinue(sub.turn_id, resume.delegated(note, subagents)))
            case _:
                return self._run(SendPrompt(sub.turn_id, sub.prompt))

    def refused(self, event: PromptRefused) -> list[Step]:
        """pi did not take the prompt."""
        if not self._runs(event.turn, event.incarnation):
            return []
        return self._finish(SubagentState.FAILED, f"The agent did not take its task: {event.error}")

    def settled(self, event: TurnSettled) -> list[Step]:
        """The run is over."""
        if not self._runs(event.turn, event.incarnation):
            return []
        self.cost, self._leaf = max(self.cost, event.usage.cost), event.leaf
        text = "\n\n".join(said for said in (self._said, event.text) if said)
        if event.stop_reason in ("stop", "length"):
            return self._answered(text, event.stop_reason)
        self._text = text or self._text
        if self.phase is Phase.STOPPING:
            return self._stopped()
        if event.stop_reason == "aborted":
            return self._finish(SubagentState.FAILED, "Its run was ended before it had finished.")
        why = event.error or f"it stopped with {event.stop_reason!r}"
        return self._finish(SubagentState.FAILED, f"The model could not answer: {why}")

    def too_long(self, turn: str) -> list[Step]:
        """It has used up its time in this run."""
        on = self.phase in (Phase.RECALLING, Phase.RUNNING)
        return [TimeOut()] if on and self.sub is not None and turn == self.sub.turn_id else []

    # --- what follows

    def _know(self, sub: Subagent) -> None:
        self.sub, self.cost = sub, max(self.cost, sub.cost)

    def _next(self) -> list[Step]:
        """The next step, from the state alone."""
        sub = self.sub
        if sub is None or self.phase in _LAST:
            return []
        if self._ending is not None:
            return self._close()
        if sub.stop is not None:
            if self.phase in (Phase.BEGINNING, Phase.STOPPING):
                return []
            if self.phase is Phase.RUNNING:
                self.phase = Phase.STOPPING
                return [SendAbort(sub.turn_id)]
            return self._stopped()
        if self._failed_starts >= MOST_ATTEMPTS:
            return self._finish(SubagentState.FAILED, f"Its agent could not be started: {words.clause(self._what)}.")
        match self.phase:
            case Phase.LOOKING:
                self.phase = Phase.PREPARING
                return [Prepare(begun=sub.run > 0)]
            case Phase.READY:
                return self._begin(sub)
            case Phase.SETTLING:
                return self._decide(sub)
            case _:
                return []

    def _begin(self, sub: Subagent) -> list[Step]:
        """The first run, or an attempt more of the one that was cut off."""
        ready = self._ready
        if self.agent is None or ready is None or self._stale:
            return []
        if sub.waiting:  # it was cut off while it waited for others, and has no place yet
            return []
        if (trouble := model_trouble(sub.model, ready)) is not None:
            return self._finish(SubagentState.FAILED, trouble)
        self._fresh = sub.run == 0
        if self._fresh:
            assert self._kind is not None
            prompt = words.task_prompt(sub, self._kind, self._left_out)
            return self._commit(Begin(1, 1, prompt, self._leaf))
        counts = not ((self._orderly or sub.parted) and self._parted <= MOST_PARTED)
        attempt = sub.attempt + counts
        if attempt > MOST_ATTEMPTS + 1:
            return self._cut_off_too_often()
        return self._commit(Begin(sub.run, attempt, sub.prompt, sub.leaf))

    def _decide(self, sub: Subagent) -> list[Step]:
        """A run has ended with an answer: what its children have to say begins another one."""
        if self._stale:
            return []
        if any(not child.ended for child in self._children):
            if sub.waiting or self._asked_to_wait:
                return []
            self._asked_to_wait = True
            return [CommitWait()]
        unheard = [child for child in self._children if not (child.heard or child.told)]
        if not unheard:
            cut = "Its answer ends where it reached the model's length limit." if self._short_answer else ""
            return self._finish(SubagentState.COMPLETED, cut)
        if sub.waiting or self.agent is None:
            return []
        self._fresh = True
        slugs = tuple(child.slug for child in unheard)
        return self._commit(Begin(sub.run + 1, 1, words.reports(unheard), self._leaf, slugs))

    def _commit(self, begin: Begin) -> list[Step]:
        self.phase, self._orderly = Phase.BEGINNING, False
        return [begin]

    def _run(self, step: Step) -> list[Step]:
        self.phase = Phase.RUNNING
        return [step]

    def _answered(self, text: str, stop_reason: str) -> list[Step]:
        """Its run has ended as it should; what that means is decided by rows that are newer than that."""
        self._text, self._short_answer = text or self._text, stop_reason == "length"
        if self.phase is Phase.STOPPING:
            return self._stopped()
        self.phase, self._stale = Phase.SETTLING, True
        return [Pull()]

    def _cut(self, *, orderly: bool, what: str) -> None:
        """There is no agent; a run that it had is open again."""
        self.agent = self._ready = None
        self._what = what
        if self.phase in (Phase.BEGINNING, Phase.RECALLING, Phase.RUNNING, Phase.STOPPING):
            self._orderly = orderly
            self._parted += orderly
        if self.phase in (Phase.RECALLING, Phase.RUNNING, Phase.STOPPING):
            self.phase = Phase.READY

    def _cut_off_too_often(self) -> list[Step]:
        why = f"Its agent ended {MOST_ATTEMPTS} times while it worked, the last time: {words.clause(self._what)}."
        return self._finish(SubagentState.FAILED, why)

    # --- the end

    def _stopped(self) -> list[Step]:
        assert self.sub is not None
        assert self.sub.stop is not None
        return self._finish(self.sub.stop, self._why_stopped())

    def _why_stopped(self) -> str:
        assert self.sub is not None
        if self.sub.stop is SubagentState.TIMED_OUT:
            return f"It had {lasting(self.sub.timeout)} for its work, and that was not enough."
        return ""

    def _finish(self, outcome: SubagentState, error: str) -> list[Step]:
        """It ends like that, once all below it have ended. A stop that comes by then makes it another end."""
        stopping, self._ending = self._ending is None, _Ending(outcome, error)
        self.phase = Phase.CHILDREN
        if outcome is SubagentState.COMPLETED:  # that is said of rows in which nobody below it is at work
            self._below_stopped = True
            return self._close()
        return [StopChildren()] if stopping else []

    def _close(self) -> list[Step]:
        if not self._below_stopped or any(not child.ended for child in self._children):
            return []
        self.phase = Phase.CLOSING
        return [EndAgent()]

    # --- whose fact it is

    def _is_about(self, turn: str, incarnation: int) -> bool:
        return incarnation == self.agent and self.sub is not None and turn == self.sub.turn_id

    def _runs(self, turn: str, incarnation: int) -> bool:
        return self.phase in (Phase.RUNNING, Phase.STOPPING) and self._is_about(turn, incarnation)
