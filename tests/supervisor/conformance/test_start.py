"""OTP's cases 1 to 15: starts that succeed, are ignored or fail, and what a child spec says by default."""

from functools import partial
from typing import Any, Never

import pytest
import trio.testing

from supervisor import (
    ActorStopped,
    ChildSpec,
    DynamicSupervisor,
    InvalidSpec,
    NoSuchActor,
    Restart,
    Shutdown,
    StartFailed,
    State,
    Supervisor,
    System,
)
from supervisor.testing import Act, Leave, Player, Script, Scripted, open_test_system, scripted
from tests.supervisor.conformance import counts, incarnations

PLAYER = partial(Player, Script())
POOL: ChildSpec[Never] = ChildSpec("pool", DynamicSupervisor(max_children=10))


async def test_01_an_empty_supervisor_starts_and_stops() -> None:
    async with open_test_system(Supervisor()) as system:
        assert system.snapshot().state is State.RUNNING
    assert system.snapshot().state is State.STOPPED


async def test_03_a_child_that_ignores_its_start_is_kept_and_down() -> None:
    script = Script(Act.IGNORE, Act.OK)
    async with open_test_system(Supervisor(scripted("a", script), scripted("b"))) as system:
        assert counts(system) == [2, 1, 0, 2]
        assert [node.path for node in system.which_children("/")] == ["/a", "/b"]
        assert (system.snapshot("/a").state, system.snapshot("/a").error) == (State.STOPPED, None)
        with pytest.raises(ActorStopped):
            await system.ref("/a", Player).tell(Leave())
        await system.restart_child("/a")
        assert counts(system) == [2, 2, 0, 2]


async def test_04_a_temporary_child_that_ignores_its_start_is_not_kept() -> None:
    ignoring = scripted("a", Script(Act.IGNORE), restart=Restart.TEMPORARY)
    async with open_test_system(Supervisor(ignoring, scripted("b"))) as system:
        assert counts(system) == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("path", "restart", "kept"),
    [
        ("/", Restart.TEMPORARY, 0),
        ("/", Restart.TRANSIENT, 1),
        ("/", Restart.PERMANENT, 1),
        ("/pool", Restart.TEMPORARY, 0),
        ("/pool", Restart.PERMANENT, 0),
    ],
    ids=["05", "05 kept", "05 kept too", "06", "07"],
)
async def test_05_06_07_a_child_added_later_that_ignores_its_start(path: str, restart: Restart, kept: int) -> None:
    async with open_test_system(Supervisor(POOL)) as system:
        before = counts(system, path)[0]
        ref = await system.start_child(path, scripted("a", Script(Act.IGNORE), restart=restart))
        with pytest.raises(ActorStopped if kept else NoSuchActor):
            await ref.tell(Leave())
        assert counts(system, path)[0] == before + kept
        assert system.snapshot().state is State.RUNNING


async def test_08_a_tree_that_makes_no_sense_starts_nothing() -> None:
    log: list[str] = []

    def tree(_: System) -> Supervisor:
        return Supervisor(scripted("a", Script(log=log)), scripted("a"))

    with pytest.raises(InvalidSpec):
        async with open_test_system(tree):
            pass
    assert log == []


async def test_09_a_tree_whose_making_raises_starts_nothing() -> None:
    def tree(_: System) -> Supervisor:
        raise Scripted("no tree")

    before = trio.lowlevel.current_statistics().tasks_living
    with pytest.raises(Scripted, match="no tree"):
        async with open_test_system(tree):
            pass
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_10_a_restart_by_hand_that_fails_keeps_the_spec() -> None:
    async with open_test_system(Supervisor(scripted("a", Script(Act.OK, Act.FAIL, Act.OK)))) as system:
        await system.terminate_child("/a")
        with pytest.raises(StartFailed, match="cannot start"):
            await system.restart_child("/a")
        assert counts(system) == [1, 0, 0, 1]
        assert system.snapshot("/a").state is State.FAILED
        await system.restart_child("/a")
        assert incarnations(system) == {"a": 3}


def junk() -> Any:
    """A factory that does not make an actor."""
    return object()


junk.mailbox = Player.mailbox  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/", "/pool"], ids=["11", "12"])
@pytest.mark.parametrize("restart", Restart)
async def test_11_12_a_child_added_later_that_cannot_start_is_not_kept(path: str, restart: Restart) -> None:
    async with open_test_system(Supervisor(POOL)) as system:
        before = counts(system, path)
        with pytest.raises(StartFailed) as caught:
            await system.start_child(path, scripted("a", Script(Act.FAIL), restart=restart))
        assert isinstance(caught.value.reason, Scripted)
        with pytest.raises(StartFailed, match="which is no actor"):
            await system.start_child(path, ChildSpec("a", junk, restart=restart))
        assert counts(system, path) == before


async def test_13_defaults_and_the_spec_of_a_child() -> None:
    worker = scripted("a")
    below: ChildSpec[Never] = ChildSpec("b", Supervisor())
    async with open_test_system(Supervisor(worker, below)) as system:
        assert (worker.restart, worker.shutdown, worker.is_supervisor) == (Restart.PERMANENT, 5.0, False)
        assert (below.restart, below.shutdown, below.is_supervisor) == (Restart.PERMANENT, Shutdown.INFINITE, True)
        assert not worker.significant
        assert system.get_spec("/a") is worker
        with pytest.raises(NoSuchActor):
            system.get_spec("/c")


async def test_14_the_spec_of_a_dynamic_child() -> None:
    async with open_test_system(Supervisor(POOL)) as system:
        ref = await system.start_child("/pool", spec := scripted("a"))
        assert system.get_spec("/pool/a") is spec
        assert system.get_spec(ref.path) is spec


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (ChildSpec, TypeError),
        (lambda: ChildSpec("a"), TypeError),  # type: ignore[call-arg]
        (lambda: ChildSpec("", PLAYER), InvalidSpec),
        (lambda: ChildSpec("a", PLAYER, colour="red"), TypeError),  # type: ignore[call-arg]
        (lambda: ChildSpec("a", partial(int, 3)), InvalidSpec),  # type: ignore[arg-type]
    ],
    ids=["no id", "no factory", "an empty id", "an unknown option", "not an actor"],
)
def test_15_a_spec_that_makes_no_sense(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()
