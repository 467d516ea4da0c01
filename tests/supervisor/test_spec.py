"""Specs refuse what cannot work, when they are built, and say why."""

from functools import partial
from math import inf, nan
from typing import Never

import pytest

from supervisor import (
    Actor,
    AutoShutdown,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    InvalidSpec,
    Mailbox,
    Overflow,
    Restart,
    Shutdown,
    Strategy,
    Supervisor,
)
from supervisor.spec import mailbox_of


class Idle(Actor[Never]):
    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(self, number: int = 0) -> None:
        self.number = number


class Boxless(Actor[Never]):
    pass


def test_defaults_are_those_of_otp() -> None:  # OTP 13
    worker = ChildSpec("a", Idle)
    assert (worker.restart, worker.shutdown, worker.is_supervisor) == (Restart.PERMANENT, 5.0, False)
    below: ChildSpec[Never] = ChildSpec("b", Supervisor())
    assert (below.shutdown, below.is_supervisor) == (Shutdown.INFINITE, True)
    assert Supervisor().strategy is Strategy.ONE_FOR_ONE
    assert Supervisor().intensity == Intensity(3, within=5.0)


@pytest.mark.parametrize("id", ["", "a/b", "/"])
def test_an_id_is_one_word_of_a_path(id: str) -> None:
    with pytest.raises(InvalidSpec, match="without '/'"):
        ChildSpec(id, Idle)


@pytest.mark.parametrize("shutdown", [-1.0, -10, inf, nan])
def test_a_shutdown_is_a_time_or_a_rule(shutdown: float) -> None:  # OTP 26
    with pytest.raises(InvalidSpec, match="shutdown is"):
        ChildSpec("a", Idle, shutdown=shutdown)


@pytest.mark.parametrize("timeout", [0.0, -1.0, nan])
def test_a_start_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(InvalidSpec, match="start_timeout"):
        ChildSpec("a", Idle, start_timeout=timeout)


def test_a_significant_child_can_end_for_good_under_one_that_heeds_it() -> None:  # OTP 27
    with pytest.raises(InvalidSpec, match="a permanent child is always restarted"):
        ChildSpec("a", Idle, significant=True)
    child = ChildSpec("a", Idle, restart=Restart.TRANSIENT, significant=True)
    with pytest.raises(InvalidSpec, match="never shuts down"):
        Supervisor(child)
    with pytest.raises(InvalidSpec, match="dynamic"):
        DynamicSupervisor(max_children=1).check(child)
    tree = Supervisor(child, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    assert (tree.auto_shutdown, Supervisor().auto_shutdown) == (AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.NEVER)


def test_what_else_a_child_may_say() -> None:
    plain, child = ChildSpec("a", Idle), ChildSpec("a", Idle, drain=True, asks=("../store",))
    assert (plain.drain, plain.asks, plain.significant) == (False, (), False)
    assert (child.drain, child.asks) == (True, ("../store",))


def test_many_children_are_checked_at_once() -> None:
    children = [ChildSpec(f"c{number}", Idle) for number in range(50_000)]
    assert len(Supervisor(*children).children) == 50_000


def test_an_actor_without_a_mailbox_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="no mailbox"):
        ChildSpec("a", Boxless)


def test_a_mailbox_is_read_from_a_class_and_from_a_partial_of_one() -> None:
    assert mailbox_of(Idle) == mailbox_of(partial(Idle, 3)) == Mailbox(1, Overflow.REJECT)
    assert mailbox_of(Supervisor()) is None


def test_ids_of_siblings_differ() -> None:
    with pytest.raises(InvalidSpec, match="two children are called 'a'"):
        Supervisor(ChildSpec("a", Idle), ChildSpec("b", Idle), ChildSpec("a", Idle))


@pytest.mark.parametrize("bound", [0, -1])
def test_a_mailbox_holds_something(bound: int) -> None:
    with pytest.raises(InvalidSpec, match="at least 1"):
        Mailbox(bound, Overflow.WAIT)


@pytest.mark.parametrize(("restarts", "within"), [(-1, 5.0), (3, 0.0), (3, -1.0), (3, inf), (3, nan)])
def test_an_intensity_is_a_count_in_a_time(restarts: int, within: float) -> None:  # OTP 28
    with pytest.raises(InvalidSpec):
        Intensity(restarts, within)


@pytest.mark.parametrize("most", [0, -1])
def test_a_dynamic_supervisor_takes_somebody(most: int) -> None:
    with pytest.raises(InvalidSpec):
        DynamicSupervisor(max_children=most)


def test_a_backoff_that_could_never_exceed_the_intensity_is_refused() -> None:
    slow = Backoff(base=0.5, factor=2.0)  # 0 + 0.5 + 1 + 2 + 4 = 7.5 s for five
    with pytest.raises(InvalidSpec, match=r"at least 7\.5 s"):
        Supervisor(intensity=Intensity(5, 7.5), backoff=slow)
    with pytest.raises(InvalidSpec):
        DynamicSupervisor(max_children=1, intensity=Intensity(5, 7.5), backoff=slow)
    Supervisor(intensity=Intensity(5, 8.0), backoff=slow)


def test_a_spec_prints_what_it_is() -> None:
    assert repr(ChildSpec("a", Idle)) == "ChildSpec('a', restart=permanent, shutdown=5.0)"
    assert repr(Supervisor(ChildSpec("a", Idle))) == "Supervisor(a, strategy=one_for_one)"
