"""What a delivery is made of: the messages that it becomes, with footer, keyboard and file. Nothing is sent here.

Used by `sending`. It is pure, and the same delivery gives the same pieces in every process, so that "part 3 of it"
survives a restart. How Markdown becomes text is `render`'s business.
"""

from itertools import chain
from pathlib import PurePath
from typing import Final, NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.constants import ForumTopicLimit, MessageLimit

from actors.messages import Delivery
from actors.telegram.cutting import MESSAGE_UNITS, head, utf16_len
from actors.telegram.render import Part, plain, render

__all__ = ["REPETITION", "Document", "Piece", "bared", "keyboard", "marked", "pieces", "topic_name", "whole"]

REPETITION: Final = "♻️ You may have this already:"
"""The first line of what is sent again because nobody knows whether it arrived."""
MOST_PARTS: Final = 5
"""Messages that a text may become; what is longer comes as some messages and a file."""
REST: Final = "The answer is long: the rest is in this file, which has all of it."

_CAPTION_UNITS: Final = int(MessageLimit.CAPTION_LENGTH)
_ENTITIES: Final = int(MessageLimit.MESSAGE_ENTITIES)
_NAME_UNITS: Final = int(ForumTopicLimit.MAX_NAME_LENGTH)
_FOOTER_UNITS: Final = 256


class Document(NamedTuple):
    """A file to send: `content`, or what lies at the absolute path `source`."""

    name: str
    content: bytes = b""
    source: str | None = None


class Piece(NamedTuple):
    """One message: its text or, with a document, its caption, which may be empty."""

    text: str
    entities: tuple[MessageEntity, ...] = ()
    document: Document | None = None

    @property
    def room(self) -> int:
        """The most that its text may have, in UTF-16 units."""
        return MESSAGE_UNITS if self.document is None else _CAPTION_UNITS


def pieces(delivery: Delivery, *, bare: bool = False) -> list[Piece]:
    """The messages of a delivery, in order; none if there is nothing to show. `bare`: the Markdown as it was written.

    A text of more than `MOST_PARTS` comes as one message less and the file `answer.md`. A delivery's own file has the
    text for its caption; if that is too long, the text comes first. The footer stands below the last of them, or
    follows it where it has no room.
    """
    found = [Piece(*part) for part in _parts(delivery.text, bare=bare)]
    footer = _footer(delivery.footer)
    if len(found) > MOST_PARTS:
        answer = Document("answer.md", delivery.text.encode(errors="replace"))
        found = [*found[: MOST_PARTS - 1], Piece(REST, document=answer)]
    if delivery.file is not None:
        file = Document(PurePath(delivery.file).name, source=delivery.file)
        caption = found[0]._replace(document=file) if len(found) == 1 else None
        if caption is not None and _fits(_with_footer(caption, footer, bare=bare)):
            found = [caption]
        else:
            found.append(Piece("", document=file))
    if found and footer:
        closed = _with_footer(found[-1], footer, bare=bare)
        found[-1:] = [closed] if _fits(closed) else [found[-1], _with_footer(Piece(""), footer, bare=bare)]
    return found


def whole(delivery: Delivery, *, bare: bool = False) -> Piece | None:
    """All of a delivery as one message, as an edit needs it: a longer text ends in an ellipsis. None: nothing to show.

    Of a delivery with a file it is the caption.
    """
    parts = _parts(delivery.text, bare=bare)
    footer = _footer(delivery.footer)
    if not parts:
        return None
    file = None if delivery.file is None else Document(PurePath(delivery.file).name, source=delivery.file)
    piece = Piece(*parts[0], document=file)
    closed = _with_footer(piece, footer, bare=bare)
    if len(parts) == 1 and _fits(closed):
        return closed
    below = utf16_len(closed.text) - utf16_len(piece.text)
    return _with_footer(_cut(piece, piece.room - below), footer, bare=bare)


def bared(piece: Piece) -> Piece:
    """The same text without its formatting."""
    return piece._replace(entities=())


def marked(piece: Piece) -> Piece | None:
    """The piece with the mark of a repetition above it; None if there is no room for that."""
    mark = f"{REPETITION}\n" if piece.text else REPETITION
    if utf16_len(mark) + utf16_len(piece.text) > piece.room:
        return None
    entities = tuple(MessageEntity.shift_entities(utf16_len(mark), piece.entities))
    return piece._replace(text=mark + piece.text, entities=entities)


def keyboard(delivery: Delivery) -> InlineKeyboardMarkup | None:
    """The delivery's buttons."""
    rows = [[InlineKeyboardButton(key.label, callback_data=key.data) for key in row] for row in delivery.keys]
    return InlineKeyboardMarkup(rows) if any(rows) else None


def topic_name(delivery: Delivery) -> str:
    """What a new topic is called: one line, at most 128 units; empty if there is nothing left of it."""
    return head(_line(delivery.text), _NAME_UNITS)


def _parts(text: str, *, bare: bool) -> list[Part]:
    return [Part(piece) for piece in plain(text)] if bare else render(text)


def _footer(text: str) -> str:
    return head(_line(text), _FOOTER_UNITS)


def _line(text: str) -> str:
    return " ".join(" ".join(plain(text)).split())


def _with_footer(piece: Piece, footer: str, *, bare: bool) -> Piece:
    if not footer:
        return piece
    above = f"{piece.text}\n\n" if piece.text else ""
    entities = piece.entities
    if not bare and len(entities) < _ENTITIES:
        entities = (*entities, MessageEntity(MessageEntity.ITALIC, utf16_len(above), utf16_len(footer)))
    return piece._replace(text=above + footer, entities=entities)


def _fits(piece: Piece) -> bool:
    return utf16_len(piece.text) <= piece.room


def _cut(piece: Piece, units: int) -> Piece:
    """The beginning of a piece, and an ellipsis: at most `units` in all. Formatting ends where the text does."""
    text = head(f"{piece.text}…", units)[:-1].rstrip()
    end = utf16_len(text)
    kept = chain.from_iterable(_clipped(entity, end) for entity in piece.entities)
    return piece._replace(text=f"{text}…", entities=tuple(kept))


def _clipped(entity: MessageEntity, end: int) -> tuple[MessageEntity, ...]:
    if entity.offset + entity.length <= end:
        return (entity,)
    if entity.offset >= end:
        return ()
    shorter = end - entity.offset
    return (MessageEntity(entity.type, entity.offset, shorter, url=entity.url, language=entity.language),)
