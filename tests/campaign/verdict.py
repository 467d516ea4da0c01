"""What a kill campaign has shown: its notes, and the tables that are made of them.

Pure. A promise that was broken is a sentence; how long something took is only a figure, with its goal.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.telegram_table import milliseconds, percentile
from tests.campaign.ledger import Ledger, tally
from tests.campaign.table import Line, Table, promise

CUT_OFF: Final = 3
"""How often a message may be cut off before it is set aside; a campaign never does it so often."""
GOAL: Final = 1.5
"""Seconds from a start to the first answer that somebody had waited for."""


@dataclass
class Start:
    """One start of the service, in seconds of the campaign's clock. `waited`: the messages that it found unanswered.

    Then when it was first seen to poll, to have an agent ask the model, and to answer one of those messages. `held_up`:
    Telegram had refused something in that chat before, as too much after what was sent before the kill.
    """

    at: float
    waited: frozenset[int] = frozenset()
    polled: float | None = None
    asked: float | None = None
    answered: float | None = None
    held_up: bool = False


@dataclass
class Tale:
    """What happened: `kills` by what they waited for, `found` by what they found, and what came of it all.

    `handed`: how often each message stands in pi's sessions, which a person's word may make twice. `previews`,
    `pressable`: messages that at the end still say that somebody is at work, and others that still have buttons.
    """

    pi: str = "real"
    ledger: Ledger = field(default_factory=Ledger)
    starts: list[Start] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    agents: int = 0
    orphans: list[str] = field(default_factory=list)
    handed: Counter[int] = field(default_factory=Counter)
    rows: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    presses: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    previews: int = 0
    pressable: int = 0
    lasted: float = 0.0
    other: list[str] = field(default_factory=list)
    """Whatever else should not be, in sentences."""

    @property
    def set_aside(self) -> int:
        """Turns that were quarantined."""
        return self.outcomes.get("quarantined", 0)

    def handed_twice(self) -> list[int]:
        """Messages that an agent was given more than once, though nobody said so."""
        return sorted(n for n, count in self.handed.items() if count > 1 and n not in self.ledger.moved)

    def broken(self) -> list[str]:
        """A sentence for each promise that was not kept."""
        aside = f"{self.set_aside} turns were set aside, though no message was cut off {CUT_OFF} times"
        return [
            *self.ledger.told(),
            *(f"message {n} was given to its agent {self.handed[n]} times" for n in self.handed_twice()),
            *(f"in the database: {row}" for row in self.rows),
            *self.orphans,
            *([aside] if self.set_aside else []),
            *self.other,
        ]


def table(tale: Tale) -> Table:
    """All of one campaign."""
    ledger = tale.ledger
    lines = [
        Line("messages", f"{len(ledger.said)}"),
        Line("answers, as messages of Telegram", f"{len(ledger.finals)}"),
        Line("kills of the service", f"{sum(tale.kills.values())}"),
        *(Line(f"  {when}", f"{count}") for when, count in sorted(tale.kills.items())),
        *(Line(f"  found {what}", f"{count}") for what, count in sorted(tale.found.items())),
        Line("kills left out, not to be one too many", f"{tale.left_out}"),
        Line("kills of an agent beside", f"{tale.agents}"),
        *(Line(f"turns in {_times(n)}", f"{count}") for n, count in sorted(tale.attempts.items())),
        promise("lost", ledger.waiting()),
        promise("answered twice without a word", ledger.unmarked()),
        Line("answered twice, marked", f"{ledger.marked()}"),
        promise("given to the agent twice", tale.handed_twice()),
        promise("out of order", ledger.disorder()),
        promise("stray answers", ledger.strays()),
        Line("set aside", f"{tale.set_aside}", "0", not tale.set_aside),
        promise("rows not at their end", tale.rows),
        promise("processes that survived", tale.orphans),
        promise("other", tale.other),
        *measured(tale.starts),
        Line("calls that Telegram refused as too many", f"{tale.refused}"),
        Line("previews left standing", f"{tale.previews}"),
        Line("other messages whose buttons were left", f"{tale.pressable}"),
        Line("lasted", f"{tale.lasted:.0f} s"),
        Line(f"turns ended: {tally(tale.outcomes)}", ""),
        Line(f"buttons pressed: {tally(tale.presses)}", ""),
    ]
    return Table(f"{sum(tale.kills.values())} kills, {tale.pi} pi", lines, tale.broken())


def measured(starts: Sequence[Start]) -> list[Line]:
    """From the start of the process to the first answer that a message had waited for, and what that is made of.

    Of the answers only those count before which their own start asked the model: a model's time is in them too.
    """
    whole = [start.answered - start.at for start in starts if start.answered is not None]
    polled = [start.polled - start.at for start in starts if start.polled is not None]
    asked = [s.asked - s.polled for s in starts if s.asked is not None and s.polled is not None]
    told = [s.answered - s.asked for s in starts if s.answered is not None and s.asked is not None]
    free = [start.answered - start.at for start in starts if start.answered is not None and not start.held_up]
    p50, p99 = percentile(whole, 50), percentile(whole, 99)
    return [
        Line("start → first answer, p50", milliseconds(p50), f"{GOAL} s", p50 <= GOAL),
        Line("start → first answer, p99", milliseconds(p99), f"{GOAL} s", p99 <= GOAL),
        Line("  so often", f"{len(whole)}"),
        Line("  of these not held up by Telegram", f"{len(free)}"),
        Line("  and then p50", milliseconds(percentile(free, 50))),
        Line("  and then p99", milliseconds(percentile(free, 99))),
        Line("  start → first poll, p50", milliseconds(percentile(polled, 50))),
        Line("  first poll → model asked, p50", milliseconds(percentile(asked, 50))),
        Line("  model asked → answer, p50", milliseconds(percentile([each for each in told if each >= 0], 50))),
    ]


def figures(tales: Sequence[Tale]) -> list[Line]:
    """What of all the campaigns belongs in the one table of figures."""
    ledgers = [tale.ledger for tale in tales]
    return [
        Line("messages handled", f"{sum(len(ledger.said) for ledger in ledgers)}"),
        Line("kills of the service", f"{sum(sum(tale.kills.values()) for tale in tales)}"),
        Line("kills of agents beside", f"{sum(tale.agents for tale in tales)}"),
        promise("lost", [n for ledger in ledgers for n in ledger.waiting()]),
        promise("duplicates, unmarked", [n for ledger in ledgers for n in ledger.unmarked()]),
        Line("duplicates, marked", f"{sum(ledger.marked() for ledger in ledgers)}"),
        promise("rows left running", [row for tale in tales for row in tale.rows]),
        promise("orphans", [orphan for tale in tales for orphan in tale.orphans]),
        *measured([start for tale in tales if tale.pi == "real" for start in tale.starts])[:2],
    ]


def _times(number: int) -> str:
    return "one attempt" if number == 1 else f"{number} attempts"
