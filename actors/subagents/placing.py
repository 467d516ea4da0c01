"""Reads and writes the few files of a workspace that a merge is about, while others may be writing there.

Used by `applying`, in a thread; it blocks. Every file is looked at again right before it is replaced; if anything is
not as it was seen, or cannot be done, all is put back.
"""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from actors.subagents.beneath import Beneath, Grown, NoFile, pour

MOST: Final = 1 << 30
"""Bytes that a file of the workspace may have to be merged with."""
LINK: Final = "120000"
_EXECUTABLE: Final = "100755"


class Blob(NamedTuple):
    """A file as git has it: its mode in octal digits, and the id of its content."""

    mode: str
    id: str


class Raced(Exception):
    """Somebody else has written to one of these files meanwhile; nothing was changed."""


class Present(msgspec.Struct, frozen=True):
    """A file or link of the workspace. `kind`: git's mode. `number`: the name of the copy that was made of it.

    `mark`: by which it is known whether it is still the same. `mode`, `owner`: as the file system has them.
    """

    kind: str
    number: int
    mark: tuple[int, ...]
    mode: int
    owner: tuple[int, int]


class Seen(msgspec.Struct):
    """What is at the paths. `in_the_way`: paths that cannot be written, whatever the merge says."""

    present: dict[bytes, Present | None] = {}
    in_the_way: list[bytes] = []


def look(place: Path, paths: dict[bytes, bool], copies: Path) -> Seen:
    """Copy what is at the paths into the folder `copies`. `paths`: whether something is to be there afterwards.

    Raises Raced, OSError.
    """
    seen = Seen()
    leaving = {path for path, stays in paths.items() if not stays}
    with Beneath(place) as tree, Beneath(copies) as sink:
        for number, (path, stays) in enumerate(paths.items()):
            found = tree.look(path)
            if stays and _blocked(tree, path, found, leaving):
                seen.in_the_way.append(path)
                continue
            if found is None or stat.S_ISDIR(found.st_mode):
                seen.present[path] = None
                continue
            try:
                seen.present[path] = _copy(tree, path, found, sink, number)
            except (NoFile, Grown):
                seen.in_the_way.append(path)
            except FileNotFoundError as error:
                raise Raced from error
    return seen


def _blocked(tree: Beneath, path: bytes, found: os.stat_result | None, leaving: set[bytes]) -> bool:
    """Whether a link, a file or a folder stands where this path is to be, and is not itself about to go."""
    above = path
    while b"/" in above:
        above = above.rpartition(b"/")[0]
        there = tree.look(above)
        if there is not None:
            if not stat.S_ISDIR(there.st_mode) and above not in leaving:
                return True
            break
    return found is not None and stat.S_ISDIR(found.st_mode) and not _leaves(tree, path, leaving)


def _leaves(tree: Beneath, folder: bytes, leaving: set[bytes]) -> bool:
    """Whether all that is in the folder is about to go."""
    todo = [folder]
    while todo:
        place = todo.pop()
        for name in tree.entries(place):
            path = place + b"/" + name
            there = tree.look(path)
            if there is not None and stat.S_ISDIR(there.st_mode):
                todo.append(path)
            elif path not in leaving:
                return False
    return True


def _copy(tree: Beneath, path: bytes, found: os.stat_result, sink: Beneath, number: int) -> Present:
    name = str(number).encode()
    if stat.S_ISLNK(found.st_mode):
        target = tree.target(path)
        with sink.making(name, 0o600) as copy:
            os.write(copy, target)
        kind = LINK
    else:
        with tree.reading(path) as source, sink.making(name, 0o600) as copy:
            found = os.fstat(source)
            pour(source, copy, MOST, lambda: None)
            if _mark(os.fstat(source)) != _mark(found):
                raise Raced
        kind = _EXECUTABLE if found.st_mode & stat.S_IXUSR else "100644"
    mode = stat.S_IMODE(found.st_mode)
    return Present(kind, number, _mark(found), mode, (found.st_uid, found.st_gid))


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode


