"""Host tools as the model and the extension see them, and whose calls are believed."""

import msgspec
import pytest

from actors.pi.host_tools import (
    DELEGATING,
    OF_ROOMS,
    OF_SUBAGENTS,
    OF_THE_DEEPEST,
    AskUser,
    BadCall,
    CheckSubagent,
    HostCall,
    ReportProgress,
    SearchPast,
    SendFile,
    SpawnSubagent,
    definitions,
    name_of,
    read_call,
    result,
)
from actors.pi.outputs import DialogRequested
from actors.pi.session import Tool

MARK = "the-mark"
RUNNING = {
    "c1": Tool("c1", "ask_user", "", 0.0),
    "c2": Tool("c2", "send_file", "", 0.0),
    "c3": Tool("c3", "bash", "", 0.0),
    "c4": Tool("c4", "spawn_subagent", "", 0.0),
    "c5": Tool("c5", "check_subagent", "", 0.0),
    "c6": Tool("c6", "search_history", "", 0.0),
    "c7": Tool("c7", "report_progress", "", 0.0),
}


def asked(tool: str, call: str, title: str = MARK, **arguments: object) -> DialogRequested:
    request = {"tool": tool, "call": call, "arguments": arguments}
    return DialogRequested("d1", "input", title, msgspec.json.encode(request).decode(), (), None)


ALL = [
    "ask_user",
    "send_file",
    "report_progress",
    "search_history",
    "spawn_subagent",
    "check_subagent",
    "cancel_subagent",
    "apply_subagent",
]


def test_a_tool_is_described_by_plain_json_schema() -> None:
    tools = {tool["name"]: tool for tool in msgspec.json.decode(definitions())}
    assert list(tools) == ALL
    for tool in tools.values():
        assert set(tool) == {"name", "label", "description", "promptSnippet", "parameters"}
        assert tool["description"].startswith(tool["promptSnippet"])
        assert 20 < len(tool["promptSnippet"]) <= 120
        assert set(tool["parameters"]) == {"type", "properties", "required"}
        assert not any(word in str(tool) for word in ("$ref", "anyOf", "None"))
        assert "tool" not in tool["parameters"]["properties"]
        assert all(field["description"] and field["type"] for field in tool["parameters"]["properties"].values())
    assert tools["ask_user"]["parameters"]["required"] == ["question"]
    assert tools["send_file"]["parameters"]["properties"]["path"]["type"] == "string"
    spawn = tools["spawn_subagent"]["parameters"]
    assert spawn["required"] == ["task"]
    assert spawn["properties"]["isolation"]["enum"] == ["copy", "scratch"]
    timeout = spawn["properties"]["timeout"]
    assert (timeout["type"], timeout["exclusiveMinimum"]) == ("number", 0)
    assert timeout["description"].startswith("Seconds")
    assert definitions() == definitions()


def test_each_kind_of_agent_has_a_list_of_its_own() -> None:
    def names(tools: tuple[type, ...]) -> list[str]:
        return [tool["name"] for tool in msgspec.json.decode(definitions(tools))]

    assert names(OF_ROOMS) == ALL
    assert names(OF_SUBAGENTS) == ["report_progress", *ALL[4:]]
    assert names(OF_THE_DEEPEST) == ["report_progress"]
    assert [name_of(tool) for tool in DELEGATING] == ALL[4:]


def test_calls_are_typed() -> None:
    call = read_call(asked("ask_user", "c1", question="Which?", options=["A"]), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c1", wanted=AskUser(question="Which?", options=("A",)))
    call = read_call(asked("send_file", "c2", path="a.txt"), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c2", wanted=SendFile(path="a.txt"))
    call = read_call(
        asked("spawn_subagent", "c4", task="look", isolation="scratch", timeout=5, wait=True), MARK, RUNNING
    )
    wanted = SpawnSubagent(task="look", isolation="scratch", timeout=5.0, wait=True)
    assert call == HostCall(dialog="d1", call="c4", wanted=wanted)
    call = read_call(asked("check_subagent", "c5", id="look"), MARK, RUNNING, OF_SUBAGENTS)
    assert call == HostCall(dialog="d1", call="c5", wanted=CheckSubagent(id="look"))
    call = read_call(asked("search_history", "c6", query="deploy"), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c6", wanted=SearchPast(query="deploy"))


def test_what_a_tool_does_not_know_is_left_out() -> None:
    call = read_call(asked("report_progress", "c7", text="on it", mood="good"), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c7", wanted=ReportProgress(text="on it"))


@pytest.mark.parametrize("title", ["", "the-mark ", "The-mark", "Which?"])
def test_a_dialog_without_the_mark_is_a_dialog(title: str) -> None:
    assert read_call(asked("ask_user", "c1", title, question="Which?"), MARK, RUNNING) is None
    assert read_call(asked("ask_user", "c1", "", question="Which?"), "", RUNNING) is None


@pytest.mark.parametrize(
    ("dialog", "why"),
    [
        (asked("ask_user", "c9", question="Which?"), "no such call"),
        (asked("ask_user", "c3", question="Which?"), "no such call"),
        (asked("bash", "c3", command="ls"), "no tool bash. Of the host's it has: ask_user, send_file"),
        (asked("ask_user", "c1"), "arguments are wrong"),
        (asked("ask_user", "c1", question=""), "arguments are wrong"),
        (asked("send_file", "c2", path=["a"]), "arguments are wrong: Expected `str`, got `array` - at `$.path`"),
        (asked("spawn_subagent", "c4", task="x", isolation="full"), "`$.isolation`"),
        (asked("spawn_subagent", "c4", task="x", timeout=0), "`$.timeout`"),
        (asked("spawn_subagent", "c4", wait=True), "missing required field `task`"),
        (asked("check_subagent", "c5", id=""), "`$.id`"),
        (asked("search_history", "c6", query="x", limit=31), "`$.limit`"),
        (DialogRequested("d1", "input", MARK, "{", (), None), "could not be read"),
    ],
)
def test_a_call_of_no_running_tool_or_with_wrong_arguments_is_refused(dialog: DialogRequested, why: str) -> None:
    call = read_call(dialog, MARK, RUNNING)
    assert isinstance(call, BadCall)
    assert why in call.reason


@pytest.mark.parametrize(
    ("tools", "has"),
    [(OF_THE_DEEPEST, "report_progress"), (OF_SUBAGENTS, "report_progress, spawn_subagent"), ((), "none")],
)
def test_a_tool_that_was_not_given_cannot_be_called(tools: tuple[type, ...], has: str) -> None:
    call = read_call(asked("ask_user", "c1", question="Which?"), MARK, RUNNING, tools)
    assert isinstance(call, BadCall)
    assert call.reason.startswith(f"This agent has no tool ask_user. Of the host's it has: {has}")


def test_results_are_what_the_extension_reads() -> None:
    assert msgspec.json.decode(result("done")) == {"text": "done", "error": False}
    assert msgspec.json.decode(result("no", error=True)) == {"text": "no", "error": True}
