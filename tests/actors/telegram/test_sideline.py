"""Calls beside the poll: bounded in number and in time, and never anybody's trouble."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Never, assert_never

import pytest
import trio
from telegram.error import BadRequest
from trio.testing import MockClock

from actors.telegram.sideline import MOST, WITHIN, Sideline
from supervisor import Actor, ChildSpec, Mailbox, Overflow, State, Supervisor, open_system


class Caller(Actor[Never]):
    """Starts what it is given, when it is up."""

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(self, call: Callable[[], Awaitable[object]], times: int) -> None:
        self._call = call
        self._times = times

    async def started(self) -> None:
        aside = Sideline(self.context)
        for _ in range(self._times):
            aside.start("a word", self._call)

    async def receive(self, message: Never) -> None:
        assert_never(message)


async def run(call: Callable[[], Awaitable[object]], times: int = 1, *, seconds: float = 0) -> None:
    async with open_system(Supervisor(ChildSpec("caller", partial(Caller, call, times)))) as system:
        await trio.sleep(seconds + 1)
        node = system.snapshot("/caller")
        assert (node.state, node.restarts) == (State.RUNNING, 0)


async def test_there_is_an_end_of_them(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[float] = []

    async def slow() -> None:
        calls.append(trio.current_time())
        await trio.sleep(5)

    await run(slow, MOST + 3, seconds=5)
    assert len(calls) == MOST
    assert caplog.text.count("left out") == 3


async def test_none_takes_for_ever(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await run(trio.sleep_forever, seconds=WITHIN)
    assert "a word: not within 10 s" in caplog.text


async def test_a_failure_is_noted(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise BadRequest("query is too old")

    with caplog.at_level(logging.INFO):
        await run(fail)
    assert "uery is too old" in caplog.text
