"""One running turn as its chat sees it: typing, the answer as it grows, and a button that stops it.

Made and told by `previews`; its requests are courtesies and keep their order. In a private chat the answer is a draft,
which Telegram drops by itself and which bears no buttons, so that a turn that takes longer gets a message with one. In
a group, and where drafts are refused, that message is the answer as well. Whoever sends the final deletes it.
"""

import logging
import time
import zlib
from functools import partial
from math import inf
from typing import Final

import trio
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.constants import ChatAction
from trio_util import AsyncValue

from actors.asking import insist
from actors.messages import Place, Preview, PreviewShown, ShowProgress, StoreRequest, stop_data
from actors.telegram.courtesy import REQUEST, Courtesy
from actors.telegram.grace import Grace
from actors.telegram.pacing import Kind
from actors.telegram.render import preview
from actors.telegram.trouble import BadEntities, Busy, Flood, NotSent, Permanent, Unknown
from supervisor import Ref

__all__ = ["WAITING", "WORKING", "TurnView"]

TYPING_EVERY: Final = 4.0
"""Seconds; Telegram shows the indicator for about five."""
ALIVE: Final = 15.0
"""Seconds that a turn is taken to run after its last picture."""
QUICK: Final = 0.7
"""Seconds; a group sees nothing of an answer that comes sooner."""
LONG: Final = 3.0
"""Seconds after which a turn has a button to stop it, whatever there is to show."""
SOON: Final = 1.0
"""Seconds; a draft that the message with the button would hide within that time waits for it."""
LATE: Final = 5.0
"""Seconds after its end in which a turn may still be told of, and is not shown for that."""
DRAFT_LIFE: Final = 25.0
"""Seconds after which a draft is shown again though it is the same: Telegram drops it at 30."""
REST: Final = 3.0
"""Seconds without another try after one that was lost on its way."""
WORKING: Final = "Working on it."
WAITING: Final = "Waiting for your answer."

_log = logging.getLogger(__name__)


