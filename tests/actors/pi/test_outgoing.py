"""Files on their way out: as they were, under their own names, and never more than there is room for."""

import os
import time
from pathlib import Path

import pytest

from actors.pi import outgoing
from actors.pi.inside import NotOurs, open_inside
from actors.pi.outgoing import OutgoingFull, safe_name, take_out


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (work / "report.pdf").write_bytes(b"first")
    return work


def test_a_copy_stays_as_the_file_was(tmp_path: Path, work: Path) -> None:
    out = tmp_path / "state/outgoing"
    copy, size = take_out(str(work), "report.pdf", out)
    (work / "report.pdf").write_bytes(b"second")
    again, _ = take_out(str(work), str(work / "report.pdf"), out)
    assert (copy.name, size, copy.read_bytes(), again.read_bytes()) == ("report.pdf", 5, b"first", b"second")
    assert copy.parent != again.parent
    assert copy.parent.parent == out
    assert out.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_sent_leaves_nothing(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "outgoing"
    with pytest.raises(NotOurs, match="outside"):
        take_out(str(work), "../../etc/passwd", out)
    assert not out.exists()
    monkeypatch.setattr(outgoing, "_copy", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        take_out(str(work), "report.pdf", out)
    assert list(out.iterdir()) == []


def test_a_file_that_grows_while_it_is_copied_is_too_large(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def grow(workspace: str, path: str, *, most: int) -> tuple[object, int]:
        found = open_inside(workspace, path, most=most)
        (work / "report.pdf").write_bytes(b"far too much of it")
        return found

    monkeypatch.setattr(outgoing, "open_inside", grow)
    monkeypatch.setattr(outgoing, "MAX_SIZE", 6)
    with pytest.raises(NotOurs, match="too large"):
        take_out(str(work), "report.pdf", tmp_path / "outgoing")
    assert list((tmp_path / "outgoing").iterdir()) == []


@pytest.mark.parametrize(("bound", "most"), [("MAX_FILES", 2), ("MAX_TOTAL", 14)])
def test_too_much_that_waits_is_refused_until_it_is_old(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(outgoing, bound, most)
    out = tmp_path / "outgoing"
    first, _ = take_out(str(work), "report.pdf", out)
    take_out(str(work), "report.pdf", out)
    with pytest.raises(OutgoingFull):
        take_out(str(work), "report.pdf", out)
    old = time.time() - outgoing.KEEP - 1
    os.utime(first.parent, (old, old))
    take_out(str(work), "report.pdf", out)
    assert not first.exists()


def test_what_another_room_has_just_removed_is_no_trouble(tmp_path: Path, work: Path) -> None:
    out = tmp_path / "outgoing"
    take_out(str(work), "report.pdf", out)
    (out / "gone").symlink_to("nowhere")  # is listed, and is not there
    copy, _ = take_out(str(work), "report.pdf", out)
    assert copy.exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/report.pdf", "report.pdf"),
        ("Übersicht ✓.md", "Übersicht ✓.md"),
        ("line\nbreak\x7f.txt", "linebreak.txt"),
        ("..", "file"),
        ("a/", "file"),
        ("x" * 300 + ".tar", "x" * 116 + ".tar"),
        ("ü" * 100, "ü" * 60),
        ("y." + "z" * 200, "y." + "z" * 118),
    ],
)
def test_names_are_kept_as_far_as_they_can_be_written(path: str, name: str) -> None:
    assert safe_name(path) == name
