"""The real pi when nothing comes of it: its provider dead, its tools silent or deaf, itself stopped or spinning.

Limits that are minutes in the service are seconds here; what pi does is its own.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import msgspec
import pytest
import trio

from actors.messages import AgentLost, AgentNoted, Compact, Compacted, Prompt, TextGrew, ToolStarted, TurnSettled
from actors.pi import agent as agent_file
from actors.pi import run as run_file
from actors.pi.demo_server import DemoServer, Tempo
from actors.pi.demo_wire import MODEL_ID, PROVIDER_ID
from actors.pi.providers import agent_files, compatible
from actors.pi.stalls import Limit, Patience
from actors.settings import Secret
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, open_bench
from tests.contracts.agent_rig import Rig, open_rig, run
from tests.fakes.llm import KEY, Reply, ToolCall

STUCK = """
pi.registerTool({
  name: "stuck", label: "stuck", description: "never ends", parameters: { type: "object", properties: {} },
  execute: () => new Promise(() => { setInterval(() => {}, 1000); })
});
pi.registerTool({
  name: "spin", label: "spin", description: "spins", parameters: { type: "object", properties: {} },
  execute: async () => { for (;;) {} }
});
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


def settings(rig: Rig, model_timeout: float, **more: Any) -> None:
    """What the service writes for pi, with less time between two tries."""
    files = agent_files(rig.provider, trust_projects=False, model_timeout=model_timeout)
    given = msgspec.json.decode(files["settings.json"])
    given["retry"]["baseDelayMs"] = 100
    (rig.folder / "agent/settings.json").write_bytes(msgspec.json.encode(given | more))


@asynccontextmanager
async def working(rig: Rig, patience: Patience, *replies: Reply) -> AsyncIterator[Bench]:
    rig.llm.replies += replies
    async with open_bench(rig.folder, rig.plan(patience=patience)) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        yield bench


def coarse(text: str) -> str:
    """Whatever number of seconds it says."""
    return re.sub(r"\d+ s\b", "n s", text)


def noted(bench: Bench) -> list[str]:
    return [coarse(event.text) for event in bench.heard if isinstance(event, AgentNoted)]


@pytest.mark.parametrize("begins", [False, True])
async def test_a_provider_that_falls_silent_is_known_and_said_by_pi_itself(rig: Rig, begins: bool) -> None:
    settings(rig, 1.0)
    dead = Reply(deltas=("par",), hold=True) if begins else Reply(pause=60.0)
    async with working(rig, Patience(), *[dead] * 4) as bench:
        settled = await bench.until(TurnSettled)
        why = "terminated" if begins else "Request timed out."
        assert (settled.stop_reason, settled.error) == ("error", why)
        assert [text.partition(";")[0] for text in noted(bench)] == [f"the model failed ({why})"] * 3
        assert len(rig.llm.requests) == 4
        rig.llm.replies.append(Reply(deltas=("back",)))
        assert (await run(bench, "t2", "again")).text == "back"


async def test_an_answer_that_takes_longer_than_that_is_no_matter(rig: Rig, nursery: trio.Nursery) -> None:
    server = DemoServer(KEY, tempo=Tempo(slow=0.1))
    demo = compatible(PROVIDER_ID, await nursery.start(server.run), MODEL_ID, Secret(KEY))
    for name, text in agent_files(demo, trust_projects=False, model_timeout=1.0).items():
        (rig.folder / "agent" / name).write_text(text)
    async with open_bench(rig.folder, rig.plan(provider=demo)) as bench:
        await bench.ready()
        began = trio.current_time()
        settled = await run(bench, "t1", "slow: 35")
        assert trio.current_time() - began > 3.0
    assert (settled.stop_reason, settled.text.split()[-1]) == ("stop", "35")
    assert noted(bench) == []


async def test_a_request_that_pi_has_lost_is_ended_by_an_abort(rig: Rig) -> None:
    settings(rig, 3600.0)  # so pi waits on, as one does whose own timer is gone
    patience = Patience(model=Limit(1.0, 2.0), look=0.1)
    async with working(rig, patience, Reply(pause=60.0), Reply(deltas=("fresh",))) as bench:
        settled = await bench.until(TurnSettled)
        assert settled.stop_reason == "error"
        assert coarse(settled.error) == "no word from the model for n s, so the run was ended"
        assert noted(bench) == [
            "no word from the model for n s",
            "no word from the model for n s; ending the run",
        ]
        assert (await run(bench, "t2", "again")).text == "fresh"
        assert bench.recorder.of(ChildExited, "/agent") == []


