"""An agent that brings forth nothing, as its conversation sees it: told, then ended, pi itself only if it must be.

The scripted pi really hangs, spins, is stopped. The service's clock goes as it does, and is put forward where minutes
are to pass: so no limit is so short that a machine at its limit could exceed it.
"""

import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    Abort,
    AgentLost,
    AgentNoted,
    AgentWaits,
    AnswerDialog,
    Compact,
    Prompt,
    QuestionAsked,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi import agent as agent_file
from actors.pi import run
from actors.pi.stalls import SILENT, Limit, Patience
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, open_bench, processes, scripted
from tests.actors.pi.scripted_hands import ScriptedHands

HELD: dict[str, Any] = {"deltas": ["part "], "hold": True}
DONE: dict[str, Any] = {"deltas": ["done"]}
NEVER = Limit(1000.0, None)


MINUTES = Limit(300.0, 600.0)


@pytest.fixture
def clock() -> MockClock:
    """pytest-trio runs the test by it."""
    return MockClock(rate=1.0)


def tool(command: str) -> dict[str, Any]:
    return {"tool": {"name": "bash", "arguments": {"command": command}}}


def patient(**limits: Any) -> Patience:
    """Never in a hurry but for what is given."""
    kinds = dict.fromkeys(("model", "answer", "retry", "compaction", "between", "tool"), NEVER)
    fields: dict[str, Any] = {**kinds, "ask": 1000.0, "answers": 1000.0, "look": 0.02}
    return Patience(**(fields | limits))


@asynccontextmanager
async def working(folder: Path, patience: Patience, *replies: dict[str, Any], **script: Any) -> AsyncIterator[Bench]:
    """An agent that has been given a prompt."""
    plan = scripted(folder, {"replies": list(replies), **script}, {}, patience=patience)
    async with open_bench(folder, plan) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        yield bench


async def pass_by(clock: MockClock, seconds: float) -> None:
    """Let this time pass, and pi be looked at before and after it."""
    await trio.sleep(0.2)
    clock.jump(seconds)
    await trio.sleep(0.2)


def coarse(text: str | None) -> str:
    """Without the seconds, which pass by themselves."""
    return re.sub(r"min \d+ s", "min", text or "")


def noted(bench: Bench) -> list[str]:
    return [coarse(event.text) for event in bench.heard if isinstance(event, AgentNoted)]


async def at(bench: Bench, doing: str) -> None:
    """Wait until the tree says this, from its beginning on."""
    with trio.fail_after(20):
        while not (bench.doing or "").startswith(doing):  # noqa: ASYNC110 - nobody tells us
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "reply", "doing", "said"),
    [
        ("model", {"deltas": ["late"], "pause": 60.0}, "waiting for the model", "no word from the model for"),
        ("answer", HELD, "answering", "the model's answer has not gone on for"),
    ],
)
async def test_a_model_that_is_silent_is_told_of_and_then_given_up(
    tmp_path: Path, clock: MockClock, kind: str, reply: dict[str, Any], doing: str, said: str
) -> None:
    async with working(tmp_path, patient(**{kind: MINUTES}), reply, DONE) as bench:
        await at(bench, doing)
        await pass_by(clock, 301.0)
        assert coarse((await bench.until(AgentNoted)).text) == f"{said} 5 min"
        await pass_by(clock, 301.0)
        settled = await bench.until(TurnSettled)
        assert noted(bench) == [f"{said} 5 min", f"{said} 10 min; ending the run"]
        assert (settled.stop_reason, coarse(settled.error)) == ("error", f"{said} 10 min, so the run was ended")
        pid = bench.pid
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="next"))  # the same pi goes on
        assert (await bench.until(TurnSettled)).text == "done"
        assert bench.pid == pid


async def test_a_prompt_that_never_begins_is_told_of(tmp_path: Path, clock: MockClock) -> None:
    plan = scripted(tmp_path, {"replies": [DONE]}, patience=patient(between=Limit(300.0, None)))
    async with open_bench(tmp_path, plan) as bench:
        await bench.ready()
        os.kill(bench.pid, signal.SIGSTOP)
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await at(bench, "at work")
        await pass_by(clock, 301.0)
        assert coarse((await bench.until(AgentNoted)).text) == "pi has not gone on for 5 min; /stop ends the turn"
        os.kill(bench.pid, signal.SIGCONT)
        assert (await bench.until(TurnSettled)).text == "done"


def waits(go: Path) -> str:
    """A command that is over when the file is there."""
    return f"while [ ! -e {go} ]; do sleep 0.02; done"


