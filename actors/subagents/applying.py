"""Merges what a sub-agent made into a workspace: three ways, all or nothing, and only its files.

The common ancestor is what the sub-agent began with, the sides are what it made and what the workspace holds now. git
merges in a scratch repository; what differs then is written into the workspace, whose git is not touched. What is
about to be written is noted first, so that a merge that was cut off, or is done again, does nothing twice.
"""

import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import msgspec
import trio

from actors.messages import Changes
from actors.subagents import git, snapshots
from actors.subagents.folder import in_thread
from actors.subagents.placing import Blob, Placing, Present, Raced, look
from actors.subagents.removing import remove_now

_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TRIES: Final = 2
_SLOW: Final = 600.0
_locks: "WeakValueDictionary[str, trio.Lock]" = WeakValueDictionary()


class Applied(msgspec.Struct, frozen=True):
    """What a merge wrote or removed; no `files`: the workspace had it all."""

    files: tuple[str, ...]


class ApplyConflict(Exception):
    """Nothing was changed: at these `paths` both sides differ from what it began with, and from each other."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(f"conflicts in {', '.join(paths[:10])}")
        self.paths = paths


class ApplyImpossible(Exception):
    """Nothing was changed; `reason` is one sentence with the mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Touched(msgspec.Struct, frozen=True):
    """A path where two trees differ; None: it is in neither."""

    path: bytes
    old: Blob | None
    new: Blob | None


async def apply(changes: Changes, workspace: str) -> Applied:
    """Merge it into the workspace, a folder. Only one at a time is merged into it.

    Raises ApplyConflict, ApplyImpossible: nothing was changed then. Cancelled, it is done wholly or not at all.
    """
    if not changes.repository:
        raise ApplyImpossible("nothing of what it made could be kept.")
    place = Path(await in_thread(partial(os.path.realpath, workspace)))
    repository = Path(changes.repository)
    async with _alone(f"result {repository}"), _alone(f"workspace {place}"):
        try:
            for _ in range(_TRIES):
                try:
                    return await _apply(repository, place)
                except Raced:
                    continue
        except git.GitUnfit as error:
            raise ApplyImpossible(error.reason) from error
        except git.GitFailed as error:
            raise ApplyImpossible(
                f"what it made cannot be merged ({error}): look at the patch with /diff, or discard it."
            ) from error
        except OSError as error:
            what = f"{error.strerror or error}" + (f": {error.filename}" if isinstance(error.filename, str) else "")
            raise ApplyImpossible(
                f"the workspace cannot be read or written ({what}): mend that and try again."
            ) from error
    raise ApplyImpossible("somebody else was writing to the same files just now: try again.")


@asynccontextmanager
async def _alone(name: str) -> AsyncIterator[None]:
    lock = _locks.get(name) or _locks.setdefault(name, trio.Lock())
    async with lock:
        yield


async def _apply(repository: Path, place: Path) -> Applied:
    scratch = repository.parent / "apply.git"
    note = repository.parent / "applied.json"
    await git.settle(repository.parent)
    try:
        base, result = await in_thread(partial(_open, repository, place, scratch))
        touched = await _differing(scratch, base, result, of=repository / "objects")
        await _fetch(scratch, repository / "objects", touched)
        seen = await in_thread(
            partial(look, place, {each.path: each.new is not None for each in touched}, scratch / "now")
        )
        if seen.in_the_way:
            raise ApplyConflict(_shown(seen.in_the_way))
        now = await _hashed(scratch, seen.present)
        done = await in_thread(partial(_read_note, note, place))
        ours = {
            each.path: each.new if done.get(each.path, _UNKNOWN) == now[each.path] else now[each.path]
            for each in touched
        }
        left, merged = await _merge(scratch, touched, ours)
        writes = await _differing(scratch, left, merged)
        if not writes:
            return Applied(())
        if not {each.path for each in writes} <= ours.keys():
            raise ApplyImpossible("the merge would change files that it did not touch: look at the patch with /diff.")
        await _stage(scratch, writes)
        final = {**now, **{each.path: each.new for each in writes}}
        placing = Placing(place, scratch, seen.present, [(each.path, each.new) for each in writes])
        # From here on nothing is asked of anybody else, and a cancel waits for the end of it.
        await in_thread(partial(_place, placing, note, place, final))
        return Applied(_shown([each.path for each in writes]))
    finally:
        with trio.CancelScope(shield=True):
            await in_thread(partial(remove_now, scratch))


_UNKNOWN: Final = Blob("", "")


def _open(repository: Path, place: Path, scratch: Path) -> tuple[str, str]:
    """Make the scratch repository; returns the commits of both states."""
    remove_now(scratch)
    if not place.is_dir():
        raise ApplyImpossible(f"the workspace is not there ({place}): put it back and try again.")
    ids = []
    for branch in ("base", "result"):
        try:
            said = (repository / "refs/heads" / branch).read_text().strip()
        except FileNotFoundError:
            said = ""
        if not _ID.fullmatch(said):
            raise ApplyImpossible("what it made is not there any more.")
        ids.append(said)
    git.make(scratch, like=ids[0])
    (scratch / "now").mkdir()
    (scratch / "new").mkdir()
    return ids[0], ids[1]