class TurnView:
    """A turn that is, or was, shown. `show` begins it and `follow` keeps it up until it ends or falls silent."""

    def __init__(self, picture: ShowProgress, courtesy: Courtesy, store: Ref[StoreRequest], grace: Grace) -> None:
        self._courtesy = courtesy
        self._store = store
        self._grace = grace
        self._picture = picture
        self._born = trio.current_time() - max(0.0, time.time() - picture.since)
        self._seen = -inf
        self._news = trio.Event()
        self._waits = AsyncValue(picture.waits)
        self._drafts = picture.place.chat > 0
        self._shown = ""
        self._shown_at = -inf
        self._hidden = False  # our own message has taken the draft off the screen
        self._message: int | None = None
        self._word = ""  # what that message says, where the answer is a draft
        self._asked = False  # for that message: never a second time, the first may be there without an owner
        self._rest_until = -inf
        self._over_at: float | None = None
        self.idle = trio.Event()
        """Set while nothing is being asked of Telegram."""
        self.idle.set()

    @property
    def message(self) -> int | None:
        """The message that is there until the final has arrived."""
        return self._message

    def show(self, picture: ShowProgress) -> bool:
        """The turn runs, and looks like this now. Returns whether somebody must begin to `follow`."""
        self._picture, self._seen = picture, trio.current_time()
        self._waits.value = picture.waits
        if self._over_at is not None and self._seen > self._over_at + LATE:
            self._over_at = None  # what looked like its end was the report of a room that gave up, and tries again
        self._news.set()
        begins = self.idle.is_set() and self._over_at is None
        if begins:
            self.idle = trio.Event()
        return begins

    def pause(self) -> None:
        """The turn runs no more: nothing moves now, and what is shown waits for the final."""
        self._seen = -inf
        self._news.set()

    def finish(self) -> None:
        """Nothing of this turn is shown any more, though a picture of it may still be on its way here."""
        self._over_at = trio.current_time()
        self._news.set()

    async def follow(self) -> None:
        """Shows the turn while it runs."""
        try:
            with self._courtesy.pacing.showing(self._place.chat):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_typing)
                    await self._keep_up()
                    nursery.cancel_scope.cancel()
        finally:
            self.idle.set()

    # --- when

    def _alive_until(self) -> float:
        return self._seen + ALIVE if self._over_at is None else -inf

    async def _keep_up(self) -> None:
        while (now := trio.current_time()) < self._alive_until():
            self._news = trio.Event()
            draft, message = self._draft_due(now), self._message_due(now)
            if self._shown and message < now + SOON:
                draft = max(draft, message)
            if message <= now:
                await (self._post() if self._message is None else self._edit(self._message))
            elif draft <= now:
                await self._draft()
            else:
                with trio.move_on_at(min(draft, message, self._alive_until())):
                    await self._news.wait()

    def _draft_due(self, now: float) -> float:
        """When a draft may be sent; never if it would show nothing new."""
        if not self._drafts:
            return inf
        ready = self._ready(self._kind_of_draft, now)
        if ready > now:
            return ready
        text = self._text()
        if not text:
            return inf
        return max(now, self._shown_at + DRAFT_LIFE) if text == self._shown and not self._hidden else now

    def _message_due(self, now: float) -> float:
        """When the message may be sent or changed; never if it is unknown whether it is there, or says the same."""
        if not self._picture.begun or (self._asked and self._message is None):
            return inf
        ready = self._ready(self._kind_of_message, now)
        if ready > now:
            return ready
        if self._message is None:
            return max(now, self._born + (QUICK if self._text() and not self._drafts else LONG))
        return inf if self._body() == (self._word if self._drafts else self._shown) else now

    @property
    def _kind_of_draft(self) -> Kind:
        if not self._shown:
            return Kind.FIRST
        return Kind.BUTTON if self._hidden else Kind.PREVIEW

    @property
    def _kind_of_message(self) -> Kind:
        if self._drafts:
            return Kind.BUTTON
        return Kind.FIRST if self._message is None else Kind.PREVIEW

    def _ready(self, kind: Kind, now: float) -> float:
        return max(self._rest_until, now + self._courtesy.pacing.may(self._place.chat, kind, now))

    # --- what

    @property
    def _place(self) -> Place:
        return self._picture.place

    def _text(self) -> str:
        return preview(self._picture.text, self._picture.tools)

    def _body(self) -> str:
        """What our own message says: a word beside the draft, or the answer so far."""
        word = WAITING if self._picture.waits else WORKING
        return word if self._drafts else self._text() or word

    async def _keep_typing(self) -> None:
        place = self._place
        typing = partial(
            self._courtesy.bot.send_chat_action,
            place.chat,
            ChatAction.TYPING,
            message_thread_id=place.thread,
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )
        result: object = None
        while not isinstance(result, Permanent):
            await self._waits.wait_value(False)
            await trio.sleep(self._courtesy.pacing.flooded(place.chat, trio.current_time()))
            result = await self._courtesy.attempt(place.chat, typing)
            await trio.sleep(TYPING_EVERY)

    async def _draft(self) -> None:
        text, place = self._text(), self._place
        request = partial(
            self._courtesy.bot.send_message_draft,
            place.chat,
            zlib.crc32(self._picture.turn.encode()) or 1,
            text,
            message_thread_id=place.thread,
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )
        result = await self._courtesy.attempt(place.chat, request, Kind.PREVIEW)
        if isinstance(result, Permanent | BadEntities):
            self._log(result)
            self._drafts, self._shown = False, ""
        else:
            self._note(result, text)
            self._hidden = self._hidden and result is not True

    async def _post(self) -> None:
        text, place = self._body(), self._place
        self._asked = True
        request = partial(
            self._courtesy.bot.send_message,
            place.chat,
            text,
            message_thread_id=place.thread,
            disable_notification=True,
            reply_markup=self._stop(),
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )
        # Not cut short by a stop: a message whose id nobody kept would stand there for ever.
        with self._grace.given():
            result = await self._courtesy.attempt(place.chat, request, Kind.PREVIEW)
            if isinstance(result, Message):
                self._message = result.message_id
                shown = Preview(turn=self._picture.turn, place=place, message_id=self._message)
                await insist(self._store, PreviewShown(preview=shown))
        if isinstance(result, Flood | NotSent | Busy):
            self._asked = False
        elif isinstance(result, Permanent | BadEntities):
            self._log(result)
        if self._drafts:
            self._hidden = self._message is not None
        self._told(result, text)

    async def _edit(self, message: int) -> None:
        text, place = self._body(), self._place
        request = partial(
            self._courtesy.bot.edit_message_text,
            text,
            place.chat,
            message,
            reply_markup=self._stop(),
            read_timeout=REQUEST,
            write_timeout=REQUEST,
        )
        result = await self._courtesy.attempt(place.chat, request, Kind.PREVIEW)
        if isinstance(result, Permanent) and "not modified" not in result.reason.lower():
            self._log(result)
            self._message = None
        self._told(result, text)

    def _told(self, result: object, text: str) -> None:
        """What our own message says now."""
        if not self._drafts:
            self._note(result, text)
            return
        self._rest(result)
        if not isinstance(result, Flood):
            self._word = text

    def _note(self, result: object, text: str) -> None:
        """What is on the screen now. What was lost on its way is made up by the next picture."""
        self._rest(result)
        if not isinstance(result, Flood):
            self._shown, self._shown_at = text, trio.current_time()

    def _rest(self, result: object) -> None:
        if isinstance(result, NotSent | Unknown | Busy):
            self._rest_until = trio.current_time() + REST

    def _log(self, trouble: Permanent | BadEntities) -> None:
        _log.info("turn %s cannot be shown in %s so: %s", self._picture.turn, self._place, trouble.reason)

    def _stop(self) -> InlineKeyboardMarkup:
        data = stop_data(self._picture.turn)
        return InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data=data)]])
