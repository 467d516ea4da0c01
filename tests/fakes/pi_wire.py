"""What the fake pi writes: records on its stdout, as lines.

Used in its process alone; standard library only.
"""

import json
import os

from tests.fakes.pi_session import USAGE, Record


def emit(record: Record) -> None:
    """One record to stdout; waits while the host does not read, as pi does."""
    emit_raw(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def emit_raw(data: bytes) -> None:
    """Raw bytes to stdout."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def update(kind: str, index: int, **fields: object) -> None:
    """One change of the assistant's message."""
    event = {"type": kind, "contentIndex": index, **fields}
    emit({"type": "message_update", "usage": USAGE, "assistantMessageEvent": event})


def success(command_id: str | None, command: str, data: Record | None = None) -> Record:
    """An answer."""
    record: Record = {} if command_id is None else {"id": command_id}
    record |= {"type": "response", "command": command, "success": True}
    return record if data is None else record | {"data": data}


def failure(command_id: str | None, command: str | None, error: str) -> Record:
    """A refusal."""
    record: Record = {} if command_id is None else {"id": command_id}
    record["type"] = "response"
    return record | ({} if command is None else {"command": command}) | {"success": False, "error": error}
