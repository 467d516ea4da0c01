"""The reports of sub-agents among a room's messages."""

import pytest

from actors.messages import Queued
from actors.rooms.line import groups
from actors.rooms.reports import MOST_TOGETHER, are_reports, called, fits, is_report, subject
from tests.actors.rooms.rows import message, report


@pytest.mark.parametrize(
    ("row", "is_one"),
    [
        (report(1), True),
        (message(1), False),
        (message(1, burst="album:1"), False),
        (message(1, person=0), False),  # the console's person
        (message(1, person=0, burst="paste"), False),
        (message(1, burst="reports:shop"), False),
    ],
)
def test_a_report_is_known_by_its_burst_and_by_nobody_having_written_it(row: Queued, is_one: bool) -> None:
    assert is_report(row) is is_one


def test_reports_stand_alone() -> None:
    assert are_reports([report(1), report(2)])
    assert not are_reports([report(1), message(2)])
    assert not are_reports([])


def test_they_are_called_by_whose_they_are() -> None:
    assert called([report(1, "fix_it")]) == "the report of sub-agent fix_it"
    assert called([report(1, "a"), report(2, "b")]) == "the reports of sub-agent a, sub-agent b"
    many = [report(id, f"s{id}") for id in range(5)]
    assert called(many) == "the reports of sub-agent s0, sub-agent s1, sub-agent s2 and 2 more"
    assert called([report(1, "*")]) == r"the report of sub-agent \*"


def test_a_sentence_about_a_turn_says_what_it_was_about() -> None:
    assert subject([message(1)]) == "This message"
    assert subject([]) == "This message"
    assert subject([report(1, "a"), report(2, "b")]) == "What sub-agent a, sub-agent b reported"


def test_many_long_ones_are_more_than_one_turn() -> None:
    half = "x" * (MOST_TOGETHER // 2)
    rows = [report(id, text=half) for id in range(1, 5)]
    assert [[row.id for row in group] for group in groups(rows)] == [[1, 2], [3, 4]]
    assert [[row.id for row in group] for group in groups([report(1, text=half * 3), report(2)])] == [[1], [2]]
    assert fits(message(9, text=half * 3), [message(8, text=half)])  # what a person sends at once is one
