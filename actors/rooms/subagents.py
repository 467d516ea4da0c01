"""A room's dealings with its sub-agents: what its conversation asks the store of them, and tells their registrar.

A part of the conversation. The rows are the truth: whoever has changed one tells the registrar to look again. A
person's decision is passed on, and its command waits in the store until the registrar has answered it, so nothing is
lost with either of the two.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Final

import trio

from actors import commands
from actors.asking import insist
from actors.messages import (
    Bounds,
    Decide,
    GetSubagent,
    ListSubagents,
    Queued,
    Spawn,
    Spawned,
    SpawnRefused,
    StopSubagents,
    StoreRequest,
    Subagent,
    Wake,
)
from actors.rooms.delegating import ABOUT_ONE
from actors.rooms.steps import Delegate, EndSubagent, PassOn
from supervisor import ActorError, Message, Ref

_ABOUT_ALL: Final = ("agents", "status", "stop", "new", "resume", "topic")
"""The commands whose answers speak of the room's open ones."""
SHOWN_ENDED: Final = 10
"""Sub-agents that have ended, in `/agents`."""
TELL_AGAIN: Final = 30.0
"""Seconds after which the registrar is told again of what it has not answered: it may have died of it."""


class Subagents:
    """Those of one room, and those of others that its people name.

    `timeout`: seconds of a sub-agent's own time, as the configuration has it. `say`: tells somebody, never waits.
    """

    def __init__(
        self,
        slug: str,
        *,
        store: Ref[StoreRequest],
        registrar: Ref[Wake | Decide],
        bounds: Bounds,
        timeout: float,
        say: Callable[[Ref[Any], Message], None],
    ) -> None:
        self._slug = slug
        self._store = store
        self._registrar = registrar
        self._bounds = bounds
        self._timeout = timeout
        self._say = say
        self._decisions: dict[int, Decide] = {}  # passed on and not answered, by the command
        self._told_at: dict[int, float] = {}  # of these, those that the registrar has heard: when, in monotonic seconds

    async def look_up(self, waiting: Sequence[Queued]) -> tuple[Subagent, ...]:
        """Those that the commands that wait ask about, oldest first."""
        found: dict[str, Subagent] = {}
        asked = {command.command for command in waiting}
        if asked.intersection(_ABOUT_ALL):
            ended = SHOWN_ENDED if "agents" in asked else 0
            room = await insist(self._store, ListSubagents(room=self._slug, ended=ended))
            found = {sub.slug: sub for sub in room}
        named = {commands.argument(each.text).strip() for each in waiting if each.command in ABOUT_ONE}
        for slug in sorted(named - found.keys() - {""}):
            sub = await insist(self._store, GetSubagent(slug=slug))
            if sub is not None:
                found[slug] = sub
        return tuple(sorted(found.values(), key=lambda sub: (sub.created_at, sub.slug)))

    async def spawn(self, step: Delegate) -> Spawned | SpawnRefused:
        """Begin one for a person, once for each command."""
        done = await insist(
            self._store,
            Spawn(
                key=f"inbound:{step.command.id}",
                room=self._slug,
                parent=None,
                turn=None,
                by=step.command.id,
                task=step.task,
                isolation="copy",
                model=None,
                timeout=self._timeout,
                wait=False,
                queue=True,
                bounds=self._bounds,
            ),
        )
        self.changed()
        return done

    async def carry_out(self, step: PassOn | EndSubagent) -> None:
        """What a person wants to become of one, or of what it made."""
        if isinstance(step, PassOn):
            self._pass_on(step)
        else:
            await insist(self._store, StopSubagents(slug=step.slug))
            self.changed()

    def changed(self) -> None:
        """Rows have changed."""
        self._say(self._registrar, Wake())

    # --- what their registrar does, and then answers

    def _pass_on(self, step: PassOn) -> None:
        command = step.command
        self._decisions[command.id] = Decide(
            room=self._slug, command=command.id, reply_to=command.message_id, slug=step.slug, what=step.what
        )
        self._tell(command.id)

    def waiting(self, ids: Collection[int]) -> None:
        """These commands wait still. What the registrar has not heard of them, or perhaps forgotten, is told again."""
        self._decisions = {id: decide for id, decide in self._decisions.items() if id in ids}
        self._told_at = {id: at for id, at in self._told_at.items() if id in ids}
        now = trio.current_time()
        for id in sorted(self._decisions):
            if now - self._told_at.get(id, -inf) >= TELL_AGAIN:
                self._tell(id)

    def _tell(self, id: int) -> None:
        with suppress(ActorError):  # it is just starting, or has much to do
            self._registrar.tell_nowait(self._decisions[id])
            self._told_at[id] = trio.current_time()
