"""What a live pi's odd behaviour comes to, with a pi of a few lines for each; the usual one is in `test_agent`."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.messages import Abort, AgentNoted, Prompt, PromptRefused, Recall, Room, TurnSettled
from actors.pi import live
from actors.pi.installation import AgentPlan
from actors.pi.process import LaunchSpec
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, open_bench, plan

FRAME = """
import json, sys
say = lambda **record: print(json.dumps(record), flush=True)
data = {
    "get_state": {"sessionId": "den-1", "isStreaming": False},
    "get_available_models": {"models": [{"id": "fake-1", "provider": "fake"}]},
    "get_entries": {"entries": [], "leafId": None},
}
odd = {}
for line in sys.stdin:
    command = json.loads(line)
    kind = command["type"]
    ok = {"id": command.get("id"), "type": "response", "command": kind, "success": True}
    if kind == "get_state":
        ok["data"] = data[kind] | {"isStreaming": odd.get("on", False)}
    elif kind in data:
        ok["data"] = data[kind]
    if kind == "prompt":
        PROMPT
    elif kind == "abort":
        ABORT
    elif kind == "extension_ui_response":
        say(type="agent_settled", answer=command)
    else:
        say(**ok)
"""


class OddPlan(AgentPlan, frozen=True, kw_only=True):
    """Starts a pi of a few lines."""

    code: str

    def spec(self, room: Room) -> LaunchSpec:
        argv = (sys.executable, "-S", "-c", self.code)
        return msgspec.structs.replace(super().spec(room), argv=argv, needs=())


@asynccontextmanager
async def odd(folder: Path, *, prompt: str, abort: str = "say(**ok)") -> AsyncIterator[Bench]:
    """A bench with a pi that does this at a prompt and that at an abort."""
    code = FRAME.replace("PROMPT", prompt).replace("ABORT", abort)
    fields: dict[str, Any] = plan(folder, code=code)
    async with open_bench(folder, OddPlan(**fields)) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        yield bench


async def test_an_abort_before_the_first_word_is_an_abort_though_pi_says_nothing_of_it(tmp_path: Path) -> None:
    begin = 'say(**ok); odd["on"] = True'
    end = 'say(type="agent_start"); say(type="agent_settled"); say(**ok)'
    async with odd(tmp_path, prompt=begin, abort=end) as bench:
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        settled = await bench.until(TurnSettled)
    assert settled.stop_reason == "aborted"


async def test_a_run_without_an_answer_is_an_error(tmp_path: Path) -> None:
    async with odd(tmp_path, prompt='say(**ok); say(type="agent_start"); say(type="agent_settled")') as bench:
        settled = await bench.until(TurnSettled)
    assert (settled.stop_reason, settled.error) == ("error", "pi ended the run without an answer")


async def test_the_end_of_a_run_that_nobody_asked_for_is_not_the_turns(tmp_path: Path) -> None:
    stray = 'say(type="agent_settled"); say(**ok); say(type="agent_start"); odd["on"] = True'
    end = 'say(type="agent_settled"); say(**ok)'
    async with odd(tmp_path, prompt=stray, abort=end) as bench:
        with trio.move_on_after(0.2):
            await bench.until(TurnSettled)
        assert not any(isinstance(event, TurnSettled) for event in bench.heard)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert (await bench.until(TurnSettled)).turn == "t1"


async def test_a_refusal_is_told_and_leaves_nothing_to_abort(tmp_path: Path) -> None:
    refuse = 'say(**(ok | {"success": False, "error": "no key for fake"}))'
    async with odd(tmp_path, prompt=refuse, abort="raise SystemExit(9)") as bench:
        refused = await bench.until(PromptRefused)
        assert refused == PromptRefused(turn="t1", incarnation=1, error="no key for fake")
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        for turn in ("t2", "t3", "t4"):
            await bench.agent.tell(Prompt(turn=turn, incarnation=1, text="again"))
            assert (await bench.until(PromptRefused)).turn == turn
        assert not bench.recorder.of(ChildExited)


async def test_a_question_of_an_extension_is_dismissed_and_told(tmp_path: Path) -> None:
    question = {"type": "extension_ui_request", "id": "d1", "method": "confirm", "title": "Sure?"}
    ask = f'say(**ok); odd["on"] = True; say(type="agent_start"); say(**json.loads({json.dumps(question)!r}))'
    async with odd(tmp_path, prompt=ask) as bench:
        noted = await bench.until(AgentNoted)
        assert noted == AgentNoted(turn="t1", text="a question of an extension was dismissed: Sure?")
        await bench.until(TurnSettled)  # this pi settles when it is answered


HANG = 'say(type="odd"); import time; time.sleep(600)'


async def heard_odd(caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the last word of a pi that hangs is in the log, and so all before it is heard."""
    with trio.fail_after(30):
        while "odd" not in caplog.text:  # noqa: ASYNC110  # a log has no event
            await trio.sleep(0.01)


async def test_a_pi_that_hangs_when_its_run_is_over_is_ended_by_an_abort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "ABORT_DEADLINE", 0.2)
    settle = f'say(**ok); say(type="agent_start"); say(type="agent_settled"); {HANG}'
    async with odd(tmp_path, prompt=settle) as bench:
        await heard_odd(caplog)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
        assert exited.reason == "pi did not end its run within 0.2 s"


async def test_a_pi_that_hangs_when_it_is_asked_for_its_session_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "RECALL_DEADLINE", 0.2)
    async with odd(tmp_path, prompt=HANG) as bench:
        await heard_odd(caplog)
        await bench.agent.tell(Recall(turn="t1", incarnation=1, since=None))
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
        assert exited.reason == "pi did not say what its session holds within 0.2 s"
