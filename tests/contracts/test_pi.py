"""What the service relies on in pi, tried on the real one and, with the same tests, on the fake that stands in for it.

A missing pi or Node fails these tests, it does not skip them: `make` installs both.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL

import pytest
import trio

from actors.pi.answers import Entries, Models, QueueCleared, State
from actors.pi.commands import (
    Abort,
    ClearQueue,
    Compact,
    GetAvailableModels,
    GetEntries,
    GetState,
    Prompt,
)
from actors.pi.outputs import (
    Ignored,
    MessageEnded,
    QueueChanged,
    RunStarted,
    Settled,
    TextGrew,
    ToolEnded,
    ToolStarted,
)
from actors.pi.process import Exited
from tests.contracts.pi_rig import Live, Rig
from tests.fakes.llm import Reply, ToolCall, open_llm

WAIT_FOR_GO = ToolCall("bash", {"command": "while [ ! -e go ]; do sleep 0.02; done; echo went"})


@pytest.fixture(params=["real", "fake"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Rig]:
    async with open_llm([]) as llm:
        yield Rig(tmp_path, nursery, llm, real=request.param == "real")


def prompt(text: str) -> Prompt:
    return Prompt(message=text, streaming_behavior="steer")


async def run(pi: Live, text: str) -> Settled:
    """Prompts and waits for the end of the run."""
    assert (await pi.ask(prompt(text))).ok
    settled, _ = await pi.until(Settled)
    return settled


async def entries(pi: Live, since: str | None = None) -> Entries:
    data = (await pi.ask(GetEntries(since=since))).data
    assert isinstance(data, Entries)
    return data


def said(found: Entries) -> list[tuple[str, str]]:
    """Roles and texts of the entries, the system's left out."""
    messages = [entry.message for entry in found.entries if entry.message is not None]
    return [(message.role, message.text) for message in messages if message.role != "system"]


async def test_a_cold_start_answers_get_state_and_end_of_input_ends_it(rig: Rig) -> None:
    pi = await rig.start()
    state = (await pi.ask(GetState())).data
    assert isinstance(state, State)
    assert state.session_id == "room-1"
    assert not state.is_streaming
    assert state.session_file is not None
    assert rig.session_files() == []  # it is only a plan
    models = (await pi.ask(GetAvailableModels())).data
    assert isinstance(models, Models)
    assert [model.id for model in models.models] == ["fake-1", "other-1"]
    assert await pi.proc.stop(grace=9.0) == Exited(code=0, signal=None)


async def test_a_prompt_streams_and_settles(rig: Rig) -> None:
    rig.script(Reply(deltas=("Hel", "lo \u2028there")))
    pi = await rig.start()
    await pi.send(prompt("hi"))
    settled, before = await pi.until(Settled)
    assert settled == Settled(stop_reason="stop", text="Hello \u2028there", error="", aborted=False)
    assert [output.delta for output in before if isinstance(output, TextGrew)] == ["Hel", "lo \u2028there"]
    kinds = [type(output) for output in before if not isinstance(output, TextGrew)]
    assert kinds.count(RunStarted) == 1
    ended = [(output.role, output.text) for output in before if isinstance(output, MessageEnded)]
    assert ended[-2:] == [("user", "hi"), ("assistant", "Hello \u2028there")]
    assert pi.session.text == "Hello \u2028there"
    assert not pi.session.streaming


async def test_a_steer_reaches_the_model_after_the_tool(rig: Rig) -> None:
    rig.script(Reply(deltas=("let me see",), tool=WAIT_FOR_GO), Reply(deltas=("done",)))
    pi = await rig.start()
    await pi.send(prompt("look"))
    started, _ = await pi.until(ToolStarted)
    assert (started.name, started.summary) == ("bash", WAIT_FOR_GO.arguments["command"])
    assert [tool.name for tool in pi.session.tools.values()] == ["bash"]
    assert (await pi.ask(prompt("quickly"))).ok
    assert (await pi.until(QueueChanged))[0].steering == ("quickly",)
    (rig.workspace / "go").touch()
    ended, _ = await pi.until(ToolEnded)
    assert (ended.id, ended.name, ended.is_error) == (started.id, "bash", False)
    settled, _ = await pi.until(Settled)
    assert settled.text == "done"
    assert rig.requests()[-1] == [
        ("user", "look"),
        ("assistant", "let me see"),
        ("tool", "went\n"),
        ("user", "quickly"),
    ]


async def test_clear_queue_then_abort_ends_the_run_with_nothing_left(rig: Rig) -> None:
    rig.script(Reply(deltas=("part",), hold=True), Reply(deltas=("fresh",)))
    pi = await rig.start()
    await pi.send(prompt("long"))
    await pi.until(TextGrew)
    assert (await pi.ask(Prompt(message="later", streaming_behavior="followUp"))).ok
    cleared = (await pi.ask(ClearQueue())).data
    assert cleared == QueueCleared(steering=(), follow_up=("later",))
    abort = await pi.send(Abort())
    settled, before = await pi.until(Settled)
    assert (settled.stop_reason, settled.text, settled.aborted) == ("aborted", "part", True)
    assert abort not in [getattr(output, "id", None) for output in before]  # it is answered after the end
    assert (await run(pi, "next")).text == "fresh"
    assert "later" not in str(rig.requests())


