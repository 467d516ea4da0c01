"""Runs the real service as a process of its own, for the journeys: starts it, looks, kills it, starts it again.

Everything it keeps lies in one temporary folder, and nothing that it started may outlive it.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import trio

from supervisor.control import client
from tests.fakes.llm import KEY, MODEL, FakeLLM
from tests.fakes.telegram import TOKEN, FakeTelegram

DISPATCHD = Path(sys.prefix) / "bin/dispatchd"
PATIENCE = 60.0
"""Seconds for anything to happen that a loaded machine may be slow at."""
LONGEST = 240.0
"""Seconds that a journey may take in all."""


class House:
    """One service with its state folder; `process` changes with each start."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        self.home = home
        self.environ = environ
        self.state = home / "state"
        self.socket = home / "ctl.sock"
        self.process: trio.Process

    async def start(self, *arguments: str) -> Self:
        """Start the service and wait until its tree stands."""
        log = (self.home / "service.log").open("ab")
        with log:
            self.process = await trio.lowlevel.open_process(
                [str(DISPATCHD), "run", *arguments], env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        with trio.fail_after(PATIENCE):
            while self.process.returncode is None:
                if await trio.to_thread.run_sync(self.node, "/service"):
                    return self
                await trio.sleep(0.02)
        raise AssertionError(f"the service ended at its start with {self.process.returncode}: {self.log()[-2000:]}")

    async def kill(self) -> None:
        """SIGKILL the service alone, as the kernel would."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait for the end; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            return await self.process.wait()

    # --- looking

    def tree(self) -> dict[str, Any]:
        """What `actorctl tree --json` prints; an empty one while nobody answers."""
        try:
            answer = client.call(str(self.socket), "tree", {}, timeout=5.0)
        except Exception:  # noqa: BLE001 - a service that is being killed answers in many ways, and all mean: not now
            return {"path": "", "children": []}
        assert isinstance(answer, dict)
        return answer

    def nodes(self) -> list[dict[str, Any]]:
        """All nodes of the tree, from the root down."""
        return list(_walk(self.tree()))

    def node(self, path: str) -> dict[str, Any] | None:
        """The node at `path`, if it is there."""
        return next((node for node in self.nodes() if node["path"] == path), None)

    def agents(self) -> dict[str, int]:
        """The process id of each room's agent, by slug."""
        return {
            node["path"].split("/")[4]: node["pid"]
            for node in self.nodes()
            if node["path"].endswith("/agent") and node.get("pid")
        }

    def actorctl(self, verb: str, path: str) -> object:
        """What `actorctl VERB PATH --json` prints."""
        return client.call(str(self.socket), verb, {"path": path}, timeout=15.0)

    def working(self) -> list[int]:
        """The process ids of the agents that have a turn to do."""
        nodes = [node for node in self.nodes() if node["path"].endswith("/agent") and node.get("pid")]
        return [node["pid"] for node in nodes if not str(node["doing"]).startswith(("idle", "start", "end"))]

    async def run_actorctl(self, *arguments: str) -> str:
        """What the command prints, run as a person runs it; it must succeed."""
        command = [str(DISPATCHD.with_name("actorctl")), *arguments]
        done = await trio.run_process(command, env=self.environ, capture_stdout=True)
        return done.stdout.decode()

    def session_files(self, slug: str) -> list[Path]:
        """pi's session files of a room."""
        return sorted((self.state / "sessions" / slug).glob("*.jsonl"))

    def log(self) -> str:
        """What the service has logged."""
        return (self.home / "service.log").read_text(errors="replace")

    def failures(self) -> list[str]:
        """The lines of the log that tell of something that broke."""
        return [line for line in self.log().splitlines() if " ERROR " in line or " CRITICAL " in line]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until `condition` holds and return what it gave; it may block for a moment, so it runs in a thread."""
        try:
            with trio.fail_after(PATIENCE):
                while True:
                    if found := await trio.to_thread.run_sync(condition):
                        return found
                    await trio.sleep(0.02)  # another process's doings: nobody tells us of them
        except trio.TooSlowError:
            raise AssertionError(f"it did not happen; the log: {self.log()[-3000:]}") from None


@asynccontextmanager
async def open_house(
    home: Path,
    fake: FakeTelegram | None = None,
    *,
    people: tuple[int, ...] = (),
    groups: tuple[int, ...] = (),
    model: FakeLLM | None = None,
    config: str = "",
) -> AsyncIterator[House]:
    """A house that is not started yet. With `fake`, these people may speak in private and in these groups.

    `model` answers in place of the embedded demo. `config`: more lines of the configuration file; with `fake`, those
    before the first heading are [telegram]'s. Raises TooSlowError if the block takes longer
    than `LONGEST`, and AssertionError if it leaves a process behind.
    """
    folder = home / "config/dispatchd"
    folder.mkdir(parents=True)
    environ = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TMPDIR": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "THREADS_DIR": str(home / "state"),
        "DISPATCHD_SOCKET": str(home / "ctl.sock"),
        "LOG_LEVEL": "INFO",
    }
    lines: list[str] = []
    if model is not None:
        environ |= {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": KEY, "LLM_MODEL": MODEL}
    if fake is not None:
        environ["TELEGRAM_BOT_TOKEN"] = TOKEN
        lines += [
            "[telegram]",
            f"base_url = {json.dumps(fake.base_url)}",
            f"allowed_user_ids = {json.dumps(list(people))}",
            f"allowed_group_ids = {json.dumps(list(groups))}",
        ]
    (folder / "config.toml").write_text("\n".join([*lines, config]) + "\n")
    with trio.fail_after(LONGEST):
        house = House(home, environ)
        try:
            yield house
        finally:
            await _end(house)
        await house.until(lambda: not _descendants(home))


async def _end(house: House) -> None:
    """Ends the service, if it is there."""
    if not hasattr(house, "process") or house.process.returncode is not None:
        return
    house.process.terminate()
    with trio.move_on_after(PATIENCE) as waiting:
        waiting.shield = True
        await house.process.wait()
    if waiting.cancelled_caught:
        house.process.kill()


def _descendants(home: Path) -> list[int]:
    """The processes that have their home there: the service, its agents, what their tools began."""
    mark = b"HOME=" + os.fsencode(home) + b"\0"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", ()):
        yield from _walk(child)
