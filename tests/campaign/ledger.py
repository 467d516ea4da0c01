"""What people said and what arrived, and the verdicts on it: nothing lost, nothing twice without a word, all in order.

Pure. A message carries `say-<number>`; an answer to it carries `done-<number>` and the footer that every answer has.
What was sent again because nobody knows whether it had arrived begins with the mark of a repetition.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tests.campaign.mind import IDLE

ASKED: Final = re.compile(r"\bsay-(\d+)\b")
ANSWERED: Final = re.compile(r"\bdone-(\d+)\b")
FOOTER: Final = re.compile(r"\n\n\d+ (?:s|min|h)\b[^\n]*\Z")
REPETITION: Final = "♻️ You may have this already:"


@dataclass(frozen=True)
class Said:
    """A person's message. `at`: seconds of the campaign's clock."""

    number: int
    room: str
    at: float
    kind: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer as it arrived. `numbers`: the messages that it answers, in order; `marked`: perhaps a repetition."""

    room: str
    at: float
    numbers: tuple[int, ...]
    marked: bool
    text: str = ""


@dataclass
class Ledger:
    """All of a campaign."""

    said: dict[int, Said] = field(default_factory=dict)
    finals: list[Answer] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)
    """Those whose turn was put before a person: they are answered after the person's word, so out of order."""
    _open: dict[int, Said] = field(default_factory=dict)

    def say(self, room: str, at: float, kind: str = "") -> int:
        """A new message; returns its number."""
        number = len(self.said) + 1
        self.said[number] = self._open[number] = Said(number, room, at, kind)
        return number

    def arrived(self, room: str, at: float, text: str) -> Answer | None:
        """The bot has said this in that room; None if it is no answer."""
        if not is_answer(text):
            return None
        final = Answer(room, at, tuple(map(int, ANSWERED.findall(text))), text.startswith(REPETITION), text)
        self.finals.append(final)
        for number in final.numbers:
            self._open.pop(number, None)
        return final

    # --- what can be said of it

    def waiting(self, room: str | None = None) -> list[int]:
        """Those that no answer has arrived for, in the order of saying: of one room, or of all."""
        return [number for number, said in self._open.items() if room in (None, said.room)]

    def copies(self) -> dict[int, list[Answer]]:
        """The answers to each message, as they came."""
        found: dict[int, list[Answer]] = defaultdict(list)
        for final in self.finals:
            for number in dict.fromkeys(final.numbers):
                found[number].append(final)
        return found

    def marked(self) -> int:
        """How many answers came a second time and said so."""
        return sum(len(each) - 1 for each in self.copies().values() if sum(not final.marked for final in each) <= 1)

    def unmarked(self) -> list[int]:
        """The messages of which two answers came that did not say that they may be a repetition."""
        return [n for n, each in self.copies().items() if sum(not final.marked for final in each) > 1]

    def strays(self) -> list[Answer]:
        """Answers in the wrong room, or to nothing that was said."""
        return [
            final
            for final in self.finals
            if (not final.numbers and IDLE not in final.text)
            or any(n not in self.said or self.said[n].room != final.room for n in final.numbers)
        ]

    def disorder(self) -> list[tuple[int, int]]:
        """Pairs of one room, answered the other way round than they were said; a repetition proves nothing."""
        first: dict[str, list[int]] = defaultdict(list)
        seen: set[int] = set()
        for final in self.finals:
            for number in final.numbers:
                if number not in seen:
                    seen.add(number)
                    first[final.room].append(number)
        return [pair for numbers in first.values() for pair in inversions(numbers) if not self.moved & set(pair)]

    def told(self) -> list[str]:
        """A sentence for each promise to a person that was broken."""
        return [
            *(f"message {n} of {self.said[n].room} ({self.said[n].kind}) was never answered" for n in self.waiting()),
            *(f"message {n} of {self.said[n].room} was answered twice without a word" for n in self.unmarked()),
            *(f"messages {a} and {b} were answered the other way round" for a, b in self.disorder()),
            *(f"a stray answer in {final.room}: {final.text[:80]!r}" for final in self.strays()),
        ]


def is_answer(text: object) -> bool:
    """Whether a message of the bot's is an answer, and no note, report or picture of a running turn."""
    return isinstance(text, str) and FOOTER.search(text) is not None


def heard(sessions: Iterable[str]) -> Counter[int]:
    """How often each message stands in these sessions of pi as something that a person said."""
    lines = [line for session in sessions for line in session.splitlines() if '"role":"user"' in line]
    return Counter(int(number) for line in lines for number in ASKED.findall(line))


def inversions(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Neighbours of which the larger comes first."""
    ordered = list(numbers)
    return [(a, b) for a, b in pairwise(ordered) if a > b]


def tally(kinds: Mapping[str, int]) -> str:
    """Counts by what they are of, as one line: `2 asked, 1 failed`."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
