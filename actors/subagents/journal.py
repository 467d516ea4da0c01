"""What a sub-agent does, as its events tell it: a log of one line each, and the newest of it in a few words.

Pure. Kept in memory, bounded, without known secrets; the log goes with the sub-agent's report.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from actors.messages import AgentLost, AgentNoted, TextGrew, ToolEnded, ToolStarted, TurnSettled
from actors.phrases import short
from actors.redaction import redact
from actors.subagents.ends import MOST_LOG
from supervisor import Down, Message

__all__ = ["LINE", "Journal"]

LINE: Final = 300
"""Characters of a line, its time left out."""


class Journal:
    """One sub-agent's. Times are Unix seconds."""

    def __init__(self, earlier: Sequence[str] = ()) -> None:
        """`earlier`: the lines of an earlier incarnation, oldest first."""
        self._lines = deque(earlier, maxlen=MOST_LOG)
        self._running: dict[str, str] = {}
        self._noted = ""
        self._text = ""  # what it says now, and how much of that has its line
        self._written = ""
        self._said_at = 0.0

    @property
    def lines(self) -> tuple[str, ...]:
        """One for each thing that happened, oldest first, at most 200."""
        return tuple(self._lines)

    @property
    def doing(self) -> str:
        """What it does now: the newest tool that runs, else what was noted last, else whether it speaks."""
        if self._running:
            return next(reversed(self._running.values()))
        return self._noted or ("answering" if self._text else "thinking")

    def note(self, at: float, text: str) -> None:
        """Something happened."""
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._lines.append(f"{stamp} {short(redact(text), LINE)}")

    def take(self, at: float, event: TextGrew | ToolStarted | ToolEnded | AgentNoted) -> None:
        """Something happened in its run."""
        match event:
            case TextGrew(text=text):
                if not self._text:
                    self._noted, self._said_at = "", at
                self._text = text
            case ToolStarted(call=call, tool=tool, summary=summary):
                self.pause()
                self._noted = ""
                self._running[call] = f"{tool}: {summary}" if summary else tool
                self.note(at, self._running[call])
            case ToolEnded(call=call, tool=tool, failed=failed):
                self._running.pop(call, None)
                if failed:
                    self.note(at, f"{tool} failed")
            case AgentNoted(text=text):
                self._noted = text
                self.note(at, text)

    def hear(self, at: float, message: Message) -> None:
        """Something else happened to it: perhaps its run is over, or its agent ends."""
        if isinstance(message, AgentLost):
            self.pause()
            self.note(at, f"its agent ends: {message.what}")
        if isinstance(message, TurnSettled) and message.text.startswith(self._text):
            self._said_at = self._said_at if self._text else at
            self._text = message.text  # the picture of it that came last may have been of its beginning
        if isinstance(message, TurnSettled | Down):
            self.over()

    def pause(self) -> None:
        """What it has said so far gets its line, the first that says something."""
        news = self._text.removeprefix(self._written)
        said = next((each for each in news.splitlines() if each.strip()), "")
        if said:
            self.note(self._said_at, f"says: {said}")
        self._written, self._text = self._text if news else self._written, ""

    def over(self) -> None:
        """Its run is over, or cut off."""
        self.pause()
        self._running.clear()
        self._noted = self._text = self._written = ""
