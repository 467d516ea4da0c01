"""Makes a sub-agent's workspace from a git workspace: a repository of its own at the same commit, with shared objects.

What is not committed is carried over. The parent's repository is only read, and git never uses it: the service's own
shadow repository borrows its objects and a copy of its index. Used by `workspace`.
"""

import re
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from actors.subagents import git, repositories, snapshots
from actors.subagents.beneath import Beneath, free, pour
from actors.subagents.carrying import carry
from actors.subagents.folder import Folder, IsolationImpossible, Prepared, go_on, in_thread
from actors.subagents.repositories import Repository

ONE: Final = 100 << 20
"""Bytes that one file may have which is not committed."""
ALL: Final = 1 << 30
"""Bytes that all of them may have together."""
SPARE: Final = 500 << 20
"""Bytes that must stay free on the disk."""
_OWN_OBJECTS: Final = 1 << 30
_LENT: Final = "lent"
_OBJECT: Final = re.compile(rb"[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?|pack/pack-[0-9a-f]+\.(?:pack|idx|rev)")

Tell = Callable[[str], None]


class Index(msgspec.Struct):
    """What a parent's index says. `blobs`: of which content each path is; `skipped`: what is not checked out."""

    blobs: dict[bytes, str] = {}
    skipped: set[bytes] = set()
    modules: list[bytes] = []
    odd: list[bytes] = []


async def clone(
    parent: Path, found: Repository, lent: tuple[str, ...] | None, folder: Folder, slug: str, told: Tell
) -> Prepared:
    """Make `folder.work` and the shadow. Raises IsolationImpossible, GitFailed, GitUnfit, OSError.

    `lent`: None: the parent is a room's, and `found` names all its object folders. Else it is a sub-agent's, and these
    are the folders that its own workspace was given: what it has committed itself is copied, not borrowed.
    """
    shadow, theirs, ours = folder.shadow, folder.shadow / "index", folder.shadow / "index.base"
    # A sub-agent's objects are not borrowed from where it can change them: it could put others in their place.
    stores = tuple(map(str, found.stores)) if lent is None else (*lent, str(shadow / _LENT))
    if not await in_thread(partial(_begin, folder, found, stores, lent is not None)):
        await git.run(shadow, "read-tree", found.head, index=theirs)
    index = read_index(await git.run(shadow, "ls-files", "-z", "-s", "-t", index=theirs))
    _check(index)
    sizes = await _sizes(shadow, index)
    if sum(sizes.values()) + SPARE > await in_thread(partial(free, folder.root)):
        raise IsolationImpossible("the disk has no space for a copy of it: free some, or use isolation scratch.")
    told(f"checking out {len(index.blobs):,} files")
    differing: set[bytes] = set()
    await git.together(
        partial(_check_out, shadow, found.head, folder.work, ours, index.skipped),
        partial(_differing, shadow, found.head, parent, theirs, index, sizes, differing),
    )
    if differing:
        told(f"carrying over {len(differing):,} files that are not committed")
    carried = await in_thread(
        partial(carry, differing, parent, folder.work, one=ONE, all_=ALL, go_on=lambda _: go_on())
    )
    await in_thread(partial(_repository, folder, found, slug, stores, ours))
    tree = f"{found.head}^{{tree}}"  # which is as good as its id
    if differing:
        await snapshots.record(shadow, folder.work, ours, carried.put + carried.large + carried.unread, carried.gone)
        tree = await snapshots.tree_of(shadow, ours)
    base = await snapshots.commit(shadow, tree, "base", found.head)
    await in_thread(partial(_forget, shadow))
    return Prepared(
        kind="clone",
        base=base,
        objects=stores,
        left_out=carried.left_out(ONE, ALL),
        files=len(index.blobs) - len(index.skipped) + len(differing - index.blobs.keys()) - len(carried.gone),
        seconds=0.0,
    )


def _begin(folder: Folder, found: Repository, stores: tuple[str, ...], copy: bool) -> bool:
    """Make the shadow, with a copy of the index; returns whether there was one."""
    git.make(
        folder.shadow,
        stores=[Path(store) for store in stores],
        like=found.head,
        exclude=found.exclude,
        sparse=found.sparse is not None,
    )
    if found.shallow is not None:
        (folder.shadow / "shallow").write_bytes(found.shallow)
    if copy:
        (folder.shadow / _LENT / "pack").mkdir(parents=True)
        _copy_objects(found.stores[0], folder.shadow / _LENT)
    return repositories.copy_index(found, folder.shadow)


def _forget(shadow: Path) -> None:
    """The copy of the parent's index: it has told what it had to."""
    for path in (shadow / "index", *shadow.glob("sharedindex.*")):
        path.unlink(missing_ok=True)


def _copy_objects(store: Path, to: Path) -> None:
    """What a sub-agent has committed: files that look like git's, and nothing that leads anywhere else."""
    left = _OWN_OBJECTS
    with Beneath(store) as source, Beneath(to) as sink:
        for name in source.entries(b""):
            found = source.look(name)
            if found is None or not stat.S_ISDIR(found.st_mode):
                continue
            for inner in source.entries(name):
                path = name + b"/" + inner
                if not _OBJECT.fullmatch(path):
                    continue
                go_on()
                with source.reading(path) as reading, sink.making(path, 0o444) as making:
                    left -= pour(reading, making, left, go_on)


