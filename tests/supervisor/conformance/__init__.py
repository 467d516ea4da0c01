"""OTP's own cases, one test each, by OTP's numbers; `table` says where each one stands and where we differ.

The words that these tests share are here. Endings are named as OTP names them: an actor leaves (`normal`) or crashes;
a supervisor whose significant child leaves goes with it, which is the one way to end by oneself like a `shutdown`.
"""

from enum import Enum
from typing import Any

import trio.testing

from supervisor import AutoShutdown, Backoff, ChildSpec, Intensity, Restart, Supervisor, System
from supervisor.testing import Crash, Leave, Player, scripted

PATIENT = Intensity(1000, within=1e6)
AT_ONCE = Backoff(base=0.0)


class Way(Enum):
    """How a child ends by itself."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    FAILED = "failed"


def mortal(id: str, way: Way, **options: Any) -> ChildSpec[Any]:
    """A child that `end` can end that way."""
    if way is not Way.SHUTDOWN:
        return scripted(id, **options)
    inner = scripted("inner", restart=Restart.TRANSIENT, significant=True)
    return ChildSpec(id, Supervisor(inner, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT), **options)


async def end(system: System, path: str, way: Way) -> None:
    """End the `mortal` at `path`, and wait until all that follows at once has happened."""
    if way is Way.SHUTDOWN:
        path = f"{path}/inner"
    await system.ref(path, Player).tell(Crash() if way is Way.FAILED else Leave())
    await trio.testing.wait_all_tasks_blocked()


async def crash(system: System, path: str) -> None:
    """Crash the player at `path`, and wait until all that follows at once has happened."""
    await end(system, path, Way.FAILED)


def counts(system: System, path: str = "/") -> list[int]:
    """Specs, active, supervisors, workers."""
    return list(system.count_children(path).values())


def incarnations(system: System, path: str = "/") -> dict[str, int]:
    """The children of the supervisor at `path` by id, in order, and which incarnation each is in."""
    return {node.path.rpartition("/")[2]: node.incarnation for node in system.which_children(path)}


def at_once(*children: ChildSpec[Any], **options: Any) -> Supervisor:
    """A supervisor that restarts without a delay and does not give up soon."""
    return Supervisor(*children, **({"intensity": PATIENT, "backoff": AT_ONCE} | options))
