"""The one terminal report."""

from actors.messages import DeliveryKind, SubagentState
from actors.redaction import forget_all, remember
from actors.subagents import words
from actors.subagents.ends import MOST_LOG, end
from tests.actors.subagents.rows import QUEUED, changes, sub


def test_a_report_is_made_of_the_row_as_it_ends() -> None:
    row = sub("a", started_at=1000.0, cost=0.1, waiting=True)
    made = changes("/r", "x.py")
    report = end(
        row, SubagentState.COMPLETED, 1030.0, text="Done.", changes=made, cost=0.2, log=[f"{n}" for n in range(300)]
    )
    assert (report.slug, report.outcome, report.text, report.error) == ("a", SubagentState.COMPLETED, "Done.", "")
    assert (report.changes, report.cost) == (made, 0.2)
    assert "completed in 30 s, $0.20" in report.report
    assert "M x.py" in report.report
    (line,) = report.deliveries
    assert line.text.startswith("Sub-agent `a`: completed in 30 s, $0.20 · 1 file")
    assert [each.label for row in line.buttons for each in row] == ["Apply", "Diff", "Discard"]
    assert len(report.log) == MOST_LOG
    assert report.log[-1] == "299"


def test_what_was_never_begun_is_ended_likewise() -> None:
    report = end(sub("a", QUEUED), SubagentState.CANCELLED, 1030.0)
    assert report.deliveries[0].text.startswith("Sub-agent `a`: cancelled before it began")
    assert report.deliveries[0].buttons == ()
    assert (report.cost, report.changes, report.log) == (0.0, None, ())


def test_of_a_persons_people_get_the_answer_too() -> None:
    report = end(sub("a", by=3, started_at=1000.0), SubagentState.COMPLETED, 1030.0, text="Done.")
    assert [each.kind for each in report.deliveries] == [DeliveryKind.NOTE, DeliveryKind.ANSWER]
    assert report.deliveries[1].text == "Done."
    ended = end(sub("a", by=3, started_at=1000.0), SubagentState.CANCELLED, 1030.0)
    assert len(ended.deliveries) == 1


def test_no_secret_leaves_with_it() -> None:
    remember("sk-secret-1234")
    report = end(sub("a"), SubagentState.FAILED, 1030.0, text="it is sk-secret-1234", error="sk-secret-1234 is bad")
    assert (report.text, report.error) == ("it is ***", "*** is bad")
    assert "sk-secret" not in report.report
    forget_all()


def test_the_report_is_the_one_that_is_told_again() -> None:
    report = end(sub("a", started_at=1000.0), SubagentState.LOST, 1030.0, error="It is gone.")
    ended = sub("a", SubagentState.LOST, started_at=1000.0, ended_at=1030.0, error="It is gone.")
    assert report.report == words.report(ended)
