"""A sub-agent's workspace: made from its parent's, which is only read, and removed without a trace.

Of a git workspace a clone with shared objects (`cloning`), of any other a copy (`copying`), or an empty folder. The
worker prepares it, its registrar removes what is left of it. What came of it is `results`' business.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import trio

from actors.messages import Isolation
from actors.subagents import cloning, copying, git, repositories
from actors.subagents.folder import Folder, IsolationImpossible, Prepared, in_thread, prepared
from actors.subagents.removing import remove_now

__all__ = ["Folder", "IsolationImpossible", "Prepared", "prepare", "prepared", "remove"]

Tell = Callable[[str], None]


async def prepare(parent: str, folder: Folder, *, slug: str, isolation: Isolation, told: Tell) -> Prepared:
    """Make the workspace from that of its `parent`, an absolute path; `told` hears in a few words how it goes.

    What is ready already is left as it is. Cancelled or failed, it leaves nothing behind; it may then be called again.
    Raises IsolationImpossible, also where the disk or git does not do its part.
    """
    ready = await in_thread(partial(prepared, folder))
    if ready is not None:
        return ready
    began, done = time.monotonic(), False
    try:
        await remove(folder.root)
        await in_thread(partial(_folders, folder))
        await git.fit()
        made = await _make(Path(parent), folder, slug, isolation, told)
        made = msgspec.structs.replace(made, seconds=time.monotonic() - began)
        await in_thread(partial(_note, folder, made))
        done = True
    except git.GitUnfit as error:
        raise IsolationImpossible(error.reason) from error
    except git.GitFailed as error:
        raise IsolationImpossible(
            f"git cannot make a copy of the workspace ({error}): see whether `git fsck` finds something "
            "there, or use isolation scratch."
        ) from error
    except OSError as error:
        what = f"{error.strerror or error}" + (f": {error.filename}" if isinstance(error.filename, str) else "")
        raise IsolationImpossible(
            f"its workspace cannot be made ({what}): mend that, or use isolation scratch."
        ) from error
    finally:
        if not done:
            with trio.CancelScope(shield=True):
                await remove(folder.root)
    return made


async def remove(*folders: Path) -> None:
    """Remove these folders with all that is in them, or what stands in their place; what is missing is no matter.

    No link is followed. Raises OSError where something cannot be removed.
    """
    for folder in folders:
        await git.settle(folder)
        await in_thread(partial(remove_now, folder))


async def _make(parent: Path, folder: Folder, slug: str, isolation: Isolation, told: Tell) -> Prepared:
    if isolation == "scratch":
        return await copying.nothing(folder)
    above = folder.parent(parent)
    if above is None:
        parent = await in_thread(partial(_real, parent))
    if not await in_thread(partial(_is_folder, parent)):
        raise IsolationImpossible(f"the workspace is not a folder ({parent}): put it back, or use isolation scratch.")
    lent = None
    if above is not None:
        theirs = await in_thread(partial(prepared, above))
        lent = () if theirs is None else theirs.objects
    found = await in_thread(partial(repositories.find, parent, trusted=above is None))
    if found is None:
        return await copying.copy(parent, folder, told)
    return await cloning.clone(parent, found, lent, folder, slug, told)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _folders(folder: Folder) -> None:
    folder.root.mkdir(parents=True, mode=0o700)
    for path in (folder.work, folder.tmp, folder.home, folder.reports):
        path.mkdir(mode=0o700)


def _note(folder: Folder, made: Prepared) -> None:
    new = folder.note.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(made))
    new.replace(folder.note)
