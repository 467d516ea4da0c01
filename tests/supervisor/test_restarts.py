"""The judge, as tables: facts in, commands out. No clock, no task."""

import pytest

from supervisor.backoff import Backoff
from supervisor.events import End
from supervisor.restarts import Command, Finish, Forget, Judge, Ready, Rest, Start, Stop, Wait, Where
from supervisor.spec import Intensity, Restart, Strategy

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


def test_children_start_in_order_each_once_the_one_before_is_up() -> None:
    judge = judge_of()
    assert judge.begin([("a", P), ("b", P)]) == [Start("a")]
    assert judge.started("a", 0.0) == [Start("b")]
    assert judge.started("b", 0.0) == [Ready()]


def test_children_stop_in_reverse_each_once_the_one_after_is_down() -> None:
    judge = opened(judge_of(), a=P, b=T, c=P)
    assert judge.stop() == [Stop("c")]
    assert down(judge, "c") == [Stop("b")]
    assert judge.stop() == []
    assert down(judge, "b") == [Stop("a")]
    assert down(judge, "a") == [Finish(None, exceeded=False)]
    assert judge.stop() == []


def test_an_empty_supervisor_is_ready_at_once_and_finishes_at_once() -> None:
    judge = judge_of()
    assert judge.begin([]) == [Ready()]
    assert judge.stop() == [Finish(None, exceeded=False)]


@pytest.mark.parametrize("restart", [P, T, X])
def test_a_first_start_that_fails_ends_the_supervisor(restart: Restart) -> None:
    judge = judge_of()
    judge.begin([("a", P), ("b", restart), ("c", P)])
    judge.started("a", 0.0)
    assert down(judge, "b", End.FAILED)[-1:] == [Stop("a")]
    assert down(judge, "a") == [Finish("b", exceeded=False)]


@pytest.mark.parametrize(
    ("restart", "end", "then"),
    [
        (P, End.NORMAL, [Wait("a", 0.0, 1)]),
        (P, End.SHUTDOWN, [Wait("a", 0.0, 1)]),
        (P, End.FAILED, [Wait("a", 0.0, 1)]),
        (T, End.NORMAL, [Rest("a")]),
        (T, End.SHUTDOWN, [Rest("a")]),
        (T, End.FAILED, [Wait("a", 0.0, 1)]),
        (X, End.NORMAL, [Forget("a")]),
        (X, End.SHUTDOWN, [Forget("a")]),
        (X, End.FAILED, [Forget("a")]),
    ],
)
@pytest.mark.parametrize("strategy", list(Strategy))
def test_restart_types(strategy: Strategy, restart: Restart, end: End, then: list[Command]) -> None:
    judge = opened(judge_of(strategy), a=restart)
    assert down(judge, "a", end) == then
    assert (Wait("a", 0.0, 1) in then) == (judge.delay_over("a") == [Start("a")])


def test_one_for_one_touches_nobody_else() -> None:
    judge = opened(judge_of(ONE), a=P, b=P, c=P)
    assert down(judge, "b", End.FAILED) == [Wait("b", 0.0, 1)]
    assert judge.delay_over("b") == [Start("b")]
    assert judge.started("b", 0.0) == []


def test_one_for_all_stops_all_in_reverse_and_starts_all_in_order() -> None:
    judge = opened(judge_of(ALL), a=P, b=P, c=P)
    assert down(judge, "b", End.FAILED) == [Wait("b", 0.0, 1), Stop("c")]
    assert judge.delay_over("b") == []  # nobody rises before all are down
    assert down(judge, "c") == [Stop("a")]
    assert down(judge, "a") == [Start("a")]
    assert judge.started("a", 0.0) == [Start("b")]
    assert judge.started("b", 0.0) == [Start("c")]
    assert judge.started("c", 0.0) == []


def test_rest_for_one_leaves_the_earlier_ones_alone() -> None:
    judge = opened(judge_of(LATER), a=P, b=P, c=P)
    assert down(judge, "b", End.FAILED) == [Wait("b", 0.0, 1), Stop("c")]
    assert down(judge, "c") == []
    assert judge.delay_over("b") == [Start("b")]
    assert judge.started("b", 0.0) == [Start("c")]


def test_one_for_all_a_sibling_whose_restart_fails_takes_the_set_down_again() -> None:  # OTP 45
    judge = opened(judge_of(ALL), a=P, b=P)
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.0, 1), Stop("b")]
    assert judge.delay_over("a") == []
    assert down(judge, "b") == [Start("a")]
    assert judge.started("a", 0.0) == [Start("b")]
    assert down(judge, "b", End.FAILED) == [Wait("b", 0.1, 2), Stop("a")]
    assert down(judge, "a") == []
    assert judge.delay_over("b") == [Start("a")]
    assert judge.started("a", 0.0) == [Start("b")]


