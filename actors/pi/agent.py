"""The agent actor: one pi process, a room's or a sub-agent's, owned as a resource.

Told by its conversation (prompt, steer, abort and so on), tells it what happens; asks only the store, or whoever knows
a sub-agent's home. It decides nothing about turns. If pi ends, hangs at its start or ignores an abort, this actor
crashes, and its supervisor starts the next one.
"""

import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import trio

from actors.asking import insist
from actors.messages import (
    Abort,
    AgentEvent,
    AgentLost,
    AgentMessage,
    AnswerDialog,
    Compact,
    Continue,
    DeliveryKind,
    GetRoom,
    LookAtChildren,
    NewDelivery,
    Prompt,
    Recall,
    Reopen,
    Room,
    SetModel,
    Steer,
    StoreRequest,
    Tell,
)
from actors.phrases import inert
from actors.pi import session_file, workspaces
from actors.pi.disk import off_thread
from actors.pi.errors import Misconfigured
from actors.pi.hands import MakeHands
from actors.pi.host_tools import OF_ROOMS, HostTool
from actors.pi.installation import AgentPlan
from actors.pi.live import Live
from actors.pi.losses import loss
from actors.pi.process import INPUT_CLOSED, launch
from actors.pi.sandbox import Sandbox
from supervisor import Actor, ActorError, Description, Mailbox, Overflow, Ref

