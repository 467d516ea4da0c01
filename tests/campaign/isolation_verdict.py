"""What the isolation campaign says of its figures: how much slower people were served beside a bad room, and how sure.

Pure. A message counts where it was sent, be its answer as late as it may: else the slowest would all count as beside.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.bench.telegram_table import percentile
from tests.campaign.table import Line

GOAL: Final = 1.2
"""How many times as long the slowest answers may take beside a bad room."""
_DRAWS: Final = 400


class Sample(NamedTuple):
    """A message: when it was sent, and how many seconds its answer took."""

    at: float
    seconds: float


class Span(NamedTuple):
    """From one instant to another."""

    begin: float
    end: float


@dataclass
class Episode:
    """One kind, as it went, with what the tree and the chat showed of it. `timed`: people can be answered meanwhile.

    `quiet` and `bad`: when nothing was bad, and when it was. `broken`: a sentence for each promise.
    """

    kind: str
    timed: bool = True
    begin: float = 0.0
    end: float = 0.0
    quiet: list[Span] = field(default_factory=list)
    bad: list[Span] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    tree: str = ""
    chat: str = ""
    notes: list[str] = field(default_factory=list)

    def without(self, samples: Sequence[Sample]) -> list[float]:
        """The seconds of those messages that were sent while nothing was bad, nor just about to be."""
        return [s.seconds for s in samples if any(quiet.begin <= s.at < quiet.end for quiet in self.quiet)]

    def beside(self, samples: Sequence[Sample]) -> list[float]:
        """The seconds of those that were sent while something was bad."""
        return [s.seconds for s in samples if any(bad.begin <= s.at < bad.end for bad in self.bad)]


def ratio(without: Sequence[float], beside: Sequence[float]) -> float:
    """How many times as long the 99th percentile is; not a number where one of them is empty."""
    return percentile(beside, 99) / percentile(without, 99)


def between(without: Sequence[float], beside: Sequence[float]) -> tuple[float, float]:
    """Where nine of ten such ratios lie, as drawn again from the same figures: how much of it is chance."""
    chance = random.Random(len(without))
    drawn = sorted(
        ratio(chance.choices(without, k=len(without)), chance.choices(beside, k=len(beside))) for _ in range(_DRAWS)
    )
    return drawn[_DRAWS // 20], drawn[-1 - _DRAWS // 20]


def lines(episodes: Sequence[Episode], samples: Sequence[Sample]) -> Iterator[Line]:
    """The lines of all kinds. What was measured right before and right after a kind is without it as well."""
    for at, episode in enumerate(episodes):
        yield Line(episode.kind, f"{len(episode.broken)} broken", "0 broken", not episode.broken)
        around = episodes[max(0, at - 1) : at + 2]
        without = [seconds for each in around for seconds in each.without(samples)]
        beside = episode.beside(samples)
        if episode.timed and without and beside:
            yield slower("  p99 beside it, to p99 without", without, beside)
        if without and beside:
            yield Line(f"  {figures('without', without)}; {figures('beside', beside)}", "")
        for words in (f"tree: {episode.tree}", f"chat: {episode.chat}", *episode.notes):
            yield Line(f"  {words}", "")


def together(shown: Sequence[tuple[Sequence[Episode], Sequence[Sample]]]) -> list[Line]:
    """The lines of all that was measured, of whatever kind."""
    timed = [(episode, samples) for episodes, samples in shown for episode in episodes if episode.timed]
    without = [seconds for episode, samples in timed for seconds in episode.without(samples)]
    beside = [seconds for episode, samples in timed for seconds in episode.beside(samples)]
    if not without or not beside:
        return []
    return [
        slower("all kinds together", without, beside),
        Line(f"  {figures('without', without)}; {figures('beside', beside)}", ""),
    ]


def slower(title: str, without: Sequence[float], beside: Sequence[float]) -> Line:
    """The ratio, where it may lie by chance, and the goal."""
    found = ratio(without, beside)
    least, most = between(without, beside)
    return Line(f"{title} ({least:.2f}–{most:.2f})", f"{found:.2f} x", f"{GOAL} x", found <= GOAL)


def figures(title: str, seconds: Sequence[float]) -> str:
    """The percentiles of some messages."""
    p50, p99 = (percentile(seconds, which) * 1e3 for which in (50, 99))
    return f"{title} p50 {p50:.0f}, p99 {p99:.0f} ms of {len(seconds)}"
