"""Child specs, supervisors and mailboxes as plain validated data.

Pure: nothing here runs. A tree is written by nesting these; `supervisor.system` makes it live.
Names and defaults follow OTP's supervisor; what OTP has not (backoff, bounds) is stated where it stands.
"""

from collections.abc import Callable, Hashable
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from supervisor.backoff import Backoff
from supervisor.errors import InvalidSpec

if TYPE_CHECKING:
    from supervisor.actor import Actor

M_in = TypeVar("M_in", contravariant=True)


class Overflow(Enum):
    """What a full mailbox does with the next message."""

    WAIT = "wait"
    """`tell` waits for room; `tell_nowait` raises `MailboxFull`."""
    REJECT = "reject"
    """Both raise `MailboxFull`."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message goes to the dead letters. A waiting request is failed with `MailboxFull`."""


class Mailbox(msgspec.Struct, frozen=True):
    """How many messages may wait, and what happens to the next one.

    `bound`: at least 1. `coalesce`: key of a cumulative snapshot (a newer one replaces the waiting one in place) or
    None for a message that must be delivered as it is; such a message closes all keys, so order is kept.
    A box full of distinct keys does what `overflow` says. `on_restart_keep`: False where a store is the truth:
    what waits is then discarded when the actor restarts.
    """

    bound: int
    overflow: Overflow
    coalesce: Callable[[Any], Hashable | None] | None = None
    on_restart_keep: bool = True

    def __post_init__(self) -> None:
        if self.bound < 1:
            raise InvalidSpec(f"a mailbox holds at least 1 message, not {self.bound}")


class Strategy(Enum):
    """Who is restarted with a crashed child."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Restart(Enum):
    """Which ends of a child are followed by a restart."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    """Only after a failure; `normal` and `shutdown` are not failures."""
    TEMPORARY = "temporary"
    """Never; its spec is dropped when it ends."""


class AutoShutdown(Enum):
    """Whether a supervisor ends when significant children end by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Shutdown(Enum):
    """The two stop rules that are not a number of seconds."""

    BRUTAL = "brutal"
    INFINITE = "infinite"


class Intensity(msgspec.Struct, frozen=True):
    """At most `restarts` restarts in any window of `within` seconds; one more and the supervisor gives up."""

    restarts: int = 3
    within: float = 5.0

    def __post_init__(self) -> None:
        if self.restarts < 0:
            raise InvalidSpec(f"an intensity counts from 0 restarts, not {self.restarts}")
        if not 0 < self.within < inf:
            raise InvalidSpec(f"an intensity's window is a positive number of seconds, not {self.within}")


