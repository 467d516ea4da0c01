"""What can be asked over the control socket, one function for each verb.

A verb gets the live system and its own checked arguments, and returns plain data or raises `Refused`. The server keeps
the deadline and the connection. A program that is built on this runtime gives the server its own verbs beside `VERBS`.
"""

import difflib
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeVar

import msgspec
import trio

from supervisor.control.errors import Refused
from supervisor.control.history import History, Line
from supervisor.control.views import NodeView, SpecView, below, rfc3339, spec_view, view
from supervisor.errors import NoSuchActor
from supervisor.snapshot import Node, State
from supervisor.system import System

A = TypeVar("A")
R = TypeVar("R")

PATIENCE: Final = 2.0
"""Seconds in which a verb answers unless it says otherwise."""
PATIENCE_TO_RESTART: Final = 10.0
LOG_LINES: Final = 10
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Host(NamedTuple):
    """What a verb may use. `path`: where the control server itself is."""

    system: System
    path: str
    history: History


class Verb(NamedTuple):
    """Made by `verb`. `answer` takes the arguments as they came; `patience`: seconds within which it answers."""

    answer: Callable[[Host, Mapping[str, object]], Awaitable[object]]
    patience: float


def verb(args_type: type[A], run: Callable[[Host, A], Awaitable[object]], *, patience: float = PATIENCE) -> Verb:
    """A verb that does `run` with arguments that fit `args_type`, a msgspec struct, and refuses all others.

    What `run` returns must be encodable by msgspec.
    """

    async def answer(host: Host, args: Mapping[str, object]) -> object:
        try:
            checked = msgspec.convert(args, args_type)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:  # JSON may hold half a surrogate pair
            raise Refused("bad_request", f"wrong arguments: {str(error)[:200]}") from None
        return await run(host, checked)

    return Verb(answer, patience)


class Place(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of a verb about one node. Slashes in front, behind and doubled do not matter."""

    path: Annotated[str, msgspec.Meta(max_length=1000)] = "/"


class LastError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last failure of a node. `at` and `trace` are there while the system remembers them."""

    text: str
    at: str | None = None
    trace: str | None = None


class StatusView(NodeView, frozen=True, kw_only=True, omit_defaults=True):
    """A node, how it is kept, and what happened to it."""

    spec: SpecView
    last_error: LastError | None = None
    log: list[Line]


async def tree(host: Host, place: Place) -> NodeView:
    """The tree from a path down."""
    return await _view(host, await _node(host, place))


async def status(host: Host, place: Place) -> StatusView:
    """All that is known of one node."""
    node = await _node(host, place)
    spec = host.system.get_spec(node.path)
    log = host.history.last(LOG_LINES, node.path)
    last_error = _last_error(host, node)
    shown = await _view(host, node)
    fields = {name: getattr(shown, name) for name in NodeView.__struct_fields__}
    return StatusView(**fields, spec=spec_view(spec), last_error=last_error, log=log)


async def restart(host: Host, place: Place) -> NodeView:
    """Stop a node if it runs, start it, and wait until it is up."""
    node = await _node(host, place)
    if node.path != "/" and below(host.path, node.path):  # of the root the runtime itself says why not
        raise Refused("refused", f"{node.path} holds the control socket and cannot be restarted through it")
    await host.system.restart_child(node.path)
    after = await _node(host, place)
    if after.state in (State.FAILED, State.STOPPED):
        raise Refused("failed", f"{node.path} did not come up: {after.error or after.state}")
    return await _view(host, after)


VERBS: Final[Mapping[str, Verb]] = {
    "tree": verb(Place, tree),
    "status": verb(Place, status),
    "restart": verb(Place, restart, patience=PATIENCE_TO_RESTART),
}
"""The verbs of the runtime itself."""


def nearest(path: str, root: Node) -> str:
    """The path that somebody who wrote `path` may have meant: by likeness, by its last name, or the last right step."""
    node = root
    names = path.strip("/").split("/")
    for name in names:
        children = {child.path.rpartition("/")[2]: child for child in node.children}
        likely = difflib.get_close_matches(name, children, 1)
        if not likely:
            return _named(names[-1], root) or node.path
        node = children[likely[0]]
    return node.path


def resident_memory(pid: int) -> int | None:
    """Bytes of memory that a process holds; None if there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, IndexError):
        return None


async def _node(host: Host, place: Place) -> Node:
    path = "/" + "/".join(filter(None, place.path.split("/")))
    try:
        return host.system.snapshot(path)
    except NoSuchActor:
        meant = await _in_thread(partial(nearest, path, host.system.snapshot()))
        raise Refused("no_such_actor", f"there is no actor at {path!r}; the nearest is {meant}") from None


async def _view(host: Host, node: Node) -> NodeView:
    return await _in_thread(partial(view, node, resident_memory, name=host.system.name))


async def _in_thread(work: Callable[[], R]) -> R:
    # A tree of ten thousand nodes takes a while to write down; the actors must not wait for it.
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


def _last_error(host: Host, node: Node) -> LastError | None:
    from_node = None if node.error is None else LastError(text=node.error)
    for failure in reversed(host.system.telemetry.failures):
        if failure.path == node.path:
            return LastError(text=failure.reason, at=rfc3339(failure.at), trace=failure.trace)
    return from_node


def _named(name: str, node: Node) -> str | None:
    if node.path.endswith(f"/{name}"):
        return node.path
    return next((found for child in node.children if (found := _named(name, child))), None)
