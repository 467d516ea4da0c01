"""Hops: which step of which row is noted, and that none is noted twice."""

from typing import Any

import pytest

from actors.messages import (
    Accept,
    AnswerCommand,
    BeginTurn,
    DeliveryKind,
    Doubt,
    Doubted,
    Edited,
    EndTurn,
    FailRoom,
    Hop,
    JoinTurn,
    NewDelivery,
    Outcome,
    PartTurn,
    Place,
    Preview,
    PreviewShown,
    RequestStop,
    Sending,
    Sent,
    Tell,
    Topic,
    TopicGone,
    TopicMade,
    Undeliverable,
    Unsent,
)
from actors.store.hops import SEEN, is_noted
from supervisor import Request
from tests.actors.store.books import HERE, Books

NOTE = NewDelivery(kind=DeliveryKind.NOTE, text="ok")


def hops(books: Books, subject: str) -> list[tuple[str, str, str]]:
    rows = books.db.execute("SELECT what, whose, ref FROM hops WHERE subject = ? ORDER BY id", (subject,))
    return [(what, whose, ref) for what, whose, ref in rows]


def words(books: Books, subject: str) -> list[str]:
    return [what for what, _, _ in hops(books, subject)]


def answer(books: Books, **changes: object) -> int:
    """A new command, answered."""
    command = books.say("/x", command="x").inbound
    books.do(AnswerCommand(slug="shop", inbound=command, deliveries=(NOTE,), **changes))  # type: ignore[arg-type]
    return command


# --- inbounds


def test_what_is_accepted_is_noted_with_its_key_and_the_time(books: Books) -> None:
    books.now = 1234.5
    books.say(key="telegram:1:77")
    assert hops(books, "inbound:1") == [("accepted", "store", "telegram:1:77")]
    assert books.db.execute("SELECT at FROM hops").get == 1234.5


def test_what_is_refused_is_noted_with_what_was_said_about_it(books: Books) -> None:
    books.say(capacity=1)
    refused = books.inbound(message_id=None)
    books.do(Accept(inbound=refused, capacity=1))
    assert hops(books, "inbound:2") == [("refused", "store", refused.key), ("queued", "store", "1")]


def test_what_is_held_released_and_dropped_says_so(books: Books) -> None:
    books.say("one")
    books.say("two")
    books.say("/stop", command="stop")
    answer(books, drop=2)
    answer(books, held="run")
    books.do(RequestStop(slug="shop", hold=True))
    answer(books, held="drop")
    assert words(books, "inbound:1") == ["accepted", "held", "released", "held", "dropped"]
    assert words(books, "inbound:2") == ["accepted", "held", "dropped"]


def test_a_command_is_accepted_and_answered_and_what_it_said_is_its_own(books: Books) -> None:
    command = answer(books)
    assert words(books, f"inbound:{command}") == ["accepted", "answered", "queued"]
    assert hops(books, f"inbound:{command}")[-1] == ("queued", "store", str(books.newest_delivery()))


def test_what_is_retried_begins_a_way_of_its_own(books: Books) -> None:
    books.end(books.begin("t", books.say()), "t", outcome=Outcome.FAILED)
    answer(books, retry="t")
    (again,) = books.work().queue
    assert hops(books, f"inbound:{again.id}") == [("retried", "store", str(again.id))]


# --- turns


def test_each_attempt_of_a_turn_is_noted_once(books: Books) -> None:
    said = books.say()
    books.begin("t", said)
    books.do(PartTurn(slug="shop", turn="t", attempt=1))
    for attempt in (2, 2, 1):
        books.do(BeginTurn(slug="shop", turn="t", attempt=attempt, inbounds=(said.inbound,), leaf_before=None))
    assert hops(books, "turn:t") == [
        ("begun (attempt 1)", "store", "t"),
        ("parted (attempt 1)", "store", "t"),
        ("begun (attempt 2)", "store", "t"),
    ]


def test_who_joined_a_turn_and_was_given_back_says_of_which(books: Books) -> None:
    books.begin("t", books.say())
    second = books.say().inbound
    books.do(JoinTurn(slug="shop", turn="t", inbound=second))
    ending = EndTurn(
        slug="shop",
        turn="t",
        outcome=Outcome.STOPPED,
        answer="",
        leaf=None,
        deliveries=(),
        returned=(second,),
        hold=True,
    )
    books.twice(ending)
    assert hops(books, f"inbound:{second}")[1:] == [
        ("joined", "store", "t"),
        ("given back", "store", "t"),
        ("held", "store", str(second)),
    ]


def test_a_turn_is_told_to_stop_once(books: Books) -> None:
    books.begin("t", books.say())
    books.say("/stop", command="stop")
    books.do(RequestStop(slug="shop"))
    assert words(books, "turn:t") == ["begun (attempt 1)", "told to stop"]


def test_the_end_adds_what_the_conversation_has_seen(books: Books) -> None:
    books.begin("t", books.say())
    seen = (
        Hop(at=1000.5, what="prompted", where="agent", id="t"),
        Hop(at=1001.0, what="half \ud800", where="agent", id="t"),
    )
    books.now = 2000.0
    books.do(
        EndTurn(
            slug="shop", turn="t", outcome=Outcome.DONE, answer="hello", leaf="e", deliveries=(NOTE, NOTE), hops=seen
        )
    )
    assert hops(books, "turn:t")[1:] == [
        ("prompted", "agent", "t"),
        ("half ?", "agent", "t"),
        ("ended (done)", "store", "t"),
        ("queued", "store", "1"),
        ("queued", "store", "2"),
    ]
    assert books.db.execute("SELECT at FROM hops WHERE what = 'prompted'").get == 1000.5


