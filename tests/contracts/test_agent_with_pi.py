"""The agent with the real pi behind it: what a conversation is told, and what of a turn is left after a kill."""

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from signal import SIGKILL

import msgspec
import pytest
import trio

from actors import resume
from actors.messages import (
    Abort,
    AgentReady,
    Continue,
    Prompt,
    Recall,
    Recalled,
    Steer,
    TextGrew,
    ToolStarted,
    TurnSettled,
)
from actors.pi import link, process
from actors.pi.demo_server import DemoServer, Tempo
from actors.pi.demo_wire import MODEL_ID, PROVIDER_ID
from actors.pi.framing import LineFramer
from actors.pi.process import launch
from actors.pi.providers import agent_files, compatible
from actors.settings import Secret
from supervisor import Restart
from supervisor.events import ChildExited
from tests.actors.pi.bench import Bench, open_bench
from tests.contracts.agent_rig import Rig, open_rig, run, until_there
from tests.fakes.llm import KEY, Reply, ToolCall

SLEEP = ToolCall("bash", {"command": "exec sleep 60"})
SKILL = "---\nname: foo\ndescription: how to foo\n---\nFoo it."
ORPHAN = ToolCall("bash", {"command": "echo $$ > orphan; exec sleep 60"})


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


async def recall(
    bench: Bench, since: str | None, incarnation: int = 1
) -> tuple[list[tuple[str, str, str]], str | None]:
    """Roles, texts and stop reasons, and the leaf."""
    await bench.agent.tell(Recall(turn="t2", incarnation=incarnation, since=since))
    recalled = await bench.until(Recalled)
    entries = [(entry.role, entry.text, entry.stop_reason) for entry in recalled.entries if entry.role != "system"]
    return entries, recalled.leaf


async def kill(bench: Bench) -> AgentReady:
    """Kill pi and wait for the next one."""
    os.kill(bench.pid, SIGKILL)
    exited = await bench.recorder.wait_for(ChildExited, "/agent")
    assert exited.reason.startswith("pi ended, killed by SIGKILL")
    return await bench.until(AgentReady, lambda ready: ready.incarnation == 2)


async def test_turns_stream_end_and_can_be_recalled_one_by_one(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("Hel", "lo")), Reply(deltas=("again",))) as bench:
        assert (await bench.until(AgentReady)).leaf is None
        first = await run(bench, "t1", "hi")
        assert (first.text, first.stop_reason, first.error) == ("Hello", "stop", "")
        second = await run(bench, "t2", "once more")
        entries, leaf = await recall(bench, first.leaf)
        assert entries == [("user", "once more", ""), ("assistant", "again", "stop")]
        assert leaf == second.leaf != first.leaf
        entries, leaf = await recall(bench, None)
        assert [text for _, text, _ in entries] == ["hi", "Hello", "once more", "again"]
        # A session that has lost the entry has lost all that came after it: what is left is of earlier turns.
        assert await recall(bench, "nowhere") == ([], leaf)


async def test_a_slow_answer_is_shown_as_it_grows(rig: Rig, nursery: trio.Nursery) -> None:
    server = DemoServer(KEY, tempo=Tempo(slow=0.02))
    demo = compatible(PROVIDER_ID, await nursery.start(server.run), MODEL_ID, Secret(KEY))
    for name, text in agent_files(demo, trust_projects=False).items():
        (rig.folder / "agent" / name).write_text(text)
    async with open_bench(rig.folder, rig.plan(provider=demo)) as bench:
        await bench.ready()
        settled = await run(bench, "t1", "slow: 30")
    assert settled.text == " ".join(str(number) for number in range(1, 31))
    texts = [event.text for event in bench.heard if isinstance(event, TextGrew)]
    assert len(texts) >= 3
    assert all(settled.text.startswith(text) for text in texts)
    assert sorted(texts, key=len) == texts


async def test_an_abort_in_the_text_and_one_in_a_tool(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("part",), hold=True), Reply(tool=SLEEP), Reply(deltas=("fresh",))) as bench:
        await bench.ready()
        for turn, sign in (("t1", TextGrew), ("t2", ToolStarted)):
            await bench.agent.tell(Prompt(turn=turn, incarnation=1, text="work"))
            await bench.until(sign)
            await bench.agent.tell(Abort(turn=turn, incarnation=1))
            settled = await bench.until(TurnSettled)
            assert (settled.turn, settled.stop_reason) == (turn, "aborted")
        assert (await run(bench, "t3", "next")).text == "fresh"


