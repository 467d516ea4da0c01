"""What waits: who belongs together, what is chosen for whom, who was told."""

import msgspec

from actors.messages import RoomSettings
from actors.rooms.line import Line, groups
from actors.rooms.steps import AwaitBurst
from tests.actors.rooms.rows import ROOM, message

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
