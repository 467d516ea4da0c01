"""Traces: the whole way of one message, whatever it is named by."""

from pathlib import Path

import apsw
import pytest

from actors.messages import (
    AnswerCommand,
    DeliveryKind,
    EndTurn,
    Hop,
    JoinTurn,
    NewDelivery,
    Outcome,
    Sending,
    Sent,
    Tell,
    Trace,
)
from actors.store.ladder import VERSION_1
from actors.store.schema import prepare
from actors.store.traces import HOPS
from tests.actors.store.books import ELSEWHERE, HERE, Books


def way(books: Books, message: object) -> list[str]:
    """What happened, each with its id."""
    return [f"{hop.what}: {hop.id}" for hop in books.do(Trace(message=str(message)))]


def travelled(books: Books) -> None:
    """A message with id 500 and update 900, its turn with two attempts, and its answer in two parts."""
    said = books.say("do it", key="telegram:7:900", message_id=500, at=999.0)
    books.now = 1001.0
    books.begin("shop.1", said)
    books.now = 1003.0
    seen = (Hop(at=1002.0, what="prompted", where="agent", id="shop.1"),)
    answer = NewDelivery(kind=DeliveryKind.ANSWER, text="done", reply_to=500)
    books.do(
        EndTurn(
            slug="shop", turn="shop.1", outcome=Outcome.DONE, answer="done", leaf="e", deliveries=(answer,), hops=seen
        )
    )
    for part, last in ((0, False), (1, True)):
        books.now += 1
        books.do(Sending(ids=(1,)))
        books.now += 1
        books.do(Sent(id=1, part=part, message_id=600 + part, last=last))


WAY = [
    "written: 500",
    "accepted: telegram:7:900",
    "begun (attempt 1): shop.1",
    "prompted: shop.1",
    "ended (done): shop.1",
    "queued: 1",
    "sending (part 1, attempt 1): 1",
    "sent (part 1): 600",
    "sending (part 2, attempt 1): 1",
    "sent (part 2): 601",
]


@pytest.mark.parametrize("message", ["1", "900", "telegram:7:900", "shop.1", "500", "600", "601", " 601\n"])
def test_a_message_has_one_way_by_whatever_it_is_named(books: Books, message: str) -> None:
    travelled(books)
    books.say("another")
    assert way(books, message) == WAY


def test_each_hop_says_when_and_whose_it_was(books: Books) -> None:
    travelled(books)
    hops = books.do(Trace(message="shop.1"))
    assert [(hop.at, hop.where) for hop in hops] == [
        (999.0, "telegram"),
        (1000.0, "store"),
        (1001.0, "store"),
        (1002.0, "agent"),
        (1003.0, "store"),
        (1003.0, "store"),
        (1004.0, "telegram"),
        (1005.0, "telegram"),
        (1006.0, "telegram"),
        (1007.0, "telegram"),
    ]


@pytest.mark.parametrize("message", ["", "nope", "99", "-1", "9" * 40, "²", "telegram:7:", "1.5"])
def test_nothing_is_meant_by_anything_else(books: Books, message: str) -> None:
    travelled(books)
    assert way(books, message) == []


def test_a_trace_changes_nothing(books: Books) -> None:
    travelled(books)
    before = books.rows()
    books.do(Trace(message="shop.1"))
    assert books.rows() == before


def test_the_clock_of_the_front_end_may_be_ahead(books: Books) -> None:
    books.say(at=5000.0, message_id=None)
    assert [(hop.what, hop.at) for hop in books.do(Trace(message="1"))] == [("written", 1000.0), ("accepted", 1000.0)]


# --- of several that fit, the newest


def test_the_newest_that_fits_is_meant(books: Books) -> None:
    books.say(key="telegram:7:1", message_id=3)
    books.now += 1
    books.say(key="telegram:7:2", message_id=1, place=ELSEWHERE)
    assert way(books, 1)[1] == "accepted: telegram:7:2"
    books.now += 1
    books.say(key="telegram:8:1", message_id=9)
    assert way(books, 1)[1] == "accepted: telegram:8:1"
    books.now += 1
    books.tell("note")
    books.do(Sending(ids=(1,)))
    books.do(Sent(id=1, part=0, message_id=1, last=True))
    assert way(books, 1) == ["queued: 1", "sending (part 1, attempt 1): 1", "sent (part 1): 1"]


def test_an_update_is_found_whatever_bot_it_came_to(books: Books) -> None:
    for number, key in enumerate(
        ["telegram:7:100", "telegram:77:200", "console:ab:300", "plain", "plain-b:500", "telegram:7:400"]
    ):
        books.say(key=key, message_id=1000 + number)
    for update in (100, 200, 300, 400, 500):
        assert way(books, update)[1].endswith(f":{update}")


def test_a_press_has_no_claim_on_the_message_that_its_button_is_under(books: Books) -> None:
    books.begin("t", books.say(message_id=70))
    books.now += 60
    press = books.pressing("stop:t")
    assert press.message_id == 70
    books.do(press)
    assert way(books, 70)[-1] == "told to stop: t"
    assert way(books, press.key) == ["written: 70", f"accepted: {press.key}"]


# --- what belongs to it


