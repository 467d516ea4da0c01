"""What a sub-agent made: collected with the real git out of whatever it left, never by what it says of itself."""

import os
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from actors.subagents import results, workspace
from actors.subagents.git import run
from tests.actors.subagents.workshop import House, content, dig, git, repository, snapshot, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", {"a.txt": "one\ntwo\n", "lib/b.txt": "two\n", ".gitignore": "*.log\n"})


async def test_what_it_changed(house: House, shop: Path) -> None:
    write(shop, {"lib/b.txt": "not committed\n"})
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "one\n2\n3\n", "new/c": "c\n", "x.log": "ignored", "__pycache__/y": "", "new/.pi/z": ""})
    write(work, {"picture": b"\0\1\2"})
    (work / "lib/b.txt").unlink()
    (work / "link").symlink_to("/etc/passwd")
    before = snapshot(shop)
    changes = await house.made()
    assert changes.names == ("M a.txt", "D lib/b.txt", "A link", "A new/c", "A picture")
    assert (changes.files, changes.added, changes.removed, changes.left_out) == (5, 4, 2, ())
    assert snapshot(shop) == before
    kept = house.state / "results/kid"
    assert (changes.patch, changes.repository) == (str(kept / "patch"), str(kept / "repository.git"))
    assert {path.name for path in kept.iterdir()} == {"patch", "repository.git"}


async def test_the_patch_and_the_branches_are_what_git_takes(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "one\n2\n", "new/c": b"\0\1", "lib/b.txt": "3"})
    changes = await house.made()
    after = content(work)
    await workspace.remove(house.folder("kid").root)
    git(tmp_path, "clone", "-q", str(shop), "one")
    git(tmp_path / "one", "apply", "--index", changes.patch)
    assert content(tmp_path / "one") == after
    git(shop, "fetch", "-q", changes.repository, "result")
    git(shop, "merge", "-q", "--ff-only", "FETCH_HEAD")
    assert content(shop) == after
    assert git(Path(changes.repository), "fsck", "--strict") is not None
    assert git(Path(changes.repository), "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/base",
        "refs/heads/result",
    ]


async def test_its_commits_are_not_asked_for(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "committed\n"})
    git(work, "commit", "-qam", "mine")
    git(work, "gc", "-q")
    assert (await house.made()).names == ("M a.txt",)
    git(work, "update-index", "--assume-unchanged", "a.txt")
    assert (await house.made()).names == ("M a.txt",)


async def test_nothing_changed_leaves_nothing(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"x.log": "ignored"})
    (house.folder("kid").work / "a.txt").touch()
    assert await house.collect() is None
    assert not list((house.state / "results").glob("*"))


async def test_of_a_folder_that_was_never_ready(house: House) -> None:
    assert await house.collect() is None


async def test_it_can_be_collected_again(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "1"})
    write(house.state / "results/kid", {"repository.git/half": ""})
    first = await house.made()
    assert not (Path(first.repository) / "half").exists()
    assert await house.made() == first


async def test_what_a_kill_has_cut_off_is_collected_again(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "1\n"})
    (house.folder("kid").shadow / "index.result").write_text("half an ind")
    for lock in ("index.result.lock", "refs/heads/result.lock"):
        (house.folder("kid").shadow / lock).touch()
    assert (await house.made()).names == ("M a.txt",)


async def test_a_workspace_without_a_repository(house: House, tmp_path: Path) -> None:
    write(tmp_path / "plain", {"a": "1\n", "b": "2\n"})
    await house.prepare(tmp_path / "plain")
    work = house.folder("kid").work
    write(work, {"a": "one\n"})
    (work / "b").unlink()
    assert (await house.made()).names == ("M a", "D b")


