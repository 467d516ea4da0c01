"""Presses: each does what its button says, once, and nothing when its time is over."""

import pytest

from actors.messages import (
    AnswerCommand,
    Approve,
    Button,
    Delivery,
    DeliveryKind,
    GroupOffered,
    JoinTurn,
    Knock,
    NewDelivery,
    Outcome,
    Pairings,
    People,
    Place,
    Pressed,
    RoomSettings,
    Tell,
    Topic,
    TopicGone,
    TopicMade,
    stop_data,
)
from actors.store.presses import GOES_ON, OVER, OWNER_ONLY, SAID
from tests.actors.store.books import ELSEWHERE, HERE, Books

OWNER = Place("telegram", 42)
GONE = Pressed(said=OVER, room=None)


def show(books: Books, command: str, argument: str = "") -> str:
    """What the button of a new message carries."""
    books.tell("choose", Button(label="Press", command=command, argument=argument))
    delivery = books.newest_delivery()
    return f"b:{delivery}:0"


def commands(books: Books) -> list[tuple[str | None, str]]:
    return [(each.command, each.text) for each in books.work().commands]


# --- stop


def test_stop_ends_its_turn_and_no_other(books: Books) -> None:
    room = books.begin("t", books.say())
    books.begin("u", books.say(place=ELSEWHERE))
    pressed = books.press(stop_data("t"))
    assert pressed.said == "Stopping."
    assert pressed.room is not None
    assert pressed.room.slug == "shop"
    assert books.work().turn.stop_requested is True  # type: ignore[union-attr]
    assert books.work(ELSEWHERE).turn.stop_requested is False  # type: ignore[union-attr]
    assert commands(books) == [("stop", "/stop")]
    books.press(stop_data("t"))
    assert commands(books) == [("stop", "/stop")]
    books.end(room, "t")
    books.begin("v", books.say())
    assert books.press(stop_data("t")) == GONE
    assert books.work().turn.stop_requested is False  # type: ignore[union-attr]
    assert books.press(stop_data("v")).said == "Stopping."
    assert commands(books) == [("stop", "/stop"), ("stop", "/stop")]  # the older one has seen its end


@pytest.mark.parametrize("data", ["", "stop:", "stop:nope", "b:9:0", "b:1:0", "x", "stop:\ud800"])
def test_what_is_no_button_does_nothing(books: Books, data: str) -> None:
    books.say()
    books.tell("no buttons")
    assert books.press(data) == GONE
    assert books.work().commands == ()


def test_a_button_works_in_its_own_chat_only(books: Books) -> None:
    books.begin("t", books.say())
    books.say(place=ELSEWHERE)
    data = show(books, "log")
    assert books.press(stop_data("t"), place=ELSEWHERE) == GONE
    assert books.press(data, place=ELSEWHERE) == GONE
    assert books.press(data).said != OVER


# --- commands


def test_a_press_is_a_command_of_the_room_as_if_it_were_typed(books: Books) -> None:
    books.say()
    request = books.pressing(show(books, "model", "x/y"), owner=True)
    pressed = books.twice(request)
    assert (pressed.said, pressed.room is not None and pressed.room.slug) == ("One moment.", "shop")
    (command,) = books.work().commands
    assert (command.command, command.text, command.owner, command.person) == ("model", "/model x/y", True, 5)
    assert (command.message_id, command.at) == (70, request.at)


def test_a_press_without_its_topic_is_of_the_room_that_the_button_is_in(books: Books) -> None:
    books.say()
    pressed = books.press(show(books, "log"), place=Place(HERE.front, HERE.chat))
    assert pressed.room is not None
    assert (pressed.room.slug, commands(books)) == ("shop", [("log", "/log")])


def test_each_button_is_itself(books: Books) -> None:
    books.say()
    rows = ((Button(label="1", command="log"), Button(label="2", command="new")), (Button(label="3", command="help"),))
    books.do(Tell(slug="shop", deliveries=(NewDelivery(kind=DeliveryKind.NOTE, text="x", buttons=rows),)))
    for number in (2, 0, 1, 3):
        books.press(f"b:1:{number}")
    assert [name for name, _ in commands(books)] == ["help", "log", "new"]


def test_the_same_command_does_not_wait_twice(books: Books) -> None:
    books.say()
    data = show(books, "log")
    assert books.press(data) == books.press(data)
    assert len(commands(books)) == 1
    books.do(AnswerCommand(slug="shop", inbound=books.work().commands[0].id, deliveries=()))
    books.press(data)
    assert len(commands(books)) == 1


