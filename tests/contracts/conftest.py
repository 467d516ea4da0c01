"""What the contract tests share."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def loopback_clock(autojump_clock: MockClock) -> MockClock:
    """Virtual time for real sockets: it jumps only when nothing has moved for 50 ms, so loopback has its time."""
    autojump_clock.autojump_threshold = 0.05
    return autojump_clock
