"""What a running turn looks like to the person who waits: the answer so far and the tools at work.

Pure. Fed with the agent's events; `picture` is what the outbox shows, cumulative and bounded.
"""

from typing import Final, Literal

import msgspec

from actors.messages import AgentNoted, FileOffered, Place, ShowProgress, TextGrew, ToolEnded, ToolStarted

KEPT_LINES: Final = 30
"""How many lines a picture carries; the oldest go first."""
LINE: Final = 120
"""Characters of one line."""

SPEAKING: Final = frozenset({"ask_user", "report_progress"})
"""The tools that say something to people, who see that itself: they have no line."""


class _Shown(msgspec.Struct):
    """One line. `tool`: whether it is a tool's, which a room may not want to see; `ended`: how that went."""

    text: str
    tool: bool
    began: float = 0.0
    ended: str = ""


class Progress:
    """One turn's picture. `waits`: for a person, so that nothing moves here until they answer."""

    def __init__(self, place: Place, turn: str, since: float) -> None:
        self.waits = False
        self._place = place
        self._turn = turn
        self._since = since
        self._begun = False
        self._text = ""
        self._lines: dict[str, _Shown] = {}
        self._running: dict[str, str] = {}
        self._notes = 0

    @property
    def doing(self) -> str:
        """In a few words, what the agent does now."""
        if self._running:
            return f"running {next(reversed(self._running.values()))}"
        return "answering" if self._text else "thinking"

    def take(self, event: TextGrew | ToolStarted | ToolEnded | AgentNoted | FileOffered, now: float) -> None:
        """Something happened in the run. `now`: monotonic seconds."""
        match event:
            case TextGrew(text=text):
                self._text = text
            case ToolStarted(call=call, tool=tool, summary=summary):
                self._running[call] = tool
                if tool not in SPEAKING:
                    self._add(call, _Shown(f"{tool}: {summary}" if summary else tool, tool=True, began=now))
            case ToolEnded(call=call, failed=failed):
                self._running.pop(call, None)
                if call in self._lines:
                    line = self._lines[call]
                    line.ended = f" – {'failed' if failed else 'ok'}, {now - line.began:.1f} s"
            case AgentNoted(text=text):
                self.note(text)
            case FileOffered(name=name):
                self.note(f"sends {name}")

    def begun(self) -> None:
        """It is committed that the turn runs."""
        self._begun = True

    def note(self, text: str) -> None:
        """Add a line that is not a tool's."""
        self._notes += 1
        self._add(f"note {self._notes}", _Shown(text, tool=False))

    def cut_off(self) -> None:
        """The agent is gone; what it was running runs no more."""
        self._running.clear()

    def picture(self, verbose: Literal[0, 1, 2]) -> ShowProgress:
        """What to show now. `verbose`: as the room has it; what is no tool's shows always."""
        lines = tuple(
            _short(line.text, line.ended if verbose == 2 else "")
            for line in self._lines.values()
            if verbose or not line.tool
        )
        return ShowProgress(
            place=self._place,
            turn=self._turn,
            text=self._text,
            tools=lines,
            since=self._since,
            begun=self._begun,
            waits=self.waits,
        )

    def _add(self, key: str, line: _Shown) -> None:
        self._lines[key] = line
        while len(self._lines) > KEPT_LINES:
            del self._lines[next(iter(self._lines))]


def _short(text: str, end: str) -> str:
    line, most = " ".join(text.split()), LINE - len(end)
    return (line if len(line) <= most else line[: most - 1] + "…") + end