STOP_GRACE: Final = 4.0
"""Seconds for pi to end by itself, then by SIGTERM, then by SIGKILL."""
DISK_PATIENCE: Final = 10.0
"""Seconds for a look at the room's folders."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Agent(Actor[AgentMessage]):
    """One agent. What waits for it is discarded at a restart: the conversation starts over from the store.

    `conversation`: who is told what happens, a room's conversation or a sub-agent. `find`: gives what pi is to be
    started with, however long that takes, and has seen to its workspace; None: it is the room called `slug`, and its
    workspace is seen to here. `tools`: what it may ask of its host. `sandbox`: where it works, if not as rooms do.
    `hands`: makes those that do what is about sub-agents; None: nobody does.
    """

    mailbox = Mailbox(64, Overflow.REJECT, on_restart_keep=False)

    def __init__(
        self,
        slug: str,
        plan: AgentPlan,
        *,
        store: Ref[StoreRequest],
        conversation: Ref[AgentEvent],
        find: Callable[[], Awaitable[Room]] | None = None,
        tools: tuple[type[HostTool], ...] = OF_ROOMS,
        sandbox: Callable[[Room], Sandbox] | None = None,
        hands: MakeHands | None = None,
    ) -> None:
        self._slug = slug
        self._plan = plan
        self._store = store
        self._conversation = conversation
        self._find = find
        self._tools = tools
        self._sandbox = sandbox
        self._hands = hands
        self._session_id: str | None = None
        self._session = trio.CancelScope()
        self._live: Live | None = None
        self._lost = False
        self._ending = ""

    async def started(self) -> None:
        self.context.start_soon(self._own)

    async def receive(self, message: AgentMessage) -> None:
        try:
            self._take(message)
        except Exception as error:
            self._lose(error)
            raise

    def _take(self, message: AgentMessage) -> None:
        if isinstance(message, Reopen):
            # The store knew of it first: this process may have been started for that session already.
            if message.session_id != self._session_id:
                self._session.cancel()
            return
        live = self._live
        if isinstance(message, LookAtChildren):
            if live is not None:
                live.look()
            return
        if live is None or message.incarnation != self.context.incarnation:
            return  # meant for a process that is gone; its Down has told the conversation
        match message:
            case Prompt():
                live.prompt(message)
            case Continue():
                live.go_on(message)
            case Steer():
                live.steer(message)
            case Recall(turn=turn, since=since):
                live.recall(turn, since)
            case Abort(turn=turn):
                live.abort(turn)
            case AnswerDialog(dialog=dialog, value=value):
                live.answer(dialog, value)
            case Compact(instructions=instructions):
                live.compact(instructions)
            case SetModel(model=model, thinking=thinking):
                live.set_model(model, thinking)

    def describe(self) -> Description:
        if self._live is None:
            return Description(doing=self._ending or "starting")
        return Description(doing=self._live.doing, pid=self._live.pid)

    async def _own(self) -> None:
        """Own one process after the other: a new one for each session that the room begins."""
        try:
            while True:
                self._session_id = None
                with trio.CancelScope() as self._session:
                    room = await self._find_room()
                    self._session_id = room.session_id
                    await self._serve(room)
        except Exception as error:
            self._lose(error)
            raise

    async def _find_room(self) -> Room:
        if self._find is not None:
            return await self._find()
        return await insist(self._store, GetRoom(slug=self._slug))

    async def _serve(self, room: Room) -> None:
        sandbox = None if self._sandbox is None else self._sandbox(room)
        await self._prepare(room, sandbox)
        async with trio.open_nursery() as nursery:
            mark = secrets.token_urlsafe(32)
            spec = self._plan.spec(room, mark, tools=self._tools, sandbox=sandbox)
            proc = await launch(spec, nursery, grace=STOP_GRACE, cages=self._plan.cages)
            self._ending, live = "", None
            try:
                live = self._live = Live(
                    proc,
                    room=room,
                    provider=self._plan.provider,
                    tools=self._tools,
                    incarnation=self.context.incarnation,
                    mark=mark,
                    sessions=self._plan.session_dir(room),
                    outgoing=self._plan.outgoing_dir,
                    patience=self._plan.patience,
                    hands=self._hands,
                    store=self._store,
                    conversation=self._conversation,
                )
                await live.serve()
            except Exception as error:
                self._lose(error, proc.stderr_tail())  # now: to end a pi that hangs takes its time
                raise
            finally:
                self._live = None
                await proc.stop(STOP_GRACE, partial(self._show_step, live))

    async def _prepare(self, room: Room, sandbox: Sandbox | None) -> None:
        """See that pi finds the folders and the session that it is to work with. Raises Misconfigured."""
        session_dir, made_anew = self._plan.session_dir(room), False
        temporary = self._plan.tmp_dir if sandbox is None else Path(sandbox.temporary)
        if self._find is not None:
            await _on_disk(partial(os.stat, room.workspace), room, room.workspace)
        elif await _on_disk(partial(workspaces.see_to, room), room, room.workspace):
            made_anew = room.leaf is not None
        enclosed = sandbox is not None and sandbox.bwrap is not None
        for folder in (session_dir, temporary / "home" if enclosed else temporary):
            await _on_disk(partial(os.makedirs, folder, exist_ok=True), room, folder)
        examine = partial(session_file.examine, session_dir, room.session_id, room.workspace)
        await _on_disk(partial(examine, expected=room.leaf is not None), room, session_dir)
        if made_anew:
            text = f"The folder {inert(room.workspace)} was gone, with all in it. This room works in a new one."
            note = NewDelivery(kind=DeliveryKind.NOTE, text=text)
            await insist(self._store, Tell(slug=room.slug, deliveries=(note,)))

    def _show_step(self, live: Live | None, step: str) -> None:
        """pi is being ended, in steps of which one is done now. A quick end that is wanted is nobody's news."""
        self._ending = f"ending pi: {step}"
        if self._lost or step != INPUT_CLOSED:
            _log.warning("ending pi of %s: %s", self._slug, step)
            if live is not None:
                live.note(f"ending pi: {step}")

    def _lose(self, error: Exception, stderr: str = "") -> None:
        """Tell the conversation, once, why this incarnation crashes. It waits for nothing and raises nothing."""
        if self._lost:
            return
        self._lost = True
        what, last_lines, session = loss(error, stderr)
        lost = AgentLost(incarnation=self.context.incarnation, what=what, stderr=last_lines, session=session)
        with suppress(ActorError):  # the notice of our end comes all the same
            self._conversation.tell_nowait(lost, urgent=True)  # that notice would overtake what waits


async def _on_disk(work: Callable[[], T], room: Room, folder: Path | str) -> T:
    """What `work` does in that folder, off the trio thread. Raises Misconfigured."""
    try:
        return await off_thread(work, place=room.slug, seconds=DISK_PATIENCE)
    except OSError as error:
        raise Misconfigured(
            f"the folder {folder} cannot be used ({error.strerror or error}): the service must be able to write there"
        ) from error
