"""What a session tells its agent: the few things that matter of all that pi says, as plain frozen data.

Made by `session`, acted on by the agent, which may send them on as they are. Texts are the model's or an extension's
own and may be as long as a line of pi's may be; only `summary` and `detail` are cut, to a line or two of a screen, and
redacted before that.
"""

from typing import Literal

import msgspec

from actors.pi.answers import Data, Usage
from actors.pi.commands import Command

DialogMethod = Literal["select", "confirm", "input", "editor"]


class RunStarted(msgspec.Struct, frozen=True):
    """Pi has begun to work; only now may the next prompt be written. Follows once per run."""


class TextGrew(msgspec.Struct, frozen=True):
    """The assistant's current message has `delta` more; the whole of it is the session's `text`."""

    delta: str


class ToolStarted(msgspec.Struct, frozen=True):
    """A tool runs. `summary`: its telling argument on one line, such as a command or a path."""

    id: str
    name: str
    summary: str


class ToolEnded(msgspec.Struct, frozen=True):
    """A tool has ended. `is_error` is None when the record was too long to read that far."""

    id: str
    name: str
    is_error: bool | None


class MessageEnded(msgspec.Struct, frozen=True):
    """A message is complete. `role`: system, user, assistant, toolResult, custom. It may not be on disk yet.

    `stop_reason` and `usage` are an assistant's; `error` is empty unless its `stop_reason` is "error".
    """

    role: str
    text: str
    stop_reason: str | None
    error: str
    usage: Usage | None


class Settled(msgspec.Struct, frozen=True):
    """Pi is idle and the run is over.

    `stop_reason` and `error` are those of the run's last assistant message; None and empty if it had none. `text`: that
    message's text if it ended with stop or length, else (and if it is empty) all the run's assistant texts, with blank
    lines between.
    """

    stop_reason: str | None
    text: str
    error: str
    aborted: bool


class Retrying(msgspec.Struct, frozen=True):
    """A model call failed with `error`; pi repeats it after `delay` seconds as attempt `attempt` of `max_attempts`."""

    attempt: int
    max_attempts: int
    delay: float
    error: str


class CompactionStarted(msgspec.Struct, frozen=True):
    """Pi summarises the session's older part. `reason`: manual, threshold or overflow."""

    reason: str


class CompactionEnded(msgspec.Struct, frozen=True):
    """Pi has stopped summarising; it worked if not `aborted` and `error` is empty."""

    reason: str
    aborted: bool
    error: str


class QueueChanged(msgspec.Struct, frozen=True):
    """The texts that wait inside pi, in order. A hint for display: only the session's entries prove what was taken."""

    steering: tuple[str, ...]
    follow_up: tuple[str, ...]


class DialogRequested(msgspec.Struct, frozen=True):
    """An extension asks the person and waits.

    `text`: the confirm's message, the input's placeholder or the editor's first content. `timeout`: seconds after which
    pi gives up by itself, or None.
    """

    id: str
    method: DialogMethod
    title: str
    text: str
    options: tuple[str, ...]
    timeout: float | None


class DialogClosed(msgspec.Struct, frozen=True):
    """Nobody waits for this dialog's answer any more: its tools have ended, or the run has."""

    id: str


class Notified(msgspec.Struct, frozen=True):
    """An extension says something and waits for nothing. `level`: info, warning, error."""

    level: str
    text: str


class Responded(msgspec.Struct, frozen=True):
    """The answer to `command`, which was sent under `id`. `data` is there for commands that have one, if `ok`."""

    id: str
    command: Command
    ok: bool
    data: Data | None
    error: str


class Ignored(msgspec.Struct, frozen=True):
    """A record that changed nothing, to be logged. `kind`: garbage, unknown, oversized, stray or extension."""

    kind: str
    detail: str


Output = (
    RunStarted
    | TextGrew
    | ToolStarted
    | ToolEnded
    | MessageEnded
    | Settled
    | Retrying
    | CompactionStarted
    | CompactionEnded
    | QueueChanged
    | DialogRequested
    | DialogClosed
    | Notified
    | Responded
    | Ignored
)
