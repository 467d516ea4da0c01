"""What a tool call is about, in one short line: the most telling of its arguments, for people.

Pure; asked by `session` for a call that runs, and by `history` for one that stands in the session. What it cuts to a
line has lost its secrets before: half of one would not be recognised later.
"""

from typing import Final

import msgspec

from actors.redaction import redact

SUMMARY: Final = 120
"""Characters of a summary."""
LOOKED_AT: Final = 4096
"""Characters of a text that is cut to a line: a secret in it is a short one."""


class _Args(msgspec.Struct):
    """The arguments that tell a person what a tool does, the most telling first; a tool has one or two of them."""

    command: object = None
    pattern: object = None
    query: object = None
    url: object = None
    task: object = None
    path: object = None
    file_path: object = None
    id: object = None
    text: object = None


def summary(args: msgspec.Raw) -> str:
    """The most telling argument, on one line, redacted; empty if there is none. `args`: a JSON object as it came."""
    try:
        decoded = msgspec.json.decode(args, type=_Args)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    for name in _Args.__struct_fields__:
        value = getattr(decoded, name)
        if isinstance(value, str) and value:
            line = " ".join(redact(value[:LOOKED_AT]).split())
            return line if len(line) <= SUMMARY else line[: SUMMARY - 1] + "…"
    return ""
