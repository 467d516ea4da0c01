"""What the store is asked by those who run the service."""

from actors.messages.records import (
    Hop,
    Quarantined,
    Room,
)
from supervisor import Request

__all__ = [
    "DropQuarantined",
    "ListQuarantined",
    "RetryQuarantined",
    "Trace",
]


class ListQuarantined(Request[tuple[Quarantined, ...]]):
    """The messages in quarantine, oldest first, at most `limit`."""

    limit: int = 1000


class RetryQuarantined(Request[Room | None]):
    """The messages of the quarantined turn that this inbound belongs to are queued once more, as new ones.

    Returns whom to wake; None if it is not in quarantine (any more).
    """

    inbound: int


class DropQuarantined(Request[Room | None]):
    """The messages of the quarantined turn that this inbound belongs to are never done, and its people are told.

    Returns whom to wake; None if it is not in quarantine (any more).
    """

    inbound: int


class Trace(Request[tuple[Hop, ...]]):
    """The way of one message, in the order of time; empty if none is meant.

    `message`: the id of an inbound, an update's id or key, a turn's id, a sub-agent's, or the front end's id of a
    message, a person's or ours; of several that fit, the newest.
    """

    message: str
