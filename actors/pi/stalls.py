"""When a pi that says nothing is asked about, told of and ended: what it does and for how long in, the next steps out.

Pure; `watch` looks on and carries out. Who waits for a person or a sub-agent is never late, nor is one that is done.
The order is always the same: people are told, then the run is ended with a reason that names the silence, and only if
even that does not end it is pi itself.
"""

from typing import Final

import msgspec

from actors.phrases import lasting
from actors.pi.activity import NEVER_LATE, Doing


class Limit(msgspec.Struct, frozen=True):
    """How long something may bring forth nothing, in seconds: then people are told, then the run is ended.

    `end`: None for never; people are told again each time the silence has doubled.
    """

    tell: float
    end: float | None


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """All limits of an agent, in seconds. `look`: how often it is looked at, so how late all else may be.

    `model`, `answer`: pi itself gives up a provider that is silent and tries it three times more, each said; what is
    longer silent than one such try is a pi that has lost its request. `retry`: counted from when it is due.
    `compaction`: a summary streams nothing, and a large context takes a model minutes. `between`: extensions' own
    work. `tool`: builds and tests may be silent for long, and the turn's own limit ends them. `ask`: after so much
    silence pi is asked for a sign, which it gives whatever it waits for. `answers`: a pi that has not given it by then
    is stopped or spins; `tool_answers`: an extension's tool may rightly hold up all of pi for a while.
    """

    model: Limit = Limit(300.0, 600.0)
    answer: Limit = Limit(300.0, 600.0)
    retry: Limit = Limit(60.0, 300.0)
    compaction: Limit = Limit(300.0, 900.0)
    between: Limit = Limit(120.0, 600.0)
    tool: Limit = Limit(600.0, None)
    ask: float = 60.0
    answers: float = 30.0
    tool_answers: float = 300.0
    look: float = 5.0


def patience(model_timeout: float) -> Patience:
    """The limits for a pi that takes a provider for dead after `model_timeout` seconds: ours come behind that."""
    silent = Limit(max(300.0, model_timeout + 60.0), model_timeout + 480.0)
    return Patience(model=silent, answer=silent)


class Tell(msgspec.Struct, frozen=True):
    """People are to know: `text`, a short line of its own."""

    text: str


class AskPi(msgspec.Struct, frozen=True):
    """pi is to give a sign; `Stalls.answered` when it does."""


class EndRun(msgspec.Struct, frozen=True):
    """The run is to be ended, and its end to say `why`."""

    why: str


class GiveUp(msgspec.Struct, frozen=True):
    """pi itself does not answer, for `seconds`. An abort is tried; if that does not end the run, pi is ended."""

    seconds: float


Step = Tell | AskPi | EndRun | GiveUp

HINT: Final = "; /stop ends the turn"
"""Behind what nobody else will end."""
SILENT: Final = "pi does not answer; ending it"


class Stalls:
    """The watch over one process. `now` is everywhere the caller's monotonic seconds."""

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._rested = now  # when it last had nothing to do, or could not be heard
        self._episode: tuple[Doing, float] | None = None
        self._told = 0
        self._over = False
        self._asked: float | None = None
        self._answered = now

    def rest(self, now: float) -> None:
        """It has nothing to do, or is not listened to: its silence says nothing, and counts from now on."""
        self._rested = now
        self._episode = self._asked = None

    def answered(self, now: float) -> None:
        """pi has given the sign that it was asked for."""
        self._asked = None
        self._answered = now

    def silence(self, moved: float, now: float) -> float:
        """For how many seconds nothing has been brought forth."""
        return max(0.0, now - max(moved, self._rested))

    def look(self, doing: Doing, tool: str, moved: float, now: float) -> list[Step]:
        """What is to be done now. `tool`: the name of the one that runs. `moved`: when it last got on."""
        if doing in NEVER_LATE:
            self.rest(now)
            return []
        if self._episode != (doing, moved):
            self._episode, self._told, self._over, self._asked = (doing, moved), 0, False, None
        silence = self.silence(moved, now)
        if self._over:
            return []
        limit = self._limit(doing)
        if limit.end is not None and silence >= limit.end:
            self._over = True
            why = f"{says(doing, tool, silence)}, so the run was ended"
            return [Tell(f"{says(doing, tool, silence)}; ending the run"), EndRun(why)]
        if self._asked is not None and now - self._asked >= (bound := self._answers(doing)):
            self._over = True
            return [Tell(SILENT), GiveUp(bound)]
        steps: list[Step] = []
        if silence >= limit.tell * 2**self._told and (limit.end is None or not self._told):
            self._told += 1
            mend = HINT if limit.end is None else ""
            steps.append(Tell(says(doing, tool, silence) + mend))
        if self._asked is None and now - max(moved, self._rested, self._answered) >= self._patience.ask:
            self._asked = now
            steps.append(AskPi())
        return steps

    def _limit(self, doing: Doing) -> Limit:
        patience = self._patience
        match doing:
            case Doing.TOOL:
                return patience.tool
            case Doing.COMPACTING:
                return patience.compaction
            case Doing.RETRYING:
                return patience.retry
            case Doing.THINKING:
                return patience.model
            case Doing.ANSWERING:
                return patience.answer
            case _:
                return patience.between

    def _answers(self, doing: Doing) -> float:
        return self._patience.tool_answers if doing is Doing.TOOL else self._patience.answers


def says(doing: Doing, tool: str, silence: float) -> str:
    """The silence in a short line for people."""
    time = lasting(silence)
    match doing:
        case Doing.TOOL:
            return f"{tool} has said nothing for {time}"
        case Doing.COMPACTING:
            return f"the summary of the session has not come for {time}"
        case Doing.RETRYING:
            return f"the model has not been tried again for {time}"
        case Doing.THINKING:
            return f"no word from the model for {time}"
        case Doing.ANSWERING:
            return f"the model's answer has not gone on for {time}"
        case _:
            return f"pi has not gone on for {time}"
