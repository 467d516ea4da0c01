"""What an agent wrote, as Telegram can show it: Markdown in, messages of text and entities out.

The outbox asks it for the parts of a delivery and for the text of a running preview. It is pure and sends nothing.
The same Markdown gives the same parts in every process, so "part 3 of this delivery" survives a restart.
"""

import logging
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from telegram import MessageEntity
from telegram.constants import MessageLimit
from telegramify_markdown import RenderConfig, convert

from actors.telegram.cutting import MESSAGE_UNITS, cuts, head, utf16_len
from actors.telegram.tables import without_tables

__all__ = ["LONGEST_MARKDOWN", "MESSAGE_UNITS", "Part", "plain", "preview", "render", "utf16_len"]

LONGEST_MARKDOWN: Final = 50_000
"""Characters. What is longer, or grows to more, is shown as it was written: to parse so many holds up the loop for
50 ms, at worst 400."""

# Each is indented in the one around it: `1. ` fifteen thousand times would be a text of gigabytes.
_DEEP: Final = re.compile(r"^(?:[ \t]*(?:>|[-+*][ \t]|\d{1,9}[.)][ \t])){100}", re.MULTILINE)
_STUMBLED: Final = (AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_ENTITIES: Final = int(MessageLimit.MESSAGE_ENTITIES)
_PREVIEW_LINE: Final = 120
_SOLID: Final = ("pre", "code")
_QUOTES: Final = ("blockquote", "expandable_blockquote")
_LOOKS: Final = ("bold", "italic", "underline", "strikethrough", "spoiler")
_KINDS: Final = (*_SOLID, *_QUOTES, *_LOOKS, "text_link")
_SCHEMES: Final = ("http", "https", "tg")
_WHOLE_CODE: Final = 512
"""Units up to which code within a line is kept in one part."""

_log = logging.getLogger(__name__)


class Part(NamedTuple):
    """One message: 1 to `MESSAGE_UNITS` units of text, at most 100 entities, sorted and properly nested."""

    text: str
    entities: tuple[MessageEntity, ...] = ()


def render(markdown: str) -> list[Part]:
    """Markdown as messages that Telegram takes as they are; nothing visible gives no part.

    A part ends at a paragraph, a line, a sentence or a word, outside of links; a code block that is cut opens again in
    the next part with its language. Tables are aligned, or rows of named values if they are wide. Of more than 100
    entities in a part, code and links are kept first.
    """
    source = _clean(markdown)
    try:
        parts = _rendered(source)
    except _STUMBLED:  # a text that the parser cannot take must not keep all the others waiting
        _log.exception("a text of %d characters is shown as it was written", len(source))
        parts = None
    return [Part(text) for text in _split(source)] if parts is None else parts


def _rendered(source: str) -> list[Part] | None:
    """None for what is too much, or would become so."""
    if len(source) > LONGEST_MARKDOWN or _DEEP.search(source):
        return None
    shielded = without_tables(source.translate(_SHIELD), LONGEST_MARKDOWN)
    if shielded is None:
        return None
    text, found = convert(_OR.sub(_SHIELDED_OR, shielded), latex_escape=False, config=_STYLE)
    spans = (_Span(e.offset, e.offset + e.length, e.type, _link(e.url), _language(e.language)) for e in found)
    return list(
        _parts(text.translate(_UNSHIELD), [s for s in spans if s.type in _KINDS and (s.type != "text_link" or s.url)])
    )


def plain(markdown: str) -> list[str]:
    """The Markdown as it was written, in pieces of at most `MESSAGE_UNITS`: for when Telegram refuses the entities."""
    return _split(_clean(markdown))


def _split(text: str) -> list[str]:
    return [text[start:stop] for start, stop in cuts(text)]


def preview(text: str, lines: Sequence[str] = (), *, limit: int = MESSAGE_UNITS) -> str:
    """One plain message for a running turn: the end of `text`, a blank line, and the last of `lines`.

    `lines` (what the tools do) get at most half of `limit` units. The cost depends on `limit`, not on the text.
    Returns an empty string when there is nothing to show.
    """
    shown: list[str] = []
    room = limit // 2
    for line in reversed(lines):
        one = head(" ".join(_clean(line[: 2 * _PREVIEW_LINE]).split()), _PREVIEW_LINE)
        room -= utf16_len(one) + 1
        if room < 0:
            break
        shown.append(one)
    below = "\n".join(reversed(shown)).strip()
    answer = _tail(text, limit - utf16_len(below) - 2 if below else limit)
    return f"{answer}\n\n{below}" if answer and below else answer or below


def _tail(text: str, units: int) -> str:
    """The text's end, cleaned, at most `units` long, with a mark if there was more."""
    kept = _clean(text[-units - 1 :]).strip()
    if len(text) <= units and utf16_len(kept) <= units:
        return kept
    while (over := utf16_len(kept) - (units - 1)) > 0:
        kept = kept[(over + 1) // 2 :]
    return "…" + kept


# --- characters ---------------------------------------------------------------------------------------------------

# Letters that no document holds stand in for those that the parser would take for HTML, mathematics or a spoiler, and
# drop: agents write `Vec<String>`, `$HOME/$USER` and `a || b` outside of code. One unit each, so that offsets stay.
_SHIELD: Final = str.maketrans({"<": "\ufdd0", "$": "\ufdd1"})
_UNSHIELD: Final = str.maketrans({"\ufdd0": "<", "\ufdd1": "$", "\ufdd2": "|"})
_OR: Final = re.compile(r"(?<=\s)\|\|(?=\s)")
_SHIELDED_OR: Final = "\ufdd2\ufdd2"
_UNSHOWN: Final = {
    code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0xFDD0, 0xFDF0)) if chr(code) not in "\t\n"
}


