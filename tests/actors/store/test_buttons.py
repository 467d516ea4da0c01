"""Buttons: kept as they are, found by what they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Button
from actors.store.buttons import buttons_of, filled, kept, press_data, pressed


@given(st.lists(st.lists(st.builds(Button, label=st.text(), command=st.text("ab_"), argument=st.text()))))
def test_rows_of_buttons_are_kept(rows: list[list[Button]]) -> None:
    buttons = tuple(tuple(row) for row in rows)
    assert buttons_of(kept(buttons)) == buttons


def test_half_a_surrogate_is_kept_as_a_question_mark() -> None:
    bad = Button(label="a\ud800", command="x", argument="\udfff")
    assert buttons_of(kept(((bad,),))) == ((Button(label="a?", command="x", argument="?"),),)


@given(st.integers(1, 2**53), st.integers(0, 99))
def test_what_a_button_carries_is_short_and_says_which_it_is(delivery: int, number: int) -> None:
    data = press_data(delivery, number)
    assert pressed(data) == (delivery, number)
    assert len(data.encode()) <= 64


@pytest.mark.parametrize(
    "data", ["", "b:", "b:1", "b:1:", "b:1:2:3", "b:-1:0", "b:1:٣", "stop:t", "b:1:2 ", f"b:{'9' * 30}:0"]
)
def test_what_is_no_button_of_ours(data: str) -> None:
    assert pressed(data) is None


def test_the_number_of_a_question_fills_its_buttons() -> None:
    rows = ((Button(label="{id}", command="answer", argument="{id} 0"), Button(label="x", command="log")),)
    assert filled(rows, 7) == (
        (Button(label="{id}", command="answer", argument="7 0"), Button(label="x", command="log")),
    )
