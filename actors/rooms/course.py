"""What a room does next, from where it is: the course of its turn, its commands, its queue.

Pure; the lower half of `turns`, which takes the facts. Steps follow from the state alone, so a fact that changes the
state may simply ask what is next.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.messages import (
    AgentReady,
    BusyMode,
    Outcome,
    Room,
    Turn,
    Usage,
)
from actors.rooms import ends, words
from actors.rooms.commanding import Commands
from actors.rooms.ends import Ending
from actors.rooms.fates import MOST_ATTEMPTS, Crashes, Setting, tries
from actors.rooms.files import Files
from actors.rooms.joining import Joining
from actors.rooms.line import Group, Line, groups
from actors.rooms.questions import Questions
from actors.rooms.replies import View
from actors.rooms.steps import (
    Answer,
    Begin,
    Known,
    Phase,
    SendAbort,
    SendCompact,
    SendPrompt,
    ShowTurn,
    Step,
    TellPeople,
)

AGAIN: Final = "the agent is being started again"
"""What is shown of a turn while there is nobody to work on it."""
WITH_AGENT: Final = (Phase.FETCHING, Phase.RECALLING, Phase.RUNNING, Phase.STOPPING)
"""The phases in which an attempt is on."""


class Course:
    """One room's state, and the steps that follow from it."""

    def __init__(
        self,
        busy: BusyMode = "steer",
        projects: Mapping[str, Path] | None = None,
        on_restart: Setting = "resume",
        *,
        failed: bool = False,
    ) -> None:
        """`busy`: what is done with a message that finds the agent busy. `projects`: path by name.

        `on_restart`: the fate of a turn that a crash cut off. `failed`: the room gave up, and this is the next try.
        """
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
        self._crashes = Crashes(on_restart)
        self._failing = failed
        self._shown: str | None = None
        self._forget_turn()

    def _forget_turn(self) -> None:
        self._stop_asked = False
        self._by_message = False  # it is a message that interrupts which asked for that
        self._too_long = False
        self._unanswered = False  # it was cut off while its agent waited for an answer
        self.delegating = False  # its agent waits for sub-agents, and does nothing until they have ended
        self._said = ""  # what it had answered before its run was cut off, which goes on behind that
        self._joining.forget()
        self._files.forget()
        self._crashes.forget()

    @property
    def state(self) -> Phase:
        """Where the room is, as people are told it."""
        if self.questions.asking:
            return Phase.WAITING
        if self.phase is Phase.RUNNING and self.delegating:
            return Phase.DELEGATING
        if self.phase is Phase.IDLE and self.agent is None:
            return Phase.FAILED if self._failing else Phase.STARTING
        return self.phase

    def doing(self, running: str) -> str:
        """The same in words, and what it does in a run. `running`: such as `thinking`, or `running bash`."""
        state = self.state
        if state is not Phase.RUNNING or running.startswith(state.value):
            return running if state is Phase.RUNNING else state.value
        return f"{state.value}, {running}"

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.phase is Phase.IDLE and self.turn is None and not self._line.rows and self._commands.done

    @property
    def waiting(self) -> int:
        """How many messages wait for a turn."""
        return len(groups(self._line.rows))

    # --- what follows

    def _view(self) -> View:
        assert self._room is not None
        failed = self.agent is None and self._gone > 0
        queue, turn = self._line.rows, None if self.phase is Phase.ENDING else self.turn
        held = self._line.held
        return View(self._room, self.phase, turn, queue, self.ready, failed, self.usage, self._known, held)

    def _cut(self, turn: Turn) -> list[Step]:
        """An attempt is over. It does not count if its end was wanted."""
        parts: list[Step] = [*self._crashes.cut(turn)]
        if parts:
            self.turn = msgspec.structs.replace(turn, parted=turn.parted + 1)  # the next pull says the same
        return parts

    def _look_for_stop(self, turn: Turn, *, new: bool = False) -> None:
        """Whether the row says that the turn is to stop, and who wanted that. `new`: nothing is known of it here."""
        if turn.stop_requested and not self._stop_asked:
            self._stop_asked = True
            interrupted = new and self._room is not None and self._joining.interrupted(turn, self._room)
            self._by_message = self._joining.interrupting or interrupted

    def _cut_off(self) -> list[Step]:
        """There is no agent; a turn that it had is open again, or over if it was ended for its length."""
        asking = self.questions.asking
        self.agent = self.ready = None
        self.delegating = False
        self._joining.lost_agent()
        steps = self._commands.cut_off()
        if self.phase is Phase.COMPACTING:
            self.phase = Phase.IDLE
        if self.phase not in WITH_AGENT or self.turn is None:
            return steps
        self.phase = Phase.IDLE
        if self._stop_asked:
            return steps
        if self._too_long:
            return steps + self._end(ends.failed(self.turn.id, ends.TOO_LONG))
        self._unanswered = asking
        if asking:
            return steps
        return [*steps, *self._cut(self.turn), ShowTurn(self.turn.id, AGAIN)]

    def _next(self) -> list[Step]:
        """The next step: commands overtake, then the open turn, then the queue."""
        if self._room is None:
            return []
        steps = self._take_commands()
        if self._commands.deciding:
            return steps
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
        if (waits := self._line.congestion(group)) is not None:
            return waits
        steps = self._show(f"t{first.id}")
        if not self._line.complete(group):
            return steps + self._line.awaiting(group)
        if self.agent is None:
            return steps
        if self._line.was_told(group):
            steps.append(TellPeople((words.begun(first),)))
        steps += self._line.old(group)
        self.phase = Phase.BEGINNING
        self._crashes.forget()
        # The turn's id comes from its first message: the same after a crash, so that commit 1b can be repeated.
        inbounds = tuple(row.id for row in group)
        self._line.leave(inbounds)
        return [*steps, Begin(f"t{first.id}", 1, inbounds, self._leaf, self.usage.cost)]

    def _try_again(self, turn: Turn) -> list[Step]:
        if tries(turn) > MOST_ATTEMPTS:
            return self._end(ends.quarantined(turn, self._crashes.loss, MOST_ATTEMPTS))
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
        hold = self._stop_asked and (self._commands.stopping or not self._by_message)
        if hold or (self._stop_asked and self._line.unannounced):
            rows = [row for row in turn.inbounds if hold and row.id in returned]
            by = self._commands.stopper
            ending = ends.holding(f"held:{turn.id if by is None else by}", ending, self._line.announce(rows))
        ending = ending._replace(deliveries=(*ending.deliveries, *self._crashes.over(turn, ending.outcome)))
        end = ends.end(turn, ending, self._leaf, returned, cost, files, hold=hold and bool(returned))
        return [end] if waits else [*self.questions.dismiss(), end]
