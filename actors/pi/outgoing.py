"""Files on their way to people: copied out of the workspace at once, so that they arrive as they were when offered.

Used by `hosting`. The folder is the service's own; each file lies in a folder of its own, under its own name. Whoever
has delivered one may remove it; what nobody removed goes when it is a week old.
"""

import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from actors.pi.inside import NotOurs, open_inside

MAX_SIZE: Final = 50_000_000
"""Bytes of one file: as much as a bot may send."""
MAX_FILES: Final = 500
MAX_TOTAL: Final = 2_000_000_000
"""Bytes of all that waits."""
KEEP: Final = 7 * 24 * 3600.0
"""Seconds that a file is kept for its delivery."""
_NAME: Final = 120  # characters, which at their longest fit into a file name


class OutgoingFull(Exception):
    """Too much waits to be delivered."""


def take_out(workspace: str, path: str, outgoing: Path) -> tuple[Path, int]:
    """Copy a file of the workspace; where the copy is, and its size in bytes. Blocks.

    Raises NotOurs, OutgoingFull, and OSError if the copy cannot be written.
    """
    file, size = open_inside(workspace, path, most=MAX_SIZE)
    with file:
        outgoing.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_room(outgoing, size)
        folder = outgoing / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        try:
            copy = folder / safe_name(path)
            return copy, _copy(file, copy)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def safe_name(path: str) -> str:
    """The last part of a path as a file name that can be written and shown everywhere."""
    name = "".join(letter for letter in path.rpartition("/")[2] if letter.isprintable()).strip()
    if name in ("", ".", ".."):
        return "file"
    stem, dot, ending = name.rpartition(".")
    if len(name.encode(errors="replace")) <= _NAME:
        return name
    kept = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
    return name.encode(errors="replace")[: _NAME - len(kept)].decode(errors="ignore") + kept


def _copy(file: BinaryIO, copy: Path) -> int:
    written = 0
    with copy.open("xb") as target:
        while chunk := file.read(1024 * 1024):
            written += len(chunk)
            if written > MAX_SIZE:  # it grows while it is read
                raise NotOurs(f"is too large (at most {MAX_SIZE / 1e6:g} MB)")
            target.write(chunk)
    return written


def _make_room(outgoing: Path, size: int) -> None:
    """Remove what is too old, and refuse if there is too much all the same."""
    old = time.time() - KEEP
    count, total = 1, size
    for folder in outgoing.iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):  # it was removed just now, or is none of ours
            if folder.stat().st_mtime < old:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            count += 1
            total += sum(os.path.getsize(file) for file in folder.iterdir())
    if count > MAX_FILES or total > MAX_TOTAL:
        raise OutgoingFull