def test_a_conversation_that_has_seen_too_much_is_believed_so_far(books: Books) -> None:
    books.begin("t", books.say())
    seen = tuple(Hop(at=1.0, what=str(number), where="agent", id="t") for number in range(SEEN + 1))
    books.do(EndTurn(slug="shop", turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=(), hops=seen))
    assert len(hops(books, "turn:t")) == 1 + SEEN + 1


def test_a_report_of_a_room_that_gave_up_belongs_to_its_turn(books: Books) -> None:
    books.begin("t", books.say())
    books.twice(FailRoom(slug="shop", key="k", text="gave up"))
    assert words(books, "turn:t") == ["begun (attempt 1)", "queued"]


# --- deliveries


def test_what_answers_a_message_belongs_to_it_and_the_rest_to_nobody(books: Books) -> None:
    books.say(message_id=500)
    replies = (NewDelivery(kind=DeliveryKind.NOTE, text="busy", reply_to=500), NOTE)
    books.do(Tell(slug="shop", deliveries=replies))
    books.do(Tell(slug=None, deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text="hi", place=HERE, reply_to=1),)))
    assert words(books, "inbound:1") == ["accepted", "queued"]
    assert [words(books, f"delivery:{number}") for number in (1, 2, 3)] == [[], ["queued"], ["queued"]]


def test_each_part_is_sent_and_says_as_which_message(books: Books) -> None:
    books.say()
    books.tell("long")
    books.twice(Sending(ids=(1,)))
    books.twice(Sent(id=1, part=0, message_id=70, last=False))
    books.do(Sending(ids=(1,)))
    books.do(Sent(id=1, part=1, message_id=None, last=True))
    assert hops(books, "delivery:1") == [
        ("queued", "store", "1"),
        ("sending (part 1, attempt 1)", "telegram", "1"),
        ("sent (part 1)", "telegram", "70"),
        ("sending (part 2, attempt 1)", "telegram", "1"),
        ("sent (part 2)", "telegram", "1"),
    ]


def test_a_send_that_fails_is_noted_each_time(books: Books) -> None:
    books.say()
    books.tell("x")
    failures: list[Request[Any]] = [Unsent(id=1), Doubted(id=1), Doubt(front="telegram")]
    for failure in failures:
        books.do(Sending(ids=(1,)))
        books.twice(failure)
    books.twice(Undeliverable(id=1, reason="blocked"))
    assert words(books, "delivery:1") == [
        "queued",
        "sending (part 1, attempt 1)",
        "unsent",
        "sending (part 1, attempt 2)",
        "doubted",
        "sending (part 1, attempt 3)",
        "doubted",
        "undeliverable",
    ]


def test_a_change_is_noted_and_what_people_see_of_it(books: Books) -> None:
    books.say()
    books.tell("one", key="k")
    books.send_all()
    books.tell("two", key="k")
    books.tell("two", key="k")  # which changes nothing
    books.do(Sending(ids=(1,)))
    books.twice(Edited(id=1, revision=1))
    books.tell("three", key="k")
    books.do(Undeliverable(id=1, reason="too old"))
    assert words(books, "delivery:1")[3:] == [
        "changed",
        "sending (edit, attempt 1)",
        "edited",
        "changed",
        "edit given up",
    ]


def test_a_topic_is_made_and_what_waited_for_it_goes_out(books: Books) -> None:
    books.say()
    books.tell("waits")
    books.do(TopicGone(place=HERE, owner=None))
    topic = NewDelivery(kind=DeliveryKind.TOPIC, text="Shop", place=Place("telegram", -100), topic=Topic(room="shop"))
    books.do(Tell(slug="shop", deliveries=(topic,)))
    books.twice(TopicMade(id=2, thread=9))
    assert hops(books, "delivery:2")[1:] == [("sent (topic)", "telegram", "9")]
    assert words(books, "delivery:1") == ["queued", "undeliverable", "queued again"]


def test_a_picture_of_a_turn_is_no_step_of_it(books: Books) -> None:
    books.begin("t", books.say())
    before = books.rows()["hops"]
    books.do(PreviewShown(preview=Preview(turn="t", place=HERE, message_id=70)))
    assert books.rows()["hops"] == before


# --- so many


def test_an_outage_of_days_leaves_a_few_dozen_hops(books: Books) -> None:
    books.say()
    books.tell("x")
    books.batch(*[request for _ in range(300) for request in (Sending(ids=(1,)), Unsent(id=1))])
    assert len(hops(books, "delivery:1")) == 1 + 2 * (16 + 4)
    assert "sending (part 1, attempt 256)" in words(books, "delivery:1")


@pytest.mark.parametrize(("attempt", "noted"), [(1, True), (16, True), (17, False), (32, True), (33, False)])
def test_of_many_attempts_every_doubling_is_noted(attempt: int, noted: bool) -> None:
    assert is_noted(attempt) is noted


def test_a_message_that_is_changed_for_days_leaves_a_few_dozen_hops(books: Books) -> None:
    books.say()
    books.tell("one", key="k")
    books.send_all()
    for number in range(1, 300):
        books.tell(f"now {number}", key="k")
        books.do(Sending(ids=(1,), revisions=(number,)))
        books.do(Edited(id=1, revision=number))
    assert len(hops(books, "delivery:1")) == 3 + 3 * (16 + 4)
