"""The cages that agents run in: opened once by the entry point, one `Cage` for each launch.

Used by `process`; `ladder` decides how, the files beside it do it. When a cage is closed, nothing that began in it is
alive; when the service is killed, its keeper closes them all; and the next service on the same state folder first ends
whatever is still there.
"""

import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import trio

from actors.pi import cgroup, containment, orphans
from actors.pi.ladder import (
    Limits,
    Probed,
    Rung,
    choose,
    command,
    describe,
    ended,
    folder_name,
    summary,
    unkept,
)

KEEPER_PATIENCE: Final = 3.0
"""Seconds for the keeper to end when the service does."""
INSIDE_PATIENCE: Final = 1.0
"""Seconds for the agent to appear in its namespace."""
_LOOK_EVERY: Final = 0.002

_log = logging.getLogger(__name__)


class Cages:
    """All cages of one service; a process has one.

    Made by `open`. A `Cages()` is the mark in the environment and nothing else: no keeper, no wrapping, no limits.
    """

    def __init__(self, probed: Probed | None = None, *, mark: str = "", folder: Path | None = None) -> None:
        self._wraps = probed is not None
        self._probed = probed or Probed()
        self.rung: Final = choose(self._probed)
        self._reaps = self.rung is Rung.MARKS and self._probed.subreaper
        self._mark = mark
        self._folder = folder
        self._keeper: subprocess.Popen[bytes] | None = None
        self._keeperless = False  # and that was said
        self._launched: set[int] = set()
        self._open = 0
        self._forking = trio.Lock()
        self._burying = threading.Lock()  # taken by one task at a time, and by the gravedigger for microseconds

    @classmethod
    def open(cls, state_dir: Path, probed: Probed) -> "Cages":
        """End what an earlier service of this state folder left, and get ready. Blocks, mostly for some 20 ms.

        Only for who holds the state folder's lock: of two services, the second would end the first one's agents.
        """
        house = _house_of(state_dir)
        if left := containment.kill_marked(house):
            _log.warning("%d processes that an earlier run's agents had begun were still there; they are ended", left)
        mark = containment.new_mark(house)
        folder = None
        if probed.cgroup is not None:
            own = Path(probed.cgroup)
            cgroup.sweep(own, f"agents-{house}-")
            try:
                folder, controllers = cgroup.prepare(own, f"agents-{mark}")
                probed = msgspec.structs.replace(probed, controllers=controllers)
            except OSError as error:
                reason = f"no folder can be made in {own} ({error.strerror})"
                probed = msgspec.structs.replace(probed, cgroup=None, no_cgroup=reason)
        if choose(probed) is Rung.MARKS and probed.subreaper:
            probed = msgspec.structs.replace(probed, subreaper=orphans.become_reaper())
        cages = cls(probed, mark=mark, folder=folder)
        cages._start_keeper()
        if cages._reaps:
            bury = partial(orphans.bury_for_ever, cages._launched, cages._burying)
            threading.Thread(target=bury, name="gravedigger", daemon=True).start()
        return cages

    def describe(self) -> str:
        """How agents are contained here and what that does not catch, in a few sentences for people."""
        return describe(self._probed)

    def summary(self) -> str:
        """The same in a short line."""
        return summary(self._probed)

    @property
    def keeper(self) -> int | None:
        """The keeper's pid, if there is one."""
        return None if self._keeper is None else self._keeper.pid

    async def look_after_keeper(self) -> None:
        """Start another keeper if the one that was there has ended, or could not be started. Not cancelled."""
        if self._mark and (self._keeper is None or self._keeper.poll() is not None):
            with trio.CancelScope(shield=True):  # a keeper that nobody knows of would outlive the service
                async with self._forking:  # or it would be taken for an orphan
                    await trio.to_thread.run_sync(self._replace_keeper)

    def _replace_keeper(self) -> None:
        with self._burying:
            if self._keeper is not None:
                _log.warning("the keeper (process %d) has ended, and is started again", self._keeper.pid)
                assert self._keeper.stdin is not None
                self._keeper.stdin.close()
                self._launched.discard(self._keeper.pid)
                self._keeper = None
            self._start_keeper()

    def complain(self, limits: Limits) -> None:
        """Log what of these limits cannot be kept here."""
        if lacking := unkept(self._probed, limits):
            _log.warning("%s", lacking)

    def close(self) -> None:
        """End the keeper, which first ends what is left. Blocks, mostly for some 10 ms."""
        if self._keeper is not None:
            with self._keeper as keeper:
                assert keeper.stdin is not None
                keeper.stdin.close()
                try:
                    keeper.wait(KEEPER_PATIENCE)
                except subprocess.TimeoutExpired:
                    keeper.kill()

    async def cage(self, name: str, limits: Limits, layers: int = 0) -> "Cage":
        """A cage for one launch; whoever gets it closes it. Raises OSError if its cgroup cannot be made.

        `layers`: of processes between what is started and the agent, beside those of the cage itself.
        """
        mark = containment.new_mark(self._mark)
        folder = None
        if self._folder is not None:
            folder = self._folder / folder_name(name, mark)
            with trio.CancelScope(shield=True):  # a folder that nobody knows of would stay
                await trio.to_thread.run_sync(cgroup.make, folder, limits)
        self._open += 1
        return Cage(self, mark, limits, folder, layers)

    def _start_keeper(self) -> None:
        folders = [] if self._folder is None else [str(self._folder)]
        try:
            self._keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "actors.pi.keeper", self._mark, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            if not self._keeperless:
                _log.warning("no keeper (%s): what a killed service leaves is ended only at its next start", error)
            self._keeperless = True
        else:
            self._keeperless = False
            self._launched.add(self._keeper.pid)


