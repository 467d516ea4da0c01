"""What to do with a turn that was cut off, read from the session's own entries.

Pure. pi's events are hints, its session file is the truth: what stands there has happened. This service is the
session's only writer, so every user entry behind the leaf that was noted before the turn began is the turn's own.
"""

from collections.abc import Sequence
from typing import NamedTuple

from actors.messages import Entry

RESUME_NOTE = (
    "[dispatchd] The process was interrupted and has been restarted while you worked on the last message. "
    "Tool calls that were running may or may not have taken effect: check before you repeat one. "
    "Continue from where you were; do not greet, do not mention this note."
)
"""What the model reads when it is to go on. The mark in front says that no person wrote it; the demo model needs it."""


class Again(NamedTuple):
    """Nothing ran: send the original prompt."""


class GoOn(NamedTuple):
    """It ran and was cut off: make the model continue."""

    note: str


class Finished(NamedTuple):
    """It had finished, with an answer: deliver this; nothing is sent to pi."""

    text: str
    stop_reason: str


Decision = Again | GoOn | Finished


def decide(entries: Sequence[Entry]) -> Decision:
    """What the entries since the turn began (oldest first) say is left to do.

    An assistant's `error` or `aborted` is no answer, and so no end: pi writes one before each retry of a failed call,
    and one when its own end cuts a tool off. A person who stopped the turn has said so in the store, not here.
    """
    if not any(entry.role == "user" for entry in entries):
        return Again()
    last = [entry for entry in entries if entry.role in ("user", "assistant", "toolResult")][-1]
    if last.role == "assistant" and last.stop_reason in ("stop", "length"):
        return Finished(_answer(entries), last.stop_reason)
    return GoOn(RESUME_NOTE)


def _answer(entries: Sequence[Entry]) -> str:
    """The agent's last message, or all it said if that one is empty."""
    texts = [entry.text for entry in entries if entry.role == "assistant" and entry.stop_reason != "error"]
    return texts[-1] or "\n\n".join(text for text in texts if text)
