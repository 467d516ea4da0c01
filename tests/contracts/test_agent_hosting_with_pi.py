"""The agent with the real pi behind it: what joins a run, what it asks of people and host, and what it is made with."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import trio

from actors.messages import (
    Abort,
    AgentReady,
    AnswerDialog,
    Compact,
    Compacted,
    FileOffered,
    ModelInfo,
    ModelSet,
    Prompt,
    PromptRefused,
    QuestionAsked,
    QuestionClosed,
    Recall,
    Recalled,
    Reopen,
    RoomSettings,
    SetModel,
    Steer,
    SteerTaken,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi.demo_server import DemoServer
from actors.pi.demo_wire import MODEL_ID, PROVIDER_ID
from actors.pi.providers import agent_files, compatible
from actors.settings import Secret
from tests.actors.pi.bench import Bench, open_bench
from tests.contracts.agent_rig import Rig, open_rig, run
from tests.fakes.llm import KEY, Reply, ToolCall

WAIT_FOR_GO = ToolCall("bash", {"command": "while [ ! -e go ]; do sleep 0.02; done"})
DONE = Reply(deltas=("done",))
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
SEEING = ModelInfo(id="fake-1", images=True)
BLIND = ModelInfo(id="other-1")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


def steer(inbound: int, text: str, *images: Path, turn: str = "t1") -> Steer:
    return Steer(turn=turn, incarnation=1, inbound=inbound, text=text, images=tuple(map(str, images)))


async def begin(bench: Bench, text: str = "work", turn: str = "t1", images: tuple[Path, ...] = ()) -> None:
    paths = tuple(map(str, images))
    await bench.agent.tell(Prompt(turn=turn, incarnation=1, text=text, images=paths, since=time.time() - 60))


def seen(rig: Rig) -> list[int]:
    """How many pictures the model was shown with each message of the person's, in its last request."""
    users = [message["content"] for message in rig.llm.requests[-1]["messages"] if message["role"] == "user"]
    return [str(content).count("data:image/png;base64,") for content in users]


def told_by_tools(rig: Rig) -> list[str]:
    return [text for role, text in rig.asked() if role == "tool"]


async def test_steers_are_taken_together_and_pictures_are_seen(rig: Rig) -> None:
    rig.listen()
    async with rig.agent(Reply(tool=WAIT_FOR_GO), DONE, DONE) as bench:
        await bench.ready()
        dot = rig.work / "dot.png"
        await trio.Path(dot).write_bytes(PNG)
        await begin(bench, "look", images=(dot,))
        await bench.until(ToolStarted)
        await bench.agent.tell(steer(7, "and here", dot))
        await bench.agent.tell(steer(8, "quickly"))
        await rig.until_told("quickly")
        (rig.work / "go").touch()
        assert [(await bench.until(SteerTaken)).inbound for _ in range(2)] == [7, 8]
        assert (await bench.until(TurnSettled)).unconsumed == ()
        assert [text for role, text in rig.asked() if role == "user"] == ["look", "and here", "quickly"]
        assert seen(rig) == [1, 1, 0]
    assert len(rig.llm.requests) == 2  # both in one


async def test_a_steer_makes_a_failing_run_go_on(rig: Rig) -> None:
    async with rig.agent(Reply(status=401, pause=0.5), DONE) as bench:
        await bench.ready()
        await begin(bench)
        await bench.agent.tell(steer(7, "try again"))
        settled = await bench.until(TurnSettled)
        assert (settled.stop_reason, settled.text, settled.unconsumed) == ("stop", "done", ())
    assert [event.inbound for event in bench.heard if isinstance(event, SteerTaken)] == [7]


