"""Where a long text is cut into messages. Pure; lengths are UTF-16 code units, as Telegram counts.

Used by `render`. It knows characters, not formatting: what shall stay whole it is told.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from telegram.constants import MessageLimit
from telegramify_markdown import utf16_len

__all__ = ["MESSAGE_UNITS", "cuts", "head", "utf16_len", "visible"]

MESSAGE_UNITS: Final = int(MessageLimit.MAX_TEXT_LENGTH)
"""The longest text of one message, in UTF-16 code units."""

_PARAGRAPH: Final = re.compile(r"\n\n")
_LINE: Final = re.compile(r"\n")
_SENTENCE: Final = re.compile(r"[.!?…][\"')\]”’»]*\s|[。！？]")
_WORD: Final = re.compile(r"[ \t\n]")
_LONGEST_LETTER: Final = 64
"""Characters that are looked at as one letter; more marks than that on one are no writing."""


def cuts(text: str, whole: Sequence[tuple[int, int]] = ()) -> Iterator[tuple[int, int]]:
    """Where each piece begins and ends (character indexes), without the empty lines around it; none without a letter.

    A piece is as long as may be, but rather ends at a paragraph than at a line, a sentence or a word, if that leaves it
    half its length. It ends inside of `whole` (ranges that do not overlap, in order), a word or a letter only if there
    is no other way; in a surrogate pair never.
    """
    begins = [start for start, _ in whole]
    start = 0
    while start < len(text):
        stop = _fits(text, start, MESSAGE_UNITS)
        if stop < len(text):
            stop = _best(text, start, stop, whole, begins)
        piece = text[start:stop]
        first = start + len(piece) - len(piece.lstrip("\n"))
        last = start + len(piece.rstrip())
        if visible(text[first:last]):
            yield first, last
        start = stop


def _best(text: str, start: int, stop: int, whole: Sequence[tuple[int, int]], begins: Sequence[int]) -> int:
    """Where the piece from `start` that must end by `stop` should end; not in the blanks that it begins with."""
    half = (start + stop) // 2
    solid = stop - len(text[start:stop].lstrip())
    for place, earliest in (
        *((place, half) for place in (_PARAGRAPH, _LINE, _SENTENCE, _WORD)),
        *((place, start) for place in (_LINE, _SENTENCE, _WORD)),
    ):
        ends = [match.end() for match in place.finditer(text, max(earliest, solid), stop)]
        for end in reversed(ends):
            if end == _before(end, whole, begins):
                return end
    aside = _before(stop, whole, begins)
    if solid < aside < stop:
        return aside
    return _letter(text, start, stop)


def _before(at: int, whole: Sequence[tuple[int, int]], begins: Sequence[int]) -> int:
    """`at`, or where the range begins that it lies in."""
    index = bisect_right(begins, at) - 1
    return begins[index] if index >= 0 and begins[index] < at < whole[index][1] else at


def _fits(text: str, start: int, units: int) -> int:
    """The end of the longest piece from `start` that has at most `units`; never inside a surrogate pair."""
    end = min(len(text), start + units)
    while (over := utf16_len(text[start:end]) - units) > 0:
        end -= (over + 1) // 2
    return end


def _letter(text: str, start: int, stop: int) -> int:
    """`stop`, or a little before it: not between a letter and its accents, nor inside an emoji or a flag."""
    for at in range(stop, max(start, stop - _LONGEST_LETTER), -1):
        if not _one_letter(text, start, at):
            return at
    return stop


def _one_letter(text: str, start: int, at: int) -> bool:
    """Whether a person would take the characters around `at` for one. `start`: where a letter begins before it."""
    before, after = text[at - 1], text[at]
    if _is_flag_half(before) and _is_flag_half(after):
        run = at
        while run > start and _is_flag_half(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 1
    return (
        before == "\u200d"  # joins emoji
        or after == "\u200d"
        or unicodedata.category(after).startswith("M")
        or "\u1160" <= after <= "\u11ff"  # the later parts of a Korean syllable
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # the colours of skin
        or "\U000e0020" <= after <= "\U000e007f"  # the flags of regions
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def visible(text: str) -> bool:
    """Whether there is anything to see in it. Telegram refuses a message without."""
    return any(unicodedata.category(char) not in _BLANK and char not in "\u2800\ufffc" for char in text)


_BLANK: Final = ("Zs", "Zl", "Zp", "Cc", "Cf")


def head(text: str, units: int) -> str:
    """The text's beginning, at most `units` long, with a mark if there was more."""
    return text if utf16_len(text) <= units else text[: _fits(text, 0, units - 1)] + "…"
