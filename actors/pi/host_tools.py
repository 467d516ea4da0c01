"""The tools that the host gives an agent: their schemas, a call of one as it comes in, and the answer as it goes out.

Pure; the other side is `conf/pi/host_tools.mjs`, and `hosting` does what is asked. A call comes as a dialog whose title
is this process's mark, and is believed only while pi runs a tool of that name and id. The mark tells it from dialogs of
other extensions; a shell that reads pi's environment can forge one, and gets what its agent may ask for anyway.
"""

from collections.abc import Mapping
from typing import Annotated, Final

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


HostTool = AskUser | SendFile
_LABELS: Final[dict[type[HostTool], str]] = {AskUser: "ask the person", SendFile: "send a file"}


class HostCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `dialog`: what is answered; `call`: the tool call's id, which is the provider's."""

    dialog: str
    call: str
    wanted: HostTool


class BadCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose arguments are not the tool's; `reason` tells the model what is wrong with them."""

    dialog: str
    reason: str


class _Request(msgspec.Struct, frozen=True):
    tool: str
    call: str
    arguments: dict[str, object]


def definitions() -> str:
    """All tools as the extension wants them, in JSON; the same each time, because it is part of the model's prompt."""
    made = []
    _, schemas = msgspec.json.schema_components(list(_LABELS))
    for kind, label in _LABELS.items():
        schema = schemas[kind.__name__]
        properties = {name: field for name, field in schema["properties"].items() if name != "tool"}
        required = [name for name in schema["required"] if name != "tool"]
        made.append(
            {
                "name": kind.__struct_config__.tag,
                "label": label,
                "description": " ".join((kind.__doc__ or "").split()),
                "parameters": {"type": "object", "properties": properties, "required": required},
            }
        )
    return msgspec.json.encode(made).decode()


def read_call(dialog: DialogRequested, mark: str, running: Mapping[str, Tool]) -> HostCall | BadCall | None:
    """The call that a dialog is; None for somebody else's dialog. `running`: pi's tools by the id of their call."""
    if not mark or dialog.method != "input" or dialog.title != mark:
        return None
    try:
        request = msgspec.json.decode(dialog.text, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadCall(dialog=dialog.id, reason="The call could not be read.")
    tool = running.get(request.call)
    if tool is None or tool.name != request.tool:
        return BadCall(dialog=dialog.id, reason="There is no such call.")
    try:
        wanted = msgspec.convert(request.arguments | {"tool": request.tool}, HostTool)
    except msgspec.ValidationError as error:
        return BadCall(dialog=dialog.id, reason=f"The arguments are wrong: {error}")
    return HostCall(dialog=dialog.id, call=request.call, wanted=wanted)


def result(text: str, *, error: bool = False) -> str:
    """What the extension makes the tool's result, or its error, of."""
    return msgspec.json.encode({"text": text, "error": error}).decode()
