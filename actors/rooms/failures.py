"""What went wrong in a room, in words for its people.

Read off what the runtime remembers, by the router, which speaks for rooms that gave up, and by the conversation.
"""

from actors.messages import AgentLost
from actors.redaction import redact
from actors.rooms.trouble import Loss
from supervisor import ChildExited, Message, System

__all__ = ["RoomTrouble", "failures_since", "has_failed", "is_the_last", "last_failure", "last_loss"]


class RoomTrouble(Message):
    """Conversation → router: what this room's agent died of, in case the room gives up because of that."""

    slug: str
    lost: AgentLost


def last_failure(system: System, room: str) -> str:
    """Why something in the room at this path failed last: one line; nothing if nothing did since the service's start.

    The room's own supervisor is left out: its reasons are about paths.
    """
    failures = reversed(system.telemetry.failures)
    return redact(next((each.reason for each in failures if each.path.startswith(f"{room}/")), ""))


def last_loss(system: System, room: str, lost: AgentLost | None, otherwise: str) -> Loss:
    """What the room at this path died of last. `lost`: what its agent said last; `otherwise`: if nothing is known.

    What an agent said counts if it is that incarnation which failed last: perhaps the room's conversation did.
    """
    newest = _newest(system, room)
    if newest is None:
        return Loss(otherwise)
    if lost is not None and (newest.path, newest.incarnation) == (f"{room}/agent", lost.incarnation):
        return Loss(lost.what, lost.stderr, lost.session)
    return Loss(redact(newest.reason))


def has_failed(system: System, path: str, incarnation: int | None) -> bool:
    """Whether this incarnation of what stands at this path has failed, as far as is remembered."""
    return any((each.path, each.incarnation) == (path, incarnation) for each in system.telemetry.failures)


def failures_since(system: System, room: str, since: float) -> int:
    """How often something in the room at this path has failed since then (Unix seconds), as far as is remembered."""
    return sum(each.path.startswith(f"{room}/") and each.at >= since for each in system.telemetry.failures)


def is_the_last(system: System, path: str) -> bool:
    """Whether, of all in its room, what stands at this path has failed last, as far as is remembered."""
    newest = _newest(system, path.rpartition("/")[0])
    return newest is not None and newest.path == path


def _newest(system: System, room: str) -> ChildExited | None:
    return next((each for each in reversed(system.telemetry.failures) if each.path.startswith(f"{room}/")), None)
