"""The one door through which agents start: `launch(spec) -> Proc`, a child process as bytes in, bytes out, and an end.

The agent drives it; it knows nothing of pi's protocol. Nothing of the host leaks through it (`pid` is for display), so
that an engine which runs agents elsewhere can stand behind the same door. What the child is held in, and the end of
all that it began, is not this file's business but that of its cage.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from signal import SIGKILL, SIGTERM, Signals
from typing import Final

import msgspec
import trio

from actors.pi import claim, shortage
from actors.pi.cages import Cage, Cages
from actors.pi.claim import Claim
from actors.pi.containment import MARK
from actors.pi.errors import LaunchFailed, ProcessGone, ProcessStuck
from actors.pi.ladder import Limits
from actors.redaction import redact
from actors.settings import Secret

CHUNK = 64 * 1024
STDERR_TAIL = 8 * 1024
_LONGEST_SECRET = 1024
INPUT_CLOSED: Final = "its input is closed"
"""The first step of an end, in words; the others are called by their signals."""
_PIPE_CHUNKS = 16  # more than a pipe holds, so that a stray grandchild that goes on writing cannot keep us
CLAIM_PATIENCE = 5.0
"""Seconds to wait for the process that still uses what is claimed; one whose host was killed needs some 40 ms."""
SHORTAGE_WITHIN: Final = 10.0
"""Seconds within which two ends have to do with each other."""
_KILL_GRACE = 1.0  # seconds to die of SIGKILL, however short the grace
_UNCAGED: Final = Cages()


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to start, as plain data.

    `argv`: the program by absolute path, and its arguments. `cwd`: an absolute path. `env`: the whole environment but
    for `secrets`, which join it in the child only. `needs`: absolute paths that must exist, such as a script.
    `claim`: a file beside what only one process at a time may use, which the one that does keeps locked.
    `name`: whose it is, in a word, for people who look at the machine. `limits`: for it and all that it begins.
    `layers`: how many processes of `argv` stand between the one that is started and the agent, as in a sandbox; each
    tells the end by signal n of the one in it as 128 + n.
    """

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    secrets: dict[str, Secret] = {}
    needs: tuple[str, ...] = ()
    claim: str | None = None
    name: str = "agent"
    limits: Limits = Limits()
    layers: int = 0


class Exited(msgspec.Struct, frozen=True):
    """How a process ended: with an exit `code`, or by a `signal`; the other is None.

    `out_of_memory`: the kernel killed it because it and what it began used more than its limit. `shortage`: it was
    killed, not by us, within seconds of the kernel killing somebody for want of memory.
    """

    code: int | None
    signal: int | None
    out_of_memory: bool = False
    shortage: bool = False

    def __str__(self) -> str:
        if self.out_of_memory:
            return f"{self._how()}, out of memory: it used more than it may"
        if self.shortage:
            return f"{self._how()}, most likely out of memory: the kernel was killing for want of it just then"
        return self._how()

    def _how(self) -> str:
        if self.signal is None:
            return f"exit code {self.code}"
        with suppress(ValueError):
            return f"killed by {Signals(self.signal).name}"
        return f"killed by signal {self.signal}"


async def launch(spec: LaunchSpec, nursery: trio.Nursery, *, grace: float = 5.0, cages: Cages = _UNCAGED) -> "Proc":
    """Starts the process in a session and process group of its own, and in one of the `cages`. Raises LaunchFailed.

    A task in `nursery` reads its stderr until it ends. The process never outlives that nursery: when it is cancelled,
    the process gets `grace` seconds to stop, as by `Proc.stop`. Nothing that it began outlives it.
    """
    for path in (spec.cwd, spec.argv[0], *spec.needs):
        if not await trio.Path(path).exists():
            raise LaunchFailed(path, "there is no such file or folder; run `make` or correct the configuration")
    if not await trio.to_thread.run_sync(os.access, spec.argv[0], os.X_OK):
        raise LaunchFailed(spec.argv[0], "it may not be run; correct its permissions or the configuration")
    claimed = None if spec.claim is None else await claim.take(spec.claim, CLAIM_PATIENCE)
    try:
        proc = await _launch(spec, nursery, grace, cages, claimed)
        if claimed is not None:
            claimed.note(proc.pid)
    finally:
        if claimed is not None:
            claimed.close()
    return proc


