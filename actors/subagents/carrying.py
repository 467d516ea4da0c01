"""Carries files from a living workspace into a new one: as they are there, within bounds, links as links.

Used by `cloning` for what is not committed, by `copying` for everything. Runs in a thread and blocks. Whatever is no
file and no link (a pipe, a socket, a device), and whatever stands behind a link, is not carried.
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from actors.subagents import git
from actors.subagents.beneath import Beneath, Grown, NoFile, pour


class Carried(msgspec.Struct):
    """What became of the paths: `put` into the new workspace, `gone` from it, `large`: left out for their size.

    `unread`: left out because they cannot be read.
    """

    put: list[bytes] = []
    gone: list[bytes] = []
    large: list[bytes] = []
    unread: list[bytes] = []
    size: int = 0

    def left_out(self, one: int, all_: int) -> tuple[str, ...]:
        """Sentences about what was left out; the bounds, in bytes, are named."""
        told = []
        if self.large:
            bounds = f"a file may have {one >> 20} MB, all together {all_ >> 20} MB"
            told.append(f"{_some(self.large)} left out: {bounds}.")
        if self.unread:
            told.append(f"{_some(self.unread)} left out: not readable.")
        return tuple(told)


def carry(
    paths: Iterable[bytes], source: Path, to: Path, *, one: int, all_: int, go_on: Callable[[int], None]
) -> Carried:
    """Bring these paths of `to` to what they are in `source`; what is not there any more is removed.

    `one`: bytes that a file may have. `all_`: that they may have together. `go_on` is called again and again with how
    many paths are done, and may raise. Raises OSError where `to` cannot be written.
    """
    carried = Carried()
    with Beneath(source) as old, Beneath(to) as new:
        there: list[tuple[bytes, os.stat_result]] = []
        for path in sorted(set(paths)):
            found = old.look(path)
            if found is not None and (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                there.append((path, found))
            else:  # all of these first: what was a file may be a folder now
                new.delete(path)
                carried.gone.append(path)
        for done, (path, found) in enumerate(there):
            go_on(done)
            if stat.S_ISREG(found.st_mode) and (found.st_size > one or carried.size + found.st_size > all_):
                carried.large.append(path)
                continue
            try:
                carried.size += _carry(path, found, old, new, min(one, all_ - carried.size), go_on=lambda: go_on(done))  # noqa: B023
            except Grown:
                new.delete(path)
                carried.large.append(path)
            except NoFile:
                carried.gone.append(path)
            except _Unread:
                carried.unread.append(path)
            else:
                carried.put.append(path)
    return carried


class _Unread(Exception):
    """The source cannot be read."""


def _carry(
    path: bytes, found: os.stat_result, old: Beneath, new: Beneath, most: int, *, go_on: Callable[[], None]
) -> int:
    if stat.S_ISLNK(found.st_mode):
        try:
            target = old.target(path)
        except OSError as error:
            raise _Unread from error
        new.delete(path)
        new.make_link(path, target)
        return 0
    try:
        source = old.open(path)
    except NoFile:
        new.delete(path)
        raise
    except OSError as error:
        raise _Unread from error
    try:
        new.delete(path)
        with new.making(path, 0o777 if found.st_mode & stat.S_IXUSR else 0o666) as sink:
            return pour(source, sink, most, go_on)
    finally:
        os.close(source)


def _some(paths: list[bytes]) -> str:
    """The first few of these paths, and how many more there are."""
    named = ", ".join(git.shown(path) for path in paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"{named}{more}: {'was' if len(paths) == 1 else 'were'}"
