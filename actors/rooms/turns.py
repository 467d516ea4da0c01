"""The conversation's state machine: what a room does about each thing that happens to it.

Pure: facts in, commands out; `conversation` carries them out. The store's rows are the truth, so after any crash it is
enough to pull them again. One turn runs at a time; the rest waits in the store. A turn moves

    idle → beginning → (recalling →) running → (stopping →) ending → idle

where beginning waits for commit 1b, recalling asks the session what became of an earlier attempt, and ending waits for
commit 2.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from actors import commands
from actors.messages import (
    DeliveryKind,
    Entry,
    NewDelivery,
    Outcome,
    Queued,
    Room,
    Turn,
    Work,
)
from actors.rooms import resume

MOST_ATTEMPTS: Final = 3
"""How often a message is run before its quarantine. One attempt more only looks whether the last one had finished."""

TOO_LONG: Final = "The turn took too long and was ended."
WORDS_LEFT: Final = "The words behind the command were not sent on: send them as a message of their own."


class Phase(StrEnum):
    """Where the conversation is."""

    IDLE = "idle"
    BEGINNING = "beginning"
    RECALLING = "recalling"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDING = "ending"


class Begin(NamedTuple):
    """Commit 1b for this turn; report `began`. `leaf`: where the session stands (a first attempt notes it)."""

    turn: str
    attempt: int
    inbounds: tuple[int, ...]
    leaf: str | None


class SendPrompt(NamedTuple):
    """Give the agent the person's text."""

    turn: str
    text: str


class SendContinue(NamedTuple):
    """Make the agent go on with what it was doing."""

    turn: str
    note: str


class SendRecall(NamedTuple):
    """Ask the agent what its session holds since this entry; report `recalled`."""

    turn: str
    since: str | None


class SendAbort(NamedTuple):
    """Make the agent stop; report `settled`."""

    turn: str


class End(NamedTuple):
    """Commit 2 for this turn; then report `pulled` with what is left."""

    turn: str
    outcome: Outcome
    answer: str
    leaf: str | None
    deliveries: tuple[NewDelivery, ...]


class Answer(NamedTuple):
    """A command is done: commit its deliveries. `fresh`: the room is to begin a new session."""

    command: Queued
    deliveries: tuple[NewDelivery, ...]
    fresh: bool = False


class ListRooms(NamedTuple):
    """The command asks for the list of rooms, which the store has."""

    command: Queued


class ShowTurn(NamedTuple):
    """A person waits for this turn: show that something happens."""

    turn: str
    note: str | None


Command = Begin | SendPrompt | SendContinue | SendRecall | SendAbort | End | Answer | ListRooms | ShowTurn


