"""What a session holds, with a pi whose answers are made up; the usual ones are in `test_agent` and the contracts."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from actors.messages import Entry, ToolCall, Usage
from actors.pi import answers, commands, history
from actors.pi.errors import SessionUnfit, SessionUnsaved
from actors.pi.history import History, messages_of
from actors.pi.link import Link
from actors.pi.outputs import Responded


class Answers:
    """A link that answers in order and keeps what it was asked."""

    def __init__(self, *given: answers.Data | str) -> None:
        self._given: Sequence[answers.Data | str] = given
        self.asked: list[commands.Command] = []

    async def call(self, command: commands.Command) -> Responded:
        given = self._given[len(self.asked)]
        self.asked.append(command)
        if isinstance(given, str):
            return Responded("c", command, False, None, given)
        return Responded("c", command, True, given, "")


def said(entry_id: str, role: str, text: str = "x") -> answers.Entry:
    body = answers.MessageBody(role=role, content=text, stop_reason="stop" if role == "assistant" else None)
    return answers.Entry(type="message", id=entry_id, message=body)


def held(*given: answers.Data | str, folder: Path = Path("/nowhere")) -> tuple[History, Answers]:
    link = Answers(*given)
    return History(cast(Link, link), folder), link


async def test_there_is_a_leaf_from_the_first_answer_on() -> None:
    session, _ = held(
        answers.Entries(entries=(said("a", "user"),), leaf_id="a"),
        answers.Entries(entries=(said("a", "user"), said("b", "assistant")), leaf_id="b"),
        answers.State(session_id="s"),  # in memory only
        answers.Entries(entries=(), leaf_id=None),
        answers.State(session_id="s"),
    )
    leaves = []
    for _ in range(3):
        await session.look()
        leaves.append(session.leaf)
    assert leaves == [None, "b", "b"]


async def test_a_leaf_is_one_that_is_on_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text('{"type":"session","id":"s"}\n{"type":"message","id":"b","parentId":null}\n')
    session, _ = held(
        answers.Entries(entries=(said("b", "assistant"),), leaf_id="b"),
        answers.State(session_id="s", session_file=str(file)),
        answers.Entries(entries=(said("c", "user"), said("d", "assistant")), leaf_id="d"),
        folder=tmp_path,
    )
    await session.look()
    session.see_saved()
    assert session.leaf == "b"
    await session.look()
    assert session.leaf == "b"
    with pytest.raises(SessionUnsaved, match=f"could not write its session .{file}."):
        session.see_saved()


async def test_no_file_but_its_own_is_looked_at_whatever_a_pi_says(tmp_path: Path) -> None:
    other = tmp_path / "other/s.jsonl"
    other.parent.mkdir()
    other.write_text('{"type":"session","id":"s"}\n{"type":"message","id":"b","parentId":null}\n')
    session, _ = held(
        answers.Entries(entries=(said("b", "assistant"),), leaf_id="b"),
        answers.State(session_id="s", session_file=str(other)),
        folder=tmp_path / "own",
    )
    await session.look()
    with pytest.raises(SessionUnsaved, match=f"session .{tmp_path}/own/s.jsonl."):
        session.see_saved()


async def test_of_a_session_that_lost_its_end_nothing_is_new() -> None:
    session, link = held("Entry not found: x", answers.Entries(entries=(said("b", "assistant"),), leaf_id="b"))
    assert await session.read("x") == ()
    assert session.leaf == "b"
    assert link.asked == [commands.GetEntries(since="x"), commands.GetEntries(since=None)]


async def test_one_that_is_too_large_gives_its_last_message_or_cannot_be_read() -> None:
    new = answers.ForkMessages(messages=(answers.ForkMessage(entry_id="m", text="hello"),))
    session, _ = held("the answer has 9 bytes: too many", new, "too many", new, "too many", "broken")
    (entry,) = await session.read("x")
    assert (entry.id, entry.message and entry.message.text, session.leaf) == ("m", "hello", "m")
    assert await session.read("m") == ()
    with pytest.raises(SessionUnfit, match=r"cannot be read \(broken\): .*/new"):
        await session.read("m")


async def test_use_is_counted_and_kept_when_pi_does_not_know() -> None:
    tokens = answers.Tokens(input=1, output=2, cache_read=30, cache_write=400)
    full = answers.ContextUsage(tokens=None, context_window=1000)
    session, _ = held(answers.Stats(tokens=tokens, cost=0.5, context_usage=full), "no")
    for _ in range(2):
        await session.count()
        assert session.usage == Usage(cost=0.5, input=431, output=2, context=None, window=1000)


def test_messages_are_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "redact", lambda text: text.replace("hunter22", "***"))
    change = answers.Entry(type="model_change", id="c")
    assert messages_of((said("a", "user", "use hunter22"), change, said("b", "assistant"))) == (
        Entry(id="a", role="user", text="use ***"),
        Entry(id="b", role="assistant", text="x", stop_reason="stop"),
    )


def test_calls_and_their_results_know_each_other() -> None:
    wire = """[
        {"type": "message", "id": "a", "message": {"role": "assistant", "stopReason": "toolUse", "content": [
            {"type": "text", "text": "let me"},
            {"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": "make\\n test"}},
            {"type": "toolCall", "id": "c2", "name": "odd", "arguments": {}}]}},
        {"type": "message", "id": "b", "message": {"role": "toolResult", "toolCallId": "c1", "toolName": "bash",
            "content": [{"type": "text", "text": "ok"}], "isError": false}},
        {"type": "message", "id": "c", "message": {"role": "user", "content": "hi"}}]"""
    called, done, said = messages_of(msgspec.json.decode(wire, type=tuple[answers.Entry, ...]))
    assert called.calls == (
        ToolCall(id="c1", tool="bash", summary="make test"),
        ToolCall(id="c2", tool="odd", summary=""),
    )
    assert (called.call, done.call, said.call) == ("", "c1", "")
    assert (done.calls, said.calls) == ((), ())
