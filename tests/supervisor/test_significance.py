"""The judge on children that ignore their start, and on significant ones that end for good."""

import pytest

from supervisor.backoff import Backoff
from supervisor.events import End
from supervisor.restarts import Command, Finish, Forget, Judge, Ready, Rest, Start, Stop, Wait
from supervisor.spec import AutoShutdown, Intensity, Restart, Strategy

P, T, X = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
ONE, ALL, LATER = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE


def judge_of(
    strategy: Strategy = ONE,
    *,
    intensity: Intensity | None = None,
    backoff: Backoff | None = None,
    dynamic: bool = False,
) -> Judge:
    return Judge(strategy, intensity or Intensity(3, 5.0), backoff or Backoff(jitter=0), dynamic=dynamic)


def opened(judge: Judge, **children: Restart) -> Judge:
    """The judge once all these children are up."""
    commands = judge.begin(list(children.items()))
    while starts := [command.id for command in commands if isinstance(command, Start)]:
        commands = [command for child_id in starts for command in judge.started(child_id, 0.0)]
    return judge


def down(judge: Judge, child_id: str, end: End = End.SHUTDOWN, now: float = 0.0) -> list[Command]:
    return judge.ended(child_id, end, now, 0.0)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("dynamic", [True, False])
def test_a_child_that_ignores_its_start_is_down_and_fails_nobody(strategy: Strategy, *, dynamic: bool) -> None:
    judge = judge_of(ONE if dynamic else strategy, dynamic=dynamic)
    opened(judge, a=P)
    assert judge.add("b", P) == [Start("b")]
    assert down(judge, "b", End.IGNORED) == [Forget("b") if dynamic else Rest("b")]
    assert not judge.closing
    assert len(judge.restarts) == 0


def test_the_next_one_starts_when_one_ignores_its_start() -> None:
    judge = judge_of()
    judge.begin([("a", P), ("b", X), ("c", P)])
    assert down(judge, "a", End.IGNORED) == [Rest("a"), Start("b")]
    assert down(judge, "b", End.IGNORED) == [Forget("b"), Start("c")]
    assert judge.started("c", 0.0) == [Ready()]


ANY, EVERY = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


def significant(auto: AutoShutdown, **children: Restart) -> Judge:
    """A judge whose children but `plain` are significant, all up."""
    judge = Judge(ONE, Intensity(3, 5.0), Backoff(jitter=0), auto_shutdown=auto)
    commands = judge.begin([*children.items(), ("plain", P)], set(children))
    while starts := [command.id for command in commands if isinstance(command, Start)]:
        commands = [command for child_id in starts for command in judge.started(child_id, 0.0)]
    return judge


def test_the_end_of_any_or_of_the_last_significant_child_ends_all() -> None:  # OTP 57, 58
    assert down(significant(ANY, a=T, b=T), "a", End.NORMAL) == [Rest("a"), Stop("plain")]
    judge = significant(EVERY, a=T, b=X)
    assert down(judge, "b", End.FAILED) == [Forget("b")]
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.0, 1)]
    assert judge.delay_over("a") == [Start("a")]
    assert judge.started("a", 0.0) == []
    assert down(judge, "a", End.NORMAL) == [Rest("a"), Stop("plain")]
    assert down(judge, "plain") == [Finish(None, exceeded=False)]


@pytest.mark.parametrize("auto", [ANY, EVERY])
def test_what_a_significant_child_did_not_do_of_its_own_ends_nobody(auto: AutoShutdown) -> None:
    judge = significant(auto, a=T)
    assert judge.terminate("a") == [Stop("a")]
    assert down(judge, "a", End.NORMAL) == [Rest("a")]
    assert judge.restart("a") == [Start("a")]
    assert down(judge, "a", End.IGNORED) == [Rest("a")]
    assert not judge.closing


@pytest.mark.parametrize("how", ["it ignored its start", "it was terminated while it started"])
def test_a_child_that_was_kept_without_being_up_stays_when_a_restart_by_hand_fails(how: str) -> None:
    judge = opened(judge_of(), a=P)
    judge.add("b", P)
    if how == "it ignored its start":
        assert down(judge, "b", End.IGNORED) == [Rest("b")]
    else:
        assert judge.terminate("b") == [Stop("b")]
        assert down(judge, "b") == [Rest("b")]
    assert judge.restart("b") == [Start("b")]
    assert down(judge, "b", End.FAILED) == [Rest("b")]


def test_a_restart_by_hand_in_the_middle_of_a_first_start_makes_it_no_second_one() -> None:
    judge = opened(judge_of(), a=P)
    assert judge.add("b", P) == [Start("b")]
    assert judge.restart("b") == [Stop("b")]
    assert down(judge, "b") == [Start("b")]
    assert down(judge, "b", End.FAILED) == [Forget("b")]
    assert len(judge.restarts) == 0
