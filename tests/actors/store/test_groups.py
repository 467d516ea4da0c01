"""Groups: the owner is asked once, and what they allow is told there."""

from actors.messages import Approve, DeliveryKind, GetAccess, GroupOffered, Knock, Place
from tests.actors.store.books import Books

OWNER = Place("telegram", 42)


def offer(owner: int | None = 42, chat: int = -100) -> GroupOffered:
    return GroupOffered(front="telegram", chat=chat, title="Team", name="Ada", owner=owner)


def groups(books: Books) -> frozenset[int]:
    return books.do(GetAccess(front="telegram")).groups


def test_the_owner_is_asked_once(books: Books) -> None:
    books.twice(offer())
    books.do(offer(owner=43))
    (asked,) = books.due()
    assert (asked.place, asked.kind) == (OWNER, DeliveryKind.QUESTION)
    assert asked.text.startswith("Ada has added me to the group Team.")
    assert [key.label for key in asked.keys[0]] == ["Allow"]
    assert groups(books) == frozenset()


def test_a_group_may_be_offered_again_when_somebody_can_decide(books: Books) -> None:
    books.do(offer(owner=None))
    assert books.rows()["groups"] == []
    books.do(Approve(code=str(books.do(Knock(front="telegram", person=42, name="Ada", owner=None)))))
    books.do(offer(owner=None))
    assert [each.kind for each in books.send_all() if each.place == OWNER][-1] is DeliveryKind.QUESTION


def test_an_allowed_group_is_told_and_not_asked_about_again(books: Books) -> None:
    books.do(offer())
    (asked,) = books.send_all()
    books.press(asked.keys[0][0].data, place=OWNER, owner=True)
    assert groups(books) == {-100}
    edit, told = books.due()
    assert (edit.text, edit.keys, edit.edits is not None) == ("The group Team may be used.", (), True)
    assert told.place == Place("telegram", -100)
    assert told.text.startswith("I may be used here now")
    before = books.rows()
    books.do(offer())
    assert books.rows() == before
