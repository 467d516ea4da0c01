"""What a command in one room does to others: their agents are ended, after what runs there was stopped.

A part of the conversation. The rows say what is stopped and held; each room that is woken reads them and tells its
people. Where nothing runs nobody ends a turn, so the word about what is held is said from here. With what runs in a
room its sub-agents are ended.
"""

from collections.abc import Callable
from typing import Any

from actors.asking import insist
from actors.messages import (
    Decide,
    GetRoom,
    ListSubagents,
    NewDelivery,
    Pull,
    RequestStop,
    Room,
    SendToSleep,
    StopSubagents,
    StoreRequest,
    Tell,
    UnfinishedRooms,
    Wake,
    WakeRoom,
)
from actors.rooms import words
from actors.rooms.ends import note
from actors.rooms.line import groups
from supervisor import Message, Ref


class Neighbours:
    """The rooms beside this one. `say`: tells somebody, never waits."""

    def __init__(
        self,
        store: Ref[StoreRequest],
        router: Ref[Any],
        registrar: Ref[Wake | Decide],
        outbox: Callable[[Room], Ref[Any]],
        say: Callable[[Ref[Any], Message], None],
    ) -> None:
        self._store = store
        self._router = router
        self._registrar = registrar
        self._outbox = outbox
        self._say = say

    async def send_to_sleep(self, slug: str | None, command: int, *, stop: bool) -> None:
        """End the agents of this room (None: of all) as soon as they are idle; `stop`: what runs is stopped first.

        `command`: the id of what somebody wrote for that, so that what is said of it is said once.
        """
        rooms: tuple[Room, ...] = ()
        if stop and slug is None:
            rooms = await insist(self._store, UnfinishedRooms())
        elif stop and slug is not None:
            rooms = (await insist(self._store, GetRoom(slug=slug)),)
        for room in rooms:
            if await insist(self._store, RequestStop(slug=room.slug, hold=True)):
                self._say(self._router, WakeRoom(room=room))
            else:
                await self._tell_of_held(room, command)
        if stop:
            await self._end_subagents(slug)
        self._say(self._router, SendToSleep(slug=slug))

    async def _end_subagents(self, slug: str | None) -> None:
        """Those of this room (None: of all); a turn that is to stop already cannot begin another in their place."""
        rooms = {slug} if slug is not None else {sub.room for sub in await insist(self._store, ListSubagents())}
        for room in sorted(rooms):
            await insist(self._store, StopSubagents(room=room))
        self._say(self._registrar, Wake())

    async def _tell_of_held(self, room: Room, command: int) -> None:
        work = await insist(self._store, Pull(slug=room.slug))
        if not work.held:
            return
        self._say(self._router, WakeRoom(room=room))  # it may be about to begin what is held now
        await insist(self._store, Tell(slug=room.slug, deliveries=(_held(len(groups(work.held)), command),)))
        self._say(self._outbox(room), Wake())


def _held(count: int, command: int) -> NewDelivery:
    key = f"held:{command}"
    told = note(f"The agent of this room was ended. {words.held(count)}")
    return NewDelivery(kind=told.kind, text=told.text, buttons=words.hold(key), key=key)
