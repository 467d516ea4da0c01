"""Turns: one open in a room, counted, ended once with everything that belongs to the end."""

import pytest

from actors.messages import (
    BeginTurn,
    Button,
    DeliveryKind,
    EndTurn,
    FailRoom,
    GetRoom,
    JoinTurn,
    NewDelivery,
    Outcome,
    PartTurn,
    Place,
    RequestStop,
    Sending,
    Sent,
    Unfinished,
)
from actors.store.errors import Conflict, UnknownRoom
from tests.actors.store.books import ELSEWHERE, HERE, Books


def ending(turn: str = "t", outcome: Outcome = Outcome.DONE, answer: str = "hello") -> EndTurn:
    delivery = NewDelivery(kind=DeliveryKind.ANSWER, text=answer, reply_to=3)
    return EndTurn(slug="shop", turn=turn, outcome=outcome, answer=answer, leaf="e9", deliveries=(delivery,))


def begin(attempt: int, *inbounds: int, leaf_before: str | None = None) -> BeginTurn:
    return BeginTurn(slug="shop", turn="t", attempt=attempt, inbounds=inbounds, leaf_before=leaf_before)


def said(books: Books) -> list[tuple[object, ...]]:
    return books.db.execute("SELECT role, content, at FROM messages ORDER BY id").fetchall()


def test_a_turn_takes_its_inbounds_and_notes_where_the_session_stood(books: Books) -> None:
    one, two, three = books.say("one"), books.say("two"), books.say("three")
    books.now = 2000.0
    request = begin(1, one.inbound, two.inbound, leaf_before="leaf")
    turn = books.twice(request)
    assert (turn.id, turn.attempt, turn.leaf_before, turn.stop_requested) == ("t", 1, "leaf", False)
    assert turn.started_at == 2000.0
    assert [(each.text, each.attempts) for each in turn.inbounds] == [("one", 1), ("two", 1)]
    work = books.work()
    assert work.turn == turn
    assert [each.id for each in work.queue] == [three.inbound]


def test_a_later_attempt_only_counts(books: Books) -> None:
    one, two = books.say("one"), books.say("two")
    books.begin("t", one)
    books.now = 2000.0
    turn = books.twice(begin(2, one.inbound, two.inbound, leaf_before="later"))
    assert (turn.attempt, turn.leaf_before, turn.started_at) == (2, None, 1000.0)
    assert [(each.text, each.attempts) for each in turn.inbounds] == [("one", 2)]
    assert [each.text for each in books.work().queue] == ["two"]
    late = books.do(begin(1, one.inbound))
    assert late.attempt == 2


def test_a_room_has_one_open_turn(books: Books) -> None:
    one, two = books.say("one"), books.say("two")
    books.begin("t", one)
    with pytest.raises(Conflict, match="turn t of room shop has not ended"):
        books.begin("u", two)
    with pytest.raises(Exception, match="UNIQUE"):
        books.db.execute("INSERT INTO turns (id, room, attempt, started_at) VALUES ('u', 'shop', 1, 0)")


def test_a_turn_takes_only_what_waits_in_its_room(books: Books) -> None:
    books.say()
    elsewhere = books.say(place=ELSEWHERE)
    command = books.say(command="status")
    for inbound in (elsewhere.inbound, command.inbound, 99):
        with pytest.raises(Conflict, match=f"inbound {inbound} does not wait in room shop"):
            books.do(begin(1, inbound))
    assert books.work().turn is None


def test_the_end_is_one_transaction_and_happens_once(books: Books) -> None:
    one, two = books.say("one"), books.say("two")
    books.begin("t", one, two)
    books.now = 2000.0
    books.twice(ending())
    room = books.do(GetRoom(slug="shop"))
    assert (room.leaf, room.updated_at) == ("e9", 2000.0)
    assert said(books) == [("user", "one", 1000.0), ("user", "two", 1000.0), ("assistant", "hello", 2000.0)]
    (delivery,) = books.due()
    assert (delivery.place, delivery.kind, delivery.text, delivery.reply_to) == (HERE, DeliveryKind.ANSWER, "hello", 3)
    assert (delivery.turn, delivery.part, delivery.attempts, delivery.doubtful) == ("t", 0, 0, False)
    work = books.work()
    assert (work.turn, work.queue) == (None, ())


