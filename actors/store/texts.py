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
    if base not in taken:
        return base
    number = 2
    while (slug := f"{base[: SLUG_LIMIT - len(str(number)) - 1].rstrip('-')}-{number}") in taken:
        number += 1
    return slug


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))[:SLUG_LIMIT].rstrip("-")


def _address(place: Place) -> str:
    return f"chat {place.chat}" if place.thread is None else f"topic {place.chat} {place.thread}"
