"""What becomes of a turn that was cut off: its fate, and what a person hears of the crashes that it has lived through.

Pure; a part of `turns`. A crash is any end that nobody wanted, of pi, of the conversation or of the service; an end
that somebody asked for (a stop of the service, a restart by an admin or by /restart) says nothing against the message,
so it neither counts nor asks.
"""

from enum import StrEnum
from typing import Final, Literal

from actors.messages import AgentLost, NewDelivery, Outcome, Turn
from actors.resume import Again, Decision, Finished, GoOn
from actors.rooms import trouble
from actors.rooms.steps import Part, Step, TellPeople
from actors.rooms.trouble import Loss

MOST_ATTEMPTS: Final = 3
"""How often a message is run before its quarantine. One attempt more only looks whether the last one had finished."""
MOST_PARTED: Final = 20
"""Ends on purpose that do not count: whatever it is that asks for more of them, no message is run without end."""

Setting = Literal["resume", "ask", "drop"]
ORDERLY: Final = ("normal", "shutdown")
"""Reasons of an end that somebody asked for."""


class Fate(StrEnum):
    """What is done with a turn that was cut off, once it is known what its session holds."""

    GO_ON = "go on"
    ASK = "ask"
    DROP = "drop"


def choose(decision: Decision, setting: Setting, *, crashed: bool) -> Fate:
    """The fate of a turn whose session says `decision`. `crashed`: whether it did not go on after its last crash.

    What has finished is delivered whatever is set, and of what never ran nothing can have been done twice. After an
    end on purpose it goes on without a question, also in the middle of a tool: whoever restarts a room or the service
    expects its work to go on, there may be many rooms to ask about, and the model is told to check what it had begun.
    """
    if isinstance(decision, Finished) or not crashed:
        return Fate.GO_ON
    if setting == "drop":
        return Fate.DROP
    if isinstance(decision, Again):
        return Fate.GO_ON
    return Fate.ASK if setting == "ask" or decision.running else Fate.GO_ON


def tries(turn: Turn) -> int:
    """How many of a turn's attempts count against its messages."""
    return turn.attempt - min(turn.parted, MOST_PARTED)


class Crashes:
    """What has cut off a room's turn so far, as far as this conversation knows. `loss`: what it was the last time."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._lost: AgentLost | None = None
        self._end = Loss("")
        self._orderly = False
        self._parted: tuple[str, int] | None = None
        self.forget()

    def forget(self) -> None:
        """The turn is over, or another one begins."""
        self.loss = Loss(trouble.SERVICE_ENDED)
        self._undecided = False  # a crash after which it did not go on yet, whatever has ended its agents since
        self._told = False

    # --- what happens

    def lost(self, event: AgentLost) -> None:
        """The agent says why it ends."""
        self._lost = event

    def down(self, incarnation: int, reason: str) -> None:
        """An incarnation of the agent has ended."""
        said, self._lost = self._lost, None
        self._orderly, self._end = reason in ORDERLY, Loss(reason)
        if said is not None and said.incarnation == incarnation:
            self._end = Loss(said.what, said.stderr, session=said.session)

    @property
    def last(self) -> str:
        """How the agent ended last, in a sentence; one that ended on purpose counts as well."""
        return self._end.what

    def found(self, turn: Turn, failure: str) -> None:
        """A new conversation finds this turn open. `failure`: of the room's parts since the service began."""
        self._undecided = not turn.decided
        self.loss = Loss(failure or trouble.SERVICE_ENDED)

    def cut(self, turn: Turn) -> list[Part]:
        """That end has cut off an attempt of this turn. If it was wanted, that is to be committed, once."""
        if not self._orderly:
            self._undecided, self.loss = True, self._end
        if not self._orderly or self._parted == (turn.id, turn.attempt):
            return []
        self._parted = (turn.id, turn.attempt)
        return [self.part(turn)]

    def part(self, turn: Turn) -> Part:
        """What is to be committed of an attempt that is ended on purpose."""
        return Part(turn.id, turn.attempt, not self._undecided)

    # --- what follows

    def fate(self, decision: Decision) -> Fate:
        """What is done with the turn now."""
        return choose(decision, self._setting, crashed=self._undecided)

    def note(self, turn: Turn, decision: Decision) -> list[Step]:
        """It goes on after a crash, as its people hear once for all crashes of a turn. `turn`: in its new attempt."""
        if not self._undecided:
            return []
        self._undecided, self._told = False, True
        again = not isinstance(decision, GoOn)
        return [TellPeople((trouble.goes_on(turn, self.loss, tries(turn), MOST_ATTEMPTS, again=again),))]

    def over(self, turn: Turn, outcome: Outcome) -> tuple[NewDelivery, ...]:
        """The note about its crashes, if there is one, once the turn has ended."""
        cuts = max(1, tries(turn) - 1)
        # A conversation that is new does not know of a note, but after the first of two cuts there was one.
        if not self._told and cuts < 2:
            return ()
        return (trouble.went_on(turn, self.loss, cuts, done=outcome is Outcome.DONE),)
