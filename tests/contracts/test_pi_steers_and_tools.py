"""What the service relies on in pi beside plain prompts: steers, pictures, dialogs, host tools, models, summaries.

As in `test_pi`: the same tests on the real one and on the fake that stands in for it.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from actors.pi.answers import Compacted, Entries, QueueCleared, State, Stats, ThinkingLevels
from actors.pi.commands import (
    Abort,
    Answer,
    ClearQueue,
    Compact,
    DialogCancelled,
    DialogConfirmed,
    DialogValue,
    GetAvailableThinkingLevels,
    GetEntries,
    GetSessionStats,
    GetState,
    Image,
    Prompt,
    SetModel,
    SetThinkingLevel,
    Steer,
)
from actors.pi.host_tools import HostCall, SendFile, read_call, result
from actors.pi.outputs import (
    CompactionEnded,
    CompactionStarted,
    DialogClosed,
    DialogRequested,
    MessageEnded,
    RunStarted,
    Settled,
    TextGrew,
    ToolEnded,
    ToolStarted,
)
from tests.contracts.pi_rig import MARK, Live, Rig
from tests.fakes.llm import Reply, ToolCall, open_llm

WAIT_FOR_GO = ToolCall("bash", {"command": "while [ ! -e go ]; do sleep 0.02; done; echo went"})
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DOTS = (Image(data=DOT, mime_type="image/png"),)
ASKING = """
pi.registerTool({ name: "dialog", label: "dialog", description: "Asks.",
  parameters: { type: "object", properties: { method: { type: "string" } }, required: ["method"] },
  async execute(id, args, signal, update, ctx) {
    const { method, title } = args;
    const second = { select: args.options, confirm: args.message, input: args.placeholder, editor: args.prefill };
    const answer = await ctx.ui[method](title, second[method], { signal });
    return { content: [{ type: "text", text: JSON.stringify(answer ?? null) }], details: {} };
  } });
