"""What a pi is doing, and when it last got on with it, as its records tell it: what `stalls` judges silence by.

Pure, a part of `session`, which shows it each record. Only what a run, a tool or a summary brings forth counts as
getting on: an extension that moves its spinner, or an answer to a command of ours, says nothing about the work.
"""

from enum import Enum
from typing import Final

from actors.pi import protocol

LONGEST_DELAY: Final = 600.0
"""Seconds that a retry may wait and be taken at its word; pi's own bound for it is a minute."""

_IDLE_TALK: Final = frozenset({"entry_appended", "session_info_changed", "thinking_level_changed"})


class Doing(Enum):
    """What may take its time, and how much, differs; each has a patience of its own in `stalls`."""

    IDLE = "idle"
    PERSON = "waiting for a person"
    SUBAGENT = "waiting for a sub-agent"
    TOOL = "running a tool"
    COMPACTING = "compacting the session"
    RETRYING = "waiting to try the model again"
    THINKING = "waiting for the model"
    ANSWERING = "answering"
    BETWEEN = "at work"
    """pi's own work and its extensions': before the model is asked, between its answer and a tool, before the end."""


NEVER_LATE: Final = frozenset({Doing.IDLE, Doing.PERSON, Doing.SUBAGENT})
"""What may last however long it likes: nothing is to come of this agent meanwhile."""


class Activity:
    """`step`: what it does while it runs neither a tool nor a summary. `moved`: the caller's `now` of its last sign.

    After a retry was announced, `moved` is when that is due: until then silence is what was said.
    """

    def __init__(self) -> None:
        self.step = Doing.BETWEEN
        self.moved = float("-inf")

    def saw(self, record: protocol.PiRecord, now: float) -> None:
        """A record came."""
        match record:
            case (
                protocol.Response()
                | protocol.ExtensionUiRequest()
                | protocol.ExtensionError()
                | protocol.QueueUpdate()
                | protocol.Garbage()
                | protocol.Unknown()
                | protocol.Cut(type="response")
            ):
                return
            case protocol.Skipped(type=kind) if kind in _IDLE_TALK:
                return
            case protocol.AutoRetryStart(delay_ms=delay):
                step = Doing.RETRYING
                now += min(max(delay / 1000, 0.0), LONGEST_DELAY)
            case protocol.MessageUpdate():
                step = Doing.ANSWERING
            case protocol.MessageStart(message=message) if message.role == "assistant":
                step = Doing.ANSWERING
            case protocol.MessageEnd(message=message) if message.role != "assistant":
                step = Doing.THINKING
            case protocol.Skipped(type="turn_start"):
                step = Doing.THINKING
            case protocol.Cut() | protocol.Skipped(type="tool_execution_update"):
                step = self.step  # of one tool among several perhaps; what else goes on does not change by it
            case _:
                step = Doing.BETWEEN
        self.moved, self.step = now, step
