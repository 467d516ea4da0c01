"""One process at a time on a session: a lock that whoever works there holds for as long as it lives, and no longer.

Used by `process`. pi keeps no lock, and of two on one session each loses what the other writes. We take the lock
(flock) and give the started process the open file, then let go of ours: so it outlives a service that is killed at
whatever moment, goes with that process however it ends, and no pid that is used again can be taken for it. The pid in
the file is for people, and may be an old one.

What pi starts must not have the file: a server forgotten in the background would lock the room. Node sees to it for the
files it inherits under the lowest numbers (libuv's uv_disable_stdio_inheritance), so a low number is set aside for it.
"""

import errno
import fcntl
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.pi.disk import off_thread
from actors.pi.errors import LaunchFailed

LOOK_EVERY: Final = 0.02
"""Seconds between two tries: nobody tells us of the end of a process that is not our child."""
LOWEST: Final = 8
"""Shells use the numbers below for themselves; Node looks after those up to 15."""

SEARCH: Final = 2.0
"""Seconds to find out who holds a lock."""
_NAME: Final = re.compile(r"[^\w .:-]", re.ASCII)
"""What is left out of a process's name, which is its own choice."""

_set_aside: int | None = None
_handing_over: Final = trio.Lock()


def set_number_aside() -> None:
    """Keep a low file number for the file that is handed over, unless there is one. To be done early."""
    global _set_aside  # noqa: PLW0603 - file numbers are the process's own
    if _set_aside is None:
        nothing = os.open(os.devnull, os.O_RDWR)
        _set_aside = fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, LOWEST)
        os.close(nothing)


async def take(path: str, patience: float) -> "Claim":
    """The lock in the file at `path`, which is made; waits up to `patience` seconds for its holder to end.

    Raises LaunchFailed, which names the holder.
    """
    try:
        file = await trio.to_thread.run_sync(_open, path)
    except OSError as error:
        raise LaunchFailed(path, f"it cannot be opened ({error.strerror})") from error
    claim = Claim(file)
    try:
        with trio.move_on_after(patience):
            while not claim.lock():  # noqa: ASYNC110 - there is no event
                await trio.sleep(LOOK_EVERY)
            return claim
        raise LaunchFailed(path, f"{await _whose(file)} still works there; end it and write /restart")
    except BaseException as error:
        claim.close()
        if isinstance(error, OSError):
            raise LaunchFailed(path, f"it cannot be locked ({error.strerror})") from error
        raise


class Claim:
    """An open file that is locked, ours until it is closed. Made by `take`."""

    def __init__(self, file: int) -> None:
        self._file = file

    def lock(self) -> bool:
        """Whether it is ours now. Raises OSError where there are no locks."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @asynccontextmanager
    async def handed_over(self) -> AsyncIterator[int]:
        """The number under which a process that is started inside of this is to inherit it."""
        set_number_aside()
        assert _set_aside is not None
        async with _handing_over:
            nothing = os.open(os.devnull, os.O_RDWR)  # now: where no file can be opened, the lock must not stay with us
            try:
                os.dup2(self._file, _set_aside, inheritable=False)
                yield _set_aside
            finally:
                os.dup2(nothing, _set_aside, inheritable=False)
                os.close(nothing)

    def note(self, pid: int) -> None:
        """Write down whose it is; a full disk may keep it from being known."""
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{pid}\n".encode(), 0)

    def close(self) -> None:
        """Let go of it: whoever has inherited it holds it still."""
        os.close(self._file)


async def _whose(file: int) -> str:
    """The process that holds the lock of this file, in words."""
    noted = os.pread(file, 32, 0).decode("ascii", "replace").strip()
    try:
        found = await off_thread(partial(_holders, os.readlink(f"/proc/self/fd/{file}")), place="/proc", seconds=SEARCH)
    except OSError:
        found = {}
    if not found:
        return "a process that cannot be seen"
    pid = noted if noted in found else next(iter(found))
    return f"process {pid} ({found[pid]})"


def _holders(path: str) -> dict[str, str]:
    """The names of the processes that hold a lock of the file at `path`, by their pids."""
    found = {}
    for pid in (name for name in os.listdir("/proc") if name.isdecimal()):
        with suppress(OSError):  # gone meanwhile, or another user's
            for number in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{number}") == path and _locks(pid, number):
                        found[pid] = _NAME.sub("", Path(f"/proc/{pid}/comm").read_text("ascii", "replace"))
    return found


def _locks(pid: str, number: str) -> bool:
    return "FLOCK" in Path(f"/proc/{pid}/fdinfo/{number}").read_text("ascii")


def _open(path: str) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o600)
    if os.fstat(file).st_nlink == 0:  # removed in this moment: the next one would lock another file
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "it was removed just now")
    return file
