"""Clones of git workspaces, made with the real git; the parent's stays as it is, bit for bit."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from actors.subagents import cloning, workspace
from tests.actors.subagents.workshop import House, content, git, repository, snapshot, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(
        tmp_path / "shop", {"a.txt": "one\n", "run.sh": "echo\n", "lib/b.txt": "two\n", ".gitignore": "*.log\n"}
    )


async def test_a_git_workspace_is_cloned_with_shared_objects(house: House, shop: Path) -> None:
    before = snapshot(shop)
    ready = await house.prepare(shop)
    folder = house.folder("kid")
    assert (ready.kind, ready.left_out, ready.files) == ("clone", (), 4)
    assert ready.objects == (str(shop / ".git/objects"),)
    assert workspace.prepared(folder) == ready
    assert snapshot(shop) == before
    assert content(folder.work) == content(shop)
    assert git(folder.work, "status", "--short", "--branch").split() == ["##", "agent/kid"]
    assert git(folder.work, "rev-parse", "HEAD") == git(shop, "rev-parse", "HEAD")
    assert git(folder.work, "remote") == ""
    assert git(folder.work, "count-objects").startswith("0 objects")
    assert not (folder.work / ".git/hooks").exists()
    assert (folder.tmp.is_dir(), folder.home.is_dir(), folder.reports.is_dir()) == (True, True, True)
    write(folder.work, {"a.txt": "three\n"})
    git(folder.work, "-c", "user.useConfigOnly=true", "commit", "-qam", "its own")
    git(folder.work, "fsck", "--strict")
    # A commit of its own marks an object that it needs as fresh, as git does; in the sandbox it cannot do even that.
    assert {key: (e[0], e[3]) for key, e in snapshot(shop).items()} == {key: (e[0], e[3]) for key, e in before.items()}


async def test_what_is_not_committed_is_carried_over(house: House, shop: Path) -> None:
    write(shop, {"a.txt": "changed\n", "new/deep.txt": "new\n", "staged.txt": "s\n", "old.log": "ignored\n"})
    git(shop, "add", "staged.txt")
    (shop / "lib/b.txt").unlink()
    (shop / "run.sh").chmod(0o755)
    (shop / "link").symlink_to("/etc/passwd")
    write(shop, {".pi/settings.json": "{}", "lib/__pycache__/x.pyc": "", "new/.pi/y": ""})
    before = snapshot(shop)
    ready = await house.prepare(shop)
    work = house.folder("kid").work
    assert snapshot(shop) == before
    assert content(work) == {
        "a.txt": "changed\n",
        "run.sh": "echo\n",
        ".gitignore": "*.log\n",
        "new/deep.txt": "new\n",
        "staged.txt": "s\n",
        "link": "/etc/passwd",
    }
    assert (work / "link").is_symlink()
    assert stat.S_IMODE((work / "run.sh").stat().st_mode) & 0o111
    assert not (work / "lib").exists()
    assert git(work, "status", "--short").splitlines() == [
        " M a.txt",
        " D lib/b.txt",
        " M run.sh",
        "?? link",
        "?? new/",
        "?? staged.txt",
    ]
    assert ready.files == 6
    assert await house.collect() is None, "what it began with is not its own work"


async def test_a_file_that_becomes_a_folder_and_the_other_way(house: House, shop: Path) -> None:
    (shop / "a.txt").unlink()
    write(shop, {"a.txt/inside": "x"})
    (shop / "lib/b.txt").unlink()
    (shop / "lib").rmdir()
    (shop / "lib").symlink_to("/etc")
    await house.prepare(shop)
    assert content(house.folder("kid").work) == content(shop)
    assert await house.collect() is None


async def test_a_linked_working_tree(house: House, shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    write(tmp_path / "side", {"a.txt": "side\n"})
    git(tmp_path / "side", "commit", "-qam", "side")
    write(tmp_path / "side", {"a.txt": "more\n"})
    before = snapshot(shop), snapshot(tmp_path / "side")
    ready = await house.prepare(tmp_path / "side")
    work = house.folder("kid").work
    assert ready.kind == "clone"
    assert git(work, "log", "--format=%s").split() == ["side", "begin"]
    assert git(work, "status", "--short") == " M a.txt\n"
    assert before == (snapshot(shop), snapshot(tmp_path / "side"))


async def test_objects_that_are_borrowed_already(house: House, shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(shop), "second")
    git(tmp_path, "clone", "-q", "--shared", str(tmp_path / "second"), "third")
    git(tmp_path / "third", "pack-refs", "--all")
    ready = await house.prepare(tmp_path / "third")
    assert ready.objects == tuple(str(tmp_path / name / ".git/objects") for name in ("third", "second", "shop"))
    assert content(house.folder("kid").work) == content(shop)


async def test_alternates_lead_to_objects_only(house: House, shop: Path) -> None:
    (shop / ".git/objects/info/alternates").write_text("/etc\n../../../nothing\n")
    ready = await house.prepare(shop)
    assert ready.objects == (str(shop / ".git/objects"),)


async def test_a_detached_head_and_a_merge_in_progress(house: House, shop: Path) -> None:
    git(shop, "checkout", "-qb", "other")
    write(shop, {"a.txt": "other\n"})
    git(shop, "commit", "-qam", "other")
    git(shop, "checkout", "-q", "--detach", "main")
    write(shop, {"a.txt": "here\n"})
    git(shop, "commit", "-qam", "here")
    git(shop, "merge", "-q", "other", fails=True)
    await house.prepare(shop)
    assert content(house.folder("kid").work) == content(shop)
    assert "<<<<<<<" in content(shop)["a.txt"]


async def test_a_repository_with_sha256(house: House, tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop", {"a": "1\n"}, "--object-format=sha256")
    await house.prepare(shop)
    work = house.folder("kid").work
    assert git(work, "status", "--short") == ""
    write(work, {"a": "2\n"})
    git(work, "commit", "-qam", "two")
    assert (await house.made()).names == ("M a",)


async def test_a_shallow_clone(house: House, shop: Path, tmp_path: Path) -> None:
    write(shop, {"a.txt": "2\n"})
    git(shop, "commit", "-qam", "two")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{shop}", "flat")
    await house.prepare(tmp_path / "flat")
    assert git(house.folder("kid").work, "log", "--format=%s") == "two\n"


async def test_a_sparse_checkout_stays_sparse(house: House, tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop", {"in/a": "1", "out/b": "2", "out/c": "3", "top": "4"})
    git(shop, "sparse-checkout", "set", "in")
    blob = git(shop, "rev-parse", "HEAD:out/c").strip()
    git(shop, "update-index", "--cacheinfo", f"100644,{blob},out/b")
    git(shop, "update-index", "--skip-worktree", "out/b")
    write(shop, {"in/new": "5"})
    before = snapshot(shop)
    ready = await house.prepare(shop)
    work = house.folder("kid").work
    assert snapshot(shop) == before
    assert content(work) == {"in/a": "1", "in/new": "5", "top": "4"}
    assert ready.files == 3
    assert git(work, "status", "--short") == "?? in/new\n"
    assert await house.collect() is None, "what was not checked out is not deleted"
    write(work, {"out/b": "changed", "in/a": "6"})
    assert (await house.made()).names == ("M in/a", "M out/b")


async def test_an_index_in_two_parts(house: House, shop: Path) -> None:
    git(shop, "update-index", "--split-index")
    write(shop, {"a.txt": "changed\n"})
    await house.prepare(shop)
    assert content(house.folder("kid").work) == content(shop)


async def test_without_an_index(house: House, shop: Path) -> None:
    (shop / ".git/index").unlink()
    (shop / "lib/b.txt").unlink()
    await house.prepare(shop)
    assert content(house.folder("kid").work) == content(shop)


async def test_files_that_git_converts_are_taken_as_they_are(house: House, tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop", {".gitattributes": "*.bat eol=crlf\n*.id ident\n", "x.bat": "a\nb\n"})
    write(shop, {"y.id": "$Id$\n"})
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "ident")
    for name in ("x.bat", "y.id"):
        (shop / name).unlink()
    git(shop, "checkout", "--", ".")
    for name in ("x.bat", "y.id"):
        os.utime(shop / name, (1, 1))
    git(shop, "status")  # notes that they are as they were
    assert "\r\n" in content(shop)["x.bat"]
    await house.prepare(shop)
    assert content(house.folder("kid").work) == content(shop)
    assert await house.collect() is None


async def test_large_files_that_are_not_committed_are_left_out_and_named(
    house: House, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloning, "ONE", 1 << 20)
    monkeypatch.setattr(cloning, "ALL", 3 << 20)
    for name in ("b", "c", "d"):
        write(shop, {name: bytes(1 << 20)})
    write(shop, {"a.txt": bytes((1 << 20) + 1), "e": b"xx"})
    ready = await house.prepare(shop)
    work = house.folder("kid").work
    assert ready.left_out == ("a.txt, e: were left out: a file may have 1 MB, all together 3 MB.",)
    assert (work / "a.txt").read_text() == "one\n"
    assert not (work / "e").exists()
    assert await house.collect() is None


async def test_submodules(house: House, shop: Path, tmp_path: Path) -> None:
    other = repository(tmp_path / "other", {"x": "1"})
    git(shop, "submodule", "--quiet", "add", str(other), "vendor")
    assert "submodules (vendor)" in await house.refused(shop)


async def test_a_partial_clone(house: House, shop: Path, tmp_path: Path) -> None:
    git(shop, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{shop}", "part")
    git(tmp_path / "part", "read-tree", "HEAD")
    assert "does not hold all that is committed" in await house.refused(tmp_path / "part")


async def test_a_sub_agents_sub_agent(house: House, shop: Path) -> None:
    await house.prepare(shop, "kid")
    kid = house.folder("kid").work
    write(kid, {"a.txt": "kid's commit\n"})
    git(kid, "commit", "-qam", "kid")
    write(kid, {"lib/b.txt": "not committed\n"})
    before = snapshot(kid)
    ready = await house.prepare(kid, "grandkid")
    grandkid = house.folder("grandkid").work
    assert snapshot(kid) == before
    assert content(grandkid) == content(kid)
    assert git(grandkid, "log", "--format=%s").split() == ["kid", "begin"]
    assert ready.objects == (str(shop / ".git/objects"), str(house.folder("grandkid").shadow / "lent"))
    git(kid, "gc", "-q")
    write(kid, {"c": "packed\n"})
    await house.prepare(kid, "second")
    assert content(house.folder("second").work) == content(kid)


@pytest.mark.parametrize("path", [b"../../evil", b".git/hooks/x", b"/etc/evil", b"a/../b"])
async def test_an_index_with_odd_paths(house: House, shop: Path, path: bytes) -> None:
    write(shop, {"x" * len(path): "x"})
    git(shop, "add", ".")
    index = shop / ".git/index"
    data = bytearray(index.read_bytes().replace(b"x" * len(path), path))
    git(shop, "config", "index.skipHash", "true")
    index.write_bytes(bytes(data[:-20]) + _sha1(bytes(data[:-20])))
    assert "that no working tree may have" in await house.refused(shop)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


async def test_what_belongs_to_pi_is_not_carried_whatever_a_gitignore_says(house: House, tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop", {".pi/x": "committed", ".gitignore": "!.pi\n!__pycache__\n"})
    write(shop, {".pi/x": "changed", ".pi/new": "", "lib/__pycache__/y": ""})
    await house.prepare(shop)
    work = house.folder("kid").work
    assert content(work) == {".pi/x": "committed", ".gitignore": "!.pi\n!__pycache__\n"}
    write(work, {".pi/x": "again", "__pycache__/z": ""})
    assert await house.collect() is None