@pytest.mark.parametrize("command", ["steer_it", "drop_it", "keep_it"])
def test_what_is_about_a_message_is_live_while_it_waits(books: Books, command: str) -> None:
    room = books.begin("t", books.say())
    said = books.say()
    data = show(books, command, str(said.inbound))
    assert books.press(data).said != OVER
    assert commands(books) == [(command, f"/{command} {said.inbound}")]
    books.do(JoinTurn(slug="shop", turn="t", inbound=said.inbound))
    assert books.press(data) == GONE
    books.end(room, "t")
    assert books.press(data) == GONE
    assert books.press(show(books, command, "nonsense")) == GONE


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.QUARANTINED, Outcome.INTERRUPTED])
def test_a_turn_that_failed_is_retried_once(books: Books, outcome: Outcome) -> None:
    room = books.begin("t", books.say())
    data = show(books, "retry", "t")
    assert books.press(data) == GONE
    books.end(room, "t", outcome=outcome)
    assert books.press(data).said == "Trying it again."
    (command,) = books.work().commands
    books.do(AnswerCommand(slug="shop", inbound=command.id, deliveries=(), retry="t"))
    assert books.press(data) == GONE
    books.end(books.begin("u", books.say()), "u", "fine")
    assert books.press(show(books, "retry", "u")) == GONE


def test_a_turn_that_was_cut_off_is_left_as_it_is_while_nobody_has_tried_it_again(books: Books) -> None:
    room = books.begin("t", books.say())
    data = show(books, "leave_it", "t")
    assert books.press(data) == GONE
    books.end(room, "t", outcome=Outcome.INTERRUPTED)
    assert books.press(data).said == "Leaving it as it is."
    assert commands(books) == [("leave_it", "/leave_it t")]
    books.do(AnswerCommand(slug="shop", inbound=books.work().commands[0].id, deliveries=(), retry="t"))
    assert books.press(data) == GONE


def test_what_makes_an_agent_go_on_is_a_turn_of_its_own_once(books: Books) -> None:
    room = books.begin("t", books.say())
    books.end(room, "t", outcome=Outcome.INTERRUPTED)
    offer = Button(label="Go on", command="go_on", argument="t Go on, please.")
    books.tell("Shall it?", offer, key="cut:t")
    data = f"b:{books.newest_delivery()}:0"
    assert books.press(data).said == "It goes on."
    (words,) = books.work().queue
    assert (words.text, words.mode) == ("Go on, please.", "follow_up")
    assert books.press(data) == GONE
    assert [each.text for each in books.due()] == [GOES_ON]


def test_it_goes_on_in_its_own_session_only(books: Books) -> None:
    room = books.begin("t", books.say())
    data = show(books, "go_on", "t Go on, please.")
    assert books.press(data) == GONE
    books.end(room, "t", outcome=Outcome.INTERRUPTED)
    new = books.say("/new", command="new")
    books.do(AnswerCommand(slug=room.slug, inbound=new.inbound, deliveries=(), new_session="another"))
    assert books.press(data) == GONE
    assert books.work().queue == ()


def test_a_press_tries_a_room_that_gave_up_again(books: Books) -> None:
    books.say()
    books.db.execute("UPDATE rooms SET failed_at = 1")
    books.press(show(books, "log"))
    assert books.db.execute("SELECT failed_at FROM rooms").get is None


def test_words_are_sent_as_a_message_once(books: Books) -> None:
    books.say()
    data = show(books, "text", "/etc/hosts is empty")
    assert books.twice(books.pressing(data)).said == "Sent as a message."
    assert books.press(data) == GONE
    assert [(each.text, each.command) for each in books.work().queue][1:] == [("/etc/hosts is empty", None)]


def test_a_button_that_an_edit_took_away_is_gone(books: Books) -> None:
    books.say()
    books.tell("choose", Button(label="Press", command="log"), key="busy:1")
    books.tell("chosen", key="busy:1")
    assert books.press("b:1:0") == GONE


# --- answers


def asked(books: Books, *options: str) -> Delivery:
    books.begin("t", books.say())
    books.ask("t", *options)
    return books.send_all()[-1]


def test_an_option_answers_its_question_once(books: Books) -> None:
    question = asked(books, "Red", "Blue")
    data = question.keys[1][0].data
    assert books.twice(books.pressing(data)).said == "Answered: Blue"
    assert commands(books) == [("answer", "/answer 1 Blue")]
    assert books.work().questions == ()
    assert books.press(question.keys[0][0].data) == GONE
    assert len(commands(books)) == 1


def test_the_index_of_a_button_is_no_option_of_that_name(books: Books) -> None:
    question = asked(books, "2", "1", "0")
    assert books.press(question.keys[0][0].data).said == "Answered: 2"
    assert commands(books) == [("answer", "/answer 1 0")]


