"""What the service says to pi: the commands of its RPC that we use, and the answers to its dialogs.

`session` numbers and encodes them. Written against pi 0.87.1 (its docs/rpc-commands.md and rpc-extension-ui.md, checked
on the running program). What pi would keep in its shared settings, such as retry modes, is left out on purpose.
"""

from typing import Literal, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of every record: camelCase outside, and what is absent stays absent."""


class Image(Wire, tag="image", tag_field="type"):
    """A picture of a prompt. `data`: base64."""

    data: str
    mime_type: str


class Prompt(Wire, tag="prompt", tag_field="type"):
    """Starts a run, or joins the one that is on.

    `streaming_behavior` has no default on purpose: without it pi refuses a prompt during a run; idle, it is ignored.
    """

    message: str
    streaming_behavior: Literal["steer", "followUp"]
    images: tuple[Image, ...] = ()


class Steer(Wire, tag="steer", tag_field="type"):
    """Adds to the run that is on. Idle, pi only queues it and starts nothing: a Prompt is what is meant then."""

    message: str
    images: tuple[Image, ...] = ()


class Abort(Wire, tag="abort", tag_field="type"):
    """Ends the run; answered after `agent_settled`. Leaves the queue as it is: send ClearQueue first."""


class ClearQueue(Wire, tag="clear_queue", tag_field="type"):
    """Takes back what was steered or queued and not yet consumed; answered with QueueCleared."""


class GetState(Wire, tag="get_state", tag_field="type"):
    """Asks where pi stands; its first answer is the sign that pi is up. Answered with State."""


class GetEntries(Wire, tag="get_entries", tag_field="type"):
    """Asks for the session's entries after the one called `since` (all without it). Answered with Entries."""

    since: str | None = None


class GetForkMessages(Wire, tag="get_fork_messages", tag_field="type"):
    """Asks for the person's messages alone, which fit into an answer when the entries do not. See ForkMessages."""


class GetSessionStats(Wire, tag="get_session_stats", tag_field="type"):
    """Asks what the session has used. Answered with Stats."""


class GetAvailableModels(Wire, tag="get_available_models", tag_field="type"):
    """Asks which models have a key. Answered with Models."""


class SetModel(Wire, tag="set_model", tag_field="type"):
    """Changes this session's model; pi keeps it in the session, not in its settings."""

    provider: str
    model_id: str


class GetAvailableThinkingLevels(Wire, tag="get_available_thinking_levels", tag_field="type"):
    """Asks how much the model in use can think. Answered with ThinkingLevels."""


class SetThinkingLevel(Wire, tag="set_thinking_level", tag_field="type"):
    """Changes this session's level, to the nearest one that the model has; kept in the session only."""

    level: str


class Compact(Wire, tag="compact", tag_field="type"):
    """Summarises the session's older part; while it runs, prompts are refused."""

    custom_instructions: str = ""


Command = (
    Prompt
    | Steer
    | Abort
    | ClearQueue
    | GetState
    | GetEntries
    | GetForkMessages
    | GetSessionStats
    | GetAvailableModels
    | SetModel
    | GetAvailableThinkingLevels
    | SetThinkingLevel
    | Compact
)


class DialogValue(Wire, tag="extension_ui_response", tag_field="type"):
    """Answers a select, input or editor dialog."""

    id: str
    value: str


class DialogConfirmed(Wire, tag="extension_ui_response", tag_field="type"):
    """Answers a confirm dialog."""

    id: str
    confirmed: bool


class DialogCancelled(Wire, tag="extension_ui_response", tag_field="type", omit_defaults=False):
    """Dismisses any dialog."""

    id: str
    cancelled: Literal[True] = True


Answer = DialogValue | DialogConfirmed | DialogCancelled


def encode(command: Command, command_id: str) -> bytes:
    """One line, LF included, for `command` under that correlation id."""
    return b'{"id":' + msgspec.json.encode(command_id) + b"," + msgspec.json.encode(command)[1:] + b"\n"


def encode_answer(answer: Answer) -> bytes:
    """One line, LF included; pi gives no response to it."""
    return msgspec.json.encode(answer) + b"\n"
