"""The kernel's count of ends for want of memory, and what it makes of an end: brought about in a group of our own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
import trio

from actors.pi import process, shortage
from actors.pi.process import Exited, LaunchSpec, launch
from actors.pi.shortage import kills

LIMIT = 64 * 1024 * 1024
EATS = f"import sys; sys.stdin.readline(); x = bytearray({3 * LIMIT}); x[::4096] = b'x' * len(x[::4096]); print('fed')"


def memory_group() -> Path | None:
    """Where a group with a limit can be made here, under either version of cgroups."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup") if controllers in ("memory", "") else ():
            folder = Path(root + place)
            if _gives_limits(folder):
                return folder
    return None


def _gives_limits(folder: Path) -> bool:
    trial = folder / f"dispatchd-trial-{os.getpid()}"
    try:
        trial.mkdir()
    except OSError:
        return False
    try:
        return any((trial / name).exists() for name in ("memory.limit_in_bytes", "memory.max"))
    finally:
        trial.rmdir()


@pytest.fixture
def group() -> Iterator[Path]:
    own = memory_group()
    if own is None:
        pytest.skip("this machine gives us no group with a memory limit")
    folder = own / f"dispatchd-test-{os.getpid()}"
    folder.mkdir()
    for name in ("memory.limit_in_bytes", "memory.max"):
        if (folder / name).exists():
            (folder / name).write_text(str(LIMIT))
    yield folder
    folder.rmdir()


def spec(*argv: str) -> LaunchSpec:
    return LaunchSpec(argv=argv, cwd="/", env={"PATH": os.environ["PATH"]})


def entering(group: Path, code: str) -> LaunchSpec:
    enter = f'echo 0 >"{group}/cgroup.procs" && exec "$@"'
    return spec("/bin/sh", "-c", enter, "sh", sys.executable, "-S", "-c", code)


@pytest.mark.parametrize(
    ("text", "count"), [("nr_free_pages 7\noom_kill 12\n", 12), ("oom_kill_x 3\n", None), ("oom_kill many\n", None)]
)
def test_the_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int | None) -> None:
    (tmp_path / "vmstat").write_text(text)
    monkeypatch.setattr(shortage, "_COUNTS", tmp_path / "vmstat")
    assert kills() == count


def test_where_there_is_none_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "_COUNTS", tmp_path / "nowhere")
    assert kills() is None


async def test_an_end_by_the_kernel_for_want_of_memory_is_named(group: Path, nursery: trio.Nursery) -> None:
    before = kills()
    proc = await launch(entering(group, EATS), nursery)
    await proc.write(b"\n")
    exited = await proc.wait()
    await proc.stop(1.0)
    assert before is not None
    assert (kills() or 0) > before
    assert exited == Exited(None, SIGKILL, shortage=True)
    assert str(exited).startswith("killed by SIGKILL, most likely out of memory")


async def test_what_was_killed_long_before_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    counts = iter([3, *[4] * 1000])
    monkeypatch.setattr(shortage, "kills", lambda: next(counts))
    monkeypatch.setattr(process, "SHORTAGE_WITHIN", 0.01)
    proc = await launch(spec("/bin/sleep", "300"), nursery)
    await trio.sleep(0.3)
    os.kill(proc.pid, SIGKILL)
    assert await proc.wait() == Exited(None, SIGKILL)
    await proc.stop(1.0)


@pytest.mark.parametrize("way", ["stop", "signal", "exit"])
async def test_what_we_kill_or_what_ends_itself_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery, way: str
) -> None:
    counts = iter(range(1000))
    monkeypatch.setattr(shortage, "kills", lambda: next(counts))
    script = "exit 9" if way == "exit" else "trap '' TERM; echo up; while :; do sleep 0.05; done"
    proc = await launch(spec("/bin/sh", "-c", script), nursery)
    await proc.read()
    if way == "signal":
        proc.signal(SIGKILL)
    exited = await (proc.stop(0.3) if way == "stop" else proc.wait())
    assert exited == (Exited(9, None) if way == "exit" else Exited(None, SIGKILL))
    await proc.stop(1.0)
