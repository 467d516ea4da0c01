"""The files of a turn: missing, asked for once, filled in."""

from actors.rooms.files import Files, pictures
from actors.rooms.steps import FetchFiles
from tests.actors.rooms.rows import attached, file, message

ROWS = (attached(1, file(5), file(6, path="uploads/6.txt")), message(2))


def test_what_is_saved_is_not_missing() -> None:
    assert Files().missing(ROWS) == [file(5)]


def test_what_is_missing_is_asked_for_once() -> None:
    files = Files()
    assert files.ask(ROWS) == [FetchFiles((file(5),))]
    assert files.ask(ROWS) == []


def test_what_was_fetched_is_filled_in() -> None:
    files = Files()
    files.fetched({5: "uploads/5.txt"}, {})
    assert files.missing(ROWS) == []
    first, second = files.filled(ROWS)
    assert [each.path for each in first.attachments] == ["uploads/5.txt", "uploads/6.txt"]
    assert second is ROWS[1]


def test_what_cannot_be_had_is_not_missing_until_the_next_turn() -> None:
    files = Files()
    files.ask(ROWS)
    files.fetched({}, {5: "gone"})
    assert files.missing(ROWS) == []
    assert files.failed == {5: "gone"}
    files.forget()
    assert files.ask(ROWS) == [FetchFiles((file(5),))]


def test_pictures_are_those_that_are_saved() -> None:
    rows = (attached(1, file(5, picture=True, path="a.png"), file(6, picture=True), file(7, path="b.txt")),)
    assert pictures(rows) == ("a.png",)
