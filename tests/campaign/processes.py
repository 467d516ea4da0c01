"""The processes of a house, looked at from outside: by what is in their environment, and by their ids alone.

A process is known by its id and the instant at which it began, so one that has its number later is another one. What
has cleared its environment is found by its parents, while these live. Linux only.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

TICK: Final = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One process. `started`: clock ticks since the machine began."""

    pid: int
    started: int

    def lives(self) -> bool:
        """Whether it is still there, and no zombie."""
        stat = _stat(self.pid)
        return stat is not None and stat[0] not in "ZX" and stat[1] == self.started

    def command(self) -> str:
        """Its command line, for people."""
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return "gone"


def now() -> int:
    """This instant, in the ticks of `Process.started`."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICK)


def of(home: Path) -> set[Process]:
    """All that have their home there, and their descendants: the service, its agents, what their tools began."""
    marks = (b"HOME=" + os.fsencode(home), b"DISPATCHD_SOCKET=" + os.fsencode(home / "ctl.sock"))
    parents: dict[int, list[int]] = {}
    found: dict[int, Process] = {}
    seen: dict[int, Process] = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            continue
        seen[pid] = Process(pid, stat[1])
        parents.setdefault(stat[2], []).append(pid)
        with suppress(OSError):  # it has ended, or is somebody else's
            if any(mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for mark in marks):
                found[pid] = seen[pid]
    todo = list(found)
    while todo:
        for child in parents.get(todo.pop(), ()):
            if child not in found:
                found[child] = seen[child]
                todo.append(child)
    return set(found.values())


def _pids() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        yield from (int(entry.name) for entry in entries if entry.name.isdecimal())


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, start and parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[19]), int(fields[1])
