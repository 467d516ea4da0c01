"""Counting what a turn changed, and giving up when that takes too long."""

import os
import threading
from pathlib import Path

import pytest

from actors.pi import changes, disk
from actors.pi.changes import changed_since

OLD, SINCE, NEW = 1_000_000.0, 2_000_000.0, 2_000_000.5


def put(file: Path, at: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    os.utime(file, (at, at))


async def test_files_that_changed_since_are_counted_and_what_is_no_work_is_not(tmp_path: Path) -> None:
    for name in ("new", "deep/er/new", "deep/uploads/new", "at"):
        put(tmp_path / name, NEW if name != "at" else SINCE)
    put(tmp_path / "old", OLD)
    for skipped in (".git", "node_modules", ".venv", "a/__pycache__", "uploads"):
        put(tmp_path / skipped / "new", NEW)
    put(tmp_path.parent / "outside/new", NEW)
    (tmp_path / "link").symlink_to(tmp_path.parent / "outside/new")
    (tmp_path / "folder").symlink_to(tmp_path.parent / "outside")
    assert await changed_since(str(tmp_path), SINCE) == 4
    assert await changed_since(str(tmp_path / "nowhere"), SINCE) == 0


async def test_too_many_files_have_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        put(tmp_path / str(number), NEW)
    monkeypatch.setattr(changes, "MAX_ENTRIES", 4)
    assert await changed_since(str(tmp_path), SINCE) == 4
    monkeypatch.setattr(changes, "MAX_ENTRIES", 3)
    assert await changed_since(str(tmp_path), SINCE) is None


async def test_a_slow_disk_has_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "new", NEW)
    monkeypatch.setattr(changes, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(changes, "WAIT", 5.0)
    assert await changed_since(str(tmp_path), SINCE) is None
    release = threading.Event()
    monkeypatch.setattr(disk, "_limiters", {})
    monkeypatch.setattr(changes, "WAIT", 0.05)
    monkeypatch.setattr(changes, "_count", lambda *_: release.wait())
    assert await changed_since(str(tmp_path), SINCE) is None
    release.set()
