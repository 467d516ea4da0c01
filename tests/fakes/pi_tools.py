"""The fake pi's tools: `bash`, really run; the host's, asked of the host; `dialog`, an extension's question.

Used in its process alone; standard library only. A host tool is there if the environment says so, as the service's
extension has it. `dialog` stands for any extension: its arguments are a dialog as pi's RPC has it, and its result is
the answer as JSON.
"""

import json
import os
import signal
from collections.abc import Generator
from typing import Protocol

from tests.fakes.pi_session import Record, now_ms
from tests.fakes.pi_wire import emit

Output = tuple[str, bool]


class Running(Protocol):
    """What a tool sees of its pi. `dialogs`: what was answered, by the id of the dialog; None until then."""

    aborting: bool
    dialogs: dict[str, Record | None]


def host_tools() -> tuple[str, set[str]]:
    """The mark of the host's calls, and the names of its tools; both leave the environment."""
    tools = json.loads(os.environ.pop("DISPATCHD_HOST_TOOLS", "[]"))
    return os.environ.pop("DISPATCHD_HOST_MARK", ""), {tool["name"] for tool in tools}


MARK, HOST_TOOLS = host_tools()


def run_tools(pi: Running, calls: list[Record]) -> Generator[float, None, list[Record]]:
    """The calls of one message, side by side as pi runs them: all begin before the first works, and each says when it
    has ended. Its value is the results' messages, in the order of the calls."""
    for call in calls:
        emit({"type": "tool_execution_start", **_common(call), "args": call["arguments"]})
    going = {number: _run_tool(pi, call) for number, call in enumerate(calls)}
    results: dict[int, Record] = {}
    while going:
        pause = 60.0
        for number, work in list(going.items()):
            try:
                pause = min(pause, next(work))
            except StopIteration as end:
                results[number] = end.value
                del going[number]
        if going:
            yield pause
    return [results[number] for number in range(len(calls))]


def _common(call: Record) -> Record:
    return {"toolCallId": call["id"], "toolName": call["name"]}


def _run_tool(pi: Running, call: Record) -> Generator[float, None, Record]:
    common = _common(call)
    if call["name"] == "bash":
        output, is_error = yield from _bash(pi, common, call["arguments"])
    elif call["name"] in HOST_TOOLS:
        output, is_error = yield from _ask_host(pi, call)
    elif call["name"] == "dialog":
        answer = yield from _dialog(pi, call["arguments"])
        output, is_error = json.dumps(answer), False
    else:
        output, is_error = f"Tool {call['name']} not found", True
    content = [{"type": "text", "text": output}]
    emit({"type": "tool_execution_end", **common, "result": {"content": content}, "isError": is_error})
    return {"role": "toolResult", **common, "content": content, "isError": is_error, "timestamp": now_ms()}


def _ask_host(pi: Running, call: Record) -> Generator[float, None, Output]:
    request = {"tool": call["name"], "call": call["id"], "arguments": call["arguments"]}
    answer = yield from _dialog(pi, {"method": "input", "title": MARK, "placeholder": json.dumps(request)})
    if not isinstance(answer, str):
        return "The host did not answer; nothing was done.", True
    result = json.loads(answer)
    return result["text"], result["error"]


def _dialog(pi: Running, fields: Record) -> Generator[float, None, str | bool | None]:
    """Asks and waits; None if it was dismissed or the run aborted, and False of a confirm."""
    dialog = os.urandom(8).hex()
    pi.dialogs[dialog] = None
    emit({"type": "extension_ui_request", "id": dialog} | fields)
    while (answer := pi.dialogs[dialog]) is None and not pi.aborting:
        yield 60.0
    del pi.dialogs[dialog]
    nothing = False if fields["method"] == "confirm" else None
    if answer is None or answer.get("cancelled"):
        return nothing
    value: str | bool | None = answer.get("confirmed" if fields["method"] == "confirm" else "value", nothing)
    return value


def _bash(pi: Running, common: Record, arguments: Record) -> Generator[float, None, Output]:
    """Really runs the command, in a session of its own as pi does; updates carry all the output so far."""
    import subprocess  # noqa: PLC0415  # late: it doubles the start time, and few runs need it

    child = subprocess.Popen(
        ["/bin/sh", "-c", arguments["command"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    update = {"type": "tool_execution_update", **common, "args": arguments}
    emit(update | {"partialResult": {"content": []}})
    output = ""
    ended = False
    while not ended and not pi.aborting:
        ended = child.poll() is not None
        if chunk := child.stdout.read():
            output += chunk.decode(errors="replace")
            emit(update | {"partialResult": {"content": [{"type": "text", "text": output}], "details": {}}})
        yield 0.01
    if not ended:
        os.killpg(child.pid, signal.SIGKILL)
        output += "\n\nCommand aborted"
    child.stdout.close()
    return output, child.wait() != 0
