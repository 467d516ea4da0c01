"""A sub-agent that lays traps for the service: nothing is executed, nothing outside is read or written."""

import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from actors.subagents import results
from actors.subagents.git import MEMORY
from tests.actors.subagents.workshop import House, content, git, repository, snapshot, texts, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(
        tmp_path / "shop", {"a.txt": "one\n", "run.sh": "echo\n", "lib/b.txt": "two\n", ".gitignore": "*.log\n"}
    )


def _lay_traps(kid: Path, outside: Path) -> None:
    """All that a sub-agent could think of to have something executed, or something outside read or written."""
    trap = outside / "trap.sh"
    write(outside, {"trap.sh": f"#!/bin/sh\ntouch {outside}/sprung\ncat\n", "secret": "secret\n"})
    trap.chmod(0o755)
    for key, value in {
        "core.fsmonitor": str(trap),
        "core.hooksPath": str(outside),
        "core.pager": str(trap),
        "core.editor": str(trap),
        "core.sshCommand": str(trap),
        "core.gitProxy": str(trap),
        "core.askPass": str(trap),
        "core.worktree": str(outside),
        "core.alternateRefsCommand": str(trap),
        "core.excludesFile": str(outside / "secret"),
        "filter.evil.clean": str(trap),
        "filter.evil.smudge": str(trap),
        "filter.evil.process": str(trap),
        "filter.evil.required": "true",
        "diff.external": str(trap),
        "diff.evil.textconv": str(trap),
        "diff.evil.command": str(trap),
        "merge.evil.driver": str(trap),
        "alias.status": f"!{trap}",
        "alias.ls-files": f"!{trap}",
        "alias.read-tree": f"!{trap}",
        "uploadpack.packObjectsHook": str(trap),
        "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(trap),
        "credential.helper": f"!{trap}",
        "gpg.program": str(trap),
        "commit.gpgSign": "true",
        "include.path": str(outside / "config"),
        "submodule.recurse": "true",
    }.items():
        git(kid, "config", key, value)
    write(outside, {"config": f"[core]\n\tfsmonitor = {trap}\n"})
    (kid / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction", "post-commit"):
        (kid / ".git/hooks" / hook).write_text(trap.read_text())
        (kid / ".git/hooks" / hook).chmod(0o755)
        (outside / hook).write_text(trap.read_text())
        (outside / hook).chmod(0o755)
    (kid / ".git/objects/info/alternates").write_text(f"{outside}\n/etc\n")
    (kid / ".git/info/grafts").write_text("")
    write(
        kid,
        {
            ".gitattributes": "* filter=evil diff=evil merge=evil\n",
            "lib/.gitattributes": "* filter=evil\n",
            ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::{trap}\n\tupdate = !{trap}\n',
        },
    )


async def test_nothing_that_a_sub_agent_wrote_is_executed_and_nothing_outside_is_read_or_written(
    house: House, shop: Path, tmp_path: Path
) -> None:
    await house.prepare(shop, "kid")
    folder = house.folder("kid")
    kid, outside = folder.work, tmp_path / "outside"
    head = (kid / ".git/refs/heads/agent/kid").read_text()
    _lay_traps(kid, outside)
    (kid / "passwd").symlink_to("/etc/passwd")
    (kid / "loop").symlink_to("loop")
    (kid / "up").symlink_to(outside)
    (kid / "a.txt").unlink()
    (kid / "a.txt").symlink_to(outside / "secret")
    (kid / "lib/b.txt").unlink()
    (kid / "lib/.gitattributes").unlink()
    (kid / "lib").rmdir()
    (kid / "lib").symlink_to(outside)  # in the index there is lib/b.txt
    os.mkfifo(kid / "pipe")
    (kid / "run.sh").unlink()
    os.mkfifo(kid / "run.sh")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(kid / "socket")[:100])
    if os.geteuid() == 0:
        os.mknod(kid / "device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    odd = [
        b"new\nline",
        b"'quote'",
        b'"double"',
        b"back\\slash",
        b"in\xffvalid",
        b"-dash",
        b"--stdin",
        b":(top)x",
        b" ",
    ]
    write(kid, {os.fsdecode(name): name for name in odd})
    inside, beyond, theirs = snapshot(kid), snapshot(outside), snapshot(shop)

    ready = await house.prepare(kid, "grandkid")
    grandkid = house.folder("grandkid").work
    assert not (outside / "sprung").exists()
    assert (snapshot(kid), snapshot(outside), snapshot(shop)) == (inside, beyond, theirs)
    assert all(str(outside) not in store and store != "/etc" for store in ready.objects)
    assert (grandkid / ".git/refs/heads/agent/grandkid").read_text() == head
    copied = content(grandkid)
    assert copied["passwd"] == "/etc/passwd"
    assert copied["a.txt"] == str(outside / "secret")
    assert copied["lib"] == str(outside)
    assert copied["loop"] == "loop"
    assert {os.fsencode(name) for name in copied if os.fsencode(name) == os.fsencode(copied[name])} >= set(odd)
    assert not {"pipe", "socket", "device"} & {path.name for path in grandkid.iterdir()}
    said = (grandkid / ".git/config").read_text()
    assert "evil" not in said
    assert str(outside) not in said

    changes = await house.made("kid")
    assert not (outside / "sprung").exists()
    assert (snapshot(kid), snapshot(outside), snapshot(shop)) == (inside, beyond, theirs)
    assert "D lib/b.txt" in changes.names
    assert "A new\\nline" in changes.names
    assert changes.left_out == ("run.sh left out: neither a file nor a link.",)
    assert "root:" not in texts(changes.patch)
    assert await house.collect("grandkid") is None


