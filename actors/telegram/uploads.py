"""The folder `uploads/` of a workspace: a file grows there under a hidden name, and then gets a free one at once.

Blocks on the disk: call it in a thread. Agents write in the workspace as well, so nothing is found by its path twice:
all is done in folders that are held open, and no link is followed out of them.
"""

import contextlib
import errno
import os
import re
import secrets
import time
from pathlib import PurePath
from typing import Final

__all__ = ["FOLDER", "Upload"]

FOLDER: Final = "uploads"
MOST_NAMES: Final = 1000
"""Files of one name, told apart by a number."""
ABANDONED: Final = 3600.0
"""Seconds after which an unfinished file is nobody's any more: the service that was writing it was killed."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PART: Final = re.compile(r"\.[0-9a-f]{16}\.part")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Upload:
    """One file on its way. `close` it in any case: what has not been kept by then is gone."""

    def __init__(self, workspace: str, name: str) -> None:
        """`name`: a basename, or `ValueError` is raised. Raises `OSError`, also if the folder is a link."""
        self._wanted = PurePath(name)
        if name in {"", ".."} or name != self._wanted.name or "\0" in name:
            raise ValueError(f"not a basename: {name!r}")
        self._folder = _folder(workspace)
        self._hidden = f".{secrets.token_hex(8)}.part"
        try:
            _clear(self._folder)
            self._file = os.open(self._hidden, _NEW, 0o666, dir_fd=self._folder)
        except OSError:
            os.close(self._folder)
            raise

    def write(self, data: bytes) -> None:
        """Add to it."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def keep(self) -> str:
        """Have it on the disk under its name, or the next free one; its path in the workspace."""
        os.fsync(self._file)
        for number in range(1, MOST_NAMES + 1):
            name = self._wanted.name if number == 1 else f"{self._wanted.stem}-{number}{self._wanted.suffix}"
            try:
                os.link(self._hidden, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
            except FileExistsError:
                continue
            return f"{FOLDER}/{name}"
        raise FileExistsError(errno.EEXIST, f"{MOST_NAMES} files are called so")

    def close(self) -> None:
        """Let go of it; its hidden name is no more."""
        with contextlib.suppress(OSError):  # somebody has cleared the folder, or put something else there
            os.unlink(self._hidden, dir_fd=self._folder)
        os.close(self._file)
        os.close(self._folder)


def _folder(workspace: str) -> int:
    """The folder, made if there is none, as a file descriptor."""
    os.makedirs(workspace, exist_ok=True)
    root = os.open(workspace, _DIRECTORY)
    try:
        with contextlib.suppress(FileExistsError):  # what is there must open as a folder
            os.mkdir(FOLDER, dir_fd=root)
        return os.open(FOLDER, _DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    finally:
        os.close(root)


def _clear(folder: int) -> None:
    """Remove what was abandoned there."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name):
                with contextlib.suppress(OSError):  # it is gone already, or is no file at all
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED:
                        os.unlink(entry.name, dir_fd=folder)
