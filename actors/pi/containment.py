"""What an agent left behind: processes that its tools began, found by a mark in their environment.

Used by `process` when an agent has ended. A tool runs in a session of its own, so killing pi, or its process group,
does not reach it; but the mark in its environment is still there. A program that clears its environment escapes.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Final

MARK: Final = "DISPATCHD_AGENT"
"""The variable that carries the mark."""
_ROUNDS: Final = 5
"""How often is looked again for what was just being started."""


def new_mark() -> str:
    """A mark that no other launch has."""
    return secrets.token_hex(16)


def kill_marked(mark: str) -> int:
    """SIGKILL every process of ours that carries the mark; says how many there were. Blocks for some milliseconds."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = marked(mark)
        if not found:
            break
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, SIGKILL)
                killed.add(pid)
    return len(killed)


def marked(mark: str) -> list[int]:
    """The processes, not counting zombies, whose environment has the mark. None where there is no /proc."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
