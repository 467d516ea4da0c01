"""Small disks that can be filled without harm: tmpfs in a mount namespace of the service's own, gone with it.

Root needs no more than `unshare --mount`; anybody else is root in a user namespace, where the machine allows one. From
outside they are seen through the service's process.
"""

import errno
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

_WAYS: Final = (
    ("unshare", "--mount", "--propagation", "private", "--"),
    ("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--"),
)
_MOUNT: Final = 'mkdir -p "$2" && mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2"'
_CHUNK: Final = 1 << 20


@cache
def way() -> tuple[str, ...] | None:
    """The command that runs another one where it may have disks of its own; None if there is none here."""
    for each in _WAYS:
        with suppress(OSError, subprocess.TimeoutExpired):
            trial = (*each, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp")
            if subprocess.run(trial, capture_output=True, timeout=10, check=False).returncode == 0:
                return each
    return None


def with_disks(argv: Sequence[str], disks: Mapping[Path, int]) -> tuple[str, ...]:
    """What to run in the place of `argv`, so that each of these folders is a disk of so many bytes to it."""
    apart = way()
    assert apart is not None, "ask `way` before"
    steps = [f'set -- {size} {shlex.quote(str(folder))} "$@"; {_MOUNT} && shift 2' for folder, size in disks.items()]
    return (*apart, "/bin/sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh", *argv)


def seen(pid: int, folder: Path) -> Path:
    """The folder as the process sees it, for us who are outside."""
    return Path(f"/proc/{pid}/root{folder}")


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """For the block there is not one byte left on the disk of the folder. Blocks while it writes."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (_CHUNK, 4096, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        yield
    finally:
        filler.unlink()
