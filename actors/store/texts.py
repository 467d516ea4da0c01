"""Texts as the store keeps them, and the names it makes of them. Pure.

Used by the records. What a person typed is never refused for its characters or its length.
"""

import re
import unicodedata
from collections.abc import Container

from actors.messages import Place

TEXT_LIMIT = 2**20
"""Bytes of UTF-8 that one text may have; what is longer is cut and says so."""

SLUG_LIMIT = 32
"""Characters of a slug."""

TASK_SLUG_LIMIT = 24
"""Characters of a sub-agent's."""

_IDLE = {"please", "can", "could", "would", "you", "i", "we", "me", "the", "a", "an"}
_LEADING = {"and", "or", "of", "in", "on", "to", "for", "with", "from", "by", "at", "as", "into"}

_LOOKED_AT = 1000
"""Characters of a task in which words for its name are looked for."""


def storable(text: str) -> str:
    """The text as SQLite can hold it: half surrogates become `?`, and what is over `TEXT_LIMIT` is cut with a word."""
    data = text.encode("utf-8", "replace")
    if len(data) <= TEXT_LIMIT:
        return data.decode()
    kept = data[:TEXT_LIMIT].decode(errors="ignore")
    return f"{kept}\n\n[cut here: {len(data) - TEXT_LIMIT} bytes more were too long to keep]"


def slug_for(place: Place, title: str, taken: Container[str]) -> str:
    """A short name for a new room that is not in `taken`: lower-case ASCII words of its title joined by `-`.

    Safe as the name of a folder. The console's room is `console`; a title without such words yields to the place's ids.
    """
    base = place.front if place.front == "console" else _words(title) or _words(_address(place))
    return _unlike(base, SLUG_LIMIT, taken)


def slug_of_task(task: str, taken: Container[str]) -> str:
    """A short name for a new sub-agent that is not in `taken`, as a room's: the first words of its task, or `agent`.

    Words that tell no task from another are passed over, unless there are no others.
    """
    words = task[:_LOOKED_AT].split()
    telling = _words(" ".join(word for word in words if word.lower().strip(",.:!?") not in _IDLE), _LOOKED_AT)
    telling = telling or _words(" ".join(words), _LOOKED_AT)
    return _unlike(_whole_words(telling, TASK_SLUG_LIMIT) or "agent", TASK_SLUG_LIMIT, taken)


def _whole_words(words: str, limit: int) -> str:
    """As many of the words as fit, without one at the end that leads to what was cut off."""
    if len(words) <= limit:
        return words
    whole = words[: limit + 1].rpartition("-")[0]
    while (shorter := whole.rpartition("-"))[2] in _LEADING and shorter[0]:
        whole = shorter[0]
    return whole or words[:limit]


def _unlike(base: str, limit: int, taken: Container[str]) -> str:
    if base not in taken:
        return base
    number = 2
    while (slug := f"{_whole_words(base, limit - len(str(number)) - 1).rstrip('-')}-{number}") in taken:
        number += 1
    return slug


def _words(text: str, limit: int = SLUG_LIMIT) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))[:limit].rstrip("-")


def _address(place: Place) -> str:
    return f"chat {place.chat}" if place.thread is None else f"topic {place.chat} {place.thread}"
