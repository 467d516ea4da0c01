"""The tools that the host gives an agent: their schemas, a call of one as it comes in, and the answer as it goes out.

Pure; the other side is `conf/pi/host_tools.mjs`, and `hosting` does what is asked. A call comes as a dialog whose title
is this process's mark, and is believed only while pi runs a tool of that name and id. The mark tells it from dialogs of
other extensions; a shell that reads pi's environment can forge one, and gets what its agent may ask for anyway.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from actors.pi.outputs import DialogRequested
from actors.pi.session import Tool

MARK_VARIABLE: Final = "DISPATCHD_HOST_MARK"
TOOLS_VARIABLE: Final = "DISPATCHD_HOST_TOOLS"


class AskUser(msgspec.Struct, frozen=True, tag="ask_user", tag_field="tool"):
    """Ask the people of this chat a question and wait for their answer, however long that takes.

    Give options when one of a few answers is wanted.
    """

    question: Annotated[str, Meta(min_length=1, description="The question, complete in itself")]
    options: Annotated[tuple[str, ...], Meta(description="Answers to choose from; leave out for a free answer")] = ()


class SendFile(msgspec.Struct, frozen=True, tag="send_file", tag_field="tool"):
    """Send a file of the workspace to the people of this chat."""

    path: Annotated[str, Meta(min_length=1, description="The file: relative to the workspace, or absolute inside it")]
    caption: Annotated[str, Meta(description="A line that is shown with the file")] = ""


class ReportProgress(msgspec.Struct, frozen=True, tag="report_progress", tag_field="tool"):
    """Say in one short sentence how far the work is. People see it while you go on; it ends nothing."""

    text: Annotated[str, Meta(min_length=1, description="What is done, or what is being done now")]
    done: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="How many steps are done, if they can be counted")
    ] = None
    total: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Of how many")] = None


class SearchPast(msgspec.Struct, frozen=True, tag="search_history", tag_field="tool"):
    """Search what people and you said in this room before, also in sessions that are over.

    The answer is dated snippets, best first.
    """

    query: Annotated[str, Meta(min_length=1, description='Words to look for; "words in quotes" stand together')]
    limit: Annotated[int, Meta(ge=1, le=30, description="How many snippets at most")] = 10


class SpawnSubagent(msgspec.Struct, frozen=True, tag="spawn_subagent", tag_field="tool"):
    """Give one task to a sub-agent: a temporary agent with a context and a workspace of its own.

    It knows nothing but the task, so say in it all that it needs and what it is to report. What it changes stays out of
    your workspace until apply_subagent merges it. With wait, this call lasts until it has ended and answers with its
    report. Without, this call answers at once with its id, and the report comes to you by itself when it has ended:
    go on with other work, or end your turn, instead of asking for it again and again. To have several work side by
    side, start them all before you wait for any.
    """

    task: Annotated[str, Meta(description="What it is to do and what it is to report, complete in itself")]
    isolation: Annotated[
        Literal["copy", "scratch"],
        Meta(description="Its workspace begins as: copy, a copy of yours as it is now; scratch, an empty folder"),
    ] = "copy"
    timeout: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Seconds of its own work after which it is ended; leave out for the usual time"),
    ] = None
    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="Id of another model; leave out for yours")
    ] = None
    wait: Annotated[bool, Meta(description="Wait for its end and get its report as the answer of this call")] = False
    queue: Annotated[
        bool, Meta(description="If no place is free: true, it waits for one; false, the call fails and says so")
    ] = True


class CheckSubagent(msgspec.Struct, frozen=True, tag="check_subagent", tag_field="tool"):
    """See what a sub-agent of yours does now, or its report if it has ended."""

    id: Annotated[str, Meta(min_length=1, description="Its id, as spawn_subagent said")]
    wait: Annotated[bool, Meta(description="Wait for its end and get its report as the answer of this call")] = False


class CancelSubagent(msgspec.Struct, frozen=True, tag="cancel_subagent", tag_field="tool"):
    """End a sub-agent of yours that is not needed any more, and all that it has begun itself."""

    id: Annotated[str, Meta(min_length=1, description="Its id, as spawn_subagent said")]


class ApplySubagent(msgspec.Struct, frozen=True, tag="apply_subagent", tag_field="tool"):
    """Merge what a sub-agent of yours that has ended changed into your workspace.

    If that conflicts with what you have changed meanwhile, nothing is changed and the conflicting files are named.
    """

    id: Annotated[str, Meta(min_length=1, description="Its id, as spawn_subagent said")]


HostTool = (
    AskUser | SendFile | ReportProgress | SearchPast | SpawnSubagent | CheckSubagent | CancelSubagent | ApplySubagent
)
Delegation = SpawnSubagent | CheckSubagent | CancelSubagent | ApplySubagent
"""What an agent asks that is about sub-agents: done by its `Hands`, for this folder knows none."""
_LABELS: Final[dict[type[HostTool], str]] = {
    AskUser: "ask the person",
    SendFile: "send a file",
    ReportProgress: "report progress",
    SearchPast: "search this room's past",
    SpawnSubagent: "start a sub-agent",
    CheckSubagent: "look at a sub-agent",
    CancelSubagent: "end a sub-agent",
    ApplySubagent: "merge a sub-agent's work",
}
DELEGATING: Final[tuple[type[HostTool], ...]] = (SpawnSubagent, CheckSubagent, CancelSubagent, ApplySubagent)
OF_ROOMS: Final[tuple[type[HostTool], ...]] = (AskUser, SendFile, ReportProgress, SearchPast, *DELEGATING)
"""What a room's agent is given."""
OF_SUBAGENTS: Final[tuple[type[HostTool], ...]] = (ReportProgress, *DELEGATING)
"""What a sub-agent is given that may begin others."""
OF_THE_DEEPEST: Final[tuple[type[HostTool], ...]] = (ReportProgress,)
"""What a sub-agent is given that may not."""


