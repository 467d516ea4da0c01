"""Every kind of bad room, and of bad part of the service: what it does while it is bad.

`isolation` runs them beside healthy rooms, one after the other. A room whose slug begins with `scripted-` gets a
scripted pi; all others have the real one, whose tools or model do what is bad.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

import trio

from tests.campaign import bad_mind
from tests.campaign.bad_room import BadRoom
from tests.campaign.bad_service import PARTS, READ

FULL: Final = "full-workspace"
"""The room whose workspace is a small disk."""
PATIENCE: Final = 10.0
"""Seconds that a bad room's person waits before saying the next thing."""
PAUSE: Final = 0.3
"""Seconds from an answer to that."""
FILE: Final = 100_000
"""Bytes of a file that somebody sends where the disk is full."""
CRASHES_AFTER: Final = 0.5
"""Seconds: a part crashes while people are at it."""
ONCE: Final = 15.0
"""Seconds in which people are watched after that."""

Misbehave = Callable[[BadRoom], Awaitable[None]]


class Kind(NamedTuple):
    """`misbehave` goes on until it is cancelled. `slug`: the bad room's; None where a part of the service is bad.

    `seconds`: how long it takes to show all that follows from it, in one go; 0 where it is done again and again.
    """

    name: str
    slug: str | None
    misbehave: Misbehave
    seconds: float = 0.0


def talks(words: str, *, patience: float = PATIENCE) -> Misbehave:
    """Says this again and again, each time when it is answered, or is not after a while."""

    async def misbehave(bad: BadRoom) -> None:
        while True:
            number = bad.say(words)
            with trio.move_on_after(patience):
                await bad.answered(number)
            await trio.sleep(PAUSE)

    return misbehave


def goes_on(words: str, then: Misbehave) -> Misbehave:
    """Says something that begins to be answered with `I …`, and then does the other thing, once."""

    async def misbehave(bad: BadRoom) -> None:
        bad.say(words)
        await bad.hears("I ")
        await then(bad)
        await trio.sleep_forever()

    return misbehave


async def stop_pi(bad: BadRoom) -> None:
    """Somebody, perhaps a debugger, stops pi in the middle of its turn."""
    pid = await trio.to_thread.run_sync(lambda: bad.pid)
    if pid is not None:
        os.kill(pid, signal.SIGSTOP)


async def ask_to_stop(bad: BadRoom) -> None:
    """Its person wants the turn to end."""
    bad.say("/stop")


async def full_workspace(bad: BadRoom) -> None:
    """Its agent fills the disk that it works on, and its person sends a file there."""
    while True:
        for kind, file in (("fill", 0), ("quick", FILE)):
            number = bad.say(kind, file=file)
            with trio.move_on_after(PATIENCE):
                await bad.answered(number)
            await trio.sleep(PAUSE)


async def no_workspace(bad: BadRoom) -> None:
    """Its agent removes the folder that it works in, is asked to work there, and is killed; again and again."""
    while True:
        for kind in ("delete", "fill", "quick"):
            number = bad.say(kind)
            with trio.move_on_after(PATIENCE):
                await bad.answered(number)
            await trio.sleep(PAUSE)
        pid = await trio.to_thread.run_sync(lambda: bad.pid)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def crashes(part: str) -> Misbehave:
    """The part raises, once."""

    async def misbehave(bad: BadRoom) -> None:
        await trio.sleep(CRASHES_AFTER)
        await trio.to_thread.run_sync((bad.bugs / part).touch)
        await trio.to_thread.run_sync(bad.gone)  # asks for the tree: of the control socket nobody else wants anything
        await trio.sleep_forever()

    return misbehave


ROOMS: Final = (
    Kind("crash_loop", "scripted-crash-loop", talks("quick")),
    Kind("crash_at_start", "scripted-crash-at-start", talks("quick")),
    Kind("hang_at_start", "scripted-hang-at-start", talks("quick", patience=60.0), 34.0),
    Kind("hang_model", "hang-model", talks(bad_mind.HANG, patience=60.0), 14.0),
    Kind("hang_in_turn", "scripted-hang-in-turn", talks("quick", patience=60.0), 21.0),
    Kind("stopped_pi", "stopped-pi", goes_on(bad_mind.HANG, stop_pi), 21.0),
    Kind("ignores_abort", "scripted-ignores-abort", goes_on("quick", ask_to_stop), 16.0),
    Kind("garbage", "scripted-garbage", talks("quick")),
    Kind("long_line", "scripted-long-line", talks("quick")),
    Kind("flood", "scripted-flood", talks("quick")),
    Kind("fork_storm", "fork-storm", talks("storm")),
    Kind("daemons", "daemons", talks("daemons")),
    Kind("memory", "memory", talks("memory")),
    Kind("full_workspace", FULL, full_workspace),
    Kind("no_workspace", "no-workspace", no_workspace),
    Kind("bug_hearing", "bug-hearing", talks(bad_mind.TRIP)),
    Kind("bug_reading", "bug-reading", talks(f"quick {READ}")),
)
CRASHES: Final = tuple(Kind(part, None, crashes(part), ONCE) for part in PARTS)
"""Each crashes once: what crashes several times in a minute is started anew later and later, and that is meant."""
STATE: Final = "full_state"
"""The kind that takes a service of its own: its whole state is on a small disk."""
NAMES: Final = (*(kind.name for kind in (*ROOMS, *CRASHES)), STATE)
