"""People: the owner first, and gone when they are removed."""

from actors.messages import Approve, Knock, People, RemovePerson
from actors.store.people import owner_of, person_of
from tests.actors.store.books import Books


def approve(books: Books, person: int, front: str = "telegram") -> None:
    books.now += 1
    code = books.do(Knock(front=front, person=person, name=f"p{person}", owner=None))
    books.do(Approve(code=str(code)))


def test_the_owner_is_first_then_who_came_first(books: Books) -> None:
    for person in (9, 3, 5):
        approve(books, person)
    assert [(each.id, each.owner) for each in books.do(People())] == [(9, True), (3, False), (5, False)]
    assert owner_of(books.db, "telegram") == 9
    assert owner_of(books.db, "other") is None


def test_each_front_end_has_an_owner(books: Books) -> None:
    approve(books, 9)
    approve(books, 3, front="other")
    assert owner_of(books.db, "other") == 3
    assert person_of(books.db, "telegram", 3) is None


def test_who_is_removed_is_a_stranger(books: Books) -> None:
    approve(books, 9)
    approve(books, 3)
    assert books.do(RemovePerson(person=3)) is True
    assert books.twice(RemovePerson(person=3)) is False
    assert [each.id for each in books.do(People())] == [9]


def test_the_next_who_is_approved_takes_a_gone_owners_place(books: Books) -> None:
    approve(books, 9)
    approve(books, 3)
    books.do(RemovePerson(person=9))
    assert owner_of(books.db, "telegram") is None
    approve(books, 5)
    assert owner_of(books.db, "telegram") == 5