async def test_an_abort_gives_back_what_the_model_did_not_hear(rig: Rig) -> None:
    async with rig.agent(Reply(tool=WAIT_FOR_GO), DONE) as bench:
        await bench.ready()
        await begin(bench)
        await bench.until(ToolStarted)
        await bench.agent.tell(steer(7, "never heard"))
        await bench.agent.tell(steer(8, "nor this"))
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        settled = await bench.until(TurnSettled)
        assert (settled.stop_reason, settled.unconsumed) == ("aborted", (7, 8))
        assert (await run(bench, "t2", "next")).text == "done"
        assert "hear" not in str(rig.asked())


@pytest.mark.parametrize("moment", range(6))
async def test_a_steer_near_the_end_is_taken_or_given_back_and_never_both(rig: Rig, moment: int) -> None:
    async with rig.agent(Reply(deltas=("one",), pause=0.1), DONE, DONE) as bench:
        await bench.ready()
        await begin(bench)
        await trio.sleep(0.1 + 0.02 * moment)
        await bench.agent.tell(steer(7, "near the end"))
        settled = await bench.until(TurnSettled)
        taken = [event.inbound for event in bench.heard if isinstance(event, SteerTaken)]
        told = [*taken, *settled.unconsumed]
        assert told in ([7], [])  # nothing if it came when the end was told already
        heard = "near the end" in str(rig.asked())
        assert heard == (taken == [7])
        await run(bench, "t2", "next")
        assert str(rig.asked()).count("near the end") == heard
        rig.llm.replies.clear()


async def test_a_text_that_an_extension_changes_is_heard_and_given_back_all_the_same(rig: Rig) -> None:
    rig.listen('return { action: "transform", text: event.text.toUpperCase() };')
    async with rig.agent(Reply(tool=WAIT_FOR_GO), DONE, Reply(tool=WAIT_FOR_GO), DONE) as bench:
        await bench.ready()
        await begin(bench, "look")
        await bench.until(ToolStarted)
        await bench.agent.tell(steer(7, "quickly"))
        await rig.until_told("quickly")
        (rig.work / "go").touch()
        assert (await bench.until(TurnSettled)).unconsumed == ()
        assert [event.inbound for event in bench.heard if isinstance(event, SteerTaken)] == [7]
        (rig.work / "go").unlink()
        await begin(bench, "again", "t2")
        await bench.until(ToolStarted)
        await bench.agent.tell(steer(8, "not heard", turn="t2"))
        await rig.until_told("not heard")
        await bench.agent.tell(Abort(turn="t2", incarnation=1))
        assert (await bench.until(TurnSettled)).unconsumed == (8,)
        rig.llm.replies.clear()


async def test_a_question_of_the_agents_goes_to_people_and_back(rig: Rig) -> None:
    ask = ToolCall("ask_user", {"question": "Which?", "options": ["A", "B"]})
    async with rig.agent(Reply(tool=ask), DONE) as bench:
        await bench.ready()
        await begin(bench)
        asked = await bench.until(QuestionAsked)
        assert (asked.method, asked.title, asked.options) == ("select", "Which?", ("A", "B"))
        await bench.agent.tell(AnswerDialog(incarnation=1, dialog=asked.dialog, value="B"))
        assert not (await bench.until(ToolEnded)).failed
        await bench.until(TurnSettled)
        assert told_by_tools(rig) == ["B"]


async def test_a_question_of_an_extensions_goes_to_people_and_back_and_an_abort_closes_one(rig: Rig) -> None:
    rig.extension(
        'pi.on("tool_call", async (event, ctx) => {'
        ' const right = await ctx.ui.confirm("Run it?", event.input.command);'
        ' if (!right) return { block: true, reason: "not allowed" }; });'
    )
    look = Reply(tool=ToolCall("bash", {"command": "echo ran"}))
    async with rig.agent(look, look, DONE, look) as bench:
        await bench.ready()
        await begin(bench)
        for value in (True, False):
            asked = await bench.until(QuestionAsked)
            assert (asked.method, asked.title, asked.text) == ("confirm", "Run it?", "echo ran")
            await bench.agent.tell(AnswerDialog(incarnation=1, dialog=asked.dialog, value=value))
        await bench.until(TurnSettled)
        ran, refused = told_by_tools(rig)
        assert (ran, "not allowed" in refused) == ("ran\n", True)


