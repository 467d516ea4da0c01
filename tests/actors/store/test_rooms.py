"""Rooms: one for a place, each with a name, a folder and a session of its own."""

import pytest

from actors.messages import Accept, GetRoom, ListRooms, Place, RenameRoom, RoomSettings, UnfinishedRooms
from actors.store.errors import UnknownRoom
from tests.actors.store.books import ELSEWHERE, HERE, Books


def test_the_first_message_makes_the_room(books: Books) -> None:
    room = books.say().room
    assert (room.slug, room.place, room.title, room.workspace) == ("shop", HERE, "Shop", "/work/shop")
    assert room.session_id.startswith("shop-")
    assert room.leaf is None
    assert (room.created_at, room.updated_at) == (1000.0, 1000.0)
    assert books.do(GetRoom(slug="shop")) == room


@pytest.mark.parametrize("place", [HERE, ELSEWHERE, Place("console", 0)])
def test_a_place_keeps_its_room(books: Books, place: Place) -> None:
    first = books.say(place=place).room
    assert books.say(place=place).room.slug == first.slug
    assert books.say(place=place).room.session_id == first.session_id


def test_a_topic_a_chat_and_another_front_are_three_places(books: Books) -> None:
    places = [Place("telegram", -100), Place("telegram", -100, 0), Place("telegram", -100, 1), Place("other", -100)]
    assert [books.say(place=place).room.slug for place in places] == ["shop", "shop-2", "shop-3", "shop-4"]


def test_rooms_made_in_one_transaction_share_nothing(books: Books) -> None:
    accepts = [Accept(inbound=books.inbound(place=Place("telegram", chat)), capacity=8) for chat in (1, 2)]
    books.batch(*accepts)
    one, two = books.do(ListRooms())
    assert one.slug != two.slug
    assert one.session_id != two.session_id
    assert one.workspace != two.workspace


def test_a_new_title_renames_the_room_but_not_its_slug(books: Books) -> None:
    books.say()
    books.do(Accept(inbound=books.inbound(title="Shop 2"), capacity=8))
    books.do(Accept(inbound=books.inbound(title=""), capacity=8))
    assert books.do(GetRoom(slug="shop")).title == "Shop 2"


def test_an_unknown_room_is_an_answer(books: Books) -> None:
    with pytest.raises(UnknownRoom, match="'nope'"):
        books.do(GetRoom(slug="nope"))


def test_lists_the_most_recently_used_first(books: Books) -> None:
    for chat in (1, 2, 3):
        books.now += 1
        books.say(place=Place("telegram", chat))
    books.now += 1
    books.say(place=Place("telegram", 1))
    assert [room.place.chat for room in books.do(ListRooms())] == [1, 3, 2]
    assert [room.place.chat for room in books.do(ListRooms(limit=2))] == [1, 3]
    assert books.do(ListRooms(limit=-1)) == ()


def test_unfinished_rooms_have_a_queue_a_turn_or_a_command(books: Books) -> None:
    books.say(place=Place("telegram", 1))
    books.say(place=Place("telegram", 2), command="status")
    books.begin("t", books.say(place=Place("telegram", 3)))
    books.answered("done", place=Place("telegram", 4))
    assert {room.place.chat for room in books.do(UnfinishedRooms())} == {1, 2, 3}


def test_a_new_room_has_no_settings_and_no_project(books: Books) -> None:
    room = books.say().room
    assert (room.settings, room.project, room.gone_at) == (RoomSettings(), None, None)


def test_a_place_that_is_called_otherwise_keeps_its_room(books: Books) -> None:
    books.say()
    books.twice(RenameRoom(place=HERE, title="Web shop"))
    room = books.do(GetRoom(slug="shop"))
    assert (room.title, room.workspace, room.updated_at) == ("Web shop", "/work/shop", 1000.0)
    before = books.rows()
    books.do(RenameRoom(place=ELSEWHERE, title="Nothing"))
    books.do(RenameRoom(place=HERE, title=""))
    assert books.rows() == before
