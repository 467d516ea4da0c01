"""Which providers a pi folder can already talk to: the names in its `auth.json` and `models.json`.

Asked once, before the service starts. It reads names only: what stands beside them goes nowhere.
"""

import re
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from actors.errors import ConfigurationError
from actors.paths import read_text

T = TypeVar("T")

_RELAXED: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|,(?=\s*[}\]])')
"""pi allows comments and trailing commas in `models.json`; group 1 is a string, in which neither is one."""


class _Models(msgspec.Struct):
    providers: dict[str, msgspec.Raw] = {}


def logins(agent_dir: Path, *, ours: bool) -> frozenset[str]:
    """Provider ids that have a login in `agent_dir` or, unless the folder is `ours`, an entry of the user's own making.

    Raises ConfigurationError for a file that cannot be read or is no JSON.
    """
    auth = _decode(agent_dir / "auth.json", dict[str, msgspec.Raw]) or {}
    models = None if ours else _decode(agent_dir / "models.json", _Models)
    return frozenset(auth) | frozenset(models.providers if models else ())


def _decode(file: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(_RELAXED.sub(lambda match: match[1] or "", read_text(file)), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        raise ConfigurationError(f"{file} is not the JSON that pi writes; mend it or log in with pi again.") from None