@pytest.mark.parametrize("slow", [False, True])
async def test_an_abort_that_comes_before_the_run_ends_it_all_the_same(rig: Rig, slow: bool) -> None:
    if slow:  # an extension that looks at each message first, so that the abort overtakes the run
        rig.extension('pi.on("input", async () => { await new Promise((done) => setTimeout(done, 300)); });')
    async with rig.agent() as bench:
        await bench.ready()
        rig.llm.replies += [Reply(hold=True), Reply(hold=True)]
        for turn in ("t1", "t2"):
            await bench.agent.tell(Prompt(turn=turn, incarnation=1, text="work"))
            await trio.sleep(0.1 if slow else 0)  # so that pi has it, and the extension is looking
            await bench.agent.tell(Abort(turn=turn, incarnation=1))
            settled = await bench.until(TurnSettled)
            assert (settled.turn, settled.stop_reason, settled.text) == (turn, "aborted", "")


async def test_killed_in_the_first_answer_nothing_is_left(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("par",), hold=True), Reply(deltas=("whole",))) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="hi"))
        await bench.until(TextGrew)
        assert rig.session_files() == []
        assert (await kill(bench)).leaf is None
        assert await recall(bench, None, 2) == ([], None)
        assert (await run(bench, "t1", "hi", 2)).text == "whole"
        assert rig.asked() == [("user", "hi")]


async def test_killed_in_a_later_answer_the_message_is_there_once_and_the_note_goes_on(rig: Rig) -> None:
    async with rig.agent(
        Reply(deltas=("one",)), Reply(deltas=("par",), hold=True), Reply(deltas=("resumed",))
    ) as bench:
        await bench.ready()
        leaf = (await run(bench, "t1", "first")).leaf
        bench.room = msgspec.structs.replace(bench.room, leaf=leaf)
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="second"))
        await bench.until(TextGrew, lambda grew: grew.turn == "t2")
        await kill(bench)
        assert (await recall(bench, leaf, 2))[0] == [("user", "second", "")]
        await bench.agent.tell(Continue(turn="t2", incarnation=2, note="Go on."))
        assert (await bench.until(TurnSettled)).text == "resumed"
        assert rig.asked() == [("user", "first"), ("assistant", "one"), ("user", "second"), ("user", "Go on.")]
        assert [role for role, _, _ in (await recall(bench, leaf, 2))[0]] == ["user", "assistant"]
        assert len(rig.session_files()) == 1


async def test_killed_in_a_tool_the_call_is_there_and_no_result(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("wait",), tool=ORPHAN), Reply(deltas=("resumed",))) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="work"))
        await bench.until(ToolStarted)
        await until_there(rig.work / "orphan")
        await kill(bench)
        assert (await recall(bench, None, 2))[0] == [("user", "work", ""), ("assistant", "wait", "toolUse")]
        await bench.agent.tell(Continue(turn="t2", incarnation=2, note="Go on."))
        assert (await bench.until(TurnSettled)).text == "resumed"
        assert ("tool", "No result provided") in rig.asked()


async def test_killed_behind_the_last_word_the_answer_is_there(rig: Rig) -> None:
    mark = rig.folder / "ended"
    rig.extension(
        'pi.on("agent_end", async () => {'
        f' const fs = await import("node:fs"); fs.writeFileSync("{mark}", "");'
        " await new Promise((done) => setTimeout(done, 60000)); });"
    )
    async with rig.agent(Reply(deltas=("all of it",))) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="hi"))
        await until_there(mark)
        (rig.folder / "agent/extensions/own.ts").unlink()
        await kill(bench)
        entries, leaf = await recall(bench, None, 2)
        assert entries == [("user", "hi", ""), ("assistant", "all of it", "stop")]
        assert leaf is not None
        assert not any(isinstance(event, TurnSettled) for event in bench.heard)


async def test_a_turn_too_large_to_be_read_back_still_ends_and_can_be_resumed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LineFramer", partial(LineFramer, max_line=12_000, head=500))
    large = ToolCall("bash", {"command": "seq 5000"})
    async with rig.agent(Reply(tool=large), Reply(deltas=("read",)), Reply(deltas=("par",), hold=True)) as bench:
        await bench.ready()
        first = await run(bench, "t1", "look")
        assert (first.text, first.stop_reason) == ("read", "stop")
        assert first.leaf is not None
        bench.room = msgspec.structs.replace(bench.room, leaf=first.leaf)
        assert (await recall(bench, first.leaf))[0] == []  # of the next turn there is nothing yet
        await bench.agent.tell(Prompt(turn="t2", incarnation=1, text="next"))
        await bench.until(TextGrew, lambda grew: grew.turn == "t2")
        await kill(bench)
        entries, leaf = await recall(bench, first.leaf, 2)
        assert entries == [("user", "next", "")]
        assert leaf != first.leaf


