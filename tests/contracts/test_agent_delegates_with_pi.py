"""The agent with the real pi behind it, whose model asks for sub-agents, progress and the past; hands are scripted."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import trio

from actors.messages import (
    Abort,
    AgentNoted,
    AgentReady,
    AgentWaits,
    Found,
    LookAtChildren,
    Prompt,
    ToolEnded,
    TurnSettled,
)
from actors.pi.host_tools import (
    OF_ROOMS,
    OF_SUBAGENTS,
    OF_THE_DEEPEST,
    CancelSubagent,
    HostTool,
    SpawnSubagent,
    name_of,
)
from tests.actors.pi.bench import Bench
from tests.actors.pi.scripted_hands import ScriptedHands
from tests.contracts.agent_rig import Rig, open_rig, run
from tests.fakes.llm import Reply, ToolCall

DONE = Reply(deltas=("done",))
OWN = ["read", "bash", "edit", "write"]
"""pi's own tools."""
UNANSWERED = "The host did not answer; nothing was done."


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


def spawn(task: str, call: str = "call_1", **more: object) -> ToolCall:
    return ToolCall("spawn_subagent", {"task": task} | more, id=call)


async def begin(bench: Bench) -> None:
    await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))


def told_by_tools(rig: Rig) -> list[str]:
    return [text for role, text in rig.asked() if role == "tool"]


def waits(bench: Bench) -> list[tuple[str, bool]]:
    return [(event.turn, event.waits) for event in bench.heard if isinstance(event, AgentWaits)]


@pytest.mark.parametrize("tools", [OF_ROOMS, OF_SUBAGENTS, OF_THE_DEEPEST])
async def test_the_model_is_offered_what_its_agent_was_given(rig: Rig, tools: tuple[type[HostTool], ...]) -> None:
    async with rig.agent(Reply(tool=spawn("look")), DONE, tools=tools, hands=ScriptedHands().make) as bench:
        await bench.ready()
        await run(bench, "t1", "hi")
        offered = {tool["function"]["name"]: tool["function"] for tool in rig.llm.requests[-1]["tools"]}
        assert list(offered) == [*OWN, *(name_of(tool) for tool in tools)]
        (told,) = told_by_tools(rig)
        assert told == ("begun: look" if SpawnSubagent in tools else "Tool spawn_subagent not found")
        for tool in tools:
            schema = offered[name_of(tool)]["parameters"]
            assert set(schema["properties"]) == set(tool.__struct_fields__)


