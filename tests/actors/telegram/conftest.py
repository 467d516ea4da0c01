"""What the tests of Telegram's actors share."""

import pytest
from trio.testing import MockClock

from actors.telegram.api import tls


@pytest.fixture
def loopback_clock(autojump_clock: MockClock) -> MockClock:
    """Virtual time for real sockets and a real disk: it jumps only when nothing has moved for 50 ms."""
    tls()  # made before the clock runs, because a thread's work is no movement
    autojump_clock.autojump_threshold = 0.05
    return autojump_clock
