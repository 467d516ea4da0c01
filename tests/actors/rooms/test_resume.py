"""What a killed pi leaves in its session, and what that means."""

import pytest

from actors.messages import Entry
from actors.rooms.resume import RESUME_NOTE, Again, Decision, Finished, GoOn, decide
from tests.actors.rooms.rows import asked, said

RESULT = Entry(id="r", role="toolResult", text="3 files")
NOTE = Entry(id="n", role="custom", text="[dispatchd] …")
GO_ON = GoOn(RESUME_NOTE)


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
        pytest.param((asked(), said("one"), asked("and")), GO_ON, id="a steer came behind the answer"),
        pytest.param((asked(), NOTE), GO_ON, id="killed after the note that resumed it"),
        pytest.param((asked(), NOTE, said("done")), Finished("done", "stop"), id="resumed and finished"),
        pytest.param((asked(), said("done"), NOTE), Finished("done", "stop"), id="what stands behind is no speech"),
    ],
)
def test_what_is_left_to_do(entries: tuple[Entry, ...], decision: Decision) -> None:
    assert decide(entries) == decision


def test_an_empty_last_message_is_answered_with_all_that_was_said() -> None:
    entries = (asked(), said("I look.", "toolUse"), RESULT, said("half", "error"), said(""))
    assert decide(entries) == Finished("I look.", "stop")