def test_the_questions_message_shows_the_answer_at_once_whatever_happens_to_who_asked(books: Books) -> None:
    question = asked(books, "Red", "Blue")
    books.press(question.keys[1][0].data)
    (edit,) = books.due()
    assert (edit.id, edit.text, edit.keys) == (question.id, "❓ **Which one?**\n\nIt matters.\n\n→ Blue", ())


def test_an_answer_may_be_in_the_button(books: Books) -> None:
    asked(books)
    assert books.press(show(books, "answer", "1 as you like")).said == "Answered: as you like"
    assert books.press(show(books, "answer", "nonsense")) == GONE


def test_an_answer_after_the_turn_is_the_next_message(books: Books) -> None:
    question = asked(books, "Red", "Blue")
    books.end(books.work().room, "t", outcome=Outcome.WAITING)
    assert books.press(question.keys[0][0].data).said == "Answered: Red"
    work = books.work()
    assert (work.commands, work.questions) == ((), ())
    assert [(each.text, each.quoted) for each in work.queue] == [("Red", "Which one?\n\nIt matters.")]


def test_an_answer_comes_too_late(books: Books) -> None:
    question = asked(books, "Red", "Blue")
    books.now += 60
    assert books.press(question.keys[0][0].data) == GONE


def test_a_long_answer_is_said_in_short(books: Books) -> None:
    asked(books)
    assert len(books.twice(books.pressing(show(books, "answer", "1 " + "x" * 500))).said) == SAID


# --- what only the owner decides


def knocked(books: Books) -> tuple[str, str, str]:
    """A stranger's code, and the data of Approve and Deny."""
    code = books.do(Knock(front="telegram", person=7, name="Eve", owner=42))
    assert code is not None
    (asked,) = [each for each in books.due() if each.place == OWNER]
    return code, asked.keys[0][0].data, asked.keys[0][1].data


def test_the_owner_lets_a_stranger_in(books: Books) -> None:
    _, yes, no = knocked(books)
    assert books.press(yes, place=OWNER) == Pressed(said=OWNER_ONLY, room=None)
    assert books.do(People()) == ()
    assert books.twice(books.pressing(yes, place=OWNER, owner=True)).said == "Eve may speak with me."
    assert [each.id for each in books.do(People())] == [7]
    assert books.press(no, place=OWNER, owner=True) == GONE
    assert books.rows()["rooms"] == []  # nobody spoke


def test_the_owner_turns_a_stranger_away(books: Books) -> None:
    code, yes, no = knocked(books)
    assert books.twice(books.pressing(no, place=OWNER, owner=True)).said == "Turned away."
    assert books.press(yes, place=OWNER, owner=True) == GONE
    assert (books.do(Pairings()), books.do(Approve(code=code))) == ((), None)


def test_the_hour_is_over(books: Books) -> None:
    _, yes, _ = knocked(books)
    books.now += 3600
    assert books.press(yes, place=OWNER, owner=True) == GONE


def test_the_owner_allows_a_group(books: Books) -> None:
    books.do(GroupOffered(front="telegram", chat=-100, title="Team", name="Ada", owner=42))
    data = books.due()[0].keys[0][0].data
    assert books.press(data, place=OWNER) == Pressed(said=OWNER_ONLY, room=None)
    assert books.twice(books.pressing(data, place=OWNER, owner=True)).said == "The group may be used."
    assert books.press(data, place=OWNER, owner=True) == GONE


# --- a topic again


def test_a_topic_is_made_again_while_its_room_has_none(books: Books) -> None:
    books.say()
    books.do(TopicGone(place=HERE, owner=42))
    data = books.due()[0].keys[0][0].data
    assert books.press(data, place=OWNER).said == "Making a new topic."
    (command,) = books.work(OWNER).commands
    assert (command.command, command.text) == ("recreate", "/recreate shop")
    topic = NewDelivery(kind=DeliveryKind.TOPIC, text="Shop", place=Place("telegram", -100), topic=Topic(room="shop"))
    books.do(AnswerCommand(slug=books.work(OWNER).room.slug, inbound=command.id, deliveries=(topic,)))
    assert books.press(data, place=OWNER) == GONE  # it is being made
    (made,) = [each for each in books.due() if each.topic]
    books.do(TopicMade(id=made.id, thread=9))
    assert books.press(data, place=OWNER) == GONE
    assert books.work(OWNER).commands == ()


def test_a_mode_that_was_set_stays_set(books: Books) -> None:
    books.say()
    data = show(books, "verbose", "2")
    for _ in range(2):
        books.press(data)
        (command,) = books.work().commands
        books.do(AnswerCommand(slug="shop", inbound=command.id, deliveries=(), settings=RoomSettings(verbose=2)))
    assert books.work().room.settings.verbose == 2
