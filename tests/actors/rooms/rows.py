"""Rows as the store would hand them over, for tests of the rooms: short to write, and the same each time."""

import msgspec

from actors.messages import Entry, Place, Queued, Room, Turn, Work

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


def message(id: int, text: str = "", command: str | None = None) -> Queued:
    """An accepted inbound; its front end's message has the id + 100."""
    return Queued(
        id=id,
        person=5,
        name="Ada",
        text=text or f"text {id}",
        at=1.0,
        message_id=100 + id,
        command=command,
        attempts=0,
    )


def command(id: int, name: str, text: str = "") -> Queued:
    """A command that waits for its answer."""
    return message(id, text or f"/{name}", name)


def late(id: int, name: str) -> Queued:
    """A command that waited while a turn ended."""
    return msgspec.structs.replace(command(id, name), saw_end=True)


def turn(id: int, attempt: int = 1, *, stop: bool = False, leaf_before: str | None = "leaf0") -> Turn:
    """The open turn of message `id`."""
    return Turn(
        id=f"t{id}",
        attempt=attempt,
        leaf_before=leaf_before,
        stop_requested=stop,
        started_at=1.0,
        inbounds=(message(id),),
    )


def work(
    *queue: Queued, turn: Turn | None = None, commands: tuple[Queued, ...] = (), leaf: str | None = "leaf0"
) -> Work:
    """What a room has to do."""
    return Work(room=msgspec.structs.replace(ROOM, leaf=leaf), turn=turn, queue=queue, commands=commands)


def said(text: str, stop_reason: str = "stop", id: str = "a") -> Entry:
    """An entry of the assistant's."""
    return Entry(id=id, role="assistant", text=text, stop_reason=stop_reason)


def asked(text: str = "hi", id: str = "u") -> Entry:
    """An entry of the person's."""
    return Entry(id=id, role="user", text=text)
