"""Who holds a session: real processes, and notes of such as are gone."""

import os
import subprocess
from pathlib import Path

import pytest
import trio

from actors.pi import claim, process
from actors.pi.errors import LaunchFailed
from actors.pi.process import LaunchSpec, launch


@pytest.fixture
def note(tmp_path: Path) -> str:
    return str(tmp_path / "pi.pid")


def spec(note: str) -> LaunchSpec:
    return LaunchSpec(argv=("/bin/cat",), cwd="/", env={}, claim=note)


async def test_what_nobody_noted_is_free(note: str) -> None:
    assert await claim.wait_until_free(note, 0.0) is None


async def test_a_living_process_holds_it_until_its_end(note: str, nursery: trio.Nursery) -> None:
    holder = await launch(spec(note), nursery)
    assert await claim.wait_until_free(note, 0.05) == holder.pid
    free = trio.Event()

    async def wait() -> None:
        assert await claim.wait_until_free(note, 10.0) is None
        free.set()

    nursery.start_soon(wait)
    await trio.sleep(0.05)
    assert not free.is_set()
    await holder.stop(3.0)
    await free.wait()


async def test_a_pid_that_is_used_again_holds_nothing(note: str) -> None:
    await claim.take(note, os.getpid())
    assert await claim.wait_until_free(note, 0.0) == os.getpid()
    pid, born = Path(note).read_text().split()  # noqa: ASYNC240
    Path(note).write_text(f"{pid} {int(born) - 1}")  # noqa: ASYNC240
    assert await claim.wait_until_free(note, 0.0) is None


async def test_a_dead_process_that_nobody_has_buried_holds_nothing(note: str) -> None:
    dead = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)  # noqa: ASYNC220 - trio would bury it
    await claim.take(note, dead.pid)
    assert await claim.wait_until_free(note, 0.0) == dead.pid
    dead.kill()
    with dead:
        assert await claim.wait_until_free(note, 5.0) is None


@pytest.mark.parametrize("torn", ["", "12", "12 ", "x y\n", "-1 5", "1 2 3"])
async def test_a_torn_note_holds_nothing(note: str, torn: str) -> None:
    Path(note).write_text(torn)  # noqa: ASYNC240
    assert await claim.wait_until_free(note, 0.0) is None


async def test_a_launch_waits_for_it_and_then_says_who_holds_it(
    note: str, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CLAIM_PATIENCE", 0.05)
    first = await launch(spec(note), nursery)
    with pytest.raises(LaunchFailed, match=f"process {first.pid} still works there; end it"):
        await launch(spec(note), nursery)
    await first.stop(3.0)
    second = await launch(spec(note), nursery)
    assert await claim.wait_until_free(note, 0.0) == second.pid
    await second.stop(3.0)


async def test_a_note_that_cannot_be_written_leaves_no_process(tmp_path: Path, nursery: trio.Nursery) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LaunchFailed, match="it cannot be written"):
        await launch(spec(str(tmp_path / "nowhere/pi.pid")), nursery)
    assert len(os.listdir("/proc/self/fd")) == before
    (tmp_path / "folder").mkdir()
    with pytest.raises(LaunchFailed, match="it cannot be read"):
        await launch(spec(str(tmp_path / "folder")), nursery)
