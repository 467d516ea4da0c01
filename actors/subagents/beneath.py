"""Files beneath one folder, reached so that no link is ever followed: whoever else writes there may plant some.

Each step of a path is opened by itself, as a folder that is no link. Used on workspaces, in threads; it blocks. Paths
are as git has them: bytes, with slashes, relative to the folder; `git.sound` says which are fit.
"""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONE: Final = 0x40049409
_CHUNK: Final = 1 << 20


class NoFile(OSError):
    """What is there is no regular file: a pipe, a socket, a device, a folder."""


class Grown(OSError):
    """There is more of it than may be taken."""


class Beneath:
    """One folder, open; leave it as a context. Raises OSError where it is none, or a link."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._kept: tuple[bytes, int] | None = None  # the folder that was used last: neighbours come together

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._forget()
        os.close(self._root)

    def look(self, path: bytes) -> os.stat_result | None:
        """What is at the path itself; None: nothing, or a link or a file is in the way."""
        try:
            folder, name = self._parent(path)
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def target(self, path: bytes) -> bytes:
        """Where the link at the path leads to, as it says. Raises OSError."""
        folder, name = self._parent(path)
        return os.readlink(name, dir_fd=folder)

    def open(self, path: bytes) -> int:
        """A descriptor of the regular file at the path, which the caller closes. Raises NoFile, OSError."""
        folder, name = self._parent(path)
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise NoFile(errno.EINVAL, "not a regular file")  # a device is not even opened
        descriptor = os.open(name, _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NoFile(errno.EINVAL, "not a regular file")
        return descriptor

    @contextmanager
    def reading(self, path: bytes) -> Iterator[int]:
        """The same, closed at the end."""
        descriptor = self.open(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def read(self, path: bytes, most: int) -> bytes:
        """The bytes of the regular file at the path. Raises Grown above `most`, NoFile, OSError."""
        with self.reading(path) as source:
            pieces, left = [], most + 1
            while left and (piece := os.read(source, min(left, _CHUNK))):
                pieces.append(piece)
                left -= len(piece)
        if not left:
            raise Grown(errno.EFBIG, "too large")
        return b"".join(pieces)

    @contextmanager
    def making(self, path: bytes, mode: int) -> Iterator[int]:
        """A descriptor of a new file at the path, whose folders are made, too. Raises OSError, also if one is there."""
        folder, name = self._parent(path, make=True)
        descriptor = os.open(name, _WRITE, mode, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def make_link(self, path: bytes, target: bytes) -> None:
        """A new link at the path, whose folders are made, too. Raises OSError, also if something is there."""
        folder, name = self._parent(path, make=True)
        os.symlink(target, name, dir_fd=folder)

    def rename(self, path: bytes, name: bytes) -> None:
        """Put what is at the path in the place of its neighbour called `name`. Raises OSError."""
        folder, own = self._parent(path)
        os.rename(own, name, src_dir_fd=folder, dst_dir_fd=folder)

    def delete(self, path: bytes, *, prune: bool = True) -> None:
        """Remove the file or link at the path, if there is one. Raises OSError.

        `prune`: and the folders that are empty then.
        """
        try:
            folder, name = self._parent(path)
            os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        while prune and b"/" in path:
            path = path.rpartition(b"/")[0]
            try:
                folder, name = self._parent(path)
                os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            self._forget()  # what was kept may be what is gone

    def clear(self, path: bytes) -> None:
        """Remove the folder at the path, if there is one and it is empty. Raises OSError, also if it is not."""
        with suppress(FileNotFoundError, NotADirectoryError):
            folder, name = self._parent(path)
            os.rmdir(name, dir_fd=folder)

    def entries(self, path: bytes) -> list[bytes]:
        """The names in the folder at the path; `b""` is the folder itself. Raises OSError."""
        descriptor = self._open(path, make=False)
        try:
            return [os.fsencode(name) for name in os.listdir(descriptor)]
        finally:
            os.close(descriptor)

    def set_mode(self, path: bytes, mode: int) -> None:
        """Give the regular file at the path these permissions. Raises NoFile, OSError."""
        with self.reading(path) as descriptor:
            os.fchmod(descriptor, mode)

    def _parent(self, path: bytes, *, make: bool = False) -> tuple[int, bytes]:
        folder, _, name = path.rpartition(b"/")
        if not folder:
            return self._root, name
        if self._kept is None or self._kept[0] != folder:
            descriptor = self._open(folder, make=make)
            self._forget()
            self._kept = folder, descriptor
        return self._kept[1], name

    def _open(self, folder: bytes, *, make: bool) -> int:
        descriptor = os.dup(self._root)
        for name in folder.split(b"/") if folder else ():
            try:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=descriptor)
                deeper = os.open(name, _FOLDER, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = deeper
        return descriptor

    def _forget(self) -> None:
        if self._kept is not None:
            os.close(self._kept[1])
            self._kept = None


def pour(source: int, sink: int, most: int, go_on: Callable[[], None]) -> int:
    """Copy what the one descriptor holds to the other, as a shared extent where the disk can; returns how many bytes.

    `go_on` is called between pieces, and may raise. Raises Grown when there are more than `most`, OSError.
    """
    size = os.fstat(source).st_size
    if size > most:
        raise Grown(errno.EFBIG, "too large")
    try:
        fcntl.ioctl(sink, _FICLONE, source)
    except OSError:
        done = 0
        while piece := os.read(source, _CHUNK):
            go_on()
            done += len(piece)
            if done > most:
                raise Grown(errno.EFBIG, "too large") from None
            view = memoryview(piece)
            while view:
                view = view[os.write(sink, view) :]
        return done
    return size


def free(folder: Path) -> int:
    """Bytes that may still be written on the disk of the folder."""
    return shutil.disk_usage(folder).free