class Placing:
    """The one writing of these paths, whose new contents are in `<scratch>/new`, by their numbers."""

    def __init__(
        self,
        place: Path,
        scratch: Path,
        present: dict[bytes, Present | None],
        writes: list[tuple[bytes, Blob | None]],
    ) -> None:
        self._place = place
        self._scratch = scratch
        self._present = present
        self._writes = writes
        self._own = b".dispatchd-" + hashlib.sha256(os.fsencode(scratch)).hexdigest()[:12].encode()
        self._done: list[tuple[bytes, tuple[int, ...] | None]] = []

    def write(self) -> None:
        """All of it, or nothing. Raises Raced, OSError."""
        with Beneath(self._place) as tree, Beneath(self._scratch / "new") as new:
            for path, _ in self._writes:
                self._check(tree, path)
                tree.delete(self._beside(path), prune=False)  # what an earlier one left when it was cut off
            try:
                for path, blob in self._writes:
                    if blob is None:
                        self._check(tree, path)
                        tree.delete(path)
                        self._done.append((path, None))
                for number, (path, blob) in enumerate(self._writes):
                    if blob is not None:
                        self._put(tree, path, new, str(number).encode(), blob, self._present[path])
            except (OSError, Raced):
                self._undo(tree)
                raise

    def _check(self, tree: Beneath, path: bytes) -> None:
        """Raises Raced unless the path is as it was seen."""
        found, present = tree.look(path), self._present[path]
        if found is not None and stat.S_ISDIR(found.st_mode):
            found = None
        if (None if found is None else _mark(found)) != (None if present is None else present.mark):
            raise Raced

    def _put(
        self, tree: Beneath, path: bytes, source: Beneath, name: bytes, blob: Blob, present: Present | None
    ) -> None:
        own = self._beside(path)
        try:
            if blob.mode == LINK:
                tree.make_link(own, source.read(name, 1 << 16))
            else:
                with source.reading(name) as reading, tree.making(own, _mode(blob, None)) as sink:
                    pour(reading, sink, 1 << 62, lambda: None)
                    if present is not None and present.kind != LINK:
                        with suppress(OSError):
                            os.fchown(sink, *present.owner)
                        os.fchmod(sink, _mode(blob, present))
            self._check(tree, path)
            tree.clear(path)
            tree.rename(own, path.rpartition(b"/")[2])
        except (OSError, Raced):
            tree.delete(own)
            raise
        found = tree.look(path)
        self._done.append((path, None if found is None else _mark(found)))

    def _undo(self, tree: Beneath) -> None:
        """Put back what was there, wherever what we wrote is still what is there."""
        with Beneath(self._scratch / "now") as old:
            for path, mark in reversed(self._done):
                found, present = tree.look(path), self._present[path]
                if (None if found is None else _mark(found)) != mark:
                    continue
                if present is None:
                    tree.delete(path)
                    continue
                tree.delete(path)
                name = str(present.number).encode()
                if present.kind == LINK:
                    tree.make_link(path, old.read(name, 1 << 16))
                    continue
                with old.reading(name) as reading, tree.making(path, 0o600) as sink:
                    pour(reading, sink, 1 << 62, lambda: None)
                    with suppress(OSError):
                        os.fchown(sink, *present.owner)
                    os.fchmod(sink, present.mode)

    def _beside(self, path: bytes) -> bytes:
        """A name of ours in the folder of the path."""
        folder, slash, _ = path.rpartition(b"/")
        return folder + slash + self._own


def _mode(blob: Blob, present: Present | None) -> int:
    """The permissions of a file: those that it had, but for what git knows of them."""
    executable = blob.mode == _EXECUTABLE
    if present is None:
        return 0o777 if executable else 0o666
    if (present.kind == _EXECUTABLE) == executable:
        return present.mode
    return present.mode | (present.mode & 0o444) >> 2 if executable else present.mode & ~0o111
