"""What was said in a room before, found by its words.

Plain functions of a connection and a request, called inside a transaction by `records`; they change nothing. The index
of the words is kept up by triggers. Whatever somebody types is a question and never an expression of SQLite's.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import apsw

from actors.messages import Found, SearchHistory
from actors.store.texts import storable

SNIPPET: Final = 300
"""Characters of a snippet."""
MOST_FOUND: Final = 100
"""Snippets of one answer."""

_LOOKED_AT: Final = 1000
"""Characters of a question."""
_MOST_TERMS: Final = 32
_TERM: Final = re.compile(r'"([^"]*)"|([^\s"]+)')
_WORD: Final = re.compile(r"[^\W_]+")
_LOOKED_INTO: Final = 100_000
"""Characters of a message in which the words are looked for, to show what is around them."""
_BEFORE: Final = 60
"""Characters of a snippet before the first word."""


class Term(NamedTuple):
    """A word, or words that stand together. `beginning`: whether the last of them may go on."""

    words: str
    beginning: bool = False


def search_history(db: apsw.Connection, request: SearchHistory) -> tuple[Found, ...]:
    """The room's messages with all of these words."""
    asked = terms(request.words)
    if not asked:
        return ()
    # FTS5 could make the snippets, but makes them of all that is found before the best are taken.
    rows = db.execute(
        "WITH best (id, rank) AS (SELECT messages.id, bm25(messages_words) FROM messages_words "
        "JOIN messages ON messages.id = messages_words.rowid WHERE messages_words MATCH ?2 AND room = ?3 "
        "ORDER BY bm25(messages_words), at DESC, messages.id DESC LIMIT ?4) "
        "SELECT at, role, turn, substr(content, 1, ?1) FROM best JOIN messages USING (id) "
        "ORDER BY rank, at DESC, id DESC",
        (_LOOKED_INTO, expression(asked), request.room, max(0, min(request.limit, MOST_FOUND))),
    )
    return tuple(Found(at=at, role=role, turn=turn, snippet=_snippet(text, asked)) for at, role, turn, text in rows)


def terms(question: str) -> list[Term]:
    """What is looked for: words and phrases, the last word also as a beginning if it has two letters.

    Nothing if there is no letter and no digit in it. What is over 1000 characters or 32 words is not looked for.
    """
    text = _printable(storable(question)[:_LOOKED_AT])
    found = [
        Term(phrase or word, beginning=len(word) > 1 or not word.isascii())
        for phrase, word in _TERM.findall(text)
        if _has_letters(phrase or word)
    ][:_MOST_TERMS]
    return [*(Term(each.words) for each in found[:-1]), *found[-1:]]


def expression(asked: Sequence[Term]) -> str:
    """What FTS5 is asked: each word or phrase as a string of its own."""
    return " ".join(f'"{term.words}"' + "*" * term.beginning for term in asked)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _has_letters(term: str) -> bool:
    """Whether SQLite finds a word in it: it parts words at all else."""
    return any(unicodedata.category(each)[0] in "LN" or unicodedata.category(each) == "Co" for each in term)


def _fold(word: str) -> str:
    """A word as the index has it: small, and without the marks on its letters."""
    return "".join(each for each in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(each))


def _snippet(text: str, terms: Sequence[Term]) -> str:
    """At most `SNIPPET` characters of it on one line, from where most of the words are close together."""
    hits = list(_hits(text, terms))
    start = max((_near(hits, number), -at) for number, (at, _) in enumerate(hits))[1] if hits else 0
    begin = max(0, -start - _BEFORE)
    kept = " ".join(_printable(text[begin : begin + 2 * SNIPPET]).split())
    line = f"…{kept}" if begin else kept
    ends = begin + 2 * SNIPPET >= len(text) and len(line) <= SNIPPET
    return line if ends else line[: SNIPPET - 1] + "…"


def _hits(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Where in the text words of the question begin, and which."""
    wanted = [
        (number, _fold(word), term.beginning) for number, term in enumerate(terms) for word in _WORD.findall(term.words)
    ]
    for found in _WORD.finditer(text):
        word = _fold(found.group())
        for number, each, beginning in wanted:
            if word == each or (beginning and word.startswith(each)):
                yield found.start(), number


def _near(hits: Sequence[tuple[int, int]], number: int) -> int:
    """How many different words of the question follow within the snippet."""
    at = hits[number][0]
    return len({term for place, term in hits[number : number + _MOST_TERMS] if place < at + SNIPPET - _BEFORE})
