"""Cgroups as folders: on a folder that only looks like one, and where the machine has them, on real ones.

A folder of files keeps what is written and does nothing; so the order of what is written, and what is said of it, are
seen there, and the killing in the real tree.
"""

import os
import subprocess
from pathlib import Path

import pytest

from actors.pi import cgroup
from actors.pi.ladder import MIB, Limits
from actors.pi.probe import probe

OWN = probe().cgroup


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """As systemd makes it for a unit with Delegate=yes."""
    for name, text in {
        "cgroup.controllers": "cpu memory pids\n",
        "cgroup.subtree_control": "",
        "cgroup.procs": "",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def limited(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_a_runs_folder_gives_its_agents_the_controllers_that_limit(own: Path) -> None:
    folder, _ = cgroup.prepare(own, "agents-a-1")
    assert folder == own / "agents-a-1"
    assert set((own / "cgroup.subtree_control").read_text().split()) == {"+memory", "+pids"}
    assert cgroup.controllers(own) == {"memory", "pids"}


def test_the_same_folder_twice_is_an_error(own: Path) -> None:
    cgroup.prepare(own, "agents-a-1")
    with pytest.raises(FileExistsError):
        cgroup.prepare(own, "agents-a-1")


def test_limits_are_written_where_there_is_a_controller(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["memory.max", "memory.swap.max", "memory.oom.group", "pids.max"]
    made = Path.mkdir

    def as_the_kernel_does(folder: Path) -> None:
        made(folder)
        for name in files:
            (folder / name).touch()

    monkeypatch.setattr(Path, "mkdir", as_the_kernel_does)
    cgroup.make(own / "den", Limits(memory=64 * MIB, processes=100))
    assert limited(own / "den") == {
        "memory.max": str(64 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "100",
    }
    cgroup.make(own / "free", Limits())
    assert set(limited(own / "free").values()) == {""}
    files.clear()
    cgroup.make(own / "bare", Limits(memory=64 * MIB, processes=100))
    assert limited(own / "bare") == {}


def test_an_end_for_want_of_memory_is_read(own: Path) -> None:
    assert not cgroup.ran_out_of_memory(own)
    (own / "memory.events").write_text("oom 1\noom_kill 0\n")
    assert not cgroup.ran_out_of_memory(own)
    (own / "memory.events").write_text("oom 1\noom_kill 2\n")
    assert cgroup.ran_out_of_memory(own)


def test_what_cannot_be_removed_is_said(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "KILL_PATIENCE", 0.02)
    (own / "den").mkdir()
    (own / "den/cgroup.kill").touch()
    assert not cgroup.end(own / "den")  # the file stays, as one does in whose cgroup somebody cannot die
    assert (own / "den/cgroup.kill").read_text() == "1"
    assert cgroup.end(own / "nowhere")


def test_a_place_that_may_not_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    said = cgroup.usable(tmp_path / "nowhere")
    assert said is not None
    assert "Delegate=yes" in said
    assert cgroup.usable(tmp_path) == "the kernel is older than 5.14 and has no cgroup.kill"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(OWN is None, reason="this machine gives us no cgroup")
def test_in_a_real_one_all_are_killed_and_the_folders_are_gone() -> None:
    assert OWN is not None
    folder = Path(OWN) / f"agents-test{os.getpid()}"
    cgroup.make(folder, Limits())
    cgroup.make(folder / "inner", Limits())
    enter = f"echo 0 >{folder}/inner/cgroup.procs && exec sleep 300"
    with subprocess.Popen(["/bin/sh", "-c", f"echo 0 >{folder}/cgroup.procs; sleep 300 & {enter}"]) as process:
        while str(process.pid) not in (folder / "inner/cgroup.procs").read_text().split():
            assert process.poll() is None
        assert cgroup.sweep(Path(OWN), folder.name)
        assert process.wait() == -9
    assert not folder.exists()
