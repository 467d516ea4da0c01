"""When the line about a sub-agent is told anew: at once if it is somewhere else, soon if it does something else.

A part of `subagent`. Times are monotonic seconds.
"""

from math import inf
from typing import Final

from actors.messages import Subagent

SHOW_EVERY: Final = 20.0
"""Seconds between two edits of the line while what it does changes."""
SHOW_AGE_EVERY: Final = 60.0
"""Seconds after which the line is edited although it does the same: it also says for how long."""

IN_GROUPS: Final = 6.0
"""How many times longer both are in a group: Telegram takes 20 messages and edits a minute there, of all together."""


class Showing:
    """What of one sub-agent is shown, and since when."""

    def __init__(self) -> None:
        self._where: tuple[object, ...] | None = None
        self._doing = ""
        self._at = -inf

    def due(self, sub: Subagent, doing: str, now: float, *, group: bool = False) -> bool:
        """Whether the line is to be told now; if it is, that counts as done.

        `doing`: what it does, in a few words. `group`: whether it is told in one.
        """
        where, since = (sub.state, sub.waiting, sub.stop), (now - self._at) / (IN_GROUPS if group else 1.0)
        same = where == self._where and (doing == self._doing or since < SHOW_EVERY)
        if same and since < SHOW_AGE_EVERY:
            return False
        self._where, self._doing, self._at = where, doing, now
        return True
