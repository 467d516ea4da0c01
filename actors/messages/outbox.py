"""What a front end's sinks are told and asked: pictures of running turns, receipts, files to be fetched."""

from enum import StrEnum
from typing import Any

import msgspec

from actors.messages.records import Attachment, Place
from actors.messages.rooms import Wake
from supervisor import Message, Request

__all__ = [
    "EndProgress",
    "Fetch",
    "Fetched",
    "Mark",
    "OutboxMessage",
    "React",
    "ShowProgress",
    "outbox_key",
    "stop_data",
]


class ShowProgress(Message):
    """What a running turn looks like now: cumulative, repeated at least every 5 s; after 15 s without it, it is over.

    `text`: the answer so far. `tools`: one short line per tool, oldest first, as many as the room wants to see.
    `since`: when the turn began. A person may stop it by the button that carries `stop_data(turn)`; while it has not
    `begun`, because its agent is just starting, there is nothing that the button could stop. `waits`: for a person, so
    nobody is typing.
    """

    place: Place
    turn: str
    text: str
    tools: tuple[str, ...]
    since: float
    begun: bool = True
    waits: bool = False


class EndProgress(Message):
    """The turn runs no more: typing ends at once; the preview goes when the final has arrived."""

    place: Place
    turn: str


class Mark(StrEnum):
    """What a reaction to a person's message says."""

    SEEN = "seen"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class React(Message):
    """A receipt: the person's message bears this mark from now on. A courtesy, lost without harm."""

    place: Place
    message_id: int
    mark: Mark


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The file lies at `path`, relative to the workspace, or it does not, and `error` says why in one sentence."""

    path: str | None
    error: str = ""


class Fetch(Request[Fetched]):
    """Save this attachment under `uploads/` of the workspace (absolute), under a free name. May take a minute."""

    attachment: Attachment
    workspace: str


OutboxMessage = Wake | ShowProgress | EndProgress | React


def stop_data(turn: str) -> str:
    """What the button that stops this turn carries."""
    return f"stop:{turn}"


def outbox_key(message: OutboxMessage | Any) -> object | None:
    """The coalescing key of an outbox's mailbox: one wake, one picture per turn; an end is never dropped."""
    match message:
        case Wake():
            return "wake"
        case ShowProgress():
            return message.turn
        case React():
            return message.place, message.message_id
        case _:
            return None
