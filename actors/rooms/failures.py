"""What went wrong in a room, in words for its people.

Read off what the runtime remembers, by the router, which speaks for rooms that gave up, and by the conversation.
"""

from actors.redaction import redact
from supervisor import System

__all__ = ["last_failure"]


def last_failure(system: System, room: str) -> str:
    """Why something in the room at this path failed last: one line; nothing if nothing did since the service's start.

    The room's own supervisor is left out: its reasons are about paths.
    """
    failures = reversed(system.telemetry.failures)
    return redact(next((each.reason for each in failures if each.path.startswith(f"{room}/")), ""))
