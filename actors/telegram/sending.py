"""One part of a delivery on its way to Telegram: which message it is, and what came of the request.

Used by the outbox, which has the order, the pace and the store. A text's parts are the same in every process as long as
Telegram takes their formatting.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from telegram import Bot, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram.error import TelegramError

from actors.messages import Delivery, DeliveryKind
from actors.telegram.render import MESSAGE_UNITS, Part, plain, render, utf16_len
from actors.telegram.trouble import BadEntities, Permanent, Trouble, sorted_out

__all__ = ["REPETITION", "Arrived", "Sender"]

REPETITION: Final = "♻️ You may have this already:"
"""The first line of what is sent again because nobody knows whether it arrived."""
REMEMBERED: Final = 64
"""Deliveries whose parts are kept; one is begun at a time in a chat, so more than these are rarely on their way."""


class Arrived(NamedTuple):
    """The part is in the chat. `last`: so the whole delivery is."""

    message_id: int | None
    last: bool


class Sender:
    """Sends parts through a bot; remembers how the deliveries that are on their way were cut."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._parts: OrderedDict[int, list[Part]] = OrderedDict()

    async def send(self, delivery: Delivery) -> Arrived | Trouble:
        """Makes the request for the part that is next. Raises `TokenRefused`."""
        parts = self._cut(delivery)
        if not parts:
            return Permanent("there is nothing in it to show")
        if delivery.part >= len(parts):  # it was cut into fewer pieces in another life; all of them have arrived
            return Arrived(None, last=True)
        try:
            return await self._post(delivery, parts)
        except TelegramError as error:
            trouble = sorted_out(error)
        if not isinstance(trouble, BadEntities):
            return trouble
        # At first the text as it was written; once something has arrived the same pieces, or some of it would be lost.
        bare = [Part(text) for text in plain(delivery.text)] if delivery.part == 0 else [Part(p.text) for p in parts]
        self._parts[delivery.id] = bare
        try:
            return await self._post(delivery, bare)
        except TelegramError as error:
            trouble = sorted_out(error)
        return Permanent(trouble.reason) if isinstance(trouble, BadEntities) else trouble

    async def _post(self, delivery: Delivery, parts: list[Part]) -> Arrived:
        """Only the first part is an answer to somebody and rings."""
        place, first = delivery.place, delivery.part == 0
        silent = delivery.kind is DeliveryKind.NOTE or not first
        text, entities = parts[delivery.part]
        if delivery.doubtful:
            mark = f"{REPETITION}\n"
            if utf16_len(mark) + utf16_len(text) > MESSAGE_UNITS:
                await self._bot.send_message(
                    place.chat, REPETITION, message_thread_id=place.thread, disable_notification=True
                )
            else:
                text, entities = mark + text, tuple(MessageEntity.shift_entities(mark, entities))
        reply_to = delivery.reply_to if first else None
        message = await self._bot.send_message(
            place.chat,
            text,
            entities=entities,
            message_thread_id=place.thread,
            disable_notification=silent,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            reply_parameters=None if reply_to is None else ReplyParameters(reply_to, allow_sending_without_reply=True),
        )
        last = delivery.part + 1 == len(parts)
        if last:
            self._parts.pop(delivery.id, None)
        return Arrived(message.message_id, last)

    def _cut(self, delivery: Delivery) -> list[Part]:
        parts = self._parts.get(delivery.id)
        if parts is None:
            parts = render(delivery.text)
            if delivery.part >= len(parts):
                parts = [Part(text) for text in plain(delivery.text)]
            self._parts[delivery.id] = parts
            if len(self._parts) > REMEMBERED:
                self._parts.popitem(last=False)
        return parts
