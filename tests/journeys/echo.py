"""A language model on loopback that says which messages it was given: what was done, and how often, can be told.

It answers `Done: a | b` to the messages of people that it has not answered yet: whatever joined a turn, and whatever a
restart has said again, is named as often as the model has heard it. Unlike `tests.fakes.llm` it follows no script: how
many requests a kill leads to is the product's business. It can be held, and can fail as providers do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any, Final

import h11
import msgspec
import trio

from tests.fakes.llm import KEY, MODEL

PARTIAL: Final = "Let me see. "
"""What it says before it is held."""
NOTE: Final = "[dispatchd]"
"""How a message begins that no person wrote."""


PACE = 0.2
"""Seconds between two pieces of an answer that was held: more than one picture of it is seen."""


class Trouble(StrEnum):
    """How a provider fails, for every request until it is well again."""

    UNAUTHORIZED = "401"
    FAILING = "500"
    HANGING = "hanging"  # accepts and never answers, until it is well: then the connection is closed
    CUT = "cut"  # the stream ends in its middle


class EchoLLM:
    """The server: what it was asked, what it holds back, how it fails."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.requests: list[dict[str, Any]] = []
        self.port = 0
        self.trouble: Trouble | None = None
        self._nursery = nursery
        self._held: dict[str, trio.Event] = {}
        self._well = trio.Event()
        self._asked = trio.Event()
        self._listening = trio.CancelScope()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    # --- what a test does

    def hold(self, words: str) -> None:
        """An answer to messages with these words stops after `PARTIAL` until it is let go, and then comes slowly."""
        self._held[words] = trio.Event()

    def let_go(self, words: str) -> None:
        """It goes on, and is not held any more."""
        self._held.pop(words).set()

    def fail(self, trouble: Trouble) -> None:
        """From now on."""
        self.trouble = trouble

    def recover(self) -> None:
        """It is well again; what hangs is closed."""
        self.trouble = None
        self._well.set()
        self._well = trio.Event()

    async def listen(self) -> None:
        """Takes connections, on the same port as before if there was one."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self._listening = trio.CancelScope()
        self._nursery.start_soon(self._take, listeners, self._listening)

    def refuse(self) -> None:
        """Cuts every connection and takes no more, until `listen`."""
        self._listening.cancel()

    def heard(self, words: str) -> int:
        """How many requests had these words in what is to be answered."""
        return len([True for request in self.requests if any(words in text for text in pending(request["messages"]))])

    async def is_asked(self, words: str, times: int = 1) -> None:
        """Until that many requests had these words in what is to be answered."""
        while self.heard(words) < times:
            await self._asked.wait()

    # --- HTTP

    async def _take(self, listeners: list[trio.SocketListener], scope: trio.CancelScope) -> None:
        with scope:
            await trio.serve_listeners(self._serve, listeners)

    async def _serve(self, stream: trio.SocketStream) -> None:
        http = h11.Connection(h11.SERVER)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            async with stream:
                while (body := await _request(http, stream)) is not None:
                    if not await self._answer(http, stream, msgspec.json.decode(body)):
                        return
                    http.start_next_cycle()

    async def _answer(self, http: h11.Connection, stream: trio.SocketStream, asked: dict[str, Any]) -> bool:
        """Answers one request; whether the connection may be used again."""
        self.requests.append(asked)
        self._asked.set()
        self._asked = trio.Event()
        trouble, well = self.trouble, self._well
        if trouble is Trouble.HANGING:
            await well.wait()
            return False
        if trouble in (Trouble.UNAUTHORIZED, Trouble.FAILING):
            await _send(http, stream, int(trouble), b'{"error":{"message":"the provider is unwell"}}')
            return True
        texts = pending(asked["messages"])
        await _send(http, stream, 200)
        pace = 0.0
        for words, free in list(self._held.items()):
            if any(words in text for text in texts):
                pace = PACE
                await _send(http, stream, data=_event({"content": PARTIAL}))
                await _until(free, stream)
        if trouble is Trouble.CUT:
            await _send(http, stream, data=_event({"content": PARTIAL}))
            return False
        for event in _events(texts, asked["messages"]):
            await _send(http, stream, data=event)
            await trio.sleep(pace)
        await stream.send_all(http.send(h11.EndOfMessage()) or b"")
        return http.our_state is h11.DONE


def pending(messages: list[dict[str, Any]]) -> list[str]:
    """The texts of people that no answer stands behind, in order, each as one line."""
    texts: list[str] = []
    for message in messages:
        said = _text(message)
        if message["role"] == "user" and not said.startswith(NOTE):
            texts.append(" ".join(said.split()))
        elif message["role"] == "assistant" and "Done:" in said:
            texts.clear()
    return texts


def _events(texts: list[str], messages: list[dict[str, Any]]) -> list[bytes]:
    question = next((text.removeprefix("ask ") for text in texts if text.startswith("ask ")), None)
    if question is not None and not _answered(texts, messages):
        function = {"name": "ask_user", "arguments": _json({"question": question, "options": ["red", "green"]})}
        call = {"index": 0, "id": f"call_{len(messages)}", "type": "function", "function": function}
        return [_event({"tool_calls": [call]}), *_end("tool_calls")]
    return [_event({"content": f"Done: {' | '.join(texts) or 'nothing'}"}), *_end("stop")]


def _answered(texts: list[str], messages: list[dict[str, Any]]) -> bool:
    """Whether the conversation has what a person said to the question: a tool's result, the note, a prompt."""
    notes = [_text(message) for message in messages if message["role"] == "user"]
    results = [_text(message) for message in messages if message["role"] == "tool"]
    told = any("has been answered" in note for note in notes) or any("green" in result for result in results)
    return told or len(texts) > 1


