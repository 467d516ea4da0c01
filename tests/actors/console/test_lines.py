"""Lines out of bytes, however they were cut, and out of everything that can stand at a process's stdin."""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.console.lines import LIMIT, LineBuffer, Lines

LIMIT_HERE = 8


def taken(buffer: LineBuffer) -> list[bytes | None]:
    return [line for (line,) in iter(buffer.take, None)]


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))),
    cuts=st.lists(st.integers(0, 80)),
    whole=st.booleans(),
)
def test_any_cut_gives_the_same_lines_and_holds_no_more_than_its_bound(
    lines: list[bytes], cuts: list[int], whole: bool
) -> None:
    data = b"".join(line + b"\n" for line in lines)
    data = data if whole else data[:-1]
    buffer, found, edges = LineBuffer(LIMIT_HERE), [], [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        if chunk := data[start:end]:
            buffer.feed(chunk)
            found += taken(buffer)
            assert len(buffer._data) <= LIMIT_HERE
    buffer.feed(b"")
    found += taken(buffer)
    expected = data.split(b"\n")
    if expected[-1] == b"":
        del expected[-1]
    assert found == [line if len(line) <= LIMIT_HERE else None for line in expected]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            assert fd == write  # the test closed it


async def all_of(lines: Lines) -> list[str | None]:
    texts = []
    while (line := await lines.peek()) is not None:
        assert await lines.peek() is line
        texts.append(line.text)
        lines.drop()
    assert await lines.peek() is None
    return texts


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"\n \n\t\r\n", []),
        (b"one\ntwo", ["one", "two"]),
        (b"dos\r\nlines\r\n", ["dos", "lines"]),
        (b"  kept  \n\xff\xc3\n", ["  kept  ", "��"]),
        ("grüß dich\n".encode(), ["grüß dich"]),
    ],
)
async def test_a_pipe(pipe: tuple[int, int], data: bytes, texts: list[str]) -> None:
    read, write = pipe
    os.write(write, data)
    os.close(write)
    lines = Lines(read)
    assert not lines.interactive
    assert await all_of(lines) == texts


async def test_a_line_over_the_limit_is_refused_and_the_next_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"x" * LIMIT + b"\n" + b"y" * (LIMIT + 1) + b"\n" + b"z" * 3 * LIMIT + b"\nlast")
    with file.open("rb") as opened:
        texts = await all_of(Lines(opened.fileno()))
    assert [text and text[:4] for text in texts] == ["xxxx", None, None, "last"]


async def test_nothing_is_lost_between_two_readers(pipe: tuple[int, int]) -> None:
    read, write = pipe
    lines = Lines(read)
    os.write(write, b"one\ntwo\nthr")
    first = await lines.peek()
    lines.drop()
    second = await lines.peek()  # a reader that crashes here has not dropped it
    assert await lines.peek() is second
    lines.drop()
    with trio.move_on_after(0):
        await lines.peek()
    os.write(write, b"ee\n")
    third = await lines.peek()
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.text, second.text, third.text] == ["one", "two", "three"]
    assert len({first.key, second.key, third.key}) == 3


async def test_a_terminal_that_hangs_up_is_the_end() -> None:
    master, slave = os.openpty()
    lines = Lines(slave)
    assert lines.interactive
    os.write(master, b"one\n")
    line = await lines.peek()
    assert line is not None
    assert line.text == "one"
    lines.drop()
    os.close(master)
    assert await lines.peek() is None
    os.close(slave)


async def test_a_closed_descriptor_and_the_null_device_are_the_end() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    assert await Lines(null).peek() is None
    os.close(null)
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    assert await Lines(read).peek() is None
