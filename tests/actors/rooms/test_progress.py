"""The picture of a running turn."""

from actors.messages import AgentNoted, ShowProgress, TextGrew, ToolEnded, ToolStarted
from actors.rooms.progress import KEPT_LINES, LINE, Progress
from tests.actors.rooms.rows import HERE


def tool(call: str, summary: str = "ls", name: str = "bash") -> ToolStarted:
    return ToolStarted(turn="t1", call=call, tool=name, summary=summary)


def ended(call: str, *, failed: bool = False) -> ToolEnded:
    return ToolEnded(turn="t1", call=call, tool="bash", failed=failed)


def picture(*events: TextGrew | ToolStarted | ToolEnded | AgentNoted) -> ShowProgress:
    progress = Progress(HERE, "t1", 7.0)
    for event in events:
        progress.take(event)
    return progress.picture()


def test_it_begins_empty() -> None:
    assert picture() == ShowProgress(place=HERE, turn="t1", text="", tools=(), since=7.0)


def test_the_newest_text_replaces_the_older() -> None:
    assert picture(TextGrew(turn="t1", text="a"), TextGrew(turn="t1", text="ab")).text == "ab"


def test_tools_are_lines_in_the_order_of_their_start() -> None:
    assert picture(tool("1"), tool("2", "", "read"), ended("1")).tools == ("bash: ls", "read")


def test_a_failed_tool_says_so() -> None:
    assert picture(tool("1"), ended("1", failed=True)).tools == ("bash: ls – failed",)


def test_a_note_is_a_line() -> None:
    assert picture(AgentNoted(turn="t1", text="again"), AgentNoted(turn="t1", text="again")).tools == ("again", "again")


def test_a_line_is_one_line_and_bounded() -> None:
    (line,) = picture(tool("1", "a\n" * LINE)).tools
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
    progress.take(TextGrew(turn="t1", text="a"))
    assert progress.doing == "answering"
    progress.take(tool("1"))
    assert progress.doing == "running bash"
    progress.take(ended("1"))
    assert progress.doing == "answering"


def test_cut_off_it_runs_nothing() -> None:
    progress = Progress(HERE, "t1", 7.0)
    progress.take(tool("1"))
    progress.cut_off()
    assert progress.doing == "thinking"
