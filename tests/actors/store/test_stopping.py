"""What a stop does: the turn is marked, what waits is held, and a person says what becomes of it."""

from typing import Any

import pytest

from actors.messages import (
    Accept,
    Accepted,
    Amend,
    AnswerCommand,
    BeginTurn,
    Button,
    Duplicate,
    EndTurn,
    JoinTurn,
    MigrateChat,
    Outcome,
    Place,
    Refused,
    RequestStop,
    Unfinished,
    UnfinishedRooms,
    stop_data,
)
from actors.store.errors import Conflict
from actors.store.presses import OVER
from tests.actors.store.books import ELSEWHERE, HERE, Books


def answer(books: Books, said: Accepted, **changes: Any) -> None:
    books.twice(AnswerCommand(slug="shop", inbound=said.inbound, deliveries=(), **changes))


def queued(books: Books) -> list[str]:
    return [each.text for each in books.work().queue]


def held(books: Books) -> list[str]:
    return [each.text for each in books.work().held]


def ending(turn: str, *returned: Accepted, hold: bool = False) -> EndTurn:
    return EndTurn(
        slug="shop",
        turn=turn,
        outcome=Outcome.STOPPED,
        answer="",
        leaf=None,
        deliveries=(),
        returned=tuple(each.inbound for each in returned),
        hold=hold,
    )


def button(books: Books, command: str, argument: str = "") -> str:
    """What the button of a new message carries."""
    books.tell("choose", Button(label="Press", command=command, argument=argument))
    return f"b:{books.newest_delivery()}:0"


# --- what holds


@pytest.mark.parametrize("command", ["stop", "new"])
def test_a_stop_holds_all_that_waits_and_marks_the_turn(books: Books, command: str) -> None:
    books.begin("t", books.say("runs"))
    books.say("one")
    books.say("two")
    books.say("/status", command="status")
    books.say("elsewhere", place=ELSEWHERE)
    books.say(f"/{command}", command=command)
    assert (queued(books), held(books)) == ([], ["one", "two"])
    assert [each.command for each in books.work().commands] == ["status", command]
    turn = books.work().turn
    assert turn is not None
    assert turn.stop_requested
    assert [each.text for each in books.work(ELSEWHERE).queue] == ["elsewhere"]


def test_another_command_holds_nothing(books: Books) -> None:
    books.begin("t", books.say())
    books.say("one")
    books.say("/compact", command="compact")
    assert held(books) == []
    turn = books.work().turn
    assert turn is not None
    assert not turn.stop_requested


def test_a_stop_that_is_told_again_does_not_hold_what_came_after_it(books: Books) -> None:
    books.say("before")
    stop = Accept(inbound=books.inbound("/stop", command="stop"), capacity=8)
    books.do(stop)
    books.say("after")
    assert isinstance(books.twice(stop), Duplicate)
    assert (queued(books), held(books)) == (["after"], ["before"])


def test_a_new_that_is_refused_stops_nothing(books: Books) -> None:
    books.begin("t", books.say())
    books.say("one")
    books.say("/status", command="status")
    assert isinstance(books.do(Accept(inbound=books.inbound("/new", command="new"), capacity=1)), Refused)
    assert (queued(books), held(books)) == (["one"], [])
    turn = books.work().turn
    assert turn is not None
    assert not turn.stop_requested


@pytest.mark.parametrize("command", ["stop", "new"])
def test_a_press_holds_as_what_is_typed_does(books: Books, command: str) -> None:
    books.begin("t", books.say())
    books.say("one")
    books.twice(books.pressing(stop_data("t") if command == "stop" else button(books, "new")))
    assert (queued(books), held(books)) == ([], ["one"])
    assert books.work().turn.stop_requested  # type: ignore[union-attr]
    books.say("two")
    books.press(stop_data("t"))  # the same stop waits already, and this one holds what has come since
    assert held(books) == ["one", "two"]


def test_the_stop_of_another_room_is_not_for_this_one(books: Books) -> None:
    books.begin("t", books.say())
    books.say("one")
    books.say("/stop", command="stop", place=ELSEWHERE)
    assert (queued(books), held(books)) == (["one"], [])


def test_a_stop_that_somebody_else_asks_for_holds_if_it_says_so(books: Books) -> None:
    books.begin("t", books.say())
    books.say("one")
    assert books.twice(RequestStop(slug="shop")) is True
    assert held(books) == []
    assert books.twice(RequestStop(slug="shop", hold=True)) is True
    assert held(books) == ["one"]


def test_what_waits_is_held_also_where_nothing_runs(books: Books) -> None:
    books.say("one")
    assert books.twice(RequestStop(slug="shop", hold=True)) is False
    assert held(books) == ["one"]


