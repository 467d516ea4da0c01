"""What processes hold: of real ones, and of trees as tables."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.processes import Process, memory_of, own_processes


@contextmanager
def family() -> Iterator[int]:
    """The pid of a shell that has a child."""
    shell = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 60 & echo $!; read line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert shell.stdout is not None
    child = int(shell.stdout.readline())
    try:
        yield shell.pid
    finally:
        os.kill(child, 9)
        shell.kill()
        shell.communicate()


def test_the_memory_of_a_process_is_also_that_of_its_children() -> None:
    with family() as pid:
        processes = own_processes()
        held = memory_of(pid, processes)

    assert held is not None
    assert held > processes[pid].memory > 0


def test_processes_of_others_and_what_is_none_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_bytes(b"7 (a) b) S 1 " + b"0 " * 19 + b"3 0 0")
    (tmp_path / "8").mkdir()  # has just ended
    (tmp_path / "self").mkdir()

    assert own_processes(tmp_path) == {7: Process(parent=1, memory=3 * os.sysconf("SC_PAGE_SIZE"))}
    assert os.geteuid() == 0 or 1 not in own_processes()


def test_a_ring_of_processes_ends() -> None:
    ring = {1: Process(parent=2, memory=10), 2: Process(parent=1, memory=5), 3: Process(parent=9, memory=1)}

    assert (memory_of(1, ring), memory_of(3, ring), memory_of(4, ring)) == (15, 1, None)


def test_what_an_agent_left_behind_in_its_namespace_is_counted() -> None:
    here = os.getpid()
    processes = {
        here: Process(parent=1, memory=1000),
        2: Process(parent=here, memory=1),  # the first of the namespace
        3: Process(parent=2, memory=10),  # the agent
        4: Process(parent=3, memory=100),
        5: Process(parent=2, memory=1000),  # left behind
        6: Process(parent=here, memory=10_000),
    }

    assert memory_of(3, processes) == 1111
    assert memory_of(6, processes) == 10_000
