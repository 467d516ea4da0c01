"""The messages that wait in a room: which of them belong together, and what is done with each while the agent is busy.

Pure. The rows are the store's; what is remembered here beside them (who was told, what a person chose by a button) is a
courtesy that a crash may forget.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from actors.messages import BusyMode, DeliveryKind, NewDelivery, Queued, Room
from actors.phrases import lasting
from actors.rooms.steps import AwaitBurst, TellPeople
from supervisor import Message

BURST_QUIET: Final = 0.7
"""Seconds after which a burst is taken to be complete."""
OLD: Final = 600.0
"""Seconds on the way after which people are told that their message was long in coming."""

Group = tuple[Queued, ...]


class BurstQuiet(Message):
    """A timer's message: perhaps nothing has come behind this one of a burst."""

    newest: int


def groups(rows: Iterable[Queued]) -> list[Group]:
    """The rows in order, those of one burst that stand together as one."""
    found: list[list[Queued]] = []
    for row in rows:
        if found and row.burst is not None and found[-1][-1].burst == row.burst:
            found[-1].append(row)
        else:
            found.append([row])
    return [tuple(group) for group in found]


class Line:
    """One room's queue, oldest first. `busy`: what the configuration says of messages that find the agent busy."""

    def __init__(self, busy: BusyMode) -> None:
        self.rows: Group = ()
        self._leaving: set[int] = set()  # what is taken out of it, until the store has committed that
        self._busy = busy
        self._chosen: dict[int, BusyMode] = {}
        self._told: set[int] = set()
        self._awaited: int | None = None
        self._quiet: int | None = None

    def update(self, rows: Sequence[Queued]) -> None:
        """The rows as they are now."""
        ids = {row.id for row in rows}
        self._leaving &= ids
        self.rows = tuple(row for row in rows if row.id not in self._leaving)
        self._chosen = {id: mode for id, mode in self._chosen.items() if id in ids}
        self._told &= ids

    def leave(self, ids: Iterable[int]) -> None:
        """These are about to wait no more."""
        self._leaving.update(ids)
        self.rows = tuple(row for row in self.rows if row.id not in self._leaving)

    def left(self, ids: Iterable[int]) -> None:
        """It is committed that they do not wait; should they come back, they do."""
        self.leave(ids)
        self._leaving.difference_update(ids)

    def group_of(self, inbound: int) -> Group:
        """The waiting message with this id and those that belong to it; empty if it does not wait."""
        return next((group for group in groups(self.rows) if any(row.id == inbound for row in group)), ())

    def mode(self, group: Group, room: Room) -> BusyMode:
        """What is done with this group: what a person chose for it, or wrote, or set for the room, or the default."""
        first = group[0]
        return self._chosen.get(first.id) or first.mode or room.settings.busy or self._busy

    def choose(self, group: Group, mode: BusyMode) -> None:
        """A person has chosen for this group."""
        self._chosen[group[0].id] = mode

    def tell(self, group: Group) -> bool:
        """Whether its person has still to be told that it waits; from now on they have been."""
        news = group[0].id not in self._told
        self._told.add(group[0].id)
        return news

    def was_told(self, group: Group) -> bool:
        """Whether its person was told that it waits."""
        return group[0].id in self._told

    def old(self, group: Group) -> list[TellPeople]:
        """A word about a message that was long in coming: what it is about may have changed since."""
        first = group[0]
        late = first.accepted_at - first.at
        if late <= OLD:
            return []
        text = f"I was away: this message is {lasting(late)} old. I do it now."
        told = NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=first.message_id, key=f"old:{first.id}")
        return [TellPeople((told,))]

    # --- bursts

    def complete(self, group: Group) -> bool:
        """Whether no more will come to this group."""
        last = group[-1]
        return last.burst is None or last.id == self._quiet or last.id != self.rows[-1].id

    def awaiting(self, group: Group) -> list[AwaitBurst]:
        """The wait for the rest of this group, unless it is on."""
        if self._awaited == group[-1].id:
            return []
        self._awaited = group[-1].id
        return [AwaitBurst(group[-1].id)]

    def quiet(self, newest: int) -> None:
        """Nothing came behind this row for as long as a burst may pause."""
        self._quiet = newest