# --- what is held


def test_what_is_held_keeps_its_place_in_the_queue(books: Books) -> None:
    for text in ("one", "two"):
        books.say(text, capacity=2)
    books.say("/stop", command="stop")
    assert isinstance(books.do(Accept(inbound=books.inbound("three"), capacity=2)), Refused)
    assert books.say("three", capacity=3).ahead == 0  # nothing of it stands before what comes now


def test_what_is_held_is_nobodys_work(books: Books) -> None:
    one = books.say("one")
    books.say("/stop", command="stop")
    answer(books, Accepted(room=one.room, inbound=one.inbound + 1, ahead=0))
    assert books.do(UnfinishedRooms()) == ()
    assert books.do(Unfinished(place=HERE)) == 0
    with pytest.raises(Conflict, match=f"inbound {one.inbound} does not wait"):
        books.begin("t", one)
    books.begin("u", books.say("two"))
    with pytest.raises(Conflict, match=f"inbound {one.inbound} does not wait"):
        books.do(JoinTurn(slug="shop", turn="u", inbound=one.inbound))


def test_what_is_held_can_still_be_edited_and_dropped(books: Books) -> None:
    one, two = books.say("one"), books.say("two")
    books.say("/stop", command="stop")
    message_id = books.work().held[0].message_id
    assert message_id is not None
    assert books.twice(Amend(key="e", place=HERE, message_id=message_id, text="uno")).late is False
    assert held(books) == ["uno", "two"]
    assert books.press(button(books, "drop_it", str(two.inbound))).said == "Dropping it."
    answer(books, books.say("/x", command="x"), drop=two.inbound)
    assert held(books) == ["uno"]
    for command in ("steer_it", "keep_it"):
        assert books.press(button(books, command, str(one.inbound))).said == OVER


def test_what_is_held_goes_over_to_the_room_that_takes_its_place(books: Books) -> None:
    books.say("here")
    there = Place(HERE.front, -1002, HERE.thread)
    books.say("faster", place=there)
    books.say("/stop", command="stop", place=there)
    books.do(MigrateChat(front=HERE.front, old=HERE.chat, new=there.chat))
    work = books.work(there)
    assert (work.room.slug, [each.text for each in work.held]) == ("shop", ["faster"])


# --- what becomes of it


def test_a_person_runs_it_and_it_stands_first_again(books: Books) -> None:
    books.say("one")
    books.say("two")
    books.say("/stop", command="stop")
    books.say("three")
    run = books.say("/run_held", command="run_held")
    answer(books, run, held="run")
    assert (queued(books), held(books)) == (["one", "two", "three"], [])


def test_a_command_holds_what_it_found_waiting_and_one_word_is_for_all(books: Books) -> None:
    books.say("one", burst="album")
    resume = books.say("/resume old", command="resume")
    books.say("two")
    books.say("three", burst="album")
    answer(books, resume, held="hold")
    assert (held(books), queued(books)) == (["one", "three"], ["two"])
    answer(books, books.say("/run_held", command="run_held"), held="run")
    assert (held(books), queued(books)) == ([], ["one", "two", "three"])


def test_a_person_drops_it(books: Books) -> None:
    one = books.say("one")
    books.say("/stop", command="stop")
    books.say("two")
    answer(books, books.say("/drop_held", command="drop_held"), held="drop")
    assert (queued(books), held(books)) == (["two"], [])
    assert books.db.execute("SELECT state FROM inbound WHERE id = ?", (one.inbound,)).get == "dropped"


def test_run_does_not_release_what_a_later_stop_has_held(books: Books) -> None:
    books.say("one")
    books.say("/stop", command="stop")
    run = books.say("/run_held", command="run_held")
    answer(books, run, held="run")
    books.say("/stop", command="stop")
    answer(books, run, held="run")  # told again
    assert (queued(books), held(books)) == ([], ["one"])


@pytest.mark.parametrize("held_is", ["run", "drop"])
def test_a_word_that_a_later_stop_has_overtaken_is_not_about_what_that_held(books: Books, held_is: str) -> None:
    books.say("one")
    books.say("/stop", command="stop")
    books.say("two")
    word = books.say("/word", command="word")
    books.say("/stop", command="stop")
    answer(books, word, held=held_is)
    assert (queued(books), held(books)) == (["one"] if held_is == "run" else [], ["two"])


