"""What a sub-agent made: taken out of its workspace when it has ended, shown, and merged into another workspace.

The worker collects; people and parents decide. Its own repository is not asked: what the files were and what they are
is in the service's shadow repository. Merging is `applying`.
"""

import os
import shutil
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from actors.messages import Changes
from actors.subagents import git, snapshots
from actors.subagents.applying import Applied, ApplyConflict, ApplyImpossible, apply
from actors.subagents.beneath import Beneath
from actors.subagents.folder import Folder, Prepared, in_thread, prepared
from actors.subagents.removing import remove_now

__all__ = ["Applied", "ApplyConflict", "ApplyImpossible", "apply", "collect", "diff"]

ONE: Final = 100 << 20
"""Bytes that a file may have to be kept."""
ALL: Final = 1 << 30
"""Bytes that all changed files may have together."""
FILES: Final = 100_000
"""How many changed files are kept; so many take a minute or two."""
NAMES: Final = 100
"""How many changed files are named."""
_SLOW: Final = 600.0
_READ_BY_GIT: Final = (".gitignore", ".gitattributes")
_OF_REPOSITORIES: Final = (b"HEAD", b"objects", b"refs", b"commondir")
_SPARSE: Final = "info/sparse"


class Found(msgspec.Struct):
    """What there is at the paths that may have changed. `left_out`: sentences about what is not kept."""

    put: list[bytes] = []
    gone: list[bytes] = []
    left_out: list[str] = []


