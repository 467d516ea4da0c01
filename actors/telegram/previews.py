"""Running turns as people see them: the typing indicator, and a preview of the answer that grows and then goes.

The outbox tells it of pictures and ends. A turn has one task, so its requests keep their order; what fails is left out.
A private chat is shown a draft, which Telegram drops by itself; a group is shown a message, which is deleted.
"""

import logging
import time
import zlib
from collections import OrderedDict
from math import inf
from typing import Final

import trio
from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import TelegramError
from trio_util import periodic

from actors.asking import insist
from actors.messages import Place, Preview, PreviewGone, PreviewShown, ShowProgress, StalePreviews, StoreRequest
from actors.telegram.grace import Grace
from actors.telegram.pacing import Kind, Pacing
from actors.telegram.render import preview
from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, Trouble, Unknown, sorted_out
from actors.telegram.updates import FRONT
from supervisor import Ref

__all__ = ["Previews"]

MOST_TURNS: Final = 256
TYPING_EVERY: Final = 4.0
"""Seconds; Telegram shows the indicator for about five."""
ALIVE: Final = 15.0
"""Seconds that a turn is taken to run after its last picture."""
QUICK: Final = 0.7
"""Seconds; a group sees nothing of an answer that comes sooner."""
DRAFT_LIFE: Final = 25.0
"""Seconds after which a draft is shown again though it is the same: Telegram drops it at 30."""
REQUEST: Final = 5.0
"""Seconds for an answer to a request that does not matter."""
LAST_WAIT: Final = 2.0
"""Seconds that a final waits for the preview's last request, so as to come after it."""
SWEEP_EVERY: Final = 60.0

_log = logging.getLogger(__name__)


class _Turn:
    """A turn that is, or was, shown."""

    def __init__(self, picture: ShowProgress, age: float, now: float) -> None:
        self.picture = picture
        self.seen = now
        self.born = now - age
        self.running = True
        self.over = False  # its final is on the way: nothing more is shown
        self.news = trio.Event()
        self.idle = trio.Event()
        self.message: int | None = None
        self.shown = ""
        self.shown_at = -inf
        self.dropped = False

    @property
    def place(self) -> Place:
        return self.picture.place

    def alive_until(self) -> float:
        return self.seen + ALIVE if self.running and not self.over else -inf


