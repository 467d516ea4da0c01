"""The conversation's state machine: what a room does about each thing that happens to it.

Pure: facts in, steps out; `conversation` carries them out. The store's rows are the truth, so after any crash it is
enough to pull them again. One turn runs at a time; the rest waits in the store or joins it. A turn moves

    idle → beginning → (recalling →) (fetching →) running → (stopping →) ending → idle

where beginning waits for commit 1b, recalling asks the session what became of an earlier attempt, fetching waits for
the files that came with the messages, and ending waits for commit 2. What waits is `line`'s, what joins a turn
`joining`'s, what people command `commanding`'s, what the agent asks `questions`'.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from actors.messages import (
    AgentReady,
    BusyMode,
    Compacted,
    ModelSet,
    Outcome,
    PromptRefused,
    QuestionAsked,
    QuestionClosed,
    Recalled,
    Room,
    SteerTaken,
    Turn,
    TurnSettled,
    Usage,
    Work,
)
from actors.rooms import ends, resume, words
from actors.rooms.commanding import Commands
from actors.rooms.ends import MOST_ATTEMPTS, Ending
from actors.rooms.files import Files
from actors.rooms.joining import Joining
from actors.rooms.line import Group, Line, groups
from actors.rooms.questions import Questions
from actors.rooms.replies import View
from actors.rooms.steps import (
    Answer,
    Begin,
    GiveAnswer,
    Known,
    Open,
    Phase,
    SendAbort,
    SendCompact,
    SendContinue,
    SendPrompt,
    SendRecall,
    ShowTurn,
    Step,
    TellPeople,
)

_WITH_AGENT = (Phase.FETCHING, Phase.RECALLING, Phase.RUNNING, Phase.STOPPING)


class Turns:
    """One room's state. Each method takes a fact and returns the steps that follow from it, in order."""

    def __init__(self, busy: BusyMode = "steer", projects: Mapping[str, Path] | None = None) -> None:
        """`busy`: what is done with a message that finds the agent busy. `projects`: path by name."""
        self.phase = Phase.IDLE
        self.turn: Turn | None = None
        self.agent: int | None = None  # the incarnation that is ready
        self.ready: AgentReady | None = None  # what it said of itself
        self.usage = Usage()
        self.questions = Questions()
        self._gone = 0  # the newest incarnation that is known to have ended
        self._leaf: str | None = None
        self._room: Room | None = None
        self._known = Known(0.0)
        self._line = Line(busy)
        self._files = Files()
        self._joining = Joining(self._line, self._files)
        self._commands = Commands(projects or {}, self._line, self.questions)
        self._shown: str | None = None
        self._forget_turn()

    def _forget_turn(self) -> None:
        self._stop_asked = False
        self._too_long = False
        self._unanswered = False  # it was cut off while its agent waited for an answer
        self._said = ""  # what it had answered before its run was cut off, which goes on behind that
        self._joining.forget()
        self._files.forget()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.phase is Phase.IDLE and self.turn is None and not self._line.rows and self._commands.done

    @property
    def waiting(self) -> int:
        """How many messages wait for a turn."""
        return len(groups(self._line.rows))

    # --- facts from the store

    def pulled(self, work: Work, known: Known) -> list[Step]:
        """The rows as they are now."""
        self._room, self._known = work.room, known
        self._line.update(work.queue)
        self._commands.update(work.commands)
        self.questions.left_behind(work.questions)
        if self.agent is None:
            self._leaf = work.room.leaf
        another = work.turn is None or self.turn is None or work.turn.id != self.turn.id
        if another and self.phase in (Phase.IDLE, Phase.ENDING):
            self._forget_turn()
            self.turn, self.phase = work.turn, Phase.IDLE
            self._stop_asked = work.turn is not None and work.turn.stop_requested
            self._unanswered = work.turn is not None and any(each.turn == work.turn.id for each in work.questions)
        elif work.turn is not None and not another and self.phase is not Phase.ENDING:
            self.turn = work.turn
            self._stop_asked = self._stop_asked or work.turn.stop_requested
        return self._next()

    def began(self, turn: Turn) -> list[Step]:
        """Commit 1b stands."""
        if self.phase is not Phase.BEGINNING:
            return []
        self.turn = turn
        self._stop_asked = self._stop_asked or turn.stop_requested
        self._line.left([row.id for row in turn.inbounds])
        if self.agent is None or self._stop_asked:  # it was cut off in the meantime: look again from the start
            self.phase = Phase.IDLE
            return self._next()
        if turn.attempt == 1:
            return self._prompt()
        self.phase = Phase.RECALLING
        return [SendRecall(turn.id, turn.leaf_before)]

    def joined(self, turn: Turn, inbounds: tuple[int, ...]) -> list[Step]:
        """These messages are the turn's now."""
        if self.turn is None or self.turn.id != turn.id:
            return []
        self.turn = turn
        self._stop_asked = self._stop_asked or turn.stop_requested
        steps = self._joining.joined(turn, inbounds)
        if self.phase is Phase.RUNNING:
            steps += self._joining.send(turn)
        return steps + self._next()

    def interrupted(self, turn: str) -> list[Step]:
        """It is committed that this turn is to be stopped."""
        if self.turn is not None and self.turn.id == turn and self.phase is not Phase.ENDING:
            self._stop_asked = True
        return self._next()

    # --- facts from the agent

    def agent_ready(self, ready: AgentReady) -> list[Step]:
        """pi is up with the room's session. A pi that was ready before is gone then."""
        if ready.incarnation <= self._gone:
            return []  # what it said was overtaken by the notice of its end
        cut_off = [] if self.agent is None else self._cut_off("it was replaced")
        self.agent, self.ready, self._leaf, self.usage = ready.incarnation, ready, ready.leaf, ready.usage
        return cut_off + self._next()

    def agent_down(self, incarnation: int, reason: str) -> list[Step]:
        """That incarnation of the agent ended; the next one will report `agent_ready`."""
        self._gone = max(self._gone, incarnation)
        return self._cut_off(reason) + self._next()

    def recalled(self, event: Recalled) -> list[Step]:
        """What the session holds of an earlier attempt."""
        turn = self.turn
        if self.phase is not Phase.RECALLING or not self._is_about(event) or turn is None:
            return []
        self._joining.recalled(turn, event.entries)
        decision = resume.decide(event.entries)
        self._said = decision.said if isinstance(decision, resume.GoOn) else ""
        match decision:
            case resume.Finished(text, stop_reason):
                return self._end(ends.settled(turn.id, text, stop_reason), event.leaf, told=True)
            case _ if turn.attempt > MOST_ATTEMPTS:
                return self._end(ends.quarantined(turn.id, self._said), told=True)
            case resume.Again():
                return self._prompt()
            case resume.GoOn(note):
                answers, done = self._commands.held_answers()
                return self._run(SendContinue(turn.id, resume.answered(note, answers)), *done)

    def refused(self, event: PromptRefused) -> list[Step]:
        """pi did not take the prompt, so its session stands where it stood."""
        if not self._runs(event):
            return []
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

    # --- what follows

    def _is_about(self, event: Recalled | SteerTaken | PromptRefused | TurnSettled) -> bool:
        return event.incarnation == self.agent and self.turn is not None and event.turn == self.turn.id

    def _runs(self, event: PromptRefused | TurnSettled) -> bool:
        return self.phase in (Phase.RUNNING, Phase.STOPPING) and self._is_about(event)

    def _view(self) -> View:
        assert self._room is not None
        failed = self.agent is None and self._gone > 0
        queue, turn = self._line.rows, None if self.phase is Phase.ENDING else self.turn
        return View(self._room, self.phase, turn, queue, self.ready, failed, self.usage, self._known)

    def _cut_off(self, reason: str) -> list[Step]:
        """There is no agent; a turn that it had is open again, or over if it was ended for its length."""
        asking = self.questions.asking
        self.agent = self.ready = None
        self._joining.lost_agent()
        steps = self._commands.cut_off()
        if self.phase is Phase.COMPACTING:
            self.phase = Phase.IDLE
        if self.phase not in _WITH_AGENT or self.turn is None:
            return steps
        self.phase = Phase.IDLE
        if self._stop_asked:
            return steps
        if self._too_long:
            return steps + self._end(ends.failed(self.turn.id, ends.TOO_LONG))
        self._unanswered = asking
        if asking:
            return steps
        return [*steps, ShowTurn(self.turn.id, f"the agent ended ({reason}); starting it again")]

    def _next(self) -> list[Step]:
        """The next step: commands overtake, then the open turn, then the queue."""
        if self._room is None:
            return []
        steps = self._take_commands()
        turn, phase = self.turn, self.phase
        if turn is not None and self._stop_asked and phase in (Phase.IDLE, Phase.FETCHING, Phase.RECALLING):
            return steps + self._end(ends.stopped())
        if turn is not None and self._stop_asked and phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            return [*steps, *self.questions.dismiss(), SendAbort(turn.id), *self._meanwhile()]
        if turn is not None and phase is Phase.IDLE:
            if self._unanswered:
                return steps + self._end(ends.waiting())
            return steps + self._try_again(turn)
        if phase is Phase.COMPACTING or (turn is not None and phase is not Phase.ENDING):
            return steps + self._meanwhile()
        if phase is Phase.IDLE and self._line.rows:
            return steps + self._begin(groups(self._line.rows)[0])
        return steps

    def _take_commands(self) -> list[Step]:
        steps = self._commands.take(self._view())
        self._stop_asked = self._stop_asked or (self._commands.stop and self.phase is not Phase.ENDING)
        for step in steps:
            match step:
                case SendCompact():
                    self.phase = Phase.COMPACTING
                case Answer(fresh=True) | Answer(session=str()):
                    self.agent = self.ready = None  # it is ready again when it has opened that session
                    self.usage = Usage()
                case _:
                    pass
        return steps

    def _begin(self, group: Group) -> list[Step]:
        first = group[0]
        # What was stopped before it began needs no agent, only a turn to end.
        steps = [] if self._stop_asked else self._show(f"t{first.id}")
        if not self._stop_asked and not self._line.complete(group):
            return steps + self._line.awaiting(group)
        if self.agent is None and not self._stop_asked:
            return steps
        if self._line.was_told(group):
            steps.append(TellPeople((words.begun(first),)))
        steps += self._line.old(group)
        self.phase = Phase.BEGINNING
        # The turn's id comes from its first message: the same after a crash, so that commit 1b can be repeated.
        inbounds = tuple(row.id for row in group)
        self._line.leave(inbounds)
        return [*steps, Begin(f"t{first.id}", 1, inbounds, self._leaf, self.usage.cost)]

    def _try_again(self, turn: Turn) -> list[Step]:
        if turn.attempt > MOST_ATTEMPTS:
            return self._end(ends.quarantined(turn.id))
        steps = self._show(turn.id)
        if self.agent is not None:
            self.phase = Phase.BEGINNING
            inbounds = tuple(row.id for row in turn.inbounds)
            steps.append(Begin(turn.id, turn.attempt + 1, inbounds, turn.leaf_before, turn.cost_before))
        return steps

    def _prompt(self) -> list[Step]:
        """Give the agent the messages that began the turn, as soon as their files are here."""
        assert self.turn is not None
        rows = [row for row in self.turn.inbounds if not row.steered]
        if self._files.missing(rows):
            self.phase = Phase.FETCHING
            return [*self._files.ask(rows), *self._meanwhile()]
        return self._run(SendPrompt(self.turn.id, self._files.filled(rows), dict(self._files.failed)))

    def _run(self, *steps: Step) -> list[Step]:
        """A run begins. What had joined the turn and is not in the session is said once more."""
        self.phase = Phase.RUNNING
        again = [] if self.turn is None else self._joining.send(self.turn)
        return [*steps, *again, *self._next()]

    def _show(self, turn: str) -> list[Step]:
        if self._shown == turn:
            return []
        self._shown = turn
        return [ShowTurn(turn, None)]

    def _meanwhile(self) -> list[Step]:
        """What is done with messages that find the agent busy."""
        assert self._room is not None
        return self._joining.meanwhile(self.turn, self.phase, self._room, stopping=self._stop_asked)

    # --- the end

    def _end(
        self, ending: Ending, leaf: str | None = None, *, files: int | None = None, told: bool = False
    ) -> list[Step]:
        """Ends the turn. `leaf`: None if the session did not move, or if the next agent has to say how far it did.

        `told`: the agent has said what became of its run, so it is known what that cost and who was not heard. Else
        whoever stopped the turn, or is told that it failed, has the same done to what had joined it.
        """
        assert self.turn is not None
        turn, waits = self.turn, ending.outcome is Outcome.WAITING
        self.phase, self._shown = Phase.ENDING, None
        self._leaf = leaf if leaf is not None else self._leaf
        cost = max(0.0, self.usage.cost - turn.cost_before) if told else None
        returned = self._joining.returned(turn) if told or waits else ()
        end = ends.end(turn, ending, self._leaf, returned, cost, files)
        return [end] if waits else [*self.questions.dismiss(), end]
