"""Where one sub-agent's things are, and the note that says that its workspace is ready.

Used by all of this folder that touch files; no decisions here.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

import msgspec
import trio

T = TypeVar("T")

THREADS: Final = 4
"""Threads that copy, read or remove files at once; more would only wait for the same disk."""
_threads: list[trio.CapacityLimiter] = []


class IsolationImpossible(Exception):
    """No workspace can be made; `reason` is one sentence with the mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Folder(NamedTuple):
    """A sub-agent's folder, as absolute paths. `work`: its workspace. `tmp`: its TMPDIR. `home`: its HOME, if need be.

    `reports`: results of its own sub-agents. `shadow`: a bare git repository of the service's own, which remembers what
    the workspace began as. `note`: written last; while it is not there, nothing else counts.
    """

    root: Path
    work: Path
    tmp: Path
    home: Path
    reports: Path
    shadow: Path
    note: Path

    @classmethod
    def of(cls, state: Path, slug: str) -> "Folder":
        """Of the sub-agent called `slug`, where the service's state is in `state`."""
        return cls.at(state / "subagents" / slug)

    @classmethod
    def at(cls, root: Path) -> "Folder":
        """The one whose root is this."""
        return cls(
            root,
            root / "work",
            root / "tmp",
            root / "tmp/home",
            root / "reports",
            root / "base.git",
            root / "prepared.json",
        )

    def parent(self, workspace: Path) -> "Folder | None":
        """The folder of the sub-agent whose workspace that is; None: it is no sub-agent's."""
        mine = Path(os.path.realpath(self.root.parent))
        for path in (workspace, Path(os.path.realpath(workspace))):
            if path.name == "work" and Path(os.path.realpath(path.parent.parent)) == mine:
                return Folder.at(path.parent)
        return None


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that is ready.

    `kind`: a git clone, a copy of files, or empty. `base`: the commit in the shadow repository that is what it began
    as. `objects`: folders of git objects that must be readable for it. `left_out`: sentences about what of the parent's
    work is not in it. `files`: how many it began with. `seconds`: how long that took.
    """

    kind: Literal["clone", "copy", "scratch"]
    base: str
    objects: tuple[str, ...]
    left_out: tuple[str, ...]
    files: int
    seconds: float


def prepared(folder: Folder) -> Prepared | None:
    """What is known of the workspace if it is ready, else None. Reads one small file."""
    with suppress(FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return msgspec.json.decode(folder.note.read_bytes(), type=Prepared)
    return None


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread. It asks `go_on` again and again, and so ends when cancelled."""
    if not _threads:
        _threads.append(trio.CapacityLimiter(THREADS))
    return await trio.to_thread.run_sync(work, limiter=_threads[0])


def go_on() -> None:
    """In such a thread: raises trio.Cancelled if the work is not wanted any more."""
    trio.from_thread.check_cancelled()
