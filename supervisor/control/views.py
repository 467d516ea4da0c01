"""The JSON that scripts rely on: what `tree --json` and `status --json` say of a node.

Pure. Times are RFC 3339 in UTC, memory is in bytes; a key with nothing to say is left out. Keys may be added, but not
changed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite

import msgspec

from supervisor.snapshot import Fill, Node, State
from supervisor.spec import ChildSpec, DynamicSupervisor, Intensity, Mailbox, Shutdown, Supervisor, mailbox_of

Memory = Callable[[int], int | None]
"""The resident bytes of a process, by its pid; None if there is no such process."""


class NodeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node of the tree. `name`: the system's, at the root only. `error`: the last failure, even if it runs again."""

    path: str
    name: str | None = None
    kind: str
    state: State
    since: str
    restarts: int
    mailbox: Fill | None = None
    pid: int | None = None
    rss: int | None = None
    doing: str | None = None
    error: str | None = None
    children: list["NodeView"]


class SpecView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a child is kept. `shutdown`: seconds, `brutal` or `infinite`; `start_timeout`: seconds, null for no limit."""

    restart: str
    shutdown: float | str
    start_timeout: float | None
    overflow: str | None = None
    strategy: str | None = None
    intensity: Intensity | None = None
    max_children: int | None = None


def view(node: Node, memory: Memory, *, name: str | None = None) -> NodeView:
    """A node and what is below it, as `tree --json` shows it."""
    return NodeView(
        path=node.path,
        name=name if node.path == "/" else None,
        kind=node.kind,
        state=node.state,
        since=rfc3339(node.since),
        restarts=node.restarts,
        mailbox=node.mailbox,
        pid=node.pid,
        rss=None if node.pid is None else memory(node.pid),
        doing=node.doing,
        error=node.error,
        children=[view(child, memory) for child in node.children],
    )


def spec_view(spec: ChildSpec[object]) -> SpecView:
    """A child spec, without its factory."""
    factory, shutdown, mailbox = spec.factory, spec.shutdown, mailbox_of(spec.factory)
    strategy = factory.strategy.value if isinstance(factory, Supervisor) else None
    return SpecView(
        restart=spec.restart.value,
        shutdown=shutdown.value if isinstance(shutdown, Shutdown) else shutdown,
        start_timeout=spec.start_timeout if isfinite(spec.start_timeout) else None,
        overflow=mailbox.overflow.value if isinstance(mailbox, Mailbox) else None,
        strategy="dynamic" if isinstance(factory, DynamicSupervisor) else strategy,
        intensity=factory.intensity if isinstance(factory, Supervisor | DynamicSupervisor) else None,
        max_children=factory.max_children if isinstance(factory, DynamicSupervisor) else None,
    )


def rfc3339(at: float) -> str:
    """Unix seconds as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def below(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or under it."""
    return ancestor in ("/", path) or path.startswith(f"{ancestor}/")
