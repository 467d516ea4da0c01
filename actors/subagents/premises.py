"""The real ground on which sub-agents work: folders below the service's state, made, gathered in, closed off.

Joins `workspace` and `results` to what the worker and its agent ask for; made once for each by the tree.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from actors.messages import Changes, Room, Subagent
from actors.pi.sandbox import Sandbox
from actors.subagents import results, workspace
from actors.subagents.folder import Folder, IsolationImpossible, in_thread, prepared
from actors.subagents.ground import Ground, Made, Unmade


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
        into = state / "results" if sub.parent is None else Folder.of(state, sub.parent).reports
        try:
            return await results.collect(Folder.of(state, sub.slug), into, slug=sub.slug)
        except OSError as error:
            raise Unmade(f"what it changed could not be kept: {error}") from error

    return Ground(lambda slug: str(Folder.of(state, slug).work), look, make, gather)


def sandbox(state: Path, bwrap: str | None, room: Room) -> Sandbox:
    """How a sub-agent's process is closed off. `bwrap`: the program that does it, if there is one.

    `room`: what it is started with. What it may read is said by the note that its workspace's making left, which it
    cannot change itself.
    """
    folder = Folder.of(state, room.slug)
    found = prepared(folder)
    objects = () if found is None else found.objects
    return Sandbox(temporary=str(folder.tmp), bwrap=bwrap, visible=(*objects, str(folder.reports)))
