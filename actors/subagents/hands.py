"""What an agent's delegating tools do: they begin sub-agents, look at them, wait for them, end them, merge their work.

Made for one process of an agent, which is its parent; asks the store, and wakes the registrar. Each answer is a short
text that the model can act on, and whatever it may ask for, nothing here fails. Whoever waits is woken by `look`, and
looks by itself every few seconds.
"""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import Final

import msgspec
import trio

from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    AwaitReport,
    Bounds,
    GetRoom,
    GetSubagent,
    SettleResult,
    Spawn,
    Spawned,
    SpawnRefused,
    StopSubagents,
    StoreRequest,
    Subagent,
    TellReport,
    Wake,
)
from actors.pi.hands import Answered
from actors.pi.host_tools import ApplySubagent, CancelSubagent, CheckSubagent, Delegation, SpawnSubagent
from actors.subagents import results, words, workspace
from actors.subagents.deciding import Apply
from actors.subagents.folder import Folder
from actors.subagents.results import ApplyConflict, ApplyImpossible
from actors.subagents.sweep import result_folder
from supervisor import ActorError, Ref

LOOK_EVERY: Final = 5.0
"""Seconds between two looks of a call that waits, if nobody says anything."""
SAY_DEADLINE: Final = 5.0
"""Seconds to say that a turn goes on, for a call that is cancelled."""
SHORTEST: Final = 1.0
LONGEST: Final = 7 * 24 * 3600.0
"""Seconds that a sub-agent may be given."""
_MODELS: Final = 30
"""That an answer names."""
_PATHS: Final = 20


class Refused(Exception):
    """The tool's error: what the model is told."""


