"""Makes a sub-agent's workspace from a folder that is no git workspace: its files, as far as .gitignore lets them.

A repository that lies somewhere in it is copied without its .git. The shadow repository remembers what was copied.
Used by `workspace`.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.subagents import git, snapshots
from actors.subagents.beneath import Beneath, free
from actors.subagents.carrying import carry
from actors.subagents.folder import Folder, IsolationImpossible, Prepared, go_on, in_thread

FILES: Final = 200_000
"""How many files are copied."""
BYTES: Final = 2 << 30
"""How many bytes they may have together."""
SPARE: Final = 500 << 20
"""Bytes that must stay free on the disk."""
REPOSITORIES: Final = 200
"""How many repositories may lie within."""
_OFTEN: Final = 0.5

Tell = Callable[[str], None]


async def copy(parent: Path, folder: Folder, told: Tell) -> Prepared:
    """Make `folder.work` and the shadow. Raises IsolationImpossible, GitFailed, GitUnfit, OSError."""
    await in_thread(partial(git.make, folder.shadow))
    told("looking at its parent's files")
    paths = await _files(parent, folder.shadow)
    if len(paths) > FILES:
        raise _too_large(f"more than {FILES:,} files")
    size = await in_thread(partial(_size, parent, paths))
    if size > BYTES:
        raise _too_large(f"more than {BYTES >> 30} GB")
    if 2 * size + SPARE > await in_thread(partial(free, folder.root)):  # a copy to work on, and one to compare with
        raise IsolationImpossible("the disk has no space for a copy of it: free some, or use isolation scratch.")
    carried = await in_thread(
        partial(carry, paths, parent, folder.work, one=BYTES, all_=BYTES, go_on=_Progress(len(paths), told))
    )
    if carried.large:
        raise _too_large(f"more than {BYTES >> 30} GB")
    told("noting what it begins with")
    index = folder.shadow / "index.base"
    await snapshots.record(folder.shadow, folder.work, index, carried.put, ())
    base = await snapshots.commit(folder.shadow, await snapshots.tree_of(folder.shadow, index), "base")
    left_out = carried.left_out(BYTES, BYTES)
    return Prepared(kind="copy", base=base, objects=(), left_out=left_out, files=len(carried.put), seconds=0.0)


async def nothing(folder: Folder) -> Prepared:
    """Make an empty workspace and its shadow. Raises GitFailed, GitUnfit, OSError."""
    await in_thread(partial(git.make, folder.shadow))
    tree = await snapshots.tree_of(folder.shadow, folder.shadow / "index.base")
    base = await snapshots.commit(folder.shadow, tree, "base")
    return Prepared(kind="scratch", base=base, objects=(), left_out=(), files=0, seconds=0.0)


async def _files(parent: Path, shadow: Path) -> list[bytes]:
    """All paths that are to be copied, those in repositories that lie within, too."""
    found: list[bytes] = []
    todo, seen = [b""], 0
    while todo:
        top = todo.pop()
        seen += 1
        if seen > REPOSITORIES:
            raise _too_large(f"more than {REPOSITORIES} repositories")
        place = parent / top.decode(errors="surrogateescape") if top else parent
        if top and not await in_thread(partial(_is_folder, parent, top.rstrip(b"/"))):
            continue
        said = await git.run(shadow, "ls-files", "-z", "-o", "--exclude-standard", tree=place, index=shadow / "none")
        for path in said.split(b"\0"):
            if path.endswith(b"/"):
                todo.append(top + path)
            elif git.wanted(path):
                found.append(top + path)
        if len(found) > FILES:
            break
    return found


def _is_folder(parent: Path, path: bytes) -> bool:
    """Whether it is one that no link leads to."""
    with Beneath(parent) as tree:
        try:
            tree.entries(path)
        except OSError:
            return False
    return True


def _size(parent: Path, paths: list[bytes]) -> int:
    total = 0
    with Beneath(parent) as tree:
        for path in paths:
            found = tree.look(path)
            total += 0 if found is None else found.st_size
    return total


class _Progress:
    """Called in the copying thread: goes on only while that is wanted, and tells now and then."""

    def __init__(self, all_: int, told: Tell) -> None:
        self._all = all_
        self._told = told
        self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        go_on()
        now = time.monotonic()
        if now - self._last >= _OFTEN:
            self._last = now
            trio.from_thread.run_sync(self._told, f"copying: {done:,} of {self._all:,} files")


def _too_large(what: str) -> IsolationImpossible:
    return IsolationImpossible(
        f"the workspace is too large to be copied ({what}): use isolation scratch, name what is not needed in "
        "a .gitignore, or make it a git repository, which is shared."
    )
