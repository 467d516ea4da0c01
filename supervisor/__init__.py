"""Supervised actors on trio: OTP's supervision trees, typed messages, bounded mailboxes.

This is the only door: `__all__` is the table of contents. Names are loaded at their first use, so that a tool which
needs only `supervisor.control` does not pay for trio.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.actor import Actor, Context, current_path
    from supervisor.backoff import Backoff
    from supervisor.calls import Promise
    from supervisor.clock import Timer
    from supervisor.errors import (
        ActorCrashed,
        ActorError,
        ActorStopped,
        AdminRefused,
        AskCycle,
        AskTimeout,
        Ignore,
        IntensityExceeded,
        InvalidSpec,
        MailboxFull,
        NoReply,
        NoSuchActor,
        RuntimeFault,
        StartFailed,
        StartTimeout,
    )
    from supervisor.events import (
        BecameZombie,
        ChildExited,
        ChildStarted,
        DeadLetter,
        End,
        Event,
        EventsLost,
        GaveUp,
        RestartScheduled,
    )
    from supervisor.messages import Down, Message, Reply, Request
    from supervisor.refs import Asks, Ref
    from supervisor.snapshot import Description, Fill, Node, State
    from supervisor.spec import (
        AutoShutdown,
        ChildSpec,
        DynamicSupervisor,
        Intensity,
        Mailbox,
        Overflow,
        Restart,
        Shutdown,
        Strategy,
        Supervisor,
    )
    from supervisor.system import System, open_system
    from supervisor.telemetry import Subscription, Telemetry

_HOMES = {
    "actor": ("Actor", "Context", "current_path"),
    "refs": ("Asks", "Ref"),
    "backoff": ("Backoff",),
    "calls": ("Promise",),
    "clock": ("Timer",),
    "errors": ("Ignore",
        "ActorCrashed", "ActorError", "ActorStopped", "AdminRefused", "AskCycle", "AskTimeout", "IntensityExceeded",
        "InvalidSpec", "MailboxFull", "NoReply", "NoSuchActor", "RuntimeFault", "StartFailed", "StartTimeout",
    ),
    "events": (
        "BecameZombie", "ChildExited", "ChildStarted", "DeadLetter", "End", "Event", "EventsLost", "GaveUp",
        "RestartScheduled",
    ),
    "messages": ("Down", "Message", "Reply", "Request"),
    "snapshot": ("Description", "Fill", "Node", "State"),
    "spec": ("AutoShutdown",
        "ChildSpec", "DynamicSupervisor", "Intensity", "Mailbox", "Overflow", "Restart", "Shutdown", "Strategy",
        "Supervisor",
    ),
    "system": ("System", "open_system"),
    "telemetry": ("Subscription", "Telemetry"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorStopped",
    "AdminRefused",
    "AskCycle",
    "AskTimeout",
    "Asks",
    "AutoShutdown",
    "Backoff",
    "BecameZombie",
    "ChildExited",
    "ChildSpec",
    "ChildStarted",
    "Context",
    "DeadLetter",
    "Description",
    "Down",
    "DynamicSupervisor",
    "End",
    "Event",
    "EventsLost",
    "Fill",
    "GaveUp",
    "Ignore",
    "Intensity",
    "IntensityExceeded",
    "InvalidSpec",
    "Mailbox",
    "MailboxFull",
    "Message",
    "NoReply",
    "NoSuchActor",
    "Node",
    "Overflow",
    "Promise",
    "Ref",
    "Reply",
    "Request",
    "Restart",
    "RestartScheduled",
    "RuntimeFault",
    "Shutdown",
    "StartFailed",
    "StartTimeout",
    "State",
    "Strategy",
    "Subscription",
    "Supervisor",
    "System",
    "Telemetry",
    "Timer",
    "current_path",
    "open_system",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
