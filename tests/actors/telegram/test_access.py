"""The gate: closed unless both the person and, in a group, the group are named; and where all is heard."""

import pytest

from actors.messages import Access, Person, Place
from actors.settings import TelegramSettings
from actors.telegram.access import Gate, gate

ANN, BOB, CLUB, BAR = 77, 88, -100, -200
GATE = Gate(users=frozenset({ANN}), groups=frozenset({CLUB}))


@pytest.mark.parametrize(
    ("person", "chat", "mend"),
    [
        (ANN, ANN, None),
        (ANN, CLUB, None),
        (BOB, BOB, "allowed_user_ids"),
        (BOB, CLUB, "allowed_user_ids"),
        (ANN, BAR, "allowed_group_ids"),
        (CLUB, CLUB, "allowed_user_ids"),
    ],
)
def test_who_may_speak_where(person: int, chat: int, mend: str | None) -> None:
    objection = GATE.objection(person, chat)
    assert objection is None if mend is None else mend in (objection or "")


def test_an_empty_gate_is_closed() -> None:
    nobody = gate(TelegramSettings(), Access())
    assert nobody.objection(ANN, ANN) is not None
    assert nobody.objection(ANN, CLUB) is not None
    assert nobody.owner is None


def person(id: int, *, owner: bool = False) -> Person:
    return Person(id=id, name="?", owner=owner, since=0.0)


def test_who_was_approved_stands_beside_who_is_named() -> None:
    settings = TelegramSettings(allowed_user_ids=frozenset({ANN}), allowed_group_ids=frozenset({CLUB}))
    opened = gate(settings, Access(people=(person(BOB),), groups=frozenset({BAR})))
    assert {opened.objection(who, where) for who in (ANN, BOB) for where in (who, CLUB, BAR)} == {None}


@pytest.mark.parametrize(
    ("named", "approved", "owner"),
    [
        ({99, ANN}, (person(5, owner=True),), ANN),
        (set(), (person(5), person(6, owner=True)), 6),
        (set(), (person(5),), None),
    ],
)
def test_the_owner_is_the_first_who_is_named_else_the_first_who_was_approved(
    named: set[int], approved: tuple[Person, ...], owner: int | None
) -> None:
    assert gate(TelegramSettings(allowed_user_ids=frozenset(named)), Access(people=approved)).owner == owner


@pytest.mark.parametrize(
    ("place", "everything"),
    [
        (Place("telegram", ANN), True),
        (Place("telegram", ANN, 3), True),
        (Place("telegram", CLUB, 3), True),
        (Place("telegram", CLUB), False),
    ],
)
def test_topics_and_private_chats_are_heard_whole_unless_people_want_it_otherwise(
    place: Place, everything: bool
) -> None:
    settings = TelegramSettings()
    assert gate(settings, Access()).hears_all(place) is everything
    assert gate(settings, Access(listen={place: "all"})).hears_all(place)
    assert not gate(settings, Access(listen={place: "mentions"})).hears_all(place)
