"""What the processes of this user hold, read from `/proc`: the memory of all that an agent runs.

For `actorctl` alone, to be shown; nobody decides by it. It reads a file for each process, so it runs in a thread.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """`memory`: resident, in bytes."""

    parent: int
    memory: int


def own_processes(root: Path = Path("/proc")) -> dict[int, Process]:
    """All processes of this user, by their pid."""
    found = {}
    for entry in os.scandir(root):
        if not entry.name.isdecimal():
            continue
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            if entry.stat().st_uid == os.geteuid():
                # The second field is the program's name, and may hold anything, blanks and brackets as well.
                fields = (root / entry.name / "stat").read_bytes().rpartition(b")")[2].split()
                found[int(entry.name)] = Process(parent=int(fields[1]), memory=int(fields[21]) * PAGE)
    return found


def memory_of(pid: int, processes: Mapping[int, Process]) -> int | None:
    """Resident bytes of what an agent runs, itself included; None if there is no such process.

    That is all below the process that this one began for it: where the agent is closed in, what it left behind belongs
    to that one. What two of them share counts twice.
    """
    if pid not in processes:
        return None
    pid = _top(pid, processes, os.getpid())
    children: dict[int, list[int]] = {}
    for number, process in processes.items():
        children.setdefault(process.parent, []).append(number)
    total, todo, seen = 0, [pid], {pid}
    while todo:
        number = todo.pop()
        total += processes[number].memory
        new = [child for child in children.get(number, ()) if child not in seen]
        seen.update(new)
        todo += new
    return total


def _top(pid: int, processes: Mapping[int, Process], here: int) -> int:
    """The one above `pid`, or itself, that process `here` began; itself if it is not below `here`."""
    above = [pid]
    while (parent := processes[above[-1]].parent) in processes and parent not in above:
        if parent == here:
            return above[-1]
        above.append(parent)
    return pid
