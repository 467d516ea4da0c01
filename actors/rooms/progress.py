"""What a running turn looks like to the person who waits: the answer so far and the tools at work.

Pure. Fed with the agent's events; `picture` is what the outbox shows, cumulative and bounded.
"""

from typing import Final

from actors.messages import AgentNoted, Place, ShowProgress, TextGrew, ToolEnded, ToolStarted

KEPT_LINES: Final = 30
"""How many tool lines a picture carries; the oldest go first."""
LINE: Final = 120
"""Characters of one line."""


class Progress:
    """One turn's picture."""

    def __init__(self, place: Place, turn: str, since: float) -> None:
        self._place = place
        self._turn = turn
        self._since = since
        self._text = ""
        self._lines: dict[str, str] = {}
        self._running: dict[str, str] = {}
        self._notes = 0

    @property
    def doing(self) -> str:
        """In a few words, what the agent does now."""
        if self._running:
            return f"running {next(reversed(self._running.values()))}"
        return "answering" if self._text else "thinking"

    def take(self, event: TextGrew | ToolStarted | ToolEnded | AgentNoted) -> None:
        """Something happened in the run."""
        match event:
            case TextGrew(text=text):
                self._text = text
            case ToolStarted(call=call, tool=tool, summary=summary):
                self._running[call] = tool
                self._line(call, f"{tool}: {summary}" if summary else tool)
            case ToolEnded(call=call, failed=failed):
                self._running.pop(call, None)
                if failed and call in self._lines:
                    self._lines[call] += " – failed"
            case AgentNoted(text=text):
                self.note(text)

    def note(self, text: str) -> None:
        """Add a line that is not a tool's."""
        self._notes += 1
        self._line(f"note {self._notes}", text)

    def cut_off(self) -> None:
        """The agent is gone; what it was running runs no more."""
        self._running.clear()

    def picture(self) -> ShowProgress:
        """What to show now."""
        return ShowProgress(
            place=self._place, turn=self._turn, text=self._text, tools=tuple(self._lines.values()), since=self._since
        )

    def _line(self, key: str, text: str) -> None:
        line = " ".join(text.split())
        self._lines[key] = line if len(line) <= LINE else line[: LINE - 1] + "…"
        while len(self._lines) > KEPT_LINES:
            del self._lines[next(iter(self._lines))]
