"""Takes known secrets out of text: values that were remembered here, wherever they turn up.

Whoever reads a secret remembers it; `log` and whoever shows foreign text (a crash report, a stderr tail) asks
`redact`. It guesses nothing: a secret that nobody remembered passes. Redact before cutting a text short.
"""

import json
import re
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
MIN_LENGTH: Final = 6
"""Characters; a shorter value would take ordinary words out of the log."""
CAPACITY: Final = 64
"""Secrets kept. A service has a handful; beyond the bound the oldest is forgotten."""

_forms: dict[str, frozenset[str]] = {}
_pattern: re.Pattern[str] | None = None


def remember(secret: str) -> None:
    """From now on `redact` masks this value: as it is, URL-encoded, and as it stands in JSON. Too short: ignored."""
    global _pattern  # noqa: PLW0603 - what is secret is a fact about the process
    if len(secret) < MIN_LENGTH or secret in _forms:
        return
    encoded = quote(secret, safe="")
    lower = re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    _forms[secret] = frozenset(
        {secret, encoded, lower, quote(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    )
    if len(_forms) > CAPACITY:
        del _forms[next(iter(_forms))]
    # The longest first: a secret that contains another one goes whole.
    forms = sorted(frozenset().union(*_forms.values()), key=len, reverse=True)
    _pattern = re.compile("|".join(map(re.escape, forms)))


def redact(text: str) -> str:
    """`text` with every remembered secret replaced by `***`."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def forget_all() -> None:
    """Forget every secret; for tests."""
    global _pattern  # noqa: PLW0603
    _forms.clear()
    _pattern = None
