"""Files are reached without following a link, wherever one stands."""

import os
from pathlib import Path

import pytest

from actors.subagents.beneath import Beneath, Grown, NoFile, free, pour
from tests.actors.subagents.workshop import write


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write(tmp_path, {"top/a": "1", "top/d/b": "2", "outside/b": "secret"})
    (tmp_path / "top/link").symlink_to(tmp_path / "outside")
    (tmp_path / "top/file").symlink_to(tmp_path / "outside/b")
    return tmp_path / "top"


def test_what_is_there(top: Path) -> None:
    with Beneath(top) as tree:
        assert tree.read(b"d/b", 10) == b"2"
        assert tree.look(b"d/b") is not None
        assert tree.look(b"d/nothing") is None
        assert tree.look(b"a/below") is None
        assert sorted(tree.entries(b"")) == [b"a", b"d", b"file", b"link"]
        assert tree.entries(b"d") == [b"b"]
        assert tree.target(b"link").endswith(b"/outside")


def test_beyond_a_link_there_is_nothing(top: Path) -> None:
    with Beneath(top) as tree:
        assert tree.look(b"link/b") is None
        for read in (b"link/b", b"file"):
            with pytest.raises(OSError, match=r"directory|regular"):
                tree.read(read, 10)
        with pytest.raises(NotADirectoryError):
            tree.entries(b"link")
        with pytest.raises(OSError, match="directory"), tree.making(b"link/new", 0o666):
            pass
        with pytest.raises(OSError, match="directory"):
            tree.make_link(b"link/new", b"x")
        tree.delete(b"link/b")
    assert sorted(os.listdir(top.parent / "outside")) == ["b"]


def test_a_folder_that_is_a_link_is_none(top: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Beneath(top / "link")


def test_only_regular_files_are_read(top: Path) -> None:
    os.mkfifo(top / "pipe")
    with Beneath(top) as tree:
        for path in (b"pipe", b"d"):
            with pytest.raises(NoFile):
                tree.read(path, 10)
        with pytest.raises(Grown):
            tree.read(b"a", 0)


def test_files_are_made_with_their_folders_and_go_with_them(top: Path) -> None:
    with Beneath(top) as tree:
        with tree.making(b"x/y/z", 0o777) as sink:
            os.write(sink, b"new")
        assert os.access(top / "x/y/z", os.X_OK)
        with pytest.raises(FileExistsError), tree.making(b"x/y/z", 0o666):
            pass
        tree.make_link(b"x/y/l", b"z")
        tree.rename(b"x/y/l", b"m")
        assert tree.target(b"x/y/m") == b"z"
        tree.delete(b"x/y/m")
        tree.delete(b"x/y/z", prune=False)
        assert (top / "x/y").is_dir()
        tree.clear(b"x/y")
        tree.clear(b"x/y")
        with tree.making(b"x/y/z", 0o666):
            pass
        tree.delete(b"x/y/z")
        tree.delete(b"x/y/z")
    assert not (top / "x").exists()


def test_pouring(top: Path) -> None:
    (top / "large").write_bytes(os.urandom(3 << 20))
    asked: list[None] = []
    with Beneath(top) as tree:
        with tree.reading(b"large") as source, tree.making(b"copy", 0o666) as sink:
            assert pour(source, sink, 3 << 20, lambda: asked.append(None)) == 3 << 20
        assert (top / "copy").read_bytes() == (top / "large").read_bytes()
        with tree.reading(b"large") as source, tree.making(b"other", 0o666) as sink, pytest.raises(Grown):
            pour(source, sink, (3 << 20) - 1, lambda: None)


def test_space(top: Path) -> None:
    assert free(top) > 0
