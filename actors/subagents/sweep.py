"""What sub-agents leave on the disk, whose it is, and how it goes: at the end of one, and by a sweep for what is left.

Used by the registrar. A folder under `subagents` belongs to an open row and goes with it; a result belongs to a row
about which nobody has decided, for two weeks. The folder is the last that is removed of a sub-agent, so whatever cuts
that off, the next sweep finds it. All of it lies in the service's own state folder.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import trio

from actors.asking import insist
from actors.messages import GetSubagent, NewDelivery, SettleResult, StoreRequest, Subagent
from actors.subagents import words, workspace
from actors.subagents.folder import Folder
from supervisor import Ref

KEEP: Final = 14 * 24 * 3600.0
"""Seconds after its end in which what a sub-agent made can be applied."""

_log = logging.getLogger(__name__)


class Disk(NamedTuple):
    """How folders are looked at and removed: `names` of what is in one, none if it is not there."""

    names: Callable[[Path], Awaitable[list[str]]]
    remove: Callable[[Path], Awaitable[None]]


def result_folder(state: Path, sub: Subagent) -> Path:
    """Where what it made is kept for whoever may apply it."""
    return state / "results" / sub.slug if sub.parent is None else Folder.of(state, sub.parent).reports / sub.slug


class Leavings:
    """The folders below `state`."""

    def __init__(self, state: Path, disk: Disk) -> None:
        self._state = state
        self._disk = disk

    async def clear(self, slug: str) -> None:
        """Remove what a sub-agent that has ended worked with. Nothing of it may run any more."""
        await self._gone(self._state / "sessions" / slug)
        await self._gone(Folder.of(self._state, slug).root)

    async def drop_result(self, sub: Subagent) -> None:
        """Remove what it made: that is decided."""
        await self._gone(result_folder(self._state, sub))

    async def sweep(
        self,
        store: Ref[StoreRequest],
        *,
        is_busy: Callable[[str], bool],
        told: Callable[[str], Awaitable[None]],
        now: float,
    ) -> None:
        """Remove what belongs to nobody any more, and what nobody wanted for too long.

        `is_busy`: whether something of a sub-agent may still run, or is being removed; `told`: its room's people are
        told something; `now`: Unix seconds.
        """
        for name in await self._disk.names(self._state / "subagents"):
            if is_busy(name):
                continue
            sub = await insist(store, GetSubagent(slug=name))  # after the name was seen: a row is there before a folder
            if sub is None:
                await self._gone(self._state / "subagents" / name)  # whose session that would be, nobody knows
            elif sub.ended:
                await self.clear(name)
        for name in await self._disk.names(self._state / "results"):
            sub = await insist(store, GetSubagent(slug=name))
            if sub is not None and not sub.ended:
                continue
            if sub is not None and sub.kept == "open":
                if sub.ended_at is None or now - sub.ended_at < KEEP:
                    continue
                if await insist(store, SettleResult(slug=name, kept="expired", deliveries=(_expired(sub),))):
                    await told(sub.room)
            await self._gone(self._state / "results" / name)

    async def _gone(self, folder: Path) -> None:
        try:
            await self._disk.remove(folder)
        except OSError as error:
            _log.warning("%s could not be removed and is left for the next sweep: %s", folder, error)


def _expired(sub: Subagent) -> NewDelivery:
    return words.line(msgspec.structs.replace(sub, kept="expired"))


async def _names(folder: Path) -> list[str]:
    try:
        return sorted([path.name for path in await trio.Path(folder).iterdir()])
    except OSError:
        return []


DISK: Final = Disk(_names, workspace.remove)
