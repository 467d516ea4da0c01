"""A strict, scripted pi: a real program that speaks the RPC of pi 0.87.1, for tests that need many or a bad one.

Started by `COMMAND` and pi's own arguments; it refuses what pi refuses, sends the same records in the same order, keeps
the same session file, really runs `bash`, asks its host, and is held to all this by the contract tests. Standard
library only, and little of it: a hundred start in a moment. Its script is JSON in the variable FAKE_PI:

`replies`, each as tests.fakes.llm.Reply, with `crash` (a signal, or a negative exit code, -256 for 0) and `noise` (raw
lines) and `huge` (bytes of one long line), `flood` (how many deltas), `steers` (how many must be queued before it
begins), `spin` (never comes back from it) and `mute` (closes its stdout and lives on) beside; `compactable` (even a
short session is summarised); `requests`, a file that gets each model request as [[role, text], …]; `hang` (never
answers), `deaf` (ignores abort), `stubborn` (ignores EOF and SIGTERM), `last` (as `crash`, behind a run's last word),
`refuse` (a line for stderr, then exit code 1). Without `replies` it repeats what it was told.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Generator
from typing import NoReturn

if __name__ == "__main__":  # started by path, from another folder and without site-packages
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.fakes.pi_choices import Choices
from tests.fakes.pi_session import (
    Record,
    SessionFile,
    assistant_message,
    now_ms,
    texts_of,
    user_message,
)
from tests.fakes.pi_tools import run_tools
from tests.fakes.pi_wire import emit, emit_raw, failure, success, update

COMMAND = (sys.executable, "-S", "-E", os.path.abspath(__file__))  # what starts it; pi's own arguments follow

_FLAGS = {"-ne", "-ns", "-np", "-nc", "-na", "-a", "-nbt", "--no-themes", "--offline", "--approve", "--no-approve"}
_SESSION = {"--session-id", "--session-dir"}
_OPTIONS = _SESSION | {"--mode", "--provider", "--model", "--thinking", "--system-prompt", "-e", "--extension"}
_BUSY = "Agent is already processing. Specify streamingBehavior ('steer' or 'followUp') to queue the message."
_COMPACTING = "Cannot submit a prompt while compaction is in progress. Wait for compaction to finish and retry."
_COMMAND = 'Extension command "/host-resume" cannot be queued. Use prompt() or execute the command when not streaming.'


def die(why: str) -> NoReturn:
    """A start that fails."""
    sys.stderr.write(why + "\n")
    raise SystemExit(1)


class FakePi(Choices):
    """One process: its session, its queues, and the run that is on."""

    def __init__(self, script: Record, session: SessionFile, given: dict[str, str]) -> None:
        super().__init__(session, given.get("--model", ""), given.get("--thinking", "off"))
        self.script = script
        self.replies: list[Record] | None = script.get("replies")
        self.run: Generator[float] | None = None  # in slices: each value is how long the next may wait, in seconds
        self.due = 0.0
        self.steering: list[Record] = []
        self.follow_up: list[Record] = []
        self.made: list[Record] = []
        self.aborting = False
        self.compacting = False  # the run is a compaction
        self.dialogs: dict[str, Record | None] = {}  # the open ones, with the answer once it is there

    # --- the program ------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Reads commands and moves the run on, until stdin ends."""
        waiting = b""
        while True:
            timeout = None if self.run is None else max(0.0, self.due - time.monotonic())
            if select.select([0], [], [], timeout)[0]:
                chunk = os.read(0, 65536)
                if not chunk:
                    break
                *lines, waiting = (waiting + chunk).split(b"\n")
                for line in lines:
                    self.handle(line)
            elif self.run is not None:
                self.step(self.run)
        if self.script.get("stubborn"):
            while True:
                time.sleep(60)

    def step(self, run: Generator[float]) -> None:
        """Moves the run on by one slice."""
        try:
            self.due = time.monotonic() + next(run)
        except StopIteration:
            self.run = None

    def handle(self, line: bytes) -> None:
        """One command."""
        try:
            command = json.loads(line)
        except ValueError as error:
            emit(failure(None, "parse", f"Failed to parse command: {error}"))
            return
        if command is None:
            raise SystemExit(1)  # as pi does
        if not isinstance(command, dict):
            emit(failure(None, None, "Unknown command: undefined"))
            return
        kind, command_id = command.get("type"), command.get("id")
        if self.script.get("hang"):
            return
        if kind == "extension_ui_response":
            if command_id in self.dialogs:
                self.dialogs[command_id] = command
                self.due = 0.0
            return
        answer = getattr(self, f"do_{kind}", None)
        if answer is None:
            emit(failure(command_id, kind, f"Unknown command: {kind or 'undefined'}"))
        else:
            answer(command_id, command)

    # --- commands ---------------------------------------------------------------------------------------------------

    def do_prompt(self, command_id: str | None, command: Record) -> None:
        """Starts a run or queues."""
        text, behavior = command["message"], command.get("streamingBehavior")
        message = user_message(text, command.get("images", []))
        if self.compacting:
            emit(failure(command_id, "prompt", _COMPACTING))
        elif text.startswith("/host-resume "):
            note = {"role": "custom", "customType": "host", "content": text.partition(" ")[2], "display": False}
            self.start(note)
            emit(success(command_id, "prompt"))
        elif self.run is None:
            emit(success(command_id, "prompt"))
            self.start(message)
        elif behavior in ("steer", "followUp"):
            (self.steering if behavior == "steer" else self.follow_up).append(message)
            self.queue_update()
            emit(success(command_id, "prompt"))
        else:
            emit(failure(command_id, "prompt", _BUSY))

    def do_steer(self, command_id: str | None, command: Record) -> None:
        """Queues, also when idle."""
        if command["message"].startswith("/host-resume"):
            emit(failure(command_id, "steer", _COMMAND))
            return
        self.steering.append(user_message(command["message"], command.get("images", [])))
        self.queue_update()
        emit(success(command_id, "steer"))

    def do_abort(self, command_id: str | None, _: Record) -> None:
        """Ends the run first, then answers."""
        if self.run is not None and self.script.get("deaf"):
            return
        self.end_run()
        emit(success(command_id, "abort"))

    def end_run(self) -> None:
        """Moves what is on to its end, which comes soon now."""
        self.aborting = self.run is not None
        while self.run is not None:
            self.step(self.run)

    def do_clear_queue(self, command_id: str | None, _: Record) -> None:
        """Gives the queued texts back."""
        given = {"steering": texts_of(self.steering), "followUp": texts_of(self.follow_up)}
        if self.steering or self.follow_up:
            self.steering, self.follow_up = [], []
            self.queue_update()
        emit(success(command_id, "clear_queue", given))

    def do_get_state(self, command_id: str | None, _: Record) -> None:
        """Where it stands."""
        messages = [entry for entry in self.session.entries if entry["type"] in ("message", "custom_message")]
        state = {
            "model": self.model,
            "thinkingLevel": self.thinking,
            "isStreaming": self.run is not None and not self.compacting,
            "isCompacting": self.compacting,
            "sessionFile": self.session.path,
            "sessionId": self.session.id,
            "messageCount": len(messages),
            "pendingMessageCount": len(self.steering) + len(self.follow_up),
        }
        emit(success(command_id, "get_state", state))

    def do_get_entries(self, command_id: str | None, command: Record) -> None:
        """The entries behind `since`."""
        entries, since = self.session.entries, command.get("since")
        if since is not None:
            ids = [entry["id"] for entry in entries]
            if since not in ids:
                emit(failure(command_id, "get_entries", f"Entry not found: {since}"))
                return
            entries = entries[ids.index(since) + 1 :]
        emit(success(command_id, "get_entries", {"entries": entries, "leafId": self.session.leaf}))

    def do_compact(self, command_id: str | None, _: Record) -> None:
        """Takes the next reply for the summary. There is enough to compact if the script says so."""
        self.end_run()
        emit({"type": "compaction_start", "reason": "manual"})
        if self.script.get("compactable"):
            self.run, self.compacting, self.due, self.aborting = self.compaction(command_id), True, 0.0, False
        else:
            self.compacted(command_id, "Nothing to compact (session too small)")

    def compaction(self, command_id: str | None) -> Generator[float]:
        """A summary that is being made."""
        yield 0.0
        reply = self.next_reply()
        yield from self.waits(reply)
        while reply.get("hold") and not self.aborting:
            yield 60.0
        self.compacting = False
        if self.aborting:
            self.compacted(command_id, "Compaction cancelled")
            return
        summary = "".join(reply.get("deltas", ()))
        leaf = self.session.leaf
        self.session.append({"type": "compaction", "summary": summary, "firstKeptEntryId": leaf, "tokensBefore": 15})
        result = {"summary": summary, "firstKeptEntryId": leaf, "tokensBefore": 15, "estimatedTokensAfter": 7}
        self.compacted(command_id, "", result)

    def compacted(self, command_id: str | None, why: str, result: Record | None = None) -> None:
        """The end of a compaction: the event, then the answer."""
        end = {"type": "compaction_end", "reason": "manual", "aborted": self.aborting, "willRetry": False}
        if result is not None:
            emit(end | {"result": result})
            emit(success(command_id, "compact", result))
        else:
            emit(end | ({} if self.aborting else {"errorMessage": f"Compaction failed: {why}"}))
            emit(failure(command_id, "compact", why))

    def queue_update(self) -> None:
        """The whole queue, as an event."""
        emit({"type": "queue_update", "steering": texts_of(self.steering), "followUp": texts_of(self.follow_up)})

    # --- a run ------------------------------------------------------------------------------------------------------

    def start(self, message: Record) -> None:
        """Begins a run; its first records go out at once."""
        emit({"type": "agent_start"})
        self.run, self.due, self.made, self.aborting = self.turns(message), time.monotonic(), [], False

    def turns(self, first: Record) -> Generator[float]:
        """The turns of one run, until nothing is left to do."""
        yield 0.0
        given = [first]
        if not any(entry.get("message", {}).get("role") == "system" for entry in self.session.entries):
            given.insert(0, {"role": "system", "content": "", "sections": {}, "timestamp": now_ms()})
        while True:
            emit({"type": "turn_start"})
            for queue in (self.steering, self.follow_up):
                if not given and queue:
                    given.append(queue.pop(0))
                    self.queue_update()
            for message in given:
                self.complete(message)
            given = []
            if self.aborting:  # while the tool ran
                answer = self.complete(assistant_message([], "error", errorMessage="This operation was aborted"))
            else:
                answer = yield from self.assistant()
            calls = [block for block in answer["content"] if block["type"] == "toolCall"]
            results = [self.complete(result) for result in (yield from run_tools(self, calls))]
            emit({"type": "turn_end", "message": answer, "toolResults": results})
            if answer["stopReason"] in ("error", "aborted"):
                if self.aborting or not (self.steering or self.follow_up):
                    break
                emit({"type": "agent_end", "messages": self.made, "willRetry": False})
                emit({"type": "agent_start"})
                continue
            if not results and not self.steering and not self.follow_up:
                break
        emit({"type": "agent_end", "messages": self.made, "willRetry": False})
        emit({"type": "agent_settled"})
        crash(self.script.get("last", 0))

    def complete(self, message: Record, *, started: bool = False) -> Record:
        """A message that is whole: its events, then its entry; returns it."""
        if not started:
            emit({"type": "message_start", "message": message})
        emit({"type": "message_end", "message": message})
        self.made.append(message)
        if message["role"] == "custom":
            entry = {name: message[name] for name in ("customType", "content", "display")}
            self.session.append({"type": "custom_message"} | entry)
        else:
            self.session.append({"type": "message", "message": message})
        return message

    def waits(self, reply: Record) -> Generator[float]:
        """Until the model begins to answer."""
        begins = time.monotonic() + reply.get("pause", 0.0)
        while (time.monotonic() < begins or len(self.steering) < reply.get("steers", 0)) and not self.aborting:
            yield 0.01

    def assistant(self) -> Generator[float, None, Record]:
        """One model call, streamed."""
        reply = self.next_reply()
        for noise in reply.get("noise", ()):
            emit_raw(noise.encode() + b"\n")
        if reply.get("huge"):
            emit_raw(b'{"type":"tool_execution_update","toolCallId":"big","x":"' + b"x" * reply["huge"] + b'"}\n')
        yield from self.waits(reply)
        if reply.get("status", 200) != 200:
            return self.complete(assistant_message([], "error", errorMessage=f"{reply['status']}: scripted failure"))
        emit({"type": "message_start", "message": assistant_message([], "pending")})
        text = ""
        update("text_start", 0)
        for delta in [*reply.get("deltas", ()), *(["x "] * reply.get("flood", 0))]:
            if not self.aborting:
                text += delta
                update("text_delta", 0, delta=delta)
            if not reply.get("flood"):
                yield 0.0
        crash(reply.get("crash", 0))
        while reply.get("spin"):
            pass
        if reply.get("mute"):
            os.close(1)
            while True:
                time.sleep(60)
        while reply.get("hold") and not self.aborting:
            yield 60.0
        if self.aborting:
            update("text_end", 0, content=text)
            return self.complete(assistant_message([{"type": "text", "text": text}], "aborted"), started=True)
        blocks: list[Record] = [{"type": "text", "text": text}] if text else []
        tools = [tool for tool in (reply.get("tool"), *reply.get("more", ())) if tool]
        for index, tool in enumerate(tools, 1):
            call = {"type": "toolCall", "id": f"call_{now_ms()}_{len(self.made)}_{index}"}
            call |= {"name": tool["name"], "arguments": tool["arguments"]}
            update("toolcall_start", index, id=call["id"], toolName=call["name"])
            update("toolcall_delta", index, delta=json.dumps(call["arguments"]))
            blocks.append(call)
        update("text_end", 0, content=text)
        for index, block in enumerate(blocks[len(blocks) - len(tools) :], 1):
            update("toolcall_end", index, toolCall=block)
        return self.complete(assistant_message(blocks, "toolUse" if tools else "stop"), started=True)

    def next_reply(self) -> Record:
        """Takes the next reply of the script and notes what the model was sent."""
        context = self.session.context()
        if path := self.script.get("requests"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(context) + "\n")
        if self.replies is None:
            return {"deltas": [f"{word} " for word in f"You said: {context[-1][1]}".split()]}
        if not self.replies:
            die("fake pi: one model request more than the script foresees")
        return self.replies.pop(0)


def crash(how: int) -> None:
    """Dies of the signal `how`, or with the exit code `-how`; 0 lives on."""
    if how > 0:
        os.kill(os.getpid(), how)
    elif how < 0:
        os._exit(-how)


def options(argv: list[str]) -> dict[str, str]:
    """The options of the command line; an unknown one ends the process, as pi does."""
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        if word in _OPTIONS:
            found[word] = next(words, "")
        elif word not in _FLAGS:
            die(f"Error: Unknown option: {word}")
    return found


def main() -> None:
    """Starts as pi does, with the script of the environment."""
    script = json.loads(os.environ.get("FAKE_PI", "{}"))
    given = options(sys.argv[1:])
    if script.get("refuse"):
        die(script["refuse"])
    if given.get("--mode") != "rpc" or "--session-id" not in given or "--session-dir" not in given:
        die("Error: fake pi wants --mode rpc, --session-id and --session-dir")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if script.get("stubborn") else lambda *_: os._exit(143))
    FakePi(script, SessionFile(given["--session-dir"], given["--session-id"]), given).serve()


if __name__ == "__main__":
    main()
