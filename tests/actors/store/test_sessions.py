"""Sessions: which a room has had, and back to one of them with all that it had come to."""

import pytest

from actors.messages import AnswerCommand, GetRoom, SessionInfo, Sessions
from actors.store.errors import Conflict
from tests.actors.store.books import ELSEWHERE, Books


def enter(books: Books, session: str) -> None:
    command = books.say("/x", command="x").inbound
    books.twice(AnswerCommand(slug="shop", inbound=command, deliveries=(), new_session=session))


def converse(books: Books, turn: str, text: str, leaf: str) -> None:
    books.end(books.begin(turn, books.say(text)), turn, "ok", leaf=leaf)


def test_a_room_has_its_first_session(books: Books) -> None:
    room = books.say().room
    assert books.do(Sessions(slug="shop")) == (
        SessionInfo(id=room.session_id, began_at=1000.0, used_at=1000.0, turns=0, first=""),
    )


def test_the_one_in_use_comes_first_then_the_most_recently_used(books: Books) -> None:
    said = books.say("a" * 100)
    first = said.room.session_id
    books.end(books.begin("t", said), "t", "ok")
    books.now = 2000.0
    enter(books, "second")
    converse(books, "u", "again", "e2")
    books.now = 3000.0
    enter(books, "third")
    listed = books.do(Sessions(slug="shop"))
    assert [(each.id, each.turns, each.first) for each in listed] == [
        ("third", 0, ""),
        ("second", 1, "again"),
        (first, 1, "a" * 80),
    ]
    assert [each.id for each in books.do(Sessions(slug="shop", limit=1))] == ["third"]
    books.now = 4000.0
    enter(books, first)
    assert [each.id for each in books.do(Sessions(slug="shop"))] == [first, "third", "second"]


def test_a_return_finds_the_session_where_it_stood(books: Books) -> None:
    first = books.say().room.session_id
    converse(books, "t", "one", "e1")
    enter(books, "second")
    assert books.do(GetRoom(slug="shop")).leaf is None
    converse(books, "u", "two", "e2")
    enter(books, first)
    room = books.do(GetRoom(slug="shop"))
    assert (room.session_id, room.leaf) == (first, "e1")
    enter(books, "second")
    assert books.do(GetRoom(slug="shop")).leaf == "e2"


def test_the_session_in_use_is_not_begun_again(books: Books) -> None:
    session = books.say().room.session_id
    converse(books, "t", "one", "e1")
    enter(books, session)
    assert books.do(GetRoom(slug="shop")).leaf == "e1"


def test_the_one_in_use_comes_first_though_another_began_later(books: Books) -> None:
    books.say()
    for session in ("b", "c", "b"):
        enter(books, session)
        books.db.execute("UPDATE sessions SET used_at = 1000")
        assert books.do(Sessions(slug="shop"))[0].id == session


def test_another_rooms_session_is_not_to_be_had(books: Books) -> None:
    books.say()
    theirs = books.say(place=ELSEWHERE).room.session_id
    with pytest.raises(Conflict, match=f"session {theirs} belongs to room shop-2"):
        enter(books, theirs)
