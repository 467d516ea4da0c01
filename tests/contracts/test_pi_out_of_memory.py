"""The real pi that can get no more memory: how it ends, and that its people are told so."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.messages import AgentLost, Prompt, Room
from actors.pi.installation import AgentPlan
from actors.pi.process import LaunchSpec
from supervisor import Restart
from tests.actors.pi.bench import open_bench
from tests.contracts.agent_rig import Rig, open_rig
from tests.fakes.llm import Reply, ToolCall

EATS = """
pi.registerTool({
  name: "eat", label: "eat", description: "eats memory", parameters: { type: "object", properties: {} },
  execute: async () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); }
});
"""


class Bounded(AgentPlan, frozen=True, kw_only=True):
    """Starts pi with a bound on its heap, or on what the kernel gives it."""

    way: str

    def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
        spec = super().spec(room, mark, *given, **more)
        node, *rest = spec.argv
        if self.way == "heap":
            return msgspec.structs.replace(spec, argv=(node, "--max-old-space-size=150", *rest))
        limited = ("/bin/sh", "-c", 'ulimit -d 600000 && exec "$@"', "sh", *spec.argv)
        return msgspec.structs.replace(spec, argv=limited)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("way", ["heap", "ulimit"])
async def test_a_pi_without_memory_says_so(rig: Rig, way: str) -> None:
    rig.extension(EATS)
    rig.llm.replies.append(Reply(tool=ToolCall("eat", {})))
    usual = msgspec.structs.asdict(rig.plan())
    async with open_bench(rig.folder, Bounded(**usual, way=way), restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="eat"))
        lost = await bench.until(AgentLost)
    assert lost.what.startswith("pi ended, killed by SIG")
    assert lost.what.endswith(", out of memory: it could get no more for itself")
    assert lost.stderr
