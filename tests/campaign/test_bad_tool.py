"""The tools of bad rooms do what they are for, within their bounds, and can be found by their number."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import trio

from tests.campaign import bad_disks, bad_tool
from tests.campaign.bad_mind import command
from tests.campaign.bad_room import marked, within

MARK = 987_600_000 + os.getpid() % 10_000


def run(folder: Path, kind: str, *, seconds: float = 0.5, few: str = "pass") -> str:
    """Runs the tool in a process of its own, perhaps with smaller bounds; returns what it says."""
    argv = [
        sys.executable,
        "-c",
        f"from tests.campaign import bad_tool as t; {few}; t.main()",
        kind,
        str(MARK),
        f"{seconds}",
    ]
    root = Path(bad_tool.__file__).parents[2]
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, check=True, timeout=30
    )
    return done.stdout.decode()


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_storm_never_has_more_processes_than_it_may_and_ends_by_itself(tmp_path: Path) -> None:
    most = 0
    async with trio.open_nursery() as nursery:
        few = "t.CHAINS, t.LINK = 10, 0.05"
        running = trio.Event()

        async def storm() -> None:
            assert await trio.to_thread.run_sync(lambda: run(tmp_path, "storm", seconds=3.0, few=few)) == "10 chains\n"
            running.set()

        nursery.start_soon(storm)
        while not running.is_set():
            most = max(most, len(await trio.to_thread.run_sync(marked, MARK)))
            await trio.sleep(0.01)
    assert 5 <= most <= 2 * 10 + 2  # each link has its successor for a moment; and the one who began
    assert await within(10.0, lambda: not marked(MARK))


async def test_daemons_outlive_their_shell_in_four_ways_and_are_all_found(tmp_path: Path) -> None:
    assert run(tmp_path, "daemons") == "4 daemons\n"
    assert await within(10.0, lambda: all("sleep" in each.command() for each in marked(MARK)))
    found = marked(MARK)
    try:
        sessions = {os.getsid(each.pid) for each in found}
        environs = [environ(each.pid) for each in found]
        assert len(found) == 4
        assert len(sessions) == 4  # three of their own, and the one of whoever began
        assert sum(b"HOME=" not in environ for environ in environs) == 1
    finally:
        for each in found:
            os.kill(each.pid, signal.SIGKILL)
    assert await within(10.0, lambda: not marked(MARK))


def test_memory_is_eaten_up_to_its_bound(tmp_path: Path) -> None:
    assert run(tmp_path, "memory", few="t.MEMORY, t.STEP = 1 << 22, 1 << 20", seconds=0.1) == "4 MiB\n"


def test_a_small_disk_is_filled_and_a_large_one_is_not(tmp_path: Path) -> None:
    assert run(tmp_path, "fill", few="t.DISK = 1 << 20") == ""
    assert (tmp_path / "filler").stat().st_size == 1 << 20
    if bad_disks.way() is not None:
        disk = tmp_path / "disk"
        argv = bad_disks.with_disks(["sh", "-c", f"cd {disk} && {command('fill', MARK, 1.0)}"], {disk: 1 << 20})
        assert subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=30).stdout == b"ENOSPC\n"


def test_the_folder_it_runs_in_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    (folder / "deep").mkdir(parents=True)
    run(folder, "delete")
    assert not folder.exists()
