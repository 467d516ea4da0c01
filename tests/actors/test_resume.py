"""What a killed pi leaves in its session, and what that means."""

from pathlib import Path

import pytest

from actors.messages import Entry, ToolCall
from actors.redaction import forget_all, remember
from actors.resume import RESUME_NOTE, Again, Decision, Finished, GoOn, answered, decide, delegated, heard, results
from tests.actors.rooms.rows import asked, called, result, said

RESULT = Entry(id="r", role="toolResult", text="3 files")
NOTE = Entry(id="n", role="custom", text="[dispatchd] …")
GO_ON = GoOn(RESUME_NOTE)
MAKE = ToolCall(id="c", tool="bash", summary="make")
LOOK = ToolCall(id="l", tool="read", summary="a.txt")
TWO = said("", "toolUse", calls=(LOOK, MAKE))


@pytest.mark.parametrize(
    ("entries", "decision"),
    [
        pytest.param((), Again(), id="killed before the person's message was on disk"),
        pytest.param((NOTE,), Again(), id="nothing of the person's"),
        pytest.param((asked(),), GO_ON, id="killed before or while the model answered"),
        pytest.param((asked(), said("so", "toolUse")), GO_ON, id="killed in a tool"),
        pytest.param((asked(), said("so", "toolUse"), RESULT), GO_ON, id="killed after a tool"),
        pytest.param((asked(), said("done")), Finished("done", "stop"), id="killed before its end was told"),
        pytest.param((asked(), said("cut", "length")), Finished("cut", "length"), id="finished at the length limit"),
        pytest.param((asked(), said("", "error")), GO_ON, id="killed while it waited to retry a failed call"),
        pytest.param(
            (asked(), said("", "error"), said("done")), Finished("done", "stop"), id="a retry that had succeeded"
        ),
        pytest.param((asked(), said("par", "aborted")), GO_ON, id="its own end aborted it"),
        pytest.param((asked(), said("so", "toolUse"), RESULT, said("", "error")), GO_ON, id="aborted in a tool"),
        pytest.param(
            (asked(), said("one"), asked("and"), said("tw", "aborted")),
            GoOn(RESUME_NOTE, "one"),
            id="a steer came behind the answer",
        ),
        pytest.param(
            (asked(), said("a", "toolUse"), RESULT, said("one"), asked("and"), said("two")),
            Finished("one\n\ntwo", "stop"),
            id="steered behind its answer, and answered again",
        ),
        pytest.param((asked(), NOTE), GO_ON, id="killed after the note that resumed it"),
        pytest.param((asked(), NOTE, said("done")), Finished("done", "stop"), id="resumed and finished"),
        pytest.param((asked(), said("done"), NOTE), Finished("done", "stop"), id="what stands behind is no speech"),
    ],
)
def test_what_is_left_to_do(entries: tuple[Entry, ...], decision: Decision) -> None:
    assert decide(entries) == decision


@pytest.mark.parametrize(
    ("entries", "running"),
    [
        pytest.param((called(),), (MAKE,), id="pi was killed, or ended by EOF or SIGTERM, in the tool"),
        pytest.param((called(), result()), (), id="it had returned"),
        pytest.param((called(), result(text="half of it\n\nCommand aborted")), (MAKE,), id="told to abort first"),
        pytest.param(
            (called(), result(text="Command aborted"), said("", "error")), (MAKE,), id="and wrote how that ended"
        ),
        pytest.param((called(), result(text="make: Command aborted, it says")), (), id="words that a tool says itself"),
        pytest.param((called(), result(), said("", "error")), (), id="the model failed behind the tool"),
        pytest.param((TWO,), (MAKE,), id="of two at once the one that may have done something"),
        pytest.param((TWO, result("c")), (), id="the other one only looks"),
        pytest.param((called("read"),), (), id="reads"),
        pytest.param((called("ask_user"),), (), id="asks"),
        pytest.param((called("send_file"),), (), id="shows"),
        pytest.param((called("deploy"),), (ToolCall(id="c", tool="deploy", summary="make"),), id="nobody knows it"),
        pytest.param((called(), called("read", id="d")), (), id="an earlier cut, which the model was told of"),
        pytest.param((called(), said("half", "aborted")), (MAKE,), id="an end that kept no result"),
        pytest.param((called(), asked("and"), said("so", "toolUse")), (), id="it has gone on since"),
    ],
)
def test_which_tools_were_at_work(entries: tuple[Entry, ...], running: tuple[ToolCall, ...]) -> None:
    assert decide((asked(), *entries)) == GoOn(RESUME_NOTE, running=running)


