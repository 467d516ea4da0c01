"""What the fake pi keeps: messages and entries in memory, and the JSONL file that pi 0.87.1 would write of them.

Used by `tests.fakes.pi` alone, in its process; standard library only.
"""

import json
import os
import sys
import time
from typing import Any

Record = dict[str, Any]

_COST = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}
USAGE: dict[str, Any] = {"input": 10, "output": 5, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 15, "cost": _COST}


class SessionFile:
    """Entries in memory, and on disk from the first assistant message on."""

    def __init__(self, folder: str, session_id: str) -> None:
        self.id = session_id
        self.entries: list[Record] = []
        self._on_disk = False
        cwd = os.getcwd()
        for name in sorted(os.listdir(folder)):
            if name.endswith(f"_{session_id}.jsonl"):
                with open(os.path.join(folder, name), encoding="utf-8") as lines:
                    header, *entries = [entry for line in lines if (entry := _json_or_none(line))]
                if header.get("cwd") == cwd:
                    self.path, self.header, self.entries = os.path.join(folder, name), header, entries
                    self._on_disk = True
                    return
        sys.stderr.write(f"Warning: No project session found with id '{session_id}'; creating a new session.\n")
        at = iso_now()
        self.path = os.path.join(folder, f"{at.replace(':', '-').replace('.', '-')}_{session_id}.jsonl")
        self.header = {"type": "session", "version": 3, "id": session_id, "timestamp": at, "cwd": cwd}
        self.append({"type": "model_change", "provider": "fake", "modelId": "fake-1"})
        self.append({"type": "thinking_level_change", "thinkingLevel": "off"})

    @property
    def leaf(self) -> str | None:
        """The id of the last entry."""
        return self.entries[-1]["id"] if self.entries else None

    def append(self, entry: Record) -> str:
        """Adds an entry behind the leaf; returns its id."""
        entry_id = os.urandom(4).hex()
        full = {"type": entry["type"], "id": entry_id, "parentId": self.leaf, "timestamp": iso_now()} | entry
        self.entries.append(full)
        if self._on_disk:
            self._write("a", [full])
        elif entry.get("message", {}).get("role") == "assistant":
            self._write("x", [self.header, *self.entries])
            self._on_disk = True
        return entry_id

    def _write(self, mode: str, records: list[Record]) -> None:
        with open(self.path, mode, encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, separators=(",", ":")) + "\n")

    def context(self) -> list[list[str]]:
        """What the model is sent of the session: roles and texts, a picture as its type in brackets."""
        hidden = {entry["targetId"] for entry in self.entries if entry["type"] == "context_edit"}
        lines: list[list[str]] = []
        owed: list[str] = []
        for entry in self.entries:
            message = entry.get("message", {})
            role = message.get("role")
            if role == "toolResult":
                owed.clear()
                lines.append(["tool", text_of(message["content"])])
            elif (
                role == "assistant" and entry["id"] not in hidden and message["stopReason"] not in ("error", "aborted")
            ):
                lines.append(["assistant", text_of(message["content"])])
                owed = [block["id"] for block in message["content"] if block["type"] == "toolCall"]
            elif role == "user" or entry["type"] == "custom_message":
                lines += [["tool", "No result provided"] for _ in owed]
                owed.clear()
                content = message["content"] if role == "user" else entry["content"]
                seen = [f"[{block['mimeType']}]" for block in content if isinstance(block, dict) and "data" in block]
                lines.append(["user", "".join([text_of(content), *seen])])
        return lines


def text_of(content: Any) -> str:
    """The text of a message's content."""
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def _json_or_none(line: str) -> Record | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None  # a torn last line
    return entry if isinstance(entry, dict) else None


def now_ms() -> int:
    """Milliseconds since 1970, as messages carry them."""
    return int(time.time() * 1000)


def iso_now() -> str:
    """The time as entries carry it."""
    seconds, millis = divmod(now_ms(), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03}Z"


def assistant_message(blocks: list[Record], stop_reason: str, **more: object) -> Record:
    """What the model said."""
    made = {"role": "assistant", "content": blocks, "provider": "fake", "model": "fake-1", "usage": USAGE}
    return made | {"stopReason": stop_reason, "timestamp": now_ms()} | more


def user_message(text: str, images: list[Record]) -> Record:
    """What the person said, and showed."""
    return {"role": "user", "content": [{"type": "text", "text": text}, *images], "timestamp": now_ms()}


def texts_of(messages: list[Record]) -> list[str]:
    """The texts of messages."""
    return [text_of(message["content"]) for message in messages]