async def test_a_tool_that_prints_nothing_is_told_of_and_runs_on(tmp_path: Path, clock: MockClock) -> None:
    go = tmp_path / "go"
    async with working(tmp_path, patient(tool=Limit(300.0, None)), tool(waits(go)), DONE) as bench:
        await at(bench, "running bash")
        for seconds in (301.0, 300.0, 300.0, 300.0):
            await pass_by(clock, seconds)
        go.touch()
        assert (await bench.until(TurnSettled)).stop_reason == "stop"
    hint = "; /stop ends the turn"
    # Each time the silence has doubled.
    assert noted(bench) == [f"bash has said nothing for {time} min{hint}" for time in (5, 10, 20)]


async def test_a_tool_that_prints_is_alive(tmp_path: Path, clock: MockClock) -> None:
    go = [tmp_path / f"go{number}" for number in range(4)]
    prints = tool("; ".join(f"{waits(each)}; echo {each.name}" for each in go))
    async with working(tmp_path, patient(tool=MINUTES), prints, DONE) as bench:
        await at(bench, "running bash")
        for each in go:
            await pass_by(clock, 250.0)
            assert coarse(bench.doing).endswith("silent for 4 min")
            each.touch()
            with trio.fail_after(20):
                while "silent" in str(bench.doing):  # noqa: ASYNC110 - nobody tells us
                    await trio.sleep(0.01)
        assert (await bench.until(TurnSettled)).text == "done"
    assert noted(bench) == []


async def test_a_person_is_waited_for_without_end(tmp_path: Path, clock: MockClock) -> None:
    asks = {"tool": {"name": "dialog", "arguments": {"method": "input", "title": "Which?"}}}
    patience = patient(tool=MINUTES, between=MINUTES, model=MINUTES, ask=60.0, tool_answers=60.0)
    async with working(tmp_path, patience, asks, DONE) as bench:
        asked = await bench.until(QuestionAsked)
        os.kill(bench.pid, signal.SIGSTOP)  # nor is it asked for a sign
        await pass_by(clock, 10_000.0)
        os.kill(bench.pid, signal.SIGCONT)
        await bench.agent.tell(AnswerDialog(incarnation=1, dialog=asked.dialog, value="this"))
        assert (await bench.until(TurnSettled)).text == "done"
    assert noted(bench) == []


async def test_a_sub_agent_is_waited_for_without_end(tmp_path: Path, clock: MockClock) -> None:
    hands = ScriptedHands()
    calls = {"tool": {"name": "spawn_subagent", "arguments": {"task": "look", "wait": True}}}
    patience = patient(tool=MINUTES, between=MINUTES, model=MINUTES, ask=60.0, tool_answers=60.0)
    plan = scripted(tmp_path, {"replies": [calls, DONE]}, patience=patience)
    async with open_bench(tmp_path, plan, hands=hands.make) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await bench.until(AgentWaits)
        os.kill(bench.pid, signal.SIGSTOP)
        await pass_by(clock, 10_000.0)
        assert "silent" not in (bench.doing or "")
        os.kill(bench.pid, signal.SIGCONT)
        hands.let_go()
        assert (await bench.until(TurnSettled)).text == "done"
    assert noted(bench) == []


async def test_when_it_has_ended_it_is_waited_for_no_more(tmp_path: Path, clock: MockClock) -> None:
    hands = ScriptedHands()
    calls = {"tool": {"name": "spawn_subagent", "arguments": {"task": "look", "wait": True}}}
    plan = scripted(tmp_path, {"replies": [calls, DONE]}, patience=patient(tool=Limit(300.0, None)))
    async with open_bench(tmp_path, plan, hands=hands.make) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await bench.until(AgentWaits)
        os.kill(bench.pid, signal.SIGSTOP)
        hands.let_go()
        await pass_by(clock, 301.0)
        said = coarse((await bench.until(AgentNoted)).text)
        assert said == "spawn_subagent has said nothing for 5 min; /stop ends the turn"
        os.kill(bench.pid, signal.SIGCONT)
        assert (await bench.until(TurnSettled)).text == "done"


async def test_when_pi_gave_the_question_up_itself_nobody_is_waited_for(tmp_path: Path) -> None:
    asks = {"tool": {"name": "dialog", "arguments": {"method": "input", "title": "Which?", "timeout": 300}}}
    async with working(tmp_path, patient(tool=Limit(0.2, None)), asks, DONE) as bench:
        await bench.until(QuestionAsked)
        assert (await bench.until(AgentNoted)).text.startswith("dialog has said nothing for")


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_pi_that_is_stopped_or_spins_is_ended_with_all_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock, stopped: bool
) -> None:
    monkeypatch.setattr(run, "ABORT_DEADLINE", 0.3)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.9)
    reply = HELD if stopped else HELD | {"spin": True}
    patience = patient(ask=60.0, answers=30.0)
    async with working(tmp_path, patience, reply, stubborn=not stopped) as bench:
        await bench.until(TextGrew)
        pid = bench.pid
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        for seconds in (61.0, 31.0):
            await pass_by(clock, seconds)
        lost = await bench.until(AgentLost)
        assert lost.what == "pi did not answer within 30 s"
        seen = set()
        with trio.fail_after(20):
            while not bench.recorder.of(ChildExited, "/agent"):
                seen.add(bench.doing)
                await trio.sleep(0.01)
        assert {"ending pi: its input is closed", "ending pi: SIGTERM"} <= seen  # the last one is over in no time
        assert not os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240 - no disk
        assert await bench.ready() == 2
        assert noted(bench) == [
            SILENT,
            *(f"ending pi: {step}" for step in ("its input is closed", "SIGTERM", "SIGKILL")),
        ]
    assert not processes(str(tmp_path))