async def test_an_abort_while_a_tool_runs_counts_as_aborted(rig: Rig) -> None:
    rig.script(Reply(deltas=("wait",), tool=WAIT_FOR_GO))
    pi = await rig.start()
    await pi.send(prompt("work"))
    await pi.until(ToolStarted)
    await pi.send(Abort())
    ended, _ = await pi.until(ToolEnded)
    assert ended.is_error
    settled, _ = await pi.until(Settled)
    assert (settled.stop_reason, settled.aborted) == ("error", True)


async def test_a_refusal_of_the_model_is_an_error_with_its_reason(rig: Rig) -> None:
    rig.script(Reply(status=401))
    pi = await rig.start()
    settled = await run(pi, "hi")
    assert (settled.stop_reason, settled.text, settled.aborted) == ("error", "", False)
    assert "401" in settled.error


async def test_it_survives_what_it_cannot_read(rig: Rig) -> None:
    rig.script(Reply(deltas=("still here",)))
    pi = await rig.start()
    for line in (b"{not json\n", b"[]\n", b'{"id":"x","type":"frobnicate"}\n'):
        await pi.proc.write(line)
        ignored, _ = await pi.until(Ignored)
        assert ignored.kind == "stray"
    refused = await pi.ask(Compact())
    assert (refused.ok, refused.error) == (False, "Nothing to compact (session too small)")
    assert (await run(pi, "hi")).text == "still here"


async def test_nothing_is_on_disk_before_the_first_answer(rig: Rig) -> None:
    rig.script(Reply(deltas=("thinking",), hold=True), Reply(deltas=("now",)))
    pi = await rig.start()
    await pi.send(prompt("first"))
    await pi.until(TextGrew)
    assert rig.session_files() == []
    pi.proc.signal(SIGKILL)
    assert await pi.proc.stop(grace=3.0) == Exited(code=None, signal=SIGKILL)
    pi = await rig.start()
    assert said(await entries(pi)) == []  # the person's message is lost to pi: we must send it again
    assert (await run(pi, "first")).text == "now"


async def test_entries_since_a_leaf(rig: Rig) -> None:
    rig.script(Reply(deltas=("one",)), Reply(deltas=("two",)))
    pi = await rig.start()
    await run(pi, "1")
    leaf = (await entries(pi)).leaf_id
    await run(pi, "2")
    assert said(await entries(pi, since=leaf)) == [("user", "2"), ("assistant", "two")]
    unknown = await pi.ask(GetEntries(since="nowhere"))
    assert (unknown.ok, unknown.error) == (False, "Entry not found: nowhere")


async def test_killed_mid_stream_the_session_reopens_and_the_note_goes_on_once(rig: Rig) -> None:
    rig.script(Reply(deltas=("one",)), Reply(deltas=("par",), hold=True), Reply(deltas=("resumed",)))
    pi = await rig.start()
    await run(pi, "1")
    leaf = (await entries(pi)).leaf_id
    await pi.send(prompt("2"))
    await pi.until(TextGrew)
    pi.proc.signal(SIGKILL)
    await pi.proc.stop(grace=3.0)
    pi = await rig.start()
    assert said(await entries(pi, since=leaf)) == [("user", "2")]  # the ids are the same, the partial answer is lost
    assert (await run(pi, "/host-resume The service was interrupted: go on.")).text == "resumed"
    assert rig.requests()[-1] == [
        ("user", "1"),
        ("assistant", "one"),
        ("user", "2"),
        ("user", "The service was interrupted: go on."),
    ]
    added = (await entries(pi, since=leaf)).entries
    assert [entry.custom_type for entry in added if entry.type == "custom_message"] == ["host"]


async def test_killed_in_a_tool_the_model_learns_that_there_is_no_result(rig: Rig) -> None:
    rig.script(Reply(deltas=("wait",), tool=WAIT_FOR_GO), Reply(deltas=("resumed",)))
    pi = await rig.start()
    await pi.send(prompt("work"))
    await pi.until(ToolStarted)
    pi.proc.signal(SIGKILL)
    await pi.proc.stop(grace=3.0)
    (rig.workspace / "go").touch()  # the command has outlived its pi
    pi = await rig.start()
    assert said(await entries(pi)) == [("user", "work"), ("assistant", "wait")]
    assert (await run(pi, "/host-resume Go on.")).text == "resumed"
    assert ("tool", "No result provided") in rig.requests()[-1]


async def test_an_unknown_option_ends_it_with_a_reason(rig: Rig) -> None:
    pi = await rig.start("--frobnicate")
    assert await pi.proc.wait() == Exited(code=1, signal=None)
    assert "Unknown option: --frobnicate" in pi.proc.stderr_tail()
    await pi.proc.stop(grace=1.0)


async def test_null_kills_it_which_is_why_none_is_ever_written(rig: Rig) -> None:
    pi = await rig.start()
    await pi.ask(GetState())
    await pi.proc.write(b"null\n")
    assert await pi.proc.wait() == Exited(code=1, signal=None)
    await pi.proc.stop(grace=1.0)
