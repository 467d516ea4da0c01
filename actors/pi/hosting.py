"""Does what an agent asks of its host by a tool, and answers it: questions to people, files to people.

A part of `live`, which gives it the calls that `host_tools` has read. Whatever cannot be done comes back to the model
as the tool's error, with what it could do instead; nothing that a model asks for can fail its agent.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.asking import insist
from actors.messages import AgentEvent, DeliveryKind, FileOffered, NewDelivery, Room, StoreRequest, Tell
from actors.pi import commands
from actors.pi.dialogs import Dialogs
from actors.pi.disk import off_thread
from actors.pi.host_tools import AskUser, BadCall, HostCall, SendFile, result
from actors.pi.inside import NotOurs
from actors.pi.outgoing import OutgoingFull, take_out
from actors.redaction import redact
from supervisor import Ref

COPY_DEADLINE: Final = 60.0
"""Seconds to copy one file."""
MAX_CAPTION: Final = 1000
"""Characters."""
_PATH_SHOWN: Final = 200


class Hosting:
    """The host's side of one process. `outgoing`: the folder for copies. `reply`: brings an answer to pi."""

    def __init__(
        self,
        room: Room,
        *,
        outgoing: Path,
        store: Ref[StoreRequest],
        dialogs: Dialogs,
        reply: Callable[[commands.Answer], Awaitable[None]],
        tell: Callable[[AgentEvent], Awaitable[None]],
    ) -> None:
        self._room = room
        self._outgoing = outgoing
        self._store = store
        self._dialogs = dialogs
        self._reply = reply
        self._tell = tell
        self._doing: dict[str, trio.CancelScope] = {}

    async def take(self, turn: str, call: HostCall | BadCall, nursery: trio.Nursery) -> None:
        """Begin what this call asks for. Its answer is given later, from a task in `nursery`."""
        if isinstance(call, BadCall):
            nursery.start_soon(self._answer, call.dialog, call.reason, True)
            return
        match call.wanted:
            case AskUser() as question:
                await self._dialogs.ask_user(turn, call.dialog, question)
            case SendFile() as file:
                scope = self._doing[call.dialog] = trio.CancelScope()
                nursery.start_soon(self._send_file, scope, turn, call.dialog, file)

    def drop(self, dialog: str) -> None:
        """pi waits for this one no more."""
        scope = self._doing.get(dialog)
        if scope is not None:
            scope.cancel()

    async def _send_file(self, scope: trio.CancelScope, turn: str, dialog: str, file: SendFile) -> None:
        try:
            with scope:
                text, failed = await self._offer(turn, dialog, file)
                await self._answer(dialog, text, failed)
        finally:
            del self._doing[dialog]

    async def _offer(self, turn: str, dialog: str, file: SendFile) -> tuple[str, bool]:
        """Queue the file for its people. What the model is told, and whether that is an error."""
        shown = file.path[:_PATH_SHOWN]
        try:
            copy, size = await off_thread(
                partial(take_out, self._room.workspace, file.path, self._outgoing),
                place=self._room.workspace,
                seconds=COPY_DEADLINE,
            )
        except NotOurs as error:
            return f"Error: {shown} {error}. Only regular files inside the workspace can be sent.", True
        except OutgoingFull:
            return "Error: too many files wait to be delivered. Tell the person, and try again later.", True
        except OSError as error:
            return f"Error: {shown} could not be copied ({error.strerror or error}).", True
        # A note, because it rings nobody: the turn's answer follows and does. Its key has pi's own id of this request:
        # that of the tool call is the provider's, and some begin to count anew with each answer.
        delivery = NewDelivery(
            kind=DeliveryKind.NOTE,
            text=redact(file.caption)[:MAX_CAPTION],
            file=str(copy),
            key=f"file:{turn}:{dialog}",
        )
        await insist(self._store, Tell(slug=self._room.slug, deliveries=(delivery,)))
        await self._tell(FileOffered(turn=turn, name=copy.name))
        return f"On its way to the chat: {copy.name} ({size} bytes).", False

    async def _answer(self, dialog: str, text: str, failed: bool) -> None:
        await self._reply(commands.DialogValue(id=dialog, value=result(text, error=failed)))
