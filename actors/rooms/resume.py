"""What to do with a turn that was cut off, read from the session's own entries.

Pure. pi's events are hints, its session file is the truth: what stands there has happened. This service is the session's only
writer, so every user entry behind the leaf that was noted before the turn began is the turn's own.
"""

from collections.abc import Sequence
from typing import NamedTuple

from actors.messages import Entry

RESUME_NOTE = (
    "[dispatchd] The process was interrupted and has been restarted while you worked on the last message. "
    "Tool calls that were running may or may not have taken effect: check before you repeat one. "
    "Continue from where you were; do not greet, do not mention this note."
)
"""What the model reads when it is to go on. The mark in front tells the demo model, and people, that no person wrote it."""


class Again(NamedTuple):
    """Nothing ran: send the original prompt."""


class GoOn(NamedTuple):
    """It ran and was cut off: make the model continue."""

    note: str


class Finished(NamedTuple):
    """It had finished: deliver this; nothing is sent to pi."""

    text: str
    stop_reason: str
    error: str


Decision = Again | GoOn | Finished


def decide(entries: Sequence[Entry]) -> Decision:
    """What the entries since the turn began (oldest first) say is left to do."""
    if not any(entry.role == "user" for entry in entries):
        return Again()
    spoken = [entry for entry in entries if entry.role in ("user", "assistant", "toolResult")]
    last = spoken[-1]
    if last.role == "assistant" and last.stop_reason in ("stop", "length", "error"):
        return Finished(answer(entries), last.stop_reason, last.error)
    return GoOn(RESUME_NOTE)


def answer(entries: Sequence[Entry]) -> str:
    """The agent's answer: its last message, or all it said if that one is empty."""
    texts = [entry.text for entry in entries if entry.role == "assistant"]
    if not texts:
        return ""
    return texts[-1] or "\n\n".join(text for text in texts if text)
