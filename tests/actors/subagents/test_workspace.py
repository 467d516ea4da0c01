"""A workspace is made wholly or not at all, once, and goes without a trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from actors.subagents import cloning, copying, workspace
from actors.subagents import git as service_git
from tests.actors.subagents.workshop import House, content, repository, snapshot, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(
        tmp_path / "shop", {"a.txt": "one\n", "run.sh": "echo\n", "lib/b.txt": "two\n", ".gitignore": "*.log\n"}
    )


async def test_a_git_that_is_too_old_or_missing(
    house: House, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_git, "_version", [(2, 37)])
    assert await house.refused(shop) == "git 2.37 is too old here: install git 2.38 or newer."
    monkeypatch.setattr(service_git, "_version", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await house.refused(shop) == (
        "git is not installed here, and sub-agents need it: install git 2.38 or newer."
    )


async def test_no_space(house: House, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "SPARE", 1 << 60)
    monkeypatch.setattr(copying, "SPARE", 1 << 60)
    assert "no space" in await house.refused(shop)
    write(tmp_path / "plain", {"a": "1"})
    assert "no space" in await house.refused(tmp_path / "plain")


async def test_a_parent_that_is_no_folder(house: House, tmp_path: Path) -> None:
    assert "is not a folder" in await house.refused(tmp_path / "nothing")
    write(tmp_path, {"file": ""})
    assert "is not a folder" in await house.refused(tmp_path / "file")


async def test_what_is_ready_is_left_alone_and_what_is_half_made_begins_anew(house: House, shop: Path) -> None:
    folder = house.folder("kid")
    write(folder.root, {"work/half": "", "base.git/config": "[core]\n\tfsmonitor = touch /tmp/never\n"})
    ready = await house.prepare(shop)
    assert not (folder.work / "half").exists()
    write(folder.work, {"mine": "1"})
    assert await house.prepare(shop) == ready
    assert (folder.work / "mine").exists()


async def test_cancelled_it_leaves_nothing(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain"
    write(plain, {f"d{n % 10}/f{n}": "x" for n in range(300)})
    monkeypatch.setattr(copying, "_OFTEN", 0.0)
    with trio.fail_after(60), trio.CancelScope() as scope:

        def told(text: str) -> None:
            if text.startswith("copying"):
                scope.cancel()

        await workspace.prepare(str(plain), house.folder("kid"), slug="kid", isolation="copy", told=told)
    assert scope.cancelled_caught
    assert not house.folder("kid").root.exists()
    assert (await house.prepare(plain)).files == 300


async def test_cancelled_while_git_waits_for_a_pipe(house: House, shop: Path) -> None:
    (shop / "lib/.gitignore").unlink(missing_ok=True)
    os.mkfifo(shop / "lib/.gitignore")
    with trio.fail_after(60), trio.move_on_after(1.0) as scope:
        await house.prepare(shop)
    assert scope.cancelled_caught, "git reads what nobody writes"
    assert not house.folder("kid").root.exists()


async def test_removed_without_a_trace(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    root = house.folder("kid").root
    write(tmp_path, {"outside/precious": "x"})
    (root / "work/out").symlink_to(tmp_path / "outside")
    (root / "work/lib").chmod(0o500)
    await workspace.remove(root, tmp_path / "never")
    assert not root.exists()
    assert (tmp_path / "outside/precious").exists()


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.1, 0.15, 0.2])
async def test_killed_in_the_middle_it_begins_anew(house: House, shop: Path, delay: float) -> None:
    write(shop, {f"new/{n}": "x" for n in range(300)})
    before = snapshot(shop)
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.actors.subagents.workshop", str(house.state), str(shop)],
        stdout=subprocess.PIPE,
    )
    with trio.fail_after(60):
        assert process.stdout is not None
        await process.stdout.receive_some(1)  # it is about to begin
        await trio.sleep(delay)
        process.kill()
        await process.wait()
        await process.stdout.aclose()
        await house.prepare(shop)
    assert snapshot(shop) == before
    assert content(house.folder("kid").work) == content(shop)
    assert await house.collect() is None
    await workspace.remove(house.folder("kid").root)
    assert [path for path in house.state.rglob("*") if path.name != "subagents"] == []
