"""Every request of the shared tongue that is the store's has a function."""

from typing import get_args

import actors.messages
from actors.messages import Doubt, GetRoom, ListRooms, StoreRequest, Unfinished, UnfinishedRooms
from supervisor import Request
from tests.actors.store.books import HERE, Books


def test_every_request_is_one_of_the_stores() -> None:
    spoken = {
        each
        for each in vars(actors.messages).values()
        if isinstance(each, type) and issubclass(each, Request) and each.__module__ == actors.messages.__name__
    }
    assert set(get_args(StoreRequest)) == spoken


def test_an_empty_store_answers(books: Books) -> None:
    assert books.do(ListRooms()) == ()
    assert books.do(UnfinishedRooms()) == ()
    assert books.do(Unfinished(place=HERE)) == 0
    assert books.do(Doubt(front="telegram")) == 0
    assert books.due() == ()
    (unknown,) = books.batch(GetRoom(slug="shop"))
    assert isinstance(unknown, Exception)
