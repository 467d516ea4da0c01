"""OTP's cases 29 to 39: which ends of which child are followed by a restart, and what becomes of the others."""

import pytest
import trio.testing
from trio.testing import MockClock

from supervisor import AdminRefused, ChildSpec, Restart, StartFailed, State, Supervisor
from supervisor.events import ChildStarted
from supervisor.testing import Act, Recorder, Script, Scripted, open_test_system, scripted
from tests.supervisor.conformance import Way, at_once, counts, end, incarnations, mortal

RESTARTED = {
    (Restart.PERMANENT, Way.NORMAL),
    (Restart.PERMANENT, Way.SHUTDOWN),
    (Restart.PERMANENT, Way.FAILED),
    (Restart.TRANSIENT, Way.FAILED),
}


async def test_29_each_start_is_told_once_to_those_who_listen(autojump_clock: MockClock) -> None:
    async with open_test_system(at_once(scripted("a"))) as system:
        recorder = Recorder(system)
        await end(system, "/a", Way.FAILED)
        await system.terminate_child("/a")
        await system.restart_child("/a")
        await system.start_child("/", scripted("b"))
        await trio.testing.wait_all_tasks_blocked()
        told = [(event.path, event.incarnation) for event in recorder.of(ChildStarted)]
        assert told == [("/a", 2), ("/a", 3), ("/b", 1)]


@pytest.mark.parametrize(
    ("restart", "way"),
    [
        (Restart.PERMANENT, Way.NORMAL),
        (Restart.TRANSIENT, Way.NORMAL),
        (Restart.TEMPORARY, Way.NORMAL),
        (Restart.PERMANENT, Way.SHUTDOWN),
        (Restart.TRANSIENT, Way.SHUTDOWN),
        (Restart.TEMPORARY, Way.SHUTDOWN),
        (Restart.PERMANENT, Way.FAILED),
        (Restart.TRANSIENT, Way.FAILED),
        (Restart.TEMPORARY, Way.FAILED),
    ],
    ids=["30", "31", "32", "33", "34", "35", "37", "38", "39"],
)
async def test_30_to_39_restart_types(restart: Restart, way: Way, autojump_clock: MockClock) -> None:
    child = mortal("a", way, restart=restart)
    async with open_test_system(at_once(child)) as system:
        await end(system, "/a", way)
        if (restart, way) in RESTARTED:
            assert incarnations(system) == {"a": 2}
            assert system.snapshot("/a").state is State.RUNNING
        elif restart is Restart.TEMPORARY:
            assert counts(system) == [0, 0, 0, 0]
            await system.start_child("/", child)  # its id is free
            assert incarnations(system) == {"a": 1}
        else:
            assert counts(system)[:2] == [1, 0]
            assert system.snapshot("/a").state is State.STOPPED
            assert system.snapshot("/a").error is None
            with pytest.raises(AdminRefused, match="already"):
                await system.start_child("/", child)
            await system.restart_child("/a")
            assert incarnations(system) == {"a": 2}


async def test_36_a_first_start_that_fails_says_where_all_the_way_up() -> None:
    below = Supervisor(scripted("x", Script(Act.FAIL)))
    with pytest.raises(StartFailed) as caught:
        async with open_test_system(Supervisor(scripted("a"), ChildSpec("sup", below))):
            pass
    assert caught.value.path == "/sup"
    assert isinstance(caught.value.reason, StartFailed)
    assert caught.value.reason.path == "/sup/x"
    assert isinstance(caught.value.reason.reason, Scripted)
    assert str(caught.value) == "/sup: could not start: /sup/x: could not start: cannot start"
