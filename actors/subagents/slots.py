"""Who of all sub-agents begins, goes on, waits and is told to end now.

Pure: rows and bounds in, what is to be done out; the registrar does it. A slot is held by whoever prepares or runs and
does not wait for others. Who waits holds none, and comes before the queue once what it waits for has ended: so with any
bound from 1 every tree of waiting parents ends. The queue is in the order in which it came, but a room that has all
that it may have holds up no other room.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from actors.messages import Bounds, Subagent, SubagentState

__all__ = ["Counts", "Decision", "count", "decide"]


class Decision(NamedTuple):
    """What is to be done, each in the order in which it is to be.

    `end`: queued ones that are to end; nothing of them ever ran. `stop`: those at work that are to end, and below which
    all has ended, the deepest first. `grant`: those that waited and go on. `begin`: queued ones. `ahead`: of all that
    stay queued, how many must end or wait before it can begin, from 1.
    """

    end: tuple[Subagent, ...]
    stop: tuple[Subagent, ...]
    grant: tuple[Subagent, ...]
    begin: tuple[Subagent, ...]
    ahead: Mapping[str, int]


class Counts(NamedTuple):
    """How many there are: `run` hold a slot, `wait` for their own sub-agents, `queued` for a slot."""

    run: int
    wait: int
    queued: int


def count(rows: Sequence[Subagent]) -> Counts:
    """How many of these rows are where."""
    queued = sum(sub.state is SubagentState.QUEUED for sub in rows)
    run = sum(_holds(sub) for sub in rows)
    return Counts(run, sum(not sub.ended for sub in rows) - run - queued, queued)


def decide(rows: Sequence[Subagent], bounds: Bounds) -> Decision:
    """What is to be done now.

    `rows`: all open ones, oldest first, and of each that waits also those of its children that have ended and whose
    report a tool call of it still awaits; others that have ended change nothing.
    """
    is_open = [sub for sub in rows if not sub.ended]
    busy = {sub.parent for sub in is_open}
    places = _Places(bounds, is_open)
    ready = [sub for sub in is_open if sub.waiting and sub.stop is None and not _is_held_up(sub, rows)]
    grant = tuple(sub for sub in ready if places.take(sub.room))
    queue = [sub for sub in is_open if sub.state is SubagentState.QUEUED and sub.stop is None]
    begin = tuple(sub for sub in queue if places.take(sub.room))
    taken = {sub.slug for sub in (*grant, *begin)}
    return Decision(
        end=tuple(sub for sub in is_open if sub.state is SubagentState.QUEUED and sub.stop is not None),
        stop=tuple(
            sorted(
                (sub for sub in is_open if sub.stop is not None and _works(sub) and sub.slug not in busy),
                key=lambda sub: -sub.depth,
            )
        ),
        grant=grant,
        begin=begin,
        ahead=_ahead([sub for sub in (*ready, *queue) if sub.slug not in taken], places),
    )


class _Places:
    """The slots that are taken, in all and by each room."""

    def __init__(self, bounds: Bounds, rows: Sequence[Subagent]) -> None:
        self._bounds = bounds
        self._rooms = Counter(sub.room for sub in rows if _holds(sub))

    def take(self, room: str) -> bool:
        """Take a slot for a room, if there is one."""
        if self.is_full(room) or self.is_full():
            return False
        self._rooms[room] += 1
        return True

    def is_full(self, room: str | None = None) -> bool:
        """Whether a room has all the slots that one may have; None: whether all are taken."""
        if room is None:
            return self._rooms.total() >= self._bounds.max
        return self._rooms[room] >= self._bounds.max_per_room


def _ahead(left: Sequence[Subagent], places: _Places) -> dict[str, int]:
    """`left`: those for whom there is no slot, in the order in which they come.

    Where a room is full, all before it in that room count; where the service is, all but those that a room holds up.
    """
    ahead: dict[str, int] = {}
    rooms: Counter[str] = Counter()
    others = 0
    for sub in left:
        full = places.is_full(sub.room)
        rooms[sub.room] += 1
        others += not full
        if sub.state is SubagentState.QUEUED:
            ahead[sub.slug] = max(full * rooms[sub.room], places.is_full() * (others + full))
    return ahead


def _is_held_up(sub: Subagent, rows: Sequence[Subagent]) -> bool:
    """Whether somebody whom it waits for has not ended: by a tool call, or between two runs then any child."""
    children = [each for each in rows if each.parent == sub.slug]
    awaited = [each for each in children if each.awaited]
    return any(not each.ended for each in awaited or children)


def _holds(sub: Subagent) -> bool:
    return _works(sub) and not sub.waiting


def _works(sub: Subagent) -> bool:
    return sub.state in (SubagentState.PREPARING, SubagentState.RUNNING)
