"""Codes: one for a stranger, three at a time, for an hour; approved or denied once."""

import pytest

from actors.messages import Approve, Deny, Knock, Pairing, Pairings, People, Person, Place, RemovePerson
from actors.store.pairings import LIFE
from tests.actors.store.books import Books

EVE = Place("telegram", 7)
OWNER = Place("telegram", 42)


def knock(books: Books, person: int = 7, name: str = "Eve", owner: int | None = None) -> str | None:
    return books.do(Knock(front="telegram", person=person, name=name, owner=owner))


def code_of(books: Books, person: int = 7, owner: int | None = None) -> str:
    code = knock(books, person, owner=owner)
    assert code is not None
    return code


def said(books: Books, place: Place) -> list[str]:
    rows = books.db.execute("SELECT text FROM deliveries WHERE chat = ? ORDER BY id", (place.chat,))
    return [text for (text,) in rows]


def test_a_stranger_is_told_a_code_once(books: Books) -> None:
    code = books.twice(Knock(front="telegram", person=7, name="Eve", owner=None))
    assert books.do(Pairings()) == (Pairing(code=str(code), person=7, name="Eve", expires_at=1000.0 + LIFE),)
    (told,) = books.due()
    assert told.place == EVE
    assert f"`actorctl pair approve {code}`" in told.text


def test_the_owner_is_asked_if_there_is_one(books: Books) -> None:
    code = code_of(books, owner=42)
    asked = books.due()[1]
    assert asked.place == OWNER
    assert f"Eve (7) wants to speak with me. The code is `{code}`" in asked.text
    assert [key.label for key in asked.keys[0]] == ["Approve", "Deny"]
    code_of(books, 8)
    assert len(said(books, OWNER)) == 1


def test_an_approved_owner_is_asked_too(books: Books) -> None:
    books.do(Approve(code=code_of(books, 42)))
    code_of(books)
    assert "wants to speak" in said(books, OWNER)[-1]


def test_three_wait_at_a_time(books: Books) -> None:
    codes = [knock(books, person) for person in (1, 2, 3)]
    assert len(set(codes)) == 3
    before = books.rows()
    assert knock(books, 4) is None
    assert books.rows() == before
    assert knock(books, 2) == codes[1]
    books.do(Deny(code=str(codes[0])))
    assert knock(books, 4) is not None


def test_who_was_turned_away_is_not_asked_about_again_for_an_hour(books: Books) -> None:
    code = code_of(books, owner=42)
    books.do(Deny(code=code))
    before = books.rows()
    assert knock(books, owner=42) is None
    assert books.rows() == before
    assert books.do(Approve(code=code)) is None
    books.now += LIFE
    assert knock(books, owner=42) not in {None, code}
    assert len(said(books, OWNER)) == 2


def test_a_code_is_good_for_an_hour(books: Books) -> None:
    code = code_of(books)
    books.now += LIFE - 1
    assert knock(books) == code
    books.now += 1
    assert (books.do(Pairings()), books.do(Approve(code=code)), books.do(Deny(code=code))) == ((), None, False)
    assert knock(books) not in {None, code}
    assert len(said(books, EVE)) == 2


def test_two_in_one_transaction_have_two_codes(books: Books) -> None:
    one, two = books.batch(*(Knock(front="telegram", person=person, name="x", owner=None) for person in (1, 2)))
    assert one != two


def test_the_first_who_is_approved_is_the_owner(books: Books) -> None:
    first = books.twice(Approve(code=code_of(books).lower()))
    assert first == Person(id=7, name="Eve", owner=True, since=1000.0)
    second = books.do(Approve(code=code_of(books, 8)))
    assert second is not None
    assert second.owner is False
    assert [each.id for each in books.do(People())] == [7, 8]
    assert said(books, EVE)[1].startswith("You are let in")
    assert books.do(Pairings()) == ()


def test_nobody_becomes_the_owner_beside_the_one_of_the_configuration(books: Books) -> None:
    person = books.do(Approve(code=code_of(books, owner=42)))
    assert person is not None
    assert person.owner is False


def test_who_may_speak_is_no_stranger(books: Books) -> None:
    code = code_of(books)
    books.do(Approve(code=code))
    assert knock(books) is None
    assert books.do(Deny(code=code)) is False
    books.do(RemovePerson(person=7))
    assert books.do(Approve(code=code)) is None
    assert knock(books) not in {None, code}


@pytest.mark.parametrize("approved", [True, False])
def test_the_owners_question_says_what_became_of_it(books: Books, approved: bool) -> None:
    code = code_of(books, owner=42)
    books.send_all()
    if approved:
        books.twice(Approve(code=code))
    else:
        assert books.do(Deny(code=code)) is True
        assert books.do(Deny(code=code)) is False
    edit = next(each for each in books.due() if each.place == OWNER)
    assert edit.edits is not None
    assert edit.keys == ()
    assert edit.text == ("Eve (7) may speak with me." if approved else "Eve (7) was turned away.")


def test_a_name_is_shown_as_it_is_and_in_short(books: Books) -> None:
    knock(books, name="[Ada](https://x.example)\n" + "x" * 100, owner=42)
    asked = books.due()[1].text
    assert asked.startswith("\\[Ada\\](https://x.example) xxx")
    assert len(asked) < 200


def test_no_such_code(books: Books) -> None:
    assert books.do(Approve(code="NOPE")) is None
    assert books.do(Deny(code="NOPE")) is False
