"""How fast the outbox may speak: Telegram's limits as budgets, per chat and for the whole bot.

The outbox asks before each request and says when it made one, and while a turn is shown. It is pure: the clock is the
caller's `now`, monotonic seconds. The limits are Telegram's published ones; it promises none of them, so a 429 is still
to be expected and is told here by `flood`.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from math import inf
from typing import Final, NamedTuple

__all__ = ["GROUP", "Kind", "Pacing"]


class Kind(IntEnum):
    """What a request is for; the higher may use what the lower must leave."""

    REACTION = 0
    """A mark on a person's message: no message, so it counts for the bot as a whole and not for its chat."""
    PREVIEW = 1
    """An edit or a draft that shows how far a running turn has got since the last one."""
    BUTTON = 2
    """The message with the button that stops a turn, and the draft that it has taken off the screen: at once."""
    FIRST = 3
    """A turn's first picture: that there is life matters more than how far the others have got."""
    NOTE = 4
    """Small talk of the service, a message that is changed, a topic that is made."""
    FINAL = 5
    """An answer, a question or a report: what a person waits for."""


class Window(NamedTuple):
    """At most `limit` requests in any `period` seconds; `kept[kind]` of them are not for that kind."""

    limit: int
    period: float
    kept: tuple[int, int, int, int, int, int]


# Telegram counts when a request arrives, which is not when it left. Hence periods a little longer than the stated ones.
BOT: Final = Window(30, 1.1, kept=(15, 12, 8, 5, 3, 0))
SHORT: Final = Window(5, 5.5, kept=(2, 2, 1, 1, 1, 0))  # one a second on average; an answer of five parts comes at once
GROUP: Final = Window(20, 61.0, kept=(8, 8, 6, 4, 3, 0))

PREVIEW_SPACING_PRIVATE: Final = 1.5
PREVIEW_SPACING_GROUP: Final = 3.0
PREVIEW_SHARE: Final = 14
"""Of the bot's window, what all chats in which a turn is shown divide among them: fewer than previews may use."""
LEFT_TO_TURNS: Final = 2
"""Of a group's window, what each further turn that is shown in it takes from previews: its own final, and the first
picture of the next one."""
REACTION_SPACING: Final = 1.0
PREVIEW_REST: Final = 30.0
"""Seconds without previews and marks in a chat after its flood wait: what Telegram takes again is for finals first."""

_SLACK: Final = 0.001  # a wait is rounded up by this, so that "wait, ask again" gets on whatever a float rounds to


class _Chat:
    """What was sent to one chat of late, and until when Telegram wants no more."""

    __slots__ = ("flooded", "reacted", "times")

    def __init__(self, limit: int) -> None:
        self.times: deque[float] = deque(maxlen=limit)
        self.reacted = -inf
        self.flooded = -inf

    @property
    def last(self) -> float:
        """When it was last spoken to."""
        return max(self.reacted, self.times[-1] if self.times else -inf)


