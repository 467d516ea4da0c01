"""Commands: answered once, with all that they change in their room."""

import pytest

from actors.messages import (
    AnswerCommand,
    Attachment,
    BeginTurn,
    Binding,
    Button,
    DeliveryKind,
    GetRoom,
    NewDelivery,
    Outcome,
    Place,
    RoomSettings,
)
from actors.store.errors import Conflict
from tests.actors.store.books import ELSEWHERE, Books

NOTE = (NewDelivery(kind=DeliveryKind.NOTE, text="ok", reply_to=3),)


def test_a_command_is_answered_once(books: Books) -> None:
    command = books.say("/status", command="status")
    assert [each.id for each in books.work().commands] == [command.inbound]
    assert books.work().queue == ()
    books.twice(AnswerCommand(slug="shop", inbound=command.inbound, deliveries=NOTE))
    assert books.work().commands == ()
    (delivery,) = books.due()
    assert (delivery.text, delivery.reply_to, delivery.turn) == ("ok", 3, None)


def test_a_new_session_begins_without_a_leaf(books: Books) -> None:
    books.answered("hi")
    assert books.do(GetRoom(slug="shop")).leaf == "leaf"
    new = books.say("/new", command="new")
    request = AnswerCommand(slug="shop", inbound=new.inbound, deliveries=(), new_session="shop-next")
    books.do(request)
    room = books.do(GetRoom(slug="shop"))
    assert (room.session_id, room.leaf) == ("shop-next", None)
    books.answered("hi")
    books.do(request)
    assert books.do(GetRoom(slug="shop")).leaf == "leaf"


def test_no_new_session_under_an_open_turn(books: Books) -> None:
    books.begin("t", books.say())
    new = books.say("/new", command="new")
    with pytest.raises(Conflict, match="turn t of room shop has not ended"):
        books.do(AnswerCommand(slug="shop", inbound=new.inbound, deliveries=NOTE, new_session="shop-next"))
    assert [each.id for each in books.work().commands] == [new.inbound]
    assert books.due() == ()


def test_only_a_command_of_that_room_is_answered(books: Books) -> None:
    text = books.say()
    elsewhere = books.say(place=ELSEWHERE, command="status")
    for inbound in (text.inbound, elsewhere.inbound, 99):
        with pytest.raises(Conflict, match=f"inbound {inbound} is no command of room shop"):
            books.do(AnswerCommand(slug="shop", inbound=inbound, deliveries=NOTE))


def answer(books: Books, **changes: object) -> AnswerCommand:
    """The answer to a new command, which changes this."""
    command = books.say("/x", command="x").inbound
    return AnswerCommand(slug="shop", inbound=command, deliveries=NOTE, **changes)  # type: ignore[arg-type]  # its own


def test_a_binding_changes_the_workspace_with_a_session(books: Books) -> None:
    books.say()
    binding = Binding(project="api", workspace="/src/api")
    books.twice(answer(books, new_session="shop-2nd", binding=binding))
    room = books.do(GetRoom(slug="shop"))
    assert (room.project, room.workspace, room.session_id) == ("api", "/src/api", "shop-2nd")


def test_no_binding_under_an_open_turn(books: Books) -> None:
    books.begin("t", books.say())
    with pytest.raises(Conflict, match="turn t of room shop has not ended"):
        books.do(answer(books, binding=Binding(project="api", workspace="/src/api")))


def test_settings_are_kept_whole(books: Books) -> None:
    settings = RoomSettings(verbose=2, listen="mentions", muted=True, model="x/y", thinking="high", busy="steer")
    books.twice(answer(books, settings=settings))
    assert books.do(GetRoom(slug="shop")).settings == settings
    books.do(answer(books, settings=RoomSettings()))
    assert books.do(GetRoom(slug="shop")).settings == RoomSettings()


def test_what_a_muting_command_says_is_not_an_answer_of_the_agent(books: Books) -> None:
    books.do(answer(books, settings=RoomSettings(muted=True)))
    assert [each.silent for each in books.due()] == [False]


def test_a_dropped_message_is_never_done_and_takes_its_burst_along(books: Books) -> None:
    one, two = books.say("1", burst="album"), books.say("2", burst="album")
    other = books.say("3")
    books.twice(answer(books, drop=two.inbound))
    assert [each.id for each in books.work().queue] == [other.inbound]
    with pytest.raises(Conflict, match="does not wait"):
        books.begin("t", one)


def test_what_waits_no_more_is_not_dropped(books: Books) -> None:
    said, elsewhere = books.say(), books.say(place=ELSEWHERE)
    books.begin("t", said)
    for inbound in (said.inbound, elsewhere.inbound, 99):
        books.do(answer(books, drop=inbound))
    assert books.work().turn.inbounds[0].id == said.inbound  # type: ignore[union-attr]
    assert len(books.work(ELSEWHERE).queue) == 1


def failed(books: Books, outcome: Outcome = Outcome.FAILED) -> None:
    file = Attachment(handle="h", name="a.png", mime="image/png", size=3, picture=True, path="uploads/a.png")
    room = books.begin("t", books.say("one", quoted="said before", attachments=(file,)), books.say("two"))
    books.say("/stop", command="stop")
    books.end(room, "t", outcome=outcome)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.QUARANTINED, Outcome.INTERRUPTED])
def test_a_retry_queues_the_messages_of_a_turn_once_more(books: Books, outcome: Outcome) -> None:
    failed(books, outcome)
    books.twice(answer(books, retry="t"))
    one, two = books.work().queue
    assert (one.text, one.quoted, two.text) == ("one", "said before", "two")
    (file,) = one.attachments
    assert (file.name, file.path, file.picture) == ("a.png", "uploads/a.png", True)
    books.do(answer(books, retry="t"))
    assert len(books.work().queue) == 2


def test_a_text_that_is_retried_was_said_once(books: Books) -> None:
    failed(books)
    books.do(answer(books, retry="t"))
    again = books.work().queue
    books.do(BeginTurn(slug="shop", turn="u", attempt=1, inbounds=tuple(each.id for each in again), leaf_before=None))
    books.end(books.do(GetRoom(slug="shop")), "u", "done")
    said = books.db.execute("SELECT content FROM messages ORDER BY id").fetchall()
    assert said == [("one",), ("two",), ("done",)]


def test_a_turn_that_did_not_fail_or_is_anothers_is_not_retried(books: Books) -> None:
    failed(books, Outcome.STOPPED)
    elsewhere = books.begin("u", books.say(place=ELSEWHERE))
    books.end(elsewhere, "u", outcome=Outcome.FAILED)
    for turn in ("t", "u", "nope"):
        books.do(answer(books, retry=turn))
    assert books.work().queue == ()


def test_what_is_said_may_go_elsewhere_and_have_buttons(books: Books) -> None:
    button = Button(label="Try again", command="retry", argument="t")
    new = NewDelivery(kind=DeliveryKind.NOTE, text="there", place=Place("telegram", 42), buttons=((button,),))
    books.do(AnswerCommand(slug="shop", inbound=books.say("/x", command="x").inbound, deliveries=(new,)))
    (delivery,) = books.due()
    assert (delivery.place, delivery.keys[0][0].label) == (Place("telegram", 42), "Try again")
