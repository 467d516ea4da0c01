"""An OpenAI-compatible HTTP server on loopback, behind which the demo model answers.

The `demo_model` actor runs it; pi is its client, and whoever else on this machine lacks the key gets 401. It moves
bytes: the format is `demo_wire`'s, the answers are `demo_phrases`'s. It is not made to face a network.
"""

import hmac
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import h11
import trio

from actors.pi import demo_phrases, demo_wire
from actors.pi.demo_phrases import Pace

HOST = "127.0.0.1"
MAX_BODY = 16 * 1024 * 1024
_MAX_HEAD = 64 * 1024
_READ_SIZE = 64 * 1024
_ROUTES = {b"/v1/models": b"GET", b"/v1/chat/completions": b"POST"}

Stream = trio.abc.HalfCloseableStream


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server: connections open at once, and seconds.

    `idle`: to send the next whole request. `write`: to take one piece of an answer. `linger`: to stop sending after an
    answer that came before the request's end. Connections past the first `connections` wait in the kernel's queue.
    """

    connections: int = 128
    idle: float = 60.0
    write: float = 30.0
    linger: float = 2.0


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds before each word but the first: of an ordinary answer, and of a `slow:` one."""

    natural: float = 0.002
    slow: float = 0.05


class DemoServer:
    """The demo model's server. Every request must carry `Authorization: Bearer <key>`.

    `port` 0 means a free one; it is then kept, so that a second `run` of the same object serves at the same address.
    After `listen` the socket itself is kept: what connects while nobody runs the server waits in the kernel, until
    `close`. Raises ValueError for an empty key.
    """

    def __init__(self, key: str, *, port: int = 0, limits: Limits | None = None, tempo: Tempo | None = None) -> None:
        if not key:
            raise ValueError("the demo server needs a key: without one, every user of this machine could use it")
        self.port = port
        self._kept: socket.socket | None = None
        self._authorization = f"Bearer {key}".encode()
        self._limits = limits or Limits()
        self._pauses = {Pace.NATURAL: (tempo or Tempo()).natural, Pace.SLOW: (tempo or Tempo()).slow}
        self._ids = count(1)

    @property
    def base_url(self) -> str:
        """What a client is given: scheme, host, port and /v1. True once `listen` or `run` has been called."""
        return f"http://{HOST}:{self.port}/v1"

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `nursery.start` returns the base URL once connections are accepted.

        Raises OSError when the port cannot be had.
        """
        if self._kept is not None:
            inner = trio.SocketListener(trio.socket.from_stdlib_socket(self._kept.dup()))
        else:
            [inner] = await trio.open_tcp_listeners(self.port, host=HOST)
        self.port = inner.socket.getsockname()[1]
        slots = trio.Semaphore(self._limits.connections)

        async def handle(stream: trio.SocketStream) -> None:
            try:
                await self.serve_connection(stream)
            finally:
                slots.release()

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, handle, [_BoundedListener(inner, slots)])
            task_status.started(self.base_url)

    def listen(self) -> None:
        """Take the port now and keep it until `close`. Raises OSError when it cannot be had."""
        self._kept = socket.create_server((HOST, self.port), backlog=128)
        self.port = self._kept.getsockname()[1]

    def close(self) -> None:
        """Give the port up. Harmless without `listen`."""
        if self._kept is not None:
            self._kept.close()

    async def serve_connection(self, stream: Stream) -> None:
        """Answer requests on one connection until its client leaves, is too slow, or stops speaking HTTP."""
        http = _Http(stream, self._limits)
        try:
            async with stream:
                while await self._exchange(http):
                    pass
        except (trio.BrokenResourceError, trio.TooSlowError, h11.RemoteProtocolError):
            pass  # the client's end, whichever way: it concerns no other connection

    async def _exchange(self, http: "_Http") -> bool:
        """Serve one request; say whether another may follow on this connection."""
        try:
            with trio.fail_after(self._limits.idle):
                head = await http.read_head()
                if head is None:
                    return False
                self._admit(head)
                body = await http.read_body()
            if head.method == b"GET":
                await http.respond(200, demo_wire.model_list())
            else:
                await self._complete(http, demo_wire.read_request(body))
        except demo_wire.BadRequest as error:
            await http.refuse(_Refused(400, str(error), "invalid_json"))
        except _Refused as refused:
            await http.refuse(refused)
        except h11.RemoteProtocolError as error:
            await http.refuse(_Refused(error.error_status_hint, f"This is not HTTP/1.1: {error}", "bad_http"))
        return await http.next_cycle()

    def _admit(self, head: h11.Request) -> None:
        """Raise _Refused for a request that is not ours to answer, before a byte of its body is read."""
        given = dict(head.headers).get(b"authorization", b"")
        if not hmac.compare_digest(given, self._authorization):
            raise _Refused(401, "The key is missing or wrong: send it as `Authorization: Bearer …`", "invalid_api_key")
        path = head.target.partition(b"?")[0]
        if path not in _ROUTES:
            raise _Refused(404, "There are only GET /v1/models and POST /v1/chat/completions here", "not_found")
        if head.method != _ROUTES[path]:
            raise _Refused(405, f"This path takes only {_ROUTES[path].decode()}", "method_not_allowed")

    async def _complete(self, http: "_Http", request: demo_wire.ChatRequest) -> None:
        steps = demo_phrases.answer(request.conversation, request.tools)
        completion_id = f"chatcmpl-{next(self._ids)}"
        if not request.stream:
            await http.respond(200, demo_wire.completion(completion_id, request, steps))
            return
        await http.send(_head(200, b"text/event-stream", (b"cache-control", b"no-cache")))
        for chunk in demo_wire.stream(completion_id, request, steps):
            if chunk.pace is not None:
                await trio.sleep(self._pauses[chunk.pace])
            await http.send(h11.Data(data=chunk.data))
        await http.send(h11.EndOfMessage())


class _Refused(Exception):
    """A request that is answered with an error instead of a completion."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = demo_wire.error_body(message, "invalid_request_error", code)


