"""Looks on while an agent works, and does what `stalls` says of one that brings forth nothing.

A part of `live`, which knows the run and tells people. It waits for nobody: neither a full mailbox nor a pi that does
not answer keeps it from the next look.
"""

import logging
from collections.abc import Callable
from typing import Final, Never

import trio

from actors.pi import commands
from actors.pi.activity import NEVER_LATE, Doing
from actors.pi.errors import AgentHung
from actors.pi.link import Link
from actors.pi.run import Run
from actors.pi.stalls import SILENT, AskPi, EndRun, GiveUp, Patience, Stalls, Tell

WORTH_SAYING: Final = 60.0
"""Seconds of silence from which on the tree shows it."""

_log = logging.getLogger(__name__)


class Watch:
    """The watch over one process.

    `run`: the one that is on, if one is. `waits`: for whom it waits, a person or a sub-agent, if it does. `note`: tells
    people, at once or never.
    """

    def __init__(
        self,
        link: Link,
        patience: Patience,
        *,
        run: Callable[[], Run | None],
        waits: Callable[[], Doing | None],
        note: Callable[[str], None],
    ) -> None:
        self._link = link
        self._patience = patience
        self._run = run
        self._waits = waits
        self._note = note
        self._stalls = Stalls(patience, trio.current_time())
        self._asking = False

    @property
    def doing(self) -> Doing:
        """What the agent does now."""
        run, session = self._run(), self._link.session
        if run is None or not run.at_work:
            return Doing.COMPACTING if session.compacting else Doing.IDLE
        if (waits := self._waits()) is not None:
            return waits
        return session.doing if session.streaming or session.compacting else Doing.BETWEEN

    @property
    def silence(self) -> float:
        """For how many seconds it has brought forth nothing, if that is worth saying; else 0."""
        silence = self._stalls.silence(self._link.session.moved, trio.current_time())
        return silence if silence >= WORTH_SAYING and self.doing not in NEVER_LATE else 0.0

    async def look_on(self) -> Never:
        """Look, again and again. Raises AgentHung for a pi that does not answer and has no run to be ended."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self._patience.look)
                self._look(nursery)
        raise AssertionError("a nursery ends by its tasks only")

    def _look(self, nursery: trio.Nursery) -> None:
        now, session = trio.current_time(), self._link.session
        if self._link.deaf:
            self._stalls.rest(now)
            return
        *_, tool = ("", *(each.name for each in session.tools.values()))
        for step in self._stalls.look(self.doing, tool, session.moved, now):
            match step:
                case Tell(text):
                    _log.warning("%s", text)
                    self._note(text)
                case AskPi() if self._asking:
                    pass  # what it was asked before is not answered yet, and will be
                case AskPi():
                    nursery.start_soon(self._ask)
                case EndRun(why):
                    if (run := self._run()) is not None:
                        run.end_stalled(why)
                case GiveUp(seconds):
                    self._give_up(AgentHung("did not answer", seconds))

    def _give_up(self, hung: AgentHung) -> None:
        run = self._run()
        if run is None or not run.at_work:
            raise hung
        run.end_stalled(SILENT, hung)

    async def _ask(self) -> None:
        """pi answers this in whatever it is, unless it is stopped or spins."""
        self._asking = True
        await self._link.call(commands.GetState())
        self._asking = False
        self._stalls.answered(trio.current_time())
