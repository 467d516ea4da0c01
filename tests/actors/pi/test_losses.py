"""An agent's end in one sentence and a few lines, whatever ended it."""

import pytest

from actors.pi import losses
from actors.pi.errors import (
    AgentEnded,
    AgentHung,
    LaunchFailed,
    Misconfigured,
    PiError,
    ProcessStuck,
    SessionUnfit,
    TooManyPending,
)
from actors.pi.losses import LINE, MOST_LINES, last_lines, loss
from actors.redaction import forget_all, remember


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (AgentEnded("exit code 1", "why"), "pi ended, exit code 1"),
        (AgentEnded("killed by SIGKILL", ""), "pi ended, killed by SIGKILL"),
        (AgentHung("did not answer after its start", 30.0), "pi did not answer after its start within 30 s"),
        (LaunchFailed("/opt/node", "it may not be run"), "cannot start /opt/node: it may not be run"),
        (Misconfigured("[pi] model: there is none."), "[pi] model: there is none"),
        (ProcessStuck(7), str(ProcessStuck(7))),
        (TooManyPending(64), "pi has stopped answering: 64 commands wait"),
        (PiError("pi's session cannot be read: x"), "pi's session cannot be read: x"),
        (KeyError("x"), "the service's own part for this agent failed (KeyError: 'x')"),
    ],
)
def test_every_end_is_a_sentence(error: Exception, what: str) -> None:
    assert loss(error).what == what
    assert loss(ExceptionGroup("a", [ExceptionGroup("b", [error])])).what == what


def test_of_several_reasons_the_most_telling_is_told() -> None:
    ended, hung = AgentEnded("exit code 3", "its words"), AgentHung("did not end its run", 10.0)
    group = ExceptionGroup("", [ValueError("x"), ExceptionGroup("", [hung, ended])])
    assert loss(group, "other words") == ("pi ended, exit code 3", ("its words",), True)
    assert loss(ExceptionGroup("", [ValueError("x"), PiError("y")])).what == "y"
    assert loss(ExceptionGroup("", [ended, SessionUnfit("it is torn")])) == ("it is torn", (), False)


def test_a_node_that_can_get_no_memory_says_so_itself() -> None:
    words = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
    starved = "pi ended, killed by SIGABRT, out of memory: it could get no more for itself"
    assert loss(AgentEnded("killed by SIGABRT", words)).what == starved
    assert loss(AgentEnded("killed by SIGABRT", "assertion failed")).what == "pi ended, killed by SIGABRT"
    assert loss(AgentEnded("exit code 1", words)).what == "pi ended, exit code 1"  # a tool's words, perhaps


def test_only_what_is_wrong_with_the_session_says_so() -> None:
    assert loss(SessionUnfit("x")).session is False
    assert loss(Misconfigured("x")).session is True


def test_the_last_lines_are_few_short_and_plain() -> None:
    many = "".join(f"line {number}\n\n" for number in range(50))
    assert last_lines(many) == tuple(f"line {number}" for number in range(50 - MOST_LINES, 50))
    (line,) = last_lines("x" * 1000)
    assert line == "x" * (LINE - 1) + "…"
    assert last_lines("\x1b[1;31mred\x1b[0m\x07 \x1b]0;title\x07on\tit\x00\u202eyx\r\n  \n") == ("red  on it  yx",)


def test_what_pi_says_of_every_new_session_is_left_out() -> None:
    assert last_lines("Warning: No project session found with id 'den-1'; creating a new session.\nError: x\n") == (
        "Error: x",
    )


def test_of_a_stack_the_first_frame_says_where() -> None:
    stack = "TypeError: x\n    at a (cli.js:1:2)\n    at b (cli.js:3:4)\n    at c\n\nNode.js v22\n    at d\n"
    assert last_lines(stack) == ("TypeError: x", "    at a (cli.js:1:2)", "Node.js v22", "    at d")


def test_a_secret_is_gone_before_anything_is_cut() -> None:
    remember("hunter22hunter22")
    try:
        for length in range(LINE - 20, LINE + 3):
            (line,) = last_lines("e" * length + "hunter22hunter22")
            assert "hun" not in line
        assert last_lines("hunter22\x1b[31mhunter22") == ("***",)
        assert "hun" not in loss(Misconfigured("e" * (losses.SENTENCE - 5) + "hunter22hunter22")).what
    finally:
        forget_all()


def test_an_error_that_cannot_print_itself_is_told_too() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert loss(Mute()).what.startswith("the service's own part for this agent failed (")