class _Http:
    """HTTP/1.1 over one stream: whole request in, response out, with the limits kept."""

    def __init__(self, stream: Stream, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._conn = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)

    async def read_head(self) -> h11.Request | None:
        """The next request's head, or None when the client has left between two requests."""
        event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def read_body(self) -> bytes:
        """The body of the request whose head was read. Raises _Refused past MAX_BODY."""
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise _Refused(413, f"The body is larger than {MAX_BODY // 2**20} MiB", "body_too_large")
        return bytes(body)

    async def respond(self, status: int, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        # With a part of the request still unread, the connection has no further use: the client is told so.
        end = [(b"connection", b"close")] if self._conn.their_state is not h11.DONE else []
        await self.send(
            _head(status, b"application/json", length, *end),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )

    async def refuse(self, refused: _Refused) -> None:
        await self.respond(refused.status, refused.body)

    async def send(self, *events: h11.Response | h11.Data | h11.EndOfMessage | h11.InformationalResponse) -> None:
        """Write events out. Raises trio.TooSlowError when the client does not take them within the limit."""
        data = b"".join(self._conn.send(event) or b"" for event in events)
        with trio.fail_after(self._limits.write):
            await self._stream.send_all(data)

    async def next_cycle(self) -> bool:
        """Make ready for the next request; False when this connection can carry none."""
        if self._conn.our_state is h11.DONE and self._conn.their_state is h11.DONE:
            self._conn.start_next_cycle()
            return True
        # Closing with unread input resets the connection, and the client may lose the answer: let it finish first.
        with trio.move_on_after(self._limits.linger):
            await self._stream.send_eof()
            while await self._stream.receive_some(_READ_SIZE):
                pass
        return False

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._conn.next_event()) is h11.NEED_DATA:
            if self._conn.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._conn.receive_data(bytes(await self._stream.receive_some(_READ_SIZE)))
        return event


class _BoundedListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts only while a slot is free; whoever serves the connection releases the slot."""

    def __init__(self, inner: trio.SocketListener, slots: trio.Semaphore) -> None:
        self._inner = inner
        self._slots = slots

    async def accept(self) -> trio.SocketStream:
        await self._slots.acquire()
        with ExitStack() as undo:
            undo.callback(self._slots.release)
            stream = await self._inner.accept()
            undo.pop_all()
            return stream

    async def aclose(self) -> None:
        await self._inner.aclose()


def _head(status: int, content_type: bytes, *headers: tuple[bytes, bytes]) -> h11.Response:
    return h11.Response(status_code=status, headers=[(b"content-type", content_type), *headers])