def _clean(text: str) -> str:
    """Whole characters only: half surrogate pairs become U+FFFD, control characters and noncharacters go."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSHOWN)


def _style() -> RenderConfig:
    style = RenderConfig.isolated()
    symbols = style.markdown_symbol
    for level in range(1, 7):
        setattr(symbols, f"heading_level_{level}", "")
    symbols.image = ""
    symbols.unordered_list_item = "•"
    symbols.task_completed = "☑"
    symbols.task_uncompleted = "☐"
    return style


_STYLE: Final = _style()


# --- entities -----------------------------------------------------------------------------------------------------


class _Span(NamedTuple):
    """An entity from unit `start` to before unit `stop`."""

    start: int
    stop: int
    type: str
    url: str | None
    language: str | None

    def holds(self, other: "_Span") -> bool:
        return self.start <= other.start and other.stop <= self.stop


def _link(url: str | None) -> str | None:
    """The address if Telegram would make it a link: agents also link to `./file.py`, which is none."""
    if url is None:
        return None
    try:
        address = urlsplit(url.translate(_UNSHIELD))
    except ValueError:
        return None
    return address.geturl() if address.scheme in _SCHEMES and address.netloc and " " not in url else None


def _language(info: str | None) -> str | None:
    """The first word of a code block's info string."""
    return (info or "").translate(_UNSHIELD).partition(" ")[0] or None


def _parts(text: str, spans: Iterable[_Span]) -> Iterator[Part]:
    waiting = deque(sorted(spans, key=lambda span: span.start))
    open_spans: list[_Span] = []
    at = unit = 0
    for start, stop in cuts(text, list(_whole(text, waiting))):
        unit += utf16_len(text[at:start])
        end = unit + utf16_len(text[start:stop])
        while waiting and waiting[0].start < end:
            open_spans.append(waiting.popleft())
        here = [s._replace(start=max(s.start, unit) - unit, stop=min(s.stop, end) - unit) for s in open_spans]
        lawful = _lawful([s for s in here if s.start < s.stop])
        yield Part(text[start:stop], tuple(_entity(span) for span in lawful))
        open_spans = [span for span in open_spans if span.stop > end]
        at, unit = stop, end


def _whole(text: str, spans: Iterable[_Span]) -> Iterator[tuple[int, int]]:
    """The characters that belong together, of `spans` (in order): links, and code within a line unless it is long."""
    units = list(accumulate((2 if ord(char) > 0xFFFF else 1 for char in text), initial=0))
    end = 0
    for span in spans:
        short = span.type == "code" and span.stop - span.start <= _WHOLE_CODE
        if (short or span.type == "text_link") and span.start >= end:
            yield bisect_left(units, span.start), bisect_left(units, span.stop)
            end = span.stop


def _entity(span: _Span) -> MessageEntity:
    return MessageEntity(span.type, span.start, span.stop - span.start, url=span.url, language=span.language)


def _lawful(spans: list[_Span]) -> list[_Span]:
    """The spans as Telegram nests them: code in nothing but quotes, one of a kind at a time, 100 at most, sorted.

    Telegram would mend the rest by itself, but not say how; here bold around code becomes bold before and after it.
    """
    spans = _foremost(spans)
    links = [span for span in spans if span.type == "text_link"]
    solid = [s for s in spans if s.type in _SOLID and not any(link.holds(s) for link in links)]
    loose = [s for s in spans if s.type not in _SOLID]
    cut = [piece for span in loose for piece in _around(span, solid)]
    kept: list[_Span] = []
    open_spans: list[_Span] = []
    for span in sorted(_foremost(solid + cut), key=lambda s: (s.start, -s.stop, _depth(s.type))):
        open_spans = [outer for outer in open_spans if outer.stop > span.start]
        if all(outer.holds(span) and _may_hold(outer.type, span.type) for outer in open_spans):
            kept.append(span)
            open_spans.append(span)
    return kept


def _around(span: _Span, solid: list[_Span]) -> Iterator[_Span]:
    """What is left of a span beside the code in it; a quote stays whole."""
    start = span.start
    for hole in solid if span.type not in _QUOTES else ():
        if hole.start < span.stop and start < hole.stop:
            if start < hole.start:
                yield span._replace(start=start, stop=hole.start)
            start = hole.stop
    if start < span.stop:
        yield span._replace(start=start)


def _foremost(spans: list[_Span]) -> list[_Span]:
    return sorted(spans, key=lambda s: (s.type not in (*_SOLID, "text_link"), s.start))[:_ENTITIES]


def _may_hold(outer: str, inner: str) -> bool:
    """Whether Telegram has one within the other: looks may hold other looks; quotes, links and code no second one."""
    depth = _depth(outer)
    return depth < 3 and (depth != _depth(inner) or (depth == 2 and outer != inner))


def _depth(kind: str) -> int:
    """What may hold what: quotes, links, looks, code, from the outside to the inside."""
    if kind in _QUOTES:
        return 0
    if kind in _SOLID:
        return 3
    return 1 if kind == "text_link" else 2
