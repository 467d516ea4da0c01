"""What pi answers: the data of its responses as types, and the messages and entries that they are made of.

`protocol` uses the messages in events, `session` decodes what a command is owed. Written against pi 0.87.1 (its
docs/rpc-commands.md, message-types.md and session-format.md, checked on the running program). Fields that nobody here
uses are skipped.
"""

import msgspec

from actors.pi.commands import (
    ClearQueue,
    Command,
    Compact,
    GetAvailableModels,
    GetAvailableThinkingLevels,
    GetEntries,
    GetForkMessages,
    GetSessionStats,
    GetState,
    SetModel,
    Wire,
)

# --- parts --------------------------------------------------------------------------------------------


class Cost(Wire):
    """In US dollars."""

    total: float = 0.0


class Usage(Wire):
    """Tokens of one model call, cumulative while it streams."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    total_tokens: int = 0
    cost: Cost = Cost()


class Block(Wire):
    """One piece of a message's content; `text` is empty unless `type` is "text".

    `id`, `name`, `arguments` (its JSON as it came) are those of a "toolCall".
    """

    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw()


class MessageBody(Wire):
    """A message of any role. `stop_reason` to `usage` are an assistant's, `custom_type` a custom message's.

    `tool_call_id`: of which call a tool's result is.
    """

    role: str
    content: str | tuple[Block, ...] = ()
    custom_type: str = ""
    stop_reason: str | None = None
    error_message: str = ""
    usage: Usage | None = None
    tool_call_id: str = ""

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(block.text for block in self.content if block.type == "text")

    @property
    def calls(self) -> tuple[Block, ...]:
        """The tools that an assistant's message calls, in order."""
        if isinstance(self.content, str) or self.role != "assistant":
            return ()
        return tuple(block for block in self.content if block.type == "toolCall")


class Entry(Wire):
    """A line of the session file. `message` is there if `type` is "message"; `content` if it is "custom_message"."""

    type: str
    id: str
    parent_id: str | None = None
    message: MessageBody | None = None
    custom_type: str = ""
    content: str | tuple[Block, ...] = ()


class Model(Wire):
    """A model that pi can use. `input`: what it takes, "text" and perhaps "image"."""

    id: str
    provider: str = ""
    input: tuple[str, ...] = ()
    context_window: int = 0


# --- the data of responses ----------------------------------------------------------------------------


class State(Wire):
    """Answers GetState. The session's file may not exist yet: pi writes none before the first assistant message."""

    session_id: str
    session_file: str | None = None
    model: Model | None = None
    thinking_level: str = ""
    is_streaming: bool = False
    is_compacting: bool = False
    message_count: int = 0
    pending_message_count: int = 0


class Entries(Wire):
    """Answers GetEntries, oldest first; `leaf_id` is where the session stands."""

    entries: tuple[Entry, ...]
    leaf_id: str | None = None


class ForkMessage(Wire):
    """A message of the person's and the id of its entry."""

    entry_id: str
    text: str = ""


class ForkMessages(Wire):
    """Answers GetForkMessages, oldest first."""

    messages: tuple[ForkMessage, ...]


class QueueCleared(Wire):
    """Answers ClearQueue: the texts that were given back."""

    steering: tuple[str, ...] = ()
    follow_up: tuple[str, ...] = ()


class ContextUsage(Wire):
    """How full the context is. `tokens` and `percent` are null after a compaction until the next answer."""

    tokens: int | None = None
    context_window: int = 0
    percent: float | None = None


class Tokens(Wire):
    """Sums over a session."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    total: int = 0


class Stats(Wire):
    """Answers GetSessionStats. `cost` in US dollars."""

    tokens: Tokens = Tokens()
    cost: float = 0.0
    context_usage: ContextUsage | None = None


class Models(Wire):
    """Answers GetAvailableModels."""

    models: tuple[Model, ...]


class ThinkingLevels(Wire):
    """Answers GetAvailableThinkingLevels: those of the model in use."""

    levels: tuple[str, ...]


class Compacted(Wire):
    """Answers Compact. Both counts are of tokens, the second one an estimate."""

    summary: str = ""
    tokens_before: int = 0
    estimated_tokens_after: int = 0


Data = State | Entries | ForkMessages | QueueCleared | Stats | Models | Model | ThinkingLevels | Compacted

_DATA: dict[type[Command], msgspec.json.Decoder[Data]] = {
    GetState: msgspec.json.Decoder(State),
    GetEntries: msgspec.json.Decoder(Entries),
    GetForkMessages: msgspec.json.Decoder(ForkMessages),
    ClearQueue: msgspec.json.Decoder(QueueCleared),
    GetSessionStats: msgspec.json.Decoder(Stats),
    GetAvailableModels: msgspec.json.Decoder(Models),
    GetAvailableThinkingLevels: msgspec.json.Decoder(ThinkingLevels),
    SetModel: msgspec.json.Decoder(Model),
    Compact: msgspec.json.Decoder(Compacted),
}


def decode_data(command: Command, data: msgspec.Raw) -> Data | None:
    """The data of a successful response to `command`; None for a command whose response carries none.

    Raises msgspec.DecodeError (or UnicodeDecodeError, RecursionError) if it is not what pi 0.87.1 sends.
    """
    decoder = _DATA.get(type(command))
    return None if decoder is None else decoder.decode(data)
