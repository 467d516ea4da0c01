"""Deliveries: in a chat's order, part by part, and a doubt is never forgotten nor made up."""

import pytest

from actors.messages import (
    DeliveryKind,
    Doubt,
    Doubted,
    Due,
    NewDelivery,
    Place,
    RecentlySent,
    Sending,
    Sent,
    Tell,
    Undeliverable,
    Unsent,
    line_key,
)
from actors.store.errors import Conflict
from tests.actors.store.books import ELSEWHERE, HERE, Books


def texts(books: Books, limit: int = 100) -> list[str]:
    return [each.text for each in books.due(limit)]


def send(books: Books) -> int:
    """Begin to send the first that is due; its id."""
    delivery = books.due()[0].id
    books.do(Sending(ids=(delivery,)))
    return delivery


def test_due_is_the_head_of_each_chat_oldest_first(books: Books) -> None:
    books.answered("a1", "a2")
    books.answered("b1", place=ELSEWHERE)
    books.answered("a3", place=Place("telegram", -100, 8))
    books.answered("c1", place=Place("console", 0))
    assert texts(books) == ["a1", "b1"]
    assert texts(books, 1) == ["a1"]
    assert texts(books, 0) == []
    assert [each.text for each in books.do(Due(front="console", limit=9))] == ["c1"]


def test_the_lines_about_sub_agents_let_all_else_go_before(books: Books) -> None:
    books.answered("a1")
    books.tell("fix runs", key=line_key("fix"))
    books.tell("mend runs", key=line_key("mend"))
    for message, text in enumerate(("a1", "fix runs"), start=70):
        assert texts(books) == [text]
        books.do(Sent(id=send(books), part=0, message_id=message, last=True))
    books.tell("fix is done", key=line_key("fix"))  # to be edited: it is older than all that waits
    books.answered("a2")
    books.answered("b1", place=ELSEWHERE)
    assert texts(books) == ["a2", "b1"]
    books.do(Sent(id=send(books), part=0, message_id=72, last=True))
    assert texts(books) == ["fix is done", "b1"]


def test_a_chat_whose_head_is_being_sent_yields_nothing(books: Books) -> None:
    books.answered("a1", "a2")
    books.answered("b1", place=ELSEWHERE)
    head = send(books)
    assert texts(books) == ["b1"]
    books.do(Sent(id=head, part=0, message_id=70, last=True))
    assert texts(books) == ["a2", "b1"]


def test_sending_is_counted_once(books: Books) -> None:
    books.answered("a1")
    books.answered("b1", place=ELSEWHERE)
    ids = tuple(each.id for each in books.due())
    books.twice(Sending(ids=ids))
    assert books.due() == ()
    for delivery in ids:
        books.twice(Unsent(id=delivery))
    assert [(each.attempts, each.doubtful) for each in books.due()] == [(1, False), (1, False)]


def test_what_has_arrived_of_late_is_remembered_by_chat(books: Books) -> None:
    books.answered("a1", "a2")
    books.answered("b1", place=ELSEWHERE)
    books.answered("c1", place=Place("console", 0))
    books.send_all()
    books.now = 1050.0
    books.answered("b2", place=ELSEWHERE)
    books.send_all()
    all_of_it = books.do(RecentlySent(front="telegram", since=1000.0))
    assert [at for _, at in all_of_it] == [1000.0, 1000.0, 1000.0, 1050.0]
    assert sorted(chat for chat, _ in all_of_it) == sorted([HERE.chat, HERE.chat, ELSEWHERE.chat, ELSEWHERE.chat])
    assert books.do(RecentlySent(front="telegram", since=1001.0)) == ((ELSEWHERE.chat, 1050.0),)
    assert books.do(RecentlySent(front="telegram", since=1051.0)) == ()


def test_parts_arrive_in_order_and_each_begins_anew(books: Books) -> None:
    books.answered("long")
    delivery = send(books)
    books.do(Doubted(id=delivery))
    send(books)
    books.twice(Sent(id=delivery, part=0, message_id=70, last=False))
    (next_part,) = books.due()
    assert (next_part.part, next_part.attempts, next_part.doubtful) == (1, 0, False)
    send(books)
    books.now = 2000.0
    books.twice(Sent(id=delivery, part=1, message_id=None, last=True))
    assert books.due() == ()
    assert books.rows()["parts"] == [(delivery, 0, 70, 1000.0), (delivery, 1, None, 2000.0)]


def test_a_repeated_part_does_not_end_the_next_ones_sending(books: Books) -> None:
    books.answered("long")
    delivery = send(books)
    first = Sent(id=delivery, part=0, message_id=70, last=False)
    books.do(first)
    send(books)
    books.do(first)
    assert books.db.execute("SELECT state, part FROM deliveries").get == ("sending", 1)


def test_a_part_cannot_arrive_before_the_one_before_it(books: Books) -> None:
    books.answered("long")
    delivery = send(books)
    with pytest.raises(Conflict, match="part 0 of delivery 1 has not arrived"):
        books.do(Sent(id=delivery, part=1, message_id=70, last=True))


def test_after_a_start_what_was_being_sent_is_doubtful(books: Books) -> None:
    books.answered("a1")
    books.answered("b1", place=ELSEWHERE)
    books.answered("c1", place=Place("console", 0))
    send(books)
    assert books.do(Doubt(front="console")) == 0
    assert books.do(Doubt(front="telegram")) == 1
    assert books.do(Doubt(front="telegram")) == 0
    assert [(each.text, each.attempts, each.doubtful) for each in books.due()] == [("a1", 1, True), ("b1", 0, False)]


