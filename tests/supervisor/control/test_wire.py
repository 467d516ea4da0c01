"""The lines on the control socket: what is said is heard, and whatever else comes is refused in a sentence."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.control import wire
from supervisor.control.errors import Refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(verb=st.text(), args=st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_asked_is_heard(verb: str, args: dict[str, object]) -> None:
    line = wire.request_line(verb, args)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.parse_request(line) == wire.Request(verb, args)


@given(result=JSON)
def test_a_result_comes_back_as_it_was(result: object) -> None:
    assert wire.parse_response(wire.result_line(json.dumps(result).encode())) == result


@given(kind=st.text(), text=st.text(st.characters()))
def test_a_refusal_comes_back_as_it_was(kind: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        wire.parse_response(wire.error_line(Refused(kind, text)))

    assert (caught.value.kind, caught.value.text) == (kind, text)


@given(st.binary())
def test_any_bytes_are_a_request_or_a_refusal(line: bytes) -> None:
    with suppress(Refused):
        wire.parse_request(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"tree\n",
        b"\xff\xfe\n",
        b"null\n",
        b"[]\n",
        b'{"verb": "tree"}\n',
        b'{"verb": 1, "args": {}}\n',
        b'{"verb": "tree", "args": []}\n',
        b'{"verb": "tree", "args": {}, "more": 1}\n',
        b"[" * 60_000,
        b'{"verb": "tree", "args": {"path": ' + b"9" * 10_000 + b"}}",
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(Refused, match=r"^(the request is not a line of JSON|a request looks like .*)$"):
        wire.parse_request(line)


@pytest.mark.parametrize(
    "line", [b"", b"HTTP/1.1 400\n", b"{}\n", b'{"ok": false}\n', b'{"ok": 1, "result": 1}', b"[" * 60_000]
)
def test_what_is_no_response_is_malformed(line: bytes) -> None:
    with pytest.raises(wire.MalformedResponse):
        wire.parse_response(line)


def test_a_request_that_the_server_would_not_take_is_not_sent() -> None:
    with pytest.raises(Refused, match="at most 64 KiB"):
        wire.request_line("tree", {"path": "x" * wire.MAX_REQUEST})


def test_an_answer_has_an_upper_bound() -> None:
    with pytest.raises(Refused, match="larger than 64 MiB"):
        wire.result_line(b"x" * wire.MAX_RESPONSE)
