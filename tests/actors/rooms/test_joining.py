"""Messages that find the agent busy: joined, interrupting, waiting; heard, given back, told once more."""

import msgspec
import pytest

from actors.messages import BusyMode, DeliveryKind, Outcome, RoomSettings
from actors.resume import RESUME_NOTE
from actors.rooms import words
from actors.rooms.steps import (
    Answer,
    AwaitBurst,
    Begin,
    End,
    FetchFiles,
    Interrupt,
    Join,
    NoteBusy,
    Phase,
    SendAbort,
    SendContinue,
    SendRecall,
    SendSteer,
    ShowTurn,
    Step,
    TellPeople,
)
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import (
    CRASHED,
    beginning,
    done,
    greet,
    prompt,
    pull,
    ready,
    recall,
    resumed,
    room,
    running,
    settle,
    steered,
    stopping,
    taken,
)
from tests.actors.rooms.rows import ROOM, asked, attached, command, file, message, report, said, turn, work

TWO = message(2)
JOINED = turn(1, 1, *steered(TWO), leaf_before="leaf1")
NOTED = TellPeople((words.steered(TWO),))
STEERED = SendSteer("t1", steered(TWO), {})


def joined() -> Turns:
    """Message 2 has been given to the agent that works on message 1."""
    turns = running("steer")
    assert pull(turns, work(TWO, turn=turn(1))) == [Join("t1", (2,))]
    assert turns.joined(JOINED, (2,)) == [NOTED, STEERED]
    return turns


def ended(steps: list[Step]) -> End:
    (end,) = [step for step in steps if isinstance(step, End)]
    return end


def test_a_message_joins_the_run() -> None:
    turns = joined()
    assert pull(turns, work(turn=JOINED)) == []
    taken(turns, 2)
    end = ended(settle(turns, 1, "t1", "hello"))
    assert (end.returned, end.receipts) == ((), (101, 102))


def test_one_word_in_a_turn_is_enough_but_where_another_stands() -> None:
    turns = joined()
    three, four = message(3), message(4, mode="follow_up")
    pull(turns, work(three, four, turn=JOINED))  # the last one is told that it waits
    both = turn(1, 1, *steered(TWO, three), leaf_before="leaf1")
    assert [type(step) for step in turns.joined(both, (3,))] == [SendSteer]
    pull(turns, work(four, turn=both, commands=(command(9, "steer_it", "/steer_it 4"),)))
    all_of_them = turn(1, 1, *steered(TWO, three, four), leaf_before="leaf1")
    assert TellPeople((words.steered(steered(four)[0]),)) in turns.joined(all_of_them, (4,))


def test_a_word_that_a_crash_may_have_cut_off_is_said_again() -> None:
    turns = room("steer")
    pull(turns, work(turn=JOINED))
    greet(turns, 1, "leaf2")
    turns.began(msgspec.structs.replace(JOINED, attempt=2))
    steps = recall(turns, 1, "t1", (asked("text 1"),), "leaf2")
    assert steps[0] == TellPeople((words.steered(steered(TWO)[0]),))


def test_what_was_not_heard_waits_again_and_is_the_next_turn() -> None:
    turns = joined()
    end = ended(settle(turns, 1, "t1", "hello", unconsumed=(2,)))
    assert (end.returned, end.receipts) == ((2,), (101,))
    begun = TellPeople((words.begun(TWO),))  # in place of the word that it has joined
    assert pull(turns, work(TWO)) == [ShowTurn("t2", None), begun, Begin("t2", 1, (2,), "leaf2")]


def test_what_was_told_just_after_the_runs_end_was_not_heard() -> None:
    assert ended(settle(joined(), 1, "t1", "hello", unconsumed=())).returned == (2,)


@pytest.mark.parametrize("make", [beginning, stopping])
def test_nothing_joins_a_run_that_is_not_on(make: type[Turns]) -> None:
    turns = make("steer")
    rows = work(message(1), TWO) if turns.phase is Phase.BEGINNING else work(TWO, turn=turn(1))
    assert not [step for step in pull(turns, rows) if isinstance(step, Join)]


