"""What the sub-agents' campaign says of what it saw: each promise that was not kept, in a sentence.

Pure. `Watch` is shown the rows and the processes again and again while all goes on; `judge` is shown all that there is
when it has fallen silent. A report may be missing where a person stopped the turn or the room that was to hear it, or
where its message was set aside; a line may be there twice where its repetition was marked as one.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from tests.campaign.table import Line, Table, promise

REPETITION: Final = "You may have this already:"
LINGER: Final = 5.0
"""Seconds for which a process of a sub-agent may be there after its end."""
STARVES: Final = 15.0
"""Seconds for which one may wait though there is a place for it."""
WORDS: Final = {
    "completed": "completed",
    "failed": "failed",
    "timed_out": "timed out",
    "cancelled": "cancelled",
    "lost": "lost",
}
"""The ends that there are, and how people are told."""
_KILLED: Final = re.compile(r"/agent failed: pi ended, ")
"""What breaks because it is killed."""


class Kind(StrEnum):
    """What kind of promise was broken."""

    MISSING = "reports and lines missing"
    TWICE = "reports, lines and ends twice"
    LEFT = "processes, folders, sessions, rows left"
    BOUNDS = "bounds broken, places not given"
    ELSE = "anything else"


class Broken(NamedTuple):
    """A promise that was not kept."""

    kind: Kind
    said: str


class Sub(NamedTuple):
    """A sub-agent's row; the fields are the table's columns."""

    slug: str
    room: str
    parent: str | None = None
    by: int | None = None
    state: str = "completed"
    awaited: int = 0
    waiting: int = 0
    quiet: int = 0
    stop: str | None = None
    told_turn: str | None = None
    heard: int = 0
    kept: str | None = None
    text: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it has a place."""
        return self.state in ("preparing", "running") and not self.waiting


class Bounds(NamedTuple):
    """How many may have a place at once, in all and of one room."""

    all: int
    room: int


@dataclass
class Facts:
    """What there is when all has fallen silent.

    `said`: what stands in each room's chat; `sent`: all that was ever sent to it. `read`: what each agent was given, by
    its slug: messages, and results of its tools; of an agent whose session nobody saw, nothing. `set_aside`: whose
    reports are in messages that were, or whose turn a person stopped. `stopped`: the turns that a person stopped.
    `ends`: how often the end of each was noted. `results`: whose results there are. `left`: what should not be there.
    `failures`: lines of the log that tell of something that broke.
    """

    rows: Sequence[Sub]
    said: Mapping[str, Sequence[str]]
    sent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read: Mapping[str, Sequence[str]] = field(default_factory=dict)
    set_aside: Collection[str] = ()
    stopped: Collection[str] = ()
    ends: Mapping[str, int] = field(default_factory=dict)
    results: Collection[str] = ()
    left: Sequence[str] = ()
    failures: Sequence[str] = ()


def judge(facts: Facts) -> list[Broken]:
    """All that was not kept, of what can be seen at the end."""
    rows = {row.slug: row for row in facts.rows}
    found = [Broken(Kind.LEFT, each) for each in facts.left]
    found += [Broken(Kind.ELSE, f"the log has {line}") for line in facts.failures if not _KILLED.search(line)]
    for row in facts.rows:
        if row.ended_at is None:
            found.append(Broken(Kind.LEFT, f"sub-agent {row.slug} is {row.state}"))
        else:
            found += [*_end(row, facts), *_shown(row, facts), *_heard(row, rows, facts)]
    return found


def reports(texts: Sequence[str], slug: str) -> int:
    """How many reports of that one these texts hold."""
    return sum(text.count(f"[Report of sub-agent {slug}.") for text in texts)


def lines(texts: Sequence[str], slug: str) -> list[str]:
    """The messages of these that are the line of that one."""
    return [text for text in texts if re.match(rf"(?:\S+ {REPETITION}\s+)?{_line(slug)}", text)]


def _line(slug: str) -> str:
    """How its line begins; one that another has begun is said to be of that."""
    return rf"Sub-agent {re.escape(slug)}(?: of \S+)?: "


def _end(row: Sub, facts: Facts) -> Iterator[Broken]:
    if row.state not in WORDS:
        yield Broken(Kind.ELSE, f"{row.slug} ended as {row.state}")
    if row.waiting or row.awaited:
        yield Broken(Kind.LEFT, f"{row.slug} has ended and still waits, or is waited for")
    if (ends := facts.ends.get(row.slug, 0)) != 1:
        yield Broken(Kind.TWICE if ends else Kind.MISSING, f"the end of {row.slug} was noted {ends} times")
    if row.parent is None and row.kept == "open" and row.slug not in facts.results:
        yield Broken(Kind.MISSING, f"what {row.slug} made is gone")


