"""One pi process's conversation with us, without I/O: lines in, outputs out; commands in, lines out.

The agent feeds it what it reads and writes what it returns. It correlates responses, knows whether pi is busy and with
what, and holds the run's text. It has no clock (`now` is the caller's monotonic seconds) and does not know trio. What
it cuts to a line has lost its secrets before: half of one would not be recognised later.
"""

from collections.abc import Mapping
from itertools import count

import msgspec

from actors.pi import answers, commands, outputs, protocol
from actors.pi.activity import Activity, Doing
from actors.pi.arguments import LOOKED_AT, SUMMARY, summary
from actors.pi.errors import TooManyPending
from actors.pi.framing import Oversized
from actors.pi.outputs import Output
from actors.pi.transcript import Transcript
from actors.redaction import redact

MAX_PENDING = 64
_MAX_TRACKED = 256  # tools or dialogs at once, and kinds of unknown events told of
_DIALOGS: dict[str, outputs.DialogMethod] = {
    "select": "select",
    "confirm": "confirm",
    "input": "input",
    "editor": "editor",
}
_ANSWERED = frozenset({"stop", "length"})


class Tool(msgspec.Struct, frozen=True):
    """A tool that runs. `since`: the caller's `now` at its start."""

    id: str
    name: str
    summary: str
    since: float


class Counts(msgspec.Struct):
    """How many records could not be used, since the process began."""

    garbage: int = 0
    unknown: int = 0
    oversized: int = 0
    stray: int = 0


