"""What the tests of Telegram's actors share."""

from typing import Any

import pytest
from trio.testing import MockClock

from actors.telegram.api import tls
from tests.fakes.telegram_api.rules import bad


@pytest.fixture
def loopback_clock(autojump_clock: MockClock) -> MockClock:
    """Virtual time for real sockets and a real disk: it jumps only when nothing has moved for 50 ms."""
    tls()  # made before the clock runs, because a thread's work is no movement
    autojump_clock.autojump_threshold = 0.05
    return autojump_clock


@pytest.fixture
def no_entities(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A switch: while it holds True, Telegram takes no formatting."""
    switch = [True]

    def refuse(text: str, entities: list[Any], **_: Any) -> tuple[str, list[Any]]:
        if entities and switch[-1]:
            raise bad("can't parse entities: unsupported")
        return text, entities

    monkeypatch.setattr("tests.fakes.telegram_api.methods.checked_text", refuse)
    return switch