def test_a_command_that_waits_bears_the_end_of_a_turn(books: Books) -> None:
    books.begin("t", books.say())
    before = books.say("/stop", command="stop")
    assert [command.saw_end for command in books.work().commands] == [False]
    books.twice(ending())
    after = books.say("/stop", command="stop")
    assert [(command.id, command.saw_end) for command in books.work().commands] == [
        (before.inbound, True),
        (after.inbound, False),
    ]
    assert [content for _, content, _ in said(books)] == ["hi", "hello"]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.DONE, "done"),
        (Outcome.FAILED, "done"),
        (Outcome.STOPPED, "done"),
        (Outcome.QUARANTINED, "quarantined"),
        (Outcome.WAITING, "done"),
        (Outcome.INTERRUPTED, "done"),
    ],
)
def test_each_outcome_is_a_fate_of_the_inbounds(books: Books, outcome: Outcome, state: str) -> None:
    books.begin("t", books.say())
    books.do(ending(outcome=outcome))
    assert books.db.execute("SELECT state FROM inbound").get == state
    assert books.db.execute("SELECT outcome FROM turns").get == outcome


def test_an_empty_answer_is_no_message(books: Books) -> None:
    books.begin("t", books.say("one"))
    books.do(ending(answer=""))
    assert [role for role, _, _ in said(books)] == ["user"]


def test_a_text_that_is_tried_again_from_quarantine_was_said_once(books: Books) -> None:
    one = books.say("one")
    books.begin("t", one)
    books.do(ending(outcome=Outcome.QUARANTINED, answer=""))
    books.db.execute("UPDATE inbound SET state = 'queued', turn = NULL")
    books.begin("u", one)
    books.do(ending("u"))
    assert [content for _, content, _ in said(books)] == ["one", "hello"]


def test_a_turn_that_ended_does_not_begin_again(books: Books) -> None:
    one = books.say()
    books.begin("t", one)
    books.do(ending())
    with pytest.raises(Conflict, match="turn t has ended"):
        books.begin("t", one, attempt=2)


def test_only_a_turn_of_that_room_ends(books: Books) -> None:
    books.say()
    books.begin("u", books.say(place=ELSEWHERE))
    with pytest.raises(Conflict, match="there is no turn t"):
        books.do(ending())
    with pytest.raises(Conflict, match="turn u belongs to room shop-2"):
        books.do(ending("u"))
    with pytest.raises(UnknownRoom):
        books.do(FailRoom(slug="nope", key="k", text="x"))


def test_a_stopped_turn_stays_stopped_through_attempts(books: Books) -> None:
    one = books.say()
    books.begin("t", one)
    books.say(command="stop")
    books.begin("t", one, attempt=2)
    assert books.work().turn.stop_requested is True  # type: ignore[union-attr]


def test_a_room_that_gave_up_is_reported_once_and_keeps_its_turn(books: Books) -> None:
    books.begin("t", books.say())
    turn = books.work().turn
    books.twice(FailRoom(slug="shop", key="incarnation 3", text="This room stopped."))
    assert books.work().turn == turn
    (report,) = books.due()
    assert (report.kind, report.text, report.turn) == (DeliveryKind.REPORT, "This room stopped.", "t")
    books.do(FailRoom(slug="shop", key="incarnation 6", text="Again."))
    assert books.db.execute("SELECT count(*) FROM deliveries").get == 2