def _json(fields: dict[str, object]) -> str:
    return msgspec.json.encode(fields).decode()


def _end(reason: str) -> list[bytes]:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    over: dict[str, object] = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return [_chunk(over), _chunk({"choices": [], "usage": usage}), b"data: [DONE]\n\n"]


def _event(delta: dict[str, object]) -> bytes:
    return _chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def _chunk(fields: dict[str, object]) -> bytes:
    common = {"id": "chat-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return b"data: " + msgspec.json.encode(common | fields) + b"\n\n"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


async def _send(http: h11.Connection, stream: trio.SocketStream, status: int = 0, data: bytes = b"") -> None:
    """The head of an answer, a piece of it, or for an error all of it."""
    out = b""
    if status:
        kind = b"text/event-stream" if status == 200 else b"application/json"
        out += http.send(h11.Response(status_code=status, headers=[(b"content-type", kind)])) or b""
    if data:
        out += http.send(h11.Data(data=data)) or b""
    if status not in (0, 200):
        out += http.send(h11.EndOfMessage()) or b""
    await stream.send_all(out)


async def _until(free: trio.Event, stream: trio.SocketStream) -> None:
    """Until it is let go or the client leaves."""

    async def gone() -> None:
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(gone)
        await free.wait()
        nursery.cancel_scope.cancel()


async def _request(http: h11.Connection, stream: trio.SocketStream) -> bytes | None:
    """The next request's body, if it is one that a real endpoint takes; None when the client has gone."""
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            assert (event.method, event.target) == (b"POST", b"/v1/chat/completions")
            assert dict(event.headers)[b"authorization"] == f"Bearer {KEY}".encode()
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return body
        else:
            return None


@asynccontextmanager
async def open_echo() -> AsyncIterator[EchoLLM]:
    """Serves on a free port of 127.0.0.1 for the block."""
    async with trio.open_nursery() as nursery:
        llm = EchoLLM(nursery)
        await llm.listen()
        yield llm
        nursery.cancel_scope.cancel()
