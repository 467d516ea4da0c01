"""The fake model of a campaign: the strict one of the tests, with `mind` in the place of a script.

It forgets what it was asked as soon as it has answered; what is kept are the instants, for those who wait for one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.campaign import mind
from tests.fakes.llm import FakeLLM, Reply, ToolCall

Context = Sequence[Sequence[str]]
Think = Callable[[Context], dict[str, Any]]


class Model(FakeLLM):
    """Answers what the conversation asks for. `think`: how; `on_asked` is called with each request's instant."""

    def __init__(self, port: int, think: Think = mind.reply) -> None:
        super().__init__([], port)
        self.think = think
        self.asked = 0
        self.on_asked: Callable[[float], None] = lambda _at: None

    def choose(self, asked: dict[str, Any]) -> Reply:
        """The reply to one request."""
        self.requests.clear()
        self.asked += 1
        self.on_asked(trio.current_time())
        thought = dict(self.think(context(asked["messages"])))
        tool = thought.pop("tool", None)
        call = ToolCall(**tool, id=f"call_{self.asked}") if tool else None
        return Reply(**thought | {"deltas": tuple(thought["deltas"])}, tool=call)


def context(messages: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Roles and texts of an OpenAI-compatible request."""
    return [[message["role"], _text(message.get("content"))] for message in messages]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return "" if content is None else str(content)


@asynccontextmanager
async def open_model(think: Think = mind.reply, make: type[Model] = Model) -> AsyncIterator[Model]:
    """Serves it on a free port of 127.0.0.1; raises AssertionError on leaving if a request broke the rules.

    `make`: a kind of it that chooses its replies otherwise.
    """
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    model = make(listener.socket.getsockname()[1], think)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, model.serve, [listener])
        yield model
        nursery.cancel_scope.cancel()
    assert not model.violations, f"the fake model was asked wrongly: {model.violations}"