def test_a_room_that_gave_up_has_nothing_to_do_until_the_next_message_or_try(books: Books) -> None:
    books.begin("t", one := books.say())
    books.say()
    books.do(FailRoom(slug="shop", key="k", text="This room stopped."))
    assert books.do(Unfinished(place=HERE)) == 1  # the report
    books.say()
    assert books.do(Unfinished(place=HERE)) == 4
    books.do(FailRoom(slug="shop", key="l", text="Again."))
    assert books.do(Unfinished(place=HERE)) == 2
    books.begin("t", one, attempt=2)
    assert books.do(Unfinished(place=HERE)) == 5


def test_unfinished_counts_waiting_running_and_undelivered(books: Books) -> None:
    assert books.do(Unfinished(place=HERE)) == 0
    one, two = books.say(), books.say()
    books.say(command="status")
    books.say(place=ELSEWHERE)
    assert books.do(Unfinished(place=HERE)) == 3
    books.begin("t", one, two)
    assert books.do(Unfinished(place=HERE)) == 2
    books.do(ending())
    (delivery,) = books.due()
    books.do(Sending(ids=(delivery.id,)))
    assert books.do(Unfinished(place=HERE)) == 2
    assert books.do(Unfinished(place=ELSEWHERE)) == 1
    assert books.do(Unfinished(place=Place("telegram", -100))) == 0


def test_a_report_that_a_room_gave_up_may_have_buttons(books: Books) -> None:
    books.say()
    again = Button(label="Try again", command="retry", argument="t")
    books.do(FailRoom(slug="shop", key="k", text="This room stopped.", buttons=((again,),)))
    assert [key.label for key in books.due()[0].keys[0]] == ["Try again"]


# --- money


def test_what_the_session_and_the_turn_cost_is_kept(books: Books) -> None:
    said = books.say()
    request = BeginTurn(slug="shop", turn="t", attempt=1, inbounds=(said.inbound,), leaf_before=None, cost_before=1.25)
    assert books.twice(request).cost_before == 1.25
    books.do(begin(2, said.inbound))
    assert books.work().turn.cost_before == 1.25  # type: ignore[union-attr]
    books.do(EndTurn(slug="shop", turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=(), cost=0.5))
    assert books.db.execute("SELECT cost_before, cost FROM turns").get == (1.25, 0.5)


# --- joined while it runs


