"""Writes what a working tree holds as a commit of one of the service's own repositories.

Used by `cloning` and `copying` for what a workspace began as, by `results` for what it has become.
"""

from collections.abc import Collection
from pathlib import Path

from actors.subagents import git

_NOTHING = b"0" * 40
_SLOW = 1200.0


async def record(repository: Path, tree: Path, index: Path, put: Collection[bytes], gone: Collection[bytes]) -> None:
    """Bring the index to what the tree holds at the paths `put`, and to nothing at the paths `gone`.

    The caller has seen to it that nothing but files and links is at `put`; what is missing there is removed, too.
    Raises GitFailed, GitUnfit.
    """
    if gone:
        given = b"".join(b"0 " + _NOTHING + b"\t" + path + b"\0" for path in gone)
        await git.run(repository, "update-index", "-z", "--index-info", index=index, given=given, alone=True)
    if put:
        given = b"".join(path + b"\0" for path in put)
        await git.run(
            repository,
            *("update-index", "-z", "--add", "--remove", "--replace", "--stdin"),
            tree=tree,
            index=index,
            given=given,
            alone=True,
            limit=_SLOW,
        )


async def tree_of(repository: Path, index: Path) -> str:
    """The id of a tree with what the index holds. Raises GitFailed, GitUnfit."""
    said = await git.run(repository, "write-tree", "--missing-ok", index=index, alone=True, limit=_SLOW)
    return said.decode().strip()


async def commit(repository: Path, tree: str, branch: str, *parents: str) -> str:
    """Make a commit of the tree, which may go by any name, the tip of a branch; returns the commit's id.

    Raises GitFailed, GitUnfit.
    """
    before = [word for parent in parents for word in ("-p", parent)]
    said = await git.run(repository, "commit-tree", tree, *before, "-m", branch)
    id_ = said.decode().strip()
    await git.run(repository, "update-ref", f"refs/heads/{branch}", id_)
    return id_
