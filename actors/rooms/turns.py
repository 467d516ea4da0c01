"""The conversation's state machine: what a room does about each thing that happens to it.

Pure: facts in, steps out; `conversation` carries them out. The store's rows are the truth, so after any crash it is
enough to pull them again. One turn runs at a time; the rest waits in the store or joins it. A turn moves

    idle → beginning → (recalling →) (fetching →) running → (stopping →) ending → idle

where beginning waits for commit 1b, recalling asks the session what became of an earlier attempt, fetching waits for
the files that came with the messages, and ending waits for commit 2. What waits is `line`'s, what joins a turn
`joining`'s, what people command `commanding`'s, what the agent asks `questions`', what cut a turn off `fates`'.
"""

from collections.abc import Mapping, Sequence

import msgspec

from actors import resume
from actors.messages import (
    AgentLost,
    AgentReady,
    AgentWaits,
    Compacted,
    ModelSet,
    PromptRefused,
    QuestionAsked,
    QuestionClosed,
    Recalled,
    SteerTaken,
    Turn,
    TurnSettled,
    Work,
)
from actors.rooms import ends, trouble
from actors.rooms.course import AGAIN, WITH_AGENT, Course
from actors.rooms.fates import MOST_ATTEMPTS, ORDERLY, Fate, tries
from actors.rooms.steps import (
    GiveAnswer,
    Known,
    Open,
    Part,
    Phase,
    SendAbort,
    SendContinue,
    SendRecall,
    ShowTurn,
    Step,
)


