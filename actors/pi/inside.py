"""Opens files of a room's workspace, and of nothing else: what an agent names may be a link that leads anywhere.

Used in threads by `pictures` and `outgoing`; it blocks. The path is resolved first and then opened step by step without
following links, so that a link put there in between leads nowhere either.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotOurs(Exception):
    """This file is not to be had from this workspace; the message says why, as a clause that follows its name."""


def open_inside(workspace: str, path: str, *, most: int) -> tuple[BinaryIO, int]:
    """The regular file at `path` (absolute, or relative to the workspace), open for reading, and its size in bytes.

    Raises NotOurs: it is outside, is no regular file, is larger than `most` bytes, or cannot be read.
    """
    try:
        root = Path(workspace).resolve(strict=True)
        steps = (root / path).resolve().relative_to(root).parts
        descriptor = _walk(root, steps)
    except FileNotFoundError:
        raise NotOurs("does not exist") from None
    except OSError as error:
        raise NotOurs(f"cannot be read ({error.strerror})") from None
    except (ValueError, RuntimeError):  # not below the root, or a name with a NUL; a loop of links
        raise NotOurs("is outside of the workspace") from None
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode):
        os.close(descriptor)
        raise NotOurs("is no regular file")
    if seen.st_size > most:
        os.close(descriptor)
        raise NotOurs(f"is too large ({seen.st_size / 1e6:.1f} MB; at most {most / 1e6:g} MB)")
    return os.fdopen(descriptor, "rb"), seen.st_size


def _walk(root: Path, steps: tuple[str, ...]) -> int:
    """A descriptor of what lies at the end of these steps, none of which is a link."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number, step in enumerate(steps, start=1):
            # Without O_NONBLOCK a pipe would be waited for.
            kind = os.O_NONBLOCK if number == len(steps) else os.O_DIRECTORY
            deeper = os.open(step, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=at)
            os.close(at)
            at = deeper
    except OSError:
        os.close(at)
        raise
    return at
