"""The rows of questions: an agent asks, a person answers, once.

Plain functions of a connection, called inside a transaction by `records`, and by `acceptance` and `presses`, which
bring the answers. A question outlives the turn that asked it only if that turn ended `waiting`.
"""

from typing import NamedTuple

import apsw
import msgspec

from actors.messages import (
    CloseQuestion,
    DeliveryKind,
    Inbound,
    NewDelivery,
    OpenQuestion,
    Question,
    QuestionState,
)
from actors.phrases import asking
from actors.store.buttons import filled
from actors.store.errors import Conflict
from actors.store.outgoing import queue_delivery, tell_room
from actors.store.rooms import room
from actors.store.texts import storable

_QUESTIONS = (
    "SELECT questions.id, turn, dialog, method, title, text, options, asked_at, expires_at, outcome IS NOT NULL "
    "FROM questions JOIN turns ON turns.id = turn"
)


class Asked(NamedTuple):
    """An open question, and whether the turn that asked it has ended in the meantime."""

    question: Question
    ended: bool


def open_question(db: apsw.Connection, now: float, request: OpenQuestion) -> Question:
    """The question and the message that asks it. The same dialog of the same turn is the same question."""
    home = room(db, request.slug)
    known = _asked(db, " WHERE turn = ? AND dialog = ?", request.turn, request.dialog)
    if known:
        return known[0].question
    if db.execute("SELECT room FROM turns WHERE id = ? AND outcome IS NULL", (request.turn,)).get != home.slug:
        raise Conflict("OpenQuestion", f"turn {request.turn} is not open in room {home.slug}")
    db.execute(
        "INSERT INTO questions (room, turn, dialog, method, title, text, options, asked_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            home.slug,
            request.turn,
            request.dialog,
            request.method,
            storable(request.title),
            storable(request.text),
            msgspec.json.encode(tuple(map(storable, request.options))).decode(),
            now,
            request.expires_at,
        ),
    )
    number = db.last_insert_rowid()
    new = request.delivery
    key = None if new.key is None else new.key.replace("{id}", str(number))
    new = msgspec.structs.replace(new, key=key, buttons=filled(new.buttons, number))
    delivery = queue_delivery(db, now, new.place or home.place, new, slug=home.slug, turn=request.turn)
    db.execute("UPDATE questions SET delivery = ? WHERE id = ?", (delivery, number))
    return _asked(db, " WHERE questions.id = ?", number)[0].question


def close_question(db: apsw.Connection, now: float, request: CloseQuestion) -> None:
    """The end of a question; one that is over stays as it is, and nothing more is said about it."""
    home = room(db, request.slug)
    state = db.execute("SELECT state FROM questions WHERE id = ? AND room = ?", (request.question, home.slug)).get
    if state is None:
        raise Conflict("CloseQuestion", f"there is no question {request.question} in room {home.slug}")
    if request.state is QuestionState.OPEN:
        raise Conflict("CloseQuestion", "a question does not end open")
    if state == QuestionState.OPEN:
        close(db, now, request.question, request.state)
        tell_room(db, now, home, request.deliveries)


def open_questions(db: apsw.Connection, slug: str) -> tuple[Question, ...]:
    """A room's open questions, oldest first."""
    return tuple(asked.question for asked in _open(db, slug))


def asked_at(db: apsw.Connection, turn: str) -> float | None:
    """When the oldest open question of a turn was asked; None if it has none."""
    at: float | None = db.execute("SELECT min(asked_at) FROM questions WHERE turn = ? AND state = 'open'", (turn,)).get
    return at


def cancel_questions(db: apsw.Connection, now: float, turn: str) -> None:
    """The turn has ended and nobody waits for the answers."""
    db.execute("UPDATE questions SET state = 'cancelled', closed_at = ? WHERE turn = ? AND state = 'open'", (now, turn))


def close(db: apsw.Connection, now: float, question: int, state: QuestionState) -> None:
    """What became of an open question."""
    db.execute("UPDATE questions SET state = ?, closed_at = ? WHERE id = ? AND state = 'open'", (state, now, question))


def take_answer(db: apsw.Connection, now: float, slug: str, asked: Asked, words: str) -> None:
    """Somebody has answered, and the question's message says so: whoever waits for the answer may be gone by now."""
    question = asked.question
    close(db, now, question.id, QuestionState.ANSWERED)
    said = option(question, words) or words.strip() or "(empty)"
    text = asking(question.title, question.text, said)
    shown = NewDelivery(kind=DeliveryKind.QUESTION, text=text, key=f"question:{question.id}")
    tell_room(db, now, room(db, slug), (shown,))


def still_open(db: apsw.Connection, now: float, slug: str, question: int) -> Asked | None:
    """That question of a room, if it can still be answered."""
    for asked in _open(db, slug):
        if asked.question.id == question and asked.question.expires_at > now:
            return asked
    return None


def answered_by(db: apsw.Connection, now: float, slug: str, inbound: Inbound) -> Asked | None:
    """The question that a person's text answers: the one that it replies to, else the newest that it fits."""
    words = inbound.text.strip()
    if inbound.command is not None or inbound.attachments or inbound.burst or inbound.mode or not words:
        return None
    asked = [each for each in reversed(_open(db, slug)) if each.question.expires_at > now]
    if asked and inbound.reply_to is not None:
        for each in asked:
            if _is_asked_by(db, each.question.id, inbound.reply_to):
                return each
    for each in asked:
        if each.question.method != "confirm" or option(each.question, words) is not None:
            return each
    return None


def option(question: Question, words: str) -> str | None:
    """The option that these words are, however they are spelt."""
    folded = words.strip().casefold()
    return next((each for each in question.options if each.strip().casefold() == folded), None)


def answer(question: Question, words: str) -> str:
    """The text of the command that carries this answer: an option's own words or, if these look like one, its index."""
    said = option(question, words) or words.strip()
    if said in question.options and said.isdecimal() and int(said) < len(question.options):
        said = str(question.options.index(said))
    return f"/answer {question.id} {said}"


def asks(question: Question) -> str:
    """The question in its own words, for a prompt that has to say what is answered."""
    return "\n\n".join(words for words in (question.title, question.text) if words)


def _open(db: apsw.Connection, slug: str) -> list[Asked]:
    return _asked(db, " WHERE questions.room = ? AND state = 'open' ORDER BY questions.id", slug)


def _is_asked_by(db: apsw.Connection, question: int, message_id: int) -> bool:
    return bool(
        db.execute(
            "SELECT count(*) FROM questions JOIN parts ON parts.delivery = questions.delivery "
            "WHERE questions.id = ? AND message_id = ?",
            (question, message_id),
        ).get
    )


def _asked(db: apsw.Connection, which: str, *values: str | int) -> list[Asked]:
    return [
        Asked(
            Question(
                id=id,
                turn=turn,
                dialog=dialog,
                method=method,
                title=title,
                text=text,
                options=msgspec.json.decode(options, type=tuple[str, ...]),
                asked_at=asked_at,
                expires_at=expires_at,
            ),
            bool(ended),
        )
        for id, turn, dialog, method, title, text, options, asked_at, expires_at, ended in db.execute(
            _QUESTIONS + which, values
        )
    ]
