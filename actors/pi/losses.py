"""What people are told when an agent is lost: from what ended it to one plain sentence, and the last words of its pi.

Pure; asked by `agent` as soon as it knows. It never raises: what it is to explain is worse than any word of its own.
"""

import re
import unicodedata
from collections.abc import Iterator
from traceback import format_exception_only
from typing import Final, NamedTuple

from actors.pi.errors import (
    AgentEnded,
    AgentHung,
    LaunchFailed,
    Misconfigured,
    PiError,
    ProcessStuck,
    SessionUnfit,
    TooManyPending,
)
from actors.redaction import redact

MOST_LINES: Final = 10
LINE: Final = 300
"""Characters of a line of stderr."""
SENTENCE: Final = 500
"""Characters of the sentence: it may name a path, and the mend comes last."""

_TELLING: Final = (SessionUnfit, Misconfigured, LaunchFailed, AgentEnded, AgentHung, ProcessStuck, TooManyPending)
"""Of several reasons at once, the first of these is the one that people are told."""
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""What colours and moves text in a terminal: sequences as a whole, so that no `[31m` stays."""
_ORDINARY: Final = "Warning: No project session found with id "
"""pi's word about every session that is new."""
_ABORTED: Final = re.compile(r"SIG(?:ABRT|TRAP|ILL|SEGV)|exit code 13[234]|exit code 139")
"""How Node ends when it can get no memory, be it that a shell tells of it."""
_STARVED: Final = re.compile(r"heap out of memory|Allocation failed|process OOM", re.IGNORECASE)
"""What it says then: its heap has a bound of its own, and `ulimit` may set another."""
_FRAME: Final = re.compile(r"\s+at \S")
"""A line of a JavaScript stack; of several on end the first says where."""


class Loss(NamedTuple):
    """What an `AgentLost` says."""

    what: str
    stderr: tuple[str, ...]
    session: bool


def loss(error: BaseException, stderr: str = "") -> Loss:
    """What ended the agent. `stderr`: the end of what its pi said, if the error does not carry it."""
    reasons = list(_leaves(error))
    chosen = min(reasons, key=_rank)
    if isinstance(chosen, AgentEnded):
        stderr = chosen.stderr
    return Loss(_sentence(chosen), last_lines(stderr), not any(isinstance(each, SessionUnfit) for each in reasons))


def last_lines(stderr: str) -> tuple[str, ...]:
    """The last lines that say something, redacted, without control characters, each cut to its beginning."""
    kept: list[str] = []
    in_stack = False
    for line in redact(_ESCAPES.sub("", stderr)).splitlines():
        frame = _FRAME.match(line) is not None
        plain = _plain(line)
        if plain and not plain.startswith(_ORDINARY) and not (frame and in_stack):
            kept.append(plain if len(plain) <= LINE else plain[: LINE - 1] + "…")
        in_stack = frame
    return tuple(kept[-MOST_LINES:])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _rank(error: BaseException) -> int:
    for rank, kind in enumerate(_TELLING):
        if isinstance(error, kind):
            return rank
    return len(_TELLING) + (not isinstance(error, PiError))


def _sentence(error: BaseException) -> str:
    match error:
        case AgentEnded(how=how, stderr=stderr):
            said = f"pi ended, {how}"
            if _ABORTED.search(how) and _STARVED.search(stderr):
                said += ", out of memory: it could get no more for itself"
        case TooManyPending(limit=limit):
            said = f"pi has stopped answering: {limit} commands wait"
        case PiError():
            said = str(error)
        case _:
            said = f"the service's own part for this agent failed ({format_exception_only(error)[-1].strip()})"
    line = " ".join(_plain(redact(said)).split()).removesuffix(".")
    return line if len(line) < SENTENCE else line[: SENTENCE - 2] + "…"


def _plain(line: str) -> str:
    """Without what no eye can see but a blank: control characters, and what turns the direction of writing."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in line).rstrip()
