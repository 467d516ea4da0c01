"""How much Telegram takes: messages and edits counted for each chat and for the bot, and the 429 for what is too much.

Pure; `now` is given.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from tests.fakes.telegram_api.rules import ApiError


@dataclass(frozen=True)
class Limits:
    """How many messages and edits are taken. The defaults are the published limits, with a burst in private chats.

    Whoever is refused stays refused for at least `penalty` seconds, so that going on regardless never pays.
    """

    private_per_second: float = 1.0
    private_burst: int = 5
    group_per_minute: int = 20
    bot_per_second: int = 30
    penalty: float = 3.0


UNLIMITED = Limits(private_burst=10**6, group_per_minute=10**6, bot_per_second=10**6)


@dataclass
class Flood:
    """Counts what was sent and refuses what is too much."""

    limits: Limits
    _sent: dict[int | None, deque[float]] = field(default_factory=dict)
    _refused_until: dict[int, float] = field(default_factory=dict)

    def take(self, chat: int, now: float) -> None:
        """Counts one message or edit, or raises the 429."""
        limits = self.limits
        ready = self._refused_until.get(chat, now)
        if chat > 0:
            period = limits.private_burst / limits.private_per_second
            ready = max(ready, self._free_at(chat, limits.private_burst, period, now))
        else:
            ready = max(ready, self._free_at(chat, limits.group_per_minute, 60.0, now))
        ready = max(ready, self._free_at(None, limits.bot_per_second, 1.0, now))
        if ready > now:
            ready = self._refused_until[chat] = max(ready, self._refused_until.get(chat, now + limits.penalty))
            seconds = math.ceil(ready - now)
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        self._refused_until.pop(chat, None)
        self._sent[chat].append(now)
        self._sent[None].append(now)

    def _free_at(self, chat: int | None, limit: int, period: float, now: float) -> float:
        sent = self._sent.setdefault(chat, deque())
        while sent and sent[0] + period <= now:
            sent.popleft()
        return sent[-limit] + period if len(sent) >= limit else now
