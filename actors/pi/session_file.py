"""A room's session file, looked at before pi opens it and when a turn has ended: what pi would pass over in silence.

Where it finds no file that fits, pi begins an empty session; where an entry could not be written (a full disk), it goes
on in its memory, and the next pi would see only what came after. Asked by `agent` and `history`, in a thread; it blocks
and changes nothing. A file that ends in the middle of a line is fit: pi heals that. Written against pi 0.87.1:
dist/core/session-manager.js (findById, readSessionHeader, _persist).
"""

import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

import msgspec
from msgspec import Meta

from actors.pi.errors import SessionUnfit
from actors.pi.framing import LineFramer, Oversized

LONGEST_HEAD: Final = 1024 * 1024
"""Bytes within which pi looks for the header."""
LARGEST: Final = 512 * 1024 * 1024
"""Bytes of a file that is read: some three seconds' work, of which a file of 50 MB needs a quarter of one."""
MOST_ENTRIES: Final = 200_000
"""Entries of a file: a person writes as many in years, and they take 30 MB."""
_CHUNK: Final = 256 * 1024
_BEGINNING: Final = 256
"""Bytes by which a file is known again: they have its time and its session's id."""
_HEAD: Final = re.compile(
    rb'{"type":"([a-z_]{1,64})","id":"([\w-]{1,256})","parentId":(?:null|"([\w-]{1,256})"),', re.ASCII
)
"""How pi begins an entry."""
_SUFFIX: Final = ".jsonl"
_RESTORE: Final = "put it back as it was and write /restart, or begin a fresh session with /new, which keeps all files"


Id = Annotated[str, Meta(max_length=256)]
"""Of a session or an entry; pi's own have 36 characters at most."""


class _Line(msgspec.Struct):
    """What is read of a line; every line of a session is an object with a type."""

    type: Id
    id: Id | None = None
    cwd: str | None = None
    parent: Id | None = msgspec.field(name="parentId", default=None)


class _Found(NamedTuple):
    """A file that begins as the session does. `empty`: nothing follows its header."""

    path: Path
    cwd: str
    empty: bool


def examine(folder: Path, session_id: str, workspace: str, *, expected: bool) -> None:
    """See that pi, started in `workspace`, opens the session with this id and no empty one in its place.

    `expected`: an answer of the session was on disk, so there must be a file. Without one, none is fine, and so is what
    a lost power supply made of its beginning: the message that led to it is sent again. Raises SessionUnfit.
    """
    here, elsewhere, broken = _look(folder, session_id, workspace)
    if len(here) > 1:
        raise SessionUnfit(
            f"two files hold the session {session_id}, {here[0].path} and {here[1].path}: move the wrong one away and "
            "write /restart, or begin a fresh session with /new, which keeps both"
        )
    if here:
        if expected and here[0].empty:
            raise SessionUnfit(f"the session file {here[0].path} has lost all but its first line: {_RESTORE}")
        if expected and Chain(here[0].path).broken():
            raise SessionUnfit(
                f"the session file {here[0].path} has lost a line in its middle, and pi would forget all that stands "
                f"before it: {_RESTORE}"
            )
        return
    if elsewhere:
        found = elsewhere[0]
        raise SessionUnfit(
            f"the session {found.path} was begun in the folder {found.cwd}, and this room works in {workspace}: put "
            "that folder back and write /restart, or begin a fresh session with /new, which keeps all files"
        )
    if expected and broken:
        path, why = next(iter(broken.items()))
        raise SessionUnfit(f"the session file {path} {why}: {_RESTORE}")
    if expected:
        raise SessionUnfit(f"the file of this room's session, {folder}/…_{session_id}{_SUFFIX}, is gone: {_RESTORE}")


