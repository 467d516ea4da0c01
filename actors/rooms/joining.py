"""Messages that find the agent busy: they join the turn, end it, or hear that they wait.

Pure; a part of `turns`. A message joins in three steps: the store says so, the agent is told, the model hears it. What
was told and not heard when the turn ends goes back to where it stood, and what a crash cut off is told once more.
"""

from collections.abc import Sequence

from actors import resume
from actors.messages import Entry, Queued, Room, Turn
from actors.rooms import words
from actors.rooms.files import Files
from actors.rooms.line import Group, Line, groups
from actors.rooms.reports import are_reports
from actors.rooms.steps import Interrupt, Join, NoteBusy, Phase, SendSteer, Step, TellPeople


class Joining:
    """What joins one turn."""

    def __init__(self, line: Line, files: Files) -> None:
        self._line = line
        self._files = files
        self.forget()

    def forget(self) -> None:
        """The turn is over."""
        self._sent: dict[int, tuple[int, ...]] = {}  # what the agent that is ready was told, by the first message's id
        self._heard: set[int] = set()
        self.interrupting = False  # a message has asked for the turn's end
        self._said = False

    def interrupted(self, turn: Turn, room: Room) -> bool:
        """Whether a message that waits has ended the turn, or is to."""
        return any(self._interrupts(group, turn, room) for group in groups(self._line.rows))

    def _interrupts(self, group: Group, turn: Turn, room: Room) -> bool:
        return self._line.mode(group, room) == "interrupt" and group[0].accepted_at >= turn.started_at

    def meanwhile(self, turn: Turn | None, phase: Phase, room: Room, *, stopping: bool) -> list[Step]:
        """What is done with those that wait. `turn`: None while the session is summarised."""
        steps: list[Step] = []
        in_order = phase is Phase.RUNNING  # what is to join must not overtake what waits to join before it
        for place, group in enumerate(groups(self._line.rows), start=1):
            mode = self._line.mode(group, room)
            if mode == "steer" and phase not in (Phase.STOPPING, Phase.FETCHING, Phase.COMPACTING):
                if in_order and turn is not None:
                    joins = self._join(turn, group)
                    in_order = any(isinstance(step, Join) for step in joins)
                    steps += joins
            elif turn is not None and self._interrupts(group, turn, room):
                if not (stopping or self.interrupting):
                    self.interrupting = True
                    steps.append(Interrupt(turn.id))
            elif are_reports(group):
                continue  # nobody wrote them, so nobody is told that they wait
            elif phase is not Phase.BEGINNING and self._line.tell(group):
                steps.append(NoteBusy(group[0], place))
        return steps

    def joined(self, turn: Turn, inbounds: tuple[int, ...]) -> list[Step]:
        """The store says that these have joined. Said once in a turn, and where a note has said something else."""
        self._line.left(inbounds)
        first = next((row for row in turn.inbounds if row.id in inbounds), None)
        if first is None or (self._said and not self._line.was_told((first,))):
            return []
        return self._say(first)

    def _say(self, first: Queued) -> list[Step]:
        self._said = True
        self._line.note(first.id)
        return [TellPeople((words.steered(first),))]

    def send(self, turn: Turn) -> list[Step]:
        """Tell the agent what has joined and what it was not told yet."""
        told = {id for ids in self._sent.values() for id in ids} | self._heard
        steps: list[Step] = []
        for group in groups(row for row in _joined(turn) if row.id not in told):
            self._sent[group[0].id] = tuple(row.id for row in group)
            steps.append(SendSteer(turn.id, self._files.filled(group), dict(self._files.failed)))
        return steps

    # --- what became of it

    def taken(self, inbound: int) -> None:
        """The model has heard what was told by this id.

        What it never said so of was not heard, even if no end of a run says so: it may have come just after that end.
        """
        self._heard.update(self._sent.get(inbound, ()))

    def recalled(self, turn: Turn, entries: Sequence[Entry]) -> list[Step]:
        """What the session of a run that was cut off holds. A word about what has joined may have been lost with it."""
        told = groups(_joined(turn))
        found = resume.heard(entries, [(group[0].id, [row.text for row in group]) for group in told])
        self._heard = {row.id for group in told if group[0].id in found for row in group}
        return [] if self._said or not told else self._say(told[0][0])

    def lost_agent(self) -> None:
        """Whoever was told is gone."""
        self._sent = {}

    def returned(self, turn: Turn) -> tuple[int, ...]:
        """What has joined and was not heard: it waits again."""
        return tuple(row.id for row in _joined(turn) if row.id not in self._heard)

    def _join(self, turn: Turn, group: Group) -> list[Step]:
        if not self._line.complete(group):
            return [*self._line.awaiting(group)]
        if self._files.missing(group):
            return [*self._files.ask(group)]
        ids = tuple(row.id for row in group)
        self._line.leave(ids)
        return [*self._line.old(group), Join(turn.id, ids)]


def _joined(turn: Turn) -> list[Queued]:
    return [row for row in turn.inbounds if row.steered]