"""


@pytest.fixture(params=["real", "fake"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Rig]:
    async with open_llm([]) as llm:
        yield Rig(tmp_path, nursery, llm, real=request.param == "real")


async def begin(pi: Live, text: str, images: tuple[Image, ...] = ()) -> None:
    assert (await pi.ask(Prompt(message=text, streaming_behavior="followUp", images=images))).ok
    await pi.until(RunStarted)


async def finish(pi: Live, text: str) -> Settled:
    await begin(pi, text)
    settled, _ = await pi.until(Settled)
    return settled


def users(outputs: list[object]) -> list[str]:
    return [output.text for output in outputs if isinstance(output, MessageEnded) and output.role == "user"]


# --- steers and pictures ----------------------------------------------------------------------------------------------


async def test_a_steer_is_heard_after_the_tool_and_its_end_says_so(rig: Rig) -> None:
    rig.script(Reply(tool=WAIT_FOR_GO), Reply(deltas=("done",)))
    pi = await rig.start()
    await begin(pi, "look")
    await pi.until(ToolStarted)
    assert (await pi.ask(Steer(message="quickly", images=DOTS))).ok
    (rig.workspace / "go").touch()
    _, before = await pi.until(ToolEnded)
    assert "quickly" not in users(list(before))
    _, before = await pi.until(Settled)
    assert users(list(before)) == ["quickly"]
    assert rig.requests()[-1][-1] == ("user", "quickly[image/png]")
    assert (await pi.ask(ClearQueue())).data == QueueCleared()


async def test_a_steer_makes_a_failing_run_go_on(rig: Rig) -> None:
    rig.script(Reply(status=401, pause=0.3), Reply(deltas=("done",)))
    pi = await rig.start()
    await begin(pi, "one")
    assert (await pi.ask(Steer(message="again"))).ok
    settled, before = await pi.until(Settled)
    assert (settled.stop_reason, settled.text) == ("stop", "done")
    assert "again" in users(list(before))
    assert not any(isinstance(output, RunStarted) for output in before)


async def test_a_steer_behind_the_last_word_stays_and_would_ride_on_the_next_run(rig: Rig) -> None:
    rig.script(Reply(deltas=("done",)), Reply(deltas=("next",)))
    pi = await rig.start()
    await finish(pi, "one")
    assert (await pi.ask(Steer(message="late"))).ok
    assert (await pi.ask(Steer(message="later"))).ok
    state = (await pi.ask(GetState())).data
    assert isinstance(state, State)
    assert (state.is_streaming, state.pending_message_count) == (False, 2)
    assert (await pi.ask(ClearQueue())).data == QueueCleared(steering=("late", "later"))
    assert (await finish(pi, "two")).text == "next"
    assert "late" not in str(rig.requests())


async def test_what_begins_as_a_command_of_an_extension_cannot_steer(rig: Rig) -> None:
    rig.script(Reply(deltas=("par",), hold=True))
    pi = await rig.start()
    await begin(pi, "one")
    await pi.until(TextGrew)
    refused = await pi.ask(Steer(message="/host-resume now"))
    assert not refused.ok
    assert "cannot be queued" in refused.error


async def test_pictures_reach_the_model(rig: Rig) -> None:
    rig.script(Reply(deltas=("I see",)))
    pi = await rig.start()
    await begin(pi, "look", images=DOTS * 2)
    await pi.until(Settled)
    assert rig.requests()[-1] == [("user", "look[image/png][image/png]")]


# --- dialogs and host tools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "answer", "heard"),
    [
        ({"method": "select", "options": ["A", "B"]}, DialogValue(id="", value="B"), "B"),
        ({"method": "confirm", "message": "Really?"}, DialogConfirmed(id="", confirmed=True), True),
        ({"method": "input", "placeholder": "name"}, DialogValue(id="", value="Ann"), "Ann"),
        ({"method": "editor", "prefill": "text"}, DialogValue(id="", value="new\ntext"), "new\ntext"),
        ({"method": "select", "options": ["A"]}, DialogCancelled(id=""), None),
        ({"method": "confirm", "message": "Really?"}, DialogCancelled(id=""), False),
    ],
)
async def test_a_dialog_waits_for_its_answer(
    rig: Rig, fields: dict[str, object], answer: Answer, heard: str | bool | None
) -> None:
    rig.extension(ASKING)
    rig.script(Reply(tool=ToolCall("dialog", fields | {"title": "Well?"})), Reply(deltas=("thanks",)))
    pi = await rig.start()
    await begin(pi, "ask")
    dialog, _ = await pi.until(DialogRequested)
    text = str(fields.get("message") or fields.get("placeholder") or fields.get("prefill") or "")
    options = fields.get("options", [])
    assert isinstance(options, list)
    assert dialog == DialogRequested(dialog.id, dialog.method, "Well?", text, tuple(options), None)
    assert dialog.method == fields["method"]
    line = pi.session.answer(
        type(answer)(**{name: getattr(answer, name) for name in answer.__struct_fields__} | {"id": dialog.id})
    )
    assert line is not None
    await pi.proc.write(line)
    settled, before = await pi.until(Settled)
    assert settled.text == "thanks"
    assert not any(isinstance(output, DialogClosed) for output in before)
    assert rig.requests()[-1][-1] == ("tool", json.dumps(heard))


async def test_a_host_tool_asks_the_host_with_its_mark_and_takes_its_word(rig: Rig) -> None:
    send = ToolCall("send_file", {"path": "a.txt", "caption": "Here"})
    rig.script(Reply(tool=send), Reply(tool=send), Reply(deltas=("thanks",)))
    pi = await rig.start()
    await begin(pi, "send it")
    for word in (result("On its way."), result("No such file.", error=True)):
        dialog, before = await pi.until(DialogRequested)
        (started,) = [output for output in before if isinstance(output, ToolStarted)]
        call = read_call(dialog, MARK, pi.session.tools)
        wanted = SendFile(path="a.txt", caption="Here")
        assert call == HostCall(dialog=dialog.id, call=started.id, wanted=wanted)
        assert read_call(dialog, "another-mark", pi.session.tools) is None
        line = pi.session.answer(DialogValue(id=dialog.id, value=word))
        assert line is not None
        await pi.proc.write(line)
        ended, _ = await pi.until(ToolEnded)
        assert ended.is_error == ("No such" in word)
    await pi.until(Settled)
    assert [text for role, text in rig.requests()[-1] if role == "tool"] == ["On its way.", "No such file."]


async def test_the_calls_of_one_message_run_side_by_side_and_their_results_come_together(rig: Rig) -> None:
    asks = ToolCall("ask_user", {"question": "Which?"}, id="call_2")
    rig.script(Reply(tool=ToolCall("send_file", {"path": "a.txt"}), more=(asks,)), Reply(deltas=("thanks",)))
    pi = await rig.start()
    await begin(pi, "go")
    first, before = await pi.until(DialogRequested)
    second, between = await pi.until(DialogRequested)
    assert [output.name for output in before if isinstance(output, ToolStarted)] == ["send_file", "ask_user"]
    assert not any(isinstance(output, ToolStarted) for output in between)
    for dialog, name, word in ((second, "ask_user", "this"), (first, "send_file", "sent")):
        line = pi.session.answer(DialogValue(id=dialog.id, value=result(word)))
        assert line is not None
        await pi.proc.write(line)
        ended, before = await pi.until(ToolEnded)
        assert ended.name == name
        assert not any(isinstance(output, MessageEnded) for output in before)
    told = [output.text for output in (await pi.until(Settled))[1] if isinstance(output, MessageEnded)]
    assert told == ["sent", "this", "thanks"]
    assert [text for role, text in rig.requests()[-1] if role == "tool"] == ["sent", "this"]


async def test_an_abort_ends_a_host_call_and_pi_says_only_that_the_tool_has_ended(rig: Rig) -> None:
    rig.script(Reply(tool=ToolCall("ask_user", {"question": "Which?", "options": ["A", "B"]})))
    pi = await rig.start()
    await begin(pi, "ask")
    dialog, _ = await pi.until(DialogRequested)
    await pi.send(Abort())
    closed, _ = await pi.until(DialogClosed)
    assert closed.id == dialog.id
    settled, _ = await pi.until(Settled)
    assert settled.aborted


async def test_a_dialog_that_is_dismissed_is_an_error_of_the_host_tool(rig: Rig) -> None:
    rig.script(Reply(tool=ToolCall("ask_user", {"question": "Which?"})), Reply(deltas=("well",)))
    pi = await rig.start()
    await begin(pi, "ask")
    dialog, _ = await pi.until(DialogRequested)
    line = pi.session.answer(DialogCancelled(id=dialog.id))
    assert line is not None
    await pi.proc.write(line)
    ended, _ = await pi.until(ToolEnded)
    assert ended.is_error
    await pi.until(Settled)
    assert rig.requests()[-1][-1] == ("tool", "The host did not answer; nothing was done.")


async def test_what_the_agent_starts_inherits_nothing_of_the_host(rig: Rig) -> None:
    rig.script(
        Reply(tool=ToolCall("bash", {"command": "env | grep -c ^DISPATCHD_HOST || true"})), Reply(deltas=("ok",))
    )
    pi = await rig.start()
    await finish(pi, "look")
    assert rig.requests()[-1][-1] == ("tool", "0\n")


# --- models, levels, use, summaries -----------------------------------------------------------------------------------


async def test_the_model_and_its_level_can_be_changed_and_stay_with_the_session(rig: Rig) -> None:
    rig.script(Reply(deltas=("hello",)))
    pi = await rig.start()
    assert (await pi.ask(GetAvailableThinkingLevels())).data == ThinkingLevels(levels=("off",))
    refused = await pi.ask(SetModel(provider="fake", model_id="nowhere"))
    assert (refused.ok, refused.error) == (False, "Model not found: fake/nowhere")
    assert (await pi.ask(SetModel(provider="fake", model_id="other-1"))).ok
    levels = (await pi.ask(GetAvailableThinkingLevels())).data
    assert levels == ThinkingLevels(levels=("off", "minimal", "low", "medium", "high"))
    assert (await pi.ask(SetThinkingLevel(level="max"))).ok
    state = (await pi.ask(GetState())).data
    assert isinstance(state, State)
    assert state.model is not None
    assert (state.model.id, state.model.input, state.thinking_level) == ("other-1", ("text",), "high")
    await finish(pi, "hi")
    entries = (await pi.ask(GetEntries())).data
    assert isinstance(entries, Entries)
    kinds = [entry.type for entry in entries.entries]
    assert kinds[:4] == ["model_change", "thinking_level_change"] * 2
    assert not rig.settings()  # what pi kept there would be every room's


async def test_stats_count_the_session(rig: Rig) -> None:
    rig.script(Reply(deltas=("one",)), Reply(deltas=("two",)))
    pi = await rig.start()
    for count in range(3):
        stats = (await pi.ask(GetSessionStats())).data
        assert isinstance(stats, Stats)
        assert (stats.tokens.input, stats.tokens.output) == (10 * count, 5 * count)
        assert stats.context_usage is not None
        assert (stats.context_usage.tokens, stats.context_usage.context_window) == (15 * bool(count), 128_000)
        if count < 2:
            await finish(pi, "hi")


async def test_a_summary_is_made_while_nothing_else_is_taken(rig: Rig) -> None:
    rig.compactable()
    rig.script(Reply(deltas=("one",)), Reply(deltas=("two",)), Reply(deltas=("In short.",), pause=0.3))
    rig.script(Reply(deltas=("three",)))
    pi = await rig.start()
    await finish(pi, "first")
    await finish(pi, "second")
    compact = await pi.send(Compact(custom_instructions="Be brief."))
    started, _ = await pi.until(CompactionStarted)
    assert started.reason == "manual"
    refused = await pi.ask(Prompt(message="third", streaming_behavior="followUp"))
    assert not refused.ok
    assert refused.error.startswith("Cannot submit a prompt while compaction is in progress.")
    ended, _ = await pi.until(CompactionEnded)
    assert ended == CompactionEnded("manual", aborted=False, error="")
    answer = await pi.response(compact)
    assert isinstance(answer.data, Compacted)
    assert "In short." in answer.data.summary
    assert answer.data.tokens_before > 0
    stats = (await pi.ask(GetSessionStats())).data
    assert isinstance(stats, Stats)
    assert stats.context_usage is not None
    assert stats.context_usage.tokens is None
    assert (await finish(pi, "third")).text == "three"


async def test_an_abort_ends_a_summary(rig: Rig) -> None:
    rig.compactable()
    rig.script(Reply(deltas=("one",)), Reply(deltas=("two",)), Reply(deltas=("In",), hold=True))
    pi = await rig.start()
    await finish(pi, "first")
    await finish(pi, "second")
    compact = await pi.send(Compact())
    await pi.until(CompactionStarted)
    assert (await pi.ask(Abort())).ok
    ended, _ = await pi.until(CompactionEnded)
    assert ended.aborted
    assert not (await pi.response(compact)).ok
