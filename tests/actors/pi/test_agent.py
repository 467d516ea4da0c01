"""The agent as its conversation and its supervisor see it, with the scripted pi: a real process under a real tree."""

import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.messages import (
    Abort,
    AgentNoted,
    AgentReady,
    Continue,
    Prompt,
    PromptRefused,
    Recall,
    Recalled,
    Reopen,
    Room,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi import agent as agent_file
from actors.pi import live, run
from actors.pi.installation import AgentPlan, Installation
from actors.pi.process import LaunchSpec
from supervisor import Restart
from supervisor.events import ChildExited, End
from tests.actors.pi.bench import Bench, FakePlan, open_bench, plan, processes, scripted

HELLO: dict[str, Any] = {"deltas": ["Hel", "lo"]}
HELD = {"deltas": ["part "], "hold": True}
TOOL = {"deltas": ["let me see"], "tool": {"name": "bash", "arguments": {"command": "sleep 60"}}}


def lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


async def failure(bench: Bench, count: int = 1) -> str:
    """Why the agent crashed the `count`-th time."""
    exited = await bench.recorder.wait_for(ChildExited, "/agent", count=count)
    assert exited.end is End.FAILED
    return exited.reason


async def test_a_prompt_comes_back_as_growing_text_and_an_end(tmp_path: Path) -> None:
    script = {"replies": [{"deltas": ["Hel"], "tool": {"name": "bash", "arguments": {"command": "echo"}}}, HELLO]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        ready = await bench.until(AgentReady)
        assert (ready.incarnation, ready.session_id, ready.leaf) == (1, "den-1", None)
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        settled = await bench.until(TurnSettled)
    assert (settled.turn, settled.incarnation, settled.text) == ("t1", 1, "Hello")
    assert (settled.stop_reason, settled.error) == ("stop", "")
    assert settled.leaf is not None
    told = [event for event in bench.heard if not isinstance(event, TextGrew)]
    assert [type(event) for event in told] == [AgentReady, ToolStarted, ToolEnded, TurnSettled]
    started, ended = told[1:3]
    assert isinstance(started, ToolStarted)
    assert isinstance(ended, ToolEnded)
    assert (started.tool, started.summary, started.call) == ("bash", "echo", ended.call)
    assert not ended.failed
    assert bench.heard[-1] is settled


async def test_text_is_told_as_a_whole_and_at_a_pace(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [{"flood": 20_000, "hold": True}]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        whole = "x " * 20_000
        await bench.until(TextGrew, lambda grew: grew.text == whole)
    texts = [event.text for event in bench.heard if isinstance(event, TextGrew)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert len(texts) < 1000


async def test_a_new_turn_does_not_begin_with_the_picture_of_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SNAPSHOT_EVERY", 0.3)
    pause = {"name": "bash", "arguments": {"command": "sleep 0.05"}}
    script = {"replies": [{"deltas": ["first"], "tool": pause}, {"deltas": ["last"]}, {"hold": True}]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="1"))
        await bench.until(TurnSettled)  # with a picture still owed
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="2"))
        await trio.sleep(0.4)  # until it would be due
    assert not any(isinstance(event, TextGrew) and event.turn == "t2" for event in bench.heard)


async def test_a_recall_gives_the_entries_of_one_turn_or_all_and_none_of_earlier_ones_for_a_lost_end(
    tmp_path: Path,
) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELLO, {"deltas": ["again"]}]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="one"))
        leaf = (await bench.until(TurnSettled)).leaf
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="two"))
        settled = await bench.until(TurnSettled)
        found = []
        for since in (leaf, settled.leaf, "nowhere", None):
            await bench.agent.tell(Recall(turn="t2", incarnation=1, since=since))
            found.append(await bench.until(Recalled))
    said = [[(entry.role, entry.text) for entry in recalled.entries if entry.role != "system"] for recalled in found]
    last = [("user", "two"), ("assistant", "again")]
    every = [("user", "one"), ("assistant", "Hello"), *last]
    assert said == [last, [], [], every]
    assert {recalled.leaf for recalled in found} == {settled.leaf}
    assert found[0].entries[-1].stop_reason == "stop"


async def test_without_an_answer_there_is_no_leaf(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELD]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TextGrew)
        await bench.agent.tell(Recall(turn="t1", incarnation=1, since=None))
        recalled = await bench.until(Recalled)
    assert recalled.leaf is None
    assert [entry.role for entry in recalled.entries][-1] == "user"


async def test_a_note_makes_the_model_go_on_and_makes_up_no_message(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELLO, HELLO], "requests": str(asked)})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TurnSettled)
        await bench.agent.tell(Continue(turn="t1", incarnation=1, note="go on"))
        assert (await bench.until(TurnSettled)).text == "Hello"
    last = msgspec.json.decode(asked.read_bytes().splitlines()[-1])
    assert last == [["user", "hi"], ["assistant", "Hello"], ["user", "go on"]]