async def test_an_abort_closes_a_question(rig: Rig) -> None:
    async with rig.agent(Reply(tool=ToolCall("ask_user", {"question": "Which?"})), DONE) as bench:
        await bench.ready()
        await begin(bench)
        asked = await bench.until(QuestionAsked)
        await bench.agent.tell(Abort(turn="t1", incarnation=1))
        assert (await bench.until(QuestionClosed)).dialog == asked.dialog
        assert (await bench.until(TurnSettled)).stop_reason == "aborted"
        assert (await run(bench, "t2", "next")).text == "done"


async def test_a_file_of_the_workspace_goes_out_and_no_other(rig: Rig) -> None:
    paths = ("report.txt", "report.txt", "../agent/models.json", "/etc/passwd", "link")
    sends = [Reply(tool=ToolCall("send_file", {"path": path, "caption": "Here"})) for path in paths]
    async with rig.agent(*sends, DONE) as bench:
        await bench.ready()
        await trio.Path(rig.work / "report.txt").write_text("all is well")
        (rig.work / "link").symlink_to(rig.folder / "agent/models.json")
        await begin(bench)
        assert [(await bench.until(ToolEnded)).failed for _ in paths] == [False, False, True, True, True]
        assert (await bench.until(TurnSettled)).files == 1
        sent, again, *refused = told_by_tools(rig)
        assert sent == again == "On its way to the chat: report.txt (11 bytes)."
        assert all("is outside of the workspace" in text for text in refused)
    first, second = bench.told
    assert first.key != second.key
    assert await trio.Path(first.file or "").read_text() == "all is well"
    assert [event.name for event in bench.heard if isinstance(event, FileOffered)] == ["report.txt"] * 2


async def test_the_demo_model_asks_and_sends_for_real(rig: Rig, nursery: trio.Nursery) -> None:
    demo = compatible(PROVIDER_ID, await nursery.start(DemoServer(KEY).run), MODEL_ID, Secret(KEY))
    for name, text in agent_files(demo, trust_projects=False).items():
        await trio.Path(rig.folder / "agent" / name).write_text(text)
    async with open_bench(rig.folder, rig.plan(provider=demo)) as bench:
        await bench.ready()
        await begin(bench, "write: a.txt hello\nask: Shall I send it?\nsend: a.txt\nsend: b.txt")
        asked = await bench.until(QuestionAsked)
        assert (asked.method, asked.title) == ("input", "Shall I send it?")
        await bench.agent.tell(AnswerDialog(incarnation=1, dialog=asked.dialog, value="yes, do"))
        await bench.until(TurnSettled)
        await bench.agent.tell(Recall(turn="t1", incarnation=1, since=None))
        heard = "\n".join(entry.text for entry in (await bench.until(Recalled)).entries)
    assert "The answer to the question:\n\n```\nyes, do\n```" in heard
    assert "The file is sent:\n\n```\nOn its way to the chat: a.txt (5 bytes).\n```" in heard
    assert "The tool `send_file` failed:\n\n```\nError: b.txt does not exist." in heard
    assert [delivery.file is not None for delivery in bench.told] == [True]