async def test_an_answer_comes_at_once_or_when_the_wait_is_over(rig: Rig) -> None:
    hands = ScriptedHands()
    calls = (
        spawn("look", isolation="scratch", timeout=60),
        spawn("mend", wait=True),
        ToolCall("cancel_subagent", {"id": "look"}),
    )
    async with rig.agent(*(Reply(tool=call) for call in calls), DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        assert (await bench.until(AgentWaits)).waits
        assert bench.doing == "running spawn_subagent: mend"
        assert [asked.wanted for asked in hands.asked] == [
            SpawnSubagent(task="look", isolation="scratch", timeout=60.0),
            SpawnSubagent(task="mend", wait=True),
        ]
        await bench.agent.tell(LookAtChildren())
        with trio.fail_after(10):
            while not hands.looks:  # noqa: ASYNC110 - it is another actor
                await trio.sleep(0.01)
        hands.let_go()
        assert not (await bench.until(AgentWaits)).waits
        assert (await bench.until(TurnSettled)).text == "done"
        assert told_by_tools(rig) == ["begun: look", "report of mend", "done: look"]
    assert waits(bench) == [("t1", True), ("t1", False)]
    assert hands.asked[-1].wanted == CancelSubagent(id="look")
    assert {asked.turn for asked in hands.asked} == {"t1"}
    assert len({asked.dialog for asked in hands.asked}) == 3


async def test_the_calls_of_one_message_are_done_side_by_side_and_told_together(rig: Rig) -> None:
    hands = ScriptedHands()
    three = Reply(
        tool=spawn("first", "a", wait=True),
        more=(spawn("second", "b", wait=True), spawn("third", "c"), ToolCall("bash", {"command": "echo hi"}, id="d")),
    )
    async with rig.agent(three, DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        await hands.until_asked(3)
        ended = [await bench.until(ToolEnded) for _ in range(2)]
        assert {end.call for end in ended} == {"c", "d"}
        assert hands.waiting == 2
        assert len(rig.llm.requests) == 1
        hands.let_go()
        assert (await bench.until(TurnSettled)).text == "done"
        assert told_by_tools(rig) == ["report of first", "report of second", "begun: third", "hi\n"]
    assert sorted(asked.call for asked in hands.asked) == ["a", "b", "c"]
    assert waits(bench) == [("t1", True), ("t1", False)]


async def test_an_abort_ends_what_waits_at_once(rig: Rig) -> None:
    hands = ScriptedHands()
    both = Reply(tool=spawn("first", "a", wait=True), more=(spawn("second", "b", wait=True),))
    async with rig.agent(both, DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        await hands.until_asked(2)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        with trio.fail_after(5):
            assert (await bench.until(TurnSettled)).stop_reason == "aborted"
            while hands.waiting:  # noqa: ASYNC110 - it is another actor
                await trio.sleep(0.01)
        assert {wanted.task for wanted in hands.cancelled if isinstance(wanted, SpawnSubagent)} == {"first", "second"}
        assert (await run(bench, "t2", "next")).text == "done"
        assert told_by_tools(rig) == [UNANSWERED] * 2
    assert waits(bench) == [("t1", True), ("t1", False)]


async def test_a_pi_that_is_killed_takes_its_calls_with_it(rig: Rig) -> None:
    hands = ScriptedHands()
    async with rig.agent(Reply(tool=spawn("first", wait=True)), DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        await bench.until(AgentWaits)
        os.kill(bench.pid, SIGKILL)
        ready = await bench.until(AgentReady)
        assert (ready.incarnation, hands.made, hands.waiting, len(hands.cancelled)) == (2, 2, 0, 1)
        assert (await run(bench, "t2", "next", incarnation=2)).text == "done"


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("spawn_subagent", {"wait": True}, "task"),
    ("spawn_subagent", {"task": 5.5, "isolation": "full"}, "isolation"),
    ("spawn_subagent", {"task": "look", "timeout": -1}, "timeout"),
    ("spawn_subagent", {"task": "look", "timeout": "soon"}, "timeout"),
    ("check_subagent", {"id": ""}, "id"),
    ("search_history", {"query": "x", "limit": 1000}, "limit"),
    ("report_progress", {"text": ["a"]}, "text"),
]


@pytest.mark.parametrize(("tool", "arguments", "field"), WRONG)
async def test_wrong_arguments_are_named_to_the_model(
    rig: Rig, tool: str, arguments: dict[str, Any], field: str
) -> None:
    hands = ScriptedHands()
    async with rig.agent(Reply(tool=ToolCall(tool, arguments)), DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        assert (await bench.until(ToolEnded)).failed
        assert (await bench.until(TurnSettled)).text == "done"
        (told,) = told_by_tools(rig)
        assert field in told
    assert hands.asked == []


async def test_what_a_model_may_get_wrong_is_set_right(rig: Rig) -> None:
    hands = ScriptedHands()
    arguments: dict[str, object] = {
        "task": "look",
        "timeout": "60",
        "model": None,
        "wait": "false",
        "mood": "good",
        "tool": "bash",
    }
    async with rig.agent(Reply(tool=ToolCall("spawn_subagent", arguments)), DONE, hands=hands.make) as bench:
        await bench.ready()
        assert (await run(bench, "t1", "hi")).text == "done"
    assert [asked.wanted for asked in hands.asked] == [SpawnSubagent(task="look", timeout=60.0)]


@pytest.mark.parametrize(
    ("task", "passes"),
    [("x" * 1_000_000, True), ("ä\n" * 400_000, True), ("x" * 3_000_000, False), ("\x01" * 1_000_000, False)],
)
async def test_a_task_is_passed_whole_or_refused_and_never_hangs(rig: Rig, task: str, *, passes: bool) -> None:
    hands = ScriptedHands()
    async with rig.agent(Reply(tool=spawn(task)), DONE, hands=hands.make) as bench:
        await bench.ready()
        await begin(bench)
        with trio.fail_after(20):
            ended = await bench.until(ToolEnded)
        assert (await bench.until(TurnSettled)).text == "done"
        (told,) = told_by_tools(rig)
        assert ended.failed == (not passes)
    assert [asked.wanted for asked in hands.asked] == ([SpawnSubagent(task=task)] if passes else [])
    if not passes:
        assert told.startswith("The arguments are too long:")


async def test_progress_and_the_past(rig: Rig) -> None:
    calls = (
        ToolCall("report_progress", {"text": "tests are green", "done": 3, "total": 7}),
        ToolCall("search_history", {"query": "deploy", "limit": 2}),
    )
    async with rig.agent(*(Reply(tool=call) for call in calls), DONE) as bench:
        bench.past = (Found(at=1_700_000_000.0, role="user", turn="t0", snippet="deploy it"),)
        await bench.ready()
        await begin(bench)
        assert (await bench.until(AgentNoted)).text == "progress 3/7: tests are green"
        assert (await bench.until(TurnSettled)).text == "done"
        shown, past = told_by_tools(rig)
        assert shown == "It is shown. Go on."
        assert past.endswith("2023-11-14 22:13 UTC, a person:\n> deploy it")
    (search,) = bench.searched
    assert (search.room, search.words, search.limit) == ("den", "deploy", 2)
