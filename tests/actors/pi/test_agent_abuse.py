"""A pi that sends what no pi should, or stops in the middle of it: the agent goes on or ends, and never swells."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.messages import AgentLost, Prompt, TextGrew, TurnSettled
from actors.pi import link
from tests.actors.pi.bench import Bench, open_bench, scripted

MB = 1024 * 1024
HELLO: dict[str, Any] = {"deltas": ["Hel", "lo"]}
ROOM_TO_SWELL = 48 * MB
"""What an agent's reading may cost at its worst: a line of 8 MiB in a few copies, and what the test itself takes."""


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@asynccontextmanager
async def slim() -> AsyncIterator[None]:
    """Fails if the process swells meanwhile."""
    before = most = resident()

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, resident())
            await trio.sleep(0.002)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        yield
        nursery.cancel_scope.cancel()
    assert most - before < ROOM_TO_SWELL, f"{(most - before) / MB:.0f} MB"


async def run(bench: Bench, turn: str = "t1", incarnation: int = 1) -> TurnSettled:
    await bench.agent.tell(Prompt(turn=turn, incarnation=incarnation, text="hi"))
    return await bench.until(TurnSettled)


@pytest.mark.parametrize(
    "abuse",
    [
        {"huge": 64 * MB},
        {"huge": 8 * MB - 1000},
        {"noise": ["null", "[]", "5", '"s"', "{}", "true", "\x00", "\u2028", '{"type":null}', '{"type":"response"}']},
        {"noise": ["[" * 20_000, '{"type":"message_end","message":' * 500, '{"type":"agent_start"' + " " * 20_000]},
        {"noise": ["garbage " * 8] * 1000},
        {"noise": [f'{{"type":"tool_execution_start","toolCallId":"{n}","toolName":"x"}}' for n in range(1000)]},
    ],
    ids=["64 MB", "8 MB", "wrong", "deep", "garbage", "tools"],
)
async def test_what_no_pi_should_send_is_passed_over(tmp_path: Path, abuse: dict[str, Any]) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELLO | abuse, HELLO]})) as bench:
        await bench.ready()
        async with slim():
            settled = await run(bench)
        assert (settled.text, settled.stop_reason) == ("Hello", "stop")
        assert (await run(bench, "t2")).text == "Hello"
        assert not any(isinstance(event, AgentLost) for event in bench.heard)


async def test_a_flood_of_deltas_is_a_few_pictures(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [{"flood": 40_000}]})) as bench:
        await bench.ready()
        async with slim():
            settled = await run(bench)
    assert settled.text == "x " * 40_000
    assert sum(isinstance(event, TextGrew) for event in bench.heard) < 1000


@pytest.mark.parametrize(
    ("end", "what"),
    [
        ({"crash": -256}, "pi ended, exit code 0"),
        ({"mute": True}, "pi closed its output and did not end within 0.3 s"),
    ],
    ids=["exit", "mute"],
)
async def test_one_that_goes_in_the_middle_of_a_run_is_lost_whatever_it_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], what: str
) -> None:
    monkeypatch.setattr(link, "END_DEADLINE", 0.3)
    plan = scripted(tmp_path, {"replies": [{"deltas": ["par"]} | end]}, {"replies": [HELLO]})
    async with open_bench(tmp_path, plan) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        assert (await bench.until(AgentLost)).what == what
        assert await bench.ready() == 2
        assert (await run(bench, "t2", 2)).text == "Hello"
    assert not any(isinstance(event, TurnSettled) and event.turn == "t1" for event in bench.heard)
