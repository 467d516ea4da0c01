"""Decoding: records as pi 0.87.1 sent them, and everything else without raising."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pi import protocol
from actors.pi.answers import Block, MessageBody
from actors.pi.framing import Oversized
from actors.pi.protocol import (
    Cut,
    Delta,
    Garbage,
    PiRecord,
    Response,
    Skipped,
    Unknown,
    decode,
    decode_cut,
)

DELTA = (
    b'{"type":"message_update","usage":{"input":10,"output":5,"cacheRead":0,"cacheWrite":0,"reasoning":0,"totalTokens":15,'
    b'"cost":{"input":0.00001,"output":0.00001,"cacheRead":0,"cacheWrite":0,"total":0.00002}},'
    b'"assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":"Hel"}}'
)
ENDED = (
    b'{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"let me"},'
    b'{"type":"toolCall","id":"call_1","name":"bash","arguments":{"command":"ls"}}],"api":"openai-completions",'
    b'"provider":"fake","model":"fake-1","usage":{"input":10,"output":5,"cacheRead":0,"cacheWrite":0,"totalTokens":15,'
    b'"cost":{"total":0.00002}},"stopReason":"toolUse","timestamp":1795163670773,"rawStopReason":"tool_calls"}}'
)


def test_a_text_delta() -> None:
    event = Delta(type="text_delta", content_index=0, delta="Hel")
    assert decode(DELTA) == protocol.MessageUpdate(assistant_message_event=event)


def test_a_complete_message() -> None:
    record = decode(ENDED)
    assert isinstance(record, protocol.MessageEnd)
    message = record.message
    assert (message.role, message.text, message.stop_reason) == ("assistant", "let me", "toolUse")
    assert message.usage is not None
    assert (message.usage.total_tokens, message.usage.cost.total) == (15, 0.00002)


def test_content_may_be_a_string_or_blocks() -> None:
    assert MessageBody(role="custom", content="note").text == "note"
    blocks = (Block(type="text", text="a"), Block(type="thinking"), Block(type="text", text="b"))
    assert MessageBody(role="assistant", content=blocks).text == "ab"


EVENTS: list[tuple[bytes, PiRecord]] = [
    (b'{"type":"agent_start"}', protocol.AgentStart()),
    (b'{"type":"agent_settled"}', protocol.AgentSettled()),
    (b'{"type":"agent_settled","aborted":true}', protocol.AgentSettled()),
    (
        b'{"type":"tool_execution_end","toolCallId":"c","toolName":"bash","result":{"content":[]},"isError":true}',
        protocol.ToolExecutionEnd(tool_call_id="c", tool_name="bash", is_error=True),
    ),
    (
        b'{"type":"queue_update","steering":["x"],"followUp":[]}',
        protocol.QueueUpdate(steering=("x",)),
    ),
    (
        b'{"type":"auto_retry_start","attempt":1,"maxAttempts":2,"delayMs":20,"errorMessage":"500"}',
        protocol.AutoRetryStart(attempt=1, max_attempts=2, delay_ms=20, error_message="500"),
    ),
    (
        b'{"type":"compaction_end","reason":"manual","aborted":false,"willRetry":false,"errorMessage":"too small"}',
        protocol.CompactionEnd(reason="manual", error_message="too small"),
    ),
    (
        b'{"type":"extension_ui_request","id":"u","method":"select","title":"Which?","options":["A","B"]}',
        protocol.ExtensionUiRequest(id="u", method="select", title="Which?", options=("A", "B")),
    ),
    (b'{"type":"turn_start"}', Skipped("turn_start")),
    (b'{"type":"agent_end","messages":[{"role":"user"}],"willRetry":false}', Skipped("agent_end")),
    (b'{"type":"hologram","x":[1,{"y":null}]}', Unknown("hologram")),
    (b'{"x":1,"type":"hologram"}', Unknown("hologram")),
]


@pytest.mark.parametrize(("line", "record"), EVENTS)
def test_events(line: bytes, record: PiRecord) -> None:
    assert decode(line) == record


def test_a_response_without_an_id_or_a_command() -> None:
    record = decode(b'{"type":"response","success":false,"error":"Unknown command: undefined"}')
    assert record == Response(success=False, error="Unknown command: undefined")


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"5",
        b"[]",
        b'"s"',
        b"{}",
        b"{not json",
        b'{"type":7}',
        b'{"type":"agent_settled"',
        b'{"type":"message_end"}',
        b'{"type":"message_update","assistantMessageEvent":{"type":"text_delta","delta":5}}',
        b'{"type":"agent_start","x":' + b"[" * 100_000,
        b'{"type":"message_end","message":{"role":"\xff"}}',
        b'{"type":"\xff"}',
    ],
)
def test_what_is_no_record_is_garbage_with_a_short_head_and_a_reason(line: bytes) -> None:
    record = decode(line)
    assert isinstance(record, Garbage)
    assert record.head == line[:4096]
    assert record.reason


def test_a_known_event_of_a_wrong_form_says_which() -> None:
    record = decode(b'{"type":"message_end","message":5}')
    assert isinstance(record, Garbage)
    assert record.reason.startswith("message_end: Expected `object`, got `int`")


def test_half_a_surrogate_pair_becomes_a_replacement_character_and_nothing_else_changes() -> None:
    line = rb'{"type":"message_end","message":{"role":"user","content":"a\ud83d b\ud83d\ude00 \\ud83d \udc00\n"}}'
    record = decode(line)
    assert isinstance(record, protocol.MessageEnd)
    assert record.message.text == "a\ufffd b\U0001f600 \\ud83d \ufffd\n"


@given(st.binary(max_size=300))
def test_decoding_never_raises(line: bytes) -> None:
    decode(line)
    decode_cut(Oversized(line, 9_000_000))


def test_a_cut_record_is_known_by_its_head() -> None:
    heads = {
        b'{"id":"c12","type":"response","command":"get_entries","success":true,"data":{': Cut("response", "c12", 9),
        b'{"type":"tool_execution_end","toolCallId":"call|1","toolName":"read","resu': Cut(
            "tool_execution_end", "call|1", 9
        ),
        b'{"type":"agent_end","messages":[{': Cut("agent_end", "", 9),
    }
    for head, cut in heads.items():
        assert decode_cut(Oversized(head, 9)) == cut
    assert isinstance(decode_cut(Oversized(b"xxxx", 9)), Garbage)
