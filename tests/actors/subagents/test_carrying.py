"""Files are carried as they are; what is left out is named."""

import os
from pathlib import Path

import pytest

from actors.subagents.carrying import Carried, carry
from tests.actors.subagents.workshop import content, write


def bring(tmp_path: Path, *paths: str, one: int = 1000, all_: int = 1000) -> Carried:
    return carry(
        [path.encode() for path in paths], tmp_path / "old", tmp_path / "new", one=one, all_=all_, go_on=lambda _: None
    )


def test_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"old/a": "1", "old/d/b": "2", "new/a": "before", "new/gone/x": "3", "new/stays": "4"})
    (tmp_path / "old/a").chmod(0o755)
    (tmp_path / "old/l").symlink_to("/etc/passwd")
    carried = bring(tmp_path, "a", "d/b", "l", "gone/x")
    assert content(tmp_path / "new") == {"a": "1", "d/b": "2", "l": "/etc/passwd", "stays": "4"}
    assert os.access(tmp_path / "new/a", os.X_OK)
    assert (carried.put, carried.gone, carried.size) == ([b"a", b"d/b", b"l"], [b"gone/x"], 2)
    assert carried.left_out(1, 1) == ()


def test_what_became_a_folder_or_a_pipe(tmp_path: Path) -> None:
    write(tmp_path, {"old/a/in": "1", "new/a": "file", "new/p": "file"})
    os.mkfifo(tmp_path / "old/p")
    carried = bring(tmp_path, "a", "a/in", "p")
    assert content(tmp_path / "new") == {"a/in": "1"}
    assert (carried.put, carried.gone) == ([b"a/in"], [b"a", b"p"])


def test_bounds(tmp_path: Path) -> None:
    write(tmp_path, {"old/a": "12345", "old/b": "123", "old/c": "123", "old/d": "1", "new/e": ""})
    carried = bring(tmp_path, "a", "b", "c", "d", one=4, all_=4)
    assert (carried.put, carried.large) == ([b"b", b"d"], [b"a", b"c"])
    assert carried.left_out(4 << 20, 4 << 20) == ("a, c: were left out: a file may have 4 MB, all together 4 MB.",)


def test_a_cancel_goes_through(tmp_path: Path) -> None:
    write(tmp_path, {"old/a": "1", "new/b": "1"})

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry([b"a"], tmp_path / "old", tmp_path / "new", one=9, all_=9, go_on=stop)
