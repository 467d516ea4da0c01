"""Rows as the store would hand them over, for tests of the rooms: short to write, and the same each time."""

from pathlib import Path
from typing import Any

import msgspec

from actors.messages import (
    Attachment,
    Changes,
    Entry,
    Kept,
    Place,
    Question,
    Queued,
    Room,
    Subagent,
    SubagentState,
    ToolCall,
    Turn,
    Work,
)

HERE = Place("telegram", -100, 7)

ROOM = Room(
    slug="shop",
    place=HERE,
    title="Shop",
    workspace="/work/shop",
    session_id="shop-1",
    leaf="leaf0",
    created_at=1.0,
    updated_at=1.0,
)

PROJECTS = {"till": Path("/src/till"), "door": Path("/src/door")}


def message(id: int, text: str = "", command: str | None = None, **changes: Any) -> Queued:
    """An accepted inbound; its front end's message has the id + 100."""
    queued = Queued(
        id=id,
        person=5,
        name="Ada",
        text=text or f"text {id}",
        at=1.0,
        message_id=100 + id,
        command=command,
        attempts=0,
    )
    return msgspec.structs.replace(queued, **changes)


def command(id: int, name: str, text: str = "") -> Queued:
    """A command that waits for its answer."""
    return message(id, text or f"/{name}", name)


def file(id: int, *, path: str | None = None, picture: bool = False) -> Attachment:
    """A file that came with a message."""
    name = f"{id}.png" if picture else f"{id}.txt"
    mime = "image/png" if picture else "text/plain"
    return Attachment(handle=f"h{id}", name=name, mime=mime, size=3, picture=picture, id=id, path=path)


def attached(id: int, *files: Attachment) -> Queued:
    """A message with files."""
    return message(id, attachments=files)


def late(id: int, name: str) -> Queued:
    """A command that waited while a turn ended."""
    return msgspec.structs.replace(command(id, name), saw_end=True)


def turn(
    id: int,
    attempt: int = 1,
    *joined: Queued,
    stop: bool = False,
    leaf_before: str | None = "leaf0",
    parted: int = 0,
    decided: bool = False,
) -> Turn:
    """The open turn of message `id`, and of what has joined it."""
    return Turn(
        id=f"t{id}",
        attempt=attempt,
        leaf_before=leaf_before,
        stop_requested=stop,
        started_at=1.0,
        inbounds=(message(id), *joined),
        parted=parted,
        decided=decided,
    )


def work(
    *queue: Queued,
    turn: Turn | None = None,
    commands: tuple[Queued, ...] = (),
    leaf: str | None = "leaf0",
    questions: tuple[Question, ...] = (),
    room: Room = ROOM,
    held: tuple[Queued, ...] = (),
    backlog: int = 0,
) -> Work:
    """What a room has to do."""
    home = msgspec.structs.replace(room, leaf=leaf)
    return Work(room=home, turn=turn, queue=queue, commands=commands, questions=questions, held=held, backlog=backlog)


def question(id: int, *options: str, turn: str = "t1", dialog: str = "d") -> Question:
    """An open question."""
    return Question(
        id=id,
        turn=turn,
        dialog=dialog,
        method="select" if options else "input",
        title="Which one?",
        text="",
        options=options,
        asked_at=1.0,
        expires_at=1000.0,
    )


def said(text: str, stop_reason: str = "stop", id: str = "a", calls: tuple[ToolCall, ...] = ()) -> Entry:
    """An entry of the assistant's."""
    return Entry(id=id, role="assistant", text=text, stop_reason=stop_reason, calls=calls)


def called(tool: str = "bash", summary: str = "make", id: str = "c") -> Entry:
    """An entry of the assistant's that calls a tool."""
    return said("", "toolUse", calls=(ToolCall(id=id, tool=tool, summary=summary),))


def result(call: str = "c", text: str = "3 files") -> Entry:
    """What came of a call."""
    return Entry(id="r", role="toolResult", text=text, call=call)


def asked(text: str = "hi", id: str = "u") -> Entry:
    """An entry of the person's."""
    return Entry(id=id, role="user", text=text)


def report(id: int, slug: str = "shop-2", text: str = "", **changes: Any) -> Queued:
    """What a sub-agent reports, in the queue of its room."""
    burst = {"burst": "reports:shop", "mode": "follow_up", "accepted_at": 1.0}
    fields = {"person": 0, "name": f"sub-agent {slug}", "message_id": None, **burst, **changes}
    return message(id, text or f"report of {slug}", **fields)


def subagent(slug: str = "shop-2", state: SubagentState = SubagentState.RUNNING, **changes: Any) -> Subagent:
    """A sub-agent that the room's agent has begun."""
    sub = Subagent(
        slug=slug,
        room="shop",
        parent=None,
        turn="t1",
        by=None,
        depth=1,
        task="count the *lines*",
        isolation="copy",
        model=None,
        timeout=600.0,
        session_id=f"{slug}-1",
        created_at=10.0,
        state=state,
        started_at=40.0,
    )
    return msgspec.structs.replace(sub, **changes)


def made(slug: str = "shop-2", kept: Kept | None = "open", **changes: Any) -> Subagent:
    """One that has ended and changed two files."""
    changed = Changes(files=2, names=("M a", "A b"), added=12, removed=4, patch="/r/patch", repository="/r/r.git")
    return subagent(slug, SubagentState.COMPLETED, ended_at=90.0, changes=changed, kept=kept, **changes)
