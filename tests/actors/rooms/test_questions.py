"""Questions of an agent: asked, answered, over; and what a crash makes of them."""

import pytest

from actors.messages import Outcome, Question, QuestionAsked, QuestionClosed, QuestionState
from actors.resume import RESUME_NOTE, answered
from actors.rooms import words
from actors.rooms.steps import (
    Answer,
    Close,
    End,
    GiveAnswer,
    Open,
    SendAbort,
    SendContinue,
    Step,
)
from actors.rooms.trouble import SERVICE_ENDED
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import (
    done,
    greet,
    pull,
    ready,
    recall,
    refuse,
    resumed,
    room,
    running,
    settle,
    stopping,
)
from tests.actors.rooms.rows import asked, command, question, said, turn, work

WHICH = question(7, "red", "blue")
BLUE = command(8, "answer", "/answer 7 blue")


def event(dialog: str = "d", turn: str = "t1", incarnation: int = 1) -> QuestionAsked:
    return QuestionAsked(
        turn=turn,
        incarnation=incarnation,
        dialog=dialog,
        method="select",
        title="Which one?",
        text="",
        options=("red", "blue"),
        timeout=None,
    )


def asking(which: Question = WHICH) -> Turns:
    """The agent waits for a person."""
    turns = running()
    assert turns.asked(event()) == [Open(event(), 101)]
    turns.questions.opened(which)
    assert turns.questions.asking
    return turns


def test_an_answer_goes_to_the_agent_and_counts_when_it_has_moved_on() -> None:
    turns = asking()
    rows = work(turn=turn(1), commands=(BLUE,))
    assert pull(turns, rows) == [GiveAnswer("d", "blue")]
    assert not turns.questions.asking
    assert pull(turns, rows) == []
    assert turns.questions.moved() == [Answer(BLUE, (words.answered(WHICH, "blue"),), receipts=(108,))]
    assert turns.questions.moved() == []


@pytest.mark.parametrize(
    ("which", "text", "value"),
    [
        (WHICH, "1", "blue"),
        (question(7, "1", "2"), "1", "1"),
        (question(7), "the one\non the left", "the one\non the left"),
        (question(7), "1", "1"),
    ],
)
def test_what_an_answer_says(which: Question, text: str, value: str) -> None:
    rows = work(turn=turn(1), commands=(command(8, "answer", f"/answer 7 {text}"),))
    assert pull(asking(which), rows) == [GiveAnswer("d", value)]


@pytest.mark.parametrize(("text", "value"), [("Yes", True), ("No", False), ("0", True), ("1", False)])
def test_a_confirmation_is_a_truth(text: str, value: bool) -> None:
    which = Question(
        id=7,
        turn="t1",
        dialog="d",
        method="confirm",
        title="?",
        text="",
        options=words.YES_NO,
        asked_at=1,
        expires_at=9,
    )
    rows = work(turn=turn(1), commands=(command(8, "answer", f"/answer 7 {text}"),))
    assert pull(asking(which), rows) == [GiveAnswer("d", value)]


def test_a_question_expires_with_a_word() -> None:
    turns = asking()
    expired = Close(WHICH, QuestionState.EXPIRED, (words.expired(WHICH),))
    assert turns.questions.expired(7) == [GiveAnswer("d", None), expired]
    assert turns.questions.expired(7) == []


def test_a_dialog_that_the_agent_gives_up_is_cancelled() -> None:
    turns = asking()
    closed = QuestionClosed(turn="t1", incarnation=1, dialog="d")
    assert turns.question_closed(closed) == [Close(WHICH, QuestionState.CANCELLED, (words.cancelled(WHICH),))]
    assert not turns.questions.asking


@pytest.mark.parametrize("make", [ready, stopping])
def test_nobody_is_asked_while_no_run_is_on(make: type[Turns]) -> None:
    assert make().asked(event()) == [GiveAnswer("d", None)]


def test_a_stop_dismisses_the_question_and_ends_the_run() -> None:
    turns = asking()
    assert pull(turns, work(turn=turn(1, stop=True), questions=(WHICH,))) == [
        GiveAnswer("d", None),
        Close(WHICH, QuestionState.CANCELLED, (words.cancelled(WHICH),)),
        SendAbort("t1"),
    ]


def test_a_run_that_ends_with_its_question_open_closes_it() -> None:
    _dismiss, close, end = settle(asking(), 1, "t1", "hello")
    assert isinstance(close, Close)
    assert isinstance(end, End)


