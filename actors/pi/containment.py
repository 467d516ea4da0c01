"""What an agent began, found by a mark in the environment and by who begot whom, and its end.

Used by `cages` when an agent has ended, by `keeper` when a service has, and at the start for what a killed service
left. A tool runs in a session of its own, so killing pi, or its process group, does not reach it; but the mark in its
environment is still there. A program that clears its environment is found only while its parents live.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from signal import SIGKILL, SIGSTOP, Signals
from typing import Final

MARK: Final = "DISPATCHD_AGENT"
"""The variable that carries the mark."""
KILL_PATIENCE: Final = 2.0
"""Seconds for the killed to be gone."""
STORM_PATIENCE: Final = 5.0
"""Seconds for which new ones are looked for while they keep coming."""
_QUIET: Final = 3
"""How often nothing new must have been found: one that is just being replaced by its child is not seen."""
_GLANCES: Final = 50
"""How often, at most, one search looks for those that began while it went through all others: what lives for a
millisecond and leaves a child behind is seen by such a glance, and hardly ever by a look at all of /proc."""
_LOOK_EVERY: Final = 0.005


def new_mark(of: str = "") -> str:
    """A mark that no other launch has; `of`: the mark that stands for all of them."""
    return f"{of}-{os.urandom(16).hex()}".removeprefix("-")


def kill_marked(mark: str) -> int:
    """SIGKILL every process of ours that carries the mark, and their children; says how many. Blocks up to seconds."""
    return kill_all(lambda: begotten(marked(mark)))


def kill_all(find: Callable[[], Iterable[int]]) -> int:
    """SIGKILL what is found, until nothing new is; says how many there were.

    All are stopped first, each as soon as it is seen: what forks and ends would otherwise be ahead of us for ever.
    """
    stopped: set[int] = set()
    quiet = 0
    deadline = time.monotonic() + STORM_PATIENCE
    while time.monotonic() < deadline:
        before = len(stopped)
        for pid in find():
            _signal(pid, SIGSTOP)
            stopped.add(pid)
        quiet = quiet + 1 if len(stopped) == before else 0
        if quiet >= (_QUIET if stopped else 1):
            break
    found = list(find()) if stopped else []  # not who was stopped: of those that had ended, the number may be another's
    for pid in found:
        _signal(pid, SIGKILL)
    deadline = time.monotonic() + KILL_PATIENCE
    while any(map(_lives, found)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    return len(found)


def marked(mark: str) -> Iterator[int]:
    """The processes, not counting zombies, whose mark it is or begins with it. None where there is no /proc."""
    exact, beginning = f"{MARK}={mark}".encode(), f"{MARK}={mark}-".encode()
    seen: set[int] = set()
    for _ in range(_GLANCES):
        fresh = [pid for pid in _pids() if pid not in seen]
        if not fresh:
            return
        for pid in fresh:
            with suppress(OSError):  # gone meanwhile, or another user's
                with open(f"/proc/{pid}/environ", "rb") as file:
                    variables = file.read().split(b"\0")
                if any(variable == exact or variable.startswith(beginning) for variable in variables):
                    yield pid
        seen.update(fresh)


def begotten(roots: Iterable[int]) -> Iterator[int]:
    """These processes and all that descend from them, except for whoever asks."""
    todo = []
    for pid in roots:
        todo.append(pid)
        if pid != os.getpid():
            yield pid
    seen = set(todo)
    children: dict[int, list[int]] = {}
    if todo:
        for pid, (_, parent, _) in processes().items():
            children.setdefault(parent, []).append(pid)
    while todo:
        fresh = [pid for pid in children.get(todo.pop(), ()) if pid not in seen and pid != os.getpid()]
        yield from fresh
        seen.update(fresh)
        todo += fresh


def processes() -> dict[int, tuple[str, int, int]]:
    """The state, the parent and the session of every process."""
    found = {}
    for pid in _pids():
        with suppress(OSError):
            fields = _stat(pid)
            found[pid] = fields[0], int(fields[1]), int(fields[3])
    return found


def _pids() -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir("/proc") as entries:
        yield from (int(entry.name) for entry in entries if entry.name.isdecimal())


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def _signal(pid: int, number: Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _lives(pid: int) -> bool:
    try:
        return _stat(pid)[0] not in "ZX"
    except OSError:
        return False
