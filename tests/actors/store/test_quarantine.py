"""What is set aside: listed, tried once more or dropped, with all of its turn, once."""

import pytest

from actors.messages import (
    Accepted,
    Button,
    DropQuarantined,
    ListQuarantined,
    Outcome,
    Quarantined,
    RetryQuarantined,
)
from actors.store.presses import OVER
from tests.actors.store.books import ELSEWHERE, HERE, Books


def set_aside(books: Books, turn: str = "t", *texts: str) -> list[Accepted]:
    """A turn with those messages that ended the agent too often."""
    said = [books.say(text) for text in texts or ("boom",)]
    books.begin(turn, *said)
    books.begin(turn, *said, attempt=3)
    books.end(said[0].room, turn, outcome=Outcome.QUARANTINED)
    return said


def listed(books: Books) -> list[str]:
    return [each.text for each in books.do(ListQuarantined())]


def retry_button(books: Books, turn: str = "t", command: str = "retry") -> str:
    books.tell("set aside", Button(label="Press", command=command, argument=turn))
    return f"b:{books.newest_delivery()}:0"


def test_the_list_says_what_of_whom_and_since_when(books: Books) -> None:
    books.now = 2000.0
    (said,) = set_aside(books)
    books.begin("u", books.say("fine"))
    books.say("/status", command="status")
    assert books.do(ListQuarantined()) == (
        Quarantined(
            inbound=said.inbound,
            room="shop",
            name="Ada",
            text="boom",
            at=2000.0,
            attempts=3,
            turn="t",
            set_aside_at=2000.0,
        ),
    )


def test_the_oldest_first_of_whatever_room(books: Books) -> None:
    books.say()
    elsewhere = books.say("1", place=ELSEWHERE)
    books.end(books.begin("t", elsewhere), "t", outcome=Outcome.QUARANTINED)
    set_aside(books, "u", "2")
    assert [(each.room, each.text) for each in books.do(ListQuarantined())] == [("shop-2", "1"), ("shop", "2")]


def test_the_oldest_first_and_no_more_than_asked_for(books: Books) -> None:
    set_aside(books, "t", "1", "2")
    set_aside(books, "u", "3")
    assert listed(books) == ["1", "2", "3"]
    assert [each.text for each in books.do(ListQuarantined(limit=2))] == ["1", "2"]
    assert books.do(ListQuarantined(limit=-1)) == ()


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.QUARANTINED])
def test_no_other_end_sets_a_message_aside(books: Books, outcome: Outcome) -> None:
    books.end(books.begin("t", books.say()), "t", outcome=outcome)
    assert listed(books) == []


def test_a_retry_queues_the_whole_turn_once_more(books: Books) -> None:
    one, two = set_aside(books, "t", "1", "2")
    books.db.execute("UPDATE rooms SET failed_at = 1")
    room = books.do(RetryQuarantined(inbound=two.inbound))
    assert room is not None
    assert room.slug == "shop"
    assert [(each.text, each.attempts) for each in books.work().queue] == [("1", 0), ("2", 0)]
    assert books.db.execute("SELECT failed_at FROM rooms").get is None
    assert listed(books) == []
    assert books.twice(RetryQuarantined(inbound=two.inbound)) is None
    assert books.do(RetryQuarantined(inbound=one.inbound)) is None
    assert books.do(DropQuarantined(inbound=one.inbound)) is None


def test_what_is_set_aside_again_is_in_the_list_again(books: Books) -> None:
    (said,) = set_aside(books)
    books.do(RetryQuarantined(inbound=said.inbound))
    (again,) = books.work().queue
    accepted = Accepted(room=said.room, inbound=again.id, ahead=0)
    books.begin("u", accepted)
    books.end(said.room, "u", outcome=Outcome.QUARANTINED)
    assert [(each.inbound, each.turn) for each in books.do(ListQuarantined())] == [(again.id, "u")]
    assert books.do(RetryQuarantined(inbound=again.id)) is not None
    assert [each.text for each in books.work().queue] == ["boom"]


def test_what_is_dropped_is_told_where_it_was_said(books: Books) -> None:
    one, two = set_aside(books, "t", "1", "2")
    room = books.do(DropQuarantined(inbound=two.inbound))
    assert room is not None
    assert room.slug == "shop"
    assert (listed(books), books.work().queue) == ([], ())
    (told,) = books.due()
    answered = books.db.execute("SELECT message_id FROM inbound WHERE id = ?", (one.inbound,)).get
    assert (told.place, told.reply_to) == (HERE, answered)
    assert told.text == (
        "This message and 1 more were set aside and are dropped now. Send again what should be done after all."
    )
    assert books.twice(DropQuarantined(inbound=two.inbound)) is None
    assert books.do(RetryQuarantined(inbound=one.inbound)) is None


def test_a_command_that_saw_the_turn_end_is_not_dropped_with_it(books: Books) -> None:
    said = books.say()
    books.begin("t", said)
    books.say("/status", command="status")
    books.end(said.room, "t", outcome=Outcome.QUARANTINED)
    books.do(DropQuarantined(inbound=said.inbound))
    assert [(each.command, each.saw_end) for each in books.work().commands] == [("status", True)]


def test_a_message_that_cannot_be_answered_is_named(books: Books) -> None:
    said = books.say("*boom*", message_id=None)
    books.end(books.begin("t", said), "t", outcome=Outcome.QUARANTINED)
    books.do(DropQuarantined(inbound=said.inbound))
    assert [(each.reply_to, each.text) for each in books.due()] == [
        (
            None,
            "The message “\\*boom\\*” was set aside and is dropped now. Send it again if it should be done after all.",
        )
    ]


@pytest.mark.parametrize("decide", [RetryQuarantined, DropQuarantined])
def test_the_buttons_in_the_chat_are_over_once_it_is_decided(
    books: Books, decide: type[RetryQuarantined] | type[DropQuarantined]
) -> None:
    (said,) = set_aside(books)
    data = [retry_button(books, command=command) for command in ("retry", "drop_aside")]
    books.do(decide(inbound=said.inbound))
    assert [books.press(each).said for each in data] == [OVER, OVER]
    assert books.work().commands == ()


def test_the_buttons_in_the_chat_are_live_until_then(books: Books) -> None:
    set_aside(books)
    pressed = [books.press(retry_button(books, command=each)).said for each in ("retry", "drop_aside")]
    assert pressed == ["Trying it again.", "Dropping it."]
    assert [each.text for each in books.work().commands] == ["/retry t", "/drop_aside t"]


def test_what_is_not_there_is_nobodys(books: Books) -> None:
    elsewhere = books.say(place=ELSEWHERE)
    for inbound in (elsewhere.inbound, 99):
        assert books.do(RetryQuarantined(inbound=inbound)) is None
        assert books.do(DropQuarantined(inbound=inbound)) is None