async def test_killed_behind_an_answer_that_was_steered_further_the_answer_is_there(rig: Rig) -> None:
    rig.listen()
    async with rig.agent(Reply(deltas=("one",), pause=0.5), Reply(deltas=("tw",), hold=True)) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="t1", incarnation=1, text="first"))
        await rig.until_told("first")
        await bench.agent.tell(Steer(turn="t1", incarnation=1, inbound=7, text="and then"))
        await bench.until(TextGrew, lambda grew: grew.text.endswith("tw"))
        await kill(bench)
        await bench.agent.tell(Recall(turn="t1", incarnation=2, since=None))
        recalled = await bench.until(Recalled)
    assert resume.decide(recalled.entries) == resume.GoOn(resume.RESUME_NOTE, "one")


async def test_what_a_person_sends_is_text_whatever_commands_pi_has(rig: Rig) -> None:
    rig.extension('pi.registerCommand("shout", { description: "x", handler: async () => {} });')
    for name, text in {"prompts/review.md": "Look at $1.", "skills/foo/SKILL.md": SKILL}.items():
        (rig.folder / "agent" / name).parent.mkdir(parents=True)
        (rig.folder / "agent" / name).write_text(text)
    texts = (
        *("/shout loud", "/llama is an animal", "/review it", "/skill:foo it", "/model x y", "/login", "!ls"),
        *("/etc/hosts is empty", "/host-resume do it", "/host-resume"),
    )
    async with rig.agent(*[Reply(deltas=("ok",))] * len(texts)) as bench:
        await bench.ready()
        for number, text in enumerate(texts):
            assert (await run(bench, f"s{number}", text)).text == "ok"
            role, seen = rig.asked()[-1]
            assert (role, seen.strip()) == ("user", text)
        entries, _ = await recall(bench, None)
        assert len([role for role, _, _ in entries if role == "user"]) == len(texts)


async def test_a_text_that_an_extension_takes_for_itself_ends_its_turn(rig: Rig) -> None:
    rig.extension('pi.on("input", async () => ({ action: "handled" }));')
    async with rig.agent() as bench:
        await bench.ready()
        settled = await run(bench, "t1", "shout")
        assert (settled.text, settled.stop_reason, settled.error, settled.leaf) == ("", "stop", "", None)
        assert rig.llm.requests == []


async def test_pi_sees_its_own_environment_and_leaves_nothing_in_the_temporary_folder(rig: Rig) -> None:
    tool = ToolCall("bash", {"command": "env > seen"})
    async with rig.agent(Reply(tool=tool), Reply(deltas=("done",))) as bench:
        await bench.ready()
        await run(bench, "t1", "look")
        argv = await trio.Path(f"/proc/{bench.pid}/cmdline").read_text()
    seen = dict(line.partition("=")[::2] for line in (rig.work / "seen").read_text().splitlines())
    assert not {"TELEGRAM_BOT_TOKEN", "NOTIFY_SOCKET", "LLM_API_KEY"} & set(seen)
    assert KEY not in argv
    assert KEY not in [value for name, value in rig.plan().spec(bench.room, "m").env.items()]
    assert seen["NODE_COMPILE_CACHE"] == str(rig.folder / "cache/compiled")
    assert os.listdir(rig.folder / "tmp") == []
    assert os.listdir(rig.folder / "home") == []
    assert os.listdir(rig.folder / "cache/compiled") != []


async def test_a_model_that_the_provider_does_not_have_is_named(rig: Rig) -> None:
    wrong = msgspec.structs.replace(rig.provider, model="fake-2")
    async with open_bench(rig.folder, rig.plan(provider=wrong), restart=Restart.TEMPORARY) as bench:
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
    assert exited.reason == "[pi] model (or LLM_MODEL): fake has no model fake-2; near it: fake-1."


async def test_a_session_that_another_pi_still_holds_is_waited_for(rig: Rig, nursery: trio.Nursery) -> None:
    (rig.folder / "sessions/den").mkdir()
    rig.work.mkdir()
    async with open_bench(rig.folder, rig.plan()) as bench:  # whose room it is
        room = bench.room
        await bench.ready()
    held = await launch(rig.plan().spec(room, "m"), nursery)
    async with rig.agent() as bench:
        with trio.move_on_after(0.5):
            await bench.until(AgentReady)
        assert bench.heard == []
        await held.stop(3.0)
        await bench.ready()


async def test_a_session_that_stays_held_is_a_sentence(
    rig: Rig, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CLAIM_PATIENCE", 0.1)
    (rig.folder / "sessions/den").mkdir()
    rig.work.mkdir()
    async with open_bench(rig.folder, rig.plan()) as bench:
        await bench.ready()
    held = await launch(rig.plan().spec(bench.room, "m"), nursery)
    async with rig.agent(restart=Restart.TEMPORARY) as bench:
        exited = await bench.recorder.wait_for(ChildExited, "/agent")
    await held.stop(3.0)
    note = rig.folder / "sessions/den/pi.pid"
    begins, ends = f"cannot start {note}: process {held.pid} (", ") still works there; end it and write /restart"
    assert exited.reason.startswith(begins)
    assert exited.reason.endswith(ends)
