"""Elixir's cases of a DynamicSupervisor, by the names of `table.ELIXIR`."""

from functools import partial
from typing import Any, Never

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Actor,
    AdminRefused,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    InvalidSpec,
    Mailbox,
    Overflow,
    Restart,
    Shutdown,
    StartFailed,
    State,
    Supervisor,
    System,
)
from supervisor.events import BecameZombie, ChildExited, End, GaveUp, RestartScheduled
from supervisor.testing import Act, Crash, Leave, Player, Recorder, Script, Scripted, Stick, open_test_system, scripted
from tests.supervisor.conformance import AT_ONCE, PATIENT, Way, counts, crash, end, incarnations, mortal

SLOW = Backoff(base=1.0, factor=2.0, cap=4.0, jitter=0.0)


def pool(id: str = "pool", most: int = 20, **options: Any) -> ChildSpec[Any]:
    options = {"intensity": PATIENT, "backoff": AT_ONCE} | options
    return ChildSpec(id, DynamicSupervisor(max_children=most, **options), restart=Restart.TEMPORARY)


async def test_can_be_supervised_several_at_once() -> None:
    async with open_test_system(Supervisor(pool("p"), pool("q"))) as system:
        for path in ("/p", "/q"):
            await system.start_child(path, scripted("a"))
            assert counts(system, path) == [1, 1, 0, 1]


def test_default_options() -> None:
    made = DynamicSupervisor(max_children=1)
    assert (made.intensity, made.backoff) == (Intensity(3, within=5.0), Backoff())
    with pytest.raises(TypeError):
        DynamicSupervisor()  # type: ignore[call-arg]  # how many is to be said


async def test_arguments_are_given_and_kept_over_a_restart(autojump_clock: MockClock) -> None:
    seen: list[tuple[int, str]] = []

    class Traveller(Actor[Crash]):
        mailbox = Mailbox(1, Overflow.REJECT)

        def __init__(self, number: int, word: str) -> None:
            seen.append((number, word))

        async def receive(self, message: Crash) -> Never:
            raise Scripted(message.word)

    async with open_test_system(Supervisor(pool())) as system:
        ref = await system.start_child("/pool", ChildSpec("a", partial(Traveller, 7, word="seven")))
        await ref.tell(Crash())
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [(7, "seven")] * 2


@pytest.mark.parametrize(
    "error", [Scripted("thrown"), RuntimeError("error"), SystemExit("exit"), BaseException("bare")]
)
@pytest.mark.parametrize("where", ["factory", "started"])
async def test_whatever_a_start_raises_is_said_and_no_child_kept(where: str, error: BaseException) -> None:
    class Dud(Player):
        def __init__(self) -> None:
            super().__init__(Script())
            if where == "factory":
                raise error

        async def started(self) -> None:
            raise error

    async with open_test_system(Supervisor(pool())) as system:
        with pytest.raises(StartFailed) as caught:
            await system.start_child("/pool", ChildSpec("a", Dud))
        assert caught.value.reason is error
        assert counts(system, "/pool") == [0, 0, 0, 0]


async def test_no_more_than_max_children(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool(most=2))) as system:
        await system.start_child("/pool", scripted("a", restart=Restart.TEMPORARY))
        await system.start_child("/pool", scripted("b"))
        with pytest.raises(AdminRefused, match="it has 2 children"):
            await system.start_child("/pool", scripted("c"))
        await end(system, "/pool/a", Way.NORMAL)
        await system.start_child("/pool", scripted("c"))
        assert incarnations(system, "/pool") == {"b": 1, "c": 1}


async def test_starts_that_fail_or_are_ignored_take_no_place() -> None:
    async with open_test_system(Supervisor(pool(most=1))) as system:
        with pytest.raises(StartFailed):
            await system.start_child("/pool", scripted("a", Script(Act.FAIL)))
        await system.start_child("/pool", scripted("a", Script(Act.IGNORE)))
        await system.start_child("/pool", scripted("b"))
        assert incarnations(system, "/pool") == {"b": 1}


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("restart", Restart)
async def test_restart_types(restart: Restart, way: Way, autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool())) as system:
        await system.start_child("/pool", mortal("a", way, restart=restart))
        await end(system, "/pool/a", way)
        again = restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and way is Way.FAILED)
        assert incarnations(system, "/pool") == ({"a": 2} if again else {})


async def test_restarts_that_end_in_other_ways(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool())) as system:
        await system.start_child("/pool", scripted("ignores", Script(Act.OK, Act.IGNORE)))
        await system.start_child("/pool", scripted("fails", Script(Act.OK, Act.FAIL, Act.FAIL, Act.OK)))
        await crash(system, "/pool/ignores")
        assert incarnations(system, "/pool") == {"fails": 1}
        await crash(system, "/pool/fails")
        assert incarnations(system, "/pool") == {"fails": 4}


@pytest.mark.parametrize("from_start", [True, False], ids=["on init", "on exit"])
async def test_a_child_that_is_being_restarted_keeps_its_place(*, from_start: bool, autojump_clock: MockClock) -> None:
    script = Script(Act.OK, Act.FAIL) if from_start else Script()
    async with open_test_system(Supervisor(pool(most=1, backoff=SLOW))) as system:
        await system.start_child("/pool", scripted("a", script))
        await crash(system, "/pool/a")
        if not from_start:  # its first restart is at once, its second is not
            await crash(system, "/pool/a")
        assert system.snapshot("/pool/a").state is State.RESTARTING
        assert counts(system, "/pool") == [1, 0, 0, 1]
        with pytest.raises(AdminRefused, match="it has 1 children"):
            await system.start_child("/pool", scripted("b"))


