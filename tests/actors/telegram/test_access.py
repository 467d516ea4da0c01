"""The gate: closed unless both the person and, in a group, the group are named."""

import pytest

from actors.telegram.access import Gate

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
    nobody = Gate(users=frozenset(), groups=frozenset())
    assert nobody.objection(ANN, ANN) is not None
    assert nobody.objection(ANN, CLUB) is not None
