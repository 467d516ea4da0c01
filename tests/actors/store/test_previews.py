"""Previews: each is known until it is deleted, and due to go when its turn's answer has arrived."""

import pytest

from actors.messages import Preview, PreviewGone, PreviewShown, Sending, Sent, StalePreviews
from actors.store.errors import Conflict
from tests.actors.store.books import HERE, Books


def test_previews_are_stale_when_their_turn_has_ended_and_its_answer_has_arrived(books: Books) -> None:
    room = books.begin("t", books.say())
    first, second = (Preview(turn="t", place=HERE, message_id=number) for number in (70, 71))
    books.twice(PreviewShown(preview=first))
    books.do(PreviewShown(preview=second))
    assert books.do(StalePreviews(front="telegram")) == ()
    books.end(room, "t", "a1")
    assert books.do(StalePreviews(front="telegram")) == ()
    (answer,) = books.due()
    books.do(Sending(ids=(answer.id,)))
    books.do(Sent(id=answer.id, part=0, message_id=72, last=True))
    assert books.do(StalePreviews(front="telegram")) == (first, second)
    assert books.do(StalePreviews(front="console")) == ()
    books.twice(PreviewGone(preview=first))
    assert books.do(StalePreviews(front="telegram")) == (second,)
    books.do(PreviewGone(preview=second))
    assert books.do(StalePreviews(front="telegram")) == ()


def test_a_preview_needs_its_turn(books: Books) -> None:
    with pytest.raises(Conflict, match="FOREIGN KEY"):
        books.do(PreviewShown(preview=Preview(turn="t", place=HERE, message_id=70)))
