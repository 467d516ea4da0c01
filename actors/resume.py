"""What to do with a turn that was cut off, read from the session's own entries.

Pure. pi's events are hints, its session file is the truth: what stands there has happened. This service is the
session's only writer, so every user entry behind the leaf that was noted before the turn began is the turn's own.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from actors.messages import Entry, ToolCall
from actors.redaction import redact

RESUME_NOTE = (
    "[dispatchd] The process was interrupted and has been restarted while you worked on the last message. "
    "Tool calls that were running may or may not have taken effect: check before you repeat one. "
    "Continue from where you were; do not greet, do not mention this note."
)
"""What the model reads when it is to go on. The mark in front says that no person wrote it; the demo model needs it."""


LOOKING: Final = frozenset(
    {
        "read", "grep", "find", "ls", "ask_user", "send_file", "report_progress", "search_history", "spawn_subagent",
        "check_subagent", "cancel_subagent",
    }
)  # fmt: skip
"""Tools that change nothing in the world, or only what their people see: running one twice does no harm.

pi's own by their names, and the host's. Every other one may have had an effect, also one that nobody here knows.
"""

_ANSWERED: Final = ("stop", "length")
"""How an assistant's message ends that is an answer, as pi says it."""
_ABORTED: Final = re.compile(r"(?:Command|Operation) aborted\s*\Z")
"""How pi 0.87.1 ends the result of a call that an abort has cut off: one that ran (bash), one that had not begun."""


_UNANSWERED: Final = re.compile(r"(?:Command|Operation) aborted|The host did not answer; nothing was done\.")
"""The whole result of a call to the host that was cut off: pi's word for it, or that of `conf/pi/host_tools.mjs`."""


class Again(NamedTuple):
    """Nothing ran: send the original prompt."""


class GoOn(NamedTuple):
    """It ran and was cut off: make the model continue. `said`: what it had answered before it was steered further.

    `running`: the tools that were at work when it was cut off and that may have had an effect.
    """

    note: str
    said: str = ""
    running: tuple[ToolCall, ...] = ()


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
    if last.role == "assistant" and last.stop_reason in _ANSWERED:
        return Finished(_answer(entries), last.stop_reason)
    return GoOn(RESUME_NOTE, _joined(entry for entry in entries if entry.stop_reason in _ANSWERED), _running(entries))


def _running(entries: Sequence[Entry]) -> tuple[ToolCall, ...]:
    """The calls of the last message that has any, as far as no result of them is in the session.

    A pi that ends, by itself or by EOF, SIGTERM or SIGKILL, writes no result; one that was told to abort before it
    ended writes one that says so. What an earlier message called was cut off earlier, and the model has been told.
    """
    said = [place for place, entry in enumerate(entries) if entry.role == "assistant"]
    calls = [place for place in said if entries[place].calls]
    if not calls:
        return ()
    behind = entries[calls[-1] + 1 :]
    done = {entry.call for entry in behind if entry.role == "toolResult" and not _ABORTED.search(entry.text)}
    if said[-1] != calls[-1] and entries[said[-1]].stop_reason not in ("aborted", "error"):
        return ()  # it has gone on since
    return tuple(call for call in entries[calls[-1]].calls if call.id not in done and call.tool not in LOOKING)


def heard(entries: Sequence[Entry], steers: Sequence[tuple[int, Sequence[str]]]) -> set[int]:
    """Which of the messages that were to join the run stand in the session: (id, the words of each) in, ids out.

    The first of the person's entries is the prompt. An entry says each text of a message, and perhaps more about it; it
    stands for one message only, so that of two that say the same one may be there and the other not.
    """
    spare = [_plain(entry.text) for entry in entries if entry.role == "user"][1:]
    found = set()
    for says in (_is, _has):
        for inbound, texts in steers:
            said = [_plain(redact(text)) for text in texts]
            entry = next((entry for entry in spare if says(entry, said)), None)
            if inbound not in found and entry is not None:
                spare.remove(entry)
                found.add(inbound)
    return found


def _is(entry: str, said: Sequence[str]) -> bool:
    return entry == "\n".join(said)


def _has(entry: str, said: Sequence[str]) -> bool:
    """Whether the lines of all of these are among those of the entry."""
    return all(f"\n{text}\n" in f"\n{entry}\n" for text in said if text)


def results(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The tool calls whose results are in the session; one that was cut off has none, whatever pi has written of it."""
    return tuple(
        entry.call
        for entry in entries
        if entry.role == "toolResult" and entry.call and not _UNANSWERED.fullmatch(entry.text.strip())
    )


def delegated(note: str, subagents: Sequence[str]) -> str:
    """The note that makes the model go on, with the sub-agents that it had begun and has not heard of yet."""
    if not subagents:
        return note
    return (
        f"{note}\nYou had begun sub-agents that you have not heard of yet: {', '.join(subagents)}. Do not begin them "
        "again: their reports come to you by themselves, unless you wait for one with check_subagent."
    )


def answered(note: str, answers: Sequence[str]) -> str:
    """The note that makes the model go on, with what people answered to the question that the interruption cut off."""
    said = "".join(
        f"\nYour question has been answered in the meantime, do not ask it again: {text}" for text in answers
    )
    return note + said


def _plain(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _answer(entries: Sequence[Entry]) -> str:
    """All that ended a run or was said before it was steered; or all there is, if the last message is empty."""
    said = [entry for entry in entries if entry.role == "assistant" and entry.stop_reason != "error"]
    whole = bool(said[-1].text)
    return _joined(each for each in said if each.stop_reason in _ANSWERED or not whole)


def _joined(said: Iterable[Entry]) -> str:
    return "\n\n".join(each.text for each in said if each.text)