class Supervisor:
    """A supervisor with a fixed list of children, started in this order and stopped in reverse.

    `auto_shutdown`: whether the own end of significant children (any, or the last of them) is the supervisor's too.
    Raises `InvalidSpec` for a duplicate id, and for a backoff whose first `intensity.restarts` delays outlast the
    window: such a supervisor could never give up.
    """

    __slots__ = ("auto_shutdown", "backoff", "children", "intensity", "strategy")

    def __init__(
        self,
        *children: "ChildSpec[Any]",
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        backoff: Backoff | None = None,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> None:
        self.children = children
        self.auto_shutdown = auto_shutdown
        self.strategy = strategy
        self.intensity = intensity or Intensity()
        self.backoff = backoff or Backoff()
        ids: set[str] = set()
        for child in children:
            if child.id in ids:
                raise InvalidSpec(f"two children are called {child.id!r}")
            ids.add(child.id)
            self.check(child)
        _reachable(self.intensity, self.backoff)

    def check(self, child: "ChildSpec[Any]") -> None:
        """Raise `InvalidSpec` if this child does not fit here, whatever its id."""
        if child.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise InvalidSpec(f"{child.id} is significant, and its supervisor never shuts down by itself")

    def __repr__(self) -> str:
        return f"Supervisor({', '.join(child.id for child in self.children)}, strategy={self.strategy.value})"


class DynamicSupervisor(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor that starts empty; children come by `System.start_child` and are stopped concurrently.

    A child that ends for good leaves the tree, whatever its restart type.

    `max_children`: restarting ones count too. Its strategy is one_for_one.
    """

    max_children: int
    intensity: Intensity = Intensity()
    backoff: Backoff = Backoff()

    def __post_init__(self) -> None:
        if self.max_children < 1:
            raise InvalidSpec(f"max_children is at least 1, not {self.max_children}")
        _reachable(self.intensity, self.backoff)

    def check(self, child: "ChildSpec[Any]") -> None:
        """Raise `InvalidSpec` if this child does not fit here, whatever its id."""
        if child.significant:
            raise InvalidSpec(f"{child.id} is significant, and a dynamic supervisor never shuts down by itself")


class ChildSpec(Generic[M_in]):
    """One child: how it is made, when it is restarted, how it is stopped.

    `id`: unique among its siblings, without `/`. `factory`: an actor class, a `functools.partial` of one, or a nested
    supervisor; it is called while all others wait, so what takes time belongs into `started`. `shutdown`: seconds of
    grace (default 5), `Shutdown.BRUTAL` (cancelled at once) or `Shutdown.INFINITE` (the default for supervisors).
    `start_timeout`: seconds that `started` may take (default 30). `drain`: when it is told to stop, it first handles
    what waits at that moment, within its grace. `significant`: its own end may be its supervisor's (see
    `AutoShutdown`). `asks`: paths of the actors that it asks, or tells and waits for; `supervisor.asking` checks that
    nobody so waits for himself.
    """

    __slots__ = (
        "asks", "drain", "factory", "id", "is_supervisor", "mailbox", "restart", "shutdown", "significant",
        "start_timeout",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        factory: "Callable[[], Actor[M_in]] | Supervisor | DynamicSupervisor",
        *,
        restart: Restart = Restart.PERMANENT,
        shutdown: float | Shutdown | None = None,
        start_timeout: float = 30.0,
        drain: bool = False,
        significant: bool = False,
        asks: tuple[str, ...] = (),
    ) -> None:
        if not id or "/" in id:
            raise InvalidSpec(f"a child's id is a word without '/', not {id!r}")
        nested = isinstance(factory, (Supervisor, DynamicSupervisor))
        if shutdown is None:
            shutdown = Shutdown.INFINITE if nested else 5.0
        if not isinstance(shutdown, Shutdown) and not 0 <= shutdown < inf:
            raise InvalidSpec(f"{id}: shutdown is a number of seconds from 0, or a Shutdown, not {shutdown!r}")
        if not start_timeout > 0:
            raise InvalidSpec(f"{id}: start_timeout is a positive number of seconds, not {start_timeout!r}")
        if significant and restart is Restart.PERMANENT:
            raise InvalidSpec(f"{id}: a permanent child is always restarted, so it cannot be significant")
        declared = mailbox_of(factory)
        mailbox = declared if isinstance(declared, Mailbox) else None
        if mailbox is None and not nested:
            raise InvalidSpec(f"{id}: its actor states no mailbox")
        self.id = id
        self.factory = factory
        self.is_supervisor = nested
        """Whether the child is a nested supervisor."""
        self.mailbox = mailbox
        """The one that its actor declares; None of a supervisor."""
        self.restart = restart
        self.shutdown = shutdown
        self.start_timeout = start_timeout
        self.drain = drain
        self.significant = significant
        self.asks = asks

    def __repr__(self) -> str:
        return f"ChildSpec({self.id!r}, restart={self.restart.value}, shutdown={self.shutdown})"


def mailbox_of(factory: object) -> object:
    """The mailbox that an actor class, or a `partial` of one, declares; None if it declares none."""
    return getattr(getattr(factory, "func", factory), "mailbox", None)


def _reachable(intensity: Intensity, backoff: Backoff) -> None:
    delays = backoff.least(intensity.restarts)
    if delays >= intensity.within:
        raise InvalidSpec(
            f"{intensity.restarts} restarts with this backoff take at least {delays:g} s, so an intensity of "
            f"{intensity.within:g} s is never exceeded: widen the window or shorten the backoff"
        )
