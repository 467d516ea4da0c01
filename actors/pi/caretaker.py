"""The cages' place in the tree: shows how agents are contained, and sees to it that a keeper is there.

Nobody speaks to it. The cages outlive it; while it restarts agents run on as they are.
"""

from typing import Final, Never

import trio

from actors.pi.cages import Cages
from supervisor import Actor, Description, Mailbox, Overflow

LOOK_EVERY: Final = 5.0
"""Seconds, at most, for which a killed service could leave agents because its keeper had been killed before it."""


class Caretaker(Actor[Never]):
    """Takes care of the cages. `sandbox`: what sub-agents see, in a short line that is shown beside."""

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(self, cages: Cages, sandbox: str = "") -> None:
        self._cages = cages
        self._sandbox = sandbox

    async def started(self) -> None:
        self.context.start_soon(self._look_after)

    def describe(self) -> Description:
        shown = "; ".join(filter(None, (self._cages.summary(), self._sandbox)))
        return Description(doing=shown, pid=self._cages.keeper)

    async def _look_after(self) -> None:
        while True:
            await self._cages.look_after_keeper()
            await trio.sleep(LOOK_EVERY)