async def test_trying_again_until_it_starts(autojump_clock: MockClock) -> None:
    script = Script(Act.OK, Act.FAIL, Act.FAIL, Act.FAIL, Act.OK)
    async with open_test_system(Supervisor(pool(backoff=SLOW))) as system:
        recorder = Recorder(system)
        await system.start_child("/pool", scripted("a", script))
        await crash(system, "/pool/a")
        assert system.snapshot("/pool/a").state is State.RESTARTING
        await trio.sleep(60)
        assert [event.delay for event in recorder.of(RestartScheduled)] == [0, 1, 2, 4]
        assert system.snapshot("/pool/a").state is State.RUNNING


@pytest.mark.parametrize("script", [Script(), Script(Act.OK, Act.FAIL)], ids=["crashes", "retries"])
async def test_too_many_restarts_end_it(script: Script, autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool(intensity=Intensity(2, within=10.0)))) as system:
        recorder = Recorder(system)
        await system.start_child("/pool", scripted("a", script))
        await system.start_child("/pool", scripted("b"))
        for _ in range(3):
            if not recorder.of(GaveUp):
                await crash(system, "/pool/a")
        assert len(recorder.of(RestartScheduled)) == 2
        assert recorder.of(ChildExited, "/pool/b")[0].end is End.SHUTDOWN
        assert recorder.of(ChildExited, "/pool")[0].end is End.SHUTDOWN


def test_shutdown_values() -> None:
    for good in (0, 1, 5.5, Shutdown.BRUTAL, Shutdown.INFINITE):
        assert ChildSpec("a", partial(Player, Script()), shutdown=good).shutdown == good
    for bad in (-1, -0.5, float("inf"), float("nan")):
        with pytest.raises(InvalidSpec, match="shutdown"):
            ChildSpec("a", partial(Player, Script()), shutdown=bad)


# --- how they are stopped, all together and one by one


class Sour(Player):
    """Fails when it is stopped."""

    async def stopping(self, reason: str) -> None:
        await super().stopping(reason)
        raise OSError("sour")


STOPS: dict[str, tuple[type[Player], float, float | Shutdown, float, End]] = {
    "brutal kill": (Player, 100.0, Shutdown.BRUTAL, 0.0, End.SHUTDOWN),
    "infinity": (Player, 100.0, Shutdown.INFINITE, 100.0, End.SHUTDOWN),
    "infinity with abnormal reason": (Sour, 100.0, Shutdown.INFINITE, 100.0, End.FAILED),
    "integer": (Player, 3.0, 5.0, 3.0, End.SHUTDOWN),
    "integer with abnormal reason": (Sour, 3.0, 5.0, 3.0, End.FAILED),
    "expired integer": (Player, 100.0, 5.0, 5.0, End.SHUTDOWN),
}


async def begin_all(system: System, names: list[str]) -> Recorder:
    for name in names:
        kind, letting_go, shutdown, _, _ = STOPS[name]
        script = Script(letting_go=letting_go)
        await system.start_child("/pool", ChildSpec(name, partial(kind, script), shutdown=shutdown))
    return Recorder(system)


@pytest.mark.parametrize("one", [True, False], ids=["terminate_child", "terminate"])
@pytest.mark.parametrize("name", STOPS)
async def test_stops(name: str, *, one: bool, autojump_clock: MockClock) -> None:
    _, _, _, takes, how = STOPS[name]
    async with open_test_system(Supervisor(pool())) as system:
        recorder = await begin_all(system, [name])
        began = trio.current_time()
        await system.terminate_child(f"/pool/{name}" if one else "/pool")
        assert trio.current_time() == began + takes
        assert recorder.of(ChildExited, f"/pool/{name}")[0].end is how
        assert not recorder.of(BecameZombie)
        assert not recorder.of(RestartScheduled)


async def test_a_stop_of_all_kinds_together(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool())) as system:
        recorder = await begin_all(system, list(STOPS))
        began = trio.current_time()
        await system.terminate_child("/pool")
        assert trio.current_time() == began + 100
        ends = {event.path.rpartition("/")[2]: event.end for event in recorder.of(ChildExited)}
        assert ends == {name: how for name, (_, _, _, _, how) in STOPS.items()} | {"pool": End.SHUTDOWN}


async def test_a_permanent_child_that_leaves_while_all_stop_is_not_restarted(autojump_clock: MockClock) -> None:
    class Leaver(Player):
        async def stopping(self, reason: str) -> None:  # noqa: ARG002  # whatever it is
            self.context.stop()

    async with open_test_system(Supervisor(pool())) as system:
        await system.start_child("/pool", ChildSpec("a", partial(Leaver, Script())))
        ref = system.ref("/pool/a", Leaver)
        await ref.tell(Stick(seconds=1.0))
        await ref.tell(Leave())
        await trio.testing.wait_all_tasks_blocked()
        recorder = Recorder(system)
        await system.terminate_child("/pool")
        assert recorder.story == ["down /pool/a 1 shutdown", "down /pool 1 shutdown"]


async def test_a_child_that_is_being_restarted_can_be_terminated(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(pool(backoff=SLOW))) as system:
        await system.start_child("/pool", scripted("a", Script(Act.OK, Act.FAIL)))
        await crash(system, "/pool/a")
        began = trio.current_time()
        await system.terminate_child("/pool/a")
        assert trio.current_time() == began
        assert incarnations(system, "/pool") == {}