async def test_models_levels_and_use_are_told_and_a_choice_is_the_rooms_alone(rig: Rig) -> None:
    settings = rig.folder / "agent/settings.json"
    before = settings.read_text()
    async with rig.agent(DONE, DONE) as bench:
        ready = await bench.until(AgentReady)
        assert (ready.model, ready.thinking, ready.models) == (SEEING, "off", (SEEING, BLIND))
        assert (ready.usage.cost, ready.usage.context, ready.usage.window) == (0.0, 0, 128_000)
        settled = await run(bench, "t1", "hi")
        assert (settled.usage.input, settled.usage.output, settled.usage.context) == (10, 5, 15)
        assert settled.usage.cost > 0
        bench.room = msgspec.structs.replace(bench.room, leaf=settled.leaf)
        await bench.agent.tell(SetModel(incarnation=1, model="fake/other-1", thinking="high"))
        assert await bench.until(ModelSet) == ModelSet(incarnation=1, model=BLIND, thinking="high", error="")
        await bench.agent.tell(SetModel(incarnation=1, model="fake-2", thinking="max"))
        refused = await bench.until(ModelSet)
        assert (refused.model, refused.thinking) == (BLIND, "high")
        assert "near it: fake-1" in refused.error
        assert "off, minimal, low, medium, high" in refused.error
        assert (await run(bench, "t2", "hi")).text == "done"
        assert rig.llm.requests[-1]["model"] == "other-1"
    assert settings.read_text() == before


@pytest.mark.parametrize(
    ("chosen", "model", "thinking"),
    [
        (RoomSettings(model="other-1", thinking="low"), BLIND, "low"),
        (RoomSettings(model="other-1"), BLIND, "off"),
        (RoomSettings(model="gone-1"), SEEING, "off"),
    ],
)
async def test_a_room_begins_with_its_own_model(
    rig: Rig, chosen: RoomSettings, model: ModelInfo, thinking: str
) -> None:
    async with rig.agent(DONE, DONE, settings=chosen) as bench:
        for session in ("den-1", "den-2"):
            ready = await bench.until(AgentReady)
            assert (ready.model, ready.thinking, ready.leaf) == (model, thinking, None)
            await run(bench, session, "hi")
            assert rig.llm.requests[-1]["model"] == model.id
            if session == "den-1":
                bench.room = msgspec.structs.replace(bench.room, session_id="den-2", leaf=None)
                await bench.agent.tell(Reopen(session_id="den-2"))


async def test_another_model_does_not_bring_back_the_level_of_pis_settings(rig: Rig) -> None:
    settings = rig.folder / "agent/settings.json"
    content = msgspec.json.decode(settings.read_bytes(), type=dict[str, object])
    settings.write_bytes(msgspec.json.encode(content | {"defaultThinkingLevel": "high"}))
    rig.provider = msgspec.structs.replace(rig.provider, thinking="off")
    async with rig.agent(settings=RoomSettings(model="other-1")) as bench:
        ready = await bench.until(AgentReady)
    assert (ready.model, ready.thinking) == (BLIND, "off")


async def test_a_summary_is_made_and_what_is_wanted_meanwhile_waits(rig: Rig) -> None:
    settings = rig.folder / "agent/settings.json"
    content = msgspec.json.decode(settings.read_bytes(), type=dict[str, object])
    settings.write_bytes(msgspec.json.encode(content | {"compaction": {"keepRecentTokens": 2}}))
    async with rig.agent(DONE, DONE, Reply(deltas=("In short.",), pause=0.3), DONE) as bench:
        await bench.ready()
        await run(bench, "t1", "first")
        leaf = (await run(bench, "t2", "second")).leaf
        await bench.agent.tell(Compact(incarnation=1, instructions="Be brief."))
        await begin(bench, "third", "t3")
        compacted = await bench.until(Compacted)
        assert (compacted.error, compacted.before > 0) == ("", True)
        assert compacted.leaf not in (None, leaf)
        assert (await bench.until(TurnSettled)).text == "done"
        assert "In short." in str(rig.asked())
        assert "Be brief." in str(rig.llm.requests[2])
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        await begin(bench, "fourth", "t4")
        rig.llm.replies += [Reply(deltas=("Shorter.",)), Reply(deltas=("held",), hold=True)]
        assert (await bench.until(Compacted)).error == ""
        await bench.until(TextGrew)
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        assert "at work" in (await bench.until(Compacted)).error
        assert not any(isinstance(event, PromptRefused) for event in bench.heard)
