"""One request of a delivery on its way to Telegram: a part of it, a change of it or its topic, and what came of that.

Used by the outbox, which has the order, the pace and the store. What the parts are is decided in `pieces`, and which
file may be sent is decided by whoever queued it.
"""

import os
import stat
from collections import OrderedDict
from typing import Final, NamedTuple

import trio
from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import FileSizeLimit
from telegram.error import TelegramError

from actors.messages import Delivery, DeliveryKind
from actors.telegram.pieces import REPETITION, Document, Piece, bared, keyboard, marked, pieces, topic_name, whole
from actors.telegram.trouble import BadEntities, Permanent, Trouble, sorted_out

__all__ = ["Arrived", "Changed", "Made", "Result", "Sender"]

REMEMBERED: Final = 64
"""Deliveries whose parts are kept; one is begun at a time in a chat, so more than these are rarely on their way."""
LARGEST_FILE: Final = int(FileSizeLimit.FILESIZE_UPLOAD)
"""Bytes that a bot may send."""
UPLOAD_RATE: Final = 100_000
"""Bytes a second: what a slow line does at least."""
UPLOAD_ANSWER: Final = 60.0
"""Seconds that Telegram may think about a file, and that sending one takes at least."""

_RINGING: Final = frozenset({DeliveryKind.ANSWER, DeliveryKind.REPORT, DeliveryKind.QUESTION})
# An edit that asks for what is there already, or of what somebody has deleted, has nothing left to do.
_CHANGED_ALREADY: Final = ("not modified", "message to edit not found", "message_id_invalid")
_NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)


class Arrived(NamedTuple):
    """The part is in the chat. `last`: so the whole delivery is."""

    message_id: int | None
    last: bool


class Changed(NamedTuple):
    """The delivery's message says what it is to say, or is gone."""


class Made(NamedTuple):
    """The delivery has become this topic."""

    thread: int


Result = Arrived | Changed | Made | Trouble