def _shown(row: Sub, facts: Facts) -> Iterator[Broken]:
    """What people see of it: one line that says its end and, of one that a person began, one answer."""
    said, sent = facts.said.get(row.room, ()), facts.sent.get(row.room, ())
    shown = lines(said, row.slug)
    again = sum(REPETITION in text for text in lines(sent, row.slug))
    ending = rf"{_line(row.slug)}{WORDS.get(row.state, row.state)}\b"
    if not any(re.search(ending, text) for text in shown):
        yield Broken(Kind.MISSING, f"people were not told that {row.slug} is {row.state}: {shown}")
    if len(shown) > 1 + again:
        yield Broken(Kind.TWICE, f"people see {row.slug} {len(shown)} times: {shown}")
    footer = f"sub-agent {row.slug}: "
    answers = [text for text in said if text.strip().rpartition("\n")[2].startswith(footer)]
    again = sum(REPETITION in text for text in sent if text.strip().rpartition("\n")[2].startswith(footer))
    if row.by is not None and row.text.strip() and not answers:
        yield Broken(Kind.MISSING, f"the person who began {row.slug} has no answer")
    if len(answers) > (row.by is not None) + again:
        yield Broken(Kind.TWICE, f"people have {len(answers)} answers of {row.slug}")


def _heard(row: Sub, rows: Mapping[str, Sub], facts: Facts) -> Iterator[Broken]:
    """What its parent's agent has read of it."""
    times = reports(facts.read.get(row.parent or row.room, ()), row.slug)
    said = f"{row.slug} ({row.state}) was heard {times} times"
    if times > (row.by is None):
        yield Broken(Kind.TWICE, said)
    if times or row.by is not None:
        return
    if row.parent is None:
        if not (row.quiet or row.slug in facts.set_aside or row.told_turn in facts.stopped):
            yield Broken(Kind.MISSING, said)
    elif rows[row.parent].state == "completed" and (row.parent in facts.read or not row.heard):
        yield Broken(Kind.MISSING, f"{said} by {row.parent}, which completed")


class Watch:
    """What must hold at every instant. `broken`: what did not, each told once; `most`: places taken at once."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.broken: list[Broken] = []
        self.most = 0
        self._ends: dict[str, tuple[str, float]] = {}
        self._since: dict[str, float] = {}  # there is a place for it
        self._told: set[str] = set()

    def look(self, now: float, rows: Sequence[Sub], processes: Mapping[str, int]) -> None:
        """The rows of one instant, and of how many processes there are of whom. `now`: Unix seconds."""
        taken = Counter(row.room for row in rows if row.holds)
        self.most = max(self.most, taken.total())
        if taken.total() > self.bounds.all:
            self._tell(Kind.BOUNDS, f"more than {self.bounds.all} have a place", f"{taken.total()}")
        for room, count in taken.items():
            if count > self.bounds.room:
                self._tell(Kind.BOUNDS, f"more than {self.bounds.room} of {room} have a place", f"{count}")
        for row in rows:
            if row.ended_at is not None:
                self._ended(now, row, processes.get(row.slug, 0))
        self._starving(now, rows, taken)

    def cut(self) -> None:
        """The service is not there for a while, so who waits for it begins anew."""
        self._since.clear()

    def _ended(self, now: float, row: Sub, processes: int) -> None:
        assert row.ended_at is not None
        if self._ends.setdefault(row.slug, (row.state, row.ended_at)) != (row.state, row.ended_at):
            self._tell(Kind.TWICE, f"{row.slug} ended a second time", row.state)
        if processes and now - row.ended_at > LINGER:
            self._tell(Kind.LEFT, f"{row.slug} has ended and has processes", f"{processes}, so late")

    def _starving(self, now: float, rows: Sequence[Sub], taken: Counter[str]) -> None:
        full = taken.total() >= self.bounds.all
        children = [row for row in rows if row.ended_at is None]
        held_up = {row.parent for row in children if row.awaited} | {
            row.parent for row in children if not any(each.awaited for each in children if each.parent == row.parent)
        }
        could = {
            row.slug
            for row in rows
            if (row.state == "queued" or (row.waiting and row.slug not in held_up))
            and row.ended_at is None
            and row.stop is None
            and not full
            and taken[row.room] < self.bounds.room
        }
        self._since = {slug: self._since.get(slug, now) for slug in could}
        for slug, since in self._since.items():
            if now - since > STARVES:
                self._tell(Kind.BOUNDS, f"{slug} waits though there is a place", f"for {STARVES:g} s")

    def _tell(self, kind: Kind, what: str, how: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.broken.append(Broken(kind, f"{what}: {how}"))


def table(title: str, rows: Sequence[Sub], trouble: Mapping[str, int], most: int, broken: Sequence[Broken]) -> Table:
    """What is shown. `trouble`: how often what was done."""
    done = ", ".join(f"{count} {what}" for what, count in sorted(trouble.items()))
    return Table(
        title,
        [
            Line(f"trouble: {done}", f"{sum(trouble.values())}"),
            Line("sub-agents begun", f"{len(rows)}"),
            *(Line(f"  {state}", f"{count}") for state, count in sorted(Counter(row.state for row in rows).items())),
            Line("  of these begun by sub-agents", f"{sum(row.parent is not None for row in rows)}"),
            Line("  of these begun by people", f"{sum(row.by is not None for row in rows)}"),
            Line("places taken at once, most", f"{most}"),
            *(promise(kind.value, [each for each in broken if each.kind is kind]) for kind in Kind),
        ],
        [each.said for each in broken],
    )
