"""The real service as a campaign runs it: on a folder, with a configuration, killed and started at once.

It is the house of the journeys, without their limit of time, and with another program in the place of pi where one is
wanted. Whatever happens, nothing that it started outlives the block.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import trio

from tests.bench.telegram_house import ROOT
from tests.campaign import processes
from tests.campaign.books import Books
from tests.fakes.llm import KEY, MODEL, FakeLLM
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.journeys import house as journeys

REAL: Final = (str(journeys.DISPATCHD), "run")
CHANGED: Final = (sys.executable, "-m", "tests.campaign.service")
"""The service with another program in the place of pi, or with less to contain it."""
GONE: Final = 10.0
"""Seconds in which all that a house began must be gone after its end."""


class House(journeys.House):
    """One service with its folder; `process` changes with each start. `books`: its database.

    `left`: what lived on after the block, and had to be killed; in words.
    """

    def __init__(self, home: Path, environ: dict[str, str], argv: tuple[str, ...]) -> None:
        super().__init__(home, environ)
        self.argv = argv
        self.books = Books(self.state)
        self.left: list[str] = []

    async def launch(self) -> None:
        """Start the service and wait for nothing."""
        with (self.home / "service.log").open("ab") as log:
            self.process = await trio.lowlevel.open_process(
                self.argv,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def start(self, *arguments: str) -> Self:
        """Start the service and wait until its tree stands."""
        assert not arguments
        await self.launch()
        with trio.fail_after(journeys.PATIENCE):
            while self.process.returncode is None:
                if await trio.to_thread.run_sync(self.node, "/service"):
                    return self
                await trio.sleep(0.02)
        raise AssertionError(f"the service ended at its start with {self.process.returncode}: {self.log()[-2000:]}")

    def freeze(self) -> None:
        """SIGSTOP: nothing happens in the service until it is thawed or killed."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def processes(self) -> set[processes.Process]:
        """All that lives of it: the service, its agents, what their tools began."""
        return processes.of(self.home)


@asynccontextmanager
async def open_house(
    fake: FakeTelegram,
    model: FakeLLM | None = None,
    *,
    people: Iterable[int],
    groups: Iterable[int] = (),
    config: str = "",
    environ: Mapping[str, str] | None = None,
    pi: Path | None = None,
    rung: str = "",
    strict: bool = True,
) -> AsyncIterator[House]:
    """A house that is not started yet, in a temporary folder of its own on the disk.

    `config`: more of the configuration file; what stands before its first heading is [telegram]'s. `environ`: over what
    the service gets here. `pi`: a Python program that is run in the place of pi. `rung`: how agents are contained, one
    of `service.RUNGS`; without one as well as it can be.
    What the block leaves behind is killed, by its ids, and told as `House.left`; `strict` raises AssertionError then.
    """
    with TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
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
            "LOG_LEVEL": "INFO",
        }
        if model is not None:
            own |= {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": KEY, "LLM_MODEL": MODEL}
        if pi is not None:
            own |= in_place_of_pi(home, pi)
        if rung:
            own["CAMPAIGN_RUNG"] = rung
        lines = [
            "[telegram]",
            f"base_url = {json.dumps(fake.base_url)}",
            f"allowed_user_ids = {json.dumps(list(people))}",
            f"allowed_group_ids = {json.dumps(list(groups))}",
            config,
        ]
        (home / "config/dispatchd").mkdir(parents=True)
        (home / "config/dispatchd/config.toml").write_text("\n".join(lines) + "\n")
        house = House(home, own | dict(environ or {}), CHANGED if pi or rung else REAL)
        try:
            yield house
        finally:
            with trio.CancelScope(shield=True):
                await _end(house)
                for process in await gone(house.processes):
                    house.left.append(f"process {process.pid} survived: {process.command()[:100]}")
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
        assert not (strict and house.left), f"the house left behind: {house.left}"


async def gone(find: Callable[[], set[processes.Process]]) -> set[processes.Process]:
    """What is found even after a while, in which it should have gone."""
    deadline = trio.current_time() + GONE
    while True:
        found = await trio.to_thread.run_sync(find)
        if not found or trio.current_time() > deadline:
            return found
        await trio.sleep(0.05)  # another process's doings: nobody tells us of them


def in_place_of_pi(home: Path, program: Path) -> dict[str, str]:
    """What makes the service take that Python program for pi; it asks no model."""
    node = home / "python"
    node.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    node.chmod(0o755)
    return {
        "BENCH_NODE": str(node),
        "BENCH_PI": str(program.absolute()),
        "LLM_PROVIDER": "fake",
        "LLM_BASE_URL": "http://127.0.0.1:9/v1",  # nobody is there
        "LLM_MODEL": "fake-1",
        "LLM_API_KEY": "none-needed",
    }


async def _end(house: House) -> None:
    """Ends the service, if it is there: kindly, and after a while not."""
    if not hasattr(house, "process") or house.process.returncode is not None:
        return
    house.thaw()
    house.process.terminate()
    with trio.move_on_after(journeys.PATIENCE):
        await house.process.wait()
        return
    house.process.kill()
    await house.process.wait()
