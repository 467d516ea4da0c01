"""The router: wakes rooms that have something to do, retires those that have not, and speaks for those that gave up.

Told by the gateways and by the conversations. It never waits: whatever takes time (starting a room, ending one, asking
the store) runs in a helper task that reports back. It holds no message of a person: the rows are in the store.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

import msgspec
import trio

from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    AgentLost,
    AnswerCommand,
    BeginTurn,
    EndTurn,
    FailRoom,
    OutboxMessage,
    Place,
    Pull,
    Room,
    RoomBusy,
    RoomIdle,
    SendToSleep,
    StoreRequest,
    Tell,
    Tick,
    UnfinishedRooms,
    Wake,
    WakeRoom,
)
from actors.rooms import poison, trouble, words
from actors.rooms.failures import RoomTrouble, failures_since, is_the_last, last_loss
from supervisor import (
    Actor,
    ActorError,
    ChildSpec,
    Description,
    Down,
    Intensity,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Ref,
    State,
)

LOOK_EVERY: Final = 30.0
"""Seconds between looks for rooms that have been idle for too long."""
MOST_FAILED: Final = 1000
"""Rooms that gave up and are remembered for it; of more, the first is forgotten."""


class Where(StrEnum):
    """Where an awake room is."""

    STARTING = "starting"
    AWAKE = "awake"
    LEAVING = "leaving"


class RoomUp(Message):
    """Helper → router: the room is in the tree. `failure`: why it is not, or empty."""

    slug: str
    failure: str


class Awake(msgspec.Struct):
    """What the router knows of a room in the tree.

    `room`: None if an earlier incarnation of the router woke it. `idle_since`: monotonic seconds, None while it may be
    busy. `again`: it was woken when it could not be told; it comes back once it has left. `tired`: it leaves as soon as
    it is idle. `lost`: what its agent died of last.
    """

    room: Room | None
    where: Where
    idle_since: float | None = None
    again: bool = False
    tired: bool = False
    lost: AgentLost | None = None


Hears = WakeRoom | RoomIdle | RoomBusy | RoomTrouble | SendToSleep | RoomUp | Tick | Down


def _key(message: Hears | Any) -> object | None:
    if isinstance(message, WakeRoom):
        return message.room.slug
    return Tick if isinstance(message, Tick) else None


class Router(Actor[Hears]):
    """Place → room, for all rooms of the service."""

    mailbox = Mailbox(1024, Overflow.WAIT, coalesce=_key)

    def __init__(
        self,
        pool: str,
        *,
        store: Ref[StoreRequest],
        outbox: Callable[[Place], Ref[OutboxMessage]],
        make_room: Callable[[Room, bool], ChildSpec[Any]],
        conversation: Callable[[str], Ref[Wake]],
        most: int,
        idle_timeout: float,
        gives_up: Intensity,
    ) -> None:
        """`pool`: path of the supervisor that rooms live under, at most `most` of them; `idle_timeout`: seconds.

        `make_room`: a room's spec, also from whether it gave up the last time; it does that by `gives_up`.
        """
        self._pool = pool
        self._store = store
        self._outbox_of = outbox
        self._make_room = make_room
        self._conversation = conversation
        self._most = most
        self._idle_timeout = idle_timeout
        self._gives_up = gives_up
        self._failed: dict[str, None] = {}  # rooms that gave up and have done nothing to the end since
        self._rooms: dict[str, Awake] = {}  # at most `most`
        self._waiting: dict[str, Room] = {}  # at most one entry for each room that has something to do

    async def started(self) -> None:
        for node in self.context.system.which_children(self._pool):
            slug = node.path.rpartition("/")[2]
            leaving = node.state is State.STOPPING
            self._rooms[slug] = Awake(None, Where.LEAVING if leaving else Where.AWAKE)
            self._watch(slug)
            if not leaving:
                self._nudge(slug)
        self.context.start_soon(self._wake_unfinished)
        self.context.send_after(LOOK_EVERY, Tick())

    async def receive(self, message: Hears) -> None:
        match message:
            case WakeRoom(room=room):
                self._wake(room)
            case RoomIdle(slug=slug):
                self._idle(slug)
            case RoomBusy(slug=slug):
                self._busy(slug)
            case RoomTrouble(slug=slug, lost=lost):
                if slug in self._rooms:
                    self._rooms[slug].lost = lost
            case SendToSleep(slug=slug):
                self._send_to_sleep(slug)
            case RoomUp(slug=slug, failure=failure):
                self._up(slug, failure)
            case Down(path=path, reason=reason, restarting=restarting):
                if not restarting:
                    self._gone(path.rpartition("/")[2], reason)
            case Tick():
                self._retire_old()
                self.context.send_after(LOOK_EVERY, Tick())

    def describe(self) -> Description:
        doing = f"{len(self._rooms)} of {self._most} rooms awake"
        return Description(doing=doing + (f", {len(self._waiting)} wait for a place" if self._waiting else ""))

    # --- what happens to a room

    def _wake(self, room: Room) -> None:
        known = self._rooms.get(room.slug)
        if known is None:
            waited = room.slug in self._waiting
            self._waiting[room.slug] = room
            self._fill()
            if not waited and len(self._waiting) > self._leaving:
                self.context.start_soon(self._say_full, room)
            return
        known.room, known.idle_since = room, None
        if known.where is Where.AWAKE:
            self._nudge(room.slug)
        else:
            known.again = True

    def _idle(self, slug: str) -> None:
        self._failed.pop(slug, None)
        known = self._rooms.get(slug)
        if known is not None and known.where is Where.AWAKE:
            known.idle_since = trio.current_time()
            if known.tired:
                self._retire(slug)
            self._fill()

    def _busy(self, slug: str) -> None:
        known = self._rooms.get(slug)
        if known is not None:
            known.idle_since = None

    def _send_to_sleep(self, slug: str | None) -> None:
        for each in [slug] if slug is not None else list(self._rooms):
            known = self._rooms.get(each)
            if known is None or known.where is Where.LEAVING:
                continue
            known.tired = True
            if known.where is Where.AWAKE and known.idle_since is not None:
                self._retire(each)

    def _up(self, slug: str, failure: str) -> None:
        known = self._rooms.get(slug)
        if known is None or known.where is not Where.STARTING:
            return
        if failure:
            self._gone(slug, failure)
            return
        known.where, known.again = Where.AWAKE, False
        self._watch(slug)
        self._nudge(slug)  # it may have been there already, and what it pulled at its start may be old

    def _gone(self, slug: str, reason: str) -> None:
        known = self._rooms.pop(slug, None)
        if known is None:
            return
        if known.again and known.room is not None:
            self._waiting[slug] = known.room
        elif known.where is Where.LEAVING:
            self.context.start_soon(self._look_back, slug)
        if reason not in ("normal", "shutdown"):
            self._failed[slug] = None
            while len(self._failed) > MOST_FAILED:
                del self._failed[next(iter(self._failed))]
            self.context.start_soon(self._report, slug, reason, known.lost)
        self._fill()

    # --- places in the pool

    def _fill(self) -> None:
        """Give free places to rooms that wait, and make one free if an idle room has it."""
        while self._waiting and len(self._rooms) < self._most:
            slug = next(iter(self._waiting))
            room = self._waiting.pop(slug)
            self._rooms[slug] = Awake(room, Where.STARTING)
            self.context.start_soon(self._start, room)
        idle = sorted(
            (known.idle_since, slug)
            for slug, known in self._rooms.items()
            if known.where is Where.AWAKE and known.idle_since is not None
        )
        for _, slug in idle[: max(0, len(self._waiting) - self._leaving)]:
            self._retire(slug)

    @property
    def _leaving(self) -> int:
        """How many places are about to be free."""
        return sum(known.where is Where.LEAVING for known in self._rooms.values())

    def _retire_old(self) -> None:
        now = trio.current_time()
        for slug, known in self._rooms.items():
            since = known.idle_since
            if known.where is Where.AWAKE and since is not None and now - since >= self._idle_timeout:
                self._retire(slug)

    def _retire(self, slug: str) -> None:
        self._rooms[slug].where = Where.LEAVING
        self.context.start_soon(self._end, slug)

    def _watch(self, slug: str) -> None:
        self.context.monitor(self._path(slug))

    def _nudge(self, slug: str) -> None:
        ref = self._conversation(slug)
        try:
            ref.tell_nowait(Wake())
        except MailboxFull:
            # What fills it is its agent's; a stop must get through all the same. If this lane is full, it is of wakes.
            with suppress(MailboxFull):
                ref.tell_nowait(Wake(), urgent=True)
        except ActorError:
            self._rooms[slug].again = True  # it is just going; its Down brings it back

    def _path(self, slug: str) -> str:
        return f"{self._pool}/{slug}"

    # --- helpers: what takes time

    async def _wake_unfinished(self) -> None:
        for room in await insist(self._store, UnfinishedRooms()):
            await self._tell_self(WakeRoom(room=room))

    async def _start(self, room: Room) -> None:
        system, failure = self.context.system, ""
        try:
            await system.start_child(self._pool, self._make_room(room, room.slug in self._failed))
        except ActorError as error:
            # A room that an earlier incarnation of this router began to start is simply there.
            there = any(node.path == self._path(room.slug) for node in system.which_children(self._pool))
            failure = "" if there else str(error)
        await self._tell_self(RoomUp(slug=room.slug, failure=failure))

    async def _end(self, slug: str) -> None:
        try:
            await self.context.system.terminate_child(self._path(slug))
        except ActorError:
            return  # it went by itself, and its Down says so

    async def _look_back(self, slug: str) -> None:
        """A room is only ever asked to leave when it says that it is idle, but may have begun something since."""
        work = await insist(self._store, Pull(slug=slug))
        if work.turn is not None or work.queue or work.commands:
            await self._tell_self(WakeRoom(room=work.room))

    async def _say_full(self, room: Room) -> None:
        told = words.full(self._most, f"full:{room.slug}:{time.time_ns()}")
        await insist(self._store, Tell(slug=room.slug, deliveries=(told,)))
        await self._tell(self._outbox_of(room.place), Wake())

    async def _report(self, slug: str, reason: str, lost: AgentLost | None) -> None:
        system, path, within = self.context.system, self._path(slug), self._gives_up.within
        otherwise = "it ended right after its start" if reason == "noproc" else reason
        loss = last_loss(system, path, lost, otherwise)
        work = await insist(self._store, Pull(slug=slug))
        if is_the_last(system, f"{path}/conversation") and await self._set_aside(poison.set_aside(work, loss)):
            await self._tell(self._outbox_of(work.room.place), Wake())
            await self._look_back(slug)
            return
        text = trouble.gave_up(loss, failures_since(system, path, time.time() - within), within)
        # Its turn is not over: the next message goes on with it, so there is nothing to retry.
        buttons = words.crash(None)
        await insist(self._store, FailRoom(slug=slug, key=f"{slug}:{time.time_ns()}", text=text, buttons=buttons))
        await self._tell(self._outbox_of(work.room.place), Wake())

    async def _set_aside(self, requests: Sequence[BeginTurn | EndTurn | AnswerCommand]) -> bool:
        """Whether that was done: what the room died on may have been stopped or dropped by now."""
        try:
            for request in requests:
                match request:  # each has a reply of its own type
                    case BeginTurn():
                        await insist(self._store, request)
                    case EndTurn():
                        await insist(self._store, request)
                    case AnswerCommand():
                        await insist(self._store, request)
        except Unfit:
            return False
        return bool(requests)

    async def _tell_self(self, message: Hears) -> None:
        await self._tell(self.context.ref, message)

    async def _tell(self, ref: Ref[Any], message: Message) -> None:
        try:
            await ref.tell(message)
        except ActorError:
            return
