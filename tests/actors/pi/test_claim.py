"""Who holds a session: real processes, a service that is killed at any moment, and files that say something else."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL

import msgspec
import pytest
import trio

from actors.pi import claim, process
from actors.pi.cages import Cages
from actors.pi.errors import LaunchFailed
from actors.pi.ladder import Rung
from actors.pi.probe import probe
from actors.pi.process import LaunchSpec, Proc, launch
from tests.actors.pi.bench import processes
from tests.actors.pi.hostile import RUNGS
from tests.actors.pi.little_service import at_most
from tests.contracts.pi_rig import node

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 10.0


@pytest.fixture
def note(tmp_path: Path) -> str:
    return str(tmp_path / "pi.pid")


def spec(note: str, *argv: str) -> LaunchSpec:
    return LaunchSpec(argv=argv or ("/bin/cat",), cwd="/", env={}, claim=note)


async def holder(note: str) -> str | None:
    """Who is said to hold it; None if nobody does."""
    try:
        taken = await claim.take(note, 0.0)
    except LaunchFailed as error:
        return error.why
    taken.close()
    return None


def held_by(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    return f"process {pid} ({name}) still works there; end it and write /restart"


@asynccontextmanager
async def started(spec: LaunchSpec, cages: Cages | None = None) -> AsyncIterator[Proc]:
    async with trio.open_nursery() as nursery:
        proc = await launch(spec, nursery, cages=cages or Cages())
        yield proc
        await proc.stop(3.0)


async def test_what_nobody_holds_is_free_and_is_let_go_of(note: str) -> None:
    assert await holder(note) is None
    assert await holder(note) is None
    assert Path(note).stat().st_mode & 0o777 == 0o600  # noqa: ASYNC240


async def test_a_process_holds_it_until_its_end(note: str) -> None:
    async with started(spec(note)) as proc:
        assert await holder(note) == held_by(proc.pid)
        free = trio.Event()

        async def wait() -> None:
            (await claim.take(note, PATIENCE)).close()
            free.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(0.05)
            assert not free.is_set()
            await proc.stop(3.0)
            await free.wait()


@pytest.fixture(params=RUNGS)
def cages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cages]:
    probed = msgspec.structs.replace(at_most(Rung(request.param), probe()), subreaper=False)  # not of these tests
    opened = Cages.open(tmp_path, probed)
    yield opened
    opened.close()


async def test_in_a_cage_too(note: str, cages: Cages) -> None:
    async with started(spec(note), cages) as proc:
        await proc.write(b"ping\n")
        assert await proc.read() == b"ping\n"  # it is in there
        assert await holder(note) == held_by(proc.pid)
        proc.signal(SIGKILL)
        await proc.wait()
        (await claim.take(note, PATIENCE)).close()  # what was killed in there may take a moment to die


async def test_of_two_that_start_at_once_one_is_first(note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CLAIM_PATIENCE", 0.1)
    ended: list[Proc | LaunchFailed] = []

    async def start(nursery: trio.Nursery) -> None:
        try:
            ended.append(await launch(spec(note), nursery))
        except LaunchFailed as error:
            ended.append(error)

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as starting:
            for _ in range(5):
                starting.start_soon(start, nursery)
        (first,) = (each for each in ended if isinstance(each, Proc))
        others = [each.why for each in ended if isinstance(each, LaunchFailed)]
        assert others == [held_by(first.pid)] * 4
        await first.stop(3.0)


async def test_a_launch_that_fails_holds_nothing(note: str, nursery: trio.Nursery) -> None:
    before = len(os.listdir("/proc/self/fd"))
    claim.set_number_aside()
    for argv in (("/bin/nowhere",), ("/etc/passwd",)):
        with pytest.raises(LaunchFailed):
            await launch(spec(note, *argv), nursery)
        assert await holder(note) is None
    with trio.move_on_after(0.0):
        await launch(spec(note), nursery)
    assert await holder(note) is None
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_where_no_file_can_be_opened_the_lock_does_not_stay_with_us(
    note: str, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim.set_number_aside()
    opened = os.open

    def open_none(path: str, *more: int) -> int:
        if path == os.devnull:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, *more)

    with monkeypatch.context() as crowded:
        crowded.setattr(os, "open", open_none)
        with pytest.raises(LaunchFailed, match="Too many open files"):
            await launch(spec(note), nursery)
    assert await holder(note) is None


# --- a service that is killed


@contextmanager
def service(note: str, token: str, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """One that starts a process: one that does not mind that its input ends. `token`: the seconds of all sleeps."""
    argv = [sys.executable, "-m", "tests.actors.pi.claimant", note, *(command or ("/bin/sleep", token))]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()
            for pid in processes(f"/bin/sleep\0{token}"):
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGKILL)


async def test_an_orphan_holds_it_until_its_own_end(note: str) -> None:
    with service(note, "3333.25") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        orphan = int(running.stdout.readline())
        running.kill()
        running.wait()
        assert await holder(note) == held_by(orphan)
        os.kill(orphan, SIGKILL)
        (await claim.take(note, PATIENCE)).close()


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 6, 9, 13, 20])
async def test_whenever_it_is_killed_nobody_comes_beside_a_living_orphan(note: str, milliseconds: int) -> None:
    token = f"4444.{milliseconds:03}"
    with service(note, token) as running:
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(milliseconds / 1000)  # noqa: ASYNC251 - as exact as can be
        running.kill()
        running.wait()
        free = await holder(note) is None
        # Either nothing was started, or what was holds it.
        assert not (free and processes(f"/bin/sleep\0{token}"))


LEAVES_A_SERVER = """
const [file, seconds] = process.argv.slice(1);
const server = require("child_process").spawn("/bin/sleep", [seconds], {detached: true, stdio: "ignore", env: {}});
require("fs").writeFileSync(file, String(server.pid));
server.unref();
process.stdin.resume();
"""


async def test_what_node_leaves_in_the_background_holds_nothing(note: str, tmp_path: Path) -> None:
    file = tmp_path / "server"
    with service(note, "5555", str(node()), "-e", LEAVES_A_SERVER, str(file), "5555") as running:
        with trio.fail_after(PATIENCE):
            while not (file.exists() and file.read_text()):  # noqa: ASYNC110 - nobody tells us
                await trio.sleep(0.01)
        assert await holder(note) is not None
        running.kill()
        running.wait()
        (await claim.take(note, PATIENCE)).close()
        os.kill(int(file.read_text()), 0)  # the server lives


HANDS_IT_ON = LEAVES_A_SERVER.replace('stdio: "ignore"', 'stdio: ["ignore", "ignore", "ignore", 8]')


async def test_what_was_given_the_lock_on_purpose_holds_it_and_is_named(note: str, tmp_path: Path) -> None:
    file = tmp_path / "server"
    with service(note, "6666", str(node()), "-e", HANDS_IT_ON, str(file), "6666") as running:
        with trio.fail_after(PATIENCE):
            while not (file.exists() and file.read_text()):  # noqa: ASYNC110 - nobody tells us
                await trio.sleep(0.01)
        assert running.stdout is not None
        running.stdout.readline()
        pi = int(running.stdout.readline())
        assert await holder(note) == held_by(pi)
        running.kill()
        running.wait()
        with trio.fail_after(PATIENCE):
            while Path(f"/proc/{pi}").exists():  # noqa: ASYNC110, ASYNC240
                await trio.sleep(0.01)
        server = int(file.read_text())
        assert await holder(note) == held_by(server), "and not the one that has ended, whose number is noted"
        os.kill(server, SIGKILL)
        (await claim.take(note, PATIENCE)).close()


# --- files that say something else


@pytest.mark.parametrize("words", ["", "12", "x y\n", "-1 5", "\0" * 100, f"{os.getpid()}\n", f"{os.getpid()} 17\n"])
async def test_what_is_written_there_holds_nothing(note: str, words: str) -> None:
    Path(note).write_text(words)  # noqa: ASYNC240
    assert await holder(note) is None


async def test_a_note_that_cannot_be_written_is_only_a_note(note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    async with started(spec(note)) as proc:
        assert await holder(note) == held_by(proc.pid), "it is looked for, not believed"


async def test_a_place_where_there_can_be_no_lock_is_named(tmp_path: Path, nursery: trio.Nursery) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for place in ("nowhere/pi.pid", "folder", "link"):
        with pytest.raises(LaunchFailed, match=f"cannot start {tmp_path}/{place}: it cannot be opened"):
            await launch(spec(str(tmp_path / place)), nursery)
    assert not (tmp_path / "elsewhere").exists()