class Pacing:
    """Budgets of one bot. A chat's topics share the chat's budget; groups are told by their negative id.

    Holds the chats that were spoken to in the last minute or are in a flood wait, and forgets the others.
    """

    def __init__(self) -> None:
        self._bot: deque[float] = deque(maxlen=BOT.limit)
        self._chats: OrderedDict[int, _Chat] = OrderedDict()
        self._shown: Counter[int] = Counter()

    def __len__(self) -> int:
        """How many chats are remembered."""
        return len(self._chats)

    @contextmanager
    def showing(self, chat: int) -> Iterator[None]:
        """A turn is being shown in this chat during the block. The more there are, the rarer are previews."""
        self._shown[chat] += 1
        try:
            yield
        finally:
            self._shown[chat] -= 1
            if not self._shown[chat]:
                del self._shown[chat]

    def may(self, chat: int, kind: Kind, now: float) -> float:
        """0.0 if a request may be made now; else the seconds to wait before asking again.

        Waiting reserves nothing: whoever asks first after it may go first, so the outbox asks for finals first.
        """
        ready = _free_at(self._bot, BOT, kind)
        if known := self._chats.get(chat):
            ready = max(ready, known.flooded if kind > Kind.FIRST else known.flooded + PREVIEW_REST)
            if kind is Kind.REACTION:
                ready = max(ready, known.reacted + REACTION_SPACING)
            else:
                ready = max(ready, *(_free_at(known.times, window, kind) for window in _windows(chat)))
            if kind is Kind.PREVIEW and known.times:
                ready = max(ready, known.times[-1] + self._spacing(chat), self._left_over(chat, known.times))
        return 0.0 if ready <= now else ready - now + _SLACK

    def spent(self, chat: int, kind: Kind, now: float) -> None:
        """A request that counts (send, edit, draft, mark, new topic) is about to be made; it does, whatever comes."""
        self._bot.append(now)
        known = self._touch(chat)
        if kind is Kind.REACTION:
            known.reacted = now
        else:
            known.times.append(now)
        self._forget(now)

    def recall(self, chat: int, at: float) -> None:
        """A message arrived then, in an earlier life of the outbox. Told oldest first, before anything is `spent`."""
        self._bot.append(at)
        self._touch(chat).times.append(at)

    def answered(self, chat: int, kind: Kind, sent: float, now: float) -> None:
        """The request that was `spent` at that time is over: it may have reached Telegram as late as `now`.

        On a slow way requests bunch together; so each counts from the latest moment at which Telegram can have seen it.
        """
        known = self._chats.get(chat)
        for times in [self._bot] if known is None or kind is Kind.REACTION else [self._bot, known.times]:
            if sent in times:
                times.remove(sent)
                times.append(now)

    def flooded(self, chat: int, now: float) -> float:
        """For how many seconds Telegram wants nothing at all in this chat; 0.0 mostly."""
        known = self._chats.get(chat)
        return 0.0 if known is None else max(0.0, known.flooded - now)

    def flood(self, chat: int, until: float) -> None:
        """Telegram answered 429: nothing to this chat before `until` (on the clock of `now`). Other chats go on."""
        known = self._touch(chat)
        known.flooded = max(known.flooded, until)

    def _spacing(self, chat: int) -> float:
        """Seconds from whatever was last sent to a chat to its next preview."""
        least = PREVIEW_SPACING_GROUP if chat < 0 else PREVIEW_SPACING_PRIVATE
        return max(least, len(self._shown) * BOT.period / PREVIEW_SHARE)

    def _left_over(self, chat: int, times: deque[float]) -> float:
        """When a group's window has room for a preview beside what the other turns that are shown there will need."""
        others = self._shown[chat] - 1
        return -inf if chat > 0 or others <= 0 else _free_at(times, GROUP, Kind.PREVIEW, others * LEFT_TO_TURNS)

    def _touch(self, chat: int) -> _Chat:
        known = self._chats.setdefault(chat, _Chat(max(window.limit for window in _windows(chat))))
        self._chats.move_to_end(chat)
        return known

    def _forget(self, now: float) -> None:
        """Drops the chats that were silent longest. One in a flood wait goes to the other end instead."""
        while True:  # until the chat that was just spoken to comes up, at the latest
            chat, known = next(iter(self._chats.items()))
            if known.last + GROUP.period > now:
                return
            if known.flooded + PREVIEW_REST > now:
                self._chats.move_to_end(chat)
            else:
                del self._chats[chat]


def _windows(chat: int) -> tuple[Window, ...]:
    return (SHORT, GROUP) if chat < 0 else (SHORT,)


def _free_at(times: deque[float], window: Window, kind: Kind, besides: int = 0) -> float:
    """When the window has room for one more of this kind. `besides`: what that kind must leave beside what is kept."""
    usable = max(1, window.limit - window.kept[kind] - besides)
    return times[-usable] + window.period if len(times) >= usable else -inf
