"""How fast the outbox may speak: Telegram's limits as budgets, per chat and for the whole bot.

The outbox asks before each request and says when it made one. It is pure: the clock is the caller's `now`, monotonic
seconds. The limits are Telegram's published ones; it promises none of them, so a 429 is still to be expected and
is told here by `flood`.
"""

from collections import OrderedDict, deque
from enum import IntEnum
from math import inf
from typing import Final, NamedTuple

__all__ = ["Kind", "Pacing"]


class Kind(IntEnum):
    """What a request is for; the higher may use what the lower must leave."""

    PREVIEW = 0
    """An edit or a draft that shows a running turn."""
    NOTE = 1
    """Small talk of the service; a topic that is made or renamed."""
    FINAL = 2
    """An answer, a question or a report: what a person waits for."""


class Window(NamedTuple):
    """At most `limit` requests in any `period` seconds; `kept[kind]` of them are not for that kind."""

    limit: int
    period: float
    kept: tuple[int, int, int]


# Telegram counts when a request arrives, which is not when it left. Hence periods a little longer than the stated ones.
BOT: Final = Window(30, 1.1, kept=(10, 3, 0))
SHORT: Final = Window(5, 5.5, kept=(2, 1, 0))  # one a second on average; an answer of five parts arrives at once
GROUP: Final = Window(20, 61.0, kept=(8, 3, 0))

PREVIEW_SPACING_PRIVATE: Final = 1.5
PREVIEW_SPACING_GROUP: Final = 3.0
PREVIEW_REST: Final = 30.0
"""Seconds without previews in a chat after its flood wait is over: what Telegram takes again is for finals first."""

_SLACK: Final = 0.001  # a wait is rounded up by this, so that "wait, ask again" gets on whatever a float rounds to


class _Chat:
    """What was sent to one chat of late, and until when Telegram wants no more."""

    __slots__ = ("flooded", "times")

    def __init__(self, limit: int) -> None:
        self.times: deque[float] = deque(maxlen=limit)
        self.flooded = -inf


class Pacing:
    """Budgets of one bot. A chat's topics share the chat's budget; groups are told by their negative id.

    Holds the chats that were spoken to in the last minute or are in a flood wait, and forgets the others.
    """

    def __init__(self) -> None:
        self._bot: deque[float] = deque(maxlen=BOT.limit)
        self._chats: OrderedDict[int, _Chat] = OrderedDict()

    def __len__(self) -> int:
        """How many chats are remembered."""
        return len(self._chats)

    def may(self, chat: int, kind: Kind, now: float) -> float:
        """0.0 if a request may be made now; else the seconds to wait before asking again.

        Waiting reserves nothing: whoever asks first after it may go first, so the outbox asks for finals first.
        """
        ready = _free_at(self._bot, BOT, kind)
        if known := self._chats.get(chat):
            ready = max(ready, known.flooded, *(_free_at(known.times, window, kind) for window in _windows(chat)))
            if kind is Kind.PREVIEW:
                spacing = PREVIEW_SPACING_GROUP if chat < 0 else PREVIEW_SPACING_PRIVATE
                last = known.times[-1] if known.times else -inf
                ready = max(ready, last + spacing, known.flooded + PREVIEW_REST)
        return 0.0 if ready <= now else ready - now + _SLACK

    def spent(self, chat: int, now: float) -> None:
        """A request that counts (send, edit, draft, new topic) is about to be made. It counts whatever comes of it."""
        self._bot.append(now)
        self._touch(chat).times.append(now)
        self._forget(now)

    def flood(self, chat: int, until: float) -> None:
        """Telegram answered 429: nothing to this chat before `until` (on the clock of `now`). Other chats go on."""
        known = self._touch(chat)
        known.flooded = max(known.flooded, until)

    def _touch(self, chat: int) -> _Chat:
        known = self._chats.setdefault(chat, _Chat(max(window.limit for window in _windows(chat))))
        self._chats.move_to_end(chat)
        return known

    def _forget(self, now: float) -> None:
        """Drops the chats that were silent longest. One in a flood wait goes to the other end instead."""
        while True:  # until the chat that was just spoken to comes up, at the latest
            chat, known = next(iter(self._chats.items()))
            if known.times and known.times[-1] + GROUP.period > now:
                return
            if known.flooded + PREVIEW_REST > now:
                self._chats.move_to_end(chat)
            else:
                del self._chats[chat]


def _windows(chat: int) -> tuple[Window, ...]:
    return (SHORT, GROUP) if chat < 0 else (SHORT,)


def _free_at(times: deque[float], window: Window, kind: Kind) -> float:
    """When the window has room for one more of this kind."""
    usable = window.limit - window.kept[kind]
    return times[-usable] + window.period if len(times) >= usable else -inf
