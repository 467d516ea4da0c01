"""Nothing that an agent began outlives it, on each rung that this machine has, with agents that try."""

import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import msgspec
import pytest
import trio

from actors.pi import cgroup
from actors.pi.cages import Cages
from actors.pi.errors import LaunchFailed
from actors.pi.ladder import MIB, Limits, Probed, Rung
from actors.pi.probe import probe
from actors.pi.process import Exited, LaunchSpec, launch
from tests.actors.pi import hostile
from tests.actors.pi.hostile import RUNGS, agent, alive, until
from tests.actors.pi.little_service import at_most

on_each_rung = pytest.mark.parametrize("rung", RUNGS)


@on_each_rung
@pytest.mark.parametrize(("how", "ends"), [("kill", "killed by SIGKILL"), ("stop", "killed by SIGTERM")])
def test_nothing_outlives_an_agent(tmp_path: Path, rung: Rung, how: str, ends: str) -> None:
    with agent(tmp_path, rung, hostile.EVERY_WAY) as bad:
        until(bad.token, 5)
        # A shell tells the end by SIGTERM as this code, and pi, which handles it, as the same.
        assert bad.told(how) == (ends if rung is not Rung.NAMESPACE or how == "kill" else "exit code 143")
        assert alive(bad.token) == []


@on_each_rung
def test_a_service_that_ends_in_order_leaves_nothing_of_its_own(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.EVERY_WAY) as bad:
        bad.told("stop")
        bad.leave()
        assert not Path(f"/proc/{bad.keeper}").exists()


@on_each_rung
def test_not_even_what_cleared_its_environment_and_was_cut_loose(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.CLEARED_AND_CUT_LOOSE) as bad:
        until(bad.token, 1)
        bad.told("kill")
        assert alive(bad.token) == []


@on_each_rung
def test_a_storm_of_forks_is_over_with_its_agent(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.FORK_STORM) as bad:
        until(bad.token, 300)
        bad.told("kill")
        assert alive(bad.token) == []


@on_each_rung
def test_those_that_fork_and_end_for_ever_are_caught_up_with(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.FORKS_FOR_EVER) as bad:
        bad.told("kill")
        for _ in range(20):  # one look may miss what lives for a millisecond
            assert alive(bad.program) == []


@on_each_rung
@pytest.mark.parametrize("program", [hostile.EVERY_WAY, hostile.DEAF])
def test_a_killed_service_takes_all_with_it(tmp_path: Path, rung: Rung, program: str) -> None:
    with agent(tmp_path, rung, program) as bad:
        bad.kill_service()
        until(bad.token, 0)
        until(bad.program, 0)


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung is not Rung.MARKS])
def test_a_killed_service_takes_even_that_which_cleared_its_environment(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.CLEARED_AND_CUT_LOOSE) as bad:
        until(bad.token, 1)
        bad.kill_service()
        until(bad.token, 0)


@on_each_rung
def test_what_outlived_service_and_keeper_goes_at_the_next_start_and_nothing_else(tmp_path: Path, rung: Rung) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        agent(tmp_path / "one", rung, hostile.EVERY_WAY) as bad,
        agent(tmp_path / "other", rung, hostile.DEAF) as other,
    ):
        until(bad.token, 5)
        os.kill(bad.keeper, SIGKILL)
        bad.kill_service()
        assert alive(bad.token)
        found = msgspec.structs.replace(at_most(rung, probe()), subreaper=False)  # which the tests' process must not be
        Cages.open(tmp_path / "one/state", found).close()
        assert alive(bad.token) == alive(bad.program) == []
        assert len(alive(other.token)) == 1


@pytest.fixture
def namespaces(tmp_path: Path) -> Iterator[Cages]:
    found = at_most(Rung.NAMESPACE, probe())
    if found.namespace is None:
        pytest.skip("this machine gives us no pid namespace")
    cages = Cages.open(tmp_path, found)
    yield cages
    cages.close()


def shell(script: str, **more: object) -> LaunchSpec:
    return LaunchSpec(argv=("/bin/sh", "-c", script), cwd="/", env={"PATH": "/usr/bin:/bin"}, **more)  # type: ignore[arg-type]


