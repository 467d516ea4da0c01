"""How many files of a workspace have changed since a time: a turn's trace, told beside its answer.

Used by `run` when a turn has settled. A glance, not an account: it is bounded in entries and in time, and a workspace
that is too large for it has no number.
"""

import os
import time
from functools import partial
from typing import Final

from actors.pi.disk import TooSlow, off_thread

MAX_ENTRIES: Final = 20_000
MAX_SECONDS: Final = 0.5
WAIT: Final = 2 * MAX_SECONDS
"""Seconds after which a disk that hangs is waited for no more."""
_SKIPPED: Final = frozenset({".git", "node_modules", ".venv", "__pycache__"})
_UPLOADS: Final = "uploads"
"""At the workspace's top: what people sent is no work of the agent's."""


async def changed_since(workspace: str, since: float) -> int | None:
    """The number of regular files with a modification time of at least `since` (Unix seconds); None: not in time."""
    try:
        return await off_thread(partial(_count, workspace, since), place=workspace, seconds=WAIT)
    except TooSlow:
        return None


def _count(workspace: str, since: float) -> int | None:
    deadline = time.monotonic() + MAX_SECONDS
    count = entries = 0
    folders = [workspace]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    entries += 1
                    if entries > MAX_ENTRIES or time.monotonic() > deadline:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _SKIPPED and (entry.name != _UPLOADS or folder != workspace):
                            folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False) and _changed(entry, since):
                        count += 1
        except OSError:
            continue  # gone meanwhile, or not ours to see
    return count


def _changed(entry: os.DirEntry[str], since: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime >= since
    except OSError:
        return False