class Chain:
    """The entries of one file, each of which names the one before it. Reads what is new since it was last asked.

    An agent can write into its session's file whatever it likes: so none of what is read is kept without a bound, and a
    file that goes beyond them is one of which nothing can be said.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at_work = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._beginning = b""
        self._offset = 0
        self._has_header = False
        self._last: str | None = None
        self._sound: str | None = None  # the last one that was found to lead to the first
        self._before: dict[str, str | None] = {}

    def broken(self) -> bool:
        """Whether one on the way from the last entry to the first is missing. False if the disk does not say."""
        with suppress(OSError), self._alone():
            self._read()
            return self._is_broken()
        return False

    def holds(self, entry: str) -> bool:
        """Whether this entry is there, below a header, and all that led to it. True if the disk does not say."""
        try:
            with self._alone():
                self._read()
                return self._has_header and entry in self._before and not self._is_broken()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return False
        except OSError:
            return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Raises OSError while an earlier look, which nobody waits for any more, is still about it."""
        if not self._at_work.acquire(blocking=False):
            raise TimeoutError(errno.ETIMEDOUT, "it is still being read")
        try:
            yield
        finally:
            self._at_work.release()

    def _is_broken(self) -> bool:
        at, steps = self._last, 0
        while at is not None and at != self._sound:
            if at not in self._before or steps > len(self._before):
                return True  # pi would go round in a ring for ever
            at = self._before[at]
            steps += 1
        self._sound = self._last
        return False

    def _read(self) -> None:
        with _open(self._path) as file:
            beginning = file.read(_BEGINNING)
            size = os.fstat(file.fileno()).st_size
            if not beginning.startswith(self._beginning) or size < self._offset:
                self._clear()  # another file under this name
            self._beginning = beginning
            if size > LARGEST:
                raise OSError(errno.EFBIG, "it is too large to be looked at")
            file.seek(self._offset)
            framer = LineFramer()
            while chunk := file.read(min(_CHUNK, size - file.tell())):
                for line in framer.feed(chunk):
                    self._take(line)
                    self._offset += 1 + (line.size if isinstance(line, Oversized) else len(line))
            for rest in framer.feed(b"\n"):  # which may be whole, or be gone on with
                self._take(rest)

    def _take(self, data: bytes | Oversized) -> None:
        line = _line_of_head(data.head) if isinstance(data, Oversized) else _line(data)
        if line is None:
            return
        if line.type == "session":
            self._has_header = self._has_header or self._last is None
        elif line.id is not None:
            if len(self._before) >= MOST_ENTRIES:
                raise OSError(errno.EFBIG, "it has too many entries to be looked at")
            if line.id in self._before:
                self._sound = None  # what was found about the way through it holds no longer
            self._last = line.id
            self._before[line.id] = line.parent


def _look(folder: Path, session_id: str, workspace: str) -> tuple[list[_Found], list[_Found], dict[Path, str]]:
    """The files of this session in this workspace, those of it in another, and what is wrong with the others."""
    here: list[_Found] = []
    elsewhere: list[_Found] = []
    broken: dict[Path, str] = {}
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return here, elsewhere, broken
    except OSError as error:
        raise SessionUnfit(f"the folder {folder} cannot be read ({error.strerror}): {_RESTORE}") from error
    real = os.path.realpath(workspace)  # what pi takes for its folder, and writes down
    for path in (folder / name for name in names if name.endswith(_SUFFIX)):
        by_name = path.name.endswith(f"_{session_id}{_SUFFIX}")
        try:
            lines = _head(path)
        except OSError as error:
            if by_name:
                broken[path] = f"cannot be read ({error.strerror})"
            continue
        if not lines or lines[0].type != "session" or lines[0].id is None:
            if by_name:
                broken[path] = "is damaged, its beginning is lost"
        elif lines[0].id != session_id:
            if by_name:
                broken[path] = f"begins as that of another session, {lines[0].id}"
        else:
            found = _Found(path, lines[0].cwd or "unknown", empty=len(lines) == 1)
            (here if lines[0].cwd and os.path.normpath(lines[0].cwd) == real else elsewhere).append(found)
    return here, elsewhere, broken


def _head(path: Path) -> list[_Line]:
    """The first two lines that can be read, as pi reads them: what is no JSON is passed over. Raises OSError."""
    with _open(path) as file:
        lines: list[_Line] = []
        left = LONGEST_HEAD
        while left > 0 and len(lines) < 2:  # the header, and one that shows that something follows
            data = file.readline(left)
            if not data:
                break
            left -= len(data)
            if (line := _line(data)) is not None:
                lines.append(line)
        return lines


def _line(data: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(data, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _line_of_head(head: bytes) -> _Line | None:
    """An entry that is too long to be kept, by its beginning; such a one has pictures in it."""
    found = _HEAD.match(head)
    if found is None:
        return None
    kind, entry, before = (None if each is None else each.decode("ascii") for each in found.groups())
    return None if kind is None else _Line(type=kind, id=entry, parent=before)


def _open(path: Path) -> BinaryIO:
    # A pipe in its place would otherwise be waited for, and a link followed to what its agent may not touch.
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise IsADirectoryError(errno.EISDIR, "it is no file") from None
        raise
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise IsADirectoryError(errno.EISDIR, "it is no file")
    return file
