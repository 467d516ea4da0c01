"""Host tools as the model and the extension see them, and whose calls are believed."""

import msgspec
import pytest

from actors.pi.host_tools import AskUser, BadCall, HostCall, SendFile, definitions, read_call, result
from actors.pi.outputs import DialogRequested
from actors.pi.session import Tool

MARK = "the-mark"
RUNNING = {
    "c1": Tool("c1", "ask_user", "", 0.0),
    "c2": Tool("c2", "send_file", "", 0.0),
    "c3": Tool("c3", "bash", "", 0.0),
}


def asked(tool: str, call: str, title: str = MARK, **arguments: object) -> DialogRequested:
    request = {"tool": tool, "call": call, "arguments": arguments}
    return DialogRequested("d1", "input", title, msgspec.json.encode(request).decode(), (), None)


def test_a_tool_is_described_by_plain_json_schema() -> None:
    tools = msgspec.json.decode(definitions())
    assert [tool["name"] for tool in tools] == ["ask_user", "send_file"]
    for tool in tools:
        assert set(tool) == {"name", "label", "description", "parameters"}
        assert set(tool["parameters"]) == {"type", "properties", "required"}
        assert "$ref" not in str(tool)
        assert "tool" not in tool["parameters"]["properties"]
    assert tools[0]["parameters"]["required"] == ["question"]
    assert tools[1]["parameters"]["properties"]["path"]["type"] == "string"
    assert definitions() == definitions()


def test_calls_are_typed() -> None:
    call = read_call(asked("ask_user", "c1", question="Which?", options=["A"]), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c1", wanted=AskUser(question="Which?", options=("A",)))
    call = read_call(asked("send_file", "c2", path="a.txt"), MARK, RUNNING)
    assert call == HostCall(dialog="d1", call="c2", wanted=SendFile(path="a.txt"))


@pytest.mark.parametrize("title", ["", "the-mark ", "The-mark", "Which?"])
def test_a_dialog_without_the_mark_is_a_dialog(title: str) -> None:
    assert read_call(asked("ask_user", "c1", title, question="Which?"), MARK, RUNNING) is None
    assert read_call(asked("ask_user", "c1", "", question="Which?"), "", RUNNING) is None


@pytest.mark.parametrize(
    ("dialog", "why"),
    [
        (asked("ask_user", "c9", question="Which?"), "no such call"),
        (asked("ask_user", "c3", question="Which?"), "no such call"),
        (asked("bash", "c3", command="ls"), "arguments are wrong"),
        (asked("ask_user", "c1"), "arguments are wrong"),
        (asked("ask_user", "c1", question=""), "arguments are wrong"),
        (asked("send_file", "c2", path=["a"]), "arguments are wrong"),
        (DialogRequested("d1", "input", MARK, "{", (), None), "could not be read"),
    ],
)
def test_a_call_of_no_running_tool_or_with_wrong_arguments_is_refused(dialog: DialogRequested, why: str) -> None:
    call = read_call(dialog, MARK, RUNNING)
    assert isinstance(call, BadCall)
    assert why in call.reason


def test_results_are_what_the_extension_reads() -> None:
    assert msgspec.json.decode(result("done")) == {"text": "done", "error": False}
    assert msgspec.json.decode(result("no", error=True)) == {"text": "no", "error": True}
