"""What is found on this machine is true of it, and what is missing is said."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from actors.pi.containment import begotten, processes
from actors.pi.ladder import Limits, Probed, Rung, choose, command
from actors.pi.probe import probe


def test_what_it_finds_works() -> None:
    found = probe()
    if found.cgroup is not None:
        assert (Path(found.cgroup) / "cgroup.procs").exists()
        assert not list(Path(found.cgroup).glob("agents-trial-*"))
    if found.namespace is not None:
        done = subprocess.run(
            [*found.namespace, "/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "1\n"


def test_who_kills_the_way_into_a_namespace_kills_all_that_is_in_it() -> None:
    namespace = probe().namespace
    if namespace is None:
        pytest.skip("this machine gives us no namespace")
    # The answer comes from within, by a process that nobody there waits for.
    argv = [*namespace, "/bin/sh", "-c", "setsid sleep 300 & echo up; exec sleep 300"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd="/") as way:
        assert way.stdout is not None
        assert way.stdout.readline() == b"up\n"
        inside = set(begotten([way.pid])) - {way.pid}
        try:
            assert len(inside) == 2
            way.kill()
            deadline = time.monotonic() + 10
            while inside & processes().keys() and time.monotonic() < deadline:
                time.sleep(0.01)
            left = {pid for pid in inside & processes().keys() if processes()[pid][0] not in "ZX"}
        finally:
            for pid in inside & processes().keys():
                os.kill(pid, signal.SIGKILL)
    assert left == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_users_namespace_has_a_count_of_its_own() -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    namespace = ("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
    if subprocess.run([*nobody, *namespace, "true"], capture_output=True, check=False, cwd="/").returncode != 0:
        pytest.skip("an ordinary user gets no namespace here")
    storm = ("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 300 & done; kill -9 -1")
    found = Probed(namespace=namespace, counts_processes=True)
    for limit, refused in ((5, True), (100, False)):
        argv = [*nobody, *command(found, storm, limits=Limits(processes=limit))]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", timeout=30)
        assert ("Cannot fork" in done.stderr) == refused, done.stderr


def test_where_there_is_nothing_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("actors.pi.cgroup.usable", lambda own: f"{own} is another's")
    found = probe()
    assert choose(found) is Rung.MARKS
    assert found.no_cgroup.endswith("is another's") or found.no_cgroup == "this system has no cgroup v2"
    assert found.no_namespace.startswith("unshare")


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unshare = tmp_path / "unshare"
    unshare.write_text("#!/bin/sh\nexec /bin/sleep 300\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("actors.pi.probe.TRIAL_DEADLINE", 0.1)
    assert probe().namespace is None
