"""What an agent asks about sub-agents, as its hands and its conversation see it: done, awaited, dropped, refused.

With the scripted pi where pi matters, and with the host's side alone where only that does.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.errors import Unavailable, Unfit
from actors.messages import (
    Abort,
    AgentEvent,
    AgentLost,
    AgentWaits,
    LookAtChildren,
    Prompt,
    ToolEnded,
    TurnSettled,
)
from actors.pi import hosting
from actors.pi.commands import Answer, DialogValue
from actors.pi.dialogs import Dialogs
from actors.pi.host_tools import OF_THE_DEEPEST, CancelSubagent, HostCall, SpawnSubagent
from actors.pi.hosting import Hosting
from actors.redaction import forget_all, remember
from supervisor import ActorError
from tests.actors.pi.bench import ROOM, Bench, open_bench, scripted
from tests.actors.pi.scripted_hands import ScriptedHands
from tests.actors.pi.test_hosting import DONE, begin, calls, results

# --- with a pi --------------------------------------------------------------------------------------------------------


def spawn(task: str, **more: object) -> tuple[str, dict[str, Any]]:
    return "spawn_subagent", {"task": task} | more


def waits(bench: Bench) -> list[AgentWaits]:
    return [event for event in bench.heard if isinstance(event, AgentWaits)]


WAITS = [AgentWaits(turn="t1", incarnation=1, waits=True), AgentWaits(turn="t1", incarnation=1, waits=False)]


async def test_what_is_about_sub_agents_is_done_by_the_hands(tmp_path: Path) -> None:
    hands = ScriptedHands()
    script = calls(tmp_path, spawn("look"), spawn(""), spawn("mend", wait=True), ("apply_subagent", {"id": "look"}))
    async with open_bench(tmp_path, scripted(tmp_path, script), hands=hands.make) as bench:
        await begin(bench)
        ended = [(await bench.until(ToolEnded)).failed for _ in range(2)]
        await bench.until(AgentWaits)
        assert bench.doing == "running spawn_subagent: mend"
        await bench.agent.tell(LookAtChildren())
        await bench.agent.tell(LookAtChildren())
        with trio.fail_after(10):
            while hands.looks < 2:  # noqa: ASYNC110 - it is another actor
                await trio.sleep(0.01)
        assert waits(bench) == WAITS[:1]
        hands.let_go()
        assert (await bench.until(TurnSettled)).text == "done"
    assert results(tmp_path) == ["begun: look", "Error: the task is empty.", "report of mend", "done: look"]
    assert ended == [False, True]
    assert waits(bench) == WAITS
    assert [asked.turn for asked in hands.asked] == ["t1"] * 4


async def test_calls_of_one_message_wait_side_by_side(tmp_path: Path) -> None:
    hands = ScriptedHands()
    names = ("first", "second", "third")
    first, *more = ({"name": "spawn_subagent", "arguments": {"task": name, "wait": True}} for name in names)
    script = {"replies": [{"tool": first, "more": more}, DONE], "requests": str(tmp_path / "asked")}
    async with open_bench(tmp_path, scripted(tmp_path, script), hands=hands.make) as bench:
        await begin(bench)
        await hands.until_asked(3)
        hands.let_go()
        await bench.until(TurnSettled)
    assert results(tmp_path) == [f"report of {name}" for name in names]
    assert waits(bench) == WAITS


async def test_an_abort_ends_a_wait_and_it_is_told(tmp_path: Path) -> None:
    hands = ScriptedHands()
    script = calls(tmp_path, spawn("look", wait=True))
    async with open_bench(tmp_path, scripted(tmp_path, script), hands=hands.make) as bench:
        await begin(bench)
        await bench.until(AgentWaits)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="next"))
        assert (await bench.until(TurnSettled)).text == "done"
    assert waits(bench) == WAITS
    assert (len(hands.cancelled), hands.waiting) == (1, 0)
    assert results(tmp_path) == ["The host did not answer; nothing was done."]


async def test_without_hands_there_are_no_sub_agents(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, calls(tmp_path, spawn("look")))) as bench:
        await begin(bench)
        assert (await bench.until(ToolEnded)).failed
        assert (await bench.until(TurnSettled)).text == "done"
    assert results(tmp_path) == ["Error: there are no sub-agents here. Do the work yourself."]


async def test_the_deepest_cannot_call_what_it_was_not_given(tmp_path: Path) -> None:
    hands = ScriptedHands()
    plan = scripted(tmp_path, calls(tmp_path, spawn("look"), ("report_progress", {"text": "on it"})))
    async with open_bench(tmp_path, plan, tools=OF_THE_DEEPEST, hands=hands.make) as bench:
        await begin(bench)
        assert (await bench.until(TurnSettled)).text == "done"
    assert results(tmp_path) == ["Tool spawn_subagent not found", "It is shown. Go on."]
    assert hands.asked == []


class Odd(ActorError):
    """An actor that cannot be asked."""


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Unfit("it has ended already"), "Error: this was not done: it has ended already."),
        (Unavailable("the disk is full"), "Error: this was not done: the disk is full. Try again later."),
        (Odd("/service/store", "it is stopped"), "Error: this was not done: /service/store: it is stopped."),
        (ExceptionGroup("all", [ExceptionGroup("some", [Unfit("no")])]), "Error: this was not done: no."),
        (Unfit("the key is hunter22"), "Error: this was not done: the key is ***."),
    ],
)
async def test_a_refusal_is_the_tools_error_and_the_agent_lives(tmp_path: Path, refusal: Exception, told: str) -> None:
    hands = ScriptedHands({"look": refusal})
    remember("hunter22")
    try:
        plan = scripted(tmp_path, calls(tmp_path, spawn("look")))
        async with open_bench(tmp_path, plan, hands=hands.make) as bench:
            await begin(bench)
            assert (await bench.until(ToolEnded)).failed
            assert (await bench.until(TurnSettled)).text == "done"
    finally:
        forget_all()
    assert results(tmp_path)[0].startswith(told)
    assert not any(isinstance(event, AgentLost) for event in bench.heard)


# --- the host's side alone --------------------------------------------------------------------------------------------


class Side:
    """A host's side with nobody behind it; `deaf`: what it tells is not taken before that."""

    def __init__(self, hands: ScriptedHands, nursery: trio.Nursery, store: Any) -> None:
        self.answers: dict[str, tuple[str, bool]] = {}
        self.told: list[AgentEvent] = []
        self.deaf = trio.Event()
        self.deaf.set()
        self.nursery = nursery
        dialogs = Dialogs(1, reply=self._reply, tell=self._tell)
        self.hosting = Hosting(
            ROOM,
            1,
            outgoing=Path("/nowhere"),
            store=store,
            dialogs=dialogs,
            hands=hands.make,
            reply=self._reply,
            tell=self._tell,
        )

    async def call(self, dialog: str, wanted: SpawnSubagent | CancelSubagent, turn: str = "t1") -> None:
        await self.hosting.take(turn, HostCall(dialog=dialog, call=f"call-{dialog}", wanted=wanted), self.nursery)

    async def _reply(self, answer: Answer) -> None:
        assert isinstance(answer, DialogValue)
        read = msgspec.json.decode(answer.value)
        self.answers[answer.id] = (read["text"], read["error"])

    async def _tell(self, event: AgentEvent) -> None:
        await self.deaf.wait()
        self.told.append(event)