def test_what_came_before_the_run_began_joins_it_then() -> None:
    turns = beginning("steer")
    pull(turns, work(message(1), TWO))
    assert turns.began(turn(1)) == [prompt(1), Join("t1", (2,))]


def test_two_join_in_their_order() -> None:
    turns = running("steer")
    rows = work(TWO, message(3), turn=turn(1))
    assert pull(turns, rows) == [Join("t1", (2,)), Join("t1", (3,))]
    assert pull(turns, rows) == []


@pytest.mark.parametrize(
    ("mode", "setting", "chosen"),
    [
        (None, None, "steer"),
        (None, "follow_up", "follow_up"),
        ("steer", "follow_up", "steer"),
        ("follow_up", None, "follow_up"),
    ],
)
def test_who_decides(mode: BusyMode | None, setting: BusyMode | None, chosen: BusyMode) -> None:
    turns = running("steer")
    room = msgspec.structs.replace(ROOM, settings=RoomSettings(busy=setting))
    row = message(2, mode=mode)
    expected: dict[BusyMode, Step] = {"steer": Join("t1", (2,)), "follow_up": NoteBusy(row, 1)}
    assert pull(turns, work(row, turn=turn(1), room=room)) == [expected[chosen]]


def test_an_interruption_is_committed_before_the_run_is_ended() -> None:
    turns = running("interrupt")
    row = message(2, accepted_at=2.0)
    assert pull(turns, work(row, turn=turn(1))) == [Interrupt("t1")]
    assert pull(turns, work(row, turn=turn(1))) == []
    assert turns.interrupted("t1") == [SendAbort("t1")]
    assert ended(settle(turns, 1, "t1", "", "aborted")).outcome is Outcome.STOPPED
    assert pull(turns, work(row))[-1] == Begin("t2", 1, (2,), "leaf2")


def test_what_waited_before_a_turn_began_does_not_end_it() -> None:
    turns = running("interrupt")
    row = message(2, accepted_at=0.5)
    assert pull(turns, work(row, turn=turn(1))) == [NoteBusy(row, 1)]


def test_who_waits_is_told_once_and_again_when_it_begins() -> None:
    turns = running()
    rows = work(TWO, message(3), turn=turn(1))
    assert pull(turns, rows) == [NoteBusy(TWO, 1), NoteBusy(message(3), 2)]
    assert pull(turns, rows) == []
    settle(turns, 1, "t1", "hello")
    begun = TellPeople((words.begun(TWO),))
    assert pull(turns, work(TWO, message(3))) == [ShowTurn("t2", None), begun, Begin("t2", 1, (2,), "leaf2")]


# --- buttons


def choose(turns: Turns, name: str, *rows: int) -> list[Step]:
    """A person presses a button under the note about message 2; `rows`: what else waits."""
    waiting = (TWO, *(message(id) for id in rows))
    return pull(turns, work(*waiting, turn=turn(1), commands=(command(9, name, f"/{name} 2"),)))


def test_a_waiting_message_is_steered_by_a_button() -> None:
    turns = running()
    pull(turns, work(TWO, turn=turn(1)))
    assert choose(turns, "steer_it") == [Answer(command(9, "steer_it", "/steer_it 2")), Join("t1", (2,))]


def test_a_message_is_kept_by_a_button_and_does_not_join() -> None:
    turns = stopping("steer")
    pull(turns, work(TWO, turn=turn(1)))
    assert choose(turns, "keep_it") == [Answer(command(9, "keep_it", "/keep_it 2"), (words.kept(TWO),))]


