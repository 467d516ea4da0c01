"""Does what an agent asks of its host by a tool, and answers it: for its people, of its room's past, by sub-agents.

A part of `live`, which gives it the calls that `host_tools` has read. Whatever cannot be done comes back to the model
as the tool's error, with what it could do instead; nothing that a model asks for can fail its agent. pi runs the calls
of one message side by side and gives the model their results when the last has ended: so each is done in a task of
its own, and one may wait for as long as it likes.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import trio

from actors.asking import insist
from actors.errors import Unavailable, Unfit
from actors.messages import (
    AgentEvent,
    AgentNoted,
    AgentWaits,
    DeliveryKind,
    FileOffered,
    NewDelivery,
    Room,
    SearchHistory,
    StoreRequest,
    Tell,
)
from actors.phrases import short
from actors.pi import commands, past
from actors.pi.dialogs import Dialogs
from actors.pi.disk import off_thread
from actors.pi.hands import Answered, Hands, MakeHands
from actors.pi.host_tools import AskUser, BadCall, Delegation, HostCall, ReportProgress, SearchPast, SendFile, result
from actors.pi.inside import NotOurs
from actors.pi.outgoing import OutgoingFull, take_out
from actors.redaction import redact
from supervisor import ActorError, Ref

COPY_DEADLINE: Final = 60.0
"""Seconds to copy one file."""
MAX_CAPTION: Final = 1000
MAX_PROGRESS: Final = 300
MAX_WORDS: Final = 1000
MAX_ANSWER: Final = 200_000
"""Characters: of a caption, of a word of progress, of what is searched for, of what a model is told."""
MOST_CALLS: Final = 64
"""Calls that are being done at once."""
_PATH_SHOWN: Final = 200

_log = logging.getLogger(__name__)


class _Waits(NamedTuple):
    """Whether a turn waits for sub-agents."""

    turn: str
    on: bool


class Hosting:
    """The host's side of one process.

    `outgoing`: the folder for copies. `reply`: brings an answer to pi. `hands`: makes those that do what is about
    sub-agents; None: nobody does.
    """

    def __init__(
        self,
        room: Room,
        incarnation: int,
        *,
        outgoing: Path,
        store: Ref[StoreRequest],
        dialogs: Dialogs,
        hands: MakeHands | None,
        reply: Callable[[commands.Answer], Awaitable[None]],
        tell: Callable[[AgentEvent], Awaitable[None]],
    ) -> None:
        self._room = room
        self._incarnation = incarnation
        self._outgoing = outgoing
        self._store = store
        self._dialogs = dialogs
        self._reply = reply
        self._tell = tell
        self._doing: dict[str, trio.CancelScope] = {}
        self._delegated: set[str] = set()  # dialogs of the calls that the hands have
        self._waits = self._waits_told = _Waits("", on=False)
        self._telling = trio.Lock()
        self._hands: Hands | None = None if hands is None else hands(self._wait)

    @property
    def waits(self) -> bool:
        """Whether a call waits for a sub-agent."""
        return self._hands is not None and bool(self._delegated) and self._hands.waits

    def look(self) -> None:
        """A sub-agent that a call waits for may have ended."""
        if self._hands is not None:
            self._hands.look()

    async def take(self, turn: str, call: HostCall | BadCall, nursery: trio.Nursery) -> None:
        """Begin what this call asks for. Its answer is given later, from a task in `nursery`."""
        if isinstance(call, BadCall):
            nursery.start_soon(self._answer, call.dialog, Answered(call.reason, failed=True))
            return
        match call.wanted:
            case AskUser() as question:
                await self._dialogs.ask_user(turn, call.dialog, question)
            case ReportProgress() as progress:
                await self._tell(AgentNoted(turn=turn, text=_progress(progress)))
                nursery.start_soon(self._answer, call.dialog, Answered("It is shown. Go on."))
            case _ if len(self._doing) >= MOST_CALLS:
                why = f"Error: {MOST_CALLS} calls are being done already. Wait until some have ended, then call again."
                nursery.start_soon(self._answer, call.dialog, Answered(why, failed=True))
            case SendFile() as file:
                self._begin(call, partial(self._offer, turn, call.dialog, file), nursery)
            case SearchPast() as search:
                self._begin(call, partial(self._search, search), nursery)
            case _ as wanted:
                self._begin(call, partial(self._delegate, turn, call, wanted), nursery)

    def drop(self, dialog: str) -> None:
        """pi waits for this one no more."""
        scope = self._doing.get(dialog)
        if scope is not None:
            scope.cancel()

    # --- one call

    def _begin(self, call: HostCall, work: Callable[[], Awaitable[Answered]], nursery: trio.Nursery) -> None:
        scope = self._doing[call.dialog] = trio.CancelScope()
        nursery.start_soon(self._do, scope, call.dialog, work)

    async def _do(self, scope: trio.CancelScope, dialog: str, work: Callable[[], Awaitable[Answered]]) -> None:
        try:
            with scope:
                await self._answer(dialog, await _refused(work))
        finally:
            del self._doing[dialog]
            self._delegated.discard(dialog)
        # Whoever was dropped while it waited could not say that nobody waits any more.
        await self._wait(self._waits.turn, self._waits.on and self.waits)

    async def _answer(self, dialog: str, answered: Answered) -> None:
        text = redact(answered.text)
        if len(text) > MAX_ANSWER:
            text = f"{text[:MAX_ANSWER]}\n[{len(text) - MAX_ANSWER} characters more are left out]"
        await self._reply(commands.DialogValue(id=dialog, value=result(text, error=answered.failed)))

    # --- sub-agents

    async def _delegate(self, turn: str, call: HostCall, wanted: Delegation) -> Answered:
        if self._hands is None:
            return Answered("Error: there are no sub-agents here. Do the work yourself.", failed=True)
        self._delegated.add(call.dialog)
        return await self._hands.do(turn, call.call, call.dialog, wanted)

    async def _wait(self, turn: str, waits: bool) -> None:
        """Tell the conversation that this turn begins to wait or goes on, unless that is what it was told last.

        Cancelled before it was told, the next one tells what holds then.
        """
        self._waits = _Waits(turn, waits)
        async with self._telling:
            now, told = self._waits, self._waits_told
            if now != told and (now.on or told.on):
                await self._tell(AgentWaits(turn=now.turn, incarnation=self._incarnation, waits=now.on))
                self._waits_told = now

    # --- the room's past

    async def _search(self, search: SearchPast) -> Answered:
        words = search.query[:MAX_WORDS]
        found = await insist(self._store, SearchHistory(room=self._room.slug, words=words, limit=search.limit))
        return Answered(past.told(words, found))

    # --- files

    async def _offer(self, turn: str, dialog: str, file: SendFile) -> Answered:
        """Queue the file for its people."""
        shown = file.path[:_PATH_SHOWN]
        try:
            copy, size = await off_thread(
                partial(take_out, self._room.workspace, file.path, self._outgoing),
                place=self._room.workspace,
                seconds=COPY_DEADLINE,
            )
        except NotOurs as error:
            why = f"Error: {shown} {error}. Only regular files inside the workspace can be sent."
            return Answered(why, failed=True)
        except OutgoingFull:
            why = "Error: too many files wait to be delivered. Tell the person, and try again later."
            return Answered(why, failed=True)
        except OSError as error:
            return Answered(f"Error: {shown} could not be copied ({error.strerror or error}).", failed=True)
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
        return Answered(f"On its way to the chat: {copy.name} ({size} bytes).")


async def _refused(work: Callable[[], Awaitable[Answered]]) -> Answered:
    """What `work` comes to; a refusal of the store's, or of whoever else was asked, is an answer too."""
    try:
        return await work()
    except* (Unfit, Unavailable, ActorError) as refusals:
        error: Exception = refusals
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    _log.warning("what an agent asked for was not done: %s", error)
    later = "" if isinstance(error, Unfit) else " Try again later."
    return Answered(f"Error: this was not done: {short(redact(str(error)), 500)}.{later}", failed=True)


def _progress(progress: ReportProgress) -> str:
    """A word of progress as people see it: `progress 3/7: tests are green`."""
    match progress.done, progress.total:
        case int() as done, int() as total:
            head = f"progress {done}/{total}"
        case int() as done, None:
            head = f"progress, {done} done"
        case _:
            head = "progress"
    return f"{head}: {short(redact(progress.text), MAX_PROGRESS)}"