def waiting(steps: list[Step]) -> None:
    (end,) = [step for step in steps if isinstance(step, End)]
    assert (end.outcome, end.returned) == (Outcome.WAITING, ())


def test_an_agent_that_dies_while_it_asks_ends_the_turn_and_the_question_stands() -> None:
    turns = asking()
    steps = turns.agent_down(1, "boom")
    waiting(steps)
    assert not [step for step in steps if isinstance(step, Close)]
    assert pull(turns, work(questions=(WHICH,))) == []
    assert turns.idle
    assert turns.questions.waiting == {7: WHICH}
    assert turns.questions.expired(7) == [Close(WHICH, QuestionState.EXPIRED, (words.expired(WHICH),))]


@pytest.mark.parametrize(("name", "closed"), [("new", [WHICH]), ("stop", [])])
def test_a_question_that_stands_is_of_the_session_that_asked_it(name: str, closed: list[Question]) -> None:
    steps = pull(ready(), work(commands=(command(8, name),), questions=(WHICH,)))
    assert [step.question for step in steps if isinstance(step, Close)] == closed


def test_a_conversation_that_died_while_its_agent_asked_ends_the_turn() -> None:
    waiting(pull(room(), work(turn=turn(1), questions=(WHICH,))))


def test_an_answer_that_the_dying_agent_may_not_have_heard_is_told_to_the_next_one() -> None:
    turns = asking()
    rows = work(turn=turn(1), commands=(BLUE,))
    assert pull(turns, rows) == [GiveAnswer("d", "blue")]
    turns.agent_down(1, "boom")
    greet(turns, 2, "leaf2")
    turns.began(turn(1, 2))
    assert pull(turns, work(turn=turn(1, 2), commands=(BLUE,))) == []
    assert recall(turns, 2, "t1", (asked(), said("", "toolUse")), "leaf2") == [
        resumed(),
        SendContinue("t1", answered(RESUME_NOTE, ["blue"])),
    ]
    assert turns.questions.moved() == [Answer(BLUE, (words.answered(WHICH, "blue"),), receipts=(108,))]


def test_an_answer_that_found_nobody_is_told_to_the_agent_that_goes_on() -> None:
    turns = room()
    assert len(pull(turns, work(turn=turn(1), commands=(BLUE,)))) == 1  # it shows the turn, and holds the answer
    greet(turns, 1, "leaf1")
    turns.began(turn(1, 2))
    assert recall(turns, 1, "t1", (asked(), said("", "toolUse")), "leaf2") == [
        resumed(SERVICE_ENDED),
        SendContinue("t1", answered(RESUME_NOTE, ["blue"])),
    ]
    turns.agent_down(1, "boom")  # before the note was in its session
    greet(turns, 2, "leaf1")
    turns.began(turn(1, 3))
    *_, again = recall(turns, 2, "t1", (asked(), said("", "toolUse")), "leaf2")
    assert again == SendContinue("t1", answered(RESUME_NOTE, ["blue"]))
    assert turns.questions.moved() == [Answer(BLUE, receipts=(108,))]


def test_an_answer_that_the_agent_had_heard_before_it_finished_is_done_in_silence() -> None:
    turns = room()
    pull(turns, work(turn=turn(1), commands=(BLUE,)))
    greet(turns, 1, "leaf1")
    turns.began(turn(1, 2))
    heard, ended = recall(turns, 1, "t1", (asked(), said("", "toolUse"), said("hello")), "leaf2")
    assert heard == Answer(BLUE, receipts=(108,))
    assert ended == done()


def test_an_answer_in_a_note_that_the_agent_refuses_can_be_sent_as_a_message() -> None:
    turns = room()
    pull(turns, work(turn=turn(1), commands=(BLUE,)))
    greet(turns, 1, "leaf1")
    turns.began(turn(1, 2))
    recall(turns, 1, "t1", (asked(), said("", "toolUse")), "leaf2")
    (end,) = refuse(turns, 1, "t1", "no")
    assert isinstance(end, End)
    (told,) = pull(turns, work(commands=(BLUE,)))
    assert isinstance(told, Answer)
    assert told.deliveries[0].buttons[0][0].argument == "blue"
    pull(turns, work())
    assert turns.idle


def test_an_answer_that_comes_too_late_can_be_sent_as_a_message() -> None:
    (answer,) = pull(ready(), work(commands=(BLUE,)))
    assert isinstance(answer, Answer)
    ((button,),) = answer.deliveries[0].buttons
    assert (button.command, button.argument) == ("text", "blue")