def test_an_empty_last_message_is_answered_with_all_that_was_said() -> None:
    entries = (asked(), said("I look.", "toolUse"), RESULT, said("half", "error"), said(""))
    assert decide(entries) == Finished("I look.", "stop")


@pytest.mark.parametrize(
    ("said_to_it", "steers", "found"),
    [
        (("the prompt",), [(2, ["more"])], set()),
        (("more",), [(2, ["more"])], set()),
        (("the prompt", "more"), [(2, ["more"])], {2}),
        (("the prompt", "[Ada]\nmore\n  and more"), [(2, ["more\n\nand more"])], {2}),
        (("the prompt", "ok"), [(2, ["ok"]), (3, ["ok"])], {2}),
        (("the prompt", "ok", "ok"), [(2, ["ok"]), (3, ["ok"])], {2, 3}),
        (("the prompt", "text 12"), [(2, ["text 1"])], set()),
        (("the prompt", "[Ada]\nwell\nok", "ok"), [(2, ["ok"]), (3, ["well\nok"])], {2, 3}),
        (("the prompt", "one\n\ntwo"), [(2, ["one", "two"])], {2}),
        (("the prompt", "one"), [(2, ["one", "two"])], set()),
        (("the prompt", "[Files]\n- a.txt"), [(2, [""])], {2}),
    ],
)
def test_what_joined_was_heard_if_it_stands_there(
    said_to_it: tuple[str, ...], steers: list[tuple[int, list[str]]], found: set[int]
) -> None:
    entries = [asked(text, id=f"u{number}") for number, text in enumerate(said_to_it)]
    assert heard([entries[0], said("so", "toolUse"), *entries[1:]], steers) == found


def test_a_secret_that_was_taken_out_is_no_difference() -> None:
    remember("s3cret-value")
    try:
        assert heard([asked("the prompt"), asked("use ***")], [(2, ["use s3cret-value"])]) == {2}
    finally:
        forget_all()


def test_the_note_says_what_was_answered() -> None:
    assert answered(RESUME_NOTE, []) == RESUME_NOTE
    assert answered(RESUME_NOTE, ["blue"]).endswith("blue")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("[Report of sub-agent a.]", True),
        ("", True),
        ("It said: Operation aborted", True),  # a report may end in any words
        ("Operation aborted", False),
        ("Command aborted\n", False),
        ("The host did not answer; nothing was done.", False),
    ],
)
def test_a_result_counts_unless_its_call_was_cut_off(text: str, counts: bool) -> None:
    assert results([asked(), called(id="a"), result("a", text)]) == (("a",) if counts else ())


def test_what_is_no_result_is_none() -> None:
    assert results([asked(), called(id="a"), said("so")]) == ()
    assert results([result("", "so")]) == ()
    assert results([result("a"), result("b")]) == ("a", "b")


def test_what_a_cut_off_host_call_says_is_what_its_extension_says() -> None:
    extension = (Path(__file__).parents[2] / "conf/pi/host_tools.mjs").read_text(encoding="utf-8")
    assert 'throw new Error("The host did not answer; nothing was done.");' in extension


def test_the_note_names_the_sub_agents_that_are_still_to_be_heard_of() -> None:
    assert delegated(RESUME_NOTE, ()) == RESUME_NOTE
    note = delegated(RESUME_NOTE, ("a", "b"))
    assert note.startswith(RESUME_NOTE)
    assert "heard of yet: a, b. Do not begin them again" in note
