"""Marks on people's messages: seen, done, failed, stopped. The newest of a message wins, and none of them is kept.

The outbox tells it of marks. It speaks only when previews might, and leaves a chat alone that wants none.
"""

import logging
from collections import OrderedDict
from functools import partial
from math import inf
from typing import Final, NamedTuple

import trio

from actors.messages import Mark, React
from actors.telegram.courtesy import REQUEST, Courtesy
from actors.telegram.pacing import Kind
from actors.telegram.trouble import Flood, Permanent

__all__ = ["Reactions"]

MOST: Final = 256
"""Messages whose marks wait; of more, the oldest goes without."""
SETTLES: Final = 0.25
"""Seconds that a mark waits for a newer one of its message: what is answered at once needs one request and not two,
and the request for a receipt does not delay the work that it is the receipt of."""
REFUSED_FOR: Final = 3600.0
"""Seconds without marks in a chat that has refused one."""

EMOJI: Final = {Mark.SEEN: "👀", Mark.DONE: "👌", Mark.FAILED: "💔", Mark.STOPPED: "🫡"}

_NO_MESSAGE: Final = ("not found", "message_id_invalid")

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """A mark that is to be set, and since when its message has one that is."""

    mark: Mark
    since: float


class Reactions:
    """The marks of one bot that are still to be set."""

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy
        self._waiting: OrderedDict[tuple[int, int], _Waiting] = OrderedDict()
        self._refused: OrderedDict[int, float] = OrderedDict()
        self._news = trio.Event()

    def show(self, react: React) -> None:
        """The message bears this mark from now on."""
        chat = react.place.chat
        if self._refused.get(chat, -inf) > trio.current_time():
            return
        key = chat, react.message_id
        known = self._waiting.get(key)
        since = trio.current_time() if known is None else known.since
        self._waiting[key] = _Waiting(react.mark, since)
        if len(self._waiting) > MOST:
            self._waiting.popitem(last=False)
        self._news.set()

    async def run(self) -> None:
        """Sets one mark after the other, for ever."""
        while True:
            self._news = trio.Event()
            wait = inf
            now = trio.current_time()
            for (chat, message), waiting in self._waiting.items():
                left = max(waiting.since + SETTLES - now, self._courtesy.pacing.may(chat, Kind.REACTION, now))
                wait = min(wait, left)
                if left <= 0:
                    del self._waiting[chat, message]
                    await self._set(chat, message, waiting.mark)
                    break
            else:
                with trio.move_on_after(wait):
                    await self._news.wait()

    async def _set(self, chat: int, message: int, mark: Mark) -> None:
        bot = self._courtesy.bot
        request = partial(
            bot.set_message_reaction, chat, message, EMOJI[mark], read_timeout=REQUEST, write_timeout=REQUEST
        )
        trouble = await self._courtesy.attempt(chat, request, Kind.REACTION)
        if isinstance(trouble, Flood):
            self._waiting.setdefault((chat, message), _Waiting(mark, trio.current_time()))
        elif isinstance(trouble, Permanent) and not any(words in trouble.reason.lower() for words in _NO_MESSAGE):
            _log.info("chat %d wants no marks: %s", chat, trouble.reason)
            self._refuse(chat)

    def _refuse(self, chat: int) -> None:
        self._refused[chat] = trio.current_time() + REFUSED_FOR
        self._refused.move_to_end(chat)
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)
        for key in [key for key in self._waiting if key[0] == chat]:
            del self._waiting[key]