class Session:
    """The state of one pi process as its records tell it. A new process gets a new Session.

    `streaming` is True from a run's start until `agent_settled`, and only that ends it.
    """

    def __init__(self, max_pending: int = MAX_PENDING) -> None:
        self.streaming = False
        self.compacting = False
        self.stop_reason: str | None = None
        self.error = ""
        self.usage: answers.Usage | None = None
        self.counts = Counts()
        self._max_pending = max_pending
        self._ids = count(1)
        self._pending: dict[str, commands.Command] = {}
        self._tools: dict[str, Tool] = {}
        self._dialogs: dict[str, set[str]] = {}  # dialog -> the tools that were running when it was asked
        self._told: set[str] = set()
        self._activity = Activity()
        self._abort_sent = False
        self._transcript = Transcript()

    @property
    def text(self) -> str:
        """The current assistant message's text so far, or the last one's; joined when it is read."""
        return self._transcript.text

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The tools that run, by id, in the order of their start."""
        return self._tools

    @property
    def doing(self) -> Doing:
        """What pi does, so far as its records tell; whether it waits for a person is not among that."""
        if self.tools:
            return Doing.TOOL
        if self.compacting:
            return Doing.COMPACTING
        return self._activity.step if self.streaming else Doing.IDLE

    @property
    def moved(self) -> float:
        """When it last got on with it, as `Activity` has it."""
        return self._activity.moved

    @property
    def pending(self) -> int:
        """How many commands are unanswered."""
        return len(self._pending)

    def send(self, command: commands.Command) -> tuple[str, bytes]:
        """The id under which `command` will be answered, and the line to write. Raises TooManyPending."""
        if len(self._pending) >= self._max_pending:
            raise TooManyPending(self._max_pending)
        command_id = f"c{next(self._ids)}"
        self._pending[command_id] = command
        self._abort_sent = self._abort_sent or (self.streaming and isinstance(command, commands.Abort))
        return command_id, commands.encode(command, command_id)

    def answer(self, answer: commands.Answer) -> bytes | None:
        """The line to write, or None if nobody waits for this dialog any more."""
        if self._dialogs.pop(answer.id, None) is None:
            return None
        return commands.encode_answer(answer)

    def forget(self, command_id: str) -> None:
        """Nobody waits for this command's answer any more; should it still come, it is stray."""
        self._pending.pop(command_id, None)

    def receive(self, line: bytes | Oversized, *, now: float) -> list[Output]:
        """What `line` means. Never raises."""
        record = protocol.decode_cut(line) if isinstance(line, Oversized) else protocol.decode(line)
        self._activity.saw(record, now)
        match record:
            case protocol.Response():
                return self._respond(record)
            case protocol.Skipped():
                return []
            case protocol.Unknown(type=kind):
                return self._skip_unknown(kind)
            case protocol.Garbage(head=head, reason=reason):
                self.counts.garbage += 1
                return [outputs.Ignored("garbage", f"{reason}: {_cut(head.decode(errors='replace'))!r}")]
            case protocol.Cut():
                return self._receive_cut(record)
            case _:
                return self._receive_event(record, now)

    def _receive_event(self, event: protocol.Event, now: float) -> list[Output]:
        match event:
            case protocol.MessageUpdate(assistant_message_event=change):
                if change.type == "text_delta":
                    self._transcript.grow(change.content_index, change.delta)
                    return [outputs.TextGrew(change.delta)]
            case protocol.AgentStart():
                return self._begin_run()
            case protocol.AgentSettled():
                return self._settle()
            case protocol.MessageStart(message=message):
                if message.role == "assistant":
                    self._transcript.begin_message()
            case protocol.MessageEnd(message=message):
                return [self._end_message(message)]
            case protocol.ToolExecutionStart(tool_call_id=call, tool_name=name, args=args):
                tool = Tool(call, name, summary(args), now)
                if len(self._tools) >= _MAX_TRACKED:
                    return []  # nobody need remember what no pi does
                self._tools[call] = tool
                return [outputs.ToolStarted(call, name, tool.summary)]
            case protocol.ToolExecutionEnd(tool_call_id=call, tool_name=name, is_error=is_error):
                return self._end_tool(call, name, is_error)
            case protocol.QueueUpdate(steering=steering, follow_up=follow_up):
                return [outputs.QueueChanged(steering, follow_up)]
            case protocol.CompactionStart(reason=reason):
                self.compacting = True
                return [outputs.CompactionStarted(reason)]
            case protocol.CompactionEnd(reason=reason, aborted=aborted, error_message=error):
                self.compacting = False
                return [outputs.CompactionEnded(reason, aborted, error)]
            case protocol.AutoRetryStart(attempt=attempt, max_attempts=most, delay_ms=delay, error_message=error):
                self._transcript.drop_last()
                return [outputs.Retrying(attempt, most, delay / 1000, error)]
            case protocol.ExtensionError(extension_path=path, event=hook, error=error):
                return [outputs.Ignored("extension", _cut(f"{path}: {hook}: {error}"))]
            case protocol.ExtensionUiRequest():
                return self._ask(event)
        return []

    def _begin_run(self) -> list[Output]:
        if self.streaming:
            return []  # a retry or a queued message: the same run goes on
        self.streaming = True
        self._abort_sent = False
        self.stop_reason, self.error, self.usage = None, "", None
        self._transcript = Transcript()
        return [outputs.RunStarted()]

    def _end_message(self, message: answers.MessageBody) -> Output:
        text = message.text
        if message.role == "assistant":
            self.stop_reason, self.error, self.usage = message.stop_reason, message.error_message, message.usage
            self._transcript.end_message(text, is_answer=message.stop_reason in _ANSWERED)
        return outputs.MessageEnded(message.role, text, message.stop_reason, message.error_message, message.usage)

    def _settle(self) -> list[Output]:
        closed: list[Output] = [outputs.DialogClosed(dialog) for dialog in self._dialogs]
        self._dialogs.clear()
        self._tools.clear()
        self.streaming = False
        # Aborted in a tool, 0.87.1 ends the run with an "error" message, so our own order decides with it.
        aborted = self.stop_reason == "aborted" or (self._abort_sent and self.stop_reason not in _ANSWERED)
        return [*closed, outputs.Settled(self.stop_reason, self._transcript.answer, self.error, aborted)]

    def _end_tool(self, call: str, name: str, is_error: bool | None) -> list[Output]:
        self._tools.pop(call, None)
        ended: list[Output] = [outputs.ToolEnded(call, name, is_error)]
        for dialog, askers in list(self._dialogs.items()):
            if call in askers:
                askers.discard(call)
                if not askers:
                    del self._dialogs[dialog]
                    ended.append(outputs.DialogClosed(dialog))
        return ended

    def _ask(self, request: protocol.ExtensionUiRequest) -> list[Output]:
        if request.method == "notify":
            return [outputs.Notified(request.notify_type, request.message)]
        method = _DIALOGS.get(request.method)
        if method is None:
            return []
        if len(self._dialogs) >= _MAX_TRACKED:
            return [outputs.Ignored("extension", _cut(f"more than {_MAX_TRACKED} dialogs are open: {request.title}"))]
        self._dialogs[request.id] = set(self._tools)
        text = request.message or request.placeholder or request.prefill
        timeout = None if request.timeout is None else request.timeout / 1000
        return [outputs.DialogRequested(request.id, method, request.title, text, tuple(request.options), timeout)]

    def _respond(self, response: protocol.Response) -> list[Output]:
        command = self._pending.pop(response.id, None) if response.id is not None else None
        if response.id is None or command is None:
            self.counts.stray += 1
            return [outputs.Ignored("stray", _cut(f"response to {response.id or 'no command'}: {response.error}"))]
        data: answers.Data | None = None
        ok, error = response.success, response.error
        if ok:
            try:
                data = answers.decode_data(command, response.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
                self.counts.garbage += 1
                ok = False
                error = f"pi's answer to {response.command} has another form than expected: {unreadable}"
        return [outputs.Responded(response.id, command, ok, data, error)]

    def _receive_cut(self, cut: protocol.Cut) -> list[Output]:
        """A record of which only the head was kept: enough for whoever waits for it not to wait for ever."""
        self.counts.oversized += 1
        told: Output = outputs.Ignored("oversized", f"{cut.type} of {cut.size} bytes")
        if cut.type == "tool_execution_end" and cut.id:
            tool = self._tools.get(cut.id)
            return [told, *self._end_tool(cut.id, tool.name if tool is not None else "", None)]
        if cut.type == "response" and (command := self._pending.pop(cut.id, None)) is not None:
            return [told, outputs.Responded(cut.id, command, False, None, f"the answer has {cut.size} bytes: too many")]
        return [told]

    def _skip_unknown(self, kind: str) -> list[Output]:
        self.counts.unknown += 1
        if kind in self._told or len(self._told) >= _MAX_TRACKED:
            return []
        self._told.add(kind)
        return [outputs.Ignored("unknown", _cut(kind))]


def _cut(text: str) -> str:
    """A line or two of it, for the log."""
    return redact(text[:LOOKED_AT])[: 2 * SUMMARY]