def name_of(tool: type[HostTool]) -> str:
    """What the model calls it."""
    return str(tool.__struct_config__.tag)


class HostCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `dialog`: what is answered; `call`: the tool call's id, which is the provider's."""

    dialog: str
    call: str
    wanted: HostTool


class BadCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is not done; `reason` tells the model what is wrong with it and what it can do."""

    dialog: str
    reason: str


class _Request(msgspec.Struct, frozen=True):
    tool: str
    call: str
    arguments: dict[str, object]


def definitions(tools: tuple[type[HostTool], ...] = OF_ROOMS) -> str:
    """These tools as the extension wants them, in JSON; the same each time, as a part of the model's prompt is."""
    made = []
    _, schemas = msgspec.json.schema_components(list(tools))
    for kind in tools:
        label, text = _LABELS[kind], kind.__doc__ or ""
        schema = schemas[kind.__name__]
        properties = {name: _plain(field) for name, field in schema["properties"].items() if name != "tool"}
        required = [name for name in schema.get("required", ()) if name != "tool"]
        made.append(
            {
                "name": name_of(kind),
                "label": label,
                "description": " ".join(text.split()),
                "promptSnippet": text.partition("\n")[0],
                "parameters": {"type": "object", "properties": properties, "required": required},
            }
        )
    return msgspec.json.encode(made).decode()


def _plain(field: dict[str, object]) -> dict[str, object]:
    """A field as every provider understands it: one that may be left out without the null that stands for that, and
    a choice of words said to be one of words."""
    match field:
        case {"anyOf": [dict() as kind, {"type": "null"}]}:
            return kind | {name: value for name, value in field.items() if name not in ("anyOf", "default")}
        case {"enum": _}:
            return {"type": "string"} | field
        case _:
            return field


def read_call(
    dialog: DialogRequested,
    mark: str,
    running: Mapping[str, Tool],
    tools: tuple[type[HostTool], ...] = OF_ROOMS,
) -> HostCall | BadCall | None:
    """The call that a dialog is; None for somebody else's dialog.

    `running`: pi's tools by the id of their call; `tools`: those that this agent was given. pi has looked at the
    arguments already (it makes a number of "5", leaves out a null, lets unknown fields pass, which are left out here,
    and names a wrong one to the model); here is where they are believed.
    """
    if not mark or dialog.method != "input" or dialog.title != mark:
        return None
    try:
        request = msgspec.json.decode(dialog.text, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadCall(dialog=dialog.id, reason="The call could not be read.")
    tool = running.get(request.call)
    if tool is None or tool.name != request.tool:
        return BadCall(dialog=dialog.id, reason="There is no such call.")
    names = [name_of(kind) for kind in tools]
    if request.tool not in names:
        has = ", ".join(names) or "none"
        return BadCall(dialog=dialog.id, reason=f"This agent has no tool {request.tool}. Of the host's it has: {has}.")
    try:
        wanted = msgspec.convert(request.arguments | {"tool": request.tool}, HostTool)
    except msgspec.ValidationError as error:
        return BadCall(dialog=dialog.id, reason=f"The arguments are wrong: {error}")
    return HostCall(dialog=dialog.id, call=request.call, wanted=wanted)


def result(text: str, *, error: bool = False) -> str:
    """What the extension makes the tool's result, or its error, of."""
    return msgspec.json.encode({"text": text, "error": error}).decode()
