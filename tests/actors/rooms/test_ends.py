"""What becomes of a turn; `test_turns` has the cases. Here is what an end is made of."""

import msgspec

from actors.messages import DeliveryKind, Outcome
from actors.rooms import ends
from actors.rooms.steps import End
from actors.rooms.trouble import Loss
from tests.actors.rooms.playbook import steered
from tests.actors.rooms.rows import message, report, turn


def test_an_end_answers_the_first_message_and_marks_all_but_what_waits_again() -> None:
    open_turn = turn(1, 1, *steered(message(2), message(3)))
    end = ends.end(open_turn, ends.settled("t1", "hello", "stop"), "leaf2", (3,), 0.5, 2)
    (told,) = end.deliveries
    assert (told.kind, told.text, told.reply_to) == (DeliveryKind.ANSWER, "hello", 101)
    assert end == End("t1", Outcome.DONE, "hello", "leaf2", (told,), (3,), (101, 102), 0.5, 2)


def test_trouble_has_buttons_and_what_people_wanted_has_none() -> None:
    loss = Loss("pi ended")
    for ending, commands in (
        (ends.failed("t1", "no"), ["retry", "new", "log"]),
        (ends.settled("t1", "", "error"), ["retry", "new", "log"]),
        (ends.quarantined(turn(1), loss, 3), ["retry", "drop_aside", "new", "log"]),
        (ends.interrupted("t1", loss, ()), ["go_on", "leave_it", "log"]),
        (ends.dropped("t1", loss), ["retry", "log"]),
    ):
        assert [button.command for row in ending.deliveries[-1].buttons for button in row] == commands
        assert ending.deliveries[-1].kind is DeliveryKind.REPORT
    for ending in (ends.stopped(), ends.waiting(), ends.settled("t1", "", "aborted", "", ends.STOPPED)):
        assert not [told for told in ending.deliveries if told.buttons or told.kind is DeliveryKind.REPORT]


def test_reports_that_are_set_aside_are_named_for_nobody_wrote_them() -> None:
    of_reports = msgspec.structs.replace(turn(1), inbounds=(report(1, "a"), report(2, "b")))
    (told,) = ends.quarantined(of_reports, Loss("pi ended"), 3).deliveries
    assert told.text.startswith("What sub-agent a, sub-agent b reported was tried 3 times and was cut off each time")
    (told,) = ends.quarantined(turn(1), Loss("pi ended"), 3).deliveries
    assert told.text.startswith("This message was tried 3 times")


def test_every_outcome_has_its_mark() -> None:
    assert ends.MARKS.keys() == set(Outcome)
