"""What records say of what pi does, and which of them are signs of work."""

import msgspec
import pytest

from actors.pi.activity import LONGEST_DELAY, Doing
from actors.pi.framing import Oversized
from actors.pi.session import Session

START = b'{"type":"agent_start"}'
TURN = b'{"type":"turn_start"}'
USER = b'{"type":"message_end","message":{"role":"user","content":"hi"}}'
RESULT = b'{"type":"message_end","message":{"role":"toolResult","content":"ok","toolCallId":"t1"}}'
BEGINS = b'{"type":"message_start","message":{"role":"assistant","content":[]}}'
THINKS = b'{"type":"message_update","assistantMessageEvent":{"type":"thinking_delta","delta":"hm"}}'
WANTS = b'{"type":"message_end","message":{"role":"assistant","content":[],"stopReason":"toolUse"}}'
SAID = b'{"type":"message_end","message":{"role":"assistant","content":"x","stopReason":"stop"}}'
TOOL = b'{"type":"tool_execution_start","toolCallId":"t1","toolName":"bash","args":{}}'
PRINTS = b'{"type":"tool_execution_update","toolCallId":"t1","toolName":"bash","partialResult":{}}'
DONE = b'{"type":"tool_execution_end","toolCallId":"t1","toolName":"bash"}'
SUMS_UP = b'{"type":"compaction_start","reason":"threshold"}'
SUMMED_UP = b'{"type":"compaction_end","reason":"threshold"}'
RETRY = b'{"type":"auto_retry_start","attempt":1,"maxAttempts":3,"delayMs":2000,"errorMessage":"no"}'
SETTLED = b'{"type":"agent_settled"}'


def test_a_run_from_step_to_step() -> None:
    session = Session()
    assert session.doing is Doing.IDLE
    steps = [
        (START, Doing.BETWEEN),
        (TURN, Doing.THINKING),
        (USER, Doing.THINKING),
        (BEGINS, Doing.ANSWERING),
        (THINKS, Doing.ANSWERING),
        (WANTS, Doing.BETWEEN),
        (TOOL, Doing.TOOL),
        (PRINTS, Doing.TOOL),
        (DONE, Doing.BETWEEN),
        (RESULT, Doing.THINKING),
        (b'{"type":"turn_end"}', Doing.BETWEEN),
        (SUMS_UP, Doing.COMPACTING),
        (SUMMED_UP, Doing.BETWEEN),
        (RETRY, Doing.RETRYING),
        (START, Doing.BETWEEN),
        (TURN, Doing.THINKING),
        (SAID, Doing.BETWEEN),
        (b'{"type":"agent_end","messages":[],"willRetry":false}', Doing.BETWEEN),
        (SETTLED, Doing.IDLE),
    ]
    for now, (line, doing) in enumerate(steps):
        session.receive(line, now=float(now))
        assert session.doing is doing, line
        assert session.moved == (now + 2.0 if line == RETRY else now), line


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"c1","type":"response","command":"get_state","success":true}',
        b'{"type":"extension_ui_request","id":"x","method":"setStatus","statusText":"\xe2\xa0\x8b"}',
        b'{"type":"extension_ui_request","id":"x","method":"notify","message":"hi"}',
        b'{"type":"extension_error","extensionPath":"x","event":"y","error":"z"}',
        b'{"type":"queue_update","steering":[],"followUp":[]}',
        b'{"type":"entry_appended","entry":{}}',
        b'{"type":"session_info_changed","name":"x"}',
        b'{"type":"frobnicate"}',
        b"garbage",
        b"null",
        Oversized(b'{"id":"c1","type":"response","command":"get_entries"', 9_000_000),
    ],
)
def test_what_says_nothing_of_the_work_is_no_sign_of_it(line: bytes | Oversized) -> None:
    session = Session()
    session.receive(TURN, now=1.0)
    session.receive(START, now=1.0)
    session.receive(USER, now=2.0)
    session.receive(line, now=9.0)
    assert (session.doing, session.moved) == (Doing.THINKING, 2.0)


def test_a_line_too_long_to_keep_is_a_sign_too() -> None:
    session = Session()
    for line in (START, TOOL):
        session.receive(line, now=1.0)
    session.receive(Oversized(PRINTS[:60], 9_000_000), now=7.0)
    assert (session.doing, session.moved) == (Doing.TOOL, 7.0)


def test_of_two_tools_the_one_that_runs_on_is_what_it_does() -> None:
    session = Session()
    for line in (START, TOOL, TOOL.replace(b"t1", b"t2"), DONE, RESULT):
        session.receive(line, now=1.0)
    assert session.doing is Doing.TOOL


def test_no_retry_is_taken_at_its_word_for_ever() -> None:
    session = Session()
    session.receive(START, now=1.0)
    session.receive(RETRY.replace(b"2000", b"1e12"), now=5.0)
    assert session.moved == 5.0 + LONGEST_DELAY
    session.receive(RETRY.replace(b"2000", b"-5"), now=6.0)
    assert session.moved == 6.0


def test_every_value_is_a_few_words_for_the_tree() -> None:
    assert msgspec.json.encode([each.value for each in Doing]).isascii()
