"""Folders, a model with a script and the plan of an agent with the real pi, for the tests of what a conversation hears.

Used by the tests `test_agent_…with_pi`.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import msgspec
import trio

from actors.messages import Prompt, TurnSettled
from actors.pi.installation import AgentPlan, locate
from actors.pi.providers import KEY_VARIABLE, agent_files, compatible
from actors.settings import Secret
from tests.actors.pi.bench import Bench, open_bench, plan, processes
from tests.contracts.pi_rig import models
from tests.fakes.llm import KEY, MODEL, FakeLLM, Reply, open_llm


class Rig:
    """What an agent needs. Its provider has two models, of which the first sees pictures."""

    def __init__(self, folder: Path, llm: FakeLLM) -> None:
        self.folder = folder
        self.llm = llm
        self.work = folder / "work"
        made = compatible("fake", llm.base_url, MODEL, Secret(KEY))
        providers = models(llm.base_url, key=f"${KEY_VARIABLE}")["providers"]
        self.provider = msgspec.structs.replace(made, providers=providers)
        for name in ("agent", "agent/extensions", "sessions", "tmp", "home"):
            (folder / name).mkdir()
        for name, text in agent_files(self.provider, trust_projects=False).items():
            (folder / "agent" / name).write_text(text)

    def extension(self, code: str) -> None:
        """An extension of the person's own."""
        (self.folder / "agent/extensions/own.ts").write_text(f"export default function (pi) {{ {code} }}")

    def listen(self, more: str = "") -> None:
        """Have pi note what it is told, before it does anything with it."""
        note = f'appendFileSync({str(self.folder / "told")!r}, event.text + "\\n");'
        handler = f"async (event) => {{ const {{ appendFileSync }} = await import('node:fs'); {note} {more} }}"
        self.extension(f'pi.on("input", {handler});')

    async def until_told(self, text: str) -> None:
        """Wait until pi was told this."""
        told = self.folder / "told"
        with trio.fail_after(20):
            while not (told.exists() and text in told.read_text()):  # noqa: ASYNC110 - nobody tells us
                await trio.sleep(0.01)

    def plan(self, **more: Any) -> AgentPlan:
        own = {"TMPDIR": str(self.folder / "tmp"), "HOME": str(self.folder / "home")}
        service = {"TELEGRAM_BOT_TOKEN": "1:bot", "NOTIFY_SOCKET": "/run/notify", "LLM_API_KEY": "other"}
        fields = {"installation": locate(), "provider": self.provider, "environ": dict(os.environ) | own | service}
        return AgentPlan(**plan(self.folder, **(fields | more)))

    @asynccontextmanager
    async def agent(self, *replies: Reply, **more: Any) -> AsyncIterator[Bench]:
        self.llm.replies += replies
        async with open_bench(self.folder, self.plan(), **more) as bench:
            yield bench

    def asked(self) -> list[tuple[str, str]]:
        """What the model was sent last, without the system's."""
        sent = [(message["role"], message.get("content") or "") for message in self.llm.requests[-1]["messages"]]
        return [(role, _text(content)) for role, content in sent if role != "system"]

    def session_files(self) -> list[Path]:
        return list((self.folder / "sessions/den").glob("*.jsonl"))


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@asynccontextmanager
async def open_rig(folder: Path) -> AsyncIterator[Rig]:
    """A rig, up; afterwards no process of it is left."""
    async with open_llm([]) as llm:
        yield Rig(folder, llm)
    orphan = folder / "work/orphan"
    if orphan.exists():
        with suppress(ProcessLookupError):
            os.kill(int(orphan.read_text()), SIGKILL)  # pi's commands outlive a killed pi, unless its cage ended them
    with trio.fail_after(5):
        while processes(str(folder)):  # noqa: ASYNC110 - it is not our child
            await trio.sleep(0.01)


async def until_there(file: Path) -> None:
    with trio.fail_after(20):
        while not file.exists():  # noqa: ASYNC110, ASYNC240 - nobody tells us
            await trio.sleep(0.01)


async def run(bench: Bench, turn: str, text: str, incarnation: int = 1) -> TurnSettled:
    await bench.agent.tell(Prompt(turn=turn, incarnation=incarnation, text=text))
    return await bench.until(TurnSettled)
