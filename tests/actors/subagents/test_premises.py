"""The real ground: what the worker asks is done by real folders and real git, and what fails says so as `Unmade`."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.messages import Place, Room, Subagent
from actors.subagents import premises
from actors.subagents.folder import Folder
from actors.subagents.ground import Made, Unmade


def sub(slug: str, parent: str | None = None) -> Subagent:
    """One that has just been begun."""
    return Subagent(
        slug=slug, room="lab", parent=parent, turn="t1", by=None, depth=1 if parent is None else 2, task="do it",
        isolation="copy", model=None, timeout=60.0, session_id=f"{slug}-1", created_at=0.0,
    )  # fmt: skip


def ignore(_: str) -> None:
    """Nobody listens."""


async def test_it_is_made_once_and_what_was_changed_goes_where_its_parent_finds_it(tmp_path: Path) -> None:
    state, work = tmp_path / "state", tmp_path / "work"
    work.mkdir()
    (work / "a.txt").write_text("one\n")
    ground = premises.ground(state)
    assert await ground.look("top") is None
    assert await ground.make(sub("top"), str(work), ignore) == Made("copy")
    assert await ground.look("top") == Made("copy")
    home = Path(ground.home("top"))
    assert (home / "a.txt").read_text() == "one\n"
    await ground.make(sub("below", "top"), ground.home("top"), ignore)
    (Path(ground.home("below")) / "b.txt").write_text("two\n")
    below = await ground.gather(sub("below", "top"))
    assert below is not None
    assert Path(below.patch).parent == Folder.of(state, "top").reports / "below"
    assert await ground.gather(sub("top")) is None
    (home / "a.txt").write_text("changed\n")
    top = await ground.gather(sub("top"))
    assert top is not None
    assert (top.names, Path(top.patch).parent) == (("M a.txt",), state / "results/top")


async def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unmade):
        await premises.ground(tmp_path / "state").make(sub("top"), str(tmp_path / "nowhere"), ignore)
    (tmp_path / "work").mkdir()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unmade):
        await premises.ground(tmp_path / "file").make(sub("top"), str(tmp_path / "work"), ignore)


async def test_the_sandbox_shows_what_its_making_has_noted_and_the_reports(tmp_path: Path) -> None:
    room = Room(
        slug="top", place=Place("telegram", 1), title="", workspace="", session_id="top-1", leaf=None, created_at=0.0,
        updated_at=0.0,
    )  # fmt: skip
    folder = Folder.of(tmp_path, "top")
    bare = premises.sandbox(tmp_path, "/usr/bin/bwrap", room)
    assert (bare.temporary, bare.bwrap) == (str(folder.tmp), "/usr/bin/bwrap")
    assert bare.visible == (str(folder.reports),)
    folder.root.mkdir(parents=True)
    noted = b'{"kind":"clone","base":"x","objects":["/repo/.git/objects"],"left_out":[],"files":1,"seconds":0.1}'
    folder.note.write_bytes(noted)
    assert premises.sandbox(tmp_path, None, room).visible == ("/repo/.git/objects", str(folder.reports))


async def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, work = tmp_path / "state", tmp_path / "work"
    work.mkdir()
    (work / "a.txt").write_text("one\n")
    ground = premises.ground(state)
    await ground.make(sub("top"), str(work), ignore)
    (Path(ground.home("top")) / "a.txt").write_text("changed\n")
    free = [0, 0, premises.LEAST]
    looks: list[int] = []

    def usage(_: Path) -> SimpleNamespace:
        looks.append(free[len(looks)])
        return SimpleNamespace(free=looks[-1])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(premises, "LOOK_EVERY", 0.01)
    kept = await ground.gather(sub("top"))
    assert kept is not None
    assert (kept.names, looks) == (("M a.txt",), free)
