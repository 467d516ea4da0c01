"""The folder of uploads: nothing is overwritten, nothing is left behind, and nothing leads out of the workspace."""

import os
import time
from pathlib import Path

import pytest

from actors.telegram import uploads
from actors.telegram.uploads import Upload


def keep(workspace: Path, name: str, data: bytes = b"data") -> str:
    upload = Upload(str(workspace), name)
    try:
        upload.write(data)
        return upload.keep()
    finally:
        upload.close()


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "room" / "uploads"
    upload = Upload(str(tmp_path / "room"), "notes.txt")
    upload.write(b"no")
    upload.write(b"tes")
    (part,) = folder.iterdir()
    assert part.name.startswith(".")
    assert upload.keep() == "uploads/notes.txt"
    upload.close()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"notes.txt": b"notes"}


def test_what_is_not_kept_is_gone(tmp_path: Path) -> None:
    upload = Upload(str(tmp_path), "notes.txt")
    upload.write(b"no")
    upload.close()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_a_killed_service_left_is_cleared_and_what_others_write_is_not(tmp_path: Path) -> None:
    left = Upload(str(tmp_path), "left.txt")
    (old,) = (tmp_path / "uploads").iterdir()
    os.utime(old, (0, time.time() - uploads.ABANDONED - 1))
    other = Upload(str(tmp_path), "other.txt")
    own = tmp_path / "uploads" / ".mine.part"
    own.touch()
    os.utime(own, (0, 0))
    assert keep(tmp_path, "notes.txt") == "uploads/notes.txt"
    assert other.keep() == "uploads/other.txt"
    left.close()
    other.close()
    assert {file.name for file in (tmp_path / "uploads").iterdir()} == {".mine.part", "notes.txt", "other.txt"}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    names = [keep(tmp_path, name, name.encode()) for name in ("a.tar.gz", "a.tar.gz", "a.tar-2.gz", "plain", "plain")]
    assert names == [
        "uploads/a.tar.gz",
        "uploads/a.tar-2.gz",
        "uploads/a.tar-2-2.gz",
        "uploads/plain",
        "uploads/plain-2",
    ]
    assert (tmp_path / "uploads/a.tar.gz").read_bytes() == b"a.tar.gz"


def test_a_link_that_leads_nowhere_holds_its_name(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "notes.txt").symlink_to(tmp_path.parent / "elsewhere")
    assert keep(tmp_path, "notes.txt") == "uploads/notes-2.txt"
    assert not (tmp_path.parent / "elsewhere").exists()


def test_there_are_names_enough_but_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_NAMES", 2)
    keep(tmp_path, "a")
    keep(tmp_path, "a")
    with pytest.raises(FileExistsError):
        keep(tmp_path, "a")
    assert len(list((tmp_path / "uploads").iterdir())) == 2


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/etc/passwd", "a/", "a\0b"])
def test_only_a_basename_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="basename"):
        Upload(str(tmp_path), name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "uploads").symlink_to(outside)
    with pytest.raises(OSError, match="uploads"):
        Upload(str(tmp_path / "room"), "notes.txt")
    assert list(outside.iterdir()) == []


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    room = tmp_path / "room"
    upload = Upload(str(room), "notes.txt")
    (room / "uploads").rename(room / "moved")
    (room / "uploads").symlink_to(outside)
    upload.write(b"data")
    upload.keep()
    upload.close()
    assert [file.name for file in (room / "moved").iterdir()] == ["notes.txt"]
    assert list(outside.iterdir()) == []


def test_a_folder_that_is_cleared_meanwhile(tmp_path: Path) -> None:
    upload = Upload(str(tmp_path), "notes.txt")
    for file in (tmp_path / "uploads").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError):
        upload.keep()
    upload.close()


def test_a_folder_in_the_place_of_what_is_unfinished_holds_nothing_up(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    upload = Upload(str(tmp_path), "notes.txt")
    (hidden,) = (tmp_path / "uploads").iterdir()
    hidden.unlink()
    hidden.mkdir()
    upload.close()
    assert len(os.listdir("/proc/self/fd")) == before
    os.utime(hidden, (0, 0))
    keep(tmp_path, "notes.txt")


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    keep(tmp_path, "a")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        Upload(str(tmp_path / "file"), "a")
    assert len(os.listdir("/proc/self/fd")) == before
