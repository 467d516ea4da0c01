"""Questions: asked once, over once, alive after their turn only if it waited for them."""

import pytest

from actors.messages import CloseQuestion, DeliveryKind, NewDelivery, Outcome, Question, QuestionState, UnfinishedRooms
from actors.store.errors import Conflict
from actors.store.questions import answer, option
from tests.actors.store.books import ELSEWHERE, Books

EDIT = (NewDelivery(kind=DeliveryKind.QUESTION, text="Which one? → Red", key="question:1"),)


def closing(state: QuestionState = QuestionState.ANSWERED, question: int = 1) -> CloseQuestion:
    return CloseQuestion(slug="shop", question=question, state=state, deliveries=EDIT)


def test_a_question_and_its_message_are_one_transaction_and_happen_once(books: Books) -> None:
    books.begin("t", books.say())
    question = books.twice(books.question("t", "Red", "Blue"))
    assert (question.id, question.turn, question.dialog, question.method) == (1, "t", "d", "select")
    assert (question.title, question.text, question.options) == ("Which one?", "It matters.", ("Red", "Blue"))
    assert (question.asked_at, question.expires_at) == (1000.0, 1060.0)
    assert books.work().questions == (question,)
    (delivery,) = books.due()
    assert (delivery.kind, delivery.turn, delivery.silent) == (DeliveryKind.QUESTION, "t", False)
    assert books.db.execute("SELECT key, buttons FROM deliveries").get == (
        "question:1",
        '[[{"label":"Red","command":"answer","argument":"1 0"}],'
        '[{"label":"Blue","command":"answer","argument":"1 1"}]]',
    )


def test_another_dialog_is_another_question(books: Books) -> None:
    books.begin("t", books.say())
    assert [books.ask("t", dialog="1").id, books.ask("t", dialog="2").id, books.ask("t", dialog="1").id] == [1, 2, 1]
    assert [each.id for each in books.work().questions] == [1, 2]


@pytest.mark.parametrize("state", [QuestionState.ANSWERED, QuestionState.EXPIRED, QuestionState.CANCELLED])
def test_a_question_is_over_once(books: Books, state: QuestionState) -> None:
    books.begin("t", books.say())
    books.ask("t")
    books.send_all()
    books.twice(closing(state))
    assert books.work().questions == ()
    assert [each.text for each in books.due()] == ["Which one? → Red"]
    before = books.rows()
    books.do(closing(QuestionState.EXPIRED))
    assert books.rows() == before
    assert books.ask("t").id == 1
    assert books.work().questions == ()


def test_what_is_no_question_or_no_end_is_said_so(books: Books) -> None:
    books.begin("t", books.say())
    books.begin("u", books.say(place=ELSEWHERE))
    books.ask("t")
    with pytest.raises(Conflict, match="there is no question 9 in room shop"):
        books.do(closing(question=9))
    with pytest.raises(Conflict, match="does not end open"):
        books.do(closing(QuestionState.OPEN))
    for turn in ("u", "nope"):
        with pytest.raises(Conflict, match=f"turn {turn} is not open in room shop"):
            books.ask(turn)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_turn_that_waits_leaves_its_questions_open(books: Books, outcome: Outcome) -> None:
    room = books.begin("t", books.say())
    question = books.ask("t")
    books.end(room, "t", outcome=outcome)
    waits = outcome is Outcome.WAITING
    assert books.work().questions == ((question,) if waits else ())
    assert [each.slug for each in books.do(UnfinishedRooms())] == (["shop"] if waits else [])
    with pytest.raises(Conflict, match="not open"):
        books.ask("t", dialog="2")


def ask(*options: str) -> Question:
    return Question(
        id=7,
        turn="t",
        dialog="d",
        method="select",
        title="",
        text="",
        options=options,
        asked_at=0.0,
        expires_at=1.0,
    )


def test_an_option_is_known_by_its_words_however_they_are_spelt() -> None:
    question = ask("Red", "Straße ")
    assert option(question, " RED") == "Red"
    assert option(question, "STRASSE") == "Straße "
    assert option(question, "re") is None


@pytest.mark.parametrize(
    ("options", "words", "text"),
    [
        (("Red", "Blue"), "blue", "/answer 7 Blue"),
        (("Red", "Blue"), " green ", "/answer 7 green"),
        (("2", "1", "0"), "2", "/answer 7 0"),  # its own words would be taken for the index of another
        (("10", "20"), "20", "/answer 7 20"),
        ((), "two\nlines", "/answer 7 two\nlines"),
    ],
)
def test_an_answer_is_written_so_that_it_is_read_as_it_was_meant(
    options: tuple[str, ...], words: str, text: str
) -> None:
    assert answer(ask(*options), words) == text
