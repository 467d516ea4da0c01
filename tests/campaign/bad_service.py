"""Starts the real service for the isolation campaign: `python -m tests.campaign.bad_service`, arguments as `dispatchd`.

CAMPAIGN_NODE names a program that is run in Node's place; it takes a scripted pi for some rooms. CAMPAIGN_BUGS is a
folder: a part that finds a file of its name there takes it away and raises, once. And a conversation raises whenever it
reads or hears a certain word. The bugs are put in here, from outside; the service has no place for them.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import msgspec

from actors import service
from actors.messages import TextGrew, TurnSettled
from actors.pi.installation import Installation, locate
from actors.rooms.conversation import Conversation
from actors.rooms.router import Router
from actors.rooms.turns import Turns
from actors.store.store import Store
from actors.telegram.gateway import Gateway
from actors.telegram.outbox import Outbox
from supervisor.control.server import ControlServer

READ: Final = "word-that-no-conversation-can-read"
"""In a person's message: whoever pulls it from the store raises."""
HEARD: Final = "word-that-no-conversation-can-hear"
"""In what the agent says."""
PARTS: Final = ("store", "outbox", "gateway", "router", "control")
"""The parts that can be made to crash, by the names of their files."""


class Bug(Exception):
    """What a handler with a bug raises: nobody has foreseen it."""


def put_in(owner: type, method: str, bug: Callable[..., bool], *, afterwards: bool = False) -> None:
    """Have a method raise Bug when `bug`, which gets its arguments, says so: before it does anything, or when done."""
    real = getattr(owner, method)

    @wraps(real)
    async def buggy(*args: Any) -> Any:
        if not afterwards and bug(*args):
            raise Bug(f"a bug in {owner.__name__}.{method}")
        result = await real(*args)
        if afterwards and bug(*args):
            raise Bug(f"a bug in {owner.__name__}.{method}, when all was done")
        return result

    setattr(owner, method, buggy)


def once(file: Path) -> Callable[..., bool]:
    """Whether the file is there; it is not there the next time."""

    def found(*_: object) -> bool:
        try:
            file.unlink()
        except FileNotFoundError:
            return False
        return True

    return found


def hears(_: object, message: object) -> bool:
    """Whether an agent's event holds the word."""
    return isinstance(message, TextGrew | TurnSettled) and HEARD in message.text


def reads(_: object, work: Any, *_more: object) -> bool:
    """Whether a message that waits holds the word."""
    return any(READ in row.text for row in work.queue)


def put_in_all(bugs: Path) -> None:
    """Every bug that there is. `bugs`: the folder."""
    put_in(Store, "receive", once(bugs / "store"))
    put_in(Outbox, "receive", once(bugs / "outbox"))
    put_in(Router, "receive", once(bugs / "router"))
    # When an update is in the store and the offset has not moved: what comes again must be known.
    put_in(Gateway, "_take", once(bugs / "gateway"), afterwards=True)
    put_in(ControlServer, "_serve", once(bugs / "control"))
    put_in(Conversation, "receive", hears)
    pulled = Turns.pulled

    def buggy(turns: Turns, work: Any, *more: Any) -> Any:
        if reads(turns, work):
            raise Bug("a bug in Turns.pulled")
        return pulled(turns, work, *more)

    setattr(Turns, "pulled", buggy)  # noqa: B010 - an assignment would be a mistake anywhere else, and mypy says so


def installation() -> Installation:
    """What is installed, with the campaign's program in the place of Node."""
    return msgspec.structs.replace(locate(), node=Path(os.environ["CAMPAIGN_NODE"]))


if __name__ == "__main__":
    vars(service)["locate"] = installation
    put_in_all(Path(os.environ["CAMPAIGN_BUGS"]))
    sys.exit(service.main())
