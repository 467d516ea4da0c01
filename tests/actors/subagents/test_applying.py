"""Merging what a sub-agent made: as git merges, all or nothing, and nothing but the files of the workspace."""

import os
import stat
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages import Changes
from actors.subagents import applying, placing, workspace
from actors.subagents.applying import ApplyConflict, ApplyImpossible, apply
from tests.actors.subagents.workshop import ENVIRONMENT, House, content, git, repository, snapshot, write

LINES = "".join(f"line {n}\n" for n in range(20))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", {"a.txt": LINES, "lib/b.txt": "two\n", "run.sh": "x\n"})


def git_of(shop: Path) -> dict[str, tuple[object, ...]]:
    return snapshot(shop / ".git")


async def test_both_sides_have_changed_the_same_file(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": LINES.replace("line 3\n", "kid's\n"), "new/c": "c\n"})
    (house.folder("kid").work / "lib/b.txt").unlink()
    (house.folder("kid").work / "run.sh").chmod(0o755)
    changes = await house.made()
    await workspace.remove(house.folder("kid").root)
    write(shop, {"a.txt": LINES.replace("line 15\n", "ours\n"), "other": "o"})
    (shop / "a.txt").chmod(0o600)
    before = git_of(shop)
    applied = await apply(changes, str(shop))
    assert applied.files == ("a.txt", "lib/b.txt", "new/c", "run.sh")
    assert content(shop) == {
        "a.txt": LINES.replace("line 3\n", "kid's\n").replace("line 15\n", "ours\n"),
        "new/c": "c\n",
        "run.sh": "x\n",
        "other": "o",
    }
    assert not (shop / "lib").exists()
    assert stat.S_IMODE((shop / "a.txt").stat().st_mode) == 0o600
    assert (shop / "run.sh").stat().st_mode & 0o100
    assert git_of(shop) == before, "index, refs, configuration and objects are as they were"
    assert {path.name for path in Path(changes.repository).parent.iterdir()} == {
        "patch",
        "repository.git",
        "applied.json",
    }
    assert (await apply(changes, str(shop))).files == (), "twice is once"


async def test_a_conflict_changes_nothing(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": LINES.replace("line 3", "kid's"), "new": "kid's", "lib/b.txt": "3\n"})
    changes = await house.made()
    write(shop, {"a.txt": LINES.replace("line 3", "ours"), "new": "ours"})
    before = snapshot(shop)
    with pytest.raises(ApplyConflict) as caught:
        await apply(changes, str(shop))
    assert caught.value.paths == ("a.txt", "new")
    assert snapshot(shop) == before
    assert not (Path(changes.repository).parent / "apply.git").exists()


async def test_a_workspace_without_a_repository(house: House, tmp_path: Path) -> None:
    write(tmp_path / "plain", {"a": "1\n", "b": "2\n"})
    await house.prepare(tmp_path / "plain")
    write(house.folder("kid").work, {"a": "one\n", "c/d": "3\n"})
    (house.folder("kid").work / "link").symlink_to("c/d")
    assert (await apply(await house.made(), str(tmp_path / "plain"))).files == ("a", "c/d", "link")
    assert content(tmp_path / "plain") == {"a": "one\n", "b": "2\n", "c/d": "3\n", "link": "c/d"}
    assert (tmp_path / "plain/link").is_symlink()


async def test_files_become_folders_and_links(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    (work / "a.txt").unlink()
    write(work, {"a.txt/inside": "1"})
    (work / "lib/b.txt").unlink()
    (work / "lib").rmdir()
    write(work, {"lib": "now a file"})
    (work / "run.sh").unlink()
    (work / "run.sh").symlink_to("lib")
    changes = await house.made()
    await apply(changes, str(shop))
    assert content(shop) == {"a.txt/inside": "1", "lib": "now a file", "run.sh": "lib"}
    assert (await apply(changes, str(shop))).files == ()


async def test_a_folder_that_holds_something_else_is_not_replaced(house: House, shop: Path) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    (work / "lib/b.txt").unlink()
    (work / "lib").rmdir()
    write(work, {"lib": "now a file"})
    changes = await house.made()
    write(shop, {"lib/mine": "1"})
    before = snapshot(shop)
    with pytest.raises(ApplyConflict, match="lib"):
        await apply(changes, str(shop))
    assert snapshot(shop) == before


async def test_nothing_is_written_beyond_a_link(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"lib/b.txt": "3\n", "lib/new": "x", "over": "y"})
    changes = await house.made()
    write(tmp_path, {"outside/b.txt": "two\n", "secret": "s"})
    (shop / "lib/b.txt").unlink()
    (shop / "lib").rmdir()
    (shop / "lib").symlink_to(tmp_path / "outside")
    (shop / "over").symlink_to(tmp_path / "secret")
    before = snapshot(tmp_path)
    with pytest.raises(ApplyConflict) as caught:
        await apply(changes, str(shop))
    assert caught.value.paths == ("lib/b.txt", "lib/new")
    (shop / "lib").unlink()
    write(shop, {"lib/b.txt": "two\n"})
    before = snapshot(tmp_path)
    with pytest.raises(ApplyConflict) as caught:
        await apply(changes, str(shop))
    assert caught.value.paths == ("over",)
    assert snapshot(tmp_path) == before


async def test_pipes_and_devices_in_the_way(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"new": "x"})
    os.mkfifo(shop / "new")
    with trio.fail_after(30), pytest.raises(ApplyConflict, match="new"):
        await apply(await house.made(), str(shop))


async def test_it_is_merged_again_when_somebody_else_was_writing(
    house: House, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": LINES.replace("line 3", "kid's"), "z": "1"})
    changes = await house.made()
    stage, turns = applying._stage, [0]

    async def racing(scratch: Path, writes: list[applying.Touched]) -> None:
        await stage(scratch, writes)
        turns[0] += 1
        write(shop, {"a.txt": LINES.replace("line 15", f"raced {min(turns[0], 1)}")})

    monkeypatch.setattr(applying, "_stage", racing)
    with pytest.raises(ApplyImpossible, match="somebody else was writing"):
        await apply(changes, str(shop))
    assert (turns[0], content(shop)["a.txt"]) == (2, LINES.replace("line 15", "raced 1"))
    assert not (shop / "z").exists()

    async def once(scratch: Path, writes: list[applying.Touched]) -> None:
        monkeypatch.setattr(applying, "_stage", stage)
        await racing(scratch, writes)

    monkeypatch.setattr(applying, "_stage", once)
    assert (await apply(changes, str(shop))).files == ("a.txt", "z")
    assert content(shop)["a.txt"] == LINES.replace("line 15", "raced 1").replace("line 3", "kid's")


async def test_what_cannot_be_written_to_the_end_is_put_back(
    house: House, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.prepare(shop)
    work = house.folder("kid").work
    write(work, {"a.txt": "kid's\n", "new/c": "c\n", "run.sh": "y\n"})
    (work / "lib/b.txt").unlink()
    changes = await house.made()
    before = content(shop)
    put = placing.Placing._put

    def failing(self: placing.Placing, tree: object, path: bytes, *rest: object) -> None:
        if path == b"run.sh":
            raise OSError(28, "No space left on device")
        put(self, tree, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(placing.Placing, "_put", failing)
    with pytest.raises(ApplyImpossible, match="No space left on device"):
        await apply(changes, str(shop))
    assert content(shop) == before
    assert not (shop / "new").exists()
    monkeypatch.undo()
    assert (await apply(changes, str(shop))).files == ("a.txt", "lib/b.txt", "new/c", "run.sh")


async def test_a_merge_that_was_cut_off_is_done_to_the_end(
    house: House, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": LINES.replace("line 3", "kid's"), "run.sh": "y\n"})
    changes = await house.made()
    write(shop, {"a.txt": LINES.replace("line 15", "ours")})
    put = placing.Placing._put

    def killed(self: placing.Placing, tree: object, path: bytes, *rest: object) -> None:
        if path == b"run.sh":
            (shop / os.fsdecode(self._beside(path))).write_text("half")
            raise KeyboardInterrupt
        put(self, tree, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(placing.Placing, "_put", killed)
    monkeypatch.setattr(applying, "_place", partial(_place_without_mending, applying._write_note))
    with pytest.raises(KeyboardInterrupt):
        await apply(changes, str(shop))
    monkeypatch.undo()
    assert (await apply(changes, str(shop))).files == ("run.sh",)
    merged = LINES.replace("line 15", "ours").replace("line 3", "kid's")
    assert content(shop) == {"a.txt": merged, "lib/b.txt": "two\n", "run.sh": "y\n"}


def _place_without_mending(note_it: object, placing: placing.Placing, note: Path, place: Path, final: object) -> None:
    note_it(note, place, final)  # type: ignore[operator]
    placing.write()


async def test_eight_of_one_file_at_once_are_merged_one_after_the_other(house: House, shop: Path) -> None:
    slugs = [f"kid{n}" for n in range(8)]
    made: list[Changes] = []
    for n, slug in enumerate(slugs):
        await house.prepare(shop, slug)
        write(house.folder(slug).work, {"a.txt": LINES.replace(f"line {n * 2}\n", f"line {n * 2} by {slug}\n")})
        made.append(await house.made(slug))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for changes in made:
                nursery.start_soon(apply, changes, str(shop))
    assert [line for line in content(shop)["a.txt"].splitlines() if "by" in line] == [
        f"line {n * 2} by kid{n}" for n in range(8)
    ]


async def test_of_a_sub_agents_sub_agent(house: House, shop: Path) -> None:
    await house.prepare(shop, "kid")
    kid = house.folder("kid").work
    write(kid, {"a.txt": "kid's\n"})
    git(kid, "commit", "-qam", "kid")
    await house.prepare(kid, "grandkid")
    write(house.folder("grandkid").work, {"a.txt": "grandkid's\n"})
    changes = await house.made("grandkid")
    await workspace.remove(house.folder("grandkid").root)
    before = git_of(kid)
    assert (await apply(changes, str(kid))).files == ("a.txt",)
    assert git_of(kid) == before
    assert (await apply(await house.made("kid"), str(shop))).files == ("a.txt",)
    assert content(shop)["a.txt"] == "grandkid's\n"


async def test_what_is_gone(house: House, shop: Path, tmp_path: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "1"})
    changes = await house.made()
    with pytest.raises(ApplyImpossible, match="the workspace is not there"):
        await apply(changes, str(tmp_path / "nothing"))
    await workspace.remove(Path(changes.repository))
    with pytest.raises(ApplyImpossible, match="is not there any more"):
        await apply(changes, str(shop))
    await workspace.remove(Path(changes.repository).parent)
    with pytest.raises(ApplyImpossible, match="is not there any more"):
        await apply(changes, str(shop))


async def test_a_path_into_gits_own_folder_is_refused(house: House, shop: Path) -> None:
    await house.prepare(shop)
    write(house.folder("kid").work, {"a.txt": "1"})
    changes = await house.made()
    folder = Path(changes.repository)
    blob = git(folder, "rev-parse", "result:a.txt").strip()
    inner = _tree(folder, f"100755 blob {blob}\tpost-checkout\n")
    hooks = _tree(folder, f"040000 tree {inner}\thooks\n")
    raw = b"40000 .git\0" + bytes.fromhex(hooks)
    evil = _object(folder, "tree", raw)
    commit = git(folder, "commit-tree", evil, "-p", "base", "-m", "x").strip()
    (folder / "refs/heads/result").write_text(f"{commit}\n")
    before = snapshot(shop)
    with pytest.raises(ApplyImpossible, match="that no workspace may have"):
        await apply(changes, str(shop))
    assert snapshot(shop) == before


def _tree(folder: Path, lines: str) -> str:
    ran = subprocess.run(["git", "mktree"], cwd=folder, input=lines.encode(), capture_output=True, check=True)
    return ran.stdout.decode().strip()


def _object(folder: Path, kind: str, data: bytes) -> str:
    ran = subprocess.run(
        ["git", "hash-object", "-w", "--literally", "--stdin", "-t", kind],
        cwd=folder,
        input=data,
        capture_output=True,
        check=True,
    )
    return ran.stdout.decode().strip()


SIDES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8).map(lambda lines: "".join(f"{x}\n" for x in lines))


@settings(max_examples=30)
@given(base=SIDES, ours=st.none() | SIDES, theirs=st.none() | SIDES)
def test_a_merge_is_what_git_merges(base: str, ours: str | None, theirs: str | None) -> None:
    with tempfile.TemporaryDirectory() as place:
        trio.run(_merge_as_git, Path(place), base, ours, theirs)


async def _merge_as_git(place: Path, base: str, ours: str | None, theirs: str | None) -> None:
    house, plain = House(place / "state"), place / "plain"
    write(plain, {"f": base, "g": "untouched\n"})
    await house.prepare(plain)
    work = house.folder("kid").work
    for folder, text in ((plain, ours), (work, theirs)):
        if text is None:
            (folder / "f").unlink()
        else:
            write(folder, {"f": text})
    write(work, {"h": "also\n"})
    before = content(plain)
    expected = _expected(place, base, ours, theirs)
    changes = await house.made()
    if expected is _CONFLICT:
        with pytest.raises(ApplyConflict) as caught:
            await apply(changes, str(plain))
        assert caught.value.paths == ("f",)
        assert content(plain) == before
    else:
        await apply(changes, str(plain))
        assert content(plain) == {"g": "untouched\n", "h": "also\n"} | ({} if expected is None else {"f": expected})
        assert (await apply(changes, str(plain))).files == ()


_CONFLICT = "a conflict"


def _expected(place: Path, base: str, ours: str | None, theirs: str | None) -> str | None:
    """What becomes of the file, by the rules, and by git where people work with it."""
    if theirs in {ours, base}:
        return ours
    if ours == base:
        return theirs
    if ours is None or theirs is None:
        return _CONFLICT
    reference = repository(place / "reference", {"f": base, "g": "untouched\n"})
    for branch, text in (("theirs", theirs), ("ours", ours)):
        git(reference, "checkout", "-q", "-b", branch, "main")
        write(reference, {"f": text})
        git(reference, "commit", "-qam", branch)
    ran = subprocess.run(
        ["git", "merge", "-q", "--no-edit", "theirs"], cwd=reference, env=ENVIRONMENT, capture_output=True, check=False
    )
    return (reference / "f").read_text() if ran.returncode == 0 else _CONFLICT


async def test_twice_is_once_even_where_git_would_find_a_conflict(house: House, tmp_path: Path) -> None:
    base, ours, theirs = "bcbbc", "bbbc", "cbcbc"
    plain = tmp_path / "plain"
    write(plain, {"f": _lines(base)})
    await house.prepare(plain)
    write(house.folder("kid").work, {"f": _lines(theirs)})
    changes = await house.made()
    write(plain, {"f": _lines(ours)})
    for files in (("f",), ()):
        assert (await apply(changes, str(plain))).files == files
        assert content(plain) == {"f": _lines("cbbc")}


def _lines(letters: str) -> str:
    return "".join(f"{letter}\n" for letter in letters)
