"""Cgroups v2 as folders: one for each agent, its limits, its end, and what the kernel noted in it.

Used by `cages` and `keeper`, from a thread: all of it blocks, a kill for up to two seconds. The folders lie in the
service's own cgroup, `agents-<house>-<run>/<slug>-<launch>`, so that each service finds its own and nobody else's.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.pi.ladder import Limits, oom_kills

WANTED: Final = ("memory", "pids")
"""The controllers that set limits."""
KILL_PATIENCE: Final = 2.0
"""Seconds for the killed to be gone."""
_LOOK_EVERY: Final = 0.005


def usable(own: Path) -> str | None:
    """Why agents' groups cannot be made in the service's own cgroup; None if they can."""
    trial = own / f"agents-trial-{os.getpid()}"
    try:
        trial.mkdir()
        try:
            if not (trial / "cgroup.kill").exists():
                return "the kernel is older than 5.14 and has no cgroup.kill"
        finally:
            trial.rmdir()
        if not os.access(own / "cgroup.procs", os.W_OK):
            return f"{own}/cgroup.procs may not be written; set Delegate=yes in the unit"
    except OSError as error:
        return f"no folder can be made in {own} ({error.strerror}); set Delegate=yes in the unit"
    return None


def prepare(own: Path, name: str) -> tuple[Path, frozenset[str]]:
    """Make the folder for a run's agents; returns it, and the controllers that its agents have. Raises OSError.

    A cgroup that gives controllers to others may hold no process itself, so the service moves one down if it must.
    """
    folder = own / name
    folder.mkdir()
    if controllers(own) and not _enable(own):
        _step_aside(own)
    _enable(folder)
    return folder, _read(folder / "cgroup.subtree_control")


def controllers(own: Path) -> frozenset[str]:
    """Those controllers of a cgroup that set limits."""
    return _read(own / "cgroup.controllers")


def make(folder: Path, limits: Limits) -> None:
    """Make an agent's cgroup, with those limits that there is a controller for. Raises OSError."""
    folder.mkdir()
    wanted = {"memory.max": limits.memory, "memory.swap.max": None if limits.memory is None else 0}
    wanted |= {"pids.max": limits.processes}
    if limits.memory is not None:
        wanted["memory.oom.group"] = 1  # all of it or nothing: an agent that lost some of its tools is no agent
    for name, value in wanted.items():
        if value is not None and (folder / name).exists():
            _write(folder / name, str(value))


def ran_out_of_memory(folder: Path) -> bool:
    """Whether the kernel killed in it for want of memory."""
    try:
        return oom_kills((folder / "memory.events").read_text(encoding="ascii")) > 0
    except OSError:
        return False


def end(folder: Path) -> bool:
    """Kill all that is in a cgroup and below it, and remove the folders; says whether that is done."""
    deadline = time.monotonic() + KILL_PATIENCE
    with suppress(OSError):
        _write(folder / "cgroup.kill", "1")
    while not _removed(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def sweep(own: Path, prefix: str) -> bool:
    """End what earlier runs of this house left, whose folders' names begin with `prefix`."""
    try:
        ended = [end(folder) for folder in own.iterdir() if folder.name.startswith(prefix)]
    except OSError:
        return False
    return all(ended)


def _removed(folder: Path) -> bool:
    """Remove a tree of cgroups from its leaves up, as far as they are empty."""
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # somebody is still dying in it
            os.rmdir(path)
    return not folder.exists()


def _step_aside(own: Path) -> None:
    aside = own / "service"
    with suppress(OSError):
        aside.mkdir(exist_ok=True)
        _write(aside / "cgroup.procs", "0")
        if not _enable(own):
            _write(own / "cgroup.procs", "0")  # others are there, too: stay with them, without limits
            aside.rmdir()


def _enable(folder: Path) -> bool:
    """Give the controllers that there are to the groups below; says whether that could be done."""
    try:
        _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(controllers(folder))))
    except OSError:
        return False
    return True


def _read(names: Path) -> frozenset[str]:
    try:
        return frozenset(names.read_text(encoding="ascii").split()) & set(WANTED)
    except OSError:
        return frozenset()


def _write(file: Path, text: str) -> None:
    """Write a control file, which may not be readable and is never to be made: it is there or it is not."""
    fd = os.open(file, os.O_WRONLY)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)