async def _differing(scratch: Path, old: str, new: str, of: Path | None = None) -> list[Touched]:
    """The paths where two trees differ; `of`: the folder of objects that they are in, if not the scratch's."""
    said = await git.run(scratch, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new, objects=of)
    parts = said.split(b"\0")
    found = []
    for about, path in zip(parts[0:-1:2], parts[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, _ = about.decode().removeprefix(":").split(" ")
        if not git.sound(path) or "160000" in (old_mode, new_mode):
            raise ApplyImpossible(f"it holds a path that no workspace may have ({git.shown(path)}): discard it.")
        before = None if old_mode == "000000" else Blob(old_mode, old_id)
        after = None if new_mode == "000000" else Blob(new_mode, new_id)
        found.append(Touched(path, before, after))
    return found


async def _fetch(scratch: Path, objects: Path, touched: list[Touched]) -> None:
    """Copy the contents of these paths, old and new, into the scratch repository, and nothing else.

    So it needs no other: git marks what it would have written where it already is, and that is in a parent's.
    """
    ids = sorted({blob.id for each in touched for blob in (each.old, each.new) if blob is not None})
    pack = scratch / git.MADE / "pack/pack-fetched.pack"
    with await in_thread(lambda: open(pack, "wb")) as sink:
        given = "".join(f"{id_}\n" for id_ in ids).encode()
        await git.run(
            scratch,
            "pack-objects",
            "-q",
            "--stdout",
            "--window=0",
            given=given,
            into=sink,
            objects=objects,
            limit=_SLOW,
        )
    await git.run(scratch, "index-pack", pack, limit=_SLOW)


async def _hashed(scratch: Path, present: dict[bytes, Present | None]) -> dict[bytes, Blob | None]:
    """What the workspace holds, as objects of the scratch repository."""
    there = [(path, found) for path, found in present.items() if found is not None]
    given = "".join(f"now/{found.number}\n" for _, found in there).encode()
    said = (
        await git.run(
            scratch, "hash-object", "-w", "--no-filters", "--stdin-paths", given=given, alone=True, limit=_SLOW
        )
    ).split()
    blobs: dict[bytes, Blob | None] = dict.fromkeys(present)
    for (path, found), id_ in zip(there, said, strict=True):
        blobs[path] = Blob(found.kind, id_.decode())
    return blobs


async def _merge(scratch: Path, touched: list[Touched], ours: dict[bytes, Blob | None]) -> tuple[str, str]:
    """The trees of the workspace's side and of the merge, with these paths alone. Raises ApplyConflict."""
    trees = []
    for name, blobs in (
        ("base", {each.path: each.old for each in touched}),
        ("ours", ours),
        ("result", {each.path: each.new for each in touched}),
    ):
        index = scratch / f"index.{name}"
        await _put(scratch, index, blobs)
        trees.append(await snapshots.tree_of(scratch, index))
    root = await snapshots.commit(scratch, trees[0], "base")
    sides = [
        await snapshots.commit(scratch, tree, name, root)
        for name, tree in zip(("ours", "result"), trees[1:], strict=True)
    ]
    plain = ("--write-tree", "-z", "--name-only", "--no-messages")
    said = (await git.run(scratch, "merge-tree", *plain, *sides, fine=(0, 1), limit=_SLOW)).split(b"\0")
    conflicts = [path for path in said[1:] if path]
    if conflicts:  # git names what it would call both sides, too
        raise ApplyConflict(_shown([path for path in conflicts if path in ours] or conflicts))
    return trees[1], said[0].decode().strip()


async def _put(scratch: Path, index: Path, blobs: dict[bytes, Blob | None]) -> None:
    gone = [b"0 " + b"0" * 40 + b"\t" + path + b"\0" for path, blob in blobs.items() if blob is None]
    put = [
        f"{blob.mode} {blob.id}\t".encode() + path + b"\0" for path, blob in sorted(blobs.items()) if blob is not None
    ]
    await git.run(scratch, "update-index", "-z", "--replace", "--index-info", index=index, given=b"".join(gone + put))


async def _stage(scratch: Path, writes: list[Touched]) -> None:
    """Write what is to come into the workspace beside the repository first, as files with numbers for names."""
    index = scratch / "index.new"
    numbered = {str(n).encode(): Blob("100644", each.new.id) for n, each in enumerate(writes) if each.new is not None}
    if numbered:
        await _put(scratch, index, dict(numbered))
        await git.run(scratch, "checkout-index", "-a", "-q", tree=scratch / "new", index=index, limit=_SLOW)


def _place(placing: Placing, note: Path, place: Path, final: dict[bytes, Blob | None]) -> None:
    """Write it all into the workspace, or nothing."""
    before = note.read_bytes() if note.exists() else None
    _write_note(note, place, final)
    written = False
    try:
        placing.write()
        written = True
    finally:
        if not written:
            if before is None:
                note.unlink(missing_ok=True)
            else:
                note.write_bytes(before)


def _read_note(note: Path, place: Path) -> dict[bytes, Blob | None]:
    """What was written into this workspace at an earlier time, or was about to be."""
    try:
        said = msgspec.json.decode(note.read_bytes(), type=dict[str, dict[str, Blob | None]])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}
    return {path.encode("latin-1"): blob for path, blob in said.get(_name(place), {}).items()}


def _write_note(note: Path, place: Path, final: dict[bytes, Blob | None]) -> None:
    said = {_name(place): {path.decode("latin-1"): blob for path, blob in final.items()}}
    new = note.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(said))
    new.replace(note)


def _name(place: Path) -> str:
    return hashlib.sha256(os.fsencode(place)).hexdigest()


def _shown(paths: list[bytes]) -> tuple[str, ...]:
    return tuple(sorted({git.shown(path) for path in paths}))
