"""The conversation's state machine: what a room does about each thing that happens to it.

Pure: facts in, commands out; `conversation` carries them out. The store's rows are the truth, so after any crash it is
enough to pull them again. One turn runs at a time; the rest waits in the store. A turn moves

    idle → beginning → (recalling →) running → (stopping →) idle

where beginning waits for commit 1b, and recalling asks the session what became of an earlier attempt.
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
"""How often a message is tried before it is put into quarantine."""


class Phase(StrEnum):
    """Where the conversation is."""

    IDLE = "idle"
    BEGINNING = "beginning"
    RECALLING = "recalling"
    RUNNING = "running"
    STOPPING = "stopping"


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
    """A person now waits for this turn: show that something happens."""

    turn: str
    note: str | None


Command = Begin | SendPrompt | SendContinue | SendRecall | SendAbort | End | Answer | ListRooms | ShowTurn


class Turns:
    """One room's state. Each method takes a fact and returns the commands that follow from it, in order."""

    def __init__(self) -> None:
        self.phase = Phase.IDLE
        self.turn: Turn | None = None
        self.waiting = 0
        self.agent: int | None = None
        """The incarnation of the agent that is ready, None while there is none."""
        self._leaf: str | None = None
        self._queue: tuple[Queued, ...] = ()
        self._room: Room | None = None
        self._pending: dict[int, Queued] = {}
        self._answering: set[int] = set()
        self._held: set[int] = set()
        self._stop_asked = False
        self._too_long = False
        self._shown: str | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.phase is Phase.IDLE and self.turn is None and not self._queue and not self._pending

    # --- facts from the store

    def pulled(self, work: Work) -> list[Command]:
        """The rows as they are now."""
        self._room, self._queue, self.waiting = work.room, work.queue, len(work.queue)
        self._answering &= {command.id for command in work.commands}
        self._held &= {command.id for command in work.commands}
        self._pending = {command.id: command for command in work.commands if command.id not in self._answering}
        if self.phase is Phase.IDLE:
            self.turn = work.turn
        if work.turn is not None and self.turn is not None and work.turn.id == self.turn.id:
            self._stop_asked = self._stop_asked or work.turn.stop_requested
        return self._next()

    def began(self, turn: Turn) -> list[Command]:
        """Commit 1b stands."""
        if self.phase is not Phase.BEGINNING:
            return []
        self.turn = turn
        self._stop_asked = self._stop_asked or turn.stop_requested
        self._queue = tuple(queued for queued in self._queue if queued.id not in {row.id for row in turn.inbounds})
        self.waiting = len(self._queue)
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
        """pi is up with the room's session, which stands at `leaf`."""
        self.agent, self._leaf = incarnation, leaf
        return self._next()

    def agent_leaves(self) -> None:
        """The agent is about to open another session, and will report `agent_ready` again."""
        self.agent = None

    def agent_down(self, reason: str) -> list[Command]:
        """The agent's incarnation ended; the next one will report `agent_ready`."""
        self.agent = None
        was, self.phase = self.phase, (Phase.BEGINNING if self.phase is Phase.BEGINNING else Phase.IDLE)
        commands: list[Command] = []
        if was in (Phase.RECALLING, Phase.RUNNING) and self.turn is not None and not self._stop_asked:
            commands.append(ShowTurn(self.turn.id, f"the agent ended ({reason}); starting it again"))
        return commands + self._next()

    def recalled(self, turn: str, entries: tuple[Entry, ...], leaf: str | None) -> list[Command]:
        """What the session holds of an earlier attempt."""
        if self.phase is not Phase.RECALLING or self.turn is None or turn != self.turn.id:
            return []
        match resume.decide(entries):
            case resume.Again():
                self.phase = Phase.RUNNING
                return [SendPrompt(turn, _text(self.turn))]
            case resume.GoOn(note):
                self.phase = Phase.RUNNING
                return [SendContinue(turn, note)]
            case resume.Finished(text, stop_reason, error):
                return self._settle(text, stop_reason, error, leaf)

    def refused(self, turn: str, error: str) -> list[Command]:
        """pi did not take the prompt."""
        if not self._runs(turn):
            return []
        return self._end(Outcome.FAILED, "", None, [_report(f"The agent did not take the message: {error}")])

    def settled(self, turn: str, text: str, stop_reason: str, error: str, leaf: str | None) -> list[Command]:
        """The run is over."""
        return self._settle(text, stop_reason, error, leaf) if self._runs(turn) else []

    def too_long(self, turn: str) -> list[Command]:
        """The turn has used up its time."""
        if self.phase is not Phase.RUNNING or self.turn is None or turn != self.turn.id:
            return []
        self._too_long = True
        self.phase = Phase.STOPPING
        return [SendAbort(turn)]

    # --- what follows

    def _runs(self, turn: str) -> bool:
        running = self.phase in (Phase.RUNNING, Phase.STOPPING)
        return running and self.turn is not None and turn == self.turn.id

    def _next(self) -> list[Command]:
        """The next step: commands overtake, then the open turn, then the queue."""
        commands = self._take_commands()
        if self.turn is not None and self._stop_asked and self.phase in (Phase.IDLE, Phase.RECALLING):
            return commands + self._end(Outcome.STOPPED, "", None, [_note("Stopped.")])
        if self.turn is not None and self._stop_asked and self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            return [*commands, SendAbort(self.turn.id)]
        if self.phase is not Phase.IDLE:
            return commands
        if self.turn is not None:
            return commands + self._try_again(self.turn)
        if self._queue:
            first = self._queue[0]
            turn = turn_id(first)
            commands += self._show(turn, None)
            if self.agent is not None:
                self.phase = Phase.BEGINNING
                self._stop_asked = self._too_long = False
                commands.append(Begin(turn, 1, (first.id,), self._leaf))
        return commands

    def _try_again(self, turn: Turn) -> list[Command]:
        if turn.attempt >= MOST_ATTEMPTS:
            text = (
                f"This message was tried {turn.attempt} times and the agent ended each time, so it is set aside "
                "and not tried again. Send it anew, perhaps in other words, to try once more."
            )
            return self._end(Outcome.QUARANTINED, "", None, [_report(text)])
        commands = self._show(turn.id, None)
        if self.agent is not None:
            self.phase = Phase.BEGINNING
            commands.append(Begin(turn.id, turn.attempt + 1, tuple(row.id for row in turn.inbounds), turn.leaf_before))
        return commands

    def _show(self, turn: str, note: str | None) -> list[Command]:
        if self._shown == turn and note is None:
            return []
        self._shown = turn
        return [ShowTurn(turn, note)]

    def _settle(self, text: str, stop_reason: str, error: str, leaf: str | None) -> list[Command]:
        said = [NewDelivery(kind=DeliveryKind.ANSWER, text=text)] if text else []
        if self._stop_asked and stop_reason == "aborted":
            return self._end(Outcome.STOPPED, text, leaf, [*said, _note("Stopped.")])
        if self._too_long and stop_reason == "aborted":
            return self._end(Outcome.FAILED, text, leaf, [*said, _report("The turn took too long and was ended.")])
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
        assert self.turn is not None
        turn, self.turn, self.phase = self.turn, None, Phase.IDLE
        self._stop_asked = self._too_long = False
        self._shown = None
        reply_to = turn.inbounds[0].message_id if turn.inbounds else None
        first, *rest = deliveries
        first = NewDelivery(kind=first.kind, text=first.text, reply_to=reply_to)
        self._leaf = leaf if leaf is not None else self._leaf
        return [End(turn.id, outcome, text, self._leaf, (first, *rest))]

    # --- commands

    def _take_commands(self) -> list[Command]:
        answers: list[Command] = []
        for queued in list(self._pending.values()):
            answer = self._command(queued)
            if answer is not None:
                del self._pending[queued.id]
                self._answering.add(queued.id)
                answers.append(answer)
        return answers

    def _command(self, queued: Queued) -> Command | None:
        """The answer to a command; None if it has to wait for the turn to end."""
        name = queued.command or ""
        if name == "new":
            if self._hold(queued):
                return None
            assert self._room is not None
            text = f"A new session begins. The old one is kept as `{self._room.session_id}`."
            return Answer(queued, (_note(text, queued),), fresh=True)
        if name == "stop":
            if self._hold(queued):
                return None
            return Answer(queued, () if queued.id in self._held else (_note("Nothing is running.", queued),))
        if name == "threads":
            return ListRooms(queued)
        if name == "status":
            return Answer(queued, (_note(self._status(), queued),))
        if name == "start":
            return Answer(
                queued, (_note("Write what you want done. I understand:\n\n" + commands.help_text(), queued),)
            )
        if name == "help":
            return Answer(queued, (_note(commands.help_text(), queued),))
        near = commands.nearest(name.removeprefix("?"))
        hint = f" Did you mean /{near}?" if near else " /help shows what I understand."
        return Answer(queued, (_note(f"I do not know {name.replace('?', '/', 1)}.{hint}", queued),))

    def _hold(self, queued: Queued) -> bool:
        """Whether the command has to wait until the turn that it stops is over."""
        if self.turn is None and self.phase is not Phase.BEGINNING:
            return False
        self._stop_asked = True
        self._held.add(queued.id)
        return True

    def _status(self) -> str:
        assert self._room is not None
        if self.turn is not None:
            now = f"working on “{_short(_text(self.turn))}”" + (
                f", attempt {self.turn.attempt}" if self.turn.attempt > 1 else ""
            )
        elif self.agent is None and self._queue:
            now = "starting its agent"
        else:
            now = "idle"
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