def test_retries_are_one_way_with_what_they_retry(books: Books) -> None:
    said = books.say("boom", message_id=500)
    books.end(books.begin("t", said), "t", outcome=Outcome.FAILED)
    books.now += 1
    command = books.say("/retry t", command="retry", message_id=501)
    books.do(AnswerCommand(slug="shop", inbound=command.inbound, deliveries=(), retry="t"))
    (again,) = books.work().queue
    books.now += 1
    books.begin("u", type(said)(room=said.room, inbound=again.id, ahead=0))
    expected = [
        "written: 500",
        f"accepted: {books.db.execute('SELECT key FROM inbound WHERE id = 1').get}",
        "begun (attempt 1): t",
        "ended (failed): t",
        f"retried: {again.id}",
        "begun (attempt 1): u",
    ]
    for message in (500, said.inbound, again.id, "t", "u"):
        assert way(books, message) == expected


def test_a_turn_is_traced_with_all_its_messages_and_a_message_with_none_but_itself(books: Books) -> None:
    one, two = books.say("one", message_id=501), books.say("two", message_id=502)
    books.begin("t", one)
    books.do(JoinTurn(slug="shop", turn="t", inbound=two.inbound))
    assert [each for each in way(books, "t") if each.startswith("written")] == ["written: 501", "written: 502"]
    assert "joined: t" not in way(books, 501)
    assert way(books, 502)[-1] == "joined: t"


def test_what_was_given_back_has_no_part_in_that_turns_answer(books: Books) -> None:
    one, two = books.say("one"), books.say("two", message_id=502)
    books.begin("t", one)
    books.do(JoinTurn(slug="shop", turn="t", inbound=two.inbound))
    answer = NewDelivery(kind=DeliveryKind.ANSWER, text="done")
    books.do(
        EndTurn(
            slug="shop",
            turn="t",
            outcome=Outcome.DONE,
            answer="done",
            leaf=None,
            deliveries=(answer,),
            returned=(two.inbound,),
        )
    )
    assert [each.partition(":")[0] for each in way(books, 502)] == ["written", "accepted", "joined", "given back"]


def test_a_command_has_its_answer_and_not_the_turn_that_it_saw_ending(books: Books) -> None:
    room = books.begin("t", books.say())
    command = books.say("/status", command="status", message_id=502)
    books.end(room, "t", "hello")
    books.do(
        AnswerCommand(
            slug="shop", inbound=command.inbound, deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text="ok"),)
        )
    )
    assert [each.partition(":")[0] for each in way(books, 502)] == ["written", "accepted", "answered", "queued"]


def test_a_note_about_a_message_belongs_to_its_way_in_both_directions(books: Books) -> None:
    books.say(message_id=500)
    note = NewDelivery(kind=DeliveryKind.NOTE, text="Yours is #2", reply_to=500, key="busy:1")
    books.do(Tell(slug="shop", deliveries=(note,)))
    books.now += 1
    books.send_all()
    assert way(books, 101) == way(books, 500)
    assert way(books, 500)[-1] == "sent (part 1): 101"


def test_words_of_a_conversation_lead_nowhere(books: Books) -> None:
    books.say()
    books.tell("of nobody's concern")
    books.begin("t", books.say())
    seen = tuple(Hop(at=1001.0, what="queued", where=where, id=id) for where, id in (("agent", "1"), ("store", "x")))
    books.do(EndTurn(slug="shop", turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=(), hops=seen))
    books.send_all()
    assert not [each for each in way(books, "t") if each.startswith("sent")]


def test_a_sub_agent_leads_to_what_began_it(books: Books) -> None:
    books.begin("t", books.say())
    top = books.at_work("top", turn="t")
    below = books.at_work("below", parent=top, turn=f"{top}/1")
    assert way(books, below) == way(books, top) == way(books, "t")
    assert f"sub-agent run 1 begun (attempt 1): {below}" in way(books, "t")
    inbound = books.say("/spawn x", command="spawn").inbound
    mine = books.spawn("mine", by=inbound).slug
    assert way(books, mine) == way(books, inbound)
    assert f"sub-agent asked for: {mine}" in way(books, mine)
    assert way(books, "nobody") == []


# --- bounds


def test_a_trace_has_its_first_thousand_hops(books: Books) -> None:
    room = books.begin("t", books.say())
    texts = [NewDelivery(kind=DeliveryKind.ANSWER, text=str(number)) for number in range(HOPS + 10)]
    books.do(EndTurn(slug=room.slug, turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=tuple(texts)))
    hops = books.do(Trace(message="t"))
    assert len(hops) == HOPS
    assert [hop.what for hop in hops[:2]] == ["written", "accepted"]


def test_what_was_said_before_traces_were_kept_has_its_beginning(path: Path) -> None:
    db = apsw.Connection(str(path))
    prepare(db, (VERSION_1,))
    db.execute(
        "INSERT INTO rooms VALUES ('shop', 'telegram', -100, 7, 'Shop', '/w', 's', NULL, NULL, 1, 1);"
        "INSERT INTO inbound VALUES (1, 'k1', 'shop', 5, 'Ada', 'one', 105.0, 11, NULL, 'queued', NULL, 0, 105.5)"
    )
    db.close()
    books = Books(path)
    assert way(books, 11) == ["written: 11"]
    books.begin("t", type(books.say())(room=books.work(HERE).room, inbound=1, ahead=0))
    assert way(books, 11) == ["written: 11", "begun (attempt 1): t"]
    books.db.close()
