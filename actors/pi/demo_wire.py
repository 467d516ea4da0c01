"""The demo model's side of the OpenAI chat-completions format: request bodies in, response bodies and chunks out.

`demo_server` moves these bytes; what they say is decided in `demo_phrases`. Also here: the entry by which pi's
models.json knows the demo. Pure; only the part of the format that pi uses, and nothing of HTTP.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from actors.pi.demo_phrases import Call, Pace, Said, Step

PROVIDER_ID = "demo"
MODEL_ID = "demo"
_CHARS_PER_TOKEN = 4

Json = dict[str, object]


class BadRequest(Exception):
    """The body is not a chat-completions request; `reason` says in one clause where it departs from it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The request is not understood: {reason}")
        self.reason = reason


class _Function(msgspec.Struct, frozen=True):
    name: str


class _Tool(msgspec.Struct, frozen=True):
    function: _Function | None = None


class _Part(msgspec.Struct, frozen=True):
    text: str | None = None


class _Message(msgspec.Struct, frozen=True):
    role: str
    content: str | list[_Part] | None = None

    def said(self) -> Said:
        if isinstance(self.content, list):
            return Said(self.role, "\n".join(part.text for part in self.content if part.text))
        return Said(self.role, self.content or "")


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class _Body(msgspec.Struct, frozen=True):
    messages: list[_Message]
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request as the demo needs it. `prompt_tokens` is a guess from the body's size, for pi's context gauge."""

    conversation: tuple[Said, ...]
    tools: frozenset[str]
    stream: bool
    include_usage: bool
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One server-sent event, ready to write; `pace` is the pause that belongs before it, None for none."""

    data: bytes
    pace: Pace | None = None


def read_request(body: bytes) -> ChatRequest:
    """Decode a request body. Raises BadRequest for malformed JSON or a wrong shape; unknown fields are ignored."""
    try:
        decoded = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(str(error)) from None
    return ChatRequest(
        conversation=tuple(message.said() for message in decoded.messages),
        tools=frozenset(tool.function.name for tool in decoded.tools or () if tool.function),
        stream=bool(decoded.stream),
        include_usage=bool(decoded.stream_options and decoded.stream_options.include_usage),
        prompt_tokens=len(body) // _CHARS_PER_TOKEN,
    )


def completion(completion_id: str, request: ChatRequest, steps: Sequence[Step]) -> bytes:
    """The whole answer as one JSON body, for a request that does not stream."""
    content = "".join(word for step in steps if not isinstance(step, Call) for word in step.words)
    message: Json = {"role": "assistant", "content": content or None}
    calls = [_tool_call(step) for step in steps if isinstance(step, Call)]
    if calls:
        message["tool_calls"] = calls
    choice: Json = {"index": 0, "message": message, "finish_reason": _finish_reason(steps)}
    return msgspec.json.encode(
        _envelope(completion_id, "chat.completion") | {"choices": [choice], "usage": _usage(request, steps)}
    )


def stream(completion_id: str, request: ChatRequest, steps: Sequence[Step]) -> Iterator[Chunk]:
    """The answer as server-sent events: role, one per word, tool call, finish reason, usage if asked, [DONE]."""
    envelope = _envelope(completion_id, "chat.completion.chunk")

    def chunk(delta: Json, finish_reason: str | None = None, pace: Pace | None = None) -> Chunk:
        return _event(
            envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]},
            pace,
        )

    yield chunk({"role": "assistant", "content": ""})
    pace: Pace | None = None  # the first word comes at once
    for step in steps:
        if isinstance(step, Call):
            head = _tool_call(step, arguments="")
            yield chunk({"tool_calls": [{"index": 0, **head}]})
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": _arguments(step)}}]})
        else:
            for word in step.words:
                yield chunk({"content": word}, pace=pace)
                pace = step.pace
    yield chunk({}, _finish_reason(steps))
    if request.include_usage:
        yield _event(envelope | {"choices": [], "usage": _usage(request, steps)})
    yield Chunk(b"data: [DONE]\n\n")


def model_list() -> bytes:
    """The body that answers GET /v1/models."""
    model: Json = {"id": MODEL_ID, "object": "model", "created": 0, "owned_by": "dispatchd"}
    return msgspec.json.encode({"object": "list", "data": [model]})


def error_body(message: str, kind: str, code: str) -> bytes:
    """An error as OpenAI's API writes it: one sentence, its family (`kind`) and a code for programs."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def provider_entry(base_url: str, key_env: str) -> dict[str, object]:
    """The value of `providers.demo` in pi's models.json.

    `base_url` ends in /v1. `key_env` names the environment variable of pi that holds the key; the key itself is in no
    file.
    """
    return {
        "baseUrl": base_url,
        "api": "openai-completions",
        "apiKey": f"${key_env}",
        "compat": {
            "supportsDeveloperRole": False,
            "supportsReasoningEffort": False,
            "maxTokensField": "max_tokens",
        },
        "models": [
            {
                "id": MODEL_ID,
                "reasoning": False,
                "input": ["text"],
                "contextWindow": 128_000,
                "maxTokens": 8192,
                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
            }
        ],
    }


def _envelope(completion_id: str, kind: str) -> Json:
    # `created` is 0 rather than the time: equal requests are to get equal bytes, and nobody reads it.
    return {"id": completion_id, "object": kind, "created": 0, "model": MODEL_ID}


def _event(payload: Json, pace: Pace | None = None) -> Chunk:
    return Chunk(b"data: " + msgspec.json.encode(payload) + b"\n\n", pace)


def _tool_call(call: Call, arguments: str | None = None) -> Json:
    text = _arguments(call) if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": text}}


def _arguments(call: Call) -> str:
    return msgspec.json.encode(call.arguments).decode()


def _finish_reason(steps: Sequence[Step]) -> str:
    return "tool_calls" if any(isinstance(step, Call) for step in steps) else "stop"


def _usage(request: ChatRequest, steps: Sequence[Step]) -> Json:
    answered = sum(1 if isinstance(step, Call) else len(step.words) for step in steps)
    return {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": answered,
        "total_tokens": request.prompt_tokens + answered,
    }