async def test_a_pi_that_answers_is_left_in_peace(tmp_path: Path, clock: MockClock) -> None:
    async with working(tmp_path, patient(ask=60.0, answers=30.0), HELD) as bench:
        await bench.until(TextGrew)
        for _ in range(5):
            await pass_by(clock, 61.0)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"
    assert noted(bench) == []


async def test_what_ignores_its_abort_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ABORT_DEADLINE", 0.3)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.6)
    patience = patient(answer=Limit(0.2, 0.4))
    async with working(tmp_path, patience, HELD, deaf=True, stubborn=True) as bench:
        assert (await bench.until(AgentLost)).what == "pi did not end its run within 0.3 s"
        assert await bench.ready() == 2
    assert noted(bench)[-1] == "ending pi: SIGKILL"


async def test_a_persons_stop_stays_a_stop(tmp_path: Path, clock: MockClock) -> None:
    async with working(tmp_path, patient(answer=MINUTES), HELD) as bench:
        await bench.until(TextGrew)
        os.kill(bench.pid, signal.SIGSTOP)
        await pass_by(clock, 601.0)
        await bench.until(AgentNoted, lambda note: note.text.endswith("ending the run"))
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        await trio.sleep(0.05)
        os.kill(bench.pid, signal.SIGCONT)
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"


async def test_a_pi_that_hangs_while_it_summarises_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MockClock
) -> None:
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.6)
    patience = patient(ask=60.0, answers=30.0)
    async with working(tmp_path, patience, DONE, {"deltas": ["sum"], "pause": 60.0}, compactable=True) as bench:
        await bench.until(TurnSettled)
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        await at(bench, "compacting the session")
        os.kill(bench.pid, signal.SIGSTOP)
        for seconds in (61.0, 31.0):
            await pass_by(clock, seconds)
        assert (await bench.until(AgentLost)).what == "pi did not answer within 30 s"


async def test_one_that_hangs_behind_its_last_word_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SETTLE_DEADLINE", 0.3)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.6)
    plan = scripted(tmp_path, {"replies": [DONE], "last": signal.SIGSTOP}, {})
    async with open_bench(tmp_path, plan) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        assert (await bench.until(AgentLost)).what == "pi did not say where its session stands within 0.3 s"
        assert await bench.ready() == 2


async def test_a_conversation_that_does_not_listen_is_not_pis_silence(tmp_path: Path, clock: MockClock) -> None:
    tools = [tool("true") for _ in range(12)]
    patience = patient(
        **dict.fromkeys(("model", "answer", "between", "tool"), MINUTES), ask=60.0, answers=30.0, tool_answers=30.0
    )
    async with working(tmp_path, patience, *tools, HELD) as bench:
        bench.ears.close()
        await bench.full()
        bench.agent.tell_nowait(Abort(turn="t1", incarnation=1), urgent=True)
        await pass_by(clock, 10_000.0)
        bench.ears.open()
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"
        assert bench.recorder.of(ChildExited, "/agent") == []
    assert noted(bench) == []


async def test_a_run_is_not_ended_for_a_conversation_that_does_not_listen(
    tmp_path: Path, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    patience = patient(**dict.fromkeys(("model", "answer", "between", "tool"), MINUTES))
    async with working(tmp_path, patience, *[tool("true") for _ in range(12)], DONE) as bench:
        bench.ears.close()
        await bench.full()
        await pass_by(clock, 10_000.0)
        bench.ears.open()
        settled = await bench.until(TurnSettled)
    assert (settled.stop_reason, settled.text) == ("stop", "done")
    assert "ending the run" not in caplog.text


async def test_the_tree_shows_what_it_does_and_a_long_silence(tmp_path: Path, clock: MockClock) -> None:
    async with working(tmp_path, patient(), HELD) as bench:
        await bench.until(TextGrew)
        assert bench.doing == "answering"
        await pass_by(clock, 301.0)
        assert coarse(bench.doing) == "answering, silent for 5 min"
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        await bench.until(TurnSettled)
        assert bench.doing == "idle"
        assert not any(isinstance(event, ToolStarted | ToolEnded) for event in bench.heard)
