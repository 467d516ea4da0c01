"""The sub-agents that are in the tree: begun, watched and ended, each step in a helper task of the registrar.

A part of the registrar. It knows no rows; what has ended by itself the registrar hears by its `Down`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from actors.messages import Subagent
from actors.redaction import redact
from supervisor import ActorError, AdminRefused, ChildSpec, Context, NoSuchActor, State


class Where(StrEnum):
    """Where a sub-agent is."""

    STARTING = "starting"
    UP = "up"
    LEAVING = "leaving"


class Pool:
    """What stands below the supervisor at `path`.

    `failed`: told the slug and the reason if one could not be started. Of one that found no place nothing is told: it
    is not there, so it is tried again.
    """

    def __init__(
        self,
        context: Context,
        path: str,
        make: Callable[[Subagent], ChildSpec[Any]],
        failed: Callable[[str, str], None],
    ) -> None:
        self._context = context
        self._path = path
        self._make = make
        self._failed = failed
        self._children: dict[str, Where] = {}

    def __contains__(self, slug: str) -> bool:
        return slug in self._children

    def slugs(self) -> list[str]:
        """All that are there, or on their way."""
        return list(self._children)

    @property
    def is_up(self) -> bool:
        """Whether the supervisor itself runs; if not, what ends there ends with it, and will be begun again."""
        try:
            return self._context.system.snapshot(self._path).state is State.RUNNING
        except NoSuchActor:
            return False

    def find(self) -> None:
        """Take over what an earlier incarnation has begun."""
        for node in self._context.system.which_children(self._path):
            slug = node.path.rpartition("/")[2]
            self._children[slug] = Where.LEAVING if node.state is State.STOPPING else Where.UP
            self._context.monitor(node.path)

    def start(self, sub: Subagent) -> None:
        """Begin it."""
        self._children[sub.slug] = Where.STARTING
        self._context.start_soon(self._start, sub)

    def end(self, slug: str) -> None:
        """End it, if it is there and nobody has begun to."""
        if self._children.get(slug) is Where.UP:
            self._children[slug] = Where.LEAVING
            self._context.start_soon(self._end, slug)

    def left(self, slug: str) -> bool:
        """It is not there any more; whether it was."""
        return self._children.pop(slug, None) is not None

    def why(self, slug: str, reason: str) -> str:
        """Why it ended, in a clause. `reason`: as its `Down` has it; what failed in it last says more."""
        failures = reversed(self._context.system.telemetry.failures)
        newest = next((each.reason for each in failures if each.path.startswith(f"{self._path}/{slug}/")), "")
        if reason in ("normal", "shutdown"):
            return "it was ended from outside"
        return redact(newest or ("it ended right after its start" if reason == "noproc" else reason))

    async def _start(self, sub: Subagent) -> None:
        system, path = self._context.system, f"{self._path}/{sub.slug}"
        try:
            await system.start_child(self._path, self._make(sub))
        except ActorError as error:
            # One that an earlier incarnation of the registrar began to start is simply there.
            if not any(node.path == path for node in system.which_children(self._path)):
                del self._children[sub.slug]
                if not isinstance(error, AdminRefused):
                    self._failed(sub.slug, str(error))
                return
        self._children[sub.slug] = Where.UP
        self._context.monitor(path)

    async def _end(self, slug: str) -> None:
        try:
            await self._context.system.terminate_child(f"{self._path}/{slug}")
        except ActorError:
            return  # it went by itself, and its Down says so
