"""The actor behind the control socket: takes connections, keeps bounds and deadlines, and has verbs answer.

It stands at the top of the tree, is asked by nobody and waits for nobody without a deadline, so it answers while
anything else fails or drains. What can be asked is in `verbs`; what a line looks like, in `wire`.
"""

import errno
import logging
import os
import socket
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Never, assert_never

import msgspec
import trio

from supervisor.actor import Actor
from supervisor.control import wire
from supervisor.control.errors import Refused, SocketUnusable
from supervisor.control.history import History
from supervisor.control.verbs import VERBS, Host, Verb
from supervisor.errors import ActorError
from supervisor.snapshot import Description
from supervisor.spec import Mailbox, Overflow
from supervisor.telemetry import Subscription

MAX_CONNECTIONS: Final = 32
"""Served at once."""
MAX_WAITING: Final = 128
"""In the listening queue of the system; who finds it full is told so by the system."""
REQUEST_TIMEOUT: Final = 5.0
"""Seconds in which a request must have arrived, and an answer must have been taken."""
OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

logger = logging.getLogger(__name__)


class ControlServer(Actor[Never]):
    """Serves `verbs` on the Unix socket `path`, for this user and root only.

    Fails to start with `SocketUnusable`, above all if another service answers there.
    """

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(self, path: str | Path, verbs: Mapping[str, Verb] = VERBS) -> None:
        self._path = Path(path)
        self._verbs = verbs
        self._history = History()
        self._seats = trio.Semaphore(MAX_CONNECTIONS)
        self._inode: int | None = None
        self._events: Subscription | None = None

    async def started(self) -> None:
        self._events = self.context.system.telemetry.subscribe()
        listening = listen(self._path)
        self._inode = self._path.stat().st_ino
        self.context.start_soon(self._remember, self._events)
        self.context.start_soon(self._accept, trio.SocketListener(trio.socket.from_stdlib_socket(listening)))

    async def receive(self, message: Never) -> None:
        assert_never(message)

    async def stopping(self, reason: str) -> None:  # noqa: ARG002
        if self._events is not None:
            self._events.close()
        remove(self._path, self._inode)

    def describe(self) -> Description:
        """Where it listens."""
        return Description(doing=str(self._path))

    async def _remember(self, events: Subscription) -> None:
        async for event in events:
            self._history.add(event)

    async def _accept(self, listener: trio.SocketListener) -> None:
        async with listener, trio.open_nursery() as nursery:
            while True:
                await self._seats.acquire()
                nursery.start_soon(self._serve, await _next(listener))

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            answer = await self._answer(stream)
            with trio.move_on_after(REQUEST_TIMEOUT):
                await stream.send_all(answer)
        except trio.BrokenResourceError:
            pass  # whoever asked has gone
        finally:
            self._seats.release()
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.SocketStream) -> bytes:
        verb = ""
        try:
            uid = peer_uid(stream.socket)
            if not admits(uid, os.geteuid()):
                raise Refused("not_allowed", f"the user with id {uid} may not use this socket")
            line = await _read_line(stream)
            if not line:
                return b""
            verb, args = wire.parse_request(line)
            return wire.result_line(msgspec.json.encode(await self._run(verb, args)))
        except Refused as refused:
            return wire.error_line(refused)
        except ActorError as error:
            return wire.error_line(Refused("refused", str(error)))
        except Exception as error:  # a verb with a bug must not end the door to all others
            logger.exception("the verb %r failed", verb[:50])
            return wire.error_line(Refused("internal", f"{verb[:50]} failed in the service: {type(error).__name__}"))

    async def _run(self, name: str, args: Mapping[str, object]) -> object:
        verb = self._verbs.get(name)
        if verb is None:
            known = ", ".join(self._verbs)
            raise Refused("unknown_verb", f"there is no verb {name[:50]!r}; there are: {known}")
        with trio.move_on_after(verb.patience):
            return await verb.answer(Host(self.context.system, self.context.path, self._history), args)
        raise Refused("too_late", f"{name} had no answer within {verb.patience:g} s; what it began goes on")


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in a folder that is made, mode 0700, if there is none.

    The file that a dead service left there is removed. Raises `SocketUnusable`.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(path)
        listening.bind(str(path))
        path.chmod(0o600)  # before `listen`: until then nobody can connect
        listening.listen(MAX_WAITING)
    except OSError as error:
        listening.close()
        raise SocketUnusable(
            str(path), f"cannot make the control socket, {error.strerror or error}; choose another path"
        ) from None
    except SocketUnusable:
        listening.close()
        raise
    return listening


def remove(path: Path, inode: int | None) -> None:
    """Remove the socket, unless the file at `path` is another one (by now)."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except OSError:
        pass  # gone already, or its folder is: either way nobody finds it


def admits(peer: int, own: int) -> bool:
    """Whether a process of user `peer` may ask a service of user `own`."""
    return peer in (own, 0)


def peer_uid(connection: trio.socket.SocketType) -> int:
    """The user who connected, as the kernel knows it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    uid: int = struct.unpack("iII", credentials)[1]
    return uid


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketUnusable(
            str(path), "where the control socket belongs is another file; move it away or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a service whose queue is full is one that lives
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise SocketUnusable(str(path), "another service runs on this socket; stop it or choose another path")


async def _next(listener: trio.SocketListener) -> trio.SocketStream:
    while True:
        try:
            return await listener.accept()
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            await trio.sleep(0.1)  # it passes; ending the server would not help


async def _read_line(stream: trio.SocketStream) -> bytes:
    """One line; empty if the other side has gone without a word. Raises `Refused`."""
    received = bytearray()
    with trio.move_on_after(REQUEST_TIMEOUT):
        while not received.endswith(b"\n"):
            if len(received) == wire.MAX_REQUEST:
                raise Refused("too_large", f"a request is at most {wire.MAX_REQUEST // 1024} KiB long")
            try:
                chunk = await stream.receive_some(wire.MAX_REQUEST - len(received))
            except trio.BrokenResourceError:
                return b""
            if not chunk and received:
                raise Refused("bad_request", "the connection ended in the middle of a request")
            if not chunk:
                return b""
            received += chunk
        return bytes(received)
    raise Refused("too_late", f"no whole request came within {REQUEST_TIMEOUT:g} s")