async def _launch(spec: LaunchSpec, nursery: trio.Nursery, grace: float, cages: Cages, claimed: Claim | None) -> "Proc":
    try:
        cage = await cages.cage(spec.name, spec.limits, spec.layers)
    except OSError as error:
        raise LaunchFailed(str(error.filename), f"the agent's cgroup cannot be made ({error.strerror})") from error
    try:
        process = await cage.start(partial(_start, spec, cage, claimed))
    except OSError as error:
        # A working directory that may not be entered is named by the error, too.
        raise LaunchFailed(str(error.filename or spec.argv[0]), f"{error.strerror or error}") from error
    finally:
        if cage.process is None:
            await cage.close()
    proc = Proc(process, grace, cage)
    nursery.start_soon(proc._attend)
    with trio.CancelScope(shield=True):  # who is cancelled here must still be given what there is to stop
        proc.pid = await cage.inside()
    return proc


async def _start(spec: LaunchSpec, cage: Cage, claimed: Claim | None) -> trio.Process:
    if claimed is None:
        return await _fork(spec, cage, ())
    async with claimed.handed_over() as number:
        return await _fork(spec, cage, (number,))


async def _fork(spec: LaunchSpec, cage: Cage, files: tuple[int, ...]) -> trio.Process:
    secrets = {name: secret.reveal() for name, secret in spec.secrets.items()}
    return await trio.lowlevel.open_process(
        cage.command(spec.argv),
        cwd=spec.cwd,
        env=spec.env | secrets | {MARK: cage.mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=files,
    )


def _unseen(step: str) -> None:
    """Nobody looks on."""


class Proc:
    """A running child process. Made by `launch` alone.

    One task at a time may read; any number may write, signal, wait and stop, also at once and after the end. Whoever
    started it stops it: `stop` is also what frees the pipes of a process that has ended by itself.
    """

    def __init__(self, process: trio.Process, grace: float, cage: Cage) -> None:
        self.pid = self._group = process.pid
        self._cage = cage
        self._out_of_memory = False
        self._killed = False  # by us
        self._short = False
        self._kills = shortage.kills()  # for want of memory, of anybody, some seconds ago
        self._process = process
        self._stdin, self._stdout, self._stderr = (
            _pipe(end) for end in (process.stdin, process.stdout, process.stderr)
        )
        self._grace = grace
        self._tail = b""
        self._writing = trio.Lock()
        self._torn = False  # a write was cut off, so the child may hold the beginning of a line
        self._reading: trio.CancelScope | None = None
        self._draining = trio.CancelScope(shield=True)
        self._gone = False  # the process has ended, or is given up
        self._attended = trio.Event()  # and so have its group and the task that reads its stderr

    async def read(self) -> bytes | None:
        """The next bytes of stdout, at most 64 KiB; None at its end, which a stray grandchild cannot put off."""
        if not self._gone:
            with trio.CancelScope() as self._reading:
                try:
                    return await self._stdout.receive_some(CHUNK) or None
                except (trio.ClosedResourceError, trio.BusyResourceError):
                    return None  # stopped, or being stopped: what still comes is thrown away
        await trio.lowlevel.checkpoint()
        return _read_waiting(self._stdout) or None

    async def write(self, data: bytes) -> None:
        """Sends `data`, whole lines, to stdin; waits while the child does not read. Raises ProcessGone.

        A write that is cancelled may leave part of a line behind; the next one then begins with a LF to close it.
        """
        async with self._writing:
            torn, self._torn = self._torn, True
            try:
                await self._stdin.send_all(b"\n" + data if torn else data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ProcessGone(self.pid) from error
            self._torn = False

    def signal(self, number: Signals) -> None:
        """Sends a signal to the process group; nothing happens after the process has ended.

        In a namespace or a sandbox, one that is neither SIGTERM, SIGINT, SIGSTOP nor SIGCONT ends all, as SIGKILL does.
        """
        if self._lives():
            self._killed = self._killed or number is SIGKILL
            self._signal_group(number)

    async def wait(self) -> Exited:
        """Waits until the process has ended and its stderr is read. Raises ProcessStuck if it was given up."""
        await self._attended.wait()
        return self._outcome()

    async def stop(self, grace: float, step: Callable[[str], None] = _unseen) -> Exited:
        """Ends the process: closes its stdin, then SIGTERM, then SIGKILL, with a third of `grace` (s) after each.

        `step` is told of each before it is done, in a few words; it must not raise. What the process still writes to
        stdout is thrown away unless somebody reads it. Whatever is left of its process group is killed. Cancelling the
        caller does not cut this short, and calling it again does no harm. Raises ProcessStuck.
        """
        with trio.CancelScope(shield=True):
            await self._end(grace, step)
            if self._lives():
                raise ProcessStuck(self.pid)
            await self._attended.wait()
            self._stdout.close()
        return self._outcome()

    def stderr_tail(self) -> str:
        """The last 8 KiB of stderr so far, redacted: the half of a secret at its beginning would not be known later."""
        return redact(self._tail.decode(errors="replace"))[-STDERR_TAIL:]

    async def _attend(self) -> None:
        """Reads stderr until the process ends, and sees to it that it does when the nursery is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drain)
            nursery.start_soon(self._count_kills, counting := trio.CancelScope())
            try:
                await self._process.wait()
            finally:
                counting.cancel()
                with trio.CancelScope(shield=True):
                    await self._end(self._grace)
                    # Its tools run in sessions of their own; if it could not end them, nobody else will.
                    self._out_of_memory = await self._cage.close()
                self._finish()

    async def _count_kills(self, scope: trio.CancelScope) -> None:
        """Keep the kernel's count, so that at the end only what is just past is new."""
        with scope:
            while True:
                await trio.sleep(SHORTAGE_WITHIN)
                self._kills = shortage.kills()

    def _finish(self) -> None:
        self._gone = True
        self._short = shortage.kills() != self._kills
        self._signal_group(SIGKILL)  # what the process left behind in its group
        self._stdin.close()
        if self._reading is not None:
            self._reading.cancel()  # the reader goes on with what still waits in the pipe
        self._draining.cancel()
        for _ in range(_PIPE_CHUNKS):
            self._keep(_read_waiting(self._stderr))
        self._stderr.close()
        self._attended.set()

    async def _end(self, grace: float, step: Callable[[str], None] = _unseen) -> None:
        """The ladder; returns when the process has ended or has outlived SIGKILL."""
        if not self._lives():
            return  # and what it has written stays for the reader
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._discard_stdout)
            step(INPUT_CLOSED)
            self._stdin.close()
            for number in (None, SIGTERM, SIGKILL):
                if not self._lives():
                    break
                if number is not None:
                    step(number.name)
                    self._killed = self._killed or number is SIGKILL
                    self._signal_group(number)
                with trio.move_on_after(max(grace / 3, _KILL_GRACE) if number is SIGKILL else grace / 3):
                    await self._process.wait()
            nursery.cancel_scope.cancel()

    async def _discard_stdout(self) -> None:
        """Keeps a full pipe from holding up the child's orderly end."""
        with suppress(trio.BusyResourceError, trio.ClosedResourceError):  # somebody reads it, or it is closed already
            while await self._stdout.receive_some(CHUNK):
                pass

    async def _drain(self) -> None:
        with self._draining, suppress(trio.ClosedResourceError):  # `_finish` has read the rest
            while chunk := await self._stderr.receive_some(CHUNK):
                self._keep(chunk)

    def _lives(self) -> bool:
        return self._process.returncode is None

    def _keep(self, chunk: bytes) -> None:
        self._tail = (self._tail + chunk)[-STDERR_TAIL - _LONGEST_SECRET :]

    def _signal_group(self, number: Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group is gone, or has only the dead in it
            os.killpg(self._group, number)

    def _outcome(self) -> Exited:
        code = self._process.returncode
        if code is None:
            raise ProcessStuck(self.pid)
        code, signal = self._cage.ended(code)
        if signal != SIGKILL or self._killed:  # whatever else the kernel has killed, that was not its end
            return Exited(code, signal)
        return Exited(code, signal, self._out_of_memory, self._short)


def _pipe(end: trio.abc.AsyncResource | None) -> trio.lowlevel.FdStream:
    assert isinstance(end, trio.lowlevel.FdStream)
    return end


def _read_waiting(pipe: trio.lowlevel.FdStream) -> bytes:
    """What can be read without waiting; empty at the end, when nothing waits, and after the pipe was closed."""
    try:
        return os.read(pipe.fileno(), CHUNK)
    except OSError:
        return b""