async def test_a_mode_and_a_kind(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    (work / "a.txt").chmod(0o755)
    (work / "lib/b.txt").unlink()
    (work / "lib/b.txt").symlink_to("../a.txt")
    changes = await house.made()
    assert changes.names == ("M a.txt", "M lib/b.txt")


async def test_only_a_hundred_names(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {f"f{n:03}": "" for n in range(150)})
    changes = await house.made()
    assert (changes.files, len(changes.names), changes.names[99]) == (150, 100, "A f099")


async def test_what_is_too_large_is_left_out_and_named(
    house: House, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ONE", 1 << 20)
    monkeypatch.setattr(results, "ALL", 2 << 20)
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": bytes((1 << 20) + 1), "b": bytes(1 << 20), "c": bytes(1 << 20), "d": "1"})
    changes = await house.made()
    assert changes.names == ("A b", "A c")
    assert changes.left_out == ("a.txt, d left out: a file may have 1 MB, all together 2 MB.",)


async def test_of_very_many_files_the_first_are_kept(house: House, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FILES", 3)
    await house.prepare(shop)
    write(house.folder("kid").work, {f"new/{number}": "x" for number in range(8)})
    (house.folder("kid").work / "new/8").symlink_to("0")
    changes = await house.made()
    assert (changes.files, changes.names) == (3, ("A new/0", "A new/1", "A new/2"))
    assert changes.left_out == ("new/3, new/4, new/5, new/6, new/7 and 1 more left out: at most 3 files are kept.",)


async def test_only_something_that_is_left_out(house: House, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ONE", 1)
    await house.prepare(shop)
    write(house.folder("kid").work, {"big": "12"})
    changes = await house.made()
    assert (changes.files, changes.names, len(changes.left_out)) == (0, (), 1)
    assert (await results.apply(changes, str(shop))).files == ()
    assert await results.diff(changes, 100) == ""


async def test_repositories_within_are_left_out_and_named(house: House, shop: Path) -> None:
    await house.prepare(shop)
    repository(house.folder("kid").work / "inner", {"x": "1"})
    changes = await house.made()
    assert (changes.files, changes.left_out) == (0, ("inner/ left out: a repository of its own is not taken along.",))


async def test_a_repository_in_the_place_of_a_file(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    (work / "a.txt").unlink()
    repository(work / "a.txt", {"x": "1"})
    changes = await house.made()
    assert changes.names == ("D a.txt",)


async def test_a_workspace_that_is_gone_or_a_link(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    work.rename(tmp_path / "moved")
    write(tmp_path / "moved", {"a.txt": "changed"})
    for _ in range(2):
        changes = await house.made()
        assert (changes.files, changes.left_out) == (
            0,
            ("Its workspace was gone when it ended, so nothing of it could be kept.",),
        )
        work.unlink(missing_ok=True)
        work.symlink_to(tmp_path / "moved")


async def test_what_its_repository_has_become_does_not_matter(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "changed\n"})
    (work / ".git").rename(tmp_path / "moved")
    assert (await house.made()).names == ("M a.txt",)
    (work / ".git").symlink_to("/etc")
    assert (await house.made()).names == ("M a.txt",)
    (work / ".git").unlink()
    git(work, "init", "-q")
    git(work, "config", "core.fsmonitor", f"touch {tmp_path}/sprung")
    assert (await house.made()).names == ("M a.txt",)
    assert not (tmp_path / "sprung").exists()


async def test_a_configuration_that_somebody_put_into_the_shadow(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    folder = house.folder("kid")
    write(folder.work, {"a.txt": "changed\n"})
    with (folder.shadow / "config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = touch {tmp_path}/sprung\n[filter "e"]\n\tclean = touch {tmp_path}/sprung\n'
        )
    (folder.shadow / "info/attributes").write_text("* filter=e\n")
    assert (await house.made()).names == ("M a.txt",)
    assert not (tmp_path / "sprung").exists()


async def test_what_cannot_be_read(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "changed\n", "dark/x": "1", "dim/y": "2"})
    (work / "a.txt").chmod(0)
    (work / "dark").chmod(0)
    (work / "dim").chmod(0o400)
    assert (await house.made()).names == ("M a.txt", "A dark/x", "A dim/y")


async def test_a_folder_that_is_deeper_than_a_path_can_be(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "changed\n"})
    dig(work, 1500)
    assert "M a.txt" in (await house.made()).names
    await workspace.remove(house.folder("kid").root)
    assert not house.folder("kid").root.exists()


async def test_more_new_files_than_can_be_listed(house: House, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "changed\n", **{f"f{n}": "" for n in range(100)}})
    monkeypatch.setattr("actors.subagents.git.run", partial(run, most=300))
    changes = await house.made()
    assert changes.names == ("M a.txt",)
    assert changes.left_out == (
        "New files were left out: they could not be listed (it has more to say than can be taken).",
    )


async def test_what_fails_is_said(house: House, shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "changed\n"})
    monkeypatch.setenv("PATH", str(tmp_path))
    changes = await house.made()
    assert (changes.files, changes.repository, changes.patch) == (0, "", "")
    assert changes.left_out[0].startswith("What it changed could not be kept: git is not installed here")
    assert not list((house.state / "results").glob("*"))
    with pytest.raises(results.ApplyImpossible, match="could be kept"):
        await results.apply(changes, str(shop))


async def test_the_patch_is_shown_up_to_a_length(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "ä\n" * 100})
    changes = await house.made()
    whole = await results.diff(changes, 100_000)
    assert whole.startswith("diff --git a/a.txt b/a.txt\n")
    assert await results.diff(changes, 50) == whole[:50] + "\n… the rest is in the patch itself"
    gone = msgspec.structs.replace(changes, patch=os.fspath(shop / "nothing"))
    assert await results.diff(gone, 50) == ""


async def test_a_pipe_that_git_would_read(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "changed\n"})
    for name in (".gitattributes", "lib/.gitignore"):
        os.mkfifo(work / name)
    with trio.fail_after(60):
        assert (await house.made()).names == ("M a.txt",)
