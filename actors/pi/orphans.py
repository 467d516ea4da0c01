"""The service as the reaper of orphans: what loses its parent comes to us instead of to the system's first process.

Used by `cages` on the lowest rung. A process's parent may be any, but its session never becomes that of another: so a
child of ours in a session that is not ours, and that we did not launch, is something that an agent cut loose.
"""

import ctypes
import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Final, Never

from actors.pi.containment import begotten, kill_all, processes

_PR_SET_CHILD_SUBREAPER: Final = 36
_NEXT_LOOK: Final = 0.01


def become_reaper() -> bool:
    """Let orphans come to this process, until it ends; says whether the kernel does it."""
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def bury_for_ever(launched: Collection[int], lock: threading.Lock) -> Never:
    """Take the dead among the orphans off the process table, at once: an agent may make thousands a second.

    For a thread of its own. `launched`: children whose end another waits for; not changed unless `lock` is held.
    """
    session = os.getsid(0)
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            time.sleep(_NEXT_LOOK)
            continue
        assert dead is not None
        with lock, suppress(ChildProcessError, ProcessLookupError):
            if dead.si_pid not in launched and os.getsid(dead.si_pid) != session:
                os.waitpid(dead.si_pid, os.WNOHANG)
                continue
        time.sleep(_NEXT_LOOK)  # whoever waits for it comes within that time


def kill_orphans(launched: Collection[int]) -> int:
    """Kill the living orphans and all that descends from them; says how many there were. Nothing may be launched."""
    return kill_all(lambda: begotten(_orphans(launched)))


def _orphans(launched: Collection[int]) -> list[int]:
    me, session = os.getpid(), os.getsid(0)
    return [
        pid
        for pid, (state, parent, its_session) in processes().items()
        if parent == me and its_session != session and pid not in launched and state not in "ZX"
    ]
