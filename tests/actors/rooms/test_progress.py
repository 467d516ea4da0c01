"""The picture of a running turn."""

from typing import Literal

import pytest

from actors.messages import AgentNoted, FileOffered, ShowProgress, TextGrew, ToolEnded, ToolStarted
from actors.rooms.progress import KEPT_LINES, LINE, SPEAKING, Progress
from tests.actors.rooms.rows import HERE


def tool(call: str, summary: str = "ls", name: str = "bash") -> ToolStarted:
    return ToolStarted(turn="t1", call=call, tool=name, summary=summary)


def ended(call: str, *, failed: bool = False) -> ToolEnded:
    return ToolEnded(turn="t1", call=call, tool="bash", failed=failed)


def picture(
    *events: TextGrew | ToolStarted | ToolEnded | AgentNoted | FileOffered, verbose: Literal[0, 1, 2] = 1
) -> ShowProgress:
    """What shows after these events, which are a second apart."""
    progress = Progress(HERE, "t1", 7.0)
    for now, event in enumerate(events):
        progress.take(event, now)
    return progress.picture(verbose)


def test_it_begins_empty() -> None:
    assert picture() == ShowProgress(place=HERE, turn="t1", text="", tools=(), since=7.0, begun=False)


def test_it_says_whether_its_turn_has_begun() -> None:
    progress = Progress(HERE, "t1", 7.0)
    progress.begun()
    assert progress.picture(1).begun


def test_a_question_is_a_message_of_its_own_and_no_line() -> None:
    for name in SPEAKING:
        assert picture(tool("a", "Which?", name), tool("b")).tools == ("bash: ls",)


def test_the_newest_text_replaces_the_older() -> None:
    assert picture(TextGrew(turn="t1", text="a"), TextGrew(turn="t1", text="ab")).text == "ab"


def test_tools_are_lines_in_the_order_of_their_start() -> None:
    assert picture(tool("1"), tool("2", "", "read"), ended("1")).tools == ("bash: ls", "read")


@pytest.mark.parametrize(
    ("verbose", "lines"),
    [
        (0, ()),
        (1, ("bash: ls", "read")),
        (2, ("bash: ls – failed, 2.0 s", "read – ok, 2.0 s")),
    ],
)
def test_how_much_shows_is_the_rooms_choice(verbose: Literal[0, 1, 2], lines: tuple[str, ...]) -> None:
    events = (tool("1"), tool("2", "", "read"), ended("1", failed=True), ended("2"))
    assert picture(*events, verbose=verbose).tools == lines


def test_what_is_no_tools_shows_always() -> None:
    events = (tool("1"), AgentNoted(turn="t1", text="again"), FileOffered(turn="t1", name="plan.pdf"))
    assert picture(*events, verbose=0).tools == ("again", "sends plan.pdf")


def test_a_note_is_a_line() -> None:
    assert picture(AgentNoted(turn="t1", text="again"), AgentNoted(turn="t1", text="again")).tools == ("again", "again")


def test_a_line_is_one_line_and_bounded() -> None:
    (line,) = picture(tool("1", "a\n" * LINE), ended("1"), verbose=2).tools
    assert line.endswith("… – ok, 1.0 s")
    assert "\n" not in line
    assert len(line) == LINE


def test_only_the_newest_lines_are_kept() -> None:
    tools = picture(*[tool(str(n), str(n)) for n in range(KEPT_LINES + 5)]).tools
    assert len(tools) == KEPT_LINES
    assert tools[-1] == f"bash: {KEPT_LINES + 4}"


def test_a_tool_whose_line_is_gone_may_still_end() -> None:
    events = [tool(str(n)) for n in range(KEPT_LINES + 1)]
    assert len(picture(*events, ended("0", failed=True)).tools) == KEPT_LINES


def test_what_it_is_doing() -> None:
    progress = Progress(HERE, "t1", 7.0)
    assert progress.doing == "thinking"
    progress.take(TextGrew(turn="t1", text="a"), 0.0)
    assert progress.doing == "answering"
    progress.take(tool("1"), 0.0)
    assert progress.doing == "running bash"
    progress.take(ended("1"), 0.0)
    assert progress.doing == "answering"


def test_cut_off_it_runs_nothing() -> None:
    progress = Progress(HERE, "t1", 7.0)
    progress.take(tool("1"), 0.0)
    progress.cut_off()
    assert progress.doing == "thinking"
