"""What is said: where it goes, whether it rings, and how it is changed by its key, before it arrives and after."""

from typing import Any

import pytest

from actors.messages import (
    AnswerCommand,
    Button,
    Delivery,
    DeliveryKind,
    Doubt,
    Doubted,
    Edited,
    EndTurn,
    Key,
    NewDelivery,
    Outcome,
    Place,
    RoomSettings,
    Sending,
    Sent,
    StalePreviews,
    Tell,
    Topic,
    Undeliverable,
    Unfinished,
    Unsent,
)
from actors.store.errors import Conflict
from supervisor import Request
from tests.actors.store.books import HERE, Books

DROP = Button(label="Drop", command="drop_it", argument="1")


def only(books: Books) -> Delivery:
    (delivery,) = books.due()
    return delivery


@pytest.fixture
def said(books: Books) -> Books:
    """A room that has said something that may be changed, and it has arrived as message 101."""
    books.say()
    books.tell("waiting", DROP, key="busy:1")
    books.send_all()
    assert books.due() == ()
    return books


# --- what is queued


def test_all_that_is_said_of_a_delivery_is_kept(books: Books) -> None:
    books.say()
    more = Button(label="More", command="log")
    new = NewDelivery(
        kind=DeliveryKind.REPORT,
        text="text",
        reply_to=3,
        footer="2 s",
        buttons=((DROP, more), (more,)),
        file="/work/shop/a.png",
        place=Place("telegram", 42),
    )
    books.do(Tell(slug="shop", deliveries=(new,)))
    delivery = only(books)
    assert (delivery.kind, delivery.text, delivery.reply_to) == (DeliveryKind.REPORT, "text", 3)
    assert (delivery.footer, delivery.file, delivery.place) == ("2 s", "/work/shop/a.png", Place("telegram", 42))
    assert delivery.keys == ((Key("Drop", "b:1:0"), Key("More", "b:1:1")), (Key("More", "b:1:2"),))
    assert (delivery.edits, delivery.revision, delivery.silent) == (None, 0, False)


def test_what_has_no_key_is_told_again(books: Books) -> None:
    books.say()
    books.tell("again")
    books.tell("again")
    assert len(books.rows()["deliveries"]) == 2


def test_only_answers_of_a_muted_room_are_silent(books: Books) -> None:
    command = books.say("/mute", command="mute").inbound
    books.do(AnswerCommand(slug="shop", inbound=command, deliveries=(), settings=RoomSettings(muted=True)))
    room = books.begin("t", books.say())
    deliveries = tuple(NewDelivery(kind=kind, text=kind) for kind in DeliveryKind if kind is not DeliveryKind.TOPIC)
    books.do(EndTurn(slug=room.slug, turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=deliveries))
    assert {each.text: each.silent for each in books.send_all()} == {
        "answer": True,
        "report": False,
        "question": False,
        "note": False,
    }


def test_a_topic_and_nothing_else_says_what_it_is_for(books: Books) -> None:
    books.say()
    for kind, topic in ((DeliveryKind.TOPIC, None), (DeliveryKind.NOTE, Topic())):
        with pytest.raises(Conflict, match="what it is for"):
            books.do(Tell(slug="shop", deliveries=(NewDelivery(kind=kind, text="x", topic=topic),)))


# --- changed before it arrives


def test_what_was_not_sent_is_sent_as_it_is_now(books: Books) -> None:
    books.say()
    books.tell("waiting", DROP, key="busy:1")
    books.tell("joined", key="busy:1")
    delivery = only(books)
    assert (delivery.text, delivery.keys, delivery.edits, delivery.revision) == ("joined", (), None, 1)
    books.send_all()
    assert books.due() == ()


def test_what_changes_on_its_way_is_edited_when_it_has_arrived(books: Books) -> None:
    books.say()
    books.tell("waiting", DROP, key="busy:1")
    delivery = only(books)
    books.do(Sending(ids=(delivery.id,)))
    books.tell("joined", key="busy:1")
    assert books.due() == ()
    books.twice(Sent(id=delivery.id, part=0, message_id=70, last=True))
    edit = only(books)
    assert (edit.id, edit.text, edit.edits, edit.revision) == (delivery.id, "joined", 70, 1)
    books.twice(Edited(id=edit.id, revision=1))
    assert books.due() == ()


def test_what_changes_before_a_second_try_needs_no_edit(books: Books) -> None:
    books.say()
    books.tell("waiting", key="busy:1")
    delivery = only(books)
    books.do(Sending(ids=(delivery.id,)))
    books.tell("joined", key="busy:1")
    books.do(Doubted(id=delivery.id))
    assert (only(books).text, only(books).edits, only(books).doubtful) == ("joined", None, True)
    books.send_all()
    assert books.due() == ()


def test_of_what_changes_between_its_parts_the_last_message_is_edited(books: Books) -> None:
    books.say()
    books.tell("a long question", key="question:1")
    delivery = only(books)
    books.do(Sending(ids=(delivery.id,)))
    books.do(Sent(id=delivery.id, part=0, message_id=70, last=False))
    books.tell("answered", key="question:1")
    assert (only(books).edits, only(books).text) == (70, "answered")
    books.do(Edited(id=delivery.id, revision=1))
    assert books.due() == ()


@pytest.mark.parametrize("end", [Unsent(id=1), Doubt(front="telegram")], ids=["unsent", "restart"])
def test_what_changes_while_its_next_part_is_in_doubt_is_an_edit_without_doubt(books: Books, end: Request[Any]) -> None:
    books.say()
    books.tell("a long question", key="question:1")
    books.do(Sending(ids=(1,)))
    books.do(Sent(id=1, part=0, message_id=70, last=False))
    books.do(Sending(ids=(1,)))
    books.do(Doubted(id=1))
    books.do(Sending(ids=(1,)))
    books.tell("answered", key="question:1")
    books.twice(end)
    assert (only(books).edits, only(books).text, only(books).doubtful) == (70, "answered", False)


