"""What the sub-agents' campaign says of made-up rows, and a short one with the real service for every run of the tests.

A failing one is replayed with the same seed, for as long as one likes: `make campaign ARGS="subagents --seed 5"`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.subagents import kills
from tests.campaign.subagents_sight import given
from tests.campaign.subagents_verdict import LINGER, STARVES, Bounds, Facts, Kind, Sub, Watch, judge, table
from tests.campaign.table import shown

MOST = 1000
SEED = 5
MARK = "♻️ You may have this already:\n\n"
LINE = "Sub-agent a: completed in 3 s\n“do it”"
REPORT = "[Report of sub-agent a. What it says is information for you.]\nTask: do it"
A = Sub("a", "ann", ended_at=9.0, heard=1)
B = Sub("b", "ann", parent="a", ended_at=8.0, heard=1)
OF_B = REPORT.replace("agent a", "agent b")


def facts(row: Sub = A, **fields: Any) -> Facts:
    """One that was heard and shown as it should be, but for these."""
    return Facts(
        **{
            "rows": [row],
            "said": {"ann": [LINE]},
            "sent": {"ann": [LINE]},
            "read": {"ann": [REPORT]},
            "ends": {"a": 1},
        }
        | fields
    )


def of_two(parent: Sub, child: Sub, *read: str) -> Facts:
    """A sub-agent that has begun another. `read`: what it was given itself, if its session was seen."""
    lines = [f"Sub-agent a: {parent.state}", f"Sub-agent b of a: {child.state}"]
    return facts(
        rows=[parent, child],
        said={"ann": lines},
        sent={"ann": lines},
        read={"ann": [REPORT], "a": read} if read else {"ann": [REPORT]},
        ends={"a": 1, "b": 1},
    )


@pytest.mark.parametrize(
    "kept",
    [
        facts(),
        facts(rows=[]),
        facts(said={"ann": [LINE, MARK + LINE]}, sent={"ann": [LINE, MARK + LINE]}),
        facts(said={"ann": [LINE, LINE]}, sent={"ann": [LINE, MARK + LINE]}),  # the mark goes with the next edit
        facts(A._replace(quiet=1), read={}),
        facts(A._replace(told_turn="t"), read={}, stopped={"t"}),
        facts(read={}, set_aside={"a"}),
        facts(A._replace(by=7, heard=0), read={}),
        facts(A._replace(by=7, heard=0, text="done"), read={}, said={"ann": [LINE, "done\n\nsub-agent a: completed"]}),
        facts(A._replace(kept="open"), results={"a"}),
        facts(A._replace(state="timed_out"), said={"ann": ["Sub-agent a: timed out after 15 s"]}),
        facts(failures=["x ERROR /service/rooms/pool/ann/agent failed: pi ended, killed by SIGKILL"]),
        of_two(A, B, OF_B),
        of_two(A, B),
        of_two(A._replace(state="cancelled"), B._replace(heard=0), "go"),
    ],
)
def test_what_is_as_promised_is_not_told(kept: Facts) -> None:
    assert judge(kept) == []


@pytest.mark.parametrize(
    ("broken", "kind", "said"),
    [
        (facts(read={}), Kind.MISSING, "a (completed) was heard 0 times"),
        (facts(read={"ann": [REPORT, REPORT]}), Kind.TWICE, "a (completed) was heard 2 times"),
        (facts(A._replace(quiet=1), read={"ann": [REPORT + REPORT]}), Kind.TWICE, "heard 2 times"),
        (facts(A._replace(told_turn="t"), read={}), Kind.MISSING, "heard 0 times"),
        (facts(A._replace(by=7, heard=0)), Kind.TWICE, "heard 1 times"),
        (facts(said={"ann": []}), Kind.MISSING, "people were not told that a is completed"),
        (facts(said={"ann": ["Sub-agent a: running 3 s"]}), Kind.MISSING, "people were not told"),
        (facts(said={"ann": ["Sub-agent a: failed after 3 s"]}), Kind.MISSING, "people were not told"),
        (facts(said={"ann": [LINE, LINE]}), Kind.TWICE, "people see a 2 times"),
        (facts(said={"ann": [LINE] * 3}, sent={"ann": [LINE, MARK + LINE]}), Kind.TWICE, "people see a 3 times"),
        (facts(A._replace(by=7, heard=0, text="done"), read={}), Kind.MISSING, "the person who began a has no answer"),
        (facts(said={"ann": [LINE, "x\n\nsub-agent a: completed"]}), Kind.TWICE, "people have 1 answers of a"),
        (facts(ends={"a": 2}), Kind.TWICE, "the end of a was noted 2 times"),
        (facts(ends={}), Kind.MISSING, "the end of a was noted 0 times"),
        (facts(A._replace(ended_at=None, state="running")), Kind.LEFT, "sub-agent a is running"),
        (facts(A._replace(waiting=1)), Kind.LEFT, "a has ended and still waits"),
        (facts(A._replace(awaited=1)), Kind.LEFT, "a has ended and still waits"),
        (facts(A._replace(state="gone"), said={"ann": ["Sub-agent a: gone"]}), Kind.ELSE, "a ended as gone"),
        (facts(A._replace(kept="open")), Kind.MISSING, "what a made is gone"),
        (facts(failures=["x ERROR /service/store failed: KeyError"]), Kind.ELSE, "the log has x ERROR /service/store"),
        (facts(left=["the folder subagents/a"]), Kind.LEFT, "the folder subagents/a"),
        (of_two(A, B, OF_B, OF_B), Kind.TWICE, "b (completed) was heard 2 times"),
        (of_two(A, B, "go"), Kind.MISSING, "b (completed) was heard 0 times by a, which completed"),
        (of_two(A, B._replace(heard=0)), Kind.MISSING, "b (completed) was heard 0 times by a, which completed"),
        (of_two(A._replace(state="cancelled"), B, OF_B, OF_B), Kind.TWICE, "b (completed) was heard 2 times"),
    ],
)
def test_what_was_not_kept_is_told_and_nothing_else(broken: Facts, kind: Kind, said: str) -> None:
    [found] = judge(broken)
    assert found.kind is kind
    assert said in found.said


RUNNING = Sub("a", "ann", state="running")


def seen(*looks: tuple[float, list[Sub]], processes: int = 0) -> list[str]:
    watch = Watch(Bounds(2, 1))
    for at, rows in looks:
        watch.look(at, rows, {"a": processes})
    return [each.said for each in watch.broken]


def test_the_bounds_hold_at_every_instant() -> None:
    others = [RUNNING._replace(slug=f"o{n}", room=f"r{n}") for n in range(2)]
    assert seen((0.0, [RUNNING, others[0], A]), (1.0, [RUNNING, RUNNING._replace(slug="w", waiting=1)])) == []
    assert seen((0.0, [RUNNING, *others]), (0.2, [RUNNING, *others])) == ["more than 2 have a place: 3"]
    assert seen((0.0, [RUNNING, RUNNING._replace(slug="b")])) == ["more than 1 of ann have a place: 2"]


def test_the_first_end_counts() -> None:
    assert seen((9.0, [A]), (10.0, [A])) == []
    assert seen((9.0, [A]), (9.5, [A._replace(ended_at=9.4)])) == ["a ended a second time: completed"]
    assert seen((9.0, [A]), (9.5, [A._replace(state="lost")])) == ["a ended a second time: lost"]


def test_a_process_goes_with_its_sub_agent() -> None:
    assert seen((9.0 + LINGER, [A]), processes=2) == []
    assert seen((9.1 + LINGER, [A]), processes=2) == ["a has ended and has processes: 2, so late"]
    assert seen((99.0, [RUNNING]), processes=2) == []


def test_who_can_have_a_place_has_it_before_long() -> None:
    queued = Sub("q", "ben", state="queued")
    late = STARVES + 1.0
    told = [f"q waits though there is a place: for {STARVES:g} s"]
    assert seen((0.0, [queued]), (STARVES, [queued])) == []
    assert seen((0.0, [queued]), (late, [queued])) == told
    assert seen((0.0, [queued]), (9.0, []), (late, [queued])) == []
    full = RUNNING._replace(room="ben")
    assert seen((0.0, [queued, full]), (late, [queued, full])) == []
    stopped = queued._replace(stop="cancelled")
    assert seen((0.0, [stopped]), (late, [stopped])) == []
    waits = Sub("q", "ben", state="running", waiting=1)
    child = Sub("c", "ben", parent="q", state="running", waiting=1)
    assert seen((0.0, [waits]), (late, [waits])) == told
    assert "q" not in "".join(seen((0.0, [waits, child]), (late, [waits, child])))
    watch = Watch(Bounds(2, 1))
    watch.look(0.0, [queued], {})
    watch.cut()
    watch.look(late, [queued], {})
    assert watch.broken == []


def test_each_kind_has_its_line() -> None:
    broken = judge(facts(read={}, left=["the folder x"]))
    text = shown(table("sub-agents", [A], {"/stop": 2}, 1, broken))
    assert "BROKEN: a (completed) was heard 0 times" in text
    assert [line for line in text.splitlines() if "missed" in line and "1" in line] != []
    assert "2 /stop" in text


def test_what_an_agent_was_given_is_what_others_said_to_it(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {"type": "session"},
        {"type": "message", "message": {"role": "user", "content": "do"}},
        {"type": "message", "message": {"role": "assistant", "content": [{"type": "text", "text": REPORT}]}},
        {"type": "message", "message": {"role": "toolResult", "content": [{"type": "text", "text": "it"}]}},
    ]
    file = tmp_path / "it.jsonl"
    file.write_text("\n".join(map(json.dumps, entries)) + '\n{"type":"mess')  # a kill has cut it off
    assert given(file) == ["do", "it"]


@pytest.mark.timeout(300)
async def test_kills_lose_no_report_repeat_none_and_leave_nothing() -> None:
    found = await kills(SEED, MOST, rooms=2, seconds=12.0, most_open=2)
    assert found.broken == [], shown(found)
    assert [int(line.figure) > 0 for line in found.lines[:2]] == [True, True], shown(found)
