"""What people see: aligned trees and one-screen statuses, from JSON alone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from supervisor.control.drawing import (
    Style,
    age,
    clean,
    clipped,
    columns,
    lasting,
    memory,
    moment,
    pruned,
    status,
    table,
    tree,
)

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC).timestamp()
PLAIN = Style(now=NOW)


def node(path: str, **more: object) -> dict[str, object]:
    return {
        "path": path,
        "kind": "Worker",
        "state": "running",
        "since": "2026-01-31T11:55:00.000Z",
        "restarts": 0,
        "mailbox": {"size": 0, "capacity": 64},
        "children": [],
    } | more


def branch(path: str, *children: dict[str, object], **more: object) -> dict[str, object]:
    supervisor = node(path, kind="one_for_one", children=list(children), **more)
    del supervisor["mailbox"]
    return supervisor


HOUSE = branch(
    "/",
    node("/store", doing="state.db", mailbox={"size": 3, "capacity": 64}),
    branch(
        "/service",
        node("/service/agent", pid=4711, rss=84_000_000, since="2026-01-31T11:59:57.000Z", restarts=2),
        node("/service/telegram", state="failed", error="token refused (401)", doing="polls"),
    ),
    node("/last", state="asleep"),
    name="house",
)


def test_a_tree_is_aligned_and_says_only_what_there_is_to_say() -> None:
    assert tree(HOUSE, PLAIN) == [
        "house           running  5 min                             one_for_one",
        "├─ store        running  5 min      3/64                   state.db",
        "├─ service      running  5 min                             one_for_one",
        "│  ├─ agent     running    3 s  ↻2        pid 4711  84 MB",
        "│  └─ telegram  failed   5 min                             token refused (401)",
        "└─ last         asleep   5 min",
    ]


def test_a_table_is_aligned_cut_to_the_width_and_clean() -> None:
    rows = [("A2", "Eve\x1b[2J 日本", "long " * 9), ("LONGER", "Bo", "x")]

    assert table(("CODE", "WHO", "WHY"), rows, PLAIN._replace(width=40)) == [
        "CODE    WHO           WHY",
        "A2      Eve [2J 日本  long long long lo…",
        "LONGER  Bo            x",
    ]


def test_a_tree_in_ascii() -> None:
    lines = tree(HOUSE, PLAIN._replace(ascii_only=True))

    assert all(line.isascii() for line in lines)
    assert [line.split()[:2] for line in lines[2:4]] == [["|-", "service"], ["|", "|-"]]
    assert lines[-1].startswith("`- last")


def test_a_part_of_the_tree_starts_with_its_whole_path() -> None:
    lines = tree(branch("/service/rooms", node("/service/rooms/a")), PLAIN)

    assert [line.split("  ")[0] for line in lines] == ["/service/rooms", "└─ a"]


def test_depth_cuts_what_is_below() -> None:
    assert len(tree(pruned(HOUSE, 0), PLAIN)) == 1
    assert len(tree(pruned(HOUSE, 1), PLAIN)) == 4
    assert tree(pruned(HOUSE, 2), PLAIN) == tree(HOUSE, PLAIN)


def test_a_note_is_cut_to_the_terminal() -> None:
    lines = tree(node("/a", doing="0123456789" * 10), PLAIN._replace(width=40))

    assert len(lines[0]) == 40
    assert lines[0].endswith("…")


def test_a_narrow_terminal_cuts_nothing_but_notes() -> None:
    assert tree(node("/a", doing="words"), PLAIN._replace(width=10)) == ["/a  running  5 min  …"]


def test_wide_letters_keep_the_columns_aligned() -> None:
    lines = tree(branch("/", node("/日本"), node("/ascii")), PLAIN)

    assert {columns(line.partition("running")[0]) for line in lines} == {len("├─ ascii  ")}


def test_nothing_people_wrote_steers_the_terminal() -> None:
    lines = tree(node("/a", doing="\x1b[2Jgone\r\nnext\u202e"), PLAIN)

    assert lines == ["/a  running  5 min   [2Jgone  next"]


@pytest.mark.parametrize(("state", "code"), [("failed", "31"), ("zombie", "31"), ("restarting", "33"), ("asleep", "2")])
def test_colours_mark_what_is_not_simply_running(state: str, code: str) -> None:
    style = PLAIN._replace(colour=True)

    assert f"\x1b[{code}m{state}\x1b[0m" in tree(node("/a", state=state), style)[0]
    assert "\x1b" not in tree(node("/a"), style)[0]
    assert "\x1b" not in tree(node("/a", state=state), PLAIN)[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (90_000, "1 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age("2026-01-31T12:00:00.000Z", NOW + seconds) == text


@pytest.mark.parametrize(("size", "text"), [(4096, "4 kB"), (84_300_000, "84 MB"), (1_230_000_000, "1.2 GB")])
def test_amounts_of_memory(size: int, text: str) -> None:
    assert memory(size) == text


def test_a_line_with_colours_is_not_cut_in_the_middle_of_one() -> None:
    line = "\x1b[31m" + "x" * 100 + "\x1b[0m"

    assert clipped(line, PLAIN._replace(width=20)) == line
    assert clean(line) == " [31m" + "x" * 100 + " [0m"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_a_status_is_one_screen(utc: None) -> None:
    answer = node("/service/agent", doing="bash: make", pid=7, rss=1_000_000, restarts=1) | {
        "spec": {"restart": "permanent", "shutdown": 5.0, "start_timeout": 30.0, "overflow": "wait"},
        "last_error": {"text": "ValueError: no", "at": "2026-01-31T11:54:59.000Z", "trace": "…"},
        "log": [
            {"at": "2026-01-31T11:54:59.000Z", "path": "/service/agent", "text": "ended (failed): ValueError: no"},
            {"at": "2026-01-31T11:55:00.000Z", "path": "/service/agent/x", "text": "started"},
        ],
    }

    assert status(answer, PLAIN) == [
        "● /service/agent – Worker",
        "       State: running since 2026-01-31 11:55:00 (5 min)",
        "       Doing: bash: make",
        "     Process: pid 7, 1 MB",
        "     Mailbox: 0 of 64 waiting; when full: wait",
        "    Restarts: 1",
        "        Kept: permanent, 5 s to stop, 30 s to start",
        "  Last error: 2026-01-31 11:54:59  ValueError: no",
        "",
        "2026-01-31 11:54:59  ended (failed): ValueError: no",
        "2026-01-31 11:55:00  x: started",
    ]


def test_the_status_of_a_supervisor_counts_its_children(utc: None) -> None:
    answer = branch("/s", node("/s/a"), node("/s/b", state="failed"), node("/s/c")) | {
        "spec": {
            "restart": "transient",
            "shutdown": "infinite",
            "start_timeout": 30.0,
            "strategy": "one_for_one",
            "intensity": {"restarts": 3, "within": 5.0},
        },
        "log": [],
    }

    assert status(answer, PLAIN)[1:] == [
        "       State: running since 2026-01-31 11:55:00 (5 min)",
        "    Restarts: 0",
        "        Kept: transient, no limit to stop, gives up after more than 3 restarts in 5 s",
        "    Children: 2 running, 1 failed",
    ]


def test_a_moment_and_a_length_of_time() -> None:
    assert moment("2026-01-31T12:00:00.000Z") == NOW
    assert [lasting(seconds) for seconds in (-5.0, 59.9, 3599.0, 3600.0, 200000.0)] == [
        "0 s",
        "59 s",
        "59 min",
        "1 h",
        "2 d",
    ]