class Helpers:
    """The hands of a room's agent (`parent` None) or of the sub-agent called `parent`; used by one process of it.

    `timeout`: seconds for those who are given none. `models`: the ids of those that can be used; none if that is not
    known here. `state`: the service's folder. `tell`: told a turn and whether it waits for sub-agents from now on.
    """

    def __init__(
        self,
        room: str,
        parent: str | None,
        *,
        store: Ref[StoreRequest],
        registrar: Ref[Wake],
        bounds: Bounds,
        timeout: float,
        state: Path,
        tell: Callable[[str, bool], Awaitable[None]],
        models: Callable[[], tuple[str, ...]] = tuple,
        apply: Apply = results.apply,
    ) -> None:
        self._room = room
        self._parent = parent
        self._store = store
        self._registrar = registrar
        self._bounds = bounds
        self._timeout = timeout
        self._state = state
        self._tell = tell
        self._models = models
        self._apply = apply
        self._process = secrets.token_hex(4)  # dialogs are counted anew in each
        self._waiting: Counter[str] = Counter()  # calls, by their turn
        self._said: set[str] = set()  # the turns of which was said that they wait
        self._saying = trio.Lock()
        self._merging = trio.Lock()
        self._news = trio.Event()

    @property
    def waits(self) -> bool:
        """Whether one of its calls waits for a sub-agent."""
        return bool(self._waiting)

    def look(self) -> None:
        """Somebody whom a call waits for may have ended, or the parent may go on."""
        self._news.set()
        self._news = trio.Event()

    async def do(self, turn: str, call: str, dialog: str, wanted: Delegation) -> Answered:
        """Do it, however long it takes. `call`: the tool call's id; `dialog`: unique in this process."""
        try:
            return Answered(await self._do(turn, call, dialog, wanted))
        except (Refused, Unfit) as error:
            return Answered(f"Error: {error}", failed=True)

    async def _do(self, turn: str, call: str, dialog: str, wanted: Delegation) -> str:
        match wanted:
            case SpawnSubagent():
                return await self._spawn(turn, call, dialog, wanted)
            case CheckSubagent():
                return await self._check(turn, call, wanted)
            case CancelSubagent():
                return await self._cancel(wanted.id)
            case ApplySubagent():
                async with self._merging:
                    return await self._merge(wanted.id)

    # --- the tools

    async def _spawn(self, turn: str, call: str, dialog: str, wanted: SpawnSubagent) -> str:
        timeout = self._timeout if wanted.timeout is None else wanted.timeout
        if not SHORTEST <= timeout <= LONGEST:
            raise Refused(
                f"timeout is a number of seconds from {SHORTEST:g} to {LONGEST:g} (a week), not {timeout:.12g}."
            )
        self._check_model(wanted.model)
        spawn = Spawn(
            key=f"{turn}:{self._process}:{dialog}",
            room=self._room,
            parent=self._parent,
            turn=turn,
            by=None,
            task=wanted.task,
            isolation=wanted.isolation,
            model=wanted.model,
            timeout=timeout,
            wait=wanted.wait,
            queue=wanted.queue,
            bounds=self._bounds,
        )
        begun = await self._begin(spawn)
        if not wanted.wait:
            return words.begun(begun)
        async with self._pausing(turn):
            ended = await self._wait_for_end(begun.subagent.slug)
            return await self._tell_report(ended, turn, call)

    async def _begin(self, spawn: Spawn) -> Spawned:
        reply = await insist(self._store, spawn)
        if isinstance(reply, SpawnRefused):
            raise Refused(reply.reason)
        self._wake_registrar()
        return reply

    async def _check(self, turn: str, call: str, wanted: CheckSubagent) -> str:
        sub = await self._find(wanted.id)
        own = sub.parent == self._parent and sub.by is None
        if sub.ended:
            return await self._tell_report(sub, turn, call) if own else sub.report
        if not wanted.wait:
            return self._standing(sub)
        if not own and self._parent is not None:
            raise Refused(f"{sub.slug} was begun by {sub.parent}: wait for that one, or check without waiting.")
        async with self._pausing(turn):
            if own:
                await insist(self._store, AwaitReport(slug=sub.slug))
                self._wake_registrar()  # a slot may be free
            sub = await self._wait_for_end(sub.slug)
            return await self._tell_report(sub, turn, call) if own else sub.report

    async def _cancel(self, slug: str) -> str:
        sub = await self._find(slug)
        if sub.ended:
            return f"Sub-agent {slug} has ended already: {words.state(sub)}."
        stopped = await insist(self._store, StopSubagents(slug=slug))
        self._wake_registrar()
        below = len(stopped) - 1
        with_it = f", and so {'is' if below == 1 else 'are'} the {below} that it has begun" if below > 0 else ""
        if sub.by is not None:
            return f"Sub-agent {slug} is being ended{with_it}."
        return f"Sub-agent {slug} is being ended{with_it}. What it has done until then comes to {self._whose(sub)}."

    async def _merge(self, slug: str) -> str:
        sub = await self._find(slug)
        changes = sub.changes
        if sub.parent != self._parent:
            raise Refused(f"{slug} was begun by {sub.parent}: only that one can merge its work. Apply what that made.")
        if not sub.ended:
            raise Refused(f"{slug} has not ended yet, so it cannot be merged. Wait for its report.")
        if changes is None or not sub.made:
            return f"Sub-agent {slug} changed no files, so there is nothing to merge."
        if sub.kept == "applied":
            return f"What {slug} made is merged already."
        if sub.kept != "open":
            raise Refused(f"What {slug} made was {sub.kept} and is gone.")
        place = await self._workspace()
        if self._parent is None and sub.workspace != place:
            why = f"{words.elsewhere(sub, place)} Nothing was changed. The patch is {changes.patch}"
            raise Refused(f"what {slug} made could not be merged: {why}")
        try:
            applied = await self._apply(changes, place)
        except ApplyConflict as conflict:
            paths = ", ".join(conflict.paths[:_PATHS]) + (" and more" if len(conflict.paths) > _PATHS else "")
            raise Refused(
                f"what {slug} made conflicts with your workspace in: {paths}. Nothing was changed. Merge by hand: the "
                f"patch is {changes.patch}; the git repository {changes.repository} has the branch base, which is what "
                "it began with, and the branch result."
            ) from None
        except ApplyImpossible as error:
            raise Refused(f"what {slug} made could not be merged: {error.reason} Nothing was changed.") from None
        except OSError as error:
            raise Refused(f"what {slug} made could not be merged: {error.strerror or error}.") from None
        line = words.line(msgspec.structs.replace(sub, kept="applied"))
        await insist(self._store, SettleResult(slug=slug, kept="applied", deliveries=(line,)))
        with suppress(OSError):  # the next sweep removes it
            await workspace.remove(result_folder(self._state, sub))
        if not applied.files:
            return f"What {slug} made is in your workspace already: no file had to be changed."
        named = "\n".join(f"  {path}" for path in applied.files[:_PATHS])
        more = len(applied.files) - _PATHS
        return f"Merged into your workspace, nothing committed:\n{named}" + (f"\n  and {more} more" if more > 0 else "")

    # --- what they are made of

    def _check_model(self, wanted: str | None) -> None:
        known = self._models() if wanted is not None else ()
        if not known or any(wanted in (model, model.partition("/")[2]) for model in known):
            return
        named = ", ".join(known[:_MODELS])
        raise Refused(f"there is no model {wanted!r}. There are: {named}. Leave model out to use your own.")

    async def _find(self, slug: str) -> Subagent:
        """The one of that name, if it is this agent's: of a room's agent all of its room, else what is below it."""
        found = await insist(self._store, GetSubagent(slug=slug, room=self._room))
        above = found
        while self._parent is not None and above is not None and above.parent != self._parent:
            above = None if above.parent is None else await insist(self._store, GetSubagent(slug=above.parent))
        if found is None or above is None:
            raise Refused(f"you have no sub-agent {slug!r}. Ids are what spawn_subagent has answered.")
        return found

    def _standing(self, sub: Subagent) -> str:
        said = f"Sub-agent {sub.slug} {words.state(sub, now=time())}."
        return f"{said} Its report comes to {self._whose(sub)}."

    def _whose(self, sub: Subagent) -> str:
        if sub.by is not None:
            return "people, not to you"
        return "you by itself" if sub.parent == self._parent else str(sub.parent)

    async def _workspace(self) -> str:
        if self._parent is not None:
            return str(Folder.of(self._state, self._parent).work)
        return (await insist(self._store, GetRoom(slug=self._room))).workspace

    async def _tell_report(self, sub: Subagent, turn: str, call: str) -> str:
        return (await insist(self._store, TellReport(slug=sub.slug, turn=turn, call=call))).report

    def _wake_registrar(self) -> None:
        with suppress(ActorError):  # it looks by itself, too
            self._registrar.tell_nowait(Wake())

    # --- waiting

    async def _wait_for_end(self, slug: str) -> Subagent:
        """The row once it has ended and, if the parent is a sub-agent, that has its slot again."""
        while True:
            news = self._news
            sub = await insist(self._store, GetSubagent(slug=slug))
            if sub is None:
                raise Refused(f"there is no sub-agent {slug!r} any more.")
            if sub.ended and not await self._is_held():
                return sub
            with trio.move_on_after(LOOK_EVERY):
                await news.wait()

    async def _is_held(self) -> bool:
        if self._parent is None:
            return False
        parent = await insist(self._store, GetSubagent(slug=self._parent))
        return parent is not None and parent.waiting and not parent.ended

    @asynccontextmanager
    async def _pausing(self, turn: str) -> AsyncIterator[None]:
        """The turn waits for a sub-agent while one of its calls is in here."""
        self._waiting[turn] += 1
        try:
            await self._say(turn)
            yield
        finally:
            self._waiting[turn] -= 1
            if not self._waiting[turn]:
                del self._waiting[turn]
            with trio.CancelScope(shield=True, deadline=trio.current_time() + SAY_DEADLINE):
                await self._say(turn)

    async def _say(self, turn: str) -> None:
        """Say whether it waits, if that is not what was said last; calls that come together do it one by one."""
        async with self._saying:
            waits = turn in self._waiting
            if waits == (turn in self._said):
                return
            await self._tell(turn, waits)
            (self._said.add if waits else self._said.discard)(turn)
