"""Nothing but regular files of the workspace, however they are named."""

import os
from pathlib import Path

import pytest

from actors.pi import inside
from actors.pi.inside import NotOurs, open_inside


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "sub/a.txt").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (work / "out").symlink_to("../secret")
    (work / "up").symlink_to("..")
    (work / "loop").symlink_to("loop")
    (work / "in").symlink_to("sub")
    os.mkfifo(work / "pipe")
    return work


@pytest.mark.parametrize(
    "path", ["sub/a.txt", "./sub/../sub/a.txt", "in/a.txt", "{work}/sub/a.txt", "up/work/in/a.txt"]
)
def test_a_file_inside_is_opened(work: Path, path: str) -> None:
    file, size = open_inside(str(work), path.format(work=work), most=6)
    with file:
        assert (file.read(), size) == (b"inside", 6)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../secret", "outside"),
        ("out", "outside"),
        ("up/secret", "outside"),
        ("{work}/../secret", "outside"),
        ("/etc/passwd", "outside"),
        ("loop", "outside"),
        ("a\0b", "outside"),
        ("nowhere", "does not exist"),
        ("sub", "is no regular file"),
        (".", "is no regular file"),
        ("pipe", "is no regular file"),
        ("sub/a.txt/b", "cannot be read"),
    ],
)
def test_all_else_is_refused_at_once(work: Path, path: str, why: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotOurs, match=why):
        open_inside(str(work), path.format(work=work), most=100)
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_is_too_large_is_refused(work: Path) -> None:
    with pytest.raises(NotOurs, match="is too large"):
        open_inside(str(work), "sub/a.txt", most=5)


@pytest.mark.parametrize("step", ["sub", "sub/a.txt"])
def test_a_link_that_is_put_there_between_look_and_touch_leads_nowhere(
    work: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = inside._walk

    def swap(root: Path, steps: tuple[str, ...]) -> int:
        (work / step).rename(work / "away")
        (work / step).symlink_to(work / "away")
        return walk(root, steps)

    monkeypatch.setattr(inside, "_walk", swap)
    with pytest.raises(NotOurs):
        open_inside(str(work), "sub/a.txt", most=100)
