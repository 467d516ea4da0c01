"""OTP's cases 55 to 61: significant children, and supervisors that end with them."""

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from supervisor import AutoShutdown, ChildSpec, DynamicSupervisor, InvalidSpec, Restart, State, Strategy, Supervisor
from supervisor.events import ChildExited, End, RestartScheduled
from supervisor.testing import Act, Player, Recorder, Script, open_test_system, scripted
from tests.supervisor.conformance import AT_ONCE, PATIENT, Way, at_once, crash, end, incarnations, mortal

NEVER, ANY, ALL = AutoShutdown.NEVER, AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
TEMPORARY, TRANSIENT = Restart.TEMPORARY, Restart.TRANSIENT


def inside(below: Supervisor) -> Supervisor:
    """A tree whose supervisor at `/sup` is not restarted when it ends by itself."""
    return at_once(scripted("outside"), ChildSpec("sup", below, restart=TRANSIENT))


def sup(auto: AutoShutdown, *children: ChildSpec[Any], strategy: Strategy = Strategy.ONE_FOR_ONE) -> Supervisor:
    return Supervisor(*children, strategy=strategy, intensity=PATIENT, backoff=AT_ONCE, auto_shutdown=auto)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("auto", AutoShutdown)
@pytest.mark.parametrize("restart", [TEMPORARY, TRANSIENT], ids=["55", "56"])
async def test_55_56_a_child_without_significance_ends_nobody(
    restart: Restart, auto: AutoShutdown, way: Way, *, by_hand: bool, autojump_clock: MockClock
) -> None:
    async with open_test_system(inside(sup(auto, mortal("a", way, restart=restart), scripted("b")))) as system:
        if by_hand:
            await system.terminate_child("/sup/a")
        else:
            await end(system, "/sup/a", way)
        assert system.snapshot("/sup").state is State.RUNNING
        restarted = restart is TRANSIENT and way is Way.FAILED and not by_hand
        kept = {"a": 2 if restarted else 1} if restart is TRANSIENT else {}
        assert incarnations(system, "/sup") == kept | {"b": 1}


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("auto", [ANY, ALL])
@pytest.mark.parametrize("restart", [TEMPORARY, TRANSIENT], ids=["57", "58"])
async def test_57_58_significant_children_and_their_supervisor(
    restart: Restart, auto: AutoShutdown, way: Way, autojump_clock: MockClock
) -> None:
    children = [mortal(id, way, restart=restart, significant=True) for id in "abc"]
    async with open_test_system(inside(sup(auto, *children, scripted("plain")))) as system:
        recorder = Recorder(system)
        await system.terminate_child("/sup/a")  # not by itself
        assert system.snapshot("/sup").state is State.RUNNING
        await end(system, "/sup/b", way)
        restarted = restart is TRANSIENT and way is Way.FAILED
        if auto is ALL or restarted:
            assert system.snapshot("/sup").state is State.RUNNING
            await end(system, "/sup/c", way)
        if restarted:
            assert incarnations(system, "/sup") == {"a": 1, "b": 2, "c": 2, "plain": 1}
            return
        assert system.snapshot("/sup").state is State.STOPPED
        assert system.snapshot("/sup").error is None
        assert recorder.of(ChildExited, "/sup")[0].end is End.SHUTDOWN
        assert recorder.of(ChildExited, "/sup/plain")[0].end is End.SHUTDOWN
        assert not recorder.of(RestartScheduled)
        assert system.snapshot("/outside").incarnation == 1


async def test_59_dynamic_children_cannot_be_significant() -> None:
    with pytest.raises(TypeError):
        DynamicSupervisor(max_children=1, auto_shutdown=ANY)  # type: ignore[call-arg]
    pool = DynamicSupervisor(max_children=1)
    with pytest.raises(InvalidSpec, match="dynamic"):
        pool.check(scripted("a", restart=TRANSIENT, significant=True))


@pytest.mark.parametrize("auto", [ANY, ALL])
@pytest.mark.parametrize("restart", [TEMPORARY, TRANSIENT])
@pytest.mark.parametrize("strategy", Strategy)
async def test_60_a_significant_bystander_ends_nobody(
    strategy: Strategy, restart: Restart, auto: AutoShutdown, autojump_clock: MockClock
) -> None:
    bystander = scripted("b", restart=restart, significant=True)
    async with open_test_system(inside(sup(auto, scripted("a"), bystander, strategy=strategy))) as system:
        await crash(system, "/sup/a")
        assert system.snapshot("/sup").state is State.RUNNING
        grouped = strategy is not Strategy.ONE_FOR_ONE
        kept = {} if restart is TEMPORARY and grouped else {"b": 1 + grouped}
        assert incarnations(system, "/sup") == {"a": 2} | kept


@pytest.mark.parametrize("significant", [True, False])
@pytest.mark.parametrize("restart", Restart)
async def test_61_a_supervisor_that_ended_with_its_children_in_the_one_above(
    restart: Restart, *, significant: bool, autojump_clock: MockClock
) -> None:
    if significant and restart is Restart.PERMANENT:
        return  # refused when it is made
    inner = sup(ANY, scripted("x", restart=TRANSIENT, significant=True))
    outer = sup(ANY, ChildSpec("inner", inner, restart=restart, significant=significant), scripted("other"))
    async with open_test_system(inside(outer)) as system:
        await end(system, "/sup/inner/x", Way.NORMAL)
        assert system.snapshot("/sup").state is (State.STOPPED if significant else State.RUNNING)
        if not significant:
            assert incarnations(system, "/sup").get("inner") == {
                Restart.PERMANENT: 2, Restart.TRANSIENT: 1, Restart.TEMPORARY: None,
            }[restart]  # fmt: skip


@pytest.mark.parametrize("auto", [ANY, ALL])
@pytest.mark.parametrize("again", [False, True])
async def test_a_significant_child_that_ignores_its_start_has_not_ended(
    auto: AutoShutdown, *, again: bool, autojump_clock: MockClock
) -> None:
    script = Script(*[Act.OK] * again, Act.IGNORE, Act.OK)
    children = scripted("a", script, restart=TRANSIENT, significant=True), scripted("b")
    async with open_test_system(inside(sup(auto, *children))) as system:
        if again:
            await crash(system, "/sup/a")
        assert system.snapshot("/sup").state is State.RUNNING
        assert system.snapshot("/sup/a").state is State.STOPPED
        await system.restart_child("/sup/a")
        await end(system, "/sup/a", Way.NORMAL)
        assert system.snapshot("/sup").state is State.STOPPED


async def test_a_root_that_ends_with_its_significant_child_ends_the_tree(autojump_clock: MockClock) -> None:
    tree = sup(ANY, scripted("a", restart=TRANSIENT, significant=True), scripted("b"))
    async with open_test_system(tree) as system:
        await end(system, "/a", Way.NORMAL)
        await system.wait_over()
        assert system.snapshot().state is State.STOPPED
        assert {node.state for node in system.which_children("/")} == {State.STOPPED}


async def test_a_root_that_ends_before_all_are_up(autojump_clock: MockClock) -> None:
    class Brief(Player):
        async def started(self) -> None:
            self.context.stop()

    brief = ChildSpec("a", partial(Brief, Script()), restart=TRANSIENT, significant=True)
    begin = trio.current_time()
    async with open_test_system(sup(ANY, brief, scripted("b", Script(Act.HANG)))) as system:
        assert system.snapshot().state is State.STOPPED
        await system.wait_over()
    assert trio.current_time() == begin