def test_a_message_joins_the_turn_that_runs(books: Books) -> None:
    first, second = books.say("first"), books.say("second")
    books.begin("t", first)
    books.begin("t", first, attempt=2)
    turn = books.twice(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    assert [(each.text, each.steered, each.attempts) for each in turn.inbounds] == [
        ("first", False, 2),
        ("second", True, 2),
    ]
    assert books.work().queue == ()
    assert books.work().turn == turn
    books.do(ending())
    assert [content for _, content, _ in said(books)] == ["first", "second", "hello"]


def test_only_what_waits_in_the_room_joins_only_an_open_turn(books: Books) -> None:
    one, two = books.say(), books.say()
    elsewhere, command = books.say(place=ELSEWHERE), books.say("/x", command="x")
    books.begin("t", one)
    for inbound in (elsewhere.inbound, command.inbound, 99):
        with pytest.raises(Conflict, match=f"inbound {inbound} does not wait in room shop"):
            books.do(JoinTurn(slug="shop", turn="t", inbound=inbound))
    with pytest.raises(Conflict, match="turn u is not open"):
        books.do(JoinTurn(slug="shop", turn="u", inbound=two.inbound))
    books.do(ending())
    with pytest.raises(Conflict, match="turn t is not open"):
        books.do(JoinTurn(slug="shop", turn="t", inbound=two.inbound))


def test_what_was_not_heard_waits_again_where_it_stood(books: Books) -> None:
    first, second, third = books.say("first"), books.say("second"), books.say("third")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    books.twice(
        EndTurn(
            slug="shop",
            turn="t",
            outcome=Outcome.STOPPED,
            answer="",
            leaf=None,
            deliveries=(),
            returned=(second.inbound,),
        )
    )
    assert [(each.id, each.steered, each.attempts) for each in books.work().queue] == [
        (second.inbound, False, 0),
        (third.inbound, False, 0),
    ]
    assert [content for _, content, _ in said(books)] == ["first"]


def test_only_an_inbound_of_the_turn_is_given_back(books: Books) -> None:
    first, second = books.say(), books.say()
    books.begin("t", first)
    request = EndTurn(
        slug="shop", turn="t", outcome=Outcome.DONE, answer="", leaf=None, deliveries=(), returned=(second.inbound,)
    )
    with pytest.raises(Conflict, match=f"inbound {second.inbound} is not one of turn t"):
        books.do(request)
    assert books.work().turn is not None


# --- parted


def part(attempt: int, turn: str = "t") -> PartTurn:
    return PartTurn(slug="shop", turn=turn, attempt=attempt)


def parted(books: Books) -> int:
    turn = books.work().turn
    assert turn is not None
    return turn.parted


def test_an_attempt_that_was_ended_on_purpose_is_counted_once(books: Books) -> None:
    said = books.say()
    books.begin("t", said)
    assert parted(books) == 0
    books.twice(part(1))
    assert parted(books) == 1
    turn = books.do(begin(2, said.inbound))
    assert (turn.attempt, turn.parted) == (2, 1)
    books.do(begin(3, said.inbound))
    books.twice(part(3))
    books.do(part(1))  # told once more, long after
    assert parted(books) == 2
    books.twice(part(2))
    assert parted(books) == 3
    joined = books.do(JoinTurn(slug="shop", turn="t", inbound=books.say().inbound))
    assert joined.parted == 3


def test_a_fate_is_open_unless_the_last_attempt_was_ended_on_purpose_after_it_had_gone_on(books: Books) -> None:
    def decided() -> bool:
        turn = books.work().turn
        assert turn is not None
        return turn.decided

    said = books.say()
    books.begin("t", said)
    assert not decided()
    books.twice(part(1))
    assert decided()
    books.do(begin(2, said.inbound))
    assert not decided()
    books.twice(PartTurn(slug="shop", turn="t", attempt=2, decided=False))
    assert not decided()


def test_only_an_attempt_that_was_made_is_parted(books: Books) -> None:
    books.begin("t", books.say())
    books.begin("u", books.say(place=ELSEWHERE))
    for attempt in (0, 2):
        with pytest.raises(Conflict, match=f"turn t has had no attempt {attempt}"):
            books.do(part(attempt))
    with pytest.raises(Conflict, match="there is no turn nope"):
        books.do(part(1, "nope"))
    with pytest.raises(Conflict, match="turn u belongs to room shop-2"):
        books.do(part(1, "u"))
    assert parted(books) == 0


def test_a_turn_that_has_ended_is_not_parted(books: Books) -> None:
    books.begin("t", books.say())
    books.do(ending())
    before = books.rows()
    books.do(part(1))
    assert books.rows() == before


# --- what has not arrived


def test_a_room_knows_how_much_of_what_was_said_in_its_place_has_not_arrived(books: Books) -> None:
    books.begin("t", books.say())
    assert books.work().backlog == 0
    books.do(ending())
    books.tell("note")
    books.tell("topic", kind=DeliveryKind.REPORT)
    books.say(place=ELSEWHERE)
    (first,) = books.due()
    books.do(Sending(ids=(first.id,)))
    assert (books.work().backlog, books.work(ELSEWHERE).backlog) == (3, 0)
    books.do(Sent(id=first.id, part=0, message_id=70, last=True))
    assert books.work().backlog == 2


# --- stopped


def test_the_running_turn_of_a_room_is_to_be_stopped(books: Books) -> None:
    books.say()
    assert books.do(RequestStop(slug="shop")) is False
    books.begin("t", books.say())
    books.begin("u", books.say(place=ELSEWHERE))
    assert books.twice(RequestStop(slug="shop")) is True
    assert books.work().turn.stop_requested is True  # type: ignore[union-attr]
    assert books.work(ELSEWHERE).turn.stop_requested is False  # type: ignore[union-attr]
    with pytest.raises(UnknownRoom):
        books.do(RequestStop(slug="nope"))
