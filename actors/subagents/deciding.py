"""What people decide about what a sub-agent made: it is shown, applied to the room's workspace, or discarded.

A part of the registrar. What is wanted is a command of the room, which the same transaction answers that notes what
became of it; told again after a crash it is done again, and merging the same twice changes nothing. A conflict changes
nothing either: it is said.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import trio

from actors.asking import insist
from actors.messages import (
    AnswerCommand,
    Changes,
    Decide,
    DeliveryKind,
    GetSubagent,
    Kept,
    NewDelivery,
    Pull,
    Room,
    SettleResult,
    StoreRequest,
    Subagent,
)
from actors.phrases import code
from actors.pi.disk import TooSlow, off_thread
from actors.pi.inside import NotOurs
from actors.pi.outgoing import OutgoingFull, take_out
from actors.standing import undecidable
from actors.subagents import words
from actors.subagents.results import Applied, ApplyConflict, ApplyImpossible
from actors.subagents.sweep import Leavings
from supervisor import Ref

SHOWN: Final = 3000
"""Characters of a diff that are shown in the chat; a longer one comes as a file."""
COPY_DEADLINE: Final = 60.0
"""Seconds to copy one."""


Apply = Callable[[Changes, str], Awaitable[Applied]]
"""Merges what was made into a workspace. Raises ApplyConflict, ApplyImpossible."""


class Merging(NamedTuple):
    """How what was made is merged, and how it is shown, in at most so many characters."""

    apply: Apply
    diff: Callable[[Changes, int], Awaitable[str]]


class _Done(NamedTuple):
    """What is answered, and what is decided, if anything is. `file`: goes with the answer."""

    text: str
    kept: Kept | None = None
    file: Path | None = None


class Deciding:
    """For all rooms. `outgoing`: the folder for files on their way to people."""

    def __init__(self, store: Ref[StoreRequest], merging: Merging, leavings: Leavings, outgoing: Path) -> None:
        self._store = store
        self._merging = merging
        self._leavings = leavings
        self._outgoing = outgoing
        self._locks: dict[str, trio.Lock] = {}  # of the rooms in which something is being decided

    async def do(self, wanted: Decide) -> Room:
        """Do it, if its command is not answered yet, answer that and return its room."""
        lock = self._locks.setdefault(wanted.room, trio.Lock())
        try:
            async with lock:  # one after the other: who comes second sees what the first has decided
                work = await insist(self._store, Pull(slug=wanted.room))
                if any(command.id == wanted.command for command in work.commands):
                    await self._do(wanted, work.room)
                return work.room
        finally:
            if not lock.locked():  # else it is the next one's already
                self._locks.pop(wanted.room, None)

    async def _do(self, wanted: Decide, room: Room) -> None:
        while True:
            sub = await insist(self._store, GetSubagent(slug=wanted.slug, room=room.slug))
            if sub is None:
                answer = _note(wanted, _Done(undecidable(None, wanted.slug) or ""))
                await insist(self._store, AnswerCommand(slug=room.slug, inbound=wanted.command, deliveries=(answer,)))
                return
            done = await self._decide(wanted, sub, room)
            line = () if done.kept is None else (words.line(msgspec.structs.replace(sub, kept=done.kept)),)
            deliveries = (*line, _note(wanted, done))
            settle = SettleResult(slug=sub.slug, kept=done.kept, deliveries=deliveries, command=wanted.command)
            if await insist(self._store, settle) or done.kept is None:
                break  # else the agent has decided meanwhile, and that is to be said
        if done.kept is not None:
            await self._leavings.drop_result(sub)

    async def _decide(self, wanted: Decide, sub: Subagent, room: Room) -> _Done:
        if (refused := undecidable(sub, sub.slug)) is not None:
            return _Done(refused)
        changes = sub.changes
        assert changes is not None, "it made something"
        if sub.parent is not None and wanted.what != "diff":
            return _Done(
                f"What {code(sub.slug)} made is for the sub-agent that began it, {code(sub.parent)}, and not for this "
                "workspace. Decide about what that one made."
            )
        if wanted.what == "discard":
            return _Done(words.discarded(sub), "discarded")
        if wanted.what == "apply" and sub.workspace != room.workspace:
            return _Done(words.impossible(sub, words.elsewhere(sub, room.workspace)))
        try:
            if wanted.what == "diff":
                return await self._diff(sub, changes)
            applied = await self._merging.apply(changes, room.workspace)
        except ApplyConflict as conflict:
            return _Done(words.conflict(sub, conflict.paths))
        except ApplyImpossible as error:
            return _Done(words.impossible(sub, error.reason))
        except OSError as error:
            return _Done(words.impossible(sub, f"{error.strerror or error}."))
        return _Done(words.applied(sub, applied.files), "applied")

    async def _diff(self, sub: Subagent, changes: Changes) -> _Done:
        text = await self._merging.diff(changes, SHOWN + 1)
        if not text:
            return _Done(words.gone(sub))
        if len(text) <= SHOWN:
            return _Done(words.diff(sub, text))
        work = partial(_copy_out, Path(changes.patch), f"{sub.slug}.diff", self._outgoing)
        try:
            file = await off_thread(work, place=str(self._outgoing), seconds=COPY_DEADLINE)
        except (OutgoingFull, NotOurs, TooSlow, OSError):
            return _Done(words.diff(sub, text[:SHOWN]) + "\n\nThe rest is left out.")
        return _Done(words.diff(sub, ""), file=file)


def _copy_out(patch: Path, name: str, outgoing: Path) -> Path:
    copy, _ = take_out(str(patch.parent), patch.name, outgoing)
    return copy.rename(copy.with_name(name))


def _note(wanted: Decide, done: _Done) -> NewDelivery:
    return NewDelivery(
        kind=DeliveryKind.NOTE,
        text=done.text,
        reply_to=wanted.reply_to,
        file=None if done.file is None else str(done.file),
    )
