"""Which process works on a session: noted beside it, so that the pi of a killed service is waited for.

Used by `process`. pi keeps no lock, and of two on one session each loses what the other writes. A file lock would not
do: held by us it is gone before pi is, and inherited by pi it passes on to all that pi starts (Node closes only its
lowest descriptors), so that a server forgotten in the background would lock the room.
"""

from pathlib import Path
from typing import Final

import trio

LOOK_EVERY: Final = 0.02
"""Seconds between two looks: nobody tells us of the end of a process that is not our child."""


async def wait_until_free(note: str, patience: float) -> int | None:
    """Wait until whoever is noted in the file has ended; after `patience` seconds, return its pid instead of None.

    Where processes cannot be looked at in /proc, nobody is waited for. Raises OSError if the file cannot be read.
    """
    try:
        words = (await trio.Path(note).read_text(encoding="ascii", errors="replace")).split()
    except FileNotFoundError:
        return None
    if len(words) != 2 or not words[0].isdecimal():
        return None  # cut off while it was written: that pi was told nothing yet
    pid, born = int(words[0]), words[1]
    with trio.move_on_after(patience):
        while _born(pid) == born:  # noqa: ASYNC110 - there is no event
            await trio.sleep(LOOK_EVERY)
        return None
    return pid


async def take(note: str, pid: int) -> None:
    """Note that this process works there now. Raises OSError."""
    await trio.Path(note).write_text(f"{pid} {_born(pid)}\n", encoding="ascii")


def _born(pid: int) -> str | None:
    """When a process began, in ticks since the boot: a pid may be used again. None if it is dead or cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