def test_an_unknown_outcome_is_a_doubt_that_a_sure_failure_does_not_clear(books: Books) -> None:
    books.answered("a1")
    delivery = send(books)
    books.twice(Doubted(id=delivery))
    send(books)
    books.do(Unsent(id=delivery))
    assert [(each.attempts, each.doubtful) for each in books.due()] == [(2, True)]


def test_a_late_doubt_about_what_waits_changes_nothing(books: Books) -> None:
    books.answered("a1")
    delivery = send(books)
    books.do(Unsent(id=delivery))
    books.do(Doubted(id=delivery))
    assert [each.doubtful for each in books.due()] == [False]


def test_an_undeliverable_one_ends_and_lets_the_next_go(books: Books) -> None:
    books.answered("a1", "a2")
    delivery = send(books)
    books.twice(Undeliverable(id=delivery, reason="blocked by the person"))
    assert texts(books) == ["a2"]
    assert books.db.execute("SELECT state, reason FROM deliveries WHERE id = ?", (delivery,)).get == (
        "undeliverable",
        "blocked by the person",
    )


def test_who_may_be_gone_past_is_no_head_and_comes_back(books: Books) -> None:
    books.answered("a1", "a2")
    books.answered("b1", place=ELSEWHERE)
    first = books.due()[0].id
    assert [each.text for each in books.do(Due(front="telegram", limit=9, besides=(first, 999)))] == ["a2", "b1"]
    assert texts(books) == ["a1", "b1"]


def test_of_what_is_lost_where_others_arrive_people_are_told_once(books: Books) -> None:
    books.answered("*a*1")
    delivery = send(books)
    books.twice(Undeliverable(id=delivery, reason="Bad_Request: no.", tell=True))
    (told,) = books.due()
    assert (told.kind, told.place) == (DeliveryKind.REPORT, HERE)
    assert told.text == (
        r"A message could not be delivered here: Bad_Request: no. It begins: “\*a\*1” Ask for it again if it matters."
    )
    assert books.db.execute("SELECT turn IS NOT NULL, room FROM deliveries WHERE id = ?", (told.id,)).get == (1, "shop")


def test_many_that_are_lost_are_told_in_one_word_and_the_loss_of_that_word_in_none(books: Books) -> None:
    books.answered("a1", "a2", "a3")
    books.answered("b1", place=ELSEWHERE)
    for delivery in books.due()[0].id, 2, 3:
        books.do(Undeliverable(id=delivery, reason="no", tell=True))
    told = books.due()[-1]
    assert told.text == (
        "Several messages could not be delivered here. The newest: no. Ask for them again if they matter."
    )
    books.do(Undeliverable(id=told.id, reason="no", tell=True))
    assert texts(books) == ["b1"]


def test_of_a_part_and_of_a_file_it_is_said(books: Books) -> None:
    books.answered("long")
    delivery = send(books)
    books.do(Sent(id=delivery, part=0, message_id=70, last=False))
    books.do(Undeliverable(id=delivery, reason="no", tell=True))
    (told,) = books.due()
    assert told.text.startswith("The rest of a message could not be delivered here: no. It begins")
    books.do(Undeliverable(id=told.id, reason="no"))
    file = NewDelivery(kind=DeliveryKind.NOTE, text="", file="/work/shop/plan.pdf")
    books.do(Tell(slug="shop", deliveries=(file,)))
    books.do(Undeliverable(id=books.due()[0].id, reason="it is empty", tell=True))
    assert texts(books) == [
        "The file “plan.pdf” could not be delivered here: it is empty. Ask for it again if it matters."
    ]


def test_of_an_edit_that_is_given_up_nothing_is_said(books: Books) -> None:
    first, changed = (
        Tell(slug=None, deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text=text, key="k", place=HERE),))
        for text in ("first", "changed")
    )
    books.do(first)
    books.do(Sent(id=send(books), part=0, message_id=70, last=True))
    books.do(changed)
    books.do(Undeliverable(id=send(books), reason="no", tell=True))
    assert texts(books) == []


def test_what_has_ended_stays_ended(books: Books) -> None:
    books.answered("a1")
    delivery = send(books)
    books.do(Sent(id=delivery, part=0, message_id=70, last=True))
    before = books.rows()
    books.do(Unsent(id=delivery))
    books.do(Doubted(id=delivery))
    books.do(Undeliverable(id=delivery, reason="late"))
    books.do(Sent(id=delivery, part=1, message_id=71, last=True))
    assert books.rows() == before
    with pytest.raises(Conflict, match=f"delivery {delivery} has ended"):
        books.do(Sending(ids=(delivery,)))


@pytest.mark.parametrize(
    "request_",
    [
        Sending(ids=(9,)),
        Sent(id=9, part=0, message_id=1, last=True),
        Unsent(id=9),
        Doubted(id=9),
        Undeliverable(id=9, reason="x"),
    ],
)
def test_an_unknown_delivery_is_said_so(
    books: Books, request_: Sending | Sent | Unsent | Doubted | Undeliverable
) -> None:
    with pytest.raises(Conflict, match="there is no delivery 9"):
        books.do(request_)


def test_a_bad_id_among_good_ones_marks_none(books: Books) -> None:
    books.answered("a1")
    with pytest.raises(Conflict):
        books.do(Sending(ids=(books.due()[0].id, 9)))
    assert [each.attempts for each in books.due()] == [0]
