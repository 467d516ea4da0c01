"""What pi says: responses and events as types, decoded without ever raising.

`session` reads them; nobody else needs to. What a response holds is in `answers`. Written against pi 0.87.1 (its
docs/json.md and rpc-extension-ui.md, checked on the running program). Fields and events that nobody here
uses are skipped, so a newer pi may add what it likes.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from actors.pi.answers import MessageBody
from actors.pi.commands import Wire
from actors.pi.framing import Oversized

# --- records --------------------------------------------------------------------------------------------------------


class Response(Wire, tag="response", tag_field="type"):
    """Pi's answer to the command `id`; without an id it is about a line that pi could not read."""

    success: bool
    id: str | None = None
    command: str = ""
    error: str = ""
    data: msgspec.Raw = msgspec.Raw()


class AgentStart(Wire, tag="agent_start", tag_field="type"):
    """A run has begun; one more follows for each retry and each queued message of the same run."""


class AgentSettled(Wire, tag="agent_settled", tag_field="type"):
    """Pi is idle. No other event says so."""


class MessageStart(Wire, tag="message_start", tag_field="type"):
    """A message begins. An assistant's may carry text already, which its deltas then repeat."""

    message: MessageBody


class MessageEnd(Wire, tag="message_end", tag_field="type"):
    """A message is complete, and this is its authoritative form. It may not be on disk yet."""

    message: MessageBody


class Delta(Wire):
    """A change of one block of the assistant's message. `type` such as "text_delta"; other types leave text alone."""

    type: str
    content_index: int = -1
    delta: str = ""
    content: str = ""


class MessageUpdate(Wire, tag="message_update", tag_field="type"):
    """The assistant's message grows."""

    assistant_message_event: Delta


Id = Annotated[str, Meta(max_length=4096)]
"""What is kept as long as something runs: of a dialog or, made by the provider, of a tool call, and a tool's name."""


class ToolExecutionStart(Wire, tag="tool_execution_start", tag_field="type"):
    """A tool runs. `args` is its JSON as it came."""

    tool_call_id: Id
    tool_name: Id
    args: msgspec.Raw = msgspec.Raw()


class ToolExecutionEnd(Wire, tag="tool_execution_end", tag_field="type"):
    """A tool has ended."""

    tool_call_id: Id
    tool_name: Id
    is_error: bool = False


class QueueUpdate(Wire, tag="queue_update", tag_field="type"):
    """The whole queue as it stands. A text leaves it before its message begins, so it proves nothing about delivery."""

    steering: tuple[str, ...] = ()
    follow_up: tuple[str, ...] = ()


class CompactionStart(Wire, tag="compaction_start", tag_field="type"):
    """Pi begins to summarise. `reason`: manual, threshold or overflow."""

    reason: str


class CompactionEnd(Wire, tag="compaction_end", tag_field="type"):
    """Pi has stopped summarising; `error_message` is empty if it worked or was aborted."""

    reason: str
    aborted: bool = False
    will_retry: bool = False
    error_message: str = ""


class AutoRetryStart(Wire, tag="auto_retry_start", tag_field="type"):
    """A model call failed and will be repeated after `delay_ms`."""

    attempt: int
    max_attempts: int
    delay_ms: float
    error_message: str = ""


class ExtensionError(Wire, tag="extension_error", tag_field="type"):
    """A handler of an extension threw."""

    extension_path: str = ""
    event: str = ""
    error: str = ""


class ExtensionUiRequest(Wire, tag="extension_ui_request", tag_field="type"):
    """An extension speaks to the person. `method`: select, confirm, input, editor wait for an answer; others do not."""

    id: Id
    method: str
    title: str = ""
    message: str = ""
    options: tuple[str, ...] = ()
    placeholder: str = ""
    prefill: str = ""
    notify_type: str = "info"
    timeout: float | None = None


Event = (
    AgentStart
    | AgentSettled
    | MessageStart
    | MessageEnd
    | MessageUpdate
    | ToolExecutionStart
    | ToolExecutionEnd
    | QueueUpdate
    | CompactionStart
    | CompactionEnd
    | AutoRetryStart
    | ExtensionError
    | ExtensionUiRequest
)


class Skipped(msgspec.Struct, frozen=True):
    """A record that pi is known to send and that the service has no use for."""

    type: str


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed record of a type that pi 0.87.1 does not send."""

    type: str


class Garbage(msgspec.Struct, frozen=True):
    """A line that is no record. `head`: its first 4 KiB; `reason`: one clause on what is wrong with it."""

    head: bytes
    reason: str


class Cut(msgspec.Struct, frozen=True):
    """A record too long to keep, known by its head. `id`: of the response or the tool call, else empty."""

    type: str
    id: str
    size: int


PiRecord = Response | Event | Skipped | Unknown | Garbage | Cut


# --- decoding -------------------------------------------------------------------------------------------------------


class _Kind(msgspec.Struct):
    type: str


_record: msgspec.json.Decoder[Response | Event] = msgspec.json.Decoder(Response | Event)
_kind = msgspec.json.Decoder(_Kind)
_KNOWN = frozenset(str(kind.__struct_config__.tag) for kind in (Response, *Event.__args__))
# fmt: off
_SKIPPED = frozenset({
    "agent_end", "auto_retry_end", "bash_execution_update", "entry_appended", "session_info_changed", "turn_start",
    "summarization_retry_attempt_start", "summarization_retry_finished", "summarization_retry_scheduled",
    "thinking_level_changed", "tool_execution_update", "turn_end",
})
# fmt: on
_HEAD_KEPT = 4096

# A JavaScript string may hold half a surrogate pair, from text that was cut by length. JSON allows it, UTF-8 does not.
_ESCAPE = re.compile(rb"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|u(d[89a-f][0-9a-f]{2})|.)", re.IGNORECASE)
# pi writes a response's id first and a tool event's call id second; a cut line is known by that.
_CUT_RESPONSE = re.compile(rb'\{"id":"([\w.-]{1,64})","type":"(response)"')
_CUT_EVENT = re.compile(rb'\{"type":"(\w{1,64})"(?:,"toolCallId":"([^"\\]{1,256})")?')


def decode(line: bytes) -> PiRecord:
    """What `line` (one line, without LF) says. Never raises: what cannot be read is Unknown or Garbage."""
    record = _decode(line)
    if isinstance(record, Garbage) and b"\\u" in line:
        return _decode(_ESCAPE.sub(lambda m: rb"\ufffd" if m[1] else m[0], line))
    return record


def decode_cut(line: Oversized) -> PiRecord:
    """What can be known of a line that was too long to keep."""
    if match := _CUT_RESPONSE.match(line.head):
        return Cut("response", match[1].decode(), line.size)
    if match := _CUT_EVENT.match(line.head):
        return Cut(match[1].decode(), (match[2] or b"").decode(errors="replace"), line.size)
    return Garbage(line.head[:_HEAD_KEPT], f"{line.size} bytes that do not begin as a record does")


def _decode(line: bytes) -> PiRecord:
    try:
        return _record.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error)
    try:
        kind = _kind.decode(line).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Garbage(line[:_HEAD_KEPT], reason)
    if kind in _KNOWN:
        return Garbage(line[:_HEAD_KEPT], f"{kind}: {reason}")
    return Skipped(kind) if kind in _SKIPPED else Unknown(kind)
