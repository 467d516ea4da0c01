"""What is found on this machine is true of it, and what is missing is said."""

import os
import subprocess
from pathlib import Path

import pytest

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
