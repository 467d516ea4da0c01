"""A language model on loopback: OpenAI-compatible chat completions, streamed, scripted and strict.

Each request takes the next `Reply` of the script. A request that no real endpoint would take (path, method, key, not
streamed) or that the script does not foresee gets an error and is kept in `violations`, which the opener raises.
It is no product code and knows nothing of pi.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec
import trio

KEY = "key-of-the-fake-model"
MODEL = "fake-1"
MODELS = (MODEL, "other-1")


class ToolCall(msgspec.Struct, frozen=True):
    """One call that the model makes: the tool's name and its arguments. `id`: of the call; real ones are unique."""

    name: str
    arguments: dict[str, object]
    id: str = "call_1"


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer, streamed in this order: the text's deltas, the tool call, the end.

    `more`: calls that it makes beside `tool`, in the same message; each needs an id of its own.
    `hold` keeps the stream open after the deltas until the client leaves; a `status` other than 200 is sent at once.
    `pause`: seconds until the answer begins; `gap`: seconds between two of its events.
    """

    deltas: tuple[str, ...] = ()
    tool: ToolCall | None = None
    hold: bool = False
    status: int = 200
    pause: float = 0.0
    gap: float = 0.0
    more: tuple[ToolCall, ...] = ()


class FakeLLM:
    """The server's state: what it will still answer and what it was asked."""

    def __init__(self, replies: Sequence[Reply], port: int) -> None:
        self.replies = list(replies)  # what is still to be said; tests may add to it
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answers one connection's requests until the client goes away."""
        http = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while await self._serve_one(http, stream):
                    http.start_next_cycle()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return  # pi drops the connection when a run is aborted

    async def _serve_one(self, http: h11.Connection, stream: trio.SocketStream) -> bool:
        request: h11.Request | None = None
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        reply = self._take(request, body)
        await trio.sleep(reply.pause)
        content_type = b"text/event-stream" if reply.status == 200 else b"application/json"
        head = h11.Response(status_code=reply.status, headers=[(b"content-type", content_type)])
        await stream.send_all(http.send(head) or b"")
        if reply.status != 200:
            await stream.send_all(http.send(h11.Data(data=b'{"error":{"message":"scripted failure"}}')) or b"")
        else:
            for chunk in _chunks(reply):
                await trio.sleep(reply.gap)
                await stream.send_all(http.send(h11.Data(data=chunk)) or b"")
            if reply.hold:
                await stream.receive_some()  # nothing is owed to us: this returns when the client leaves
                return False
        await stream.send_all(http.send(h11.EndOfMessage()) or b"")
        return http.our_state is h11.DONE

    def _take(self, request: h11.Request, body: bytes) -> Reply:
        headers = dict(request.headers)
        if (request.method, request.target) != (b"POST", b"/v1/chat/completions"):
            return self._refuse(404, f"{request.method!r} {request.target!r}")
        if headers.get(b"authorization") != f"Bearer {KEY}".encode():
            return self._refuse(401, "the request carries no right key")
        asked = msgspec.json.decode(body, type=dict[str, Any])
        if asked.get("stream") is not True or asked.get("model") not in MODELS or not asked.get("messages"):
            return self._refuse(400, f"not a streamed request for one of {MODELS}")
        self.requests.append(asked)
        return self.choose(asked)

    def choose(self, asked: dict[str, Any]) -> Reply:
        """The reply to a request that is as it should be: the script's next. Others may choose by what was `asked`."""
        del asked
        return self.replies.pop(0) if self.replies else self._refuse(500, "one request more than the script foresees")

    def _refuse(self, status: int, why: str) -> Reply:
        self.violations.append(why)
        return Reply(status=status)


def _chunks(reply: Reply) -> list[bytes]:
    """The events of one streamed answer; a held one has no end."""
    deltas: list[dict[str, object]] = [{"content": text} for text in reply.deltas]
    for index, tool in enumerate(() if reply.tool is None else (reply.tool, *reply.more)):
        function = {"name": tool.name, "arguments": msgspec.json.encode(tool.arguments).decode()}
        deltas.append({"tool_calls": [{"index": index, "id": tool.id, "type": "function", "function": function}]})
    events = [_event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in deltas]
    if reply.hold:
        return events
    reason = "tool_calls" if reply.tool is not None else "stop"
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    events.append(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
    events.append(_event({"choices": [], "usage": usage}))
    return [*events, b"data: [DONE]\n\n"]


def _event(fields: dict[str, object]) -> bytes:
    common = {"id": "chat-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return b"data: " + msgspec.json.encode(common | fields) + b"\n\n"


@asynccontextmanager
async def open_llm(replies: Sequence[Reply]) -> AsyncIterator[FakeLLM]:
    """Serves `replies` on a free port of 127.0.0.1; raises AssertionError on leaving if a request broke the rules."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    llm = FakeLLM(replies, listener.socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, llm.serve, [listener])
        yield llm
        nursery.cancel_scope.cancel()
    assert not llm.violations, f"the fake model was asked wrongly: {llm.violations}"