def read_index(said: bytes) -> Index:
    """From what `git ls-files -z -s -t` says of it."""
    index = Index()
    for entry in said.split(b"\0"):
        about, _, path = entry.partition(b"\t")
        if not path:
            continue
        tag, mode, blob, _ = about.split(b" ")
        if mode == b"160000":
            index.modules.append(path)
        if not git.sound(path):
            index.odd.append(path)
        if tag in (b"S", b"s"):
            index.skipped.add(path)
        index.blobs[path] = blob.decode()
    return index


def _check(index: Index) -> None:
    if index.modules:
        raise IsolationImpossible(
            f"the workspace has submodules ({git.shown(index.modules[0])}), which a copy cannot share: use isolation "
            "scratch, or do this without a sub-agent."
        )
    if index.odd:
        raise IsolationImpossible(
            f"the index of its repository names a path that no working tree may have ({git.shown(index.odd[0])}): use "
            "isolation scratch, or remove that with `git rm --cached`."
        )


async def _sizes(shadow: Path, index: Index) -> dict[bytes, int]:
    """Bytes of each path that is checked out, as its index has it."""
    paths = {path: blob for path, blob in index.blobs.items() if path not in index.skipped}
    asked = "".join(f"{blob}\n" for blob in paths.values()).encode()
    said = await git.run(shadow, "cat-file", "--batch-check=%(objectsize)", given=asked)
    sizes = {}
    for path, line in zip(paths, said.splitlines(), strict=False):
        if line.endswith(b" missing"):
            raise IsolationImpossible(
                f"its repository does not hold all that is committed ({git.shown(path)}), as a partial clone does: "
                "fetch the rest (`git fetch --refetch --no-filter`), or use isolation scratch."
            )
        sizes[path] = int(line)
    return sizes


async def _check_out(shadow: Path, head: str, work: Path, index: Path, skipped: set[bytes]) -> None:
    """Write the commit's files into the new workspace, and remember in the index what they are."""
    await git.run(shadow, "read-tree", head, index=index)
    if skipped:
        known = set((await git.run(shadow, "ls-files", "-z", index=index)).split(b"\0"))
        given = b"".join(path + b"\0" for path in sorted(skipped & known))
        await git.run(shadow, "update-index", "--skip-worktree", "-z", "--stdin", tree=work, index=index, given=given)
    await git.run(shadow, "checkout-index", "-a", "-u", "-f", "-q", tree=work, index=index, limit=600)


async def _differing(
    shadow: Path,
    head: str,
    parent: Path,
    theirs: Path,
    index: Index,
    sizes: dict[bytes, int],
    differing: set[bytes],
) -> None:
    """Add the paths where the parent's working tree may not be what is committed."""
    # What only seems changed, by its times, is looked into; the copy of the index is ours to write.
    await git.run(shadow, "update-index", "-q", "--refresh", tree=parent, index=theirs, fine=(0, 1), alone=True)
    said: list[bytes] = []

    async def ask(*arguments: str, tree: Path | None = parent) -> None:
        said.append(await git.run(shadow, *arguments, tree=tree, index=theirs))

    plain = ("-z", "--name-only", "--no-ext-diff", "--no-renames", "--ignore-submodules=all")
    await git.together(
        partial(ask, "diff-files", *plain),
        partial(ask, "diff-index", "--cached", *plain, head, tree=None),
        partial(ask, "ls-files", "-z", "-o", "--exclude-standard"),
    )
    differing.update(path for names in said for path in names.split(b"\0") if git.wanted(path))
    differing.update(await in_thread(partial(_converted, parent, sizes)))
    differing -= index.skipped


def _converted(parent: Path, sizes: dict[bytes, int]) -> set[bytes]:
    """What has not the size that is committed: git has changed it on its way out (line ends, large file storage).

    Such a file is unchanged for git, but not for us, who take files as they are.
    """
    found = set()
    with Beneath(parent) as tree:
        for path, size in sizes.items():
            there = tree.look(path)
            if there is not None and stat.S_ISREG(there.st_mode) and there.st_size != size and git.wanted(path):
                found.add(path)
    return found


def _repository(folder: Folder, found: Repository, slug: str, objects: tuple[str, ...], index: Path) -> None:
    """The sub-agent's own: a branch at the parent's commit, borrowed objects, nobody to push to, and no hooks."""
    own = folder.work / ".git"
    stores = [Path(store) for store in objects]
    sparse = "" if found.sparse is None else "\tsparseCheckout = true\n"
    sha256 = len(found.head) == 64
    (own / "refs/heads/agent").mkdir(parents=True)
    (own / "objects/info").mkdir(parents=True)
    (own / "objects/pack").mkdir()
    (own / "info").mkdir()
    (own / "HEAD").write_text(f"ref: refs/heads/agent/{slug}\n")
    (own / "refs/heads/agent" / slug).write_text(f"{found.head}\n")
    (own / "objects/info/alternates").write_bytes(git.alternates(stores))
    (own / "info/exclude").write_bytes(found.exclude)
    (own / "config").write_text(
        f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tbare = false\n\tlogallrefupdates = true\n{sparse}"
        + ("[extensions]\n\tobjectFormat = sha256\n" if sha256 else "")
        + f"[user]\n\tname = {slug}\n\temail = {slug}@agents.invalid\n[gc]\n\tauto = 0\n"
    )
    if found.sparse is not None:
        (own / "info/sparse-checkout").write_bytes(found.sparse)
    if found.shallow is not None:
        (own / "shallow").write_bytes(found.shallow)
    shutil.copy2(index, own / "index")  # with its time: by it git knows what was written after it