class Turns:
    """One room's state. Each method takes a fact and returns the commands that follow from it, in order."""

    def __init__(self) -> None:
        self.phase = Phase.IDLE
        self.turn: Turn | None = None
        self.agent: int | None = None  # the incarnation that is ready
        self._gone = 0  # the newest incarnation that is known to have ended
        self._leaf: str | None = None
        self._queue: tuple[Queued, ...] = ()
        self._room: Room | None = None
        self._pending: dict[int, Queued] = {}
        self._answering: set[int] = set()
        self._stop_asked = False
        self._too_long = False
        self._shown: str | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.phase is Phase.IDLE and self.turn is None and not self._queue and not self._pending

    @property
    def waiting(self) -> int:
        """How many messages wait for a turn."""
        return len(self._queue)

    # --- facts from the store

    def pulled(self, work: Work) -> list[Command]:
        """The rows as they are now."""
        self._room, self._queue = work.room, work.queue
        if self.agent is None:
            self._leaf = work.room.leaf
        self._answering &= {command.id for command in work.commands}
        self._pending = {command.id: command for command in work.commands if command.id not in self._answering}
        another = work.turn is None or self.turn is None or work.turn.id != self.turn.id
        if another and self.phase in (Phase.IDLE, Phase.ENDING):
            self.turn, self.phase = work.turn, Phase.IDLE
            self._stop_asked = work.turn is not None and work.turn.stop_requested
            self._too_long = False
        elif work.turn is not None and not another:
            self._stop_asked = self._stop_asked or work.turn.stop_requested
        return self._next()

    def began(self, turn: Turn) -> list[Command]:
        """Commit 1b stands."""
        if self.phase is not Phase.BEGINNING:
            return []
        self.turn = turn
        self._stop_asked = self._stop_asked or turn.stop_requested
        self._queue = tuple(queued for queued in self._queue if queued.id not in {row.id for row in turn.inbounds})
        if self.agent is None or self._stop_asked:  # it was cut off in the meantime: look again from the start
            self.phase = Phase.IDLE
            return self._next()
        if turn.attempt == 1:
            self.phase = Phase.RUNNING
            return [SendPrompt(turn.id, _text(turn))]
        self.phase = Phase.RECALLING
        return [SendRecall(turn.id, turn.leaf_before)]

    # --- facts from the agent

    def agent_ready(self, incarnation: int, leaf: str | None) -> list[Command]:
        """pi is up with the room's session, which stands at `leaf`. A pi that was ready before is gone then."""
        if incarnation <= self._gone:
            return []  # what it said was overtaken by the notice of its end
        cut_off = [] if self.agent is None else self._cut_off("it was replaced")
        self.agent, self._leaf = incarnation, leaf
        return cut_off + self._next()

    def agent_down(self, incarnation: int, reason: str) -> list[Command]:
        """That incarnation of the agent ended; the next one will report `agent_ready`."""
        self._gone = max(self._gone, incarnation)
        return self._cut_off(reason) + self._next()

    def recalled(self, incarnation: int, turn: str, entries: tuple[Entry, ...], leaf: str | None) -> list[Command]:
        """What the session holds of an earlier attempt."""
        if self.phase is not Phase.RECALLING or not self._is_about(incarnation, turn) or self.turn is None:
            return []
        match resume.decide(entries):
            case resume.Finished(text, stop_reason):
                return self._settle(text, stop_reason, "", leaf)
            case _ if self.turn.attempt > MOST_ATTEMPTS:
                return self._quarantine()
            case resume.Again():
                self.phase = Phase.RUNNING
                return [SendPrompt(turn, _text(self.turn))]
            case resume.GoOn(note):
                self.phase = Phase.RUNNING
                return [SendContinue(turn, note)]

    def refused(self, incarnation: int, turn: str, error: str) -> list[Command]:
        """pi did not take the prompt, so its session stands where it stood."""
        if not self._runs(incarnation, turn):
            return []
        return self._end(Outcome.FAILED, "", None, [_report(f"The agent did not take the message: {error}")])

    def settled(
        self, incarnation: int, turn: str, text: str, stop_reason: str, error: str, leaf: str | None
    ) -> list[Command]:
        """The run is over."""
        return self._settle(text, stop_reason, error, leaf) if self._runs(incarnation, turn) else []

    def too_long(self, turn: str) -> list[Command]:
        """The turn has used up its time."""
        if self.turn is None or turn != self.turn.id or self.phase not in (Phase.RECALLING, Phase.RUNNING):
            return []
        if self.phase is Phase.RECALLING:  # an agent that does not even answer
            return self._end(Outcome.FAILED, "", None, [_report(TOO_LONG)])
        self._too_long = True
        self.phase = Phase.STOPPING
        return [SendAbort(turn)]

    # --- what follows

    def _is_about(self, incarnation: int, turn: str) -> bool:
        return incarnation == self.agent and self.turn is not None and turn == self.turn.id

    def _runs(self, incarnation: int, turn: str) -> bool:
        return self.phase in (Phase.RUNNING, Phase.STOPPING) and self._is_about(incarnation, turn)

    def _cut_off(self, reason: str) -> list[Command]:
        """There is no agent; a turn that it had is open again, or over if it was ended for its length."""
        self.agent = None
        if self.phase not in (Phase.RECALLING, Phase.RUNNING, Phase.STOPPING) or self.turn is None:
            return []
        self.phase = Phase.IDLE
        if self._stop_asked:
            return []
        if self._too_long:
            return self._end(Outcome.FAILED, "", None, [_report(TOO_LONG)])
        return [ShowTurn(self.turn.id, f"the agent ended ({reason}); starting it again")]

    def _next(self) -> list[Command]:
        """The next step: commands overtake, then the open turn, then the queue."""
        commands = self._take_commands()
        if self.turn is not None and self._stop_asked and self.phase in (Phase.IDLE, Phase.RECALLING):
            return commands + self._end(Outcome.STOPPED, "", None, [_note("Stopped.")])
        if self.turn is not None and self._stop_asked and self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            return [*commands, SendAbort(self.turn.id)]
        if self.phase is Phase.IDLE and self.turn is not None:
            return commands + self._try_again(self.turn)
        if self.phase is Phase.IDLE and self._queue:
            return commands + self._begin(self._queue[0])
        return commands

    def _begin(self, first: Queued) -> list[Command]:
        turn = turn_id(first)
        # What was stopped before it began needs no agent, only a turn to end.
        commands = [] if self._stop_asked else self._show(turn)
        if self.agent is not None or self._stop_asked:
            self.phase = Phase.BEGINNING
            commands.append(Begin(turn, 1, (first.id,), self._leaf))
        return commands

    def _try_again(self, turn: Turn) -> list[Command]:
        if turn.attempt > MOST_ATTEMPTS:
            return self._quarantine()
        commands = self._show(turn.id)
        if self.agent is not None:
            self.phase = Phase.BEGINNING
            commands.append(Begin(turn.id, turn.attempt + 1, tuple(row.id for row in turn.inbounds), turn.leaf_before))
        return commands

    def _show(self, turn: str) -> list[Command]:
        if self._shown == turn:
            return []
        self._shown = turn
        return [ShowTurn(turn, None)]

    def _quarantine(self) -> list[Command]:
        text = (
            f"This message was tried {MOST_ATTEMPTS} times and was cut off each time, so it is set aside and not tried "
            "again. Send it anew, perhaps in other words, to try once more."
        )
        return self._end(Outcome.QUARANTINED, "", None, [_report(text)])

    def _settle(self, text: str, stop_reason: str, error: str, leaf: str | None) -> list[Command]:
        said = [NewDelivery(kind=DeliveryKind.ANSWER, text=text)] if text else []
        if self._stop_asked and stop_reason == "aborted":
            return self._end(Outcome.STOPPED, text, leaf, [*said, _note("Stopped.")])
        if self._too_long and stop_reason == "aborted":
            return self._end(Outcome.FAILED, text, leaf, [*said, _report(TOO_LONG)])
        if stop_reason == "stop":
            return self._end(Outcome.DONE, text, leaf, said or [_note("The agent ended its turn without a word.")])
        if stop_reason == "length":
            cut = _note("The answer ends here because it reached the model's length limit.")
            return self._end(Outcome.DONE, text, leaf, [*said, cut])
        if stop_reason == "aborted":
            return self._end(Outcome.FAILED, text, leaf, [*said, _report("The run was ended before it finished.")])
        why = error or f"it stopped with {stop_reason!r}"
        return self._end(Outcome.FAILED, text, leaf, [*said, _report(f"The model could not answer: {why}")])

    def _end(self, outcome: Outcome, text: str, leaf: str | None, deliveries: list[NewDelivery]) -> list[Command]:
        """Ends the turn. `leaf`: None if the session did not move, or if the next agent has to say how far it did."""
        assert self.turn is not None
        self.phase, self._shown = Phase.ENDING, None
        reply_to = self.turn.inbounds[0].message_id if self.turn.inbounds else None
        first, *rest = deliveries
        first = NewDelivery(kind=first.kind, text=first.text, reply_to=reply_to)
        self._leaf = leaf if leaf is not None else self._leaf
        return [End(self.turn.id, outcome, text, self._leaf, (first, *rest))]

    # --- commands

    def _take_commands(self) -> list[Command]:
        answers: list[Command] = []
        for queued in list(self._pending.values()):
            answer = self._command(queued)
            if answer is None:
                continue
            del self._pending[queued.id]
            self._answering.add(queued.id)
            if isinstance(answer, Answer) and len(queued.text.split()) > 1:
                answer = answer._replace(deliveries=(*answer.deliveries, _note(WORDS_LEFT, queued)))
            answers.append(answer)
            if isinstance(answer, Answer) and answer.fresh:
                self.agent = None  # it is ready again when it has opened that session
                break  # what is left belongs to that session; the pull that follows an answer brings it back
        return answers

    def _command(self, queued: Queued) -> Command | None:
        """The answer to a command; None if it has to wait for the turn to end."""
        match queued.command:
            case "stop" | "new" if self._hold(queued):
                return None
            case "stop":
                return Answer(queued, () if queued.saw_end else (_note("Nothing is running.", queued),))
            case "new":
                assert self._room is not None
                text = f"A new session begins. The old one is kept as `{self._room.session_id}`."
                return Answer(queued, (_note(text, queued),), fresh=True)
            case "threads":
                return ListRooms(queued)
            case "status":
                return Answer(queued, (_note(self._status(), queued),))
            case name:
                return Answer(queued, (_note(commands.answer(name or ""), queued),))

    def _hold(self, queued: Queued) -> bool:
        """Whether the command has to wait until what it stops is over: the turn, or a message that it found waiting."""
        waits = bool(self._queue) and self._queue[0].id < queued.id and not queued.saw_end
        if self.turn is None and self.phase is Phase.IDLE and not waits:
            return False
        self._stop_asked = True
        return True

    def _status(self) -> str:
        assert self._room is not None
        if self.turn is not None and self.phase is not Phase.ENDING:
            attempt = f", attempt {self.turn.attempt}" if self.turn.attempt > 1 else ""
            now = f"working on “{_short(_text(self.turn))}”{attempt}"
        else:
            now = "starting its agent" if self.agent is None and self._queue else "idle"
        return (
            f"Room `{self._room.slug}`: {now}\n\n- waiting: {self.waiting}\n- workspace: `{self._room.workspace}`\n"
            f"- session: `{self._room.session_id}`"
        )


def turn_id(first: Queued) -> str:
    """A turn's id, from its first inbound: the same after a crash, so that commit 1b can be repeated."""
    return f"t{first.id}"


def _text(turn: Turn) -> str:
    return "\n\n".join(row.text for row in turn.inbounds)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def _note(text: str, command: Queued | None = None) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=None if command is None else command.message_id)


def _report(text: str) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.REPORT, text=text)