class Previews:
    """The turns of one bot. At most `MOST_TURNS` are known at a time; the one that was quiet longest is forgotten."""

    def __init__(
        self,
        bot: Bot,
        store: Ref[StoreRequest],
        pacing: Pacing,
        grace: Grace,
        nursery: trio.Nursery,
    ) -> None:
        self._bot = bot
        self._store = store
        self._pacing = pacing
        self._grace = grace
        self._nursery = nursery
        self._turns: OrderedDict[str, _Turn] = OrderedDict()

    def show(self, picture: ShowProgress) -> None:
        """The turn runs, and looks like this now."""
        now = trio.current_time()
        turn = self._turns.get(picture.turn)
        if turn is None:
            turn = self._turns[picture.turn] = _Turn(picture, max(0.0, time.time() - picture.since), now)
            turn.idle.set()
            if len(self._turns) > MOST_TURNS:
                _, quiet = self._turns.popitem(last=False)
                quiet.over = True
                quiet.news.set()
        self._turns.move_to_end(picture.turn)
        turn.picture, turn.seen, turn.running = picture, now, True
        turn.news.set()
        if turn.idle.is_set() and not turn.over:
            turn.idle = trio.Event()
            self._nursery.start_soon(self._follow, turn)

    def end(self, turn_id: str) -> None:
        """The turn runs no more: nothing moves now, and what is shown waits for the final."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            turn.running = False
            turn.news.set()

    async def give_way(self, turn_id: str) -> None:
        """The turn's final is about to be sent: nothing is shown after it."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            turn.over = True
            turn.news.set()
            with trio.move_on_after(LAST_WAIT):
                await turn.idle.wait()

    async def clean_up(self, turn_id: str) -> None:
        """The turn's final has arrived in a group: its preview goes."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            await turn.idle.wait()
        for stale in await insist(self._store, StalePreviews(front=FRONT)):
            if stale.turn == turn_id:
                await self._delete(stale)

    async def sweep(self) -> None:
        """Deletes, now and every minute, the previews that a crash or a lost connection left behind."""
        async for _ in periodic(SWEEP_EVERY):
            for stale in await insist(self._store, StalePreviews(front=FRONT)):
                await self._delete(stale)

    # --- one turn

    async def _follow(self, turn: _Turn) -> None:
        next_typing = -inf
        try:
            while (now := trio.current_time()) < turn.alive_until():
                turn.news = trio.Event()
                if now >= next_typing:
                    await self._type(turn.place)
                    next_typing = now + TYPING_EVERY
                elif (due := self._due(turn, now)) <= now:
                    await self._show(turn)
                else:
                    with trio.move_on_at(min(due, next_typing, turn.alive_until())):
                        await turn.news.wait()
        finally:
            turn.idle.set()

    def _due(self, turn: _Turn, now: float) -> float:
        """When the turn's picture may be shown; never if that would show nothing new."""
        private, text = turn.place.chat > 0, _text(turn)
        if turn.dropped or not text:
            return inf
        if text == turn.shown:
            due = turn.shown_at + DRAFT_LIFE if private else inf
        else:
            due = now if private else turn.born + QUICK
        return max(due, now + self._pacing.may(turn.place.chat, Kind.PREVIEW, now))

    async def _show(self, turn: _Turn) -> None:
        text = _text(turn)
        self._pacing.spent(turn.place.chat, trio.current_time())
        try:
            if turn.place.chat > 0:
                await self._draft(turn, text)
            elif turn.message is None:
                # Not cut short by a stop: a message whose id nobody kept would stand there for ever.
                with self._grace.given():
                    await self._post(turn, text)
            else:
                await self._bot.edit_message_text(
                    text, turn.place.chat, turn.message, read_timeout=REQUEST, write_timeout=REQUEST
                )
        except TelegramError as error:
            self._failed(turn, text, sorted_out(error))
        else:
            turn.shown, turn.shown_at = text, trio.current_time()

    def _failed(self, turn: _Turn, text: str, trouble: Trouble) -> None:
        match trouble:
            case Flood(seconds):
                self._pacing.flood(turn.place.chat, trio.current_time() + seconds)
                return
            case Permanent(reason) | BadEntities(reason):
                turn.dropped = "not modified" not in reason
            case NotSent() | Unknown() | Busy():
                # The next picture may try again. Only a message is not sent twice: the first may be there, ownerless.
                turn.dropped = turn.place.chat < 0 and turn.message is None and isinstance(trouble, Unknown)
        turn.shown = text
        if turn.dropped:
            _log.info("the preview of turn %s is given up: %r", turn.picture.turn, trouble)

    async def _draft(self, turn: _Turn, text: str) -> None:
        await self._bot.send_message_draft(
            turn.place.chat,
            zlib.crc32(turn.picture.turn.encode()) or 1,
            text,
            message_thread_id=turn.place.thread,
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )

    async def _post(self, turn: _Turn, text: str) -> None:
        message = await self._bot.send_message(
            turn.place.chat,
            text,
            message_thread_id=turn.place.thread,
            disable_notification=True,
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )
        turn.message = message.message_id
        shown = Preview(turn=turn.picture.turn, place=turn.place, message_id=turn.message)
        await insist(self._store, PreviewShown(preview=shown))

    async def _type(self, place: Place) -> None:
        try:
            await self._bot.send_chat_action(
                place.chat,
                ChatAction.TYPING,
                message_thread_id=place.thread,
                read_timeout=REQUEST,
                write_timeout=REQUEST,
            )
        except TelegramError as error:
            _log.debug("no typing is shown in %s: %r", place, sorted_out(error))

    async def _delete(self, stale: Preview) -> None:
        """Deletes and forgets a preview; one that Telegram will not delete is forgotten too."""
        try:
            await self._bot.delete_message(stale.place.chat, stale.message_id, read_timeout=REQUEST)
        except TelegramError as error:
            trouble = sorted_out(error)
            if not isinstance(trouble, Permanent | BadEntities):
                _log.info("a preview in %s is deleted later: %r", stale.place, trouble)
                return
            if "not found" not in trouble.reason:
                _log.warning("a preview stays in %s: %s", stale.place, trouble.reason)
        await insist(self._store, PreviewGone(preview=stale))


def _text(turn: _Turn) -> str:
    return preview(turn.picture.text, turn.picture.tools)
