"""What waits: who belongs together, what is chosen for whom, who was told."""

import msgspec

from actors.messages import RoomSettings
from actors.rooms import words
from actors.rooms.line import LOOK_EVERY, MOST_UNSENT, Line, groups
from actors.rooms.steps import AwaitBurst, LookAgain, TellPeople
from tests.actors.rooms.rows import ROOM, message, report

ALBUM = [message(id, burst="album") for id in (1, 2)]


def line(*rows: int) -> Line:
    waiting = Line("steer")
    waiting.update([message(row) for row in rows])
    return waiting


def test_those_of_one_burst_that_stand_together_are_one() -> None:
    rows = [message(0), *ALBUM, message(3, burst="other"), message(4), message(5, burst="album")]
    assert [[row.id for row in group] for group in groups(rows)] == [[0], [1, 2], [3], [4], [5]]


def test_what_leaves_does_not_come_back_before_its_leaving_is_committed() -> None:
    waiting = line(1, 2)
    waiting.leave([1])
    waiting.update([message(1), message(2)])
    assert [row.id for row in waiting.rows] == [2]
    waiting.left([1])
    waiting.update([message(1), message(2)])
    assert [row.id for row in waiting.rows] == [1, 2]


def test_what_left_and_is_given_back_waits_again() -> None:
    waiting = line(1)
    waiting.leave([1])
    waiting.update([])
    waiting.update([message(1)])
    assert [row.id for row in waiting.rows] == [1]


def test_a_choice_goes_with_its_message() -> None:
    waiting = line(1)
    (group,) = groups(waiting.rows)
    assert waiting.mode(group, ROOM) == "steer"
    waiting.choose(group, "follow_up")
    assert waiting.mode(group, ROOM) == "follow_up"
    waiting.update([])
    waiting.update([message(1)])
    assert waiting.mode(group, ROOM) == "steer"


def test_the_rooms_setting_comes_before_the_configurations() -> None:
    room = msgspec.structs.replace(ROOM, settings=RoomSettings(busy="interrupt"))
    assert line().mode((message(1),), room) == "interrupt"


def test_each_is_told_once() -> None:
    waiting = line(1)
    (group,) = groups(waiting.rows)
    assert not waiting.was_told(group)
    assert waiting.tell(group)
    assert not waiting.tell(group)
    assert waiting.was_told(group)


def test_who_has_a_note_is_in_the_rows_as_well() -> None:
    waiting = Line("steer")
    waiting.update([message(1, noted=True), message(2)], [message(3, noted=True)], [message(4, noted=True)])
    assert [waiting.was_told((message(id),)) for id in (1, 2, 3, 4)] == [True, False, True, True]


def test_what_is_held_has_its_note_changed_once_and_is_told_anew_when_it_waits_again() -> None:
    waiting = line(1, 2)
    (first, _second) = groups(waiting.rows)
    assert waiting.newly_held() == []
    waiting.tell(first)
    waiting.update([], [message(1), message(2)])
    assert waiting.rows == ()
    assert waiting.newly_held() == [TellPeople((words.held_back(message(1)),))]  # the other one has no note
    waiting.update([], [message(1), message(2)])
    assert waiting.newly_held() == []
    waiting.update([message(1), message(2)])
    assert waiting.was_told(first)
    assert waiting.tell(first)


def test_people_know_of_what_was_announced() -> None:
    waiting = line()

    def holds(*rows: int) -> bool:
        waiting.update([], [message(row) for row in rows])
        return waiting.unannounced

    assert not holds()
    assert holds(1)
    assert waiting.announce([message(2)]) == 2
    assert not holds(1)  # the other one is held with the next commit
    assert not holds(1, 2)
    assert holds(1, 2, 3)
    assert waiting.announce() == 3


def test_a_burst_that_is_held_counts_once() -> None:
    waiting = line()
    waiting.update([], [ALBUM[0]])
    assert waiting.announce([ALBUM[1]]) == 1


def test_what_is_held_is_found_if_that_is_asked_for() -> None:
    waiting = line(1)
    waiting.update([message(1)], [message(2)])
    assert waiting.group_of(2) == ()
    assert waiting.group_of(2, or_held=True) == (message(2),)
    waiting.leave([2])
    waiting.update([message(1)], [message(2)])
    assert waiting.held == ()


def test_nothing_begins_while_too_much_has_not_arrived() -> None:
    waiting = line(1)
    (group,) = groups(waiting.rows)
    assert waiting.congestion(group) is None
    waiting.update(group, backlog=MOST_UNSENT)
    assert waiting.congestion(group) is None
    waiting.update(group, backlog=MOST_UNSENT + 1)
    told = TellPeople((words.congested(message(1), MOST_UNSENT + 1),))
    assert waiting.congestion(group) == [LookAgain(LOOK_EVERY), told]
    assert waiting.congestion(group) == []
    waiting.update(group, backlog=MOST_UNSENT + 5)
    assert waiting.congestion(group) == [LookAgain(LOOK_EVERY)]
    waiting.update(group, backlog=3)
    assert waiting.congestion(group) is None
    assert waiting.was_told(group)


def test_a_burst_is_complete_when_it_has_paused_or_another_message_follows() -> None:
    waiting = Line("steer")
    waiting.update(ALBUM)
    (album,) = groups(waiting.rows)
    assert not waiting.complete(album)
    assert waiting.awaiting(album) == [AwaitBurst(2)]
    assert waiting.awaiting(album) == []
    waiting.quiet(2)
    assert waiting.complete(album)
    waiting.quiet(1)
    waiting.update([*ALBUM, message(3)])
    assert waiting.complete(album)


def test_only_what_was_long_in_coming_is_old() -> None:
    waiting = line()
    assert waiting.old((message(1, at=1.0, accepted_at=601.0),)) == []
    assert len(waiting.old((message(1, at=1.0, accepted_at=602.0),))) == 1


def test_reports_wait_for_the_end_of_the_turn_whatever_is_set() -> None:
    room = msgspec.structs.replace(ROOM, settings=RoomSettings(busy="interrupt"))
    waiting = Line("steer")
    tried_again = report(2, mode=None)  # a row that is tried again has no mode of its own
    waiting.update([report(1), tried_again])
    waiting.choose((tried_again,), "steer")
    assert waiting.mode((report(1),), room) == "follow_up"
    assert waiting.mode((tried_again,), room) == "follow_up"


def test_nobody_is_told_that_reports_wait_for_what_has_not_arrived() -> None:
    waiting = Line("steer")
    waiting.update([report(1), message(2)], backlog=MOST_UNSENT + 1)
    assert waiting.congestion((report(1),)) == [LookAgain(LOOK_EVERY)]
    assert waiting.congestion((message(2),)) == [TellPeople((words.congested(message(2), MOST_UNSENT + 1),))]
    assert waiting.congestion((message(2),)) == []
    assert not waiting.was_told((report(1),))
