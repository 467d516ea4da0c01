"""No process that an agent began outlives it, wherever it has put itself, as long as it kept its environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from actors.pi.containment import MARK, kill_all, kill_marked, marked, new_mark, processes
from actors.pi.process import LaunchSpec, launch

# A tool in a session of its own, and a daemon that two forks have cut loose.
BEGETTER = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "301"])
    os._exit(0)
os.wait()
print("ready", flush=True)
time.sleep(300)
"""


def spec(tmp_path: Path, program: str) -> LaunchSpec:
    return LaunchSpec(argv=(sys.executable, "-c", program), cwd=str(tmp_path), env={"PATH": os.environ["PATH"]})


def mark_of(pid: int) -> str:
    """The mark that a process carries."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    [value] = [entry for entry in entries if entry.startswith(MARK.encode() + b"=")]
    return value.partition(b"=")[2].decode()


async def test_what_left_the_process_group_goes_too(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        proc = await launch(spec(tmp_path, BEGETTER), nursery)
        assert await proc.read() == b"ready\n"
        mark = mark_of(proc.pid)
        with trio.fail_after(10):
            while len(list(marked(mark))) < 3:  # noqa: ASYNC110 - one that is just becoming a program has no environment
                await trio.sleep(0.01)
        proc.signal(signal.SIGKILL)  # as the kernel would when memory runs out
        await proc.wait()
        with trio.fail_after(5):
            while list(marked(mark)):  # noqa: ASYNC110 - killed, and seen until the kernel has cleared them away
                await trio.sleep(0.01)
        await proc.stop(1.0)


async def test_others_are_left_alone(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        one = await launch(spec(tmp_path, "import time; time.sleep(300)"), nursery)
        other = await launch(spec(tmp_path, "import time; print('ready', flush=True); time.sleep(300)"), nursery)
        await other.read()
        await one.stop(1.0)
        assert list(marked(mark_of(other.pid))) == [other.pid]
        await other.stop(1.0)


def test_nobody_carries_a_new_mark() -> None:
    assert kill_marked(new_mark()) == 0


def test_a_mark_is_a_whole_variable() -> None:
    mark = new_mark()
    longer = {MARK: mark + "0", "X" + MARK: mark}
    with subprocess.Popen(["sleep", "300"], env=os.environ | longer) as bystander:
        try:
            assert kill_marked(mark) == 0
        finally:
            bystander.kill()


def test_each_is_stopped_as_soon_as_it_is_seen() -> None:
    """Or what forks and ends would be somebody else before all are counted."""
    seen: list[str] = []
    with subprocess.Popen(["sleep", "300"]) as first, subprocess.Popen(["sleep", "300"]) as second:

        def state(pid: int) -> str:
            deadline = time.monotonic() + 5
            while (found := processes()[pid][0]) != "T" and time.monotonic() < deadline:
                time.sleep(0.001)
            return found

        def find() -> Iterator[int]:
            for child in (first, second):
                if child.poll() is None:
                    yield child.pid
                    if len(seen) < 2:
                        seen.append(state(child.pid))

        assert kill_all(find) == 2
        assert (first.wait(), second.wait()) == (-signal.SIGKILL, -signal.SIGKILL)
    assert seen == ["T", "T"]