@pytest.mark.parametrize("reply", [HELD, TOOL])
async def test_an_abort_ends_the_run_and_the_next_turn_is_untouched(tmp_path: Path, reply: dict[str, Any]) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [reply, HELLO]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await bench.until(TextGrew if reply is HELD else ToolStarted)
        bench.agent.tell_nowait(Abort(turn="t1", incarnation=1), urgent=True)
        settled = await bench.until(TurnSettled)
        assert settled.stop_reason == "aborted"
        assert settled.text == ("part " if reply is HELD else "let me see")
        bench.agent.tell_nowait(Abort(turn="t1", incarnation=1), urgent=True)  # it is over
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="next"))
        bench.agent.tell_nowait(Abort(turn="t1", incarnation=1), urgent=True)  # it is another's
        assert (await bench.until(TurnSettled)).text == "Hello"


async def test_an_abort_right_behind_its_prompt_is_not_lost(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELD]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"


async def test_a_pi_that_ignores_an_abort_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ABORT_DEADLINE", 0.2)
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELD], "deaf": True})) as bench:
        await bench.ready()
        pid = bench.pid
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="work"))
        await bench.until(TextGrew)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert await failure(bench) == "pi did not end its run within 0.2 s"
        assert not lives(pid)
        assert await bench.ready() == 2


async def test_after_its_end_the_next_incarnation_opens_the_same_session(tmp_path: Path) -> None:
    dies = {"replies": [HELLO, {"deltas": ["par"], "crash": signal.SIGKILL}]}
    async with open_bench(tmp_path, scripted(tmp_path, dies, {"replies": []})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="one"))
        leaf = (await bench.until(TurnSettled)).leaf
        bench.room = msgspec.structs.replace(bench.room, leaf=leaf)
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="two"))
        assert (await failure(bench)).startswith("pi ended, killed by SIGKILL")
        ready = await bench.until(AgentReady)
        assert (ready.incarnation, ready.session_id) == (2, "den-1")
        await bench.agent.tell(Recall(turn="t2", incarnation=2, since=leaf))
        recalled = await bench.until(Recalled)
        assert [(entry.role, entry.text) for entry in recalled.entries] == [("user", "two")]


async def test_the_reason_of_an_end_has_the_last_word_of_stderr_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.pi.link.redact", lambda text: text.replace("hunter22", "***"))
    script = {"refuse": "Warning: look\nError: bad key hunter22"}
    async with open_bench(tmp_path, scripted(tmp_path, script), restart=Restart.TEMPORARY) as bench:
        assert await failure(bench) == "pi ended, exit code 1: Error: bad key ***"


async def test_a_start_that_hangs_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "START_DEADLINE", 0.2)
    async with open_bench(tmp_path, scripted(tmp_path, {"hang": True}), restart=Restart.TEMPORARY) as bench:
        assert bench.doing in ("starting", "starting pi")
        assert await failure(bench) == "pi did not answer after its start within 0.2 s"
    assert not processes(str(tmp_path))


async def test_what_cannot_be_read_is_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = ["garbage", "null", "[]", '{"type":"frobnicate"}', '{"type":"message_update"}', "{"]
    script = {"replies": [HELLO | {"noise": noise, "huge": 9 * 1024 * 1024}]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        assert (await bench.until(TurnSettled)).text == "Hello"
    told = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert [line.partition("(")[2].partition(")")[0] for line in told] == [
        *["garbage"] * 3, "unknown", *["garbage"] * 2, "oversized",
    ]  # fmt: skip


async def test_a_model_that_pi_does_not_know_is_named(tmp_path: Path) -> None:
    wrong = plan(tmp_path)["provider"]
    made = scripted(tmp_path, provider=msgspec.structs.replace(wrong, model="fake-2"))
    async with open_bench(tmp_path, made, restart=Restart.TEMPORARY) as bench:
        reason = await failure(bench)
    assert reason == "[pi] model (or LLM_MODEL): fake has no model fake-2; near it: fake-1."


async def test_another_session_than_the_rooms_is_not_used(tmp_path: Path) -> None:
    class Astray(FakePlan, frozen=True, kw_only=True):
        def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
            return super().spec(msgspec.structs.replace(room, session_id="other"), mark, *given, **more)

    made = Astray(**plan(tmp_path, scripts=[{}]))
    async with open_bench(tmp_path, made, restart=Restart.TEMPORARY) as bench:
        reason = await failure(bench)
    assert reason == "pi did not open the session den-1: it opened another; /new begins a fresh one"


async def test_a_missing_node_is_named(tmp_path: Path) -> None:
    nowhere = Installation(node=tmp_path / "node", cli=tmp_path, extension=tmp_path, version="0")
    made = AgentPlan(**plan(tmp_path, installation=nowhere))
    async with open_bench(tmp_path, made, restart=Restart.TEMPORARY) as bench:
        reason = await failure(bench)
    assert reason.startswith(f"cannot start {tmp_path}/node: there is no such file or folder")


async def test_a_failure_of_the_model_is_the_turns(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [{"status": 500}]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        settled = await bench.until(TurnSettled)
    assert (settled.stop_reason, settled.error) == ("error", "500: scripted failure")


@pytest.mark.parametrize("place", ["work", "work/deeper", "/proc/nowhere/work"])
async def test_a_workspace_that_cannot_be_made_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "work").write_text("a file in its place")
    workspace = str(tmp_path / place)
    async with open_bench(tmp_path, scripted(tmp_path), restart=Restart.TEMPORARY, workspace=workspace) as bench:
        reason = await failure(bench)
    assert reason.startswith(f"the folder {workspace} cannot be made (")
    assert "workspace under [rooms]" in reason


async def test_messages_for_another_incarnation_are_ignored(tmp_path: Path) -> None:
    script = {"replies": [{"deltas": ["first"], "hold": True}]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        for number in (0, 2):
            await bench.agent.tell(Prompt(turn="no", incarnation=number, text="not mine"))
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TextGrew)
        await bench.agent.tell(Abort(turn="t1", incarnation=2))
        await bench.agent.tell(Recall(turn="t1", incarnation=1, since=None))
        recalled = await bench.until(Recalled)
        assert [entry.text for entry in recalled.entries if entry.role == "user"] == ["hi"]
        assert not any(isinstance(event, TurnSettled | PromptRefused) for event in bench.heard)


async def reopen(bench: Bench, session_id: str) -> None:
    """As a conversation does: the store first."""
    bench.room = msgspec.structs.replace(bench.room, session_id=session_id, leaf=None)
    await bench.agent.tell(Reopen(session_id=session_id))


async def test_reopening_ends_the_process_and_opens_the_new_session(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELLO]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TurnSettled)
        pid = bench.pid
        await reopen(bench, "den-2")
        ready = await bench.until(AgentReady)
        assert (ready.incarnation, ready.session_id, ready.leaf) == (1, "den-2", None)
        assert not lives(pid)
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="hi"))
        assert (await bench.until(TurnSettled)).text == "Hello"
        assert not bench.recorder.of(ChildExited, "/agent")


