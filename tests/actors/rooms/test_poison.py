"""What is set aside of a room's work when its conversation cannot even look at it, played on real rows."""

from pathlib import Path

import pytest

from actors.messages import DeliveryKind, ListQuarantined, Outcome, Pull, Work
from actors.rooms.poison import set_aside
from actors.rooms.trouble import Loss
from tests.actors.store.books import Books

LOSS = Loss("it broke on this")


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "state.db")


def aside(books: Books) -> Work:
    """Set aside what stands first, everything repeated; the work that is left."""
    for request in set_aside(books.do(Pull(slug="shop")), LOSS):
        books.batch(request, request)
    return books.do(Pull(slug="shop"))


def test_nothing_is_nothing(books: Books) -> None:
    books.say()
    assert set_aside(aside(books), LOSS) == ()


def test_the_oldest_message_goes_with_its_burst_and_the_next_one_stays(books: Books) -> None:
    books.say("one", burst="album", message_id=11)
    books.say("two", burst="album", message_id=12)
    books.say("three", message_id=13)
    left = aside(books)
    assert (left.turn, [row.text for row in left.queue]) == (None, ["three"])
    assert [each.text for each in books.do(ListQuarantined())] == ["one", "two"]
    (report,) = books.due()
    assert (report.kind, report.reply_to) == (DeliveryKind.REPORT, 11)
    assert "set aside" in report.text
    assert "it broke on this" in report.text
    assert [key.label for row in report.keys for key in row] == ["Try again", "Drop", "New session", "Log"]


def test_of_reports_it_is_said_whose_they_are(books: Books) -> None:
    books.say("so", person=0, name="sub-agent a", burst="reports:shop", message_id=None)
    aside(books)
    (report,) = books.due()
    assert report.text.startswith("What sub-agent a reported was tried 3 times")


def test_an_open_turn_is_ended_first(books: Books) -> None:
    books.begin("t1", books.say("one"))
    books.say("next")
    left = aside(books)
    assert (left.turn, [row.text for row in left.queue]) == (None, ["next"])
    assert books.db.execute("SELECT outcome FROM turns").get == Outcome.QUARANTINED
    assert len(books.do(ListQuarantined())) == 1


def test_of_a_command_it_is_said_that_it_is_not_done(books: Books) -> None:
    books.say("/status", command="status", message_id=11)
    books.say("next")
    left = aside(books)
    assert (left.commands, [row.text for row in left.queue]) == ((), ["next"])
    (report,) = books.due()
    assert "`/status` could not be done" in report.text
    assert report.reply_to == 11
    assert books.do(ListQuarantined()) == ()
