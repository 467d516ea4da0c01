"""The running turns of one bot: who is shown, who makes way for the final, and what becomes of what was shown.

The outbox tells it of pictures, ends and finals. How one turn looks is `turn_view`'s business; the messages that show
one are kept in the store, so that none is orphaned by a crash.
"""

import logging
from collections import OrderedDict
from functools import partial
from typing import Final

import trio

from actors.asking import insist
from actors.messages import Preview, PreviewGone, ShowProgress, StalePreviews, StoreRequest
from actors.telegram.courtesy import REQUEST, Courtesy
from actors.telegram.grace import Grace
from actors.telegram.trouble import BadEntities, Permanent
from actors.telegram.turn_view import TurnView
from actors.telegram.updates import FRONT
from supervisor import Ref

__all__ = ["Previews"]

MOST_TURNS: Final = 256
LAST_WAIT: Final = 2.0
"""Seconds that a final waits for the preview's last request, so as to come after it."""
SWEEP_EVERY: Final = 60.0

_log = logging.getLogger(__name__)


class Previews:
    """At most `MOST_TURNS` are known at a time; the one that was quiet longest is forgotten."""

    def __init__(self, courtesy: Courtesy, store: Ref[StoreRequest], grace: Grace, nursery: trio.Nursery) -> None:
        self._courtesy = courtesy
        self._store = store
        self._grace = grace
        self._nursery = nursery
        self._turns: OrderedDict[str, TurnView] = OrderedDict()

    def show(self, picture: ShowProgress) -> None:
        """The turn runs, and looks like this now."""
        turn = self._turns.get(picture.turn)
        if turn is None:
            turn = self._turns[picture.turn] = TurnView(picture, self._courtesy, self._store, self._grace)
            if len(self._turns) > MOST_TURNS:
                _, quiet = self._turns.popitem(last=False)
                quiet.finish()
        self._turns.move_to_end(picture.turn)
        if turn.show(picture):
            self._nursery.start_soon(turn.follow)

    def end(self, turn_id: str) -> None:
        """The turn runs no more. Usually its final is on the way; where there is none, its message goes now."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            turn.pause()
            self._nursery.start_soon(self._ended, turn_id, turn)

    async def give_way(self, turn_id: str) -> None:
        """The turn's final is about to be sent: nothing is shown after it."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            turn.finish()
            with trio.move_on_after(LAST_WAIT):
                await turn.idle.wait()

    async def clean_up(self, turn_id: str) -> None:
        """Deletes what showed the turn, if it has ended and its final has arrived."""
        turn = self._turns.get(turn_id)
        if turn is not None:
            await turn.idle.wait()
        for stale in await insist(self._store, StalePreviews(front=FRONT)):
            if stale.turn == turn_id:
                await self._delete(stale)

    async def _ended(self, turn_id: str, turn: TurnView) -> None:
        await turn.idle.wait()
        if turn.message is not None:
            await self.clean_up(turn_id)

    async def sweep(self) -> None:
        """Deletes, now and every minute, the previews that a crash or a lost connection left behind."""
        while True:
            for stale in await insist(self._store, StalePreviews(front=FRONT)):
                await self._delete(stale)
            await trio.sleep(SWEEP_EVERY)

    async def _delete(self, stale: Preview) -> None:
        """Deletes and forgets a preview; one that Telegram will not delete loses its button and is forgotten too."""
        bot, chat, message = self._courtesy.bot, stale.place.chat, stale.message_id
        if self._courtesy.pacing.flooded(chat, trio.current_time()) > 0:
            return  # the sweep comes back to it
        delete = partial(bot.delete_message, chat, message, read_timeout=REQUEST, write_timeout=REQUEST)
        result = await self._courtesy.attempt(chat, delete)
        if isinstance(result, Permanent | BadEntities):
            if "not found" not in result.reason.lower():
                _log.warning("a preview stays in %s: %s", stale.place, result.reason)
                bare = partial(bot.edit_message_reply_markup, chat, message, read_timeout=REQUEST)
                await self._courtesy.attempt(chat, bare)
        elif not isinstance(result, bool):
            _log.info("a preview in %s is deleted later: %r", stale.place, result)
            return
        await insist(self._store, PreviewGone(preview=stale))
