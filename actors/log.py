"""The service's log: one line per record on stderr, with the path of the actor that wrote it and without secrets.

Everybody logs through the standard library; only the entry point calls `setup`. Under systemd a line opens with its
priority for the journal (sd-daemon(3)), elsewhere with the time and the level's name.
"""

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO

from actors.redaction import redact
from actors.settings import LogLevel
from supervisor import current_path

MAX_LINE: Final = 8192
"""Characters; a longer line is cut, so that one record cannot fill the journal."""
_MAX_FRAMES: Final = 8
_MAX_DEPTH: Final = 5

_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\t"): " ",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
"""A text from outside must neither begin a line of its own nor move the cursor of the terminal that shows it."""


class ActorPath(logging.Filter):
    """Gives every record the path of the actor in whose task it was written, as `record.actor`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.actor = current_path.get()
        return True


class LineFormatter(logging.Formatter):
    """One redacted line per record. `journal`: with `<N>` before it and without the time, which the journal notes."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        words = [getattr(record, "actor", "") or record.name, record.getMessage()]
        if record.exc_info and record.exc_info[1] is not None:
            words.append("| " + one_line(record.exc_info[1]))
        # Redacted before it is cut or escaped: half a secret, or one with a \n in it, would not be recognised.
        text = redact(" ".join(words)).translate(_CONTROLS)
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + "…"
        if self._journal:
            return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}"
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return f"{at}Z {record.levelname:<8} {text}"


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr. A record that cannot be written is lost in silence, but for where it came from."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        # The inherited one prints the record's arguments as they are, secrets and all.
        if not isinstance(sys.exception(), OSError):
            sys.stderr.write(f"log: a record from {record.pathname}:{record.lineno} cannot be formatted\n")


def setup(level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every log record to `stream` (default: stderr) from this level on, in place of any earlier handlers.

    An exception that nobody catches is printed there too, redacted.
    """
    target = stream or sys.stderr
    handler = StderrHandler(target)
    handler.addFilter(ActorPath())
    handler.setFormatter(LineFormatter(journal=is_journal(target, os.environ.get("JOURNAL_STREAM", ""))))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore"):  # they log the URL of every request, and Telegram's holds the token
        logging.getLogger(chatty).setLevel(logging.WARNING)

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        target.write(redact("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = uncaught


def is_journal(stream: TextIO, journal_stream: str) -> bool:
    """Whether `stream` goes to the journal. `journal_stream`: $JOURNAL_STREAM, `<device>:<inode>` (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


def one_line(error: BaseException, depth: int = 0) -> str:
    """An exception with its causes and its innermost frames (at most 8), on one line, innermost frame first."""
    frames = traceback.extract_tb(error.__traceback__)[: -_MAX_FRAMES - 1 : -1]
    where = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)
    text = f"{type(error).__name__}: {error}" + (f" [{where}]" if where else "")
    if depth == _MAX_DEPTH:
        return text
    if isinstance(error, BaseExceptionGroup):
        text += " {" + "; ".join(one_line(each, depth + 1) for each in error.exceptions[:_MAX_FRAMES]) + "}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text if cause is None else f"{text} after {one_line(cause, depth + 1)}"
