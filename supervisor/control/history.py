"""The last things that happened in the tree, one line each: the log at the end of `actorctl status`.

Pure. The control server feeds it from telemetry; it keeps texts, not events, so that its memory has a bound.
"""

from collections import deque
from typing import Final

import msgspec

from supervisor.control.views import below, rfc3339
from supervisor.events import (
    BecameZombie,
    ChildExited,
    ChildStarted,
    DeadLetter,
    Event,
    EventsLost,
    GaveUp,
    RestartScheduled,
)

KEPT: Final = 1000
"""Lines; the longest is about 700 bytes."""


class Line(msgspec.Struct, frozen=True):
    """One event. `at`: RFC 3339, UTC."""

    at: str
    path: str
    text: str


class History:
    """A ring of lines."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=KEPT)

    def add(self, event: Event) -> None:
        """Remember an event."""
        self._lines.append(Line(rfc3339(event.at), event.path, told(event)))

    def last(self, count: int, path: str) -> list[Line]:
        """The last `count` lines about `path` and what is below it, the oldest first."""
        found: list[Line] = []
        for line in reversed(self._lines):
            if len(found) == count:
                break
            if below(line.path, path):
                found.append(line)
        return found[::-1]


def told(event: Event) -> str:
    """An event as a person would say it, without its path and its time."""
    match event:
        case ChildStarted(incarnation=incarnation):
            return "started" if incarnation == 1 else f"started, incarnation {incarnation}"
        case ChildExited(end=end, reason=reason):
            return f"ended ({end})" + (f": {reason}" if reason else "")
        case RestartScheduled(delay=delay, count=count, most=most, within=within):
            when = f"in {delay:.2g} s" if delay else "at once"
            return f"restart {count} of {most} within {within:g} s follows {when}"
        case GaveUp(reason=reason):
            return f"gave up: {reason}"
        case DeadLetter(message=message, reason=reason):
            return f"dead letter {message}: {reason}"  # without the message's text: it is what people wrote
        case BecameZombie(overdue=overdue):
            return f"still runs {overdue:g} s after it was cancelled"
        case EventsLost(count=count):
            return f"{count} events were lost: more came than could be noted down"
        case _:
            return type(event).__name__
