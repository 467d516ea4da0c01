"""OTP's cases 23 to 28: admin calls, and specs that are refused."""

from itertools import product
from typing import Any, Never

import pytest
from trio.testing import MockClock

from supervisor import (
    ActorStopped,
    AdminRefused,
    AutoShutdown,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    InvalidSpec,
    NoSuchActor,
    Restart,
    Shutdown,
    State,
    Strategy,
    Supervisor,
)
from supervisor.testing import Player, WhoAreYou, open_test_system, scripted
from tests.supervisor.conformance import AT_ONCE, PATIENT, counts, crash, incarnations

NEVER = AutoShutdown.NEVER


async def test_23_the_life_of_a_child_under_admin_calls(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor()) as system:
        spec = scripted("a")
        ref = await system.start_child("/", spec)
        assert counts(system) == [1, 1, 0, 1]
        with pytest.raises(AdminRefused, match="already"):
            await system.start_child("/", spec)
        with pytest.raises(AdminRefused, match="not down"):
            await system.delete_child("/a")
        for _ in range(2):  # the second time changes nothing
            await system.terminate_child("/a")
            assert counts(system) == [1, 0, 0, 1]
        assert system.snapshot("/a").state is State.STOPPED
        with pytest.raises(AdminRefused, match="already"):
            await system.start_child("/", spec)
        with pytest.raises(ActorStopped):
            await ref.ask(WhoAreYou(), timeout=5)
        await system.restart_child("/a")
        assert await ref.ask(WhoAreYou(), timeout=5) == 2
        await system.restart_child("/a")  # OTP refuses this one; here a running child is stopped first
        assert await ref.ask(WhoAreYou(), timeout=5) == 3
        await system.terminate_child("/a")
        await system.delete_child("/a")
        assert counts(system) == [0, 0, 0, 0]
        for gone in (system.terminate_child, system.restart_child, system.delete_child):
            with pytest.raises(NoSuchActor):
                await gone("/a")
        with pytest.raises(NoSuchActor):
            await system.start_child("/nobody", spec)
        await system.start_child("/", spec)
        assert incarnations(system) == {"a": 1}


async def test_23_calls_to_what_is_no_supervisor() -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system:
        with pytest.raises(AdminRefused, match="not a running supervisor"):
            await system.start_child("/a", scripted("b"))
        with pytest.raises(AdminRefused, match="the root"):
            await system.terminate_child("/")


async def test_24_the_life_of_a_dynamic_child_under_admin_calls(autojump_clock: MockClock) -> None:
    pool: ChildSpec[Never] = ChildSpec("pool", DynamicSupervisor(max_children=3, intensity=PATIENT, backoff=AT_ONCE))
    async with open_test_system(Supervisor(pool, scripted("foreign"))) as system:
        for id in "abc":
            await system.start_child("/pool", scripted(id))
        with pytest.raises(AdminRefused, match="not down"):
            await system.delete_child("/pool/a")
        await system.terminate_child("/pool/a")
        assert incarnations(system, "/pool") == {"b": 1, "c": 1}
        for gone in (system.terminate_child, system.restart_child, system.delete_child):
            with pytest.raises(NoSuchActor):
                await gone("/pool/a")
        with pytest.raises(NoSuchActor):
            await system.terminate_child("/pool/foreign")
        assert await system.ref("/foreign", Player).ask(WhoAreYou(), timeout=5) == 1
        await crash(system, "/pool/b")
        assert incarnations(system, "/pool") == {"b": 2, "c": 1}
        await system.terminate_child("/pool/b")
        assert counts(system, "/pool") == [1, 1, 0, 1]


SHUTDOWNS: list[tuple[Any, bool]] = [
    (Shutdown.BRUTAL, True),
    (Shutdown.INFINITE, True),
    (0, True),
    (100.0, True),
    (-10, False),
    (float("inf"), False),
]


@pytest.mark.parametrize("kind", ["worker", "supervisor", "dynamic"])
@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize(("shutdown", "valid"), SHUTDOWNS)
async def test_26_specs_are_checked_when_they_are_made(
    kind: str, restart: Restart, shutdown: Any, *, valid: bool
) -> None:
    factory: Any = {
        "worker": scripted("x").factory,
        "supervisor": Supervisor(),
        "dynamic": DynamicSupervisor(max_children=1),
    }[kind]
    if not valid:
        with pytest.raises(InvalidSpec, match="shutdown"):
            ChildSpec("a", factory, restart=restart, shutdown=shutdown)
        return
    async with open_test_system(Supervisor(ChildSpec("a", factory, restart=restart, shutdown=shutdown))) as system:
        assert counts(system)[:2] == [1, 1]


def test_26_two_of_one_id() -> None:
    with pytest.raises(InvalidSpec, match="two children"):
        Supervisor(scripted("a"), scripted("a"))


@pytest.mark.parametrize(
    ("restart", "auto"), list(product(Restart, AutoShutdown)), ids=lambda value: value.name.lower()
)
async def test_27_significant_children_need_a_supervisor_that_heeds_them(restart: Restart, auto: AutoShutdown) -> None:
    if restart is Restart.PERMANENT:
        with pytest.raises(InvalidSpec, match="permanent"):
            scripted("a", restart=restart, significant=True)
        return
    child = scripted("a", restart=restart, significant=True)
    if auto is NEVER:
        with pytest.raises(InvalidSpec, match="never shuts down"):
            Supervisor(child)
    else:
        Supervisor(child, auto_shutdown=auto)
    async with open_test_system(Supervisor(scripted("other"), auto_shutdown=auto)) as system:
        if auto is NEVER:
            with pytest.raises(AdminRefused, match="never shuts down"):
                await system.start_child("/", child)
        else:
            await system.start_child("/", child)
        assert counts(system)[0] == 1 + (auto is not NEVER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Intensity(-1),
        lambda: Intensity(1, within=0.0),
        lambda: Intensity(1, within=float("inf")),
        lambda: Strategy("one_for_none"),
        lambda: AutoShutdown("sometimes"),
        lambda: Supervisor(colour="red"),  # type: ignore[call-arg]
    ],
    ids=["intensity", "period", "endless period", "strategy", "auto_shutdown", "an unknown flag"],
)
def test_28_supervisors_are_checked_when_they_are_made(make: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()
