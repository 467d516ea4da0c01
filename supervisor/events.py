"""What happened in the tree, as structs: the catalogue of telemetry.

Pure. The runtime emits these on its bus (`telemetry`); logs, crash reports and `actorctl events` are made of them.
`at` is wall time in Unix seconds; paths are those of the registry.
"""

from enum import StrEnum

import msgspec


class End(StrEnum):
    """How an incarnation ended."""

    NORMAL = "normal"
    """It stopped by itself."""
    SHUTDOWN = "shutdown"
    """It was told to stop, or is a supervisor that gave up."""
    IGNORED = "ignored"
    """It chose not to run, when it was started."""
    FAILED = "failed"
    """It raised, was killed, or could not start."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The root of the catalogue."""

    path: str
    at: float


class ChildStarted(Event, frozen=True, kw_only=True):
    """An incarnation is up."""

    incarnation: int


class ChildExited(Event, frozen=True, kw_only=True):
    """An incarnation ended. `reason`: the failure in one line, else empty. `trace`: its traceback, if it raised."""

    incarnation: int
    end: End
    reason: str
    trace: str


class RestartScheduled(Event, frozen=True, kw_only=True):
    """A supervisor will restart this child after `delay` seconds; restart `count` of `most` within `within` seconds."""

    delay: float
    count: int
    most: int
    within: float


class GaveUp(Event, frozen=True, kw_only=True):
    """A supervisor had more restarts than its intensity allows, and stops its children and itself."""

    reason: str


class DeadLetter(Event, frozen=True, kw_only=True):
    """A message that was not (wholly) handled. `message`: its class. `text`: its repr, at most 200 characters."""

    message: str
    text: str
    reason: str


class BecameZombie(Event, frozen=True, kw_only=True):
    """An actor still runs `overdue` seconds after its cancel: it shields itself. The tree goes on without it."""

    overdue: float


class Handled(Event, frozen=True, kw_only=True):
    """A traced actor has handled a message. `took`: seconds. `answer`: what it replied, cut like `text`; else empty."""

    message: str
    text: str
    asked: bool
    answer: str
    took: float


class EventsLost(Event, frozen=True, kw_only=True):
    """This subscriber was too slow and lost `count` events before the next one."""

    count: int


Catalogue = ChildStarted | ChildExited | RestartScheduled | GaveUp | DeadLetter | BecameZombie | Handled | EventsLost