class Cage:
    """What one agent is started in. Made by `Cages.cage` alone."""

    def __init__(self, cages: Cages, mark: str, limits: Limits, folder: Path | None, layers: int) -> None:
        self.mark: Final = mark
        self._layers = layers
        self._cages = cages
        self._limits = limits
        self._folder = folder
        self._closed = False
        self.process: trio.Process | None = None
        """What was started in it."""

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """What to run in the place of `argv`."""
        if not self._cages._wraps:
            return argv
        folder = None if self._folder is None else str(self._folder)
        return command(self._cages._probed, argv, cgroup=folder, limits=self._limits)

    async def start(self, start: Callable[[], Awaitable[trio.Process]]) -> trio.Process:
        """Start the process that `command` is for; it is never taken for an orphan."""
        async with self._cages._forking:
            with self._cages._burying:  # no orphan is looked for meanwhile
                self.process = await start()
                self._cages._launched.add(self.process.pid)
        return self.process

    async def inside(self) -> int:
        """The agent's own pid, as the service sees it: in a namespace, what was started is the way into it."""
        assert self.process is not None
        layers = self._layers + (2 if self._cages.rung is Rung.NAMESPACE else 0)
        if layers:
            with trio.move_on_after(INSIDE_PATIENCE):
                while self.process.returncode is None:
                    agent = _within(self.process.pid, layers)
                    if agent is not None:
                        return agent
                    await trio.sleep(_LOOK_EVERY)
        return self.process.pid

    def ended(self, returncode: int) -> tuple[int | None, int | None]:
        """The exit code or the signal by which the agent ended."""
        return ended(returncode, told=self._layers > 0 or self._cages.rung is Rung.NAMESPACE)

    async def close(self) -> bool:
        """End all that began in it; says whether the kernel had killed in it for want of memory. Not cancelled."""
        if self._closed:
            return False
        self._closed = True
        self._cages._open -= 1
        with trio.CancelScope(shield=True):
            out_of_memory = await trio.to_thread.run_sync(self._end)
            if self._cages._reaps:
                async with self._cages._forking:
                    await trio.to_thread.run_sync(self._end_orphans)
            if self.process is not None and self.process.returncode is not None:
                self._cages._launched.discard(self.process.pid)
        return out_of_memory

    def _end(self) -> bool:
        out_of_memory = False
        if self._folder is not None:
            out_of_memory = cgroup.ran_out_of_memory(self._folder)
            if not cgroup.end(self._folder):
                _log.warning("something in %s cannot be ended; look at the disk it waits for", self._folder)
        containment.kill_marked(self.mark)
        return out_of_memory

    def _end_orphans(self) -> None:
        """Whose the unmarked ones are cannot be told, so they go when nobody is left whose they could be."""
        if self._cages._open == 0:
            orphans.kill_orphans(self._cages._launched)


def _house_of(state_dir: Path) -> str:
    """By what a service's processes are known to its next run: the same for the same state folder."""
    return hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]


def _within(pid: int, layers: int) -> int | None:
    """The first child of the first child, and so on; None while it is not there."""
    found: int | None = pid
    for _ in range(layers):
        found = None if found is None else _child(found)
    return found


def _child(pid: int) -> int | None:
    """The first child of a process that has one thread; None while it has none, and where the kernel does not tell."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(children[0]) if children else None