@asynccontextmanager
async def side(hands: ScriptedHands) -> AsyncIterator[Side]:
    async with trio.open_nursery() as nursery:
        yield Side(hands, nursery, None)


WAIT = SpawnSubagent(task="look", wait=True)


async def test_so_many_calls_are_done_at_once_and_no_more() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        for number in range(hosting.MOST_CALLS + 1):
            await host.call(f"d{number}", WAIT)
        await wait_all_tasks_blocked()
        (refused,) = host.answers.values()
        assert refused == ("Error: 64 calls are being done already. Wait until some have ended, then call again.", True)
        hands.let_go()
        await wait_all_tasks_blocked()
        assert len(host.answers) == hosting.MOST_CALLS + 1
        assert not host.hosting.waits
        await host.call("again", SpawnSubagent(task="look"))
    assert host.answers["again"] == ("begun: look", False)
    assert host.told == WAITS


async def test_a_call_that_is_dropped_before_its_wait_was_told_leaves_nobody_waiting() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        host.deaf = trio.Event()
        await host.call("d1", WAIT)
        await wait_all_tasks_blocked()
        host.hosting.drop("d1")
        host.hosting.drop("another")
        await wait_all_tasks_blocked()
        host.deaf.set()
    assert host.told == []
    assert host.answers == {}
    assert not host.hosting.waits


async def test_a_call_that_is_dropped_while_its_end_is_told_leaves_nobody_waiting() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        await host.call("d1", WAIT)
        await wait_all_tasks_blocked()
        host.deaf = trio.Event()
        hands.let_go()
        await wait_all_tasks_blocked()
        host.hosting.drop("d1")
        await wait_all_tasks_blocked()
        host.deaf.set()
    assert host.told == WAITS
    assert host.answers == {}


async def test_what_only_takes_its_time_is_no_wait() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        await host.call("d1", SpawnSubagent(task="slow"))
        await wait_all_tasks_blocked()
        assert not host.hosting.waits
        hands.let_go()
    assert host.answers["d1"] == ("begun at last", False)
    assert host.told == []


async def test_hands_that_forget_that_nobody_waits_any_more_are_not_believed() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        await host.call("d1", WAIT)
        await wait_all_tasks_blocked()
        waited = host.hosting.waits
        hands.waiting += 1
        hands.let_go()
    assert host.answers["d1"] == ("report of look", False)
    assert (waited, host.hosting.waits) == (True, False)
    assert host.told == WAITS


async def test_one_that_is_dropped_leaves_the_others_waiting() -> None:
    hands = ScriptedHands()
    async with side(hands) as host:
        await host.call("d1", WAIT)
        await host.call("d2", WAIT)
        await host.call("d3", CancelSubagent(id="look"))
        await wait_all_tasks_blocked()
        assert host.answers == {"d3": ("done: look", False)}
        host.hosting.drop("d1")
        await wait_all_tasks_blocked()
        assert host.hosting.waits
        assert host.told == WAITS[:1]
        hands.let_go()
    assert host.answers["d2"] == ("report of look", False)
    assert host.told == WAITS


async def test_an_answer_is_bounded_and_has_no_secrets() -> None:
    hands = ScriptedHands()
    long = "hunter22" + "e" * (hosting.MAX_ANSWER + 100)
    remember("hunter22")
    try:
        async with side(hands) as host:
            await host.call("d1", CancelSubagent(id=long))
    finally:
        forget_all()
    text, failed = host.answers["d1"]
    assert not failed
    assert text.startswith("done: ***eee")
    assert text.endswith("[109 characters more are left out]")
    assert len(text) < hosting.MAX_ANSWER + 100