def test_rest_for_one_a_sibling_whose_restart_fails_is_retried_alone() -> None:  # OTP 54
    judge = opened(judge_of(LATER), a=P, b=P)
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.0, 1), Stop("b")]
    down(judge, "b")
    assert judge.delay_over("a") == [Start("a")]
    assert judge.started("a", 0.0) == [Start("b")]
    assert down(judge, "b", End.FAILED) == [Wait("b", 0.1, 2)]
    assert judge.delay_over("b") == [Start("b")]


@pytest.mark.parametrize("strategy", [ALL, LATER])
def test_a_temporary_bystander_is_not_restarted_and_costs_nothing(strategy: Strategy) -> None:  # OTP 78
    judge = opened(judge_of(strategy), a=P, b=X)
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.0, 1), Stop("b")]
    assert down(judge, "b") == [Forget("b")]
    assert judge.delay_over("a") == [Start("a")]
    assert judge.started("a", 0.0) == []
    assert len(judge.restarts) == 1


def test_a_sibling_that_crashes_while_its_group_goes_down_costs_nothing() -> None:
    judge = opened(judge_of(ALL), a=P, b=P, c=P)
    down(judge, "a", End.FAILED)  # c is being stopped, b is next
    assert down(judge, "b", End.FAILED) == []
    assert down(judge, "c", End.FAILED) == []
    assert judge.delay_over("a") == [Start("a")]
    assert len(judge.restarts) == 1


def test_intensity_is_a_sliding_window() -> None:  # OTP 40
    judge = opened(judge_of(intensity=Intensity(1, 1.0)), a=P)
    for crash in range(20):
        now = crash * 1.1
        assert isinstance(down(judge, "a", End.FAILED, now)[0], Wait)
        judge.delay_over("a")
        judge.started("a", now)
    assert down(judge, "a", End.FAILED, 19 * 1.1 + 0.9) == [Finish("a", exceeded=True)]


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("most", [0, 1, 3])
def test_the_restart_after_the_last_allowed_one_is_not_tried(strategy: Strategy, most: int) -> None:
    judge = opened(judge_of(strategy, intensity=Intensity(most, 5.0)), z=P, a=P)
    for number in range(most):
        assert down(judge, "a", End.FAILED, 1.0)[0] == Wait("a", Backoff(jitter=0).delay(number + 1, 0.0), number + 1)
        if strategy is ALL:
            down(judge, "z")
            judge.delay_over("a")
            judge.started("z", 1.0)
        else:
            judge.delay_over("a")
        judge.started("a", 1.0)
    assert down(judge, "a", End.FAILED, 1.0) == [Stop("z")]
    assert down(judge, "z") == [Finish("a", exceeded=True)]


def test_a_child_that_cannot_start_again_uses_up_the_intensity() -> None:  # OTP 42
    judge = opened(judge_of(intensity=Intensity(2, 5.0)), a=P)
    down(judge, "a", End.FAILED)
    judge.delay_over("a")
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.1, 2)]
    judge.delay_over("a")
    assert down(judge, "a", End.FAILED) == [Finish("a", exceeded=True)]


def test_backoff_doubles_and_is_forgiven_after_a_long_life() -> None:
    backoff = Backoff(base=1.0, jitter=0, reset=60.0)
    judge = opened(judge_of(intensity=Intensity(9, 1000.0), backoff=backoff), a=P)
    delays = []
    for now in (0.0, 1.0, 2.0, 3.0, 62.0, 122.0):
        wait = down(judge, "a", End.FAILED, now)[0]
        assert isinstance(wait, Wait)
        delays.append(wait.seconds)
        judge.delay_over("a")
        judge.started("a", now)
    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 0.0]  # 59 s up is not enough, 60 s is


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_stop_while_a_child_is_in_its_backoff(strategy: Strategy) -> None:  # OTP 80-82
    judge = opened(judge_of(strategy), z=P, a=P)
    down(judge, "a", End.FAILED)
    if strategy is ALL:
        down(judge, "z")
        assert judge.stop() == [Finish(None, exceeded=False)]
    else:
        assert judge.stop() == [Stop("z")]
        assert judge.delay_over("a") == []
        assert down(judge, "z") == [Finish(None, exceeded=False)]


def test_a_stop_while_a_child_starts_again() -> None:
    judge = opened(judge_of(), a=P)
    down(judge, "a", End.FAILED)
    judge.delay_over("a")
    assert judge.stop() == [Stop("a")]
    assert judge.started("a", 0.0) == []  # it came up just before it saw the stop
    assert down(judge, "a") == [Finish(None, exceeded=False)]


