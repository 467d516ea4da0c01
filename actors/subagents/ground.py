"""Where a sub-agent works, as far as the one that leads it has to know: made for it, left as it is, and gathered in.

A handful of functions, so that the life of a sub-agent can be led without folders.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from actors.messages import Changes, Subagent
from actors.subagents.words import Kind

__all__ = ["Ground", "Made", "Unmade"]


class Made(NamedTuple):
    """A workspace that is ready. `left_out`: sentences about what could not come with it."""

    kind: Kind
    left_out: tuple[str, ...] = ()


class Unmade(Exception):
    """It cannot be made, or what was done in it cannot be kept; in one sentence that names the mend."""


class Ground(NamedTuple):
    """`look`: what there is already, None if it was never finished. `make`: makes it of the workspace at this path of
    its parent, telling how that goes; raises `Unmade`; cancelled, it leaves nothing. `gather`: what was changed, None
    if that is nothing; to be called when nobody works there any more; raises `Unmade`. `home`: its absolute path.
    """

    home: Callable[[str], str]
    look: Callable[[str], Awaitable[Made | None]]
    make: Callable[[Subagent, str, Callable[[str], None]], Awaitable[Made]]
    gather: Callable[[Subagent], Awaitable[Changes | None]]
