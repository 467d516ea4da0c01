"""The load: 100 rooms whose agents all speak at once, on the real service, against the strict fake Telegram.

Four kinds of programs take part: the service, a scripted pi for each room (`telegram_pi`), the people with their
Telegram (`telegram_people`), and this one, which starts them, reads what they noted and sums it up. All their clocks
are the machine's monotonic one.
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import trio

from tests.bench import telegram_pi
from tests.bench.telegram_house import Service, cpu_seconds, end, home_folder, open_service, own_share, resident
from tests.bench.telegram_people import DELTAS, GROUPS, PRIVATE, TOPICS_EACH
from tests.bench.telegram_table import Line, milliseconds, percentile

ROOMS: Final = len(PRIVATE) + len(GROUPS) * TOPICS_EACH
PART: Final = 400.0
"""Seconds that a part may take in all."""


async def measure(seconds: float) -> list[Line]:
    """The lines of the table, after `seconds` of load. Raises `trio.TooSlowError` if something hangs."""
    async with open_people(seconds) as people:
        base_url = str((await people.next())["base_url"])
        with home_folder() as tools:
            async with open_service(
                base_url,
                people=PRIVATE,
                groups=GROUPS,
                environ=environ(tools),
                argv=(sys.executable, "-m", "tests.bench.telegram_service"),
            ) as service:
                warm = await people.part()
                before, began = used(service), perf_counter()
                told = await people.part()
                after, lasted = used(service), perf_counter() - began
                memory = resident(service.process.pid), sum(map(own_share, service.pis()))
                heard, spoke = noted(service.sessions)
    if len(warm["finals"]) < ROOMS:
        raise RuntimeError(f"only {len(warm['finals'])} of {ROOMS} rooms answered before the load")
    cpu = [(end - start) / lasted for start, end in zip((*before, warm["cpu"]), (*after, told["cpu"]), strict=True)]
    return lines(told, heard, spoke, cpu, memory, lasted)


class People:
    """The program with the people in it."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._heard = b""

    async def part(self) -> dict[str, Any]:
        """Gives the word for the next part and returns what came of it."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(b"go\n")
        return await self.next()

    async def next(self) -> dict[str, Any]:
        """Their next line."""
        assert self._process.stdout is not None
        with trio.fail_after(PART):
            while b"\n" not in self._heard:
                chunk = await self._process.stdout.receive_some()
                if not chunk:
                    raise RuntimeError("the people have gone")
                self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told


@asynccontextmanager
async def open_people(seconds: float) -> AsyncIterator[People]:
    """Starts them, and ends them with the block."""
    argv = [sys.executable, "-m", "tests.bench.telegram_people", str(seconds)]
    process = await trio.lowlevel.open_process(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield People(process)
    finally:
        await end(process)


def environ(tools: Path) -> dict[str, str]:
    """What makes the service take our pi, and room for all rooms at once. `tools`: a folder for what runs that pi."""
    node = tools / "python"
    node.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    node.chmod(0o755)
    return {
        "BENCH_NODE": str(node),
        "BENCH_PI": str(Path(telegram_pi.__file__).absolute()),
        "LLM_PROVIDER": "fake",
        "LLM_BASE_URL": "http://127.0.0.1:9/v1",  # nobody is there: the scripted pi asks no model
        "LLM_MODEL": "fake-1",
        "LLM_API_KEY": "none-needed",
        "MAX_THREADS": str(ROOMS),
        "LOG_LEVEL": "WARNING",
    }


def used(service: Service) -> tuple[float, float]:
    """Seconds of CPU: the service's, all its agents'."""
    return cpu_seconds(service.process.pid), sum(map(cpu_seconds, service.pis()))


def noted(sessions: Path) -> tuple[dict[str, float], dict[str, float]]:
    """When each prompt was heard, and when its answer began, as the agents have noted it."""
    times: dict[str, dict[str, float]] = {"heard": {}, "began": {}}
    for log in sessions.glob(f"*/{telegram_pi.LOG}"):
        for what, name, at in map(str.split, log.read_text().splitlines()):
            times[what].setdefault(name, float(at))
    return times["heard"], times["began"]


def lines(
    told: Mapping[str, Any],
    heard: Mapping[str, float],
    spoke: Mapping[str, float],
    cpu: Sequence[float],
    memory: tuple[int, int],
    lasted: float,
) -> list[Line]:
    """What the notes of all sides say together."""
    said = {name: at for name, at in told["said"].items() if name.startswith("load")}
    finals = {name: count for name, count in told["finals"].items() if name in said}
    private = set(told["private"])
    prompt = [heard[name] - at for name, at in said.items() if name in heard]
    shown = {name: told["seen"][name] - at for name, at in spoke.items() if name in told["seen"] and name in said}
    near = [seconds for name, seconds in shown.items() if name in private]
    far = [seconds for name, seconds in shown.items() if name not in private]
    failed = {what: count for what, count in told["statuses"].items() if not what.endswith((" 200", " None"))}
    refused = sum(count for what, count in failed.items() if what.endswith(" 429"))
    megabytes = [size / 1e6 for size in memory]
    return [
        Line("answers of 429", f"{refused}", "0", refused == 0),
        Line("other refusals", f"{sum(failed.values()) - refused}"),
        *(Line(f"  {what}", f"{count}") for what, count in sorted(failed.items())),
        Line("turns begun", f"{len(said)}"),
        Line("finals delivered", f"{len(finals)}", f"{len(said)}", len(finals) == len(said)),
        Line("finals delivered twice", f"{sum(count > 1 for count in finals.values())}"),
        Line(
            "update → prompt at pi, p50", milliseconds(percentile(prompt, 50)), "10 ms", percentile(prompt, 50) <= 0.010
        ),
        Line(
            "update → prompt at pi, p99", milliseconds(percentile(prompt, 99)), "40 ms", percentile(prompt, 99) <= 0.040
        ),
        Line(
            "first delta → shown, private, p50",
            milliseconds(percentile(near, 50)),
            "150 ms",
            percentile(near, 50) < 0.150,
        ),
        Line("first delta → shown, private, p99", milliseconds(percentile(near, 99))),
        Line("first delta → shown, topics, p50", milliseconds(percentile(far, 50))),
        Line("first delta → shown, topics, p99", milliseconds(percentile(far, 99))),
        Line("deltas taken", f"{sum(name in said for name in spoke) * DELTAS / lasted:,.0f} /s"),
        Line("CPU of the service", f"{100 * cpu[0]:.0f} % of a core"),
        Line("CPU of all scripted pis", f"{100 * cpu[1]:.0f} % of a core"),
        Line("CPU of the people and their Telegram", f"{100 * cpu[2]:.0f} % of a core"),
        Line("memory of the service", f"{megabytes[0]:.0f} MB"),
        Line("memory of all scripted pis", f"{megabytes[1]:.0f} MB"),
    ]
