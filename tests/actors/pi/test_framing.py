"""The framer: lines in any split, bounds on what it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pi.framing import HEAD, MAX_LINE, LineFramer, Oversized


def feed_all(framer: LineFramer, chunks: list[bytes]) -> list[bytes | Oversized]:
    return [record for chunk in chunks for record in framer.feed(chunk)]


def test_lines_end_at_lf_only() -> None:
    text = "a\u2028b\u2029c\x85d\x0be".encode()
    assert LineFramer().feed(text + b"\n" + b"next\n") == [text, b"next"]


def test_a_cr_before_lf_is_stripped_and_empty_lines_are_left_out() -> None:
    assert LineFramer().feed(b"a\r\n\n\r\nb\rc\n") == [b"a", b"b\rc"]


def test_an_unfinished_line_waits() -> None:
    framer = LineFramer()
    assert framer.feed(b'{"a":') == []
    assert framer.feed(b"1}\n{") == [b'{"a":1}']
    assert framer.buffered == 1


def test_a_line_of_the_greatest_length_is_kept_and_one_byte_more_is_not() -> None:
    framer = LineFramer(max_line=10, head=4)
    assert framer.feed(b"0123456789\n") == [b"0123456789"]
    assert framer.feed(b"0123456789A\nok\n") == [Oversized(b"0123", 11), b"ok"]


def test_a_huge_line_does_not_grow_the_framer() -> None:
    framer = LineFramer()
    chunk = b"x" * 65536
    most = 0
    for _ in range(4096):  # 256 MiB
        assert framer.feed(chunk) == []
        most = max(most, framer.buffered)
    assert most <= MAX_LINE
    assert framer.buffered == HEAD
    (record,) = framer.feed(b"\n")
    assert record == Oversized(b"x" * HEAD, 256 * 1024 * 1024)
    assert framer.feed(b"after\n") == [b"after"]


def test_the_head_cannot_be_longer_than_a_line() -> None:
    with pytest.raises(ValueError, match="head must be between"):
        LineFramer(max_line=10, head=11)


@given(
    st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", "\u2028".encode(), b"x" * 9]), max_size=40),
    st.data(),
)
def test_any_split_of_the_stream_gives_the_same_records(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    whole = LineFramer(max_line=12, head=5).feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed_all(LineFramer(max_line=12, head=5), chunks) == whole


@given(st.binary(max_size=200))
def test_what_is_held_is_bounded(stream: bytes) -> None:
    framer = LineFramer(max_line=20, head=5)
    for start in range(0, len(stream), 7):
        framer.feed(stream[start : start + 7])
        assert framer.buffered <= 20
