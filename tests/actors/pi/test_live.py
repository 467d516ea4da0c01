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

from actors.messages import (
    Abort,
    Prompt,
    PromptRefused,
    QuestionAsked,
    Recall,
    Room,
    SetModel,
    Steer,
    SteerTaken,
    TurnSettled,
)
from actors.pi import live, run
from actors.pi.installation import AgentPlan
from actors.pi.process import LaunchSpec
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, open_bench, plan

FRAME = """
import json, sys, threading
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
    elif kind == "get_available_thinking_levels":
        LEVELS
    elif kind == "steer" and "slow" in odd:
        say(type="agent_settled")
        threading.Timer(0.2, lambda: (odd.update(queue=[command["message"]]), say(**ok))).start()
    elif kind == "steer":
        odd.setdefault("queue", []).append(command["message"])
        say(**ok)
        if len(odd["queue"]) == odd.get("enough"):
            say(type="message_end", message={"role": "user", "content": odd["queue"].pop(0)})
            say(type="agent_settled")
    elif kind == "clear_queue":
        say(**ok, data={"steering": odd.pop("queue", []), "followUp": []})
    elif kind == "extension_ui_response":
        say(type="odd-cancelled" if command.get("cancelled") else "odd-answered")
    else:
        say(**ok)
"""


class OddPlan(AgentPlan, frozen=True, kw_only=True):
    """Starts a pi of a few lines."""

    code: str

    def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
        argv = (sys.executable, "-S", "-c", self.code)
        return msgspec.structs.replace(super().spec(room, mark, *given, **more), argv=argv, needs=())


@asynccontextmanager
async def odd(
    folder: Path, *, prompt: str, abort: str = "say(**ok)", levels: str = "say(**ok)"
) -> AsyncIterator[Bench]:
    """A bench with a pi that does this at a prompt and that at an abort, or when it is asked how it could think."""
    code = FRAME.replace("PROMPT", prompt).replace("ABORT", abort).replace("LEVELS", levels)
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


async def test_a_question_of_which_no_turn_knows_is_dismissed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    question = json.dumps({"type": "extension_ui_request", "id": "d1", "method": "confirm", "title": "Sure?"})
    done = f'say(**ok); say(type="agent_start"); say(type="agent_settled"); say(**json.loads({question!r}))'
    async with odd(tmp_path, prompt=done) as bench:
        await heard_odd(caplog)
        assert not any(isinstance(event, QuestionAsked) for event in bench.heard)
    assert "odd-cancelled" in caplog.text


async def test_what_pi_still_holds_when_its_run_is_over_is_given_back(tmp_path: Path) -> None:
    begin = """say(**ok); odd.update(on=True, enough=3); say(type="agent_start")
        say(type="message_end", message={"role": "user", "content": "hi"})"""
    async with odd(tmp_path, prompt=begin) as bench:
        for inbound in (7, 8, 9):
            await bench.agent.tell(Steer(turn="t1", incarnation=1, inbound=inbound, text="same"))
        settled = await bench.until(TurnSettled)
        assert settled.unconsumed == (8, 9)
    assert [event.inbound for event in bench.heard if isinstance(event, SteerTaken)] == [7]


async def test_what_pi_is_still_taking_in_when_its_run_is_over_is_waited_for(tmp_path: Path) -> None:
    begin = """say(**ok); odd.update(on=True, slow=True); say(type="agent_start")"""
    async with odd(tmp_path, prompt=begin) as bench:
        await bench.agent.tell(Steer(turn="t1", incarnation=1, inbound=7, text="late"))
        assert (await bench.until(TurnSettled)).unconsumed == (7,)
    assert not any(isinstance(event, SteerTaken) for event in bench.heard)


async def test_what_was_heard_without_a_word_of_it_is_told_at_the_end(tmp_path: Path) -> None:
    begin = 'say(**ok); odd.update(on=True, enough=2); say(type="agent_start")'
    async with odd(tmp_path, prompt=begin) as bench:
        for inbound in (7, 8):
            await bench.agent.tell(Steer(turn="t1", incarnation=1, inbound=inbound, text=f"number {inbound}"))
        settled = await bench.until(TurnSettled)
        assert settled.unconsumed == (8,)
    assert [event.inbound for event in bench.heard if isinstance(event, SteerTaken)] == [7]


HANG = 'say(type="odd"); import time; time.sleep(600)'


async def heard_odd(caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the last word of a pi that hangs is in the log, and so all before it is heard."""
    with trio.fail_after(30):
        while "odd" not in caplog.text:  # noqa: ASYNC110  # a log has no event
            await trio.sleep(0.01)


async def test_a_pi_that_hangs_when_its_run_is_over_is_ended_by_an_abort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "ABORT_DEADLINE", 0.2)
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


async def test_a_pi_that_hangs_when_its_model_is_changed_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MODEL_DEADLINE", 0.2)
    async with odd(tmp_path, prompt='say(**ok); say(type="agent_start")', levels=HANG) as bench:
        await bench.agent.tell(SetModel(incarnation=1, model=None, thinking="high"))
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
        assert exited.reason == "pi did not change its model within 0.2 s"
