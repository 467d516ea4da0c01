"""The fake Bot API's HTTP: loopback, h11, the long poll with its single poller, downloads, and faults on demand.

It reads requests and writes answers; what they mean is in `methods`. It knows one bot by its token.
"""

import re
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote

import h11
import msgspec
import trio

from tests.fakes.telegram_api.methods import call, check_poll
from tests.fakes.telegram_api.params import Params, Upload
from tests.fakes.telegram_api.rules import ApiError, Json
from tests.fakes.telegram_api.world import World

_PROSE = frozenset({"text", "caption", "name"})  # parameters that are text even if they look like a number
_FILE = "application/octet-stream"
_SUPERSEDED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class Fault(StrEnum):
    """What can go wrong with a call. Those named BEFORE, and all that answer an error, leave the world as it was."""

    SERVER_ERROR = "502"
    FLOOD = "429"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    CONFLICT = "409"
    DROP_BEFORE = "drop before"  # the connection is cut and nothing has happened
    DROP_AFTER = "drop after"  # it has happened and the connection is cut; a download is cut in its middle
    HANG_BEFORE = "hang before"  # no answer for some seconds, then cut; nothing has happened
    SLOW = "slow"  # it happens at once, the answer comes after some seconds


_ERRORS = {
    Fault.SERVER_ERROR: "Bad Gateway",
    Fault.FLOOD: "Too Many Requests: retry after {}",
    Fault.UNAUTHORIZED: "Unauthorized",
    Fault.FORBIDDEN: "Forbidden: bot was blocked by the user",
    Fault.CONFLICT: _SUPERSEDED,
}


@dataclass
class Call:
    """One request: when it came, its parameters, and the status it was answered with; None while it has no answer."""

    at: float
    method: str
    params: Json
    status: int | None = None


class _Cut(Exception):
    """The connection ends here, perhaps after half of a file."""

    def __init__(self, file: bytes = b"") -> None:
        super().__init__()
        self.file = file