def test_a_message_is_dropped_by_a_button_and_does_not_begin_before_that_is_committed() -> None:
    turns = running()
    pull(turns, work(TWO, turn=turn(1)))
    (answer,) = choose(turns, "drop_it")
    assert answer == Answer(command(9, "drop_it", "/drop_it 2"), (words.dropped(TWO),), drop=2, receipts=(102,))
    assert turns.waiting == 0
    pull(turns, work(TWO, turn=turn(1), commands=(command(9, "drop_it", "/drop_it 2"),)))
    assert turns.waiting == 0


def test_a_message_that_is_just_beginning_is_not_dropped() -> None:
    turns = beginning()
    (answer,) = pull(turns, work(message(1), commands=(command(9, "drop_it", "/drop_it 1"),)))
    assert isinstance(answer, Answer)
    assert answer.drop is None


def test_a_button_that_comes_too_late_says_so() -> None:
    (answer,) = pull(running(), work(turn=turn(1), commands=(command(9, "drop_it", "/drop_it 2"),)))
    assert isinstance(answer, Answer)
    assert answer.drop is None
    assert "does not wait" in answer.deliveries[0].text


# --- bursts and files


def test_a_burst_is_one_turn_once_it_has_paused() -> None:
    turns = ready()
    album = [message(id, burst="album") for id in (1, 2, 3)]
    assert pull(turns, work(*album[:2])) == [ShowTurn("t1", None), AwaitBurst(2)]
    assert pull(turns, work(*album[:2])) == []
    assert pull(turns, work(*album)) == [AwaitBurst(3)]
    assert turns.quiet(2) == []
    assert turns.quiet(3) == [Begin("t1", 1, (1, 2, 3), "leaf1")]


def test_a_burst_that_another_message_follows_is_complete() -> None:
    turns = ready()
    rows = [message(1, burst="album"), message(2, burst="album"), message(3)]
    assert pull(turns, work(*rows)) == [ShowTurn("t1", None), Begin("t1", 1, (1, 2), "leaf1")]


def test_a_burst_joins_as_one() -> None:
    turns = running("steer")
    album = [message(id, burst="album") for id in (2, 3)]
    assert pull(turns, work(*album, turn=turn(1))) == [AwaitBurst(3)]
    assert turns.quiet(3) == [Join("t1", (2, 3))]
    both = turn(1, 1, *steered(*album))
    assert turns.joined(both, (2, 3)) == [
        TellPeople((words.steered(steered(*album)[0]),)),
        SendSteer("t1", steered(*album), {}),
    ]
    taken(turns, 2)
    assert ended(settle(turns, 1, "t1", "hello")).returned == ()


def test_files_come_before_the_prompt() -> None:
    turns = ready()
    row = attached(1, file(5), file(6))
    pull(turns, work(row))
    open_turn = msgspec.structs.replace(turn(1), inbounds=(row,))
    assert turns.began(open_turn) == [FetchFiles((file(5), file(6)))]
    assert turns.phase is Phase.FETCHING
    (sent,) = turns.fetched({5: "uploads/a"}, {6: "gone"})
    assert sent == prompt(attached(1, file(5, path="uploads/a"), file(6)))._replace(failed={6: "gone"})


def test_files_that_are_saved_are_not_fetched_again() -> None:
    turns = ready()
    row = attached(1, file(5, path="uploads/a"))
    pull(turns, work(row))
    assert turns.began(msgspec.structs.replace(turn(1), inbounds=(row,))) == [prompt(row)]


def test_a_stop_while_files_are_fetched_ends_the_turn_at_once() -> None:
    turns = ready()
    row = attached(1, file(5))
    pull(turns, work(row))
    open_turn = msgspec.structs.replace(turn(1), inbounds=(row,))
    turns.began(open_turn)
    stopped = msgspec.structs.replace(open_turn, stop_requested=True)
    assert ended(pull(turns, work(turn=stopped))).outcome is Outcome.STOPPED
    assert turns.fetched({5: "uploads/a"}, {}) == []


