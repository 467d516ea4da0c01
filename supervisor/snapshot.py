"""What the tree looks like at one moment, as plain data.

Pure. `System.snapshot` makes it without stopping anybody; `actorctl tree` draws it, also as JSON.
"""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """What a place in the tree is doing."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """Down, and its supervisor is about to start it again."""
    SUSPENDED = "suspended"
    STOPPING = "stopping"
    ASLEEP = "asleep"
    """Up, but without its expensive resource until the next message."""
    FAILED = "failed"
    """Down for good after a failure; its siblings go on."""
    STOPPED = "stopped"
    """Down on purpose, or ended normally; an admin call can start it."""
    ZOMBIE = "zombie"
    """Cancelled and past its deadline, but still there."""


class Fill(msgspec.Struct, frozen=True):
    """How full a mailbox is, in messages."""

    size: int
    capacity: int


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor says of itself. `doing`: one short line. `pid`: an OS process that it owns."""

    doing: str | None = None
    pid: int | None = None
    asleep: bool = False


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place and what is below it.

    `kind`: the actor's class, or the strategy of a supervisor. `since`: Unix seconds of the last change of state.
    `restarts`, and `received` messages: since the place was made. `error`: the last failure in one line.
    """

    path: str
    kind: str
    state: State
    since: float
    incarnation: int
    restarts: int
    mailbox: Fill | None = None
    received: int = 0
    pid: int | None = None
    doing: str | None = None
    error: str | None = None
    children: tuple["Node", ...] = ()
