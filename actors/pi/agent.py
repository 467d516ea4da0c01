"""The agent actor: one room's pi process, owned as a resource.

Told by its conversation (prompt, steer, abort and so on), tells it what happens; asks only the store. It decides
nothing about turns. If pi ends, hangs at its start or ignores an abort, this actor crashes, and its supervisor starts
the next one.
"""

import secrets
from pathlib import Path
from typing import Final

import trio

from actors.asking import insist
from actors.messages import (
    Abort,
    AgentEvent,
    AgentMessage,
    AnswerDialog,
    Compact,
    Continue,
    GetRoom,
    Prompt,
    Recall,
    Reopen,
    Room,
    SetModel,
    Steer,
    StoreRequest,
)
from actors.pi.errors import Misconfigured
from actors.pi.installation import AgentPlan
from actors.pi.live import Live
from actors.pi.process import launch
from supervisor import Actor, Description, Mailbox, Overflow, Ref

STOP_GRACE: Final = 4.0
"""Seconds for pi to end by itself, then by SIGTERM, then by SIGKILL."""


class Agent(Actor[AgentMessage]):
    """One room's agent. What waits for it is discarded at a restart: the conversation starts over from the store."""

    mailbox = Mailbox(64, Overflow.REJECT, on_restart_keep=False)

    def __init__(self, slug: str, plan: AgentPlan, *, store: Ref[StoreRequest], conversation: Ref[AgentEvent]) -> None:
        self._slug = slug
        self._plan = plan
        self._store = store
        self._conversation = conversation
        self._session_id: str | None = None
        self._session = trio.CancelScope()
        self._live: Live | None = None

    async def started(self) -> None:
        self.context.start_soon(self._own)

    async def receive(self, message: AgentMessage) -> None:
        if isinstance(message, Reopen):
            # The store knew of it first: this process may have been started for that session already.
            if message.session_id != self._session_id:
                self._session.cancel()
            return
        live = self._live
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
            return Description(doing="starting")
        return Description(doing=self._live.doing, pid=self._live.pid)

    async def _own(self) -> None:
        """Own one process after the other: a new one for each session that the room begins."""
        while True:
            self._session_id = None
            with trio.CancelScope() as self._session:
                room = await insist(self._store, GetRoom(slug=self._slug))
                self._session_id = room.session_id
                await self._serve(room)

    async def _serve(self, room: Room) -> None:
        session_dir = self._plan.session_dir(room)
        await _make(Path(room.workspace), "mend that, or set workspace under [rooms] to another place")
        for folder in (session_dir, self._plan.tmp_dir):
            await _make(folder, "the service must be able to write in its state folder")
        async with trio.open_nursery() as nursery:
            mark = secrets.token_urlsafe(32)
            proc = await launch(self._plan.spec(room, mark), nursery, grace=STOP_GRACE, cages=self._plan.cages)
            try:
                self._live = Live(
                    proc,
                    room=room,
                    provider=self._plan.provider,
                    incarnation=self.context.incarnation,
                    mark=mark,
                    outgoing=self._plan.outgoing_dir,
                    store=self._store,
                    conversation=self._conversation,
                )
                await self._live.serve()
            finally:
                self._live = None
                await proc.stop(STOP_GRACE)


async def _make(folder: Path, mend: str) -> None:
    """Make a folder unless it is there. Raises Misconfigured."""
    try:
        await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"the folder {folder} cannot be made ({error.strerror}); {mend}") from error