@pytest.mark.parametrize("restart", [P, T, X])
@pytest.mark.parametrize("end", list(End))
def test_children_that_end_by_themselves_while_all_stop(restart: Restart, end: End) -> None:  # OTP 21
    judge = opened(judge_of(), a=restart, b=P)
    assert judge.stop() == [Stop("b")]
    assert [command for command in down(judge, "a", end) if not isinstance(command, Forget)] == []
    assert down(judge, "b") == [Finish(None, exceeded=False)]


def test_dynamic_children_stop_all_at_once() -> None:
    judge = judge_of(dynamic=True)
    judge.begin([])
    for child_id in "abc":
        assert judge.add(child_id, P) == [Start(child_id)]
        judge.started(child_id, 0.0)
    assert judge.stop() == [Stop("c"), Stop("b"), Stop("a")]
    assert down(judge, "b") == [Forget("b")]
    assert down(judge, "c") == [Forget("c")]
    assert down(judge, "a") == [Forget("a"), Finish(None, exceeded=False)]


@pytest.mark.parametrize("restart", [P, T, X])
def test_a_dynamic_child_whose_first_start_fails_is_forgotten(restart: Restart) -> None:  # OTP 12
    judge = judge_of(dynamic=True)
    judge.begin([])
    judge.add("a", restart)
    assert down(judge, "a", End.FAILED) == [Forget("a")]
    assert not judge.children


def test_a_child_added_later_whose_first_start_fails_leaves_its_siblings_alone() -> None:  # OTP 11
    judge = opened(judge_of(), a=P)
    assert judge.add("b", P) == [Start("b")]
    assert down(judge, "b", End.FAILED) == [Forget("b")]
    assert judge.children["a"].where is Where.UP


def test_terminate_and_restart_and_delete() -> None:  # OTP 23
    judge = opened(judge_of(), a=P)
    assert judge.terminate("a") == [Stop("a")]
    assert down(judge, "a") == [Rest("a")]
    assert judge.terminate("a") == []
    assert judge.restart("a") == [Start("a")]
    judge.started("a", 0.0)
    assert judge.restart("a") == [Stop("a")]
    assert down(judge, "a") == [Start("a")]
    judge.started("a", 0.0)
    judge.terminate("a")
    down(judge, "a")
    assert judge.delete("a") == [Forget("a")]
    assert len(judge.restarts) == 0


def test_a_restart_by_hand_that_fails_leaves_the_child_down() -> None:  # OTP 10
    judge = opened(judge_of(), a=P)
    judge.terminate("a")
    down(judge, "a")
    judge.restart("a")
    assert down(judge, "a", End.FAILED) == [Rest("a")]


def test_a_restart_by_hand_of_a_running_child_is_retried_when_it_fails() -> None:
    judge = opened(judge_of(), a=P)
    judge.restart("a")
    assert down(judge, "a") == [Start("a")]
    assert down(judge, "a", End.FAILED) == [Wait("a", 0.1, 1)]


def test_a_temporary_child_can_be_restarted_by_hand() -> None:
    judge = opened(judge_of(), a=X)
    assert judge.restart("a") == [Stop("a")]
    assert down(judge, "a") == [Start("a")]
    judge.started("a", 0.0)
    assert down(judge, "a", End.FAILED) == [Forget("a")]


def test_terminate_ends_a_restart_loop() -> None:  # OTP 80
    judge = opened(judge_of(), a=P)
    down(judge, "a", End.FAILED)
    assert judge.terminate("a") == [Rest("a")]
    assert judge.delay_over("a") == []


def test_terminate_reaches_a_child_that_waits_for_its_group() -> None:
    judge = opened(judge_of(ALL), a=P, b=P)
    down(judge, "a", End.FAILED)
    down(judge, "b")
    assert judge.terminate("b") == [Rest("b")]
    assert judge.delay_over("a") == [Start("a")]
    assert judge.started("a", 0.0) == []


def test_restart_by_hand_does_not_wait_for_the_backoff() -> None:
    judge = opened(judge_of(), a=P)
    down(judge, "a", End.FAILED)
    assert judge.restart("a") == [Start("a")]
    assert judge.delay_over("a") == []


def test_a_child_that_ends_normally_while_it_starts_lets_the_next_one_start() -> None:
    judge = judge_of()
    judge.begin([("a", T), ("b", P)])
    assert down(judge, "a", End.NORMAL) == [Rest("a"), Start("b")]
    assert judge.started("b", 0.0) == [Ready()]


def test_a_supervisor_that_gave_up_while_it_started_is_failed() -> None:
    judge = judge_of()
    judge.begin([("a", T), ("b", P)])
    assert down(judge, "a", End.SHUTDOWN) == [Rest("a"), Start("b")]
