"""A sub-agent's workspace in the hands of its worker: made, given to its agent, gathered in, each by a helper task.

A part of `subagent`, which is told how that went.
"""

from collections import deque
from contextlib import suppress
from typing import Any, Final

import trio

from actors.messages import Changes, Room, RoomSettings, Subagent
from actors.subagents.ground import Ground, Made, Unmade
from supervisor import ActorError, Context, Message, Promise, Ref

MOST_CALLERS: Final = 16
"""Questions of an agent that wait for the workspace. One that is asked again is waited for by nobody."""


class HomeGrows(Message):
    """The workspace is being made; `text` says how far."""

    text: str


class HomeMade(Message):
    """The workspace is there, or `error` says why it cannot be. `gone`: it was there, and is not any more."""

    made: Made | None = None
    error: str = ""
    gone: bool = False


class WorkKept(Message):
    """What was changed is kept, None if that is nothing; or `error` says why it cannot be."""

    changes: Changes | None
    error: str = ""


class Home:
    """One sub-agent's. Its worker is told `HomeGrows`, `HomeMade` and `WorkKept`."""

    def __init__(self, context: Context, ground: Ground) -> None:
        self._context = context
        self._me: Ref[Any] = context.ref
        self._ground = ground
        self._making = trio.CancelScope()
        self._made = trio.Event()
        self._made.set()
        self._callers: deque[Promise[Room]] = deque(maxlen=MOST_CALLERS)

    # --- made

    def prepare(self, sub: Subagent, *, begun: bool) -> None:
        """Have it made, unless it is there. `begun`: the sub-agent has worked in it already."""
        self._made = trio.Event()
        self._context.start_soon(self._prepare, sub, begun)

    async def abandon(self) -> None:
        """Give up making it; returns when nobody works on that any more."""
        self._making.cancel()
        await self._made.wait()

    async def _prepare(self, sub: Subagent, begun: bool) -> None:
        told: HomeMade | None = None
        try:
            with self._making:
                made = await self._ground.look(sub.slug)
                if made is None and not begun:
                    parent = sub.workspace if sub.parent is None else self._ground.home(sub.parent)
                    made = await self._ground.make(sub, parent, self._grows)
                told = HomeMade(made=made, gone=made is None)
        except Unmade as error:
            told = HomeMade(error=str(error))
        finally:
            self._made.set()
        if told is not None:
            await self._me.tell(told)

    def _grows(self, text: str) -> None:
        with suppress(ActorError):  # only the newest is worth something
            self._me.tell_nowait(HomeGrows(text=text))

    # --- given

    def ask(self, promise: Promise[Room]) -> None:
        """An agent wants to know what it is to start in: it hears once that is there, if it ever is."""
        self._callers = deque((each for each in self._callers if each.wanted), maxlen=MOST_CALLERS)
        self._callers.append(promise)

    def tell(self, sub: Subagent, room: Room) -> None:
        """It is there: all who asked hear."""
        while self._callers:
            self._callers.popleft().set(self.as_room(sub, room))

    def as_room(self, sub: Subagent, room: Room) -> Room:
        """What its pi is to be started with. `room`: whose sub-agent it is."""
        return Room(
            slug=sub.slug,
            place=room.place,
            title=f"sub-agent {sub.slug}",
            workspace=self._ground.home(sub.slug),
            session_id=sub.session_id,
            leaf=sub.leaf,
            created_at=sub.created_at,
            updated_at=sub.started_at or sub.created_at,
            settings=RoomSettings(model=sub.model or room.settings.model, thinking=room.settings.thinking),
        )

    # --- gathered in

    def gather(self, sub: Subagent) -> None:
        """Have what was changed in it kept. Nobody may work in it any more."""
        self._context.start_soon(self._gather, sub)

    async def _gather(self, sub: Subagent) -> None:
        try:
            kept = WorkKept(changes=await self._ground.gather(sub))
        except Unmade as error:
            kept = WorkKept(changes=None, error=str(error))
        await self._me.tell(kept)
