"""The real ground on which sub-agents work: folders below the service's state, made, gathered in, closed off.

Joins `workspace` and `results` to what the worker and its agent ask for; made once for each by the tree.
"""

import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.messages import Changes, Room, Subagent
from actors.pi.sandbox import Sandbox
from actors.subagents import results, workspace
from actors.subagents.folder import Folder, IsolationImpossible, in_thread, prepared
from actors.subagents.ground import Ground, Made, Unmade

LEAST: Final = 64 << 20
"""Bytes that must be free before what a sub-agent changed is gathered in."""
LOOK_EVERY: Final = 5.0
PATIENCE: Final = 3600.0
"""Seconds between two looks at a full disk, and for which it is waited for."""

_log = logging.getLogger(__name__)


def ground(state: Path) -> Ground:
    """Where the service's state is in `state`."""

    async def look(slug: str) -> Made | None:
        found = await in_thread(partial(prepared, Folder.of(state, slug)))
        return None if found is None else Made(found.kind, found.left_out)

    async def make(sub: Subagent, parent: str, told: Callable[[str], None]) -> Made:
        folder = Folder.of(state, sub.slug)
        try:
            made = await workspace.prepare(parent, folder, slug=sub.slug, isolation=sub.isolation, told=told)
        except IsolationImpossible as error:
            raise Unmade(error.reason) from error
        except OSError as error:
            raise Unmade(f"its workspace could not be made: {error}") from error
        return Made(made.kind, made.left_out)

    async def gather(sub: Subagent) -> Changes | None:
        await _space(state)
        into = state / "results" if sub.parent is None else Folder.of(state, sub.parent).reports
        try:
            return await results.collect(Folder.of(state, sub.slug), into, slug=sub.slug)
        except OSError as error:
            raise Unmade(f"what it changed could not be kept: {error}") from error

    return Ground(lambda slug: str(Folder.of(state, slug).work), look, make, gather)


async def _space(state: Path) -> None:
    """Wait while the disk is full, for a while: what was done in the workspace would be lost with it."""
    with trio.move_on_after(PATIENCE):
        while await in_thread(partial(_free, state)) < LEAST:
            _log.warning("%s: the disk is full, and what a sub-agent changed waits to be kept", state)
            await trio.sleep(LOOK_EVERY)


def _free(state: Path) -> int:
    try:
        return shutil.disk_usage(state).free
    except OSError:
        return LEAST  # it is not space that is lacking, and whoever writes there hears what is


def sandbox(state: Path, bwrap: str | None, room: Room) -> Sandbox:
    """How a sub-agent's process is closed off. `bwrap`: the program that does it, if there is one.

    `room`: what it is started with. What it may read is said by the note that its workspace's making left, which it
    cannot change itself.
    """
    folder = Folder.of(state, room.slug)
    found = prepared(folder)
    objects = () if found is None else found.objects
    return Sandbox(temporary=str(folder.tmp), bwrap=bwrap, visible=(*objects, str(folder.reports)))
