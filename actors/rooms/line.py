"""The messages that wait in a room: which of them belong together, and what is done with each while the agent is busy.

Pure. The rows are the store's; what is remembered here beside them (who was told, what a person chose by a button) is a
courtesy that a crash may forget. What a stop has held waits for a person's word, and is nobody's work until then.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from actors.messages import BusyMode, DeliveryKind, NewDelivery, Queued, Room
from actors.phrases import lasting
from actors.rooms import words
from actors.rooms.reports import are_reports, fits
from actors.rooms.steps import AwaitBurst, LookAgain, Step, TellPeople
from supervisor import Message

BURST_QUIET: Final = 0.7
"""Seconds after which a burst is taken to be complete."""
MOST_UNSENT: Final = 100
"""Deliveries to a place that have not arrived, up to which its room begins another turn."""
LOOK_EVERY: Final = 5.0
"""Seconds until a room that waits for them looks again."""
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
        if found and row.burst is not None and found[-1][-1].burst == row.burst and fits(row, found[-1]):
            found[-1].append(row)
        else:
            found.append([row])
    return [tuple(group) for group in found]


class Line:
    """One room's queue, oldest first. `busy`: what the configuration says of messages that find the agent busy.

    `held`: what a stop found waiting, oldest first.
    """

    def __init__(self, busy: BusyMode) -> None:
        self.rows: Group = ()
        self.held: Group = ()
        self._leaving: set[int] = set()  # what is taken out of it, until the store has committed that
        self._busy = busy
        self._chosen: dict[int, BusyMode] = {}
        self._told: set[int] = set()  # whose note says that they wait
        self._noted: set[int] = set()  # who has a note at all, whatever it says
        self._seen_held: set[int] = set()
        self._announced: set[int] = set()  # those that are held, as their people know
        self._expected: set[int] = set()  # of these, those of which the store does not say so yet
        self._backlog = 0
        self._looking = False  # a look is due
        self._congested = False  # and somebody was told why
        self._awaited: int | None = None
        self._quiet: int | None = None

    def update(
        self,
        rows: Sequence[Queued],
        held: Sequence[Queued] = (),
        taken: Sequence[Queued] = (),
        backlog: int = 0,
    ) -> None:
        """The rows as they are now. `taken`: those of the open turn. `backlog`: deliveries that have not arrived."""
        self._backlog, self._looking = backlog, False
        ids, held_ids = {row.id for row in rows}, {row.id for row in held}
        self._leaving &= ids | held_ids
        self.rows = tuple(row for row in rows if row.id not in self._leaving)
        self.held = tuple(row for row in held if row.id not in self._leaving)
        self._chosen = {id: mode for id, mode in self._chosen.items() if id in ids}
        self._told &= ids
        self._noted = {row.id for row in (*rows, *held, *taken) if row.noted or row.id in self._noted}
        self._expected -= held_ids
        self._announced &= held_ids | self._expected

    def leave(self, ids: Iterable[int]) -> None:
        """These are about to wait no more."""
        self._leaving.update(ids)
        self.rows = tuple(row for row in self.rows if row.id not in self._leaving)
        self.held = tuple(row for row in self.held if row.id not in self._leaving)

    def left(self, ids: Iterable[int]) -> None:
        """It is committed that they do not wait; should they come back, they do."""
        self.leave(ids)
        self._leaving.difference_update(ids)

    def group_of(self, inbound: int, *, or_held: bool = False) -> Group:
        """The waiting message with this id and those that belong to it; empty if it does not wait."""
        found = [*groups(self.rows), *(groups(self.held) if or_held else ())]
        return next((group for group in found if any(row.id == inbound for row in group)), ())

    def mode(self, group: Group, room: Room) -> BusyMode:
        """What is done with this group: what a person chose for it, or wrote, or set for the room, or the default.

        Reports always wait: their agent was told that they come when it has ended its turn.
        """
        first = group[0]
        if are_reports(group):
            return "follow_up"
        return self._chosen.get(first.id) or first.mode or room.settings.busy or self._busy

    def choose(self, group: Group, mode: BusyMode) -> None:
        """A person has chosen for this group."""
        self._chosen[group[0].id] = mode

    def tell(self, group: Group) -> bool:
        """Whether its person has still to be told that it waits; from now on they have been."""
        news = group[0].id not in self._told
        self._told.add(group[0].id)
        self.note(group[0].id)
        return news

    def note(self, inbound: int) -> None:
        """This message has a note in the chat from now on."""
        self._noted.add(inbound)

    def was_told(self, group: Group) -> bool:
        """Whether its person was told something of it, which is true no longer when it begins."""
        return group[0].id in self._noted

    # --- what is held

    def newly_held(self) -> list[TellPeople]:
        """The notes of those that have been held since this was asked last, to say so."""
        new = [group for group in groups(self.held) if group[0].id not in self._seen_held]
        self._seen_held = {row.id for row in self.held}
        return [TellPeople((words.held_back(group[0]),)) for group in new if group[0].id in self._noted]

    @property
    def unannounced(self) -> bool:
        """Whether something is held of which nobody has been told."""
        return any(row.id not in self._announced for row in self.held)

    def announce(self, more: Sequence[Queued] = ()) -> int:
        """How many messages are held, and `more` that are about to be; from now on their people know."""
        rows = sorted((*self.held, *more), key=lambda row: row.id)
        self._announced.update(row.id for row in rows)
        self._expected = {row.id for row in more}
        return len(groups(rows))

    def old(self, group: Group) -> list[TellPeople]:
        """A word about a message that was long in coming: what it is about may have changed since."""
        first = group[0]
        late = first.accepted_at - first.at
        if late <= OLD:
            return []
        text = f"I was away: this message is {lasting(late)} old. I do it now."
        told = NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=first.message_id, key=f"old:{first.id}")
        return [TellPeople((told,))]

    def congestion(self, group: Group) -> list[Step] | None:
        """What is done in place of beginning this group, as long as too much that was said has not arrived."""
        if self._backlog <= MOST_UNSENT:
            self._congested = False
            return None
        steps: list[Step] = [] if self._looking else [LookAgain(LOOK_EVERY)]
        if not self._congested and not are_reports(group):
            self.note(group[0].id)
            steps.append(TellPeople((words.congested(group[0], self._backlog),)))
            self._congested = True
        self._looking = True
        return steps

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
