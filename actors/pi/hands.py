"""What an agent's delegating tools are done by: a pair of hands that it is given, because this folder knows no others.

Made for each process of an agent that has such tools, and used by `hosting`.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from actors.pi.host_tools import Delegation


class Answered(NamedTuple):
    """What the model is told, and whether that is the tool's error."""

    text: str
    failed: bool = False


class Hands(Protocol):
    """Does what one process of an agent asks."""

    @property
    def waits(self) -> bool:
        """Whether one of its calls waits for a sub-agent."""

    def look(self) -> None:
        """Somebody whom a call waits for may have ended."""

    async def do(self, turn: str, call: str, dialog: str, wanted: Delegation) -> Answered:
        """Do it, however long it takes. `call`: the tool call's id, as the session has it; `dialog`: unique in this
        process. Cancelled if pi waits for it no more.

        Several may be on at once: pi runs the calls of one message side by side, and their results come into the
        session when the last of them has ended. So an answer can be lost long after it was given.
        """


MakeHands = Callable[[Callable[[str, bool], Awaitable[None]]], Hands]
"""Makes the hands of a new process from what is to be told when a turn begins to wait for sub-agents (True) and when
it goes on (False)."""