@pytest.mark.parametrize(("command", "said"), [("run_held", "Going on"), ("drop_held", "Dropping")])
def test_the_buttons_are_live_while_something_is_held(books: Books, command: str, said: str) -> None:
    books.say("one")
    data = button(books, command)
    assert books.press(data).said == OVER
    books.say("/stop", command="stop")
    assert books.press(data).said.startswith(said)
    answer(books, Accepted(room=books.work().room, inbound=books.work().commands[-1].id, ahead=0), held="run")
    assert books.press(data).said == OVER


# --- what a stopped turn gives back


def test_what_a_stopped_turn_gives_back_is_held_with_the_rest(books: Books) -> None:
    first, second = books.say("first"), books.say("second")
    books.say("third")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    books.say("/stop", command="stop")
    run = books.say("/run_held", command="run_held")  # before the turn has ended: it is meant for both
    books.twice(ending("t", second, hold=True))
    assert (queued(books), held(books)) == ([], ["second", "third"])
    assert [each.steered for each in books.work().held] == [False, False]
    answer(books, run, held="run")
    assert (queued(books), held(books)) == (["second", "third"], [])


def test_it_is_held_too_if_the_turn_had_just_ended_otherwise_when_the_stop_came(books: Books) -> None:
    books.begin("t", books.say("one"))
    joined = books.say("two")
    books.do(JoinTurn(slug="shop", turn="t", inbound=joined.inbound))
    books.say("/stop", command="stop")
    books.twice(ending("t", joined))
    assert (held(books), queued(books)) == (["two"], [])


def test_a_new_that_was_refused_is_no_stop_that_a_later_word_would_have_to_be_about(books: Books) -> None:
    first, second = books.say("first"), books.say("second")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    books.say("/stop", command="stop")
    run = books.say("/run_held", command="run_held")
    assert isinstance(books.do(Accept(inbound=books.inbound("/new", command="new"), capacity=1)), Refused)
    books.do(ending("t", second, hold=True))
    answer(books, run, held="run")
    assert queued(books) == ["second"]


def test_what_is_given_back_without_a_stop_waits(books: Books) -> None:
    first, second = books.say("first"), books.say("second")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    books.twice(ending("t", second))
    assert (queued(books), held(books)) == (["second"], [])


def test_it_is_held_also_where_nobody_ever_typed_stop(books: Books) -> None:
    first, second = books.say("first"), books.say("second")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=second.inbound))
    books.do(RequestStop(slug="shop", hold=True))
    books.do(ending("t", second, hold=True))
    assert held(books) == ["second"]
    answer(books, books.say("/run_held", command="run_held"), held="run")
    assert queued(books) == ["second"]


# --- bursts stay whole


def test_what_is_late_for_a_burst_that_is_held_is_held(books: Books) -> None:
    books.say("1", burst="album")
    books.say("/stop", command="stop")
    books.say("2", burst="album")
    books.say("other", burst="later")
    assert (queued(books), held(books)) == (["other"], ["1", "2"])
    answer(books, books.say("/run_held", command="run_held"), held="run")
    assert queued(books) == ["1", "2", "other"]


def test_a_burst_is_not_refused_for_its_held_part(books: Books) -> None:
    books.say("1", burst="album", capacity=1)
    books.say("/stop", command="stop")
    assert books.say("2", burst="album", capacity=1).ahead == 0


def test_one_word_is_for_a_whole_burst(books: Books) -> None:
    books.say("1", burst="album")
    books.say("/stop", command="stop")
    run = books.say("/run_held", command="run_held")
    books.say("2", burst="album")  # held as its burst is, not as something of its own
    answer(books, run, held="run")
    assert (queued(books), held(books)) == (["1", "2"], [])


def test_what_is_given_back_of_a_burst_takes_the_rest_along(books: Books) -> None:
    first, joined = books.say("first"), books.say("1", burst="album")
    books.begin("t", first)
    books.do(JoinTurn(slug="shop", turn="t", inbound=joined.inbound))
    books.say("/stop", command="stop")
    books.say("2", burst="album")
    assert queued(books) == ["2"]
    books.twice(ending("t", joined, hold=True))
    assert (queued(books), held(books)) == ([], ["1", "2"])


def test_a_held_message_that_is_dropped_takes_its_burst_along(books: Books) -> None:
    books.say("1", burst="album")
    two = books.say("2", burst="album")
    books.say("/stop", command="stop")
    answer(books, books.say("/x", command="x"), drop=two.inbound)
    assert held(books) == []


def test_it_begins_as_ever_once_it_is_released(books: Books) -> None:
    one = books.say("one")
    books.say("/stop", command="stop")
    answer(books, books.say("/run_held", command="run_held"), held="run")
    begun = BeginTurn(slug="shop", turn="t", attempt=1, inbounds=(one.inbound,), leaf_before=None)
    assert [each.text for each in books.twice(begun).inbounds] == ["one"]