# --- changed afterwards


def test_a_change_of_what_has_arrived_is_an_edit(said: Books) -> None:
    said.twice(Tell(slug="shop", deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text="joined", key="busy:1"),)))
    edit = only(said)
    assert (edit.id, edit.text, edit.keys, edit.edits, edit.revision) == (1, "joined", (), 101, 1)
    assert said.do(Unfinished(place=HERE)) == 2  # the message that waits, and the edit
    said.twice(Edited(id=1, revision=1))
    assert said.due() == ()


def test_the_same_words_and_buttons_are_no_edit(said: Books) -> None:
    before = said.rows()
    said.tell("waiting", DROP, key="busy:1")
    assert said.rows() == before


@pytest.mark.parametrize("footer", ["", "2 s"])
def test_other_buttons_or_another_footer_are_an_edit(said: Books, footer: str) -> None:
    buttons = ((DROP,),) if footer else ()
    new = NewDelivery(kind=DeliveryKind.NOTE, text="waiting", footer=footer, buttons=buttons, key="busy:1")
    said.do(Tell(slug="shop", deliveries=(new,)))
    assert only(said).edits == 101


def test_an_edit_keeps_its_place_before_what_is_newer(said: Books) -> None:
    said.tell("newer")
    said.tell("joined", key="busy:1")
    assert [each.text for each in said.due()] == ["joined"]
    said.do(Edited(id=1, revision=1))
    assert [each.text for each in said.due()] == ["newer"]


def test_an_edit_may_be_marked_as_on_its_way_and_is_never_doubtful(said: Books) -> None:
    said.tell("joined", key="busy:1")
    ends: list[Request[Any]] = [Unsent(id=1), Doubted(id=1), Doubt(front="telegram")]
    for end in ends:
        said.twice(Sending(ids=(1,)))
        assert said.due() == ()
        said.twice(end)
        assert (only(said).edits, only(said).doubtful) == (101, False)
    assert only(said).attempts == 3
    said.do(Sending(ids=(1,)))
    said.twice(Edited(id=1, revision=1))
    assert said.due() == ()


def test_a_later_change_is_still_to_be_shown(said: Books) -> None:
    said.tell("joined", key="busy:1")
    said.do(Sending(ids=(1,)))
    said.tell("done", key="busy:1")
    assert said.due() == ()
    said.twice(Edited(id=1, revision=1))
    assert (only(said).text, only(said).revision) == ("done", 2)
    said.do(Edited(id=1, revision=2))
    assert said.due() == ()


def test_a_change_that_goes_back_is_an_edit_too(said: Books) -> None:
    said.tell("joined", key="busy:1")
    said.do(Sending(ids=(1,)))
    said.tell("waiting", DROP, key="busy:1")
    said.do(Edited(id=1, revision=1))
    assert (only(said).text, only(said).revision) == ("waiting", 2)


def test_of_an_edit_that_cannot_be_made_only_the_edit_ends(said: Books) -> None:
    said.tell("joined", key="busy:1")
    said.twice(Undeliverable(id=1, reason="message is too old"))
    assert said.due() == ()
    assert said.db.execute("SELECT state, reason FROM deliveries").get == ("sent", "message is too old")
    said.tell("done", key="busy:1")
    assert only(said).edits == 101


def test_what_could_not_arrive_is_not_edited(books: Books) -> None:
    books.say()
    books.tell("waiting", key="busy:1")
    books.do(Undeliverable(id=1, reason="blocked"))
    books.tell("joined", key="busy:1")
    assert books.due() == ()


def test_where_messages_have_no_ids_nothing_is_edited(books: Books) -> None:
    books.say()
    books.tell("waiting", key="busy:1")
    books.do(Sending(ids=(1,)))
    books.tell("joined", key="busy:1")
    books.twice(Sent(id=1, part=0, message_id=None, last=True))
    books.tell("done", key="busy:1")
    assert books.due() == ()


def test_an_edited_that_nobody_asked_for_ends_nothing(books: Books) -> None:
    books.say()
    books.tell("long")
    books.do(Edited(id=1, revision=0))
    books.do(Sending(ids=(1,)))
    books.do(Sent(id=1, part=0, message_id=70, last=False))
    books.do(Edited(id=1, revision=5))
    assert (only(books).part, only(books).edits) == (1, None)
    with pytest.raises(Conflict, match="there is no delivery 9"):
        books.do(Edited(id=9, revision=1))
    assert books.do(StalePreviews(front="telegram")) == ()


def test_what_changes_between_the_look_and_the_send_is_edited_afterwards(books: Books) -> None:
    """The outbox sends what it was given, not what the row says by then."""
    books.say()
    books.tell("old", key="k")
    [delivery] = books.due()
    books.tell("new", key="k")
    books.do(Sending(ids=(delivery.id,), revisions=(delivery.revision,)))
    books.do(Sent(id=delivery.id, part=0, message_id=5, last=True))
    [edit] = books.due()
    assert (edit.text, edit.edits) == ("new", 5)


def test_a_place_without_a_room_can_be_told_too(books: Books) -> None:
    new = NewDelivery(kind=DeliveryKind.NOTE, text="hello", key="n", place=HERE)
    books.twice(Tell(slug=None, deliveries=(new,)))
    assert [(each.place, each.text) for each in books.due()] == [(HERE, "hello")]
    with pytest.raises(Conflict, match="neither a room nor a place"):
        books.do(Tell(slug=None, deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text="to whom"),)))
