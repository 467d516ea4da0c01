"""The session: lines as pi 0.87.1 sends them in, outputs out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pi import answers, commands, outputs
from actors.pi.errors import TooManyPending
from actors.pi.framing import Oversized
from actors.pi.outputs import Output
from actors.pi.session import Session, Tool


def line(kind: str, **fields: object) -> bytes:
    return msgspec.json.encode({"type": kind, **fields})


def delta(text: str, index: int = 0, kind: str = "text_delta") -> bytes:
    return line("message_update", usage={}, assistantMessageEvent={"type": kind, "contentIndex": index, "delta": text})


def assistant(text: str, stop_reason: str = "stop", **more: object) -> dict[str, object]:
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stopReason": stop_reason,
        "usage": {"input": 10, "output": 5, "totalTokens": 15},
        **more,
    }


def ended(text: str, stop_reason: str = "stop", **more: object) -> bytes:
    return line("message_end", message=assistant(text, stop_reason, **more))


START = line("agent_start")
SETTLED = line("agent_settled")
BEGIN = line("message_start", message=assistant("", "pending"))
BASH = line("tool_execution_start", toolCallId="t1", toolName="bash", args={"command": "ls -la\n  /tmp", "timeout": 5})
BASH_ENDED = line("tool_execution_end", toolCallId="t1", toolName="bash", result={"content": []}, isError=False)


def feed(session: Session, *lines: bytes | Oversized, now: float = 0.0) -> list[Output]:
    return [output for each in lines for output in session.receive(each, now=now)]


def run(session: Session, *lines: bytes | Oversized) -> outputs.Settled:
    *_, settled = feed(session, START, *lines, SETTLED)
    assert isinstance(settled, outputs.Settled)
    return settled


def test_a_run_from_start_to_idle() -> None:
    session = Session()
    user = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    told = feed(session, START, line("turn_start"), line("message_end", message=user), BEGIN, delta("Hel"), delta("lo"))
    assert told == [
        outputs.RunStarted(),
        outputs.MessageEnded("user", "hi", None, "", None),
        outputs.TextGrew("Hel"),
        outputs.TextGrew("lo"),
    ]
    assert (session.streaming, session.text) == (True, "Hello")
    usage = answers.Usage(input=10, output=5, total_tokens=15)
    assert feed(session, ended("Hello")) == [outputs.MessageEnded("assistant", "Hello", "stop", "", usage)]
    assert feed(session, line("turn_end"), line("agent_end", messages=[], willRetry=False)) == []
    assert session.streaming  # an agent_end is not the end
    assert feed(session, SETTLED) == [outputs.Settled("stop", "Hello", "", False)]
    assert (session.streaming, session.stop_reason, session.usage) == (False, "stop", usage)


def test_a_new_run_forgets_the_last_one() -> None:
    session = Session()
    assert run(session, ended("one")).text == "one"
    assert run(session) == outputs.Settled(None, "", "", False)


def test_tools_are_shown_while_they_run() -> None:
    session = Session()
    feed(session, START)
    assert feed(session, BASH, now=7.5) == [outputs.ToolStarted("t1", "bash", "ls -la /tmp")]
    assert dict(session.tools) == {"t1": Tool("t1", "bash", "ls -la /tmp", 7.5)}
    assert feed(session, line("tool_execution_update", toolCallId="t1", partialResult={})) == []
    assert feed(session, BASH_ENDED) == [outputs.ToolEnded("t1", "bash", False)]
    assert not session.tools


@pytest.mark.parametrize(
    ("args", "summary"),
    [
        ({"path": "/a", "pattern": "x.*"}, "x.*"),
        ({"content": "…", "path": "/a/b"}, "/a/b"),
        ({"command": "e" * 500}, "e" * 119 + "…"),
        ({"command": 5, "path": "p"}, "p"),
        ({}, ""),
        ([1], ""),
        (None, ""),
    ],
)
def test_a_tool_is_summed_up_by_its_telling_argument(args: object, summary: str) -> None:
    (started,) = feed(Session(), line("tool_execution_start", toolCallId="t", toolName="x", args=args))
    assert started == outputs.ToolStarted("t", "x", summary)


def test_a_run_that_ends_in_a_tool_call_answers_with_all_it_said() -> None:
    session = Session()
    settled = run(session, ended("let me see", "toolUse"), BASH, BASH_ENDED, ended("half", "aborted"))
    assert settled == outputs.Settled("aborted", "let me see\n\nhalf", "", True)


def test_an_abort_of_ours_makes_an_error_an_abort() -> None:
    failure = ended("", "error", errorMessage="This operation was aborted")
    session = Session()
    assert run(session, failure).aborted is False
    feed(session, START)
    session.send(commands.Abort())
    *_, settled = feed(session, failure, SETTLED)
    assert settled == outputs.Settled("error", "", "This operation was aborted", True)
    assert run(session, failure).aborted is False  # the next run is not marked by it
    session.send(commands.Abort())  # idle
    assert run(session, failure).aborted is False


def test_an_abort_that_comes_too_late_changes_nothing() -> None:
    session = Session()
    feed(session, START, ended("done"))
    session.send(commands.Abort())
    assert feed(session, SETTLED) == [outputs.Settled("stop", "done", "", False)]


def test_a_repeated_call_is_one_run_and_its_failure_no_text() -> None:
    session = Session()
    retry = line("auto_retry_start", attempt=1, maxAttempts=3, delayMs=2000, errorMessage="529 overloaded")
    told = feed(session, START, ended("bro", "error", errorMessage="529"), retry, START, ended("whole"), SETTLED)
    assert outputs.Retrying(1, 3, 2.0, "529 overloaded") in told
    assert told.count(outputs.RunStarted()) == 1
    assert told[-1] == outputs.Settled("stop", "whole", "", False)
    assert run(session, ended("bro", "error"), retry, START, ended("part", "aborted")).text == "part"


def test_compaction_and_queue() -> None:
    session = Session()
    assert feed(session, line("compaction_start", reason="threshold")) == [outputs.CompactionStarted("threshold")]
    during = session.compacting
    assert feed(session, line("compaction_end", reason="threshold", aborted=True, willRetry=False)) == [
        outputs.CompactionEnded("threshold", True, "")
    ]
    assert (during, session.compacting) == (True, False)
    queue = line("queue_update", steering=["a"], followUp=["b"])
    assert feed(session, queue) == [outputs.QueueChanged(("a",), ("b",))]


# --- commands and responses -----------------------------------------------------------------------------------------


def test_responses_find_their_commands_in_any_order() -> None:
    session = Session()
    first, sent = session.send(commands.GetState())
    second, _ = session.send(commands.Abort())
    assert msgspec.json.decode(sent) == {"id": first, "type": "get_state"}
    abort = line("response", id=second, command="abort", success=True)
    state = line("response", id=first, command="get_state", success=True, data={"sessionId": "s", "isStreaming": False})
    assert feed(session, abort, state) == [
        outputs.Responded(second, commands.Abort(), True, None, ""),
        outputs.Responded(first, commands.GetState(), True, answers.State(session_id="s"), ""),
    ]
    assert session.pending == 0


def test_a_refusal_carries_its_reason() -> None:
    session = Session()
    command_id, _ = session.send(commands.GetEntries(since="x"))
    refused = line("response", id=command_id, command="get_entries", success=False, error="Entry not found: x")
    (told,) = feed(session, refused)
    assert told == outputs.Responded(command_id, commands.GetEntries(since="x"), False, None, "Entry not found: x")


def test_data_of_another_form_is_a_failure_of_that_command_alone() -> None:
    session = Session()
    command_id, _ = session.send(commands.GetEntries())
    (told,) = feed(session, line("response", id=command_id, command="get_entries", success=True, data={"entries": 5}))
    assert isinstance(told, outputs.Responded)
    assert not told.ok
    assert "another form" in told.error
    assert session.counts.garbage == 1


def test_unanswered_commands_are_bounded() -> None:
    session = Session(max_pending=2)
    first, _ = session.send(commands.GetState())
    session.send(commands.GetState())
    with pytest.raises(TooManyPending):
        session.send(commands.GetState())
    session.forget(first)
    session.send(commands.GetState())
    (stray,) = feed(session, line("response", id=first, command="get_state", success=True, data={}))
    assert stray == outputs.Ignored("stray", f"response to {first}: ")


# --- dialogs --------------------------------------------------------------------------------------------------------


def dialog(name: str, **more: object) -> bytes:
    return line("extension_ui_request", id=name, **({"method": "input", "title": "Name?"} | more))


def test_a_dialog_is_asked_answered_and_gone() -> None:
    session = Session()
    asked = dialog("d1", method="select", options=["A", "B"], timeout=5000)
    assert feed(session, asked) == [outputs.DialogRequested("d1", "select", "Name?", "", ("A", "B"), 5.0)]
    answer = commands.DialogValue(id="d1", value="B")
    assert session.answer(answer) == commands.encode_answer(answer)
    assert session.answer(answer) is None


def test_a_dialog_ends_with_the_tools_that_could_have_asked_it() -> None:
    session = Session()
    other = line("tool_execution_start", toolCallId="t2", toolName="x", args={})
    other_ended = line("tool_execution_end", toolCallId="t2", toolName="x", isError=True)
    feed(session, START, dialog("early"), BASH, other, dialog("d1"))
    assert feed(session, BASH_ENDED) == [outputs.ToolEnded("t1", "bash", False)]
    assert feed(session, other_ended) == [outputs.ToolEnded("t2", "x", True), outputs.DialogClosed("d1")]
    assert feed(session, SETTLED)[0] == outputs.DialogClosed("early")
    assert session.answer(commands.DialogCancelled(id="early")) is None


def test_notes_of_extensions() -> None:
    session = Session()
    note = line("extension_ui_request", id="n", method="notify", message="blocked", notifyType="warning")
    title = line("extension_ui_request", id="n", method="setTitle", title="pi")
    assert feed(session, note, title) == [outputs.Notified("warning", "blocked")]


# --- what cannot be used --------------------------------------------------------------------------------------------


def test_bad_lines_are_counted_told_and_survived() -> None:
    session = Session()
    told = feed(session, b"null", b"{oops", line("hologram"), line("hologram"), line("response", success=False))
    assert [output.kind for output in told if isinstance(output, outputs.Ignored)] == [
        "garbage",
        "garbage",
        "unknown",  # told once
        "stray",
    ]
    counts = session.counts
    assert (counts.garbage, counts.unknown, counts.stray, counts.oversized) == (2, 2, 1, 0)
    assert run(session, ended("fine")).text == "fine"


def test_a_secret_at_the_place_of_the_cut_is_not_shown_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.pi.session.redact", lambda text: text.replace("hunter22", "***"))
    for length in range(100, 300):  # wherever the cut is
        (garbage,) = feed(Session(), b"e" * length + b"hunter22")
        assert isinstance(garbage, outputs.Ignored)
        assert "hun" not in garbage.detail


def test_nobody_waits_for_what_was_too_long_to_read() -> None:
    session = Session()
    command_id, _ = session.send(commands.GetEntries())
    feed(session, START, BASH, dialog("d"))
    head = b'{"type":"tool_execution_end","toolCallId":"t1","toolName":"bash","result":{"content":['
    told = feed(session, Oversized(head, 9_000_000))
    assert told[1:] == [outputs.ToolEnded("t1", "bash", None), outputs.DialogClosed("d")]
    response = b'{"id":"%s","type":"response","command":"get_entries","success":true,"data":' % command_id.encode()
    told = feed(session, Oversized(response, 9_000_000))
    assert isinstance(told[1], outputs.Responded)
    assert (told[1].id, told[1].ok, told[1].error) == (command_id, False, "the answer has 9000000 bytes: too many")
    assert session.counts.oversized == 2


@given(
    st.lists(
        st.sampled_from(
            [
                START,
                SETTLED,
                BEGIN,
                BASH,
                BASH_ENDED,
                delta("x"),
                delta("y", 3),
                ended("t"),
                ended("e", "error"),
                b"null",
                dialog("d"),
                line("compaction_start", reason="manual"),
                line("hologram"),
                Oversized(b"{", 9_000_000),
                line("auto_retry_start", attempt=1, maxAttempts=1, delayMs=0),
            ]
        ),
        max_size=30,
    )
)
def test_in_any_order_settled_means_idle_and_nothing_else_does(lines: list[bytes | Oversized]) -> None:
    session = Session()
    streaming = False
    for each in lines:
        told = session.receive(each, now=0.0)
        assert (outputs.RunStarted() in told) == (each == START and not streaming)
        streaming = each == START or (streaming and each != SETTLED)
        assert session.streaming == streaming
        if each == SETTLED:
            assert isinstance(told[-1], outputs.Settled)
            assert not session.tools


def test_what_is_remembered_has_bounds_whatever_a_pi_makes_up() -> None:
    session = Session()
    starts = [line("tool_execution_start", toolCallId=f"t{n}", toolName="x") for n in range(1000)]
    told = feed(session, START, *starts)
    assert len(session.tools) == len(told) - 1 == 256
    for long in ({"toolCallId": "t" * 5000, "toolName": "x"}, {"toolCallId": "t", "toolName": "x" * 5000}):
        for kind in ("tool_execution_start", "tool_execution_end"):
            assert [type(each) for each in feed(session, line(kind, **long))] == [outputs.Ignored]
    assert [type(each) for each in feed(session, line("extension_ui_request", id="d" * 5000, method="input"))] == [
        outputs.Ignored
    ]
