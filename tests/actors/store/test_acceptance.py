"""Commit 1: taken once or refused once, whatever is sent again; commands beside the queue; answers and edits."""

import pytest

from actors.messages import (
    Accept,
    Accepted,
    Amend,
    Amended,
    AnswerCommand,
    CloseQuestion,
    DeliveryKind,
    Duplicate,
    GetRoom,
    Outcome,
    Place,
    QuestionState,
    Refused,
    RequestStop,
)
from actors.store.acceptance import LATE
from tests.actors.store.books import ELSEWHERE, HERE, Books


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


def test_many_that_are_refused_in_a_minute_are_told_in_one_word(books: Books) -> None:
    books.say()
    for _ in range(3):
        assert isinstance(books.do(Accept(inbound=books.inbound("more"), capacity=1)), Refused)
    (delivery,) = books.due()
    assert delivery.text.startswith("3 messages were not taken, because 1 message is already waiting here")
    books.now += 60
    books.do(Accept(inbound=books.inbound("and more"), capacity=1))
    assert len(books.rows()["deliveries"]) == 2
    assert books.due()[0].id == delivery.id
    assert books.db.execute("SELECT text FROM deliveries WHERE id = 2").get.startswith("This message was not taken")


@pytest.mark.parametrize(
    ("capacity", "said"),
    [
        (1, "because 1 message is already waiting here, held since"),
        (2, "because 2 messages are already waiting here, all of them held since"),
        (3, "because 3 messages are already waiting here, 2 of them held since"),
    ],
)
def test_a_queue_that_is_full_of_what_is_held_says_the_way_out(books: Books, capacity: int, said: str) -> None:
    for _ in range(min(capacity, 2)):
        books.say()
    books.say("/stop", command="stop")
    if capacity == 3:
        books.say()
    assert isinstance(books.do(Accept(inbound=books.inbound("one too many"), capacity=capacity)), Refused)
    (delivery,) = books.due()
    assert delivery.text == (
        f"This message was not taken, {said} a stop; please send it again when you have said Run or Drop."
    )
    run, drop = delivery.keys[0]
    assert (run.label, drop.label) == ("Run", "Drop")
    assert books.press(run.data).said == "Going on with what was held."
    assert [each.text for each in books.work().commands][-1] == "/run_held"


def test_any_words_answer_a_choice_and_only_its_own_a_confirmation(books: Books) -> None:
    books.begin("t", books.say())
    question = books.ask("t", "Red", "Blue")
    books.say("neither, take green")
    assert [each.text for each in books.work().commands] == [f"/answer {question.id} neither, take green"]
    books.ask("t", "Yes", "No", dialog="2")
    books.say("by the way")
    assert [each.text for each in books.work().queue] == ["by the way"]


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


# --- bursts


def test_a_burst_takes_one_place(books: Books) -> None:
    for number in range(3):
        reply = books.do(Accept(inbound=books.inbound(f"photo {number}", burst="album"), capacity=1))
        assert isinstance(reply, Accepted)
        assert reply.ahead == 0
    assert isinstance(books.do(Accept(inbound=books.inbound(), capacity=1)), Refused)
    assert books.say(capacity=2).ahead == 1
    assert [each.burst for each in books.work().queue] == ["album"] * 3 + [None]


def test_a_burst_that_runs_is_one_ahead(books: Books) -> None:
    books.begin("t", books.say(burst="album"), books.say(burst="album"))
    assert books.say().ahead == 1


def test_a_refused_burst_is_refused_whole_with_one_word(books: Books) -> None:
    first = books.say(capacity=1)
    assert isinstance(books.do(Accept(inbound=books.inbound(burst="album"), capacity=1)), Refused)
    books.end(books.begin("t", first), "t")
    assert isinstance(books.do(Accept(inbound=books.inbound(burst="album"), capacity=1)), Refused)
    assert books.work().queue == ()
    assert len(books.rows()["deliveries"]) == 1
    assert isinstance(books.do(Accept(inbound=books.inbound(burst="another"), capacity=1)), Accepted)


# --- answers to questions


def test_the_words_of_an_option_answer_the_question(books: Books) -> None:
    books.begin("t", books.say())
    question = books.ask("t", "Red", "Blue")
    said = books.say(" red ", capacity=0)
    work = books.work()
    assert work.questions == ()
    assert [(each.id, each.command, each.text) for each in work.commands] == [
        (said.inbound, "answer", f"/answer {question.id} Red")
    ]
    books.say("blue")
    assert [each.text for each in books.work().queue] == ["blue"]


def test_other_words_are_a_message_and_leave_the_question_open(books: Books) -> None:
    books.begin("t", books.say())
    question = books.ask("t", "Yes", "No")
    books.say("green")
    assert books.work().questions == (question,)
    assert [each.text for each in books.work().queue] == ["green"]


def test_a_reply_to_the_question_answers_it_with_any_words(books: Books) -> None:
    books.begin("t", books.say())
    one, two = books.ask("t", "Red", "Blue", dialog="1"), books.ask("t", dialog="2")
    asked, _ = books.send_all()
    books.say("green", reply_to=100 + asked.id)
    assert [each.text for each in books.work().commands] == [f"/answer {one.id} green"]
    assert books.work().questions == (two,)
    books.say("violet", reply_to=100 + asked.id)  # answered: so it is for the other one, which takes any text
    assert [each.text for each in books.work().commands][1:] == [f"/answer {two.id} violet"]


