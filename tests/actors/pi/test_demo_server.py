"""The demo model's HTTP: keys, paths, sizes and manners, over memory streams under the virtual clock and over TCP."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import h11
import httpx
import pytest
import trio
import trio.testing

from actors.pi.demo_server import MAX_BODY, DemoServer, Limits, Tempo

KEY = "k-123"
CHAT = "/v1/chat/completions"
AUTHORIZATION = ("authorization", f"Bearer {KEY}")


@dataclass
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A very small HTTP client on any stream; `events` reads one response as it comes."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.conn = h11.Connection(h11.CLIENT)

    async def send(self, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> None:
        every = [("host", "demo"), ("content-length", str(len(body))), *(headers or [AUTHORIZATION])]
        data = self.conn.send(h11.Request(method=method, target=target, headers=every)) or b""
        data += self.conn.send(h11.Data(data=body)) or b""
        await self.stream.send_all(data + (self.conn.send(h11.EndOfMessage()) or b""))

    async def events(self) -> AsyncIterator[h11.Event]:
        while True:
            event = self.conn.next_event()
            if event is h11.NEED_DATA:
                self.conn.receive_data(bytes(await self.stream.receive_some(65536)))
                continue
            assert isinstance(event, h11.Event)
            yield event
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    async def answer(self) -> Answer:
        head, body = None, b""
        async for event in self.events():
            match event:
                case h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case _:
                    pass
        assert head is not None, "the connection was closed without an answer"
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
        return Answer(head.status_code, dict(head.headers), body)

    async def ask(self, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> Answer:
        await self.send(method, target, body, *headers)
        return await self.answer()


def chat(text: str, **more: object) -> bytes:
    return json.dumps({"model": "demo", "messages": [{"role": "user", "content": text}], **more}).encode()


def words(body: bytes) -> list[str]:
    """The content deltas of a streamed answer."""
    records = [json.loads(record.removeprefix(b"data: ")) for record in body.split(b"\n\n")[:-2]]
    contents = [record["choices"][0]["delta"].get("content") for record in records if record["choices"]]
    return [content for content in contents if content]


def connect(nursery: trio.Nursery, server: DemoServer) -> Client:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server.serve_connection, theirs)
    return Client(ours)


async def test_a_streamed_answer(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    client = connect(nursery, DemoServer(KEY))

    answer = await client.ask("POST", CHAT, chat("hello", stream=True, stream_options={"include_usage": True}))

    assert answer.status == 200
    assert answer.headers[b"content-type"] == b"text/event-stream"
    assert "“hello”" in "".join(words(answer.body))
    assert b'"usage":{' in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_hello_is_answered_at_once_and_slow_at_its_pace(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    client = connect(nursery, DemoServer(KEY))

    began = trio.current_time()
    await client.ask("POST", CHAT, chat("hello", stream=True))
    assert trio.current_time() - began < 0.05

    began = trio.current_time()
    answer = await client.ask("POST", CHAT, chat("slow: 21", stream=True))
    assert trio.current_time() - began == pytest.approx(1.0)
    assert len(words(answer.body)) == 21


async def test_words_leave_one_by_one(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    client = connect(nursery, DemoServer(KEY, tempo=Tempo(slow=10)))
    await client.send("POST", CHAT, chat("slow: 3", stream=True))

    began = trio.current_time()
    arrived = [
        trio.current_time() - began
        async for event in client.events()
        if isinstance(event, h11.Data) and re.search(rb'"content":"[^"]', event.data)
    ]

    assert arrived == [0, 10, 20]


async def test_an_answer_without_streaming(nursery: trio.Nursery) -> None:
    client = connect(nursery, DemoServer(KEY))

    tools = [{"type": "function", "function": {"name": "bash"}}]
    answer = await client.ask("POST", CHAT, chat("run: ls", tools=tools))

    [call] = answer.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "bash", "arguments": '{"command":"ls"}'}


async def test_a_connection_carries_many_requests_and_survives_a_malformed_one(nursery: trio.Nursery) -> None:
    client = connect(nursery, DemoServer(KEY))

    first = await client.ask("GET", "/v1/models?x=1")
    bad = await client.ask("POST", CHAT, b"{")
    second = await client.ask("POST", CHAT, chat("one"))
    third = await client.ask("POST", CHAT, chat("two"))

    assert [first.status, bad.status, second.status, third.status] == [200, 400, 200, 200]
    assert first.json()["data"][0]["id"] == "demo"
    assert bad.json()["error"]["code"] == "invalid_json"
    assert [second.json()["id"], third.json()["id"]] == ["chatcmpl-1", "chatcmpl-2"]


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "code"),
    [
        ("GET", "/v1/models", [("x-none", "")], 401, "invalid_api_key"),
        ("GET", "/v1/models", [("authorization", "Bearer k-12")], 401, "invalid_api_key"),
        ("GET", "/v1/models", [("authorization", f"Basic {KEY}")], 401, "invalid_api_key"),
        ("GET", "/no", [("authorization", "Bearer no")], 401, "invalid_api_key"),
        ("GET", "/", [AUTHORIZATION], 404, "not_found"),
        ("POST", "/v1/embeddings", [AUTHORIZATION], 404, "not_found"),
        ("GET", CHAT, [AUTHORIZATION], 405, "method_not_allowed"),
        ("POST", "/v1/models", [AUTHORIZATION], 405, "method_not_allowed"),
    ],
)
async def test_a_refused_request_gets_an_error_and_the_end_of_its_connection(
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    status: int,
    code: str,
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
) -> None:
    client = connect(nursery, DemoServer(KEY))

    answer = await client.ask(method, target, b"a body that nobody reads", *headers)

    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert KEY.encode() not in answer.body
    assert await client.stream.receive_some() == b""


async def test_a_body_of_the_greatest_size_is_taken_and_one_byte_more_is_not(nursery: trio.Nursery) -> None:
    server = DemoServer(KEY)
    largest = chat("x" * (MAX_BODY - len(chat(""))))
    assert len(largest) == MAX_BODY

    taken = await connect(nursery, server).ask("POST", CHAT, largest)
    refused = await connect(nursery, server).ask("POST", CHAT, largest + b" ")

    assert taken.status == 200
    assert (refused.status, refused.json()["error"]["code"]) == (413, "body_too_large")


async def test_a_client_that_is_still_sending_gets_its_refusal_all_the_same(nursery: trio.Nursery) -> None:
    server = DemoServer(KEY)
    await nursery.start(server.run)

    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        refused = await Client(stream).ask("POST", CHAT, b" " * MAX_BODY, ("authorization", "Bearer no"))

    assert refused.status == 401


async def test_a_client_that_does_not_leave_after_its_refusal_is_left(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    began = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(DemoServer(KEY, limits=Limits(linger=2)).serve_connection, theirs)
        await Client(ours).ask("GET", "/no")

    assert trio.current_time() - began == pytest.approx(2)


async def test_a_client_that_asks_before_it_sends_its_body_is_told_to(nursery: trio.Nursery) -> None:
    client = connect(nursery, DemoServer(KEY))
    body = chat("hello")
    head = f"POST {CHAT} HTTP/1.1\r\nHost: demo\r\nAuthorization: Bearer {KEY}\r\nExpect: 100-continue\r\n"
    await client.stream.send_all(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())

    assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 100 ")
    await client.stream.send_all(body)
    assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("garbage", "status"), [(b"\x00\x01\x02\r\n\r\n", b" 400 "), (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b" 431 ")]
)
async def test_what_is_not_http_is_told_so_and_dropped(
    garbage: bytes, status: bytes, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    client = connect(nursery, DemoServer(KEY))

    await client.stream.send_all(garbage)

    received = await client.stream.receive_some()
    assert received.startswith(b"HTTP/1.1" + status)
    assert b'"code":"bad_http"' in received
    assert await client.stream.receive_some() == b""


@pytest.mark.parametrize("sent", [b"", b"POST /v1/chat", f"POST {CHAT} HTTP/1.1\r\nHost: d\r\n".encode()])
async def test_an_idle_connection_is_closed(
    sent: bytes, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    client = connect(nursery, DemoServer(KEY, limits=Limits(idle=60)))
    began = trio.current_time()

    await client.stream.send_all(sent)

    assert await client.stream.receive_some() == b""
    assert trio.current_time() - began == pytest.approx(60)


async def test_a_client_that_stops_reading_is_dropped(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    began = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(DemoServer(KEY, limits=Limits(write=30)).serve_connection, theirs)
        await Client(ours).send("POST", CHAT, chat("hello", stream=True))

    assert trio.current_time() - began == pytest.approx(30)


async def test_a_client_that_leaves_between_requests_or_within_one_ends_its_task() -> None:
    for sent in (b"", f"POST {CHAT} HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n".encode()):
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(DemoServer(KEY).serve_connection, theirs)
            await ours.send_all(sent)
            await ours.aclose()


async def test_a_client_that_leaves_mid_stream_ends_only_its_own_task(nursery: trio.Nursery) -> None:
    server = DemoServer(KEY, limits=Limits(connections=2), tempo=Tempo(slow=0.001))
    await nursery.start(server.run)

    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        stayer = Client(stream)
        await stayer.send("POST", CHAT, chat("slow: 200", stream=True))
        # With two slots, the second and third of these are served only because the one before gave its slot back.
        for _ in range(3):
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as leaving:
                await Client(leaving).send("POST", CHAT, chat("slow: 2000", stream=True))
                await leaving.receive_some()

        assert len(words((await stayer.answer()).body)) == 200


async def test_connections_past_the_bound_wait(nursery: trio.Nursery) -> None:
    server = DemoServer(KEY, limits=Limits(connections=1))
    await nursery.start(server.run)
    first, second = [Client(await trio.open_tcp_stream("127.0.0.1", server.port)) for _ in range(2)]
    async with first.stream, second.stream:
        await first.ask("GET", "/v1/models")
        await second.send("GET", "/v1/models")

        with trio.move_on_after(0.1) as waited:
            await second.stream.receive_some()
        assert waited.cancelled_caught

        await first.stream.aclose()
        assert (await second.answer()).status == 200


async def test_a_common_client_over_tcp(nursery: trio.Nursery) -> None:
    base_url = await nursery.start(DemoServer(KEY).run)

    async with httpx.AsyncClient(headers=dict([AUTHORIZATION])) as client:
        models = await client.get(f"{base_url}/models")
        async with client.stream("POST", f"{base_url}/chat/completions", content=chat("hello", stream=True)) as answer:
            lines = [line async for line in answer.aiter_lines() if line]

    assert models.json()["data"][0]["id"] == "demo"
    assert lines[-1] == "data: [DONE]"


async def test_it_listens_on_loopback_only_and_keeps_its_port(nursery: trio.Nursery) -> None:
    server = DemoServer(KEY)

    urls = []
    for _ in range(2):
        async with trio.open_nursery() as running:
            urls.append(await running.start(server.run))
            running.cancel_scope.cancel()

    assert urls == [f"http://127.0.0.1:{server.port}/v1"] * 2
    assert server.base_url == urls[0]
    assert KEY not in repr(server)


def test_a_server_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        DemoServer("")
