"""The registrar: begins sub-agents, lets them go on, ends them, and speaks for those that cannot.

Told by whoever has changed a row, and it looks by itself every few seconds: the rows say what there is to do, `slots`
decides, and each look carries it out in one helper task. It never waits in its own, and is asked nothing. What a look
has not done, because it was cut off, the next one does.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    Bounds,
    Changes,
    Decide,
    GetRoom,
    GetSubagent,
    GrantSlot,
    ListSubagents,
    LookAtChildren,
    NewDelivery,
    OutboxMessage,
    Place,
    PrepareSubagent,
    StopSubagents,
    StoreRequest,
    Subagent,
    SubagentState,
    Tell,
    Tick,
    UnfinishedRooms,
    Wake,
    WakeRoom,
)
from actors.settings import SubagentsSettings
from actors.subagents import ends, premises, results, words
from actors.subagents.deciding import Deciding, Merging
from actors.subagents.ground import Unmade
from actors.subagents.pool import Pool
from actors.subagents.slots import Counts, count, decide
from actors.subagents.sweep import DISK, Disk, Leavings
from supervisor import Actor, ActorError, ChildSpec, Description, Down, Mailbox, Message, Overflow, Ref

LOOK_EVERY: Final = 5.0
"""Seconds between two looks if nobody says anything, and between two changes of what a queued one shows."""
GRACE: Final = 20.0
"""Seconds that one gets to end by itself when it is to."""
SWEEP_EVERY: Final = 3600.0
GATHER_DEADLINE: Final = 300.0
"""Seconds to gather in what one has changed that cannot do it itself."""
CAREFUL: Final = 60.0
"""Seconds after a failure of the registrar in which it does only what it must."""
MOST_CHILDREN: Final = 1000
"""Of one that waits; more than it can have."""
MERGING: Final = Merging(results.apply, results.diff)
_LATE: Final = f"it did not end by itself within {GRACE:g} s"

_log = logging.getLogger(__name__)

Hears = Wake | Decide | Tick | Down
Rows = Mapping[str, Subagent]
Gather = Callable[[Subagent], Awaitable[Changes | None]]


def _key(message: Hears | Any) -> object | None:
    match message:
        case Wake():
            return Wake
        case Decide(command=command):
            return command
        case _:
            return None


class Registrar(Actor[Hears]):
    """For all sub-agents of the service."""

    mailbox = Mailbox(1024, Overflow.WAIT, coalesce=_key)

    def __init__(
        self,
        pool: str,
        *,
        store: Ref[StoreRequest],
        router: Ref[WakeRoom],
        outbox: Callable[[Place], Ref[OutboxMessage]],
        make: Callable[[Subagent], ChildSpec[Any]],
        worker: Callable[[str], Ref[Wake]],
        agent_of: Callable[[str, str | None], Ref[LookAtChildren]],
        settings: SubagentsSettings,
        state: Path,
        merging: Merging = MERGING,
        disk: Disk = DISK,
        gather: Gather | None = None,
    ) -> None:
        """`pool`: path of the supervisor that sub-agents live under; `state`: the service's folder.

        `make`: one's spec. `worker`: what speaks for one there, by its slug. `agent_of`: the agent of a room, or of the
        sub-agent of it that the second slug names.
        """
        self._pool_path = pool
        self._store = store
        self._router = router
        self._outbox_of = outbox
        self._make = make
        self._worker = worker
        self._agent_of = agent_of
        self._bounds = Bounds(max=settings.max, max_per_room=settings.max_per_room, max_depth=settings.max_depth)
        self._leavings = Leavings(state, disk)
        self._gather = premises.ground(state).gather if gather is None else gather
        self._deciding = Deciding(store, merging, self._leavings, state / "outgoing")
        self._counts = Counts(0, 0, 0)
        self._looking = self._again = False
        # Of sub-agents that were open at the last look:
        self._open: set[str] = set()
        self._lost: dict[str, str] = {}  # that left the tree: why
        self._told: dict[str, float] = {}  # that are to end: since when they know, in monotonic seconds
        self._spoken_for: set[str] = set()
        self._shown: dict[str, tuple[int, float]] = {}  # that are queued: how many are said to be ahead, since when
        # and of those that have ended:
        self._over: set[str] = set()  # whose folders are to go, or are just going
        self._clearing: set[str] = set()
        self._decides: set[int] = set()  # commands about what they made

    async def started(self) -> None:
        self._pool = Pool(self.context, self._pool_path, self._make, self._left)
        self._pool.find()
        self.context.start_soon(self._wake_unfinished)
        self.context.start_soon(self._sweep)
        self.context.every(LOOK_EVERY, Tick())
        self._look_soon()

    async def receive(self, message: Hears) -> None:
        match message:
            case Wake() | Tick():
                self._look_soon()
            case Decide(command=command):
                if command not in self._decides:
                    self._decides.add(command)
                    self.context.start_soon(self._decide, message)
            case Down(path=path, reason=reason, restarting=restarting):
                slug = path.rpartition("/")[2]
                if not restarting and self._pool.left(slug):
                    self._left(slug, self._pool.why(slug, reason))

    def describe(self) -> Description:
        run, wait, queued = self._counts
        return Description(doing=f"{run} run{_s(run)}, {wait} wait{_s(wait)}, {queued} queued")

    # --- what is heard

    def _look_soon(self) -> None:
        """Look, once more if somebody is just looking: what he has read may be old."""
        self._again = True
        if not self._looking:
            self._looking = True
            self.context.start_soon(self._look)

    def _left(self, slug: str, why: str) -> None:
        """It is not in the tree any more, or could not be brought there."""
        if not self._pool.is_up:
            return  # the whole pool has ended, and this registrar is next; what is open will go on
        since = self._told.get(slug)
        self._lost[slug] = _LATE if since is not None and trio.current_time() - since >= GRACE else why
        self._look_soon()

    # --- a look

    async def _look(self) -> None:
        while self._again:
            self._again = False
            rows = await insist(self._store, ListSubagents())
            is_open = {sub.slug: sub for sub in rows}
            self._counts = count(rows)
            await self._see_ended(is_open)
            if not await self._mark_lost(is_open):
                await self._carry_out(is_open)
        self._looking = False

    async def _see_ended(self, rows: Rows) -> None:
        """Whoever must know of those that have ended since the last look is told, and what they left goes."""
        ended = self._open - rows.keys()
        self._open = set(rows)
        for slug in ended:
            sub = await insist(self._store, GetSubagent(slug=slug))
            if sub is not None:
                await self._tell_of_end(sub, rows)
        known: dict[str, Any]
        for known in (self._lost, self._told, self._shown):
            for slug in known.keys() - rows.keys():
                del known[slug]
        # Also those that ended while an earlier incarnation was about to see it.
        self._over |= ended | {slug for slug in self._pool.slugs() if slug not in rows}
        for slug in sorted(self._over):
            if slug in self._pool:
                self._pool.end(slug)
            elif slug not in self._clearing:
                self._clearing.add(slug)
                self.context.start_soon(self._clear, slug)

    async def _tell_of_end(self, sub: Subagent, rows: Rows) -> None:
        _tell_nowait(self._agent_of(sub.room, sub.parent), LookAtChildren())
        if sub.parent is not None:
            _tell_nowait(self._worker(sub.parent), Wake())
        room = await insist(self._store, GetRoom(slug=sub.room))
        if sub.by is None and sub.parent not in rows:  # its report may be a message to the room's agent
            await _tell(self._router, WakeRoom(room=room))
        await _tell(self._outbox_of(room.place), Wake())

    async def _mark_lost(self, rows: Rows) -> bool:
        """Those that left the tree with an open row are to end, and all below them; whether there were any."""
        lost = [slug for slug in self._lost if slug in rows and rows[slug].stop is None]
        for slug in lost:
            await insist(self._store, StopSubagents(slug=slug, outcome=SubagentState.LOST))
            self._again = True
        return bool(lost)

    async def _carry_out(self, rows: Rows) -> None:
        decision = decide((*rows.values(), *await self._awaited(rows)), self._bounds)
        for sub in decision.end:
            self._speak_for(sub)
        for sub in decision.stop:
            self._stop(sub)
        for sub in decision.grant:
            await insist(self._store, GrantSlot(slug=sub.slug))
            _tell_nowait(self._worker(sub.slug), Wake())
            _tell_nowait(self._agent_of(sub.room, sub.slug), LookAtChildren())
        begun = [await insist(self._store, PrepareSubagent(slug=sub.slug)) for sub in decision.begin]
        await self._show(begun, [(rows[slug], ahead) for slug, ahead in decision.ahead.items()])
        at_work = [sub for sub in rows.values() if sub.state is not SubagentState.QUEUED and sub.stop is None]
        for sub in (*begun, *at_work):
            if not sub.ended and sub.slug not in self._pool and sub.slug not in self._lost:
                self._pool.start(sub)
        if decision.grant or begun:
            self._again = True

    async def _awaited(self, rows: Rows) -> list[Subagent]:
        """Of those that wait and whose open children nobody awaits: the children that have ended and are awaited."""
        found: list[Subagent] = []
        for sub in rows.values():
            children = [each for each in rows.values() if each.parent == sub.slug] if sub.waiting else []
            if children and not any(each.awaited for each in children):
                known = await insist(self._store, ListSubagents(parent=sub.slug, ended=MOST_CHILDREN))
                found += [each for each in known if each.ended and each.awaited]
        return found

    def _stop(self, sub: Subagent) -> None:
        """It is to end, and all below it has."""
        now = trio.current_time()
        if sub.slug in self._pool:
            if now - self._told.setdefault(sub.slug, now) >= GRACE:
                self._pool.end(sub.slug)
            else:
                _tell_nowait(self._worker(sub.slug), Wake())
        elif sub.slug in self._lost or sub.stop is SubagentState.LOST or not sub.run:
            self._speak_for(sub)
        else:
            self._pool.start(sub)  # the service has started anew: it is to keep what is there, and to end

    def _speak_for(self, sub: Subagent) -> None:
        if sub.slug not in self._spoken_for:
            self._spoken_for.add(sub.slug)
            self.context.start_soon(self._end, sub)

    async def _show(self, begun: Sequence[Subagent], queued: Sequence[tuple[Subagent, int]]) -> None:
        """The lines of those that begin, and of those that still wait: what is said of them changes now and then."""
        lines: dict[str, list[NewDelivery]] = {}
        now = trio.current_time()
        for sub, ahead in queued:
            shown, since = self._shown.get(sub.slug, (None, 0.0))
            if shown is None or (now - since >= LOOK_EVERY and _is_news(ahead, shown)):
                self._shown[sub.slug] = ahead, now
                lines.setdefault(sub.room, []).append(words.line(sub, ahead=ahead))
        for sub in begun:
            if not sub.ended:
                lines.setdefault(sub.room, []).append(words.line(sub, now=time.time()))
        for room, deliveries in lines.items():
            await insist(self._store, Tell(slug=room, deliveries=tuple(deliveries)))
            await self._wake_outbox(room)

    # --- helpers: what takes time

    async def _end(self, sub: Subagent) -> None:
        """The end of one that is to end and cannot say so itself."""
        why = self._lost.get(sub.slug, "")
        if sub.stop is SubagentState.LOST:
            why = f"it ended without a word: {why or 'nobody knows why'}"
        end = partial(ends.end, sub, sub.stop or SubagentState.LOST, text=sub.text, error=words.sentence(why))
        changes = await self._made(sub)
        await insist(self._store, end(now=time.time(), changes=changes))
        self._spoken_for.discard(sub.slug)
        self._look_soon()

    async def _made(self, sub: Subagent) -> Changes | None:
        """What one that worked has changed, if that can be told.

        It may be what its own end was about, so a registrar that has just failed does not touch it.
        """
        failures = self.context.system.telemetry.failures
        if not sub.run or any(each.path == self.context.path and time.time() - each.at < CAREFUL for each in failures):
            return None
        with trio.move_on_after(GATHER_DEADLINE), suppress(Unmade):
            return await self._gather(sub)
        return None

    async def _clear(self, slug: str) -> None:
        await self._leavings.clear(slug)
        self._over.discard(slug)
        self._clearing.discard(slug)

    async def _decide(self, wanted: Decide) -> None:
        try:
            room = await self._deciding.do(wanted)
            await _tell(self._router, WakeRoom(room=room))
            await _tell(self._outbox_of(room.place), Wake())
        except Unfit as error:
            _log.error("%s of %s in %s was not done: %s", wanted.what, wanted.slug, wanted.room, error)
        finally:
            self._decides.discard(wanted.command)

    async def _sweep(self) -> None:
        while True:
            await self._leavings.sweep(
                self._store,
                is_busy=lambda slug: slug in self._pool or slug in self._clearing,
                told=self._wake_outbox,
                now=time.time(),
            )
            await trio.sleep(SWEEP_EVERY)

    async def _wake_unfinished(self) -> None:
        """An earlier one may have been about to, and one whose supervisor is new does not know that it had one."""
        for room in await insist(self._store, UnfinishedRooms()):
            await _tell(self._router, WakeRoom(room=room))

    async def _wake_outbox(self, slug: str) -> None:
        room = await insist(self._store, GetRoom(slug=slug))
        await _tell(self._outbox_of(room.place), Wake())


def _is_news(ahead: int, shown: int) -> bool:
    """Whether it is worth an edit: a long queue moves all the time, and what people read are other messages."""
    return ahead != shown and (ahead > shown or ahead <= 3 or ahead <= shown // 2)


def _s(number: int) -> str:
    return "s" if number == 1 else ""


def _tell_nowait(ref: Ref[Any], message: Message) -> None:
    with suppress(ActorError):  # it is not there, or has so much to do that it will look anyway
        ref.tell_nowait(message)


async def _tell(ref: Ref[Any], message: Message) -> None:
    with suppress(ActorError):
        await ref.tell(message)
