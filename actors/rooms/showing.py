"""The picture of the running turn, sent to the outbox at each change and at least every few seconds.

A part of the conversation, which is told `Tick` when the picture is to be sent again.
"""

from collections.abc import Callable
from typing import Final

import trio

from actors.messages import AgentNoted, FileOffered, OutboxMessage, Room, TextGrew, Tick, ToolEnded, ToolStarted
from actors.rooms.progress import Progress
from supervisor import Context, Timer

SHOW_EVERY: Final = 5.0
"""Seconds after which a picture is repeated: an outbox that hears nothing for 15 s takes the turn for over."""


class Showing:
    """One room's picture. `tell`: hands it to the outbox, never waits."""

    def __init__(self, context: Context, tell: Callable[[OutboxMessage], None]) -> None:
        self._context = context
        self._tell = tell
        self._turn: str | None = None
        self._progress: Progress | None = None
        self._timer: Timer | None = None

    @property
    def doing(self) -> str | None:
        """In a few words, what the agent does in the turn that is shown; None if there is none."""
        return None if self._progress is None else self._progress.doing

    def begin(self, room: Room, turn: str, since: float, note: str | None, *, begun: bool) -> None:
        """Show that this turn, which began at `since`, is worked on; `note`: a line about it.

        `begun`: whether the store knows of it yet.
        """
        if self._progress is None or self._turn != turn:
            self.end()
            self._progress, self._turn = Progress(room.place, turn, since), turn
            self._wind()
        if begun:
            self._progress.begun()
        if note is not None:
            self._progress.note(note)
        self._show(room)

    def begun(self, room: Room) -> None:
        """The store knows of the turn."""
        if self._progress is not None:
            self._progress.begun()
            self._show(room)

    def waits(self, room: Room, *, waits: bool) -> None:
        """Whether the turn waits for a person."""
        if self._progress is not None and self._progress.waits != waits:
            self._progress.waits = waits
            self._show(room)

    def take(self, room: Room, event: TextGrew | ToolStarted | ToolEnded | AgentNoted | FileOffered) -> None:
        """Something happened in a run."""
        if self._progress is not None and self._turn == event.turn:
            self._progress.take(event, trio.current_time())
            self._show(room)

    def again(self, room: Room) -> None:
        """Time to send it again."""
        if self._progress is not None:
            self._show(room)
            self._wind()

    def cut_off(self) -> None:
        """The agent is gone."""
        if self._progress is not None:
            self._progress.cut_off()

    def end(self) -> None:
        """The turn is over."""
        self._progress = self._turn = None
        if self._timer is not None:
            self._timer.cancel()

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()  # a tick that was on its way when its turn ended comes to the next one
        self._timer = self._context.send_after(SHOW_EVERY, Tick())

    def _show(self, room: Room) -> None:
        if self._progress is not None:
            self._tell(self._progress.picture(room.settings.verbose))
