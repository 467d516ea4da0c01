"""Access: one front end's people, groups and what its rooms listen to."""

from actors.messages import Access, AnswerCommand, Approve, GetAccess, Knock, Place, RoomSettings
from tests.actors.store.books import ELSEWHERE, HERE, Books


def test_nobody_at_first(books: Books) -> None:
    books.say()
    assert books.do(GetAccess(front="telegram")) == Access()


def test_a_front_end_has_its_own(books: Books) -> None:
    for front, person in (("telegram", 7), ("other", 8)):
        books.do(Approve(code=str(books.do(Knock(front=front, person=person, name="x", owner=None)))))
    assert [each.id for each in books.do(GetAccess(front="telegram")).people] == [7]


def test_what_a_room_listens_to_is_known_by_its_place(books: Books) -> None:
    for place, settings in (
        (HERE, RoomSettings(listen="mentions")),
        (ELSEWHERE, RoomSettings(muted=True)),
        (Place("other", 1), RoomSettings(listen="all")),
    ):
        said = books.say("/x", command="x", place=place)
        books.do(AnswerCommand(slug=said.room.slug, inbound=said.inbound, deliveries=(), settings=settings))
    assert books.do(GetAccess(front="telegram")).listen == {HERE: "mentions"}
