"""The door: real child processes, how they are fed, read, stopped, and that nothing of them stays.

The children are one-line Python and shell programs, so the clock is the real one; no test waits for a fixed time.
"""

import os
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1

import pytest
import trio
import trio.testing

from actors.pi.errors import LaunchFailed, ProcessGone
from actors.pi.process import STDERR_TAIL, Exited, LaunchSpec, Proc, launch
from actors.redaction import forget_all, remember
from actors.settings import Secret

SH = "/bin/sh"
DEAF = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def spec(*argv: str, **more: object) -> LaunchSpec:
    fields = {"argv": argv, "cwd": "/", "env": {"PATH": os.environ["PATH"]}} | more
    return LaunchSpec(**fields)  # type: ignore[arg-type]


def python(code: str) -> LaunchSpec:
    return spec(sys.executable, "-S", "-c", code)


async def read_all(proc: Proc) -> bytes:
    read = b""
    while (chunk := await proc.read()) is not None:
        read += chunk
    return read


def alive(group: int) -> list[int]:
    """The processes of a group that are not dead."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX" and int(fields[2]) == group:
                found.append(int(entry.name))
    return found


async def until_dead(group: int) -> None:
    with trio.fail_after(5):
        while alive(group):  # noqa: ASYNC110  # nobody tells us of a stranger's end
            await trio.sleep(0.01)


async def test_bytes_go_in_and_come_out_and_end_of_input_ends_it(nursery: trio.Nursery) -> None:
    proc = await launch(spec("/bin/cat"), nursery)
    await proc.write("grüß\u2028\n".encode())
    assert await proc.read() == "grüß\u2028\n".encode()
    assert await proc.stop(grace=9.0) == Exited(code=0, signal=None)
    assert await proc.wait() == await proc.stop(grace=0.0) == Exited(code=0, signal=None)
    assert await proc.read() is None


async def test_writing_to_one_that_has_ended_raises_and_hurts_nobody(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "exit 3"), nursery)
    assert await proc.wait() == Exited(code=3, signal=None)
    with pytest.raises(ProcessGone):
        await proc.write(b"x" * 1_000_000)
    proc.signal(SIGTERM)  # nothing happens
    await proc.stop(grace=1.0)


async def test_writing_to_one_that_closed_its_stdin_raises(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "exec <&-; echo closed; exec sleep 60"), nursery)
    assert await proc.read() == b"closed\n"
    with pytest.raises(ProcessGone):
        await proc.write(b"hello\n")
    assert await proc.stop(grace=0.3) == Exited(code=None, signal=SIGTERM)


async def test_writes_of_many_tasks_do_not_mix(nursery: trio.Nursery) -> None:
    proc = await launch(spec("/bin/cat"), nursery)
    lines = [bytes([letter]) * 100_000 + b"\n" for letter in b"abcdefgh"]
    async with trio.open_nursery() as writers:
        for line in lines:
            writers.start_soon(proc.write, line)
        got = b""
        while len(got) < sum(map(len, lines)):
            got += await proc.read() or b""
    assert sorted(got.splitlines(keepends=True)) == lines
    await proc.stop(grace=3.0)


async def test_a_cancelled_write_is_closed_by_the_next(nursery: trio.Nursery) -> None:
    code = "import signal,sys; signal.sigwait({signal.SIGUSR1}); sys.stdout.write(sys.stdin.read())"
    proc = await launch(
        python(f"import signal; signal.pthread_sigmask(0, {{10}}); print(1, flush=True); {code}"), nursery
    )
    assert await proc.read() == b"1\n"
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as writers:
            writers.start_soon(proc.write, b"x" * 1_000_000)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    proc.signal(SIGUSR1)
    stopped: list[Exited] = []

    async def write_and_stop() -> None:
        await proc.write(b"next\n")
        stopped.append(await proc.stop(grace=9.0))

    nursery.start_soon(write_and_stop)
    torn, _, rest = (await read_all(proc)).partition(b"\n")
    assert 0 < len(torn) < 1_000_000
    assert rest == b"next\n"


async def test_the_end_of_stderr_is_kept_and_a_flood_of_it_holds_up_nobody(nursery: trio.Nursery) -> None:
    proc = await launch(python("import sys; sys.stderr.write('x' * 1_000_000 + 'the end'); print('done')"), nursery)
    assert await read_all(proc) == b"done\n"
    assert await proc.wait() == Exited(code=0, signal=None)
    assert len(proc.stderr_tail()) == 8192
    assert proc.stderr_tail().endswith("xxthe end")
    await proc.stop(grace=1.0)


async def test_a_last_word_on_stderr_is_never_lost(nursery: trio.Nursery) -> None:
    for _ in range(20):
        proc = await launch(spec(SH, "-c", "echo why >&2; exit 1"), nursery)
        await proc.wait()
        assert proc.stderr_tail() == "why\n"
        await proc.stop(grace=1.0)


async def test_the_ladder_ends_in_sigterm(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "echo up; exec sleep 60"), nursery)
    assert await proc.read() == b"up\n"
    assert await proc.stop(grace=0.3) == Exited(code=None, signal=SIGTERM)


async def test_the_ladder_ends_in_sigkill(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", DEAF), nursery)
    assert await proc.read() == b"up\n"
    ended = await proc.stop(grace=0.15)
    assert ended == Exited(code=None, signal=SIGKILL)
    assert str(ended) == "killed by SIGKILL"
    await until_dead(proc.pid)


async def test_no_grace_at_all_still_ends_it(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", DEAF), nursery)
    assert await proc.read() == b"up\n"
    assert await proc.stop(grace=0.0) == Exited(code=None, signal=SIGKILL)


async def test_a_full_stdout_does_not_keep_it_from_ending_in_order(nursery: trio.Nursery) -> None:
    code = "import sys; sys.stdin.read(); sys.stdout.write('x' * 1_000_000); sys.stdout.flush(); sys.exit(7)"
    proc = await launch(python(code), nursery)
    assert await proc.stop(grace=9.0) == Exited(code=7, signal=None)


async def test_a_reader_that_comes_while_it_is_being_stopped_is_told_that_nothing_follows(
    nursery: trio.Nursery,
) -> None:
    proc = await launch(spec(SH, "-c", "read line; sleep 60"), nursery)
    nursery.start_soon(proc.stop, 0.3)
    await trio.testing.wait_all_tasks_blocked()
    assert await proc.read() is None
    assert await proc.wait() == Exited(code=None, signal=SIGTERM)


async def test_what_was_written_before_the_end_can_still_be_read(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "printf last; exec kill -9 $$"), nursery)
    assert await proc.wait() == Exited(code=None, signal=SIGKILL)
    assert await read_all(proc) == b"last"
    await proc.stop(grace=1.0)


async def test_an_end_in_mid_flood_loses_nothing(nursery: trio.Nursery) -> None:
    for _ in range(10):
        proc = await launch(spec(SH, "-c", "head -c 200000 /dev/zero; exit 5"), nursery)
        assert len(await read_all(proc)) == 200_000
        assert await proc.wait() == Exited(code=5, signal=None)
        await proc.stop(grace=1.0)


async def test_a_grandchild_that_holds_stdout_does_not_hold_the_reader(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "setsid sleep 60 & echo $!"), nursery)
    with trio.fail_after(10):
        orphan = int(await read_all(proc))
    os.kill(orphan, SIGKILL)
    assert await proc.stop(grace=1.0) == Exited(code=0, signal=None)


async def test_nobody_of_its_group_is_left(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", "sleep 60 & sleep 60 & echo up; read line"), nursery)
    assert await proc.read() == b"up\n"
    assert len(alive(proc.pid)) == 3
    assert (await proc.stop(grace=9.0)).signal is None
    await until_dead(proc.pid)


async def test_stopping_is_not_cut_short_by_a_cancel_and_may_be_called_by_many(nursery: trio.Nursery) -> None:
    proc = await launch(spec(SH, "-c", DEAF), nursery)
    assert await proc.read() == b"up\n"
    ended: list[Exited] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        ended.append(await proc.stop(grace=0.15))
    assert ended == [Exited(code=None, signal=SIGKILL)]
    other = await launch(spec(SH, "-c", DEAF), nursery)
    assert await other.read() == b"up\n"
    async with trio.open_nursery() as stoppers:
        for grace in (0.3, 0.15, 0.0):
            stoppers.start_soon(other.stop, grace)
    assert await other.wait() == Exited(code=None, signal=SIGKILL)


async def test_the_end_of_its_nursery_ends_it() -> None:
    async with trio.open_nursery() as nursery:
        proc = await launch(spec("/bin/cat"), nursery, grace=9.0)
        nursery.cancel_scope.cancel()
    assert await proc.wait() == Exited(code=0, signal=None)  # by end of input, the first rung
    await proc.stop(grace=0.0)


async def test_fifty_of_them_leave_no_file_descriptor(nursery: trio.Nursery) -> None:
    kept = []  # so that it is not the garbage collector that closes them

    async def cycle() -> None:
        kept.append(proc := await launch(spec("/bin/cat"), nursery))
        await proc.write(b"x\n")
        await proc.read()
        await proc.stop(grace=9.0)

    await cycle()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        await cycle()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_secrets_reach_the_child_and_no_repr(nursery: trio.Nursery) -> None:
    plan = spec(SH, "-c", 'printf %s "$KEY"', secrets={"KEY": Secret("hunter2")})
    assert "hunter2" not in repr(plan)
    proc = await launch(plan, nursery)
    assert await read_all(proc) == b"hunter2"
    await proc.stop(grace=1.0)


async def test_the_child_sees_nothing_but_its_own_environment(nursery: trio.Nursery) -> None:
    proc = await launch(spec("/usr/bin/env", env={"ONLY": "this"}), nursery)
    only, mark = (await read_all(proc)).split()
    assert only == b"ONLY=this"
    assert mark.startswith(b"DISPATCHD_AGENT=")  # by which what it leaves behind is found
    await proc.stop(grace=1.0)


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (spec("/no/such/program"), "/no/such/program"),
        (spec(SH, cwd="/no/such/folder"), "/no/such/folder"),
        (spec(SH, needs=("/no/such/script.js",)), "/no/such/script.js"),
        (spec("/etc/passwd"), "/etc/passwd"),
    ],
)
async def test_what_cannot_start_says_which_path_is_at_fault(
    plan: LaunchSpec, what: str, nursery: trio.Nursery
) -> None:
    with pytest.raises(LaunchFailed) as failed:
        await launch(plan, nursery)
    assert failed.value.what == what
    assert what in str(failed.value)


async def test_of_a_secret_at_the_place_where_stderr_is_cut_nothing_is_left(nursery: trio.Nursery) -> None:
    remember("hunter22hunter22")
    try:
        for beyond in range(1, 17):
            code = f"import sys; sys.stderr.write('hunter22hunter22' + 'x' * {STDERR_TAIL - beyond})"
            proc = await launch(python(code), nursery)
            await proc.stop(5.0)
            assert "hun" not in proc.stderr_tail()
            assert "22x" not in proc.stderr_tail()
    finally:
        forget_all()
