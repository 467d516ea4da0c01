"""Where a sub-agent's things are, whose workspace one is, and what the note says."""

from pathlib import Path

import msgspec
import pytest
import trio

from actors.subagents.folder import Folder, Prepared, go_on, in_thread, prepared

READY = Prepared(kind="clone", base="1" * 40, objects=("/o",), left_out=(), files=3, seconds=0.5)


def test_its_places(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "kid")
    assert folder.root == tmp_path / "subagents/kid"
    assert folder.work == folder.root / "work"
    assert folder.home == folder.root / "tmp/home"
    assert folder.shadow == folder.root / "base.git"


def test_whose_workspace_it_is(tmp_path: Path) -> None:
    kid, other = Folder.of(tmp_path, "kid"), Folder.of(tmp_path, "other")
    other.work.mkdir(parents=True)
    assert kid.parent(other.work) == other
    (tmp_path / "alias").symlink_to(other.work)
    assert kid.parent(tmp_path / "alias") == other, "however it is called"
    assert kid.parent(tmp_path / "work") is None
    assert kid.parent(other.tmp) is None


def test_the_note(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, "kid")
    assert prepared(folder) is None
    folder.root.mkdir(parents=True)
    folder.note.write_text('{"kind": "clo')
    assert prepared(folder) is None
    folder.note.write_bytes(msgspec.json.encode(READY))
    assert prepared(folder) == READY


async def test_work_in_a_thread_ends_when_it_is_not_wanted() -> None:
    def forever() -> None:
        while True:
            go_on()

    with trio.fail_after(30):
        with trio.move_on_after(0.05) as scope:
            await in_thread(forever)
        assert scope.cancelled_caught
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)