async def test_in_a_namespace_an_agent_is_known_by_its_own_pid(namespaces: Cages, nursery: trio.Nursery) -> None:
    proc = await launch(shell("echo $$; exec sleep 300"), nursery, cages=namespaces)
    assert await proc.read() == b"2\n"
    status = await trio.Path(f"/proc/{proc.pid}/status").read_text()
    assert f"NSpid:\t{proc.pid}\t2\n" in status
    os.kill(proc.pid, SIGKILL)  # as one who has found it with ps
    assert await proc.wait() == Exited(None, SIGKILL)
    assert proc.stderr_tail() == ""  # the shell before it has nothing to say


async def test_in_a_namespace_the_orderly_end_reaches_the_agent(namespaces: Cages, nursery: trio.Nursery) -> None:
    script = "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.02; done"
    proc = await launch(shell(script), nursery, cages=namespaces)
    assert await proc.read() == b"up\n"
    proc.signal(SIGTERM)
    assert await proc.wait() == Exited(9, None)
    assert await proc.read() == b"bye\n"


async def test_in_a_namespace_one_that_cannot_even_start_is_given_back(
    namespaces: Cages, tmp_path: Path, nursery: trio.Nursery
) -> None:
    (tmp_path / "agent").write_text("no program")
    with pytest.raises(LaunchFailed):
        await launch(LaunchSpec(argv=(str(tmp_path / "agent"),), cwd="/", env={}), nursery, cages=namespaces)
    proc = await launch(shell("exit 3"), nursery, cages=namespaces)
    assert await proc.stop(1.0) == Exited(3, None)


async def test_an_end_for_want_of_memory_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    monkeypatch.setattr(cgroup, "KILL_PATIENCE", 0.0)  # plain files, which stay
    cages = Cages(Probed(cgroup=str(tmp_path)), folder=tmp_path)
    script = f"echo oom_kill 1 >$(echo {tmp_path}/den-*)/memory.events; kill -KILL $$"
    proc = await launch(shell(script, name="den"), nursery, cages=cages)
    exited = await proc.wait()
    assert exited == Exited(None, SIGKILL, out_of_memory=True)
    assert str(exited) == "killed by SIGKILL, out of memory: it used more than it may"
    [folder] = await trio.Path(tmp_path).iterdir()
    assert await (folder / "cgroup.procs").read_text() == "0\n"  # it went in itself, before it began


async def test_a_cgroup_that_cannot_be_made_is_named(tmp_path: Path, nursery: trio.Nursery) -> None:
    cages = Cages(Probed(cgroup=str(tmp_path)), folder=tmp_path / "nowhere")
    with pytest.raises(LaunchFailed, match="the agent's cgroup cannot be made"):
        await launch(shell("exit 0", limits=Limits(memory=MIB)), nursery, cages=cages)


async def test_a_group_that_cannot_be_entered_starts_no_agent(tmp_path: Path, nursery: trio.Nursery) -> None:
    cages = Cages(Probed(cgroup=str(tmp_path)), folder=tmp_path)
    made = cgroup.make

    def blocked(folder: Path, limits: Limits) -> None:
        made(folder, limits)
        (folder / "cgroup.procs").mkdir()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cgroup, "make", blocked)
        proc = await launch(shell("echo out of its cage"), nursery, cages=cages)
    assert await proc.read() is None
    assert (await proc.stop(1.0)).code not in (0, None)
    assert "cgroup.procs" in proc.stderr_tail()


def test_the_words_for_people_name_the_rung(tmp_path: Path) -> None:
    assert Cages().describe().startswith("Agents' processes are found by a mark")
    cages = Cages.open(tmp_path, Probed())
    assert cages.keeper is not None
    cages.close()
    assert not os.path.exists(f"/proc/{cages.keeper}")


def test_without_a_keeper_it_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    cages = Cages.open(tmp_path, Probed())
    assert cages.keeper is None
    assert "only at its next start" in caplog.text
    cages.close()
