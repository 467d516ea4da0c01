"""What a sub-agent made is applied, discarded or expires, once; and the command that wanted it is answered."""

import pytest

from actors.messages import DeliveryKind, NewDelivery, SettleResult, Trace
from actors.store.errors import Conflict
from tests.actors.store.books import CHANGES, ELSEWHERE, Books

SAID = (NewDelivery(kind=DeliveryKind.NOTE, text="said"),)


@pytest.fixture
def made(books: Books) -> Books:
    """Alpha has made something, beta has not."""
    books.begin("t", books.say())
    books.at_work("alpha", turn="t")
    books.finish("alpha", changes=CHANGES)
    books.at_work("beta", turn="t")
    books.finish("beta")
    return books


def said(books: Books) -> list[str]:
    return [each.text for each in books.due()]


def test_it_is_decided_once_and_the_command_answered(made: Books) -> None:
    command = made.say("/apply alpha", command="apply").inbound
    request = SettleResult(slug="alpha", kept="applied", deliveries=SAID, command=command)
    assert made.do(request) is True
    assert made.subagent("alpha").kept == "applied"
    assert (said(made), made.work().commands) == (["said"], ())
    assert [hop.what for hop in made.do(Trace(message=str(command)))][2:] == ["answered", "queued"]
    before = made.rows()
    assert made.do(request) is False
    assert made.rows() == before


def test_what_comes_too_late_says_nothing_and_its_command_waits_for_its_answer(made: Books) -> None:
    made.do(SettleResult(slug="alpha", kept="discarded"))
    command = made.say("/apply alpha", command="apply").inbound
    for slug in ("alpha", "beta"):
        assert made.do(SettleResult(slug=slug, kept="applied", deliveries=SAID, command=command)) is False
    assert (made.subagent("alpha").kept, said(made)) == ("discarded", [])
    assert [each.id for each in made.work().commands] == [command]
    assert made.do(SettleResult(slug="alpha", kept=None, deliveries=SAID, command=command)) is False
    assert (said(made), made.work().commands) == (["said"], ())


def test_nothing_decided_is_said_once_for_each_command(made: Books) -> None:
    command = made.say("/diff alpha", command="diff").inbound
    request = SettleResult(slug="alpha", kept=None, deliveries=SAID, command=command)
    assert made.twice(request) is True
    assert (made.subagent("alpha").kept, said(made)) == ("open", ["said"])


def test_a_command_is_of_the_room(made: Books) -> None:
    other = made.say("/apply", command="apply", place=ELSEWHERE, title="Blog").inbound
    for command in (other, 999):
        with pytest.raises(Conflict, match="is no command of room shop"):
            made.do(SettleResult(slug="alpha", kept="applied", command=command))
    assert made.subagent("alpha").kept == "open"
