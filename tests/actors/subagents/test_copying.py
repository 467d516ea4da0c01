"""Copies of folders that are no git workspaces, within bounds."""

import stat
from pathlib import Path

import pytest

from actors.subagents import copying
from tests.actors.subagents.workshop import House, content, git, repository, snapshot, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(
        tmp_path / "shop", {"a.txt": "one\n", "run.sh": "echo\n", "lib/b.txt": "two\n", ".gitignore": "*.log\n"}
    )


async def test_a_folder_that_is_no_git_workspace_is_copied(house: House, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    write(
        plain, {"a": "1", "d/b": "2", "x.log": "", ".gitignore": "*.log\n!.pi\n", "d/.pi/s": "", "d/__pycache__/t": ""}
    )
    (plain / "d/b").chmod(0o755)
    (plain / "link").symlink_to("../shop")
    (plain / "passwd").symlink_to("/etc/passwd")
    repository(plain / "inner", {"c": "3", ".gitignore": "e\n", "e": "ignored"})
    repository(plain / "inner/most", {"f": "4"})
    before = snapshot(plain)
    ready = await house.prepare(plain)
    work = house.folder("kid").work
    assert (ready.kind, ready.objects, ready.left_out) == ("copy", (), ())
    assert snapshot(plain) == before
    assert content(work) == {
        "a": "1",
        "d/b": "2",
        ".gitignore": "*.log\n!.pi\n",
        "link": "../shop",
        "passwd": "/etc/passwd",
        "inner/c": "3",
        "inner/.gitignore": "e\n",
        "inner/most/f": "4",
    }
    assert (work / "passwd").is_symlink()
    assert stat.S_IMODE((work / "d/b").stat().st_mode) & 0o100
    assert not list(work.rglob(".git"))
    assert await house.collect() is None


async def test_a_repository_without_a_commit_is_copied(house: House, tmp_path: Path) -> None:
    (tmp_path / "young").mkdir()
    git(tmp_path / "young", "init", "-q")
    write(tmp_path / "young", {"a": "1"})
    assert (await house.prepare(tmp_path / "young")).kind == "copy"
    assert content(house.folder("kid").work) == {"a": "1"}


async def test_bounds_of_a_copy(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "plain", {"a": "1", "b": "2", "c": "3"})
    monkeypatch.setattr(copying, "FILES", 2)
    assert "more than 2 files" in await house.refused(tmp_path / "plain")
    monkeypatch.setattr(copying, "FILES", 3)
    monkeypatch.setattr(copying, "BYTES", 2)
    assert "too large" in await house.refused(tmp_path / "plain")


async def test_an_empty_one(house: House, shop: Path) -> None:
    ready = await house.prepare(shop, isolation="scratch")
    assert (ready.kind, ready.files, content(house.folder("kid").work)) == ("scratch", 0, {})
    assert await house.collect() is None
    write(house.folder("kid").work, {"a": "1"})
    assert (await house.made()).names == ("A a",)


async def test_a_copy_tells_how_it_goes(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_OFTEN", 0.0)
    write(tmp_path / "plain", {f"{n}": "" for n in range(20)})
    await house.prepare(tmp_path / "plain")
    assert house.told[0] == "looking at its parent's files"
    assert "copying: 10 of 20 files" in house.told
    assert house.told[-1] == "noting what it begins with"
