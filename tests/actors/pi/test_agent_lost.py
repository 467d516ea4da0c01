"""What a conversation is told when its agent is lost: each kind of end, really brought about."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.messages import AgentLost, Compact, Compacted, Prompt, Room, SetModel, TextGrew, ToolEnded, TurnSettled
from actors.pi import agent as agent_file
from actors.pi import live
from actors.pi.errors import SessionUnfit
from actors.pi.process import LaunchSpec
from actors.redaction import forget_all, remember
from supervisor import ActorError, Restart
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, FakePlan, open_bench, plan, processes, scripted

HELLO: dict[str, Any] = {"deltas": ["Hel", "lo"]}


class Unfit(FakePlan, frozen=True, kw_only=True):
    """A plan for a session that is torn."""

    def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:  # noqa: ARG002 - as it is
        raise SessionUnfit("the session's file is torn; /new begins a fresh one")


async def lost(bench: Bench) -> AgentLost:
    """What was told, and that it was told once."""
    event = await bench.until(AgentLost)
    await once(bench)
    assert event.incarnation == 1
    return event


async def once(bench: Bench) -> None:
    await bench.recorder.wait_for(ChildExited, "/agent")
    await bench.listened()
    assert len([each for each in bench.heard if isinstance(each, AgentLost)]) == 1


@pytest.mark.parametrize(
    ("crash", "what"),
    [
        (-3, "pi ended, exit code 3"),
        (-137, "pi ended, exit code 137"),
        (int(signal.SIGSEGV), "pi ended, killed by SIGSEGV"),
        (int(signal.SIGKILL), "pi ended, killed by SIGKILL"),
    ],
)
async def test_an_end_in_the_middle_of_a_run(tmp_path: Path, crash: int, what: str) -> None:
    script = {"replies": [{"deltas": ["par"], "crash": crash}]}
    async with open_bench(tmp_path, scripted(tmp_path, script), restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        assert await lost(bench) == AgentLost(incarnation=1, what=what)


async def test_its_last_words_are_few_and_without_secrets(tmp_path: Path) -> None:
    remember("hunter22")
    words = "\n".join([*(f"warning {number}" for number in range(20)), "\x1b[31mError: bad key hunter22\x1b[0m"])
    try:
        async with open_bench(tmp_path, scripted(tmp_path, {"refuse": words}), restart=Restart.TEMPORARY) as bench:
            told = await lost(bench)
    finally:
        forget_all()
    assert told.what == "pi ended, exit code 1"
    assert told.stderr == (*(f"warning {number}" for number in range(11, 20)), "Error: bad key ***")


async def test_one_that_hangs_is_told_of_before_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "START_DEADLINE", 0.2)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 1.5)
    script = {"hang": True, "stubborn": True}
    async with open_bench(tmp_path, scripted(tmp_path, script), restart=Restart.TEMPORARY) as bench:
        told = await bench.until(AgentLost)
        assert told.what == "pi did not answer after its start within 0.2 s"
        assert bench.recorder.of(ChildExited, "/agent") == []
        await once(bench)


async def test_what_cannot_be_launched_is_told(tmp_path: Path) -> None:
    class Missing(FakePlan, frozen=True, kw_only=True):
        def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
            return msgspec.structs.replace(super().spec(room, mark, *given, **more), needs=("/nowhere/cli.js",))

    missing = Missing(**plan(tmp_path, scripts=[{}]))
    async with open_bench(tmp_path, missing, restart=Restart.TEMPORARY) as bench:
        told = await lost(bench)
    assert told.what == (
        "cannot start /nowhere/cli.js: there is no such file or folder; run `make` or correct the configuration"
    )
    assert (told.stderr, told.session) == ((), True)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    workspace = str(tmp_path / "file/work")
    async with open_bench(tmp_path, scripted(tmp_path, {}), restart=Restart.TEMPORARY, workspace=workspace) as bench:
        told = await lost(bench)
    assert told.what.startswith(f"the folder {workspace} cannot be made (Not a directory)")
    assert told.session


async def test_a_session_that_is_wrong_is_told_as_such(tmp_path: Path) -> None:
    unfit = Unfit(**plan(tmp_path, scripts=[{}]))
    async with open_bench(tmp_path, unfit, restart=Restart.TEMPORARY) as bench:
        told = await lost(bench)
    assert told == AgentLost(incarnation=1, what="the session's file is torn; /new begins a fresh one", session=False)


async def test_a_pi_that_opens_another_session_is_told_as_such(tmp_path: Path) -> None:
    class Other(FakePlan, frozen=True, kw_only=True):
        def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
            other = msgspec.structs.replace(room, session_id="other")
            return super().spec(other, mark, *given, **more)

    other = Other(**plan(tmp_path, scripts=[{}]))
    async with open_bench(tmp_path, other, restart=Restart.TEMPORARY) as bench:
        told = await lost(bench)
    assert told.what == "pi did not open the session den-1: it opened another; /new begins a fresh one"
    assert not told.session


async def test_what_crashes_the_actor_itself_is_told(tmp_path: Path) -> None:
    script = {"replies": [{"deltas": ["par"], "hold": True}]}
    async with open_bench(tmp_path, scripted(tmp_path, script), restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TextGrew)
        os.kill(bench.pid, signal.SIGSTOP)  # so that it answers nothing any more
        with suppress(ActorError):
            for _ in range(live.MOST_WAITING + 2):
                await bench.agent.tell(SetModel(incarnation=1, model=None, thinking="low"))
                await trio.sleep(0.001)
        told = await lost(bench)
    assert told.what == "pi has stopped answering: 64 commands wait"


async def test_a_conversation_that_is_full_or_gone_holds_nothing_up(tmp_path: Path) -> None:
    script = {"replies": [{"deltas": ["par"], "crash": -1}]}
    async with open_bench(tmp_path, scripted(tmp_path, script), restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        bench.ears.close()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
        assert exited.reason.startswith("pi ended, exit code 1")
        bench.ears.open()
        assert (await bench.until(AgentLost)).what == "pi ended, exit code 1"


async def test_a_stop_on_purpose_is_no_loss(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {})) as bench:
        await bench.ready()
    assert not [each for each in bench.heard if isinstance(each, AgentLost)]


async def test_one_that_hangs_at_its_start_is_ended_with_all_that_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Starting(FakePlan, frozen=True, kw_only=True):
        def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
            begins = (
                "setsid sleep 300 & (setsid sleep 301 &); echo here >&2; trap '' TERM; while :; do sleep 0.05; done"
            )
            return msgspec.structs.replace(super().spec(room, mark, *given, **more), argv=("/bin/sh", "-c", begins))

    monkeypatch.setattr(live, "START_DEADLINE", 2.0)
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.6)
    starting = Starting(**plan(tmp_path, scripts=[{}]))
    async with open_bench(tmp_path, starting, restart=Restart.TEMPORARY) as bench:
        with trio.fail_after(10):
            while len(processes(str(tmp_path))) < 3:  # noqa: ASYNC110 - nobody tells us
                await trio.sleep(0.01)
        told = await lost(bench)
        assert told == AgentLost(incarnation=1, what="pi did not answer after its start within 2 s", stderr=("here",))
        assert processes(str(tmp_path)) == []


async def test_it_overtakes_what_waits_as_the_notice_of_the_end_does(tmp_path: Path) -> None:
    tools = [{"tool": {"name": "bash", "arguments": {"command": "true"}}}, {"crash": -1}]
    plan = scripted(tmp_path, {"replies": tools})
    async with open_bench(tmp_path, plan, restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        bench.ears.close()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.recorder.wait_for(ChildExited, "/agent")
        bench.ears.open()
        await bench.until(ToolEnded)
    told = [type(event) for event in bench.heard]
    assert told.index(AgentLost) < told.index(ToolEnded)


async def test_a_summary_that_the_disk_did_not_take_is_no_summary(tmp_path: Path) -> None:
    plan = scripted(tmp_path, {"replies": [HELLO, {"deltas": ["short"]}], "compactable": True})
    async with open_bench(tmp_path, plan, restart=Restart.TEMPORARY) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        leaf = (await bench.until(TurnSettled)).leaf
        (file,) = (tmp_path / "sessions").rglob("*.jsonl")
        file.unlink()
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        assert (await bench.until(Compacted)).leaf == leaf
        told = await lost(bench)
    assert told.what.startswith(f"pi could not write its session ({file})")
    assert told.session
