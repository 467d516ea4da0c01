"""The chat-completions format of the demo model: what is read from a body, and which bodies and chunks are written."""

import json
from typing import Any

import pytest

from actors.pi.demo_phrases import Call, Pace, Said, Say, Step
from actors.pi.demo_wire import (
    BadRequest,
    ChatRequest,
    completion,
    error_body,
    model_list,
    provider_entry,
    read_request,
    stream,
)

STEPS: list[Step] = [
    Say(("I", " run")),
    Say(("\n\n1", " 2"), Pace.SLOW),
    Call("bash", {"command": 'echo "é"'}, "call_3"),
]
CALL = {"id": "call_3", "type": "function", "function": {"name": "bash", "arguments": '{"command":"echo \\"é\\""}'}}


def request(*, include_usage: bool = False) -> ChatRequest:
    return ChatRequest((), frozenset(), stream=True, include_usage=include_usage, prompt_tokens=10)


def payloads(steps: list[Step], *, include_usage: bool = False) -> list[Any]:
    chunks = [chunk.data for chunk in stream("id-1", request(include_usage=include_usage), steps)]
    assert chunks[-1] == b"data: [DONE]\n\n"
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    return [json.loads(chunk.removeprefix(b"data: ")) for chunk in chunks[:-1]]


def test_a_body_is_read_as_far_as_the_demo_needs_it() -> None:
    body = json.dumps(
        {
            "model": "demo",
            "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"text": "b"}]},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            ],
            "tools": [{"type": "function", "function": {"name": "bash", "parameters": {}}}, {"type": "other"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.5,
        }
    ).encode()

    assert read_request(body) == ChatRequest(
        conversation=(Said("developer", "be kind"), Said("user", "a\nb"), Said("assistant", ""), Said("tool", "42")),
        tools=frozenset({"bash"}),
        stream=True,
        include_usage=True,
        prompt_tokens=len(body) // 4,
    )


def test_what_may_be_absent_or_null_is() -> None:
    least = read_request(b'{"messages": []}')
    nulls = read_request(b'{"messages": [], "tools": null, "stream": null, "stream_options": null}')

    assert (least.tools, least.stream, least.include_usage) == (frozenset(), False, False)
    assert (nulls.tools, nulls.stream, nulls.include_usage) == (frozenset(), False, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"messages": {}}',
        b'{"messages": [{"content": "hi"}]}',
        b'{"messages": [{"role": "user", "content": 5}]}',
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": [], "x": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"The request is not understood: \S"):
        read_request(body)


def test_a_stream_is_role_words_call_and_finish() -> None:
    chunks = payloads(STEPS)

    head = CALL | {"index": 0, "function": {"name": "bash", "arguments": ""}}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "I"},
        {"content": " run"},
        {"content": "\n\n1"},
        {"content": " 2"},
        {"tool_calls": [head]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"command":"echo \\"é\\""}'}}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 7 + ["tool_calls"]
    assert {chunk["id"] for chunk in chunks} == {"id-1"}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_words_have_their_pace_but_nothing_waits_before_the_first() -> None:
    paces = [chunk.pace for chunk in stream("id-1", request(), STEPS)]

    assert paces == [None, None, Pace.NATURAL, Pace.NATURAL, Pace.SLOW, None, None, None, None]


def test_usage_comes_last_and_only_when_asked_for() -> None:
    without, with_usage = payloads(STEPS), payloads(STEPS, include_usage=True)

    assert len(with_usage) == len(without) + 1
    assert with_usage[-1]["choices"] == []
    assert with_usage[-1]["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def test_a_whole_completion_says_the_same_as_the_stream() -> None:
    whole = json.loads(completion("id-1", request(), STEPS))
    text_only = json.loads(completion("id-2", request(), STEPS[:1]))
    call_only = json.loads(completion("id-3", request(), STEPS[2:]))

    assert whole["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "I run\n\n1 2", "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        }
    ]
    assert whole["usage"]["total_tokens"] == 15
    assert text_only["choices"][0]["message"] == {"role": "assistant", "content": "I run"}
    assert text_only["choices"][0]["finish_reason"] == "stop"
    assert call_only["choices"][0]["message"]["content"] is None


def test_models_and_errors_have_the_formats_shape() -> None:
    assert [model["id"] for model in json.loads(model_list())["data"]] == ["demo"]
    assert json.loads(error_body("No.", "invalid_request_error", "no")) == {
        "error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": "no"}
    }


def test_the_provider_entry_refers_to_its_key_by_name() -> None:
    entry = provider_entry("http://127.0.0.1:1/v1", "DEMO_KEY")

    assert entry["apiKey"] == "$DEMO_KEY"
    assert entry["baseUrl"] == "http://127.0.0.1:1/v1"
    assert json.loads(json.dumps(entry)) == entry