async def collect(folder: Folder, into: Path, *, slug: str) -> Changes | None:
    """Keep what the sub-agent changed as `<into>/<slug>/`; None, and nothing there, if that is nothing.

    It must have ended. `folder` stays as it is, so this can be repeated. What cannot be kept is said in `left_out`; if
    nothing can, `repository` and `patch` are empty.
    """
    to = into / slug
    await git.settle(folder.root)
    await in_thread(partial(remove_now, to))
    ready = await in_thread(partial(prepared, folder))
    if ready is None:
        return None
    kept = None
    try:
        kept = await _collect(folder, to, ready)
    except (git.GitFailed, git.GitUnfit, OSError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Changes(
            files=0,
            names=(),
            added=0,
            removed=0,
            patch="",
            repository="",
            left_out=(f"What it changed could not be kept: {why}.",),
        )
    finally:
        if kept is None:
            await in_thread(partial(remove_now, to))
    return kept


async def diff(changes: Changes, most: int) -> str:
    """The patch, at most `most` characters of it and then a line that says so; "" where there is none."""
    with suppress(OSError):
        return await in_thread(partial(_beginning, changes, most))
    return ""


async def _collect(folder: Folder, to: Path, ready: Prepared) -> Changes | None:
    shadow, index = folder.shadow, folder.shadow / "index.result"
    found = Found()
    if await in_thread(partial(_settle, folder, ready, index)):
        found = await _found(folder, index)
        await snapshots.record(shadow, folder.work, index, found.put, found.gone)
    else:
        found.left_out.append("Its workspace was gone when it ended, so nothing of it could be kept.")
    before = (await git.run(shadow, "rev-parse", f"{ready.base}^{{tree}}")).decode().strip()
    after = await snapshots.tree_of(shadow, index)
    if before == after and not found.left_out:
        return None
    result = await snapshots.commit(shadow, after, "result", ready.base)
    await in_thread(partial(to.mkdir, mode=0o700, parents=True))
    changes = await _told(shadow, ready.base, result, to)
    await in_thread(partial(_keep, folder, ready, result, to / "repository.git"))
    return msgspec.structs.replace(changes, left_out=tuple(found.left_out))


async def _found(folder: Folder, index: Path) -> Found:
    """What may have changed."""
    ask = partial(git.run, folder.shadow, tree=folder.work, index=index)
    changed = await ask("diff-files", "-z", "--name-only", "--no-ext-diff", "--no-renames", "--ignore-submodules=all")
    found = Found()
    try:
        new = await ask("ls-files", "-z", "-o", "--exclude-standard")
    except git.GitFailed as error:
        found.left_out.append(f"New files were left out: they could not be listed ({error.words}).")
        new = b""
    paths = sorted({path for path in (changed + new).split(b"\0") if path})
    return await in_thread(partial(_look, folder.work, paths, found))


def _look(work: Path, paths: list[bytes], found: Found) -> Found:
    large: list[bytes] = []
    odd: list[bytes] = []
    many: list[bytes] = []
    repositories = [path for path in paths if path.endswith(b"/")]
    total = 0
    with Beneath(work) as tree:
        for path in paths:
            if path.endswith(b"/") or not git.wanted(path):
                continue
            if (within := _repository_of(tree, path)) is not None:
                repositories.append(within)
                continue
            there = tree.look(path)
            if there is None:
                found.gone.append(path)
            elif len(found.put) >= FILES and (stat.S_ISLNK(there.st_mode) or stat.S_ISREG(there.st_mode)):
                many.append(path)
            elif stat.S_ISLNK(there.st_mode):
                found.put.append(path)
            elif not stat.S_ISREG(there.st_mode):
                found.gone.append(path)
                if not stat.S_ISDIR(there.st_mode):
                    odd.append(path)
            elif there.st_size > ONE or total + there.st_size > ALL:
                large.append(path)
            else:
                total += there.st_size
                found.put.append(path)
                if not there.st_mode & stat.S_IRUSR:
                    _open_up(work / os.fsdecode(path), stat.S_IRUSR)
    for left, why in (
        (list(dict.fromkeys(repositories)), "a repository of its own is not taken along"),
        (odd, "neither a file nor a link"),
        (large, f"a file may have {ONE >> 20} MB, all together {ALL >> 20} MB"),
        (many, f"at most {FILES:,} files are kept"),
    ):
        if left:
            named = ", ".join(git.shown(path) for path in left[:5])
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            found.left_out.append(f"{named}{more} left out: {why}.")
    return found


def _repository_of(tree: Beneath, path: bytes) -> bytes | None:
    """The folder above the path that git takes for a repository, though it has another name than `.git`.

    Whoever runs git in such a folder runs what its configuration says.
    """
    parts = path.split(b"/")
    for depth, part in enumerate(parts):
        if part in _OF_REPOSITORIES:
            folder = b"".join(each + b"/" for each in parts[:depth])
            there = {name for name in _OF_REPOSITORIES if tree.look(folder + name) is not None}
            if b"HEAD" in there and (b"commondir" in there or {b"objects", b"refs"} <= there):
                return folder or b"./"
    return None


async def _told(shadow: Path, base: str, result: str, to: Path) -> Changes:
    """What changed in figures and names, and the patch."""
    plain = ("-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    status = (await git.run(shadow, "diff-tree", *plain, "--name-status", base, result)).split(b"\0")
    letters, paths = status[0:-1:2], status[1::2]
    numbers = (await git.run(shadow, "diff-tree", *plain, "--numstat", base, result, limit=_SLOW)).split(b"\0")
    lines = [tuple(line.split(b"\t", 2)[:2]) for line in numbers if line]
    with await in_thread(lambda: open(to / "patch", "wb")) as sink:
        await git.run(
            shadow,
            *("diff", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
            *(base, result),
            into=sink,
            limit=_SLOW,
        )
    return Changes(
        files=len(paths),
        names=tuple(
            f"{letter.decode().replace('T', 'M')} {git.shown(path)}"
            for letter, path in zip(letters[:NAMES], paths[:NAMES], strict=True)
        ),
        added=sum(int(added) for added, _ in lines if added != b"-"),
        removed=sum(int(removed) for _, removed in lines if removed != b"-"),
        patch=str(to / "patch"),
        repository=str(to / "repository.git"),
    )


def _settle(folder: Folder, ready: Prepared, index: Path) -> bool:
    """Make the shadow what it was, and the workspace readable; returns whether there is a workspace."""
    exclude = folder.shadow / "info/exclude"
    git.make(
        folder.shadow,
        stores=[Path(store) for store in ready.objects],
        like=ready.base,
        exclude=exclude.read_bytes() if exclude.is_file() else b"",
        sparse=(folder.shadow / _SPARSE).exists(),
    )
    for lock in (index.with_name(f"{index.name}.lock"), *(folder.shadow / "refs/heads").glob("*.lock")):
        lock.unlink(missing_ok=True)  # of a collection that a kill has cut off
    begun = folder.shadow / "index.base"
    if begun.exists():
        shutil.copy2(begun, index)  # with its time: by it git knows what was written after it
    else:
        index.unlink(missing_ok=True)
    try:
        if not stat.S_ISDIR(os.lstat(folder.work).st_mode):
            return False
    except FileNotFoundError:
        return False
    todo = [folder.work]
    while todo:
        place = todo.pop()
        with suppress(OSError):  # what is too deep for a path, or not ours to see, git does not see either
            _open_up(place, stat.S_IRWXU)
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    elif entry.name in _READ_BY_GIT and stat.S_ISFIFO(entry.stat(follow_symlinks=False).st_mode):
                        os.unlink(entry.path)  # git would wait for somebody to write
    return True


def _open_up(path: Path, mode: int) -> None:
    """Let us do that much with it; it is no link, and who could make it one has ended."""
    found = os.lstat(path).st_mode
    if found & mode != mode:
        path.chmod(stat.S_IMODE(found) | mode)


def _stores(folder: Folder, ready: Prepared) -> list[Path]:
    """Where objects are borrowed from that are not in the shadow itself."""
    return [Path(store) for store in ready.objects if folder.shadow not in Path(store).parents]


def _keep(folder: Folder, ready: Prepared, result: str, to: Path) -> None:
    """A repository that holds both states. Objects are linked, not copied: nobody changes them, and both are ours."""
    git.make(to, stores=_stores(folder, ready), like=ready.base)
    for branch, commit in (("base", ready.base), ("result", result)):
        (to / "refs/heads" / branch).write_text(f"{commit}\n")
    if (folder.shadow / "shallow").exists():
        shutil.copyfile(folder.shadow / "shallow", to / "shallow")
    places = [place for name in ("objects", git.MADE, "lent") for place in (folder.shadow / name).glob("*")]
    for place in places:
        if place.name == "info" or not place.is_dir():
            continue
        (to / "objects" / place.name).mkdir(exist_ok=True)
        for source in place.iterdir():
            target = to / "objects" / place.name / source.name
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)


def _beginning(changes: Changes, most: int) -> str:
    if not changes.patch:
        return ""
    with open(changes.patch, "rb") as source:
        data = source.read(4 * most + 4)
    text = data.decode(errors="replace")
    return text if len(text) <= most else f"{text[:most]}\n… the rest is in the patch itself"
