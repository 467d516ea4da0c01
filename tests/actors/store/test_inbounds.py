"""Inbounds: taken once or refused once, whatever is sent again; commands beside the queue."""

import pytest

from actors.messages import (
    Accept,
    Accepted,
    AnswerCommand,
    DeliveryKind,
    Duplicate,
    GetRoom,
    NewDelivery,
    Refused,
)
from actors.store.errors import Conflict
from tests.actors.store.books import ELSEWHERE, HERE, Books

NOTE = (NewDelivery(kind=DeliveryKind.NOTE, text="ok", reply_to=3),)


def test_an_accepted_inbound_waits_with_all_its_fields(books: Books) -> None:
    inbound = books.inbound("do it\x00 \ud800")
    reply = books.do(Accept(inbound=inbound, capacity=8))
    assert isinstance(reply, Accepted)
    (queued,) = books.work().queue
    assert (queued.id, queued.person, queued.name, queued.text) == (reply.inbound, 5, "Ada", "do it\x00 ?")
    assert (queued.at, queued.message_id, queued.command, queued.attempts) == (1000.0, inbound.message_id, None, 0)


def test_counts_what_waits_or_runs_before_it(books: Books) -> None:
    first = books.say()
    assert (first.ahead, books.say().ahead) == (0, 1)
    books.begin("t", first)
    assert books.say(command="status").ahead == 0
    assert books.say().ahead == 2
    assert books.say(place=ELSEWHERE).ahead == 0


def test_the_same_key_is_taken_once(books: Books) -> None:
    accept = Accept(inbound=books.inbound(), capacity=8)
    reply = books.twice(accept)
    assert reply == Duplicate(room=books.do(GetRoom(slug="shop")))


def test_twice_in_one_transaction_is_once(books: Books) -> None:
    accept = Accept(inbound=books.inbound(), capacity=8)
    first, second = books.batch(accept, accept)
    assert (type(first), type(second)) == (Accepted, Duplicate)


def test_a_full_queue_refuses_and_says_so_once(books: Books) -> None:
    books.say()
    books.say()
    inbound = books.inbound("one too many")
    reply = books.do(Accept(inbound=inbound, capacity=2))
    assert isinstance(reply, Refused)
    assert reply.capacity == 2
    (delivery,) = books.due()
    assert (delivery.place, delivery.kind, delivery.reply_to) == (HERE, DeliveryKind.REPORT, inbound.message_id)
    assert delivery.text == (
        "This message was not taken, because 2 messages are already waiting here; please send it again later."
    )


def test_what_was_refused_is_never_done_later(books: Books) -> None:
    said = books.say()
    refused = Accept(inbound=books.inbound("one too many"), capacity=1)
    books.do(refused)
    books.end(books.begin("t", said), "t")
    assert books.twice(refused) == Duplicate(room=None)
    assert books.work().queue == ()


def test_a_running_turn_and_commands_leave_the_queue_its_places(books: Books) -> None:
    books.begin("t", books.say(), books.say())
    books.say(command="status")
    assert isinstance(books.do(Accept(inbound=books.inbound(), capacity=1)), Accepted)
    assert isinstance(books.do(Accept(inbound=books.inbound(), capacity=1)), Refused)


def test_commands_have_a_bound_of_their_own_and_stop_has_none(books: Books) -> None:
    books.say()
    books.say(command="status")
    assert isinstance(books.do(Accept(inbound=books.inbound(command="status"), capacity=2)), Accepted)
    assert isinstance(books.do(Accept(inbound=books.inbound(command="status"), capacity=2)), Refused)
    assert isinstance(books.do(Accept(inbound=books.inbound(command="stop"), capacity=2)), Accepted)
    assert isinstance(books.do(Accept(inbound=books.inbound(), capacity=2)), Accepted)


def test_stop_marks_the_open_turn_of_its_room_only(books: Books) -> None:
    books.begin("here", books.say())
    books.begin("there", books.say(place=ELSEWHERE))
    books.say(command="status")
    assert books.work().turn.stop_requested is False  # type: ignore[union-attr]
    books.say(command="stop")
    assert books.work().turn.stop_requested is True  # type: ignore[union-attr]
    assert books.work(ELSEWHERE).turn.stop_requested is False  # type: ignore[union-attr]


def test_a_replayed_stop_spares_the_next_turn(books: Books) -> None:
    room = books.begin("one", books.say())
    stop = Accept(inbound=books.inbound(command="stop"), capacity=8)
    books.do(stop)
    books.end(room, "one")
    books.begin("two", books.say())
    assert isinstance(books.do(stop), Duplicate)
    assert books.work().turn.stop_requested is False  # type: ignore[union-attr]


def test_a_command_is_answered_once(books: Books) -> None:
    command = books.say("/status", command="status")
    assert [each.id for each in books.work().commands] == [command.inbound]
    assert books.work().queue == ()
    books.twice(AnswerCommand(slug="shop", inbound=command.inbound, deliveries=NOTE))
    assert books.work().commands == ()
    (delivery,) = books.due()
    assert (delivery.text, delivery.reply_to, delivery.turn) == ("ok", 3, None)


def test_a_new_session_begins_without_a_leaf(books: Books) -> None:
    books.answered("hi")
    assert books.do(GetRoom(slug="shop")).leaf == "leaf"
    new = books.say("/new", command="new")
    request = AnswerCommand(slug="shop", inbound=new.inbound, deliveries=(), new_session="shop-next")
    books.do(request)
    room = books.do(GetRoom(slug="shop"))
    assert (room.session_id, room.leaf) == ("shop-next", None)
    books.answered("hi")
    books.do(request)
    assert books.do(GetRoom(slug="shop")).leaf == "leaf"


def test_no_new_session_under_an_open_turn(books: Books) -> None:
    books.begin("t", books.say())
    new = books.say("/new", command="new")
    with pytest.raises(Conflict, match="turn t of room shop has not ended"):
        books.do(AnswerCommand(slug="shop", inbound=new.inbound, deliveries=NOTE, new_session="shop-next"))
    assert [each.id for each in books.work().commands] == [new.inbound]
    assert books.due() == ()


def test_only_a_command_of_that_room_is_answered(books: Books) -> None:
    text = books.say()
    elsewhere = books.say(place=ELSEWHERE, command="status")
    for inbound in (text.inbound, elsewhere.inbound, 99):
        with pytest.raises(Conflict, match=f"inbound {inbound} is no command of room shop"):
            books.do(AnswerCommand(slug="shop", inbound=inbound, deliveries=NOTE))
