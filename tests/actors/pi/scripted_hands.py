"""Hands with a script, for tests of an agent's tools: they answer at once, or when the test lets them.

A call with `wait` waits until `let_go`; one whose task is `slow` only takes so long; one of `refusals` raises that.
They say when a turn begins to wait and when it goes on, as the true ones do, and keep what they were asked.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from actors.pi.hands import Answered
from actors.pi.host_tools import CheckSubagent, Delegation, SpawnSubagent


class Asked(NamedTuple):
    """One call, as the hands were given it."""

    turn: str
    call: str
    dialog: str
    wanted: Delegation


class ScriptedHands:
    """Made once and given to each process: `make` is what an agent takes."""

    def __init__(self, refusals: dict[str, Exception] | None = None) -> None:
        self.asked: list[Asked] = []
        self.looks = 0
        self.made = 0
        self.cancelled: list[Delegation] = []
        self.waiting = 0
        self._refusals = refusals or {}
        self._go = trio.Event()
        self._tell: Callable[[str, bool], Awaitable[None]]

    def make(self, tell: Callable[[str, bool], Awaitable[None]]) -> "ScriptedHands":
        self.made += 1
        self._tell = tell
        return self

    @property
    def waits(self) -> bool:
        return self.waiting > 0

    def look(self) -> None:
        self.looks += 1

    def let_go(self) -> None:
        """Those that wait go on; the next ones wait anew."""
        self._go.set()
        self._go = trio.Event()

    async def until_asked(self, calls: int) -> None:
        """Wait until there were so many calls."""
        with trio.fail_after(30):
            while len(self.asked) < calls:  # noqa: ASYNC110 - pi is another process
                await trio.sleep(0.01)

    async def do(self, turn: str, call: str, dialog: str, wanted: Delegation) -> Answered:
        self.asked.append(Asked(turn, call, dialog, wanted))
        try:
            return await self._do(turn, wanted)
        except trio.Cancelled:
            self.cancelled.append(wanted)
            raise

    async def _do(self, turn: str, wanted: Delegation) -> Answered:
        match wanted:
            case SpawnSubagent(task=task) if task in self._refusals:
                raise self._refusals[task]
            case SpawnSubagent(task=""):
                return Answered("Error: the task is empty.", failed=True)
            case SpawnSubagent(wait=True, task=name) | CheckSubagent(wait=True, id=name):
                go, self.waiting = self._go, self.waiting + 1
                try:
                    if self.waiting == 1:
                        await self._tell(turn, True)
                    await go.wait()
                finally:
                    self.waiting -= 1
                if not self.waiting:
                    await self._tell(turn, False)
                return Answered(f"report of {name}")
            case SpawnSubagent(task="slow"):
                await self._go.wait()
                return Answered("begun at last")
            case SpawnSubagent(task=name):
                return Answered(f"begun: {name[:100]}")
            case _:
                return Answered(f"done: {wanted.id}")