async def test_a_silent_tool_is_told_of_and_one_that_prints_is_not(rig: Rig) -> None:
    patience = Patience(tool=Limit(0.6, None), ask=0.3, answers=5.0, look=0.05)
    silent = ToolCall("bash", {"command": "sleep 1.5; : silent as in sleep infinity"})
    prints = ToolCall("bash", {"command": "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.2; done"})
    async with working(
        rig, patience, Reply(tool=silent), Reply(deltas=("a",)), Reply(tool=prints), Reply(deltas=("b",))
    ) as bench:
        assert (await bench.until(TurnSettled)).text == "a"
        assert noted(bench) == ["bash has said nothing for n s; /stop ends the turn"] * 2
        assert (await run(bench, "t2", "again")).text == "b"
        assert len(noted(bench)) == 2


async def test_to_be_asked_for_a_sign_disturbs_it_in_nothing(rig: Rig) -> None:
    settings(rig, 60.0, compaction={"keepRecentTokens": 2})
    patience = Patience(ask=0.0, answers=30.0, look=0.01)  # all the time
    slow = ToolCall("bash", {"command": "sleep 0.5; echo seen"})
    async with working(
        rig,
        patience,
        Reply(deltas=("a", "b"), tool=slow, pause=0.5, gap=0.1),
        Reply(status=500),
        Reply(deltas=("do", "ne"), pause=0.5, gap=0.1),
    ) as bench:
        settled = await bench.until(TurnSettled)
        assert (settled.text, settled.stop_reason) == ("done", "stop")
        assert ("tool", "seen") in [(role, text.strip()) for role, text in rig.asked()]
        assert len(noted(bench)) == 1, "the model's failure"
        rig.llm.replies.append(Reply(deltas=("a summary",), pause=0.5))
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        assert (await bench.until(Compacted)).error == ""
        rig.llm.replies.append(Reply(deltas=("more",)))
        assert (await run(bench, "t2", "again")).text == "more"
        assert bench.recorder.of(ChildExited, "/agent") == []


@pytest.mark.parametrize("way", ["stopped", "spin"])
async def test_a_pi_that_is_stopped_or_spins_is_ended_by_sigkill_and_the_next_one_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(run_file, "ABORT_DEADLINE", 0.5)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 1.5)
    rig.extension(STUCK)
    reply = Reply(tool=ToolCall("spin", {})) if way == "spin" else Reply(deltas=("par",), hold=True)
    patience = Patience(ask=0.5, answers=1.0, tool_answers=1.0, look=0.05)
    async with working(rig, patience, reply, Reply(deltas=("fresh",))) as bench:
        await bench.until(ToolStarted if way == "spin" else TextGrew)
        pid = bench.pid
        if way == "stopped":
            os.kill(pid, SIGSTOP)
        assert (await bench.until(AgentLost)).what == "pi did not answer within 1 s"
        assert await bench.ready() == 2
        assert not os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240 - no disk
        steps = ["its input is closed", "SIGTERM", "SIGKILL"]
        assert noted(bench) == ["pi does not answer; ending it", *(f"ending pi: {step}" for step in steps)]
        assert (await run(bench, "t2", "again", 2)).text == "fresh"


async def test_a_pi_that_was_only_held_up_goes_on(rig: Rig) -> None:
    patience = Patience(ask=0.3, answers=30.0, look=0.05)
    async with working(rig, patience, Reply(deltas=("whole",), pause=0.5)) as bench:
        await trio.sleep(0.2)
        os.kill(bench.pid, SIGSTOP)
        await trio.sleep(1.5)
        os.kill(bench.pid, SIGCONT)
        assert (await bench.until(TurnSettled)).text == "whole"
    assert noted(bench) == []


async def test_a_tool_that_ignores_its_abort_ends_its_pi(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_file, "ABORT_DEADLINE", 1.0)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 1.5)
    rig.extension(STUCK)
    patience = Patience(tool=Limit(0.3, 0.8), ask=0.3, look=0.05)  # it answers: it is only the run that does not end
    async with working(rig, patience, Reply(tool=ToolCall("stuck", {})), Reply(deltas=("fresh",))) as bench:
        await bench.until(ToolStarted)
        assert (await bench.until(AgentLost)).what == "pi did not end its run within 1 s"
        assert await bench.ready() == 2
        silent = "stuck has said nothing for n s"
        assert noted(bench)[:3] == [silent, f"{silent}; ending the run", "ending pi: its input is closed"]
        assert (await run(bench, "t2", "again", 2)).text == "fresh"
