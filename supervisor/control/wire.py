"""The language of the control socket: JSON lines, one request, one response, then the connection ends.

Pure, and standard library only, because the command line pays for every import.
Request: `{"verb": str, "args": {…}}`.
Response: `{"ok": true, "result": …}` or `{"ok": false, "error": {"kind": str, "text": str}}`.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from supervisor.control.errors import Refused

MAX_REQUEST: Final = 64 * 1024
"""Bytes of a request's line, its end included."""
MAX_RESPONSE: Final = 64 * 1024 * 1024
"""Bytes of a response's line, its end included."""


class Request(NamedTuple):
    """What is asked. The arguments are as they came: each verb checks its own."""

    verb: str
    args: dict[str, object]


class MalformedResponse(ValueError):
    """A line that is no response."""


def request_line(verb: str, args: Mapping[str, object]) -> bytes:
    """A request, ready to send. Raises `Refused` if it is longer than the other side takes."""
    line = _line({"verb": verb, "args": dict(args)})
    if len(line) > MAX_REQUEST:
        raise Refused("too_large", f"a request is at most {MAX_REQUEST // 1024} KiB long")
    return line


def parse_request(line: bytes) -> Request:
    """What a line asks for. Raises `Refused` (`bad_request`) with what is wrong with it."""
    try:
        # Nesting deeper than the interpreter's stack is one more kind of malformed.
        match json.loads(line):
            case {"verb": str(verb), "args": dict(args), **rest} if not rest:
                return Request(verb, args)
            case _:
                raise Refused("bad_request", 'a request looks like {"verb": "tree", "args": {"path": "/"}}')
    except (ValueError, RecursionError):
        raise Refused("bad_request", "the request is not a line of JSON") from None


def result_line(result: bytes) -> bytes:
    """A good answer. `result` is JSON already, on one line, so that the server may encode it as it likes.

    Raises `Refused` (`too_large`).
    """
    line = b'{"ok":true,"result":' + result + b"}\n"
    if len(line) > MAX_RESPONSE:
        raise Refused("too_large", "the answer is larger than 64 MiB: ask for a part of the tree")
    return line


def error_line(refused: Refused) -> bytes:
    """A refusal."""
    return _line({"ok": False, "error": {"kind": refused.kind, "text": refused.text}})


def parse_response(line: bytes) -> object:
    """The result in a response's line. Raises the `Refused` that it carries, or `MalformedResponse`."""
    try:
        response = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedResponse("not a line of JSON") from None
    match response:
        case {"ok": True, "result": result}:
            return result
        case {"ok": False, "error": {"kind": str(kind), "text": str(text)}}:
            raise Refused(kind, text)
        case _:
            raise MalformedResponse("neither a result nor an error")


def _line(value: object) -> bytes:
    # Pure ASCII: whatever a path is made of, even half a surrogate pair, it can be said back.
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