async def test_a_git_folder_that_leads_elsewhere_is_no_git_folder(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop, "kid")
    kid = house.folder("kid").work
    (kid / ".git").rename(tmp_path / "moved")
    (kid / ".git").symlink_to(tmp_path / "moved")
    assert (await house.prepare(kid, "one")).kind == "copy"
    (kid / ".git").unlink()
    (kid / ".git").write_text(f"gitdir: {shop}/.git\n")
    assert (await house.prepare(kid, "two")).kind == "copy"


@pytest.mark.parametrize("name", ["HEAD", "refs/heads/agent/kid", "objects", "index"])
async def test_parts_of_a_git_folder_that_lead_elsewhere(house: House, shop: Path, tmp_path: Path, name: str) -> None:
    await house.prepare(shop, "kid")
    part = house.folder("kid").work / ".git" / name
    part.rename(tmp_path / "moved")
    part.symlink_to(tmp_path / "moved")
    if name == "index":
        await house.refused(house.folder("kid").work, "one")
    else:
        assert (await house.prepare(house.folder("kid").work, "one")).kind == "copy"


async def test_objects_that_a_sub_agent_puts_in_place_of_others_reach_nobody_above(
    house: House, shop: Path, tmp_path: Path
) -> None:
    await house.prepare(shop, "kid")
    kid = house.folder("kid").work
    (kid / ".git/objects/aa").mkdir()
    (kid / ".git/objects/aa" / ("b" * 38)).symlink_to("/etc/passwd")
    assert "not a regular file" in await house.refused(kid, "grandkid")


async def test_a_gitignore_that_is_larger_than_memory_takes_none_of_it(house: House, shop: Path) -> None:
    await house.prepare(shop, "kid")
    kid = house.folder("kid").work
    write(kid, {"new.txt": "new\n", "a.txt": "other\n"})
    (kid / ".gitignore").unlink()
    with (kid / ".gitignore").open("wb") as file:
        file.truncate(MEMORY + (1 << 30))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert "git cannot make a copy" in await house.refused(kid, "grandkid")
    changes = await house.made("kid")
    assert "M a.txt" in changes.names
    assert any("New files were left out" in each for each in changes.left_out)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, MEMORY >> 10)


@pytest.mark.parametrize("way", ["whole", "in two steps", "by a link", "by another's objects"])
async def test_a_repository_under_another_name_is_not_brought_to_anybody(
    house: House, shop: Path, tmp_path: Path, way: str
) -> None:
    evil = f"[core]\n\trepositoryformatversion = 0\n\tworktree = .\n\tfsmonitor = touch {tmp_path}/sprung; false\n"
    head = {"docs/HEAD": "ref: refs/heads/main\n", "docs/config": evil}
    rest = {"docs/objects/x": "", "docs/refs/x": ""}
    match way:
        case "whole":
            steps = [head | rest]
        case "in two steps":
            steps = [head, rest]
        case "by a link":
            steps = [head | {"docs/refs/x": ""}]
        case _:
            steps = [
                {"docs/HEAD": "ref: refs/heads/main\n", "docs/commondir": "../common\n"}
                | {"common/config": evil, "common/objects/x": "", "common/refs/x": ""}
            ]
    left_out: tuple[str, ...] = ()
    for number, files in enumerate(steps):
        await house.prepare(shop, f"kid{number}")
        kid = house.folder(f"kid{number}").work
        write(kid, files | {f"good{number}": "x", "docs/read.me": ""})
        if way == "by a link":
            (kid / "docs/objects").symlink_to("../lib")
        changes = await house.made(f"kid{number}")
        await results.apply(changes, str(shop))
        assert (shop / f"good{number}").exists()
        left_out = changes.left_out
    assert left_out == ("docs/ left out: a repository of its own is not taken along.",)
    git(shop / "docs", "status")
    assert not (tmp_path / "sprung").exists()