async def test_the_last_of_several_reopenings_counts(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {})) as bench:
        await bench.ready()
        for number in range(2, 6):
            await reopen(bench, f"den-{number}")
            await trio.sleep(0.01 * number)  # so that they meet the launch at different steps
        await bench.until(AgentReady, lambda ready: ready.session_id == "den-5")
        await reopen(bench, "den-5")  # it is what it has: nothing happens
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="still there"))
        assert "still there" in (await bench.until(TurnSettled)).text
    ready = [event.session_id for event in bench.heard if isinstance(event, AgentReady)]
    assert ready.count("den-5") == 1


async def test_reopening_while_a_run_is_on(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [TOOL, HELLO]}, {"replies": [HELLO]})) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(ToolStarted)
        await reopen(bench, "den-2")
        assert (await bench.until(AgentReady)).session_id == "den-2"
        assert not any(isinstance(event, TurnSettled) for event in bench.heard)
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="hi"))
        assert (await bench.until(TurnSettled)).turn == "t2"


@pytest.mark.parametrize("stubborn", [False, True])
async def test_stopping_leaves_nothing(tmp_path: Path, stubborn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_file, "STOP_GRACE", 0.3)
    script = {"replies": [HELD], "stubborn": stubborn}

    async def once() -> None:
        async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
            await bench.ready()
            await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
            await bench.until(TextGrew)
        (exited,) = bench.recorder.of(ChildExited, "/agent")
        assert exited.end is End.SHUTDOWN

    await once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await once()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not processes(str(tmp_path))


async def test_stopping_at_any_moment_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    before = None
    for moment in range(12):
        async with open_bench(tmp_path, scripted(tmp_path, {})):
            await trio.sleep(0.005 * moment)
        assert not processes(str(tmp_path))
        before = before or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_conversation_that_does_not_listen_loses_no_end(tmp_path: Path) -> None:
    tools = [{"tool": {"name": "bash", "arguments": {"command": f"echo {n}"}}} for n in range(10)]
    script = {"replies": [*tools, {"flood": 100_000}]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        bench.ears.close()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.full()
        await trio.sleep(0.2)  # there is more to tell by now, and it waits in pi
        bench.ears.open()
        settled = await bench.until(TurnSettled)
    assert settled.text == "x " * 100_000
    assert sum(isinstance(event, ToolStarted) for event in bench.heard) == 10
    assert sum(isinstance(event, ToolEnded) for event in bench.heard) == 10


async def test_the_tree_shows_what_it_does_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.pi.arguments.redact", lambda text: text.replace("hunter22", "***"))
    command = "echo hunter22; sleep 60"
    script = {"replies": [{"tool": {"name": "bash", "arguments": {"command": command}}}]}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        assert bench.doing == "idle"
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        assert (await bench.until(ToolStarted)).summary == "echo ***; sleep 60"
        assert bench.doing == "running bash: echo ***; sleep 60"
        assert not any(isinstance(event, AgentNoted) for event in bench.heard)
