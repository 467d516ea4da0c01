"""The waits before restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import Backoff, InvalidSpec


def test_the_first_is_at_once_and_then_they_double_up_to_the_cap() -> None:
    backoff = Backoff(base=0.1, factor=2.0, cap=1.0, jitter=0)
    assert [backoff.delay(n, 0.9) for n in range(1, 8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_jitter_only_lengthens_and_by_a_share() -> None:
    backoff = Backoff(base=1.0, jitter=0.2)
    assert backoff.delay(2, 0.0) == 1.0
    assert backoff.delay(2, 0.5) == pytest.approx(1.1)


def test_an_actor_that_crashes_for_months_breaks_no_float() -> None:
    assert Backoff(jitter=0).delay(10**9, 0.0) == 30.0
    assert Backoff(jitter=0).least(10**9) == pytest.approx(3e10, rel=1e-6)


@given(
    restarts=st.integers(0, 60),
    base=st.floats(0.0, 2.0),
    factor=st.floats(1.0, 3.0),
    more=st.floats(0.0, 30.0),
)
def test_least_is_the_sum_of_the_delays(restarts: int, base: float, factor: float, more: float) -> None:
    backoff = Backoff(base=base, factor=factor, cap=base + more, jitter=0)
    assert backoff.least(restarts) == pytest.approx(sum(backoff.delay(n, 0.0) for n in range(1, restarts + 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": -1.0},
        {"base": 2.0, "cap": 1.0},
        {"factor": 0.5},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"reset": 0.0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidSpec, match="0 <= base <= cap"):
        Backoff(**wrong)