def test_of_two_questions_the_newer_is_answered(books: Books) -> None:
    books.begin("t", books.say())
    older, newer = books.ask("t", dialog="1"), books.ask("t", dialog="2")
    books.say("violet")
    assert [each.text for each in books.work().commands] == [f"/answer {newer.id} violet"]
    assert books.work().questions == (older,)


def test_what_is_more_than_words_or_meant_otherwise_is_no_answer(books: Books) -> None:
    books.begin("t", books.say())
    question = books.ask("t")
    books.say("x", burst="album")
    books.say("x", mode="steer")
    books.say("/status", command="status")
    books.say(" ")
    books.say("x", place=ELSEWHERE)
    assert books.work().questions == (question,)


def test_nobody_waits_for_an_answer_any_more(books: Books) -> None:
    books.begin("t", books.say())
    books.ask("t", lasts=60)
    books.now += 60
    books.say("late")
    assert [each.text for each in books.work().queue] == ["late"]
    closed = books.ask("t", dialog="2")
    books.do(CloseQuestion(slug="shop", question=closed.id, state=QuestionState.CANCELLED, deliveries=()))
    books.say("later")
    assert len(books.work().queue) == 2


def test_an_answer_after_the_turn_is_a_text_that_says_what_it_answers(books: Books) -> None:
    room = books.begin("t", books.say())
    books.ask("t", "Red")
    books.end(room, "t", outcome=Outcome.WAITING)
    assert len(books.work().questions) == 1
    books.say("red", capacity=0)
    work = books.work()
    assert (work.questions, work.commands) == ((), ())
    assert [(each.text, each.quoted) for each in work.queue] == [("red", "Which one?\n\nIt matters.")]


def test_an_answer_is_taken_once(books: Books) -> None:
    books.begin("t", books.say())
    books.ask("t")
    assert isinstance(books.twice(Accept(inbound=books.inbound("Red"), capacity=8)), Duplicate)
    assert len(books.work().commands) == 1


# --- edits


def amend(books: Books, message_id: int | None, text: str, key: str = "e", place: Place = HERE) -> Amended:
    assert message_id is not None
    return books.twice(Amend(key=key, place=place, message_id=message_id, text=text))


def test_an_edit_before_the_turn_changes_the_message(books: Books) -> None:
    inbound = books.inbound("helo")
    books.do(Accept(inbound=inbound, capacity=8))
    assert amend(books, inbound.message_id, "hello").late is False
    assert [each.text for each in books.work().queue] == ["hello"]
    assert books.due() == ()


def test_an_edit_after_the_turn_began_is_refused_with_a_word_once(books: Books) -> None:
    inbound = books.inbound("helo")
    said = books.do(Accept(inbound=inbound, capacity=8))
    assert isinstance(said, Accepted)
    books.begin("t", said)
    reply = amend(books, inbound.message_id, "hello")
    assert (reply.late, reply.room) == (True, said.room)
    assert [(each.text, each.reply_to, each.kind) for each in books.due()] == [
        (LATE, inbound.message_id, DeliveryKind.NOTE)
    ]
    books.end(said.room, "t")
    assert amend(books, inbound.message_id, "hello again", key="f").late is True
    assert len(books.rows()["deliveries"]) == 2


def test_an_edit_of_no_word_or_of_nothing_known_does_nothing(books: Books) -> None:
    taken = books.inbound("same")
    said = books.do(Accept(inbound=taken, capacity=8))
    assert isinstance(said, Accepted)
    books.begin("t", said)
    command = books.inbound("/status", command="status")
    books.do(Accept(inbound=command, capacity=8))
    books.say()
    refused = books.inbound("refused")
    books.do(Accept(inbound=refused, capacity=1))
    before = books.rows()
    assert amend(books, taken.message_id, "same") == Amended(room=said.room, late=False)
    assert amend(books, command.message_id, "/stop").late is False
    assert amend(books, refused.message_id, "x").late is False
    assert amend(books, 9999, "x").late is False
    assert amend(books, taken.message_id, "x", place=Place("telegram", 1)) == Amended(room=None, late=False)
    assert books.rows() == before


def test_an_edit_of_a_message_that_is_tried_once_more_changes_the_newer_row(books: Books) -> None:
    inbound = books.inbound("helo")
    said = books.do(Accept(inbound=inbound, capacity=8))
    assert isinstance(said, Accepted)
    books.end(books.begin("t", said), "t", outcome=Outcome.FAILED)
    command = books.say("/retry t", command="retry").inbound
    books.do(AnswerCommand(slug="shop", inbound=command, deliveries=(), retry="t"))
    assert amend(books, inbound.message_id, "hello").late is False
    assert [each.text for each in books.work().queue] == ["hello"]


def test_reports_that_wait_take_no_place_of_a_persons(books: Books) -> None:
    books.begin("t", books.say())
    for task in ("alpha", "beta"):
        books.at_work(task, turn="t")
        books.finish(task)
    assert books.say("one", capacity=1).ahead == 2  # the turn that is on, and that of the reports
    reply = books.do(Accept(inbound=books.inbound("two"), capacity=1))
    assert isinstance(reply, Refused)
    books.do(RequestStop(slug="shop", hold=True))
    books.now += 60
    books.say("three", capacity=2)
    assert isinstance(books.do(Accept(inbound=books.inbound("four"), capacity=2)), Refused)
    assert "because 2 messages are already waiting here, 1 of them held since" in books.send_all()[-1].text