class _NoFile(Exception):
    """The file cannot be sent. `reason`: why, in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender:
    """Makes the requests of deliveries through a bot; remembers how those that are on their way were cut."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._pieces: OrderedDict[tuple[int, int], list[Piece]] = OrderedDict()

    async def send(self, delivery: Delivery) -> Result:
        """Makes the request that is next. Raises `TokenRefused`."""
        try:
            if delivery.kind is DeliveryKind.TOPIC:
                return await self._make_topic(delivery)
            if delivery.edits is not None:
                return await self._change(delivery, delivery.edits)
            return await self._send_part(delivery)
        except TelegramError as error:
            trouble = sorted_out(error)
        except _NoFile as error:
            trouble = Permanent(error.reason)
        return Permanent(trouble.reason) if isinstance(trouble, BadEntities) else trouble

    # --- a part

    async def _send_part(self, delivery: Delivery) -> Arrived | Trouble:
        found = self._cut(delivery)
        if not found:
            return Permanent("there is nothing in it to show")
        if delivery.part >= len(found):  # it was cut into fewer pieces in another life; all of them have arrived
            return Arrived(None, last=True)
        try:
            return await self._post(delivery, found)
        except TelegramError as error:
            trouble = sorted_out(error)
        if not isinstance(trouble, BadEntities):
            return trouble
        # At first the text as it was written; once something has arrived the same pieces, or some of it would be lost.
        found = pieces(delivery, bare=True) if delivery.part == 0 else [bared(piece) for piece in found]
        self._pieces[delivery.id, delivery.revision] = found
        return await self._post(delivery, found)

    async def _post(self, delivery: Delivery, found: list[Piece]) -> Arrived:
        """Only the first part is an answer to somebody and rings; the buttons stand below the last."""
        place, first, last = delivery.place, delivery.part == 0, delivery.part + 1 == len(found)
        piece = found[delivery.part]
        if delivery.doubtful:
            above = marked(piece)
            if above is None:
                await self._bot.send_message(
                    place.chat, REPETITION, message_thread_id=place.thread, disable_notification=True
                )
            piece = above or piece
        reply = None
        if first and delivery.reply_to is not None:
            reply = ReplyParameters(delivery.reply_to, allow_sending_without_reply=True)
        silent = delivery.silent or delivery.kind not in _RINGING or not first
        markup = keyboard(delivery) if last else None
        if piece.document is None:
            message = await self._bot.send_message(
                place.chat,
                piece.text,
                entities=piece.entities,
                message_thread_id=place.thread,
                disable_notification=silent,
                link_preview_options=_NO_PREVIEW,
                reply_parameters=reply,
                reply_markup=markup,
            )
        else:
            content = await _content(piece.document)
            message = await self._bot.send_document(
                place.chat,
                content,
                filename=piece.document.name,
                caption=piece.text or None,
                caption_entities=piece.entities,
                message_thread_id=place.thread,
                disable_notification=silent,
                reply_parameters=reply,
                reply_markup=markup,
                write_timeout=UPLOAD_ANSWER + len(content) / UPLOAD_RATE,
                read_timeout=UPLOAD_ANSWER,
            )
        if last:
            self._pieces.pop((delivery.id, delivery.revision), None)
        return Arrived(message.message_id, last)

    def _cut(self, delivery: Delivery) -> list[Piece]:
        key = delivery.id, delivery.revision
        found = self._pieces.get(key)
        if found is None:
            found = pieces(delivery)
            if delivery.part >= len(found):
                found = pieces(delivery, bare=True)
            self._pieces[key] = found
            if len(self._pieces) > REMEMBERED:
                self._pieces.popitem(last=False)
        return found

    # --- a change

    async def _change(self, delivery: Delivery, message_id: int) -> Changed | Trouble:
        result: Changed | Trouble = Permanent("there is nothing in it to show")
        for bare in (False, True):
            piece = whole(delivery, bare=bare)
            if piece is not None:
                result = await self._edit(delivery, message_id, piece)
            if not isinstance(result, BadEntities):
                break
        return result

    async def _edit(self, delivery: Delivery, message_id: int, piece: Piece) -> Changed | Trouble:
        chat, markup = delivery.place.chat, keyboard(delivery)
        try:
            if piece.document is None:
                await self._bot.edit_message_text(
                    piece.text,
                    chat,
                    message_id,
                    entities=piece.entities,
                    link_preview_options=_NO_PREVIEW,
                    reply_markup=markup,
                )
            else:
                await self._bot.edit_message_caption(
                    chat, message_id, caption=piece.text, caption_entities=piece.entities, reply_markup=markup
                )
        except TelegramError as error:
            trouble = sorted_out(error)
            if not isinstance(trouble, Permanent) or not any(w in trouble.reason.lower() for w in _CHANGED_ALREADY):
                return trouble
        return Changed()

    # --- a topic

    async def _make_topic(self, delivery: Delivery) -> Made | Trouble:
        """A second one, if nobody knows whether the first was made: an empty topic is better than none."""
        name = topic_name(delivery)
        if not name:
            return Permanent("a topic needs a name")
        topic = await self._bot.create_forum_topic(delivery.place.chat, name)
        return Made(topic.message_thread_id)


async def _content(document: Document) -> bytes:
    if document.source is None:
        return document.content
    return await trio.to_thread.run_sync(_read, document.source, abandon_on_cancel=True)


def _read(path: str) -> bytes:
    """All of a plain file. Follows no link, because it was a plain file when somebody allowed it to be sent."""
    name = os.path.basename(path)
    try:
        # A pipe in its place would otherwise be waited for.
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _NoFile(f"{name} is no plain file")
            if found.st_size > LARGEST_FILE:
                raise _NoFile(f"{name} has {found.st_size / 1e6:.1f} MB; Telegram takes {LARGEST_FILE / 1e6:g} at most")
            content = file.read(LARGEST_FILE)
    except OSError as error:
        raise _NoFile(f"{name} cannot be read ({error.strerror})") from None
    if not content:
        raise _NoFile(f"{name} is empty, and Telegram takes no empty file")
    return content