class Server:
    """Serves one world to one bot."""

    def __init__(self, world: World, token: str) -> None:
        self.world = world
        self.token = token
        self.port = 0
        self.calls: list[Call] = []
        self.faults: dict[str, deque[tuple[Fault, float]]] = defaultdict(deque)
        self._changed = trio.Event()
        self._poll: trio.CancelScope | None = None
        self._listening: trio.CancelScope | None = None
        self._stopped = trio.Event()
        world.changed = self.changed

    def changed(self) -> None:
        """Wakes all who wait for a change."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        await self._changed.wait()

    async def listen(self, nursery: trio.Nursery) -> None:
        """Takes connections, on the same port as before if there was one."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self._listening, self._stopped = trio.CancelScope(), trio.Event()
        nursery.start_soon(self._serve, listeners, self._listening, self._stopped)

    async def refuse(self) -> None:
        """Closes every connection and takes no more: connecting is refused."""
        if self._listening is not None:
            self._listening.cancel()
            await self._stopped.wait()

    async def _serve(self, listeners: list[trio.SocketListener], scope: trio.CancelScope, stopped: trio.Event) -> None:
        try:
            with scope:
                await trio.serve_listeners(self._connection, listeners)
        finally:
            stopped.set()

    # --- HTTP -------------------------------------------------------------------------------------------------

    async def _connection(self, stream: trio.SocketStream) -> None:
        http = h11.Connection(h11.SERVER)
        with suppress(trio.BrokenResourceError, h11.RemoteProtocolError, _Cut):
            async with stream:
                while (asked := await _request(http, stream)) is not None:
                    try:
                        status, kind, body = await self._answer(*asked)
                    except _Cut as cut:
                        if cut.file:
                            await stream.send_all(_response(http, 200, _FILE, cut.file)[: -len(cut.file) // 2])
                        raise
                    await stream.send_all(_response(http, status, kind, body))
                    http.start_next_cycle()

    async def _answer(self, target: str, content_type: str, body: bytes) -> tuple[int, str, bytes]:
        path, _, query = target.partition("?")
        found = re.fullmatch(r"(/file)?/bot(\d+:[\w-]+)/(.+)", unquote(path))
        try:
            if found is None:
                raise ApiError(404, "Not Found")
            if found[2] != self.token:
                raise ApiError(401, "Unauthorized")
            if found[1]:
                return 200, _FILE, await self._call("download", {"path": found[3]}, {})
            result = await self._call(found[3], *_parameters(content_type, query, body))
        except ApiError as error:
            shown: Json = {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                shown["parameters"] = error.parameters
            return error.code, "application/json", msgspec.json.encode(shown)
        return 200, "application/json", msgspec.json.encode({"ok": True, "result": result})

    def _download(self, path: str) -> bytes:
        file = self.world.files.get(path.removeprefix("documents/"))
        if file is None:
            raise ApiError(404, "Not Found")
        return file.content

    # --- calls ------------------------------------------------------------------------------------------------

    async def _call(self, method: str, fields: Mapping[str, str], uploads: Mapping[str, Upload]) -> Any:
        made = Call(trio.current_time(), method, {name: _decoded(name, value) for name, value in fields.items()})
        self.calls.append(made)
        self.changed()
        try:
            result = await self._with_fault(method, Params(fields, uploads))
        except ApiError as error:
            made.status = error.code
            raise
        else:
            made.status = 200
            return result
        finally:
            self.changed()

    async def _with_fault(self, method: str, params: Params) -> Any:
        waiting = self.faults[method] or self.faults["*"]
        fault, seconds = waiting.popleft() if waiting else (None, 0.0)
        if fault in _ERRORS:
            wait = max(1, int(seconds))
            raise ApiError(int(fault), _ERRORS[fault].format(wait), retry_after=wait if fault is Fault.FLOOD else None)
        if fault is Fault.HANG_BEFORE:
            await trio.sleep(seconds)
        if fault in {Fault.HANG_BEFORE, Fault.DROP_BEFORE}:
            raise _Cut
        if method == "getUpdates":
            result: Any = await self._get_updates(params)
        elif method == "download":
            result = self._download(params.text("path"))
        else:
            result = call(self.world, method, params, trio.current_time())
        if fault is Fault.SLOW:
            await trio.sleep(seconds)
        if fault is Fault.DROP_AFTER:
            raise _Cut(result if method == "download" else b"")
        return result

    async def _get_updates(self, params: Params) -> list[Json]:
        """The long poll. A poll that comes while another waits ends the other with 409."""
        offset, limit, timeout = check_poll(self.world, params)
        if self._poll is not None:
            self._poll.cancel()
        due = self.world.due(offset, limit)
        if due or timeout <= 0:
            return due
        deadline = trio.current_time() + timeout
        with trio.CancelScope() as poll:
            self._poll = poll
            try:
                with trio.move_on_at(deadline):
                    while not (due := self.world.due(offset, limit)):
                        await self._changed.wait()
            finally:
                if self._poll is poll:
                    self._poll = None
        if poll.cancelled_caught:
            raise ApiError(409, _SUPERSEDED)
        return due


def _response(http: h11.Connection, status: int, kind: str, body: bytes) -> bytes:
    head = [("content-type", kind), ("content-length", str(len(body)))]
    parts = (h11.Response(status_code=status, headers=head), h11.Data(data=body), h11.EndOfMessage())
    return b"".join(http.send(part) or b"" for part in parts)


async def _request(http: h11.Connection, stream: trio.SocketStream) -> tuple[str, str, bytes] | None:
    """The next request's target, content type and body; None when the client has gone."""
    target = content_type = ""
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            target = event.target.decode()
            content_type = dict(event.headers).get(b"content-type", b"").decode()
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return target, content_type, bytes(body)
        else:
            return None


def _parameters(content_type: str, query: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    """Fields and files of a form, in either of its encodings."""
    kind, _, boundary = content_type.partition("; boundary=")
    if kind != "multipart/form-data":
        return dict(parse_qsl(query) + parse_qsl(body.decode(), keep_blank_values=True)), {}
    fields: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    mark = f"\r\n--{boundary}".encode()
    for part in (b"\r\n" + body).split(mark)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        named = dict(re.findall(r'(name|filename)="([^"]*)"', head.decode()))
        mime = re.search(r"(?i)content-type: *(\S+)", head.decode())
        if "filename" in named:
            uploads[named["name"]] = Upload(unquote(named["filename"]), mime[1] if mime else "", content)
        else:
            fields[named["name"]] = content.decode()
    return fields, uploads


def _decoded(name: str, value: str) -> object:
    if name not in _PROSE:
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(value)
    return value
