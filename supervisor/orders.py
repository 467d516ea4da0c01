"""What the runtime tells an actor's loop, through the lane that no message can block.

Pure. Orders are not messages: no actor sees one, and none is ever a dead letter.
"""

from supervisor.events import End


class StopOrder:
    """Finish the message in hand, then end like this.

    `drain`: handle what waits now as well; what comes later is not waited for.
    """

    __slots__ = ("drain", "end")

    def __init__(self, end: End, *, drain: bool = False) -> None:
        self.end = end
        self.drain = drain


class HelperOrder:
    """The actor wants its first helper task."""


class LookOrder:
    """Something else than a message in the channel wants attention: an urgent message, someone who traces."""


class SuspendOrder:
    """Finish the message in hand, then take no more until a `ResumeOrder`; a stop is still obeyed."""


class ResumeOrder:
    """Go on."""


ORDERS = frozenset({StopOrder, HelperOrder, LookOrder, SuspendOrder, ResumeOrder})
