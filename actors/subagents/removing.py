"""Removes a folder with all that is in it, however it was left: not writable, very deep, full of links.

No link is followed, and depth costs nothing: what is deeper is first moved up. Used by `workspace`, in a thread.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_now(folder: Path) -> None:
    """Remove it, or the file or link in its place; nothing happens if it is missing. Blocks. Raises OSError."""
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            os.unlink(folder)
            return
        _open_up(str(folder), None)
        root = os.open(folder, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        count = 0
        while names := os.listdir(root):
            for name in names:
                count = _remove(root, name, count)
    finally:
        os.close(root)
    with suppress(FileNotFoundError):
        os.rmdir(folder)


def _remove(root: int, name: str, count: int) -> int:
    """Remove an entry of `root`; folders in it become entries of `root`. Returns how many names were used for that."""
    with suppress(FileNotFoundError):
        if not _is_folder(root, name):
            os.unlink(name, dir_fd=root)
            return count
        _open_up(name, root)
        inside = os.open(name, _FOLDER, dir_fd=root)
        try:
            for inner in os.listdir(inside):
                if not _is_folder(inside, inner):
                    os.unlink(inner, dir_fd=inside)
                    continue
                _open_up(inner, inside)  # a folder that may not be written cannot be moved
                count = _free_name(root, count)
                os.rename(inner, f"removed-{count}", src_dir_fd=inside, dst_dir_fd=root)
        finally:
            os.close(inside)
        os.rmdir(name, dir_fd=root)
    return count


def _free_name(root: int, count: int) -> int:
    while True:
        count += 1
        try:
            os.stat(f"removed-{count}", dir_fd=root, follow_symlinks=False)
        except FileNotFoundError:
            return count


def _is_folder(place: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)


def _open_up(name: str, place: int | None) -> None:
    """Let us read, write and enter the folder."""
    descriptor = os.open(name, _NAMED, dir_fd=place)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{descriptor}", 0o700)  # by itself, not by its name, which may be a link by now
    finally:
        os.close(descriptor)