def test_what_joins_waits_for_its_files_and_is_not_overtaken() -> None:
    turns = running("steer")
    row = attached(2, file(5))
    rows = work(row, message(3), turn=turn(1))
    assert pull(turns, rows) == [FetchFiles((file(5),))]
    assert pull(turns, rows) == []
    assert turns.fetched({5: "uploads/a"}, {}) == [Join("t1", (2,)), Join("t1", (3,))]


def test_people_hear_that_their_message_was_long_in_coming() -> None:
    turns = ready()
    _shown, told, begin = pull(turns, work(message(1, at=1.0, accepted_at=1201.0)))
    assert isinstance(told, TellPeople)
    assert (told.deliveries[0].kind, told.deliveries[0].key) == (DeliveryKind.NOTE, "old:1")
    assert "20 min" in told.deliveries[0].text
    assert isinstance(begin, Begin)


# --- crashes


def test_after_a_crash_what_the_session_holds_is_heard_and_the_rest_is_told_again() -> None:
    turns = joined()
    three = message(3)
    both = turn(1, 1, *steered(TWO, three), leaf_before="leaf1")
    pull(turns, work(three, turn=JOINED))
    turns.joined(both, (3,))
    assert turns.agent_down(1, "boom") == [CRASHED]
    greet(turns, 2, "leaf2")
    again = msgspec.structs.replace(both, attempt=2)
    assert turns.began(again) == [SendRecall("t1", "leaf1")]
    entries = (asked("text 1"), said("so", "toolUse"), asked("text 2"))
    assert recall(turns, 2, "t1", entries, "leaf2") == [
        resumed(),
        SendContinue("t1", RESUME_NOTE),
        SendSteer("t1", steered(three), {}),
    ]
    taken(turns, 3, incarnation=2)
    assert ended(settle(turns, 2, "t1", "hello")).returned == ()


def test_after_a_crash_an_answer_that_was_there_gives_back_what_came_too_late_for_it() -> None:
    turns = joined()
    turns.agent_down(1, "boom")
    greet(turns, 2, "leaf2")
    turns.began(msgspec.structs.replace(JOINED, attempt=2))
    end = ended(recall(turns, 2, "t1", (asked("text 1"), said("hello")), "leaf2"))
    assert end == done()._replace(returned=(2,))


def test_after_a_crash_that_left_nothing_all_is_said_again() -> None:
    turns = joined()
    turns.agent_down(1, "boom")
    greet(turns, 2, "leaf1")
    turns.began(msgspec.structs.replace(JOINED, attempt=2))
    assert recall(turns, 2, "t1", (), "leaf1") == [resumed(again=True), prompt(1), STEERED]


def test_who_stops_a_turn_whose_agent_is_gone_stops_what_had_joined_it() -> None:
    turns = joined()
    turns.agent_down(1, "boom")
    stopped = msgspec.structs.replace(JOINED, stop_requested=True)
    end = ended(pull(turns, work(turn=stopped)))
    assert (end.outcome, end.returned) == (Outcome.STOPPED, ())


@pytest.mark.parametrize("busy", ["steer", "interrupt", "follow_up"])
def test_a_report_neither_joins_nor_ends_a_run_and_nobody_is_told_that_it_waits(busy: BusyMode) -> None:
    turns = running(busy)
    assert pull(turns, work(report(2, mode=None), report(3, "shop-3", mode=None), turn=turn(1))) == []
    (note,) = pull(turns, work(report(2), message(4, mode="follow_up"), turn=turn(1)))
    assert note == NoteBusy(message(4, mode="follow_up"), 2)


def test_reports_that_come_together_are_the_next_turn() -> None:
    turns = running()
    two = (report(2), report(3, "shop-3"))
    pull(turns, work(*two, turn=turn(1)))
    settle(turns, 1, "t1", "hello")
    shown, pause = pull(turns, work(*two, leaf="leaf2"))
    assert (shown, pause) == (ShowTurn("t2", None), AwaitBurst(3))
    assert turns.quiet(3) == [Begin("t2", 1, (2, 3), "leaf2")]
