"""The real service as a process of its own, for the Telegram part of the bench: started, looked at, and ended.

What it keeps lies in one temporary folder on the disk, because a commit is to cost what it costs. Linux only.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio

from supervisor.control import client
from supervisor.errors import RuntimeFault
from tests.fakes.telegram import TOKEN

ROOT: Final = Path(__file__).parents[2]
DISPATCHD: Final = (str(Path(sys.prefix) / "bin/dispatchd"), "run")
PATIENCE: Final = 60.0
"""Seconds that the service has to start, and again to end."""
TICK: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGESIZE")


class Service:
    """A running service."""

    def __init__(self, home: Path, process: trio.Process) -> None:
        self.home = home
        self.process = process
        self.sessions = home / "state/sessions"

    def log(self) -> str:
        """What it has logged."""
        return (self.home / "service.log").read_text(errors="replace")

    def pis(self) -> list[int]:
        """The process ids of its agents."""
        return [pid for pid, parent in parents() if parent == self.process.pid]


@asynccontextmanager
async def open_service(
    base_url: str,
    *,
    people: Iterable[int],
    groups: Iterable[int] = (),
    environ: Mapping[str, str],
    argv: tuple[str, ...] = DISPATCHD,
    config: str = "",
) -> AsyncIterator[Service]:
    """A service that speaks to the Bot API at `base_url`; `environ` beside what every service gets here.

    `config`: more lines of its configuration file.
    """
    with home_folder() as home:
        place = home / "config/dispatchd"
        place.mkdir(parents=True)
        lines = ["[telegram]", f"base_url = {json.dumps(base_url)}"]
        lines += [f"allowed_user_ids = {list(people)}", f"allowed_group_ids = {list(groups)}"]
        (place / "config.toml").write_text("\n".join([*lines, config]) + "\n")
        own = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "TMPDIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "THREADS_DIR": str(home / "state"),
            "DISPATCHD_SOCKET": str(home / "ctl.sock"),
            "TELEGRAM_BOT_TOKEN": TOKEN,
        }
        with (home / "service.log").open("ab") as log:
            process = await trio.lowlevel.open_process(
                argv, env={**own, **environ}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        service = Service(home, process)
        try:
            await _until_it_stands(service)
            yield service
        except Exception as error:
            error.add_note(f"The service has logged:\n{service.log()[-3000:]}")
            raise
        finally:
            await end(process)


async def end(process: trio.Process) -> None:
    """Ends a process that is ours: kindly, and after a while not."""
    with trio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with trio.move_on_after(PATIENCE):
            await process.wait()
            return
        process.kill()
        await process.wait()


@contextmanager
def home_folder() -> Iterator[Path]:
    """A folder for one service, which is gone afterwards."""
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def cpu_seconds(pid: int) -> float:
    """What a process has used, in user and system mode; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def own_share(pid: int) -> int:
    """Bytes of memory that a process holds, with its part of what it shares; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def parents() -> Iterator[tuple[int, int]]:
    """All processes, each with that of its parent."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended


async def _until_it_stands(service: Service) -> None:
    socket = str(service.home / "ctl.sock")
    with trio.fail_after(PATIENCE):
        while True:
            if service.process.returncode is not None:
                raise RuntimeError("the service ended at its start")
            try:
                tree = await trio.to_thread.run_sync(client.call, socket, "tree", {"path": "/service/telegram"})
            except RuntimeFault:
                await trio.sleep(0.05)
                continue
            if isinstance(tree, dict) and tree.get("state") == "running":
                return
            await trio.sleep(0.05)
