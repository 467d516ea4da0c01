"""The codes by which a stranger is named to whoever decides about them.

The records are given a way to draw one with the rest of their `Setting`, for they draw nothing themselves.
"""

import secrets
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Nothing that is taken for another when it is read aloud or copied by hand: neither 0, O, 1, I nor L."""

LENGTH: Final = 8
"""Characters of a code: 8e11 codes, of which three are good at a time, for an hour."""


def new_code() -> str:
    """A code that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normal(code: str) -> str:
    """A code as it was drawn, however it was typed: in small letters, with spaces or dashes."""
    return "".join(code.upper().replace("-", " ").split())