class Turns(Course):
    """One room's state. Each method takes a fact and returns the steps that follow from it, in order."""

    # --- facts from the store

    def pulled(self, work: Work, known: Known) -> list[Step]:
        """The rows as they are now."""
        self._room, self._known = work.room, known
        self._line.update(work.queue, work.held, () if work.turn is None else work.turn.inbounds, work.backlog)
        self._commands.update(work.commands)
        self.questions.left_behind(work.questions)
        if self.agent is None:
            self._leaf = work.room.leaf
        another = work.turn is None or self.turn is None or work.turn.id != self.turn.id
        if another and self.phase in (Phase.IDLE, Phase.ENDING):
            self._forget_turn()
            self.turn, self.phase = work.turn, Phase.IDLE
            self._unanswered = work.turn is not None and any(each.turn == work.turn.id for each in work.questions)
            if work.turn is not None:
                self._look_for_stop(work.turn, new=True)
                self._crashes.found(work.turn, known.failure)
        elif work.turn is not None and not another and self.phase is not Phase.ENDING:
            self.turn = work.turn
            self._look_for_stop(work.turn)
        return [*self._line.newly_held(), *self._next()]

    def overtaken(self, inbounds: tuple[int, ...]) -> None:
        """A stop held these just before they could begin a turn or join it; the next pull says so."""
        self._line.left(inbounds)
        if self.phase is Phase.BEGINNING and self.turn is None:
            self.phase, self._shown = Phase.IDLE, None
            self._forget_turn()

    def began(self, turn: Turn) -> list[Step]:
        """Commit 1b stands."""
        if self.phase is not Phase.BEGINNING:
            return []
        self.turn = turn
        self._look_for_stop(turn)
        self._line.left([row.id for row in turn.inbounds])
        if self.agent is None or self._stop_asked:  # it was cut off in the meantime: look again from the start
            self.phase = Phase.IDLE
            return (self._cut(turn) if self.agent is None else []) + self._next()
        if turn.attempt == 1:
            return self._prompt()
        self.phase = Phase.RECALLING
        return [SendRecall(turn.id, turn.leaf_before)]

    def joined(self, turn: Turn, inbounds: tuple[int, ...]) -> list[Step]:
        """These messages are the turn's now."""
        if self.turn is None or self.turn.id != turn.id:
            return []
        self.turn = turn
        self._look_for_stop(turn)
        steps = self._joining.joined(turn, inbounds)
        if self.phase is Phase.RUNNING:
            steps += self._joining.send(turn)
        return steps + self._next()

    def interrupted(self, turn: str) -> list[Step]:
        """It is committed that this turn is to be stopped."""
        if self.turn is not None and self.turn.id == turn and self.phase is not Phase.ENDING:
            self._by_message = self._by_message or not self._stop_asked
            self._stop_asked = True
        return self._next()

    # --- facts from the agent

    def agent_lost(self, event: AgentLost) -> list[Step]:
        """The agent says why it ends; its end itself comes next."""
        self._crashes.lost(event)
        return []

    def agent_ready(self, ready: AgentReady) -> list[Step]:
        """pi is up with the room's session. A pi that was ready before is gone then."""
        if ready.incarnation <= self._gone:
            return []  # what it said was overtaken by the notice of its end
        cut_off: list[Step] = []
        if self.agent is not None:
            self._crashes.down(self.agent, "another agent has taken its place")
            cut_off = self._cut_off()
        self._failing = False
        self.agent, self.ready, self._leaf, self.usage = ready.incarnation, ready, ready.leaf, ready.usage
        return cut_off + self._next()

    def agent_down(self, incarnation: int, reason: str) -> list[Step]:
        """That incarnation of the agent ended; the next one will report `agent_ready`."""
        self._gone = max(self._gone, incarnation)
        never_up = self.agent is None and reason not in ORDERLY
        self._failing = self._failing or never_up
        self._crashes.down(incarnation, reason)
        unready = self._shown if never_up else None  # somebody waits for it
        said = [] if unready is None else [ShowTurn(unready, f"{trouble.short_of(self._crashes.last)}; {AGAIN}")]
        return self._cut_off() + said + self._next()

    def parting(self) -> Part | None:
        """What a conversation that is being stopped has to commit of the attempt that is on."""
        if self.turn is None or self.agent is None or self.phase not in WITH_AGENT:
            return None
        return self._crashes.part(self.turn)

    def awaits(self, event: Recalled) -> bool:
        """Whether this is what it has asked for."""
        return self.phase is Phase.RECALLING and self._is_about(event)

    def recalled(self, event: Recalled, subagents: Sequence[str] = ()) -> list[Step]:
        """What the session holds of an earlier attempt. `subagents`: begun in it, and not heard of yet."""
        turn = self.turn
        if not self.awaits(event) or turn is None:
            return []
        steps = self._joining.recalled(turn, event.entries)
        decision = resume.decide(event.entries)
        self._said = decision.said if isinstance(decision, resume.GoOn) else ""
        if isinstance(decision, resume.Finished):
            self._commands.held_answers()  # it has heard them, or it would not have finished
            ending = ends.settled(turn.id, decision.text, decision.stop_reason)
            return steps + self.questions.moved() + self._end(ending, event.leaf, told=True)
        loss, fate = self._crashes.loss, self._crashes.fate(decision)
        if tries(turn) > MOST_ATTEMPTS:
            ending = ends.quarantined(turn, loss, MOST_ATTEMPTS, self._said)
            return steps + self._end(ending, event.leaf, told=True)
        if fate is Fate.DROP:
            return steps + self._end(ends.dropped(turn.id, loss, self._said), event.leaf, told=True)
        if isinstance(decision, resume.Again):
            return [*steps, *self._crashes.note(turn, decision), *self._prompt()]
        if fate is Fate.ASK:
            ending = ends.interrupted(turn.id, loss, decision.running, self._said)
            return steps + self._end(ending, event.leaf, told=True)
        note = resume.answered(resume.delegated(decision.note, subagents), self._commands.held_answers())
        return [*steps, *self._crashes.note(turn, decision), *self._run(SendContinue(turn.id, note))]

    def refused(self, event: PromptRefused) -> list[Step]:
        """pi did not take the prompt, so its session stands where it stood."""
        if not self._runs(event):
            return []
        self._commands.refused()
        return self._end(ends.failed(event.turn, f"The agent did not take the message: {event.error}"), told=True)

    def settled(self, event: TurnSettled) -> list[Step]:
        """The run is over."""
        if not self._runs(event):
            return []
        self.usage = event.usage
        aborted = ends.STOPPED if self._stop_asked else ends.TOO_LONG if self._too_long else None
        text = "\n\n".join(said for said in (self._said, event.text) if said)
        ending = ends.settled(event.turn, text, event.stop_reason, event.error, aborted)
        return self.questions.moved() + self._end(ending, event.leaf, files=event.files, told=True)

    def steer_taken(self, event: SteerTaken) -> list[Step]:
        """The model has heard a message that joined."""
        if self._is_about(event):
            self._joining.taken(event.inbound)
        return []

    def waits(self, event: AgentWaits) -> list[Step]:
        """The run waits for sub-agents, or does not any more."""
        if self._runs(event):
            self.delegating = event.waits
        return []

    def asked(self, event: QuestionAsked) -> list[Step]:
        """The agent waits for a person."""
        if event.incarnation != self.agent:
            return []
        if self.phase is not Phase.RUNNING or self.turn is None or event.turn != self.turn.id:
            return [GiveAnswer(event.dialog, None)]
        return [*self.questions.moved(), Open(event, self.turn.inbounds[0].message_id if self.turn.inbounds else None)]

    def question_closed(self, event: QuestionClosed) -> list[Step]:
        """It waits for this answer no more."""
        return self.questions.closed(event.dialog) if event.incarnation == self.agent else []

    def compacted(self, event: Compacted) -> list[Step]:
        """The session was summarised, or not."""
        if self.phase is not Phase.COMPACTING or event.incarnation != self.agent:
            return []
        self.phase = Phase.IDLE
        self._leaf = event.leaf if event.leaf is not None else self._leaf
        return self._commands.compacted(event) + self._next()

    def model_set(self, event: ModelSet) -> list[Step]:
        """The agent uses another model or level of thinking, or not."""
        if event.incarnation != self.agent or self.ready is None:
            return []
        self.ready = msgspec.structs.replace(self.ready, model=event.model or self.ready.model, thinking=event.thinking)
        return self._commands.model_set(event, self._view())

    # --- facts from timers and helpers

    def too_long(self, turn: str) -> list[Step]:
        """The turn has used up its time."""
        if self.turn is None or turn != self.turn.id or self.phase not in (Phase.RECALLING, Phase.RUNNING):
            return []
        if self.phase is Phase.RECALLING:  # an agent that does not even answer
            return self._end(ends.failed(turn, ends.TOO_LONG))
        self._too_long = True
        self.phase = Phase.STOPPING
        return [*self.questions.dismiss(), SendAbort(turn)]

    def fetched(self, paths: Mapping[int, str], failed: Mapping[int, str]) -> list[Step]:
        """Files are saved in the workspace, at these paths relative to it, or cannot be had."""
        self._files.fetched(paths, failed)
        return self._prompt() if self.phase is Phase.FETCHING and self.turn is not None else self._next()

    def quiet(self, newest: int) -> list[Step]:
        """A burst has paused since this message."""
        self._line.quiet(newest)
        return self._next()

    # --- whose fact it is

    def _is_about(self, event: Recalled | SteerTaken | PromptRefused | TurnSettled | AgentWaits) -> bool:
        return event.incarnation == self.agent and self.turn is not None and event.turn == self.turn.id

    def _runs(self, event: PromptRefused | TurnSettled | AgentWaits) -> bool:
        return self.phase in (Phase.RUNNING, Phase.STOPPING) and self._is_about(event)
