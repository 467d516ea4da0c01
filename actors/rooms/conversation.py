"""The conversation actor: a shell around `turns`. It carries out commands and keeps the picture of the running turn.

Woken by the router and by its agent's events; asks only the store; tells its agent and the outbox. It holds nothing
that the store does not: after a crash it pulls its rows and its agent's session and goes on.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from actors.asking import insist
from actors.commands import listing
from actors.messages import (
    Abort,
    AgentEvent,
    AgentMessage,
    AgentNoted,
    AgentReady,
    AnswerCommand,
    BeginTurn,
    Continue,
    DeliveryKind,
    EndProgress,
    EndTurn,
    ListRooms,
    NewDelivery,
    OutboxMessage,
    Place,
    Prompt,
    PromptRefused,
    Pull,
    Recall,
    Recalled,
    Reopen,
    Room,
    RoomBusy,
    RoomIdle,
    StoreRequest,
    TextGrew,
    Tick,
    ToolEnded,
    ToolStarted,
    TurnSettled,
    TurnTooLong,
    Wake,
)
from actors.rooms import turns
from actors.rooms.progress import Progress
from actors.rooms.turns import Command, Turns
from supervisor import Actor, ActorError, Description, Down, Mailbox, MailboxFull, Overflow, Ref, State, Timer

SHOW_EVERY: Final = 5.0
"""Seconds after which a picture is repeated: an outbox that hears nothing for 15 s takes the turn for over."""

Hears = AgentEvent | Wake | Tick | TurnTooLong | Down


def _key(message: Hears | Any) -> object | None:
    if isinstance(message, Wake | Tick):
        return type(message)
    return message.turn if isinstance(message, TextGrew) else None


class Conversation(Actor[Hears]):
    """One room's conversation."""

    mailbox = Mailbox(64, Overflow.WAIT, coalesce=_key, on_restart_keep=False)

    def __init__(
        self,
        slug: str,
        *,
        store: Ref[StoreRequest],
        agent: Ref[AgentMessage],
        router: Ref[RoomIdle | RoomBusy],
        outbox: Callable[[Place], Ref[OutboxMessage]],
        new_session: Callable[[str], str],
        turn_timeout: float,
    ) -> None:
        """`new_session`: makes a session id for a room's slug. `turn_timeout`: seconds of the agent's own time."""
        self._slug = slug
        self._store = store
        self._agent = agent
        self._router = router
        self._outbox_of = outbox
        self._new_session = new_session
        self._turn_timeout = turn_timeout
        self._turns = Turns()
        self._pulled_room: Room | None = None
        self._progress: Progress | None = None
        self._shown: str | None = None
        self._told_idle = False
        self._limit_timer: Timer | None = None
        self._show_timer: Timer | None = None

    async def started(self) -> None:
        self.context.monitor(self._agent)
        if self.context.system.snapshot(self._agent.path).state is State.RUNNING:
            # It has greeted another and may be running a turn: an admin has restarted the conversation alone.
            self.context.start_soon(self._restart_agent)
        # The first pull is no part of the start: a store that is away for long must not make the room give up. Urgent,
        # so that it comes before what an agent that is just ending still says to this place.
        self.context.ref.tell_nowait(Wake(), urgent=True)

    async def receive(self, message: Hears) -> None:
        match message:
            case Wake():
                await self._obey(await self._pull(), woken=True)
            case TextGrew() | ToolStarted() | ToolEnded() | AgentNoted():
                if self._progress is not None and self._shown == message.turn:
                    self._progress.take(message)
                    self._show()
            case AgentReady(incarnation=incarnation, session_id=session, leaf=leaf):
                if session == self._room.session_id:
                    await self._obey(self._turns.agent_ready(incarnation, leaf))
                else:  # it looked for its session just before the room began another
                    self._tell_agent(Reopen(session_id=self._room.session_id))
            case Recalled(incarnation=incarnation, turn=turn, entries=entries, leaf=leaf):
                await self._obey(self._turns.recalled(incarnation, turn, entries, leaf))
            case PromptRefused(incarnation=incarnation, turn=turn, error=error):
                await self._obey(self._turns.refused(incarnation, turn, error))
            case TurnSettled(incarnation=incarnation, turn=turn, text=text, stop_reason=why, error=error, leaf=leaf):
                await self._obey(self._turns.settled(incarnation, turn, text, why, error, leaf))
            case Down(incarnation=incarnation, reason=reason):
                if self._progress is not None:
                    self._progress.cut_off()
                await self._obey(self._turns.agent_down(incarnation, reason))
            case TurnTooLong():
                await self._obey(self._turns.too_long(message.turn))
            case Tick():
                if self._progress is not None:
                    self._show()
                    self._show_timer = self.context.send_after(SHOW_EVERY, Tick())

    def describe(self) -> Description:
        turn = self._turns.turn
        if turn is None:
            doing = f"{self._turns.waiting} waiting for the agent" if self._turns.waiting else "idle"
        else:
            doing = f"{turn.id}: {self._turns.phase}"
            if self._progress is not None and self._turns.phase is turns.Phase.RUNNING:
                doing = f"{turn.id}: {self._progress.doing}"
            if self._turns.waiting:
                doing += f", {self._turns.waiting} waiting"
        return Description(doing=doing)

    async def _restart_agent(self) -> None:
        with suppress(ActorError):  # refused if the room is being stopped
            await self.context.system.restart_child(self._agent.path)

    # --- carrying out

    @property
    def _room(self) -> Room:
        assert self._pulled_room is not None, "the first message of a conversation is its own wake"
        return self._pulled_room

    async def _pull(self) -> list[Command]:
        work = await insist(self._store, Pull(slug=self._slug))
        self._pulled_room = work.room
        return self._turns.pulled(work)

    async def _obey(self, commands: list[Command], *, woken: bool = False) -> None:
        todo = deque(commands)
        while todo:
            todo.extend(await self._do(todo.popleft()))
        self._tell_router(woken=woken)

    async def _do(self, command: Command) -> list[Command]:
        """Carry out one command; returns those that follow from it."""
        match command:
            case turns.Begin(turn, attempt, inbounds, leaf):
                begun = await insist(
                    self._store,
                    BeginTurn(slug=self._slug, turn=turn, attempt=attempt, inbounds=inbounds, leaf_before=leaf),
                )
                return self._turns.began(begun)
            case turns.SendPrompt(turn, text):
                self._limit(turn)
                self._tell_agent(Prompt(turn=turn, incarnation=self._incarnation, text=text))
            case turns.SendContinue(turn, note):
                self._limit(turn)
                self._tell_agent(Continue(turn=turn, incarnation=self._incarnation, note=note))
            case turns.SendRecall(turn, since):
                self._limit(turn)
                self._tell_agent(Recall(turn=turn, incarnation=self._incarnation, since=since))
            case turns.SendAbort(turn):
                self._tell_agent(Abort(turn=turn, incarnation=self._incarnation))
            case turns.ShowTurn(turn, note):
                self._begin_showing(turn, note)
            case turns.End():
                return await self._end(command)
            case turns.Answer(queued, deliveries, fresh):
                return await self._answer(queued.id, deliveries, fresh=fresh)
            case turns.ListRooms(queued):
                rooms = await insist(self._store, ListRooms(limit=50))
                text = listing([(room.slug, room.title, room.updated_at) for room in rooms], time.time())
                told = NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=queued.message_id)
                return await self._answer(queued.id, (told,), fresh=False)
        return []

    async def _end(self, end: turns.End) -> list[Command]:
        await insist(
            self._store,
            EndTurn(
                slug=self._slug,
                turn=end.turn,
                outcome=end.outcome,
                answer=end.answer,
                leaf=end.leaf,
                deliveries=end.deliveries,
            ),
        )
        self._unlimit()
        self._stop_showing()
        self._tell_outbox(EndProgress(place=self._room.place, turn=end.turn))
        self._tell_outbox(Wake())
        return await self._pull()

    async def _answer(self, inbound: int, deliveries: tuple[NewDelivery, ...], *, fresh: bool) -> list[Command]:
        session = self._new_session(self._slug) if fresh else None
        await insist(
            self._store,
            AnswerCommand(slug=self._slug, inbound=inbound, deliveries=deliveries, new_session=session),
        )
        self._tell_outbox(Wake())
        if session is not None:
            self._tell_agent(Reopen(session_id=session))
        return await self._pull()

    def _limit(self, turn: str) -> None:
        self._unlimit()
        self._limit_timer = self.context.send_after(self._turn_timeout, TurnTooLong(turn=turn))

    def _unlimit(self) -> None:
        if self._limit_timer is not None:
            self._limit_timer.cancel()
            self._limit_timer = None

    # --- telling others, never waiting for them

    @property
    def _incarnation(self) -> int:
        return self._turns.agent or 0

    def _tell_agent(self, message: AgentMessage) -> None:
        # An agent that is gone has told us so, or will: its Down decides what becomes of the turn.
        try:
            self._agent.tell_nowait(message)
        except MailboxFull:
            raise
        except ActorError:
            return

    def _tell_outbox(self, message: OutboxMessage) -> None:
        # A picture or a wake that is lost costs nothing: the rows are there, and the outbox looks by itself too.
        try:
            self._outbox_of(self._room.place).tell_nowait(message)
        except ActorError:
            return

    def _tell_router(self, *, woken: bool) -> None:
        """Say what has changed. After a wake also what has not: the router takes a room that it woke for busy.

        And its wake may have crossed our word of being idle, which then comes after it and would end a running turn.
        """
        idle = self._turns.idle
        if idle == self._told_idle and not (idle and woken):
            return
        message = RoomIdle(slug=self._slug) if idle else RoomBusy(slug=self._slug)
        with suppress(ActorError):
            self._router.tell_nowait(message)
            self._told_idle = idle

    def _begin_showing(self, turn: str, note: str | None) -> None:
        if self._progress is None or self._shown != turn:
            self._stop_showing()
            open_turn = self._turns.turn
            since = time.time() if open_turn is None else open_turn.started_at
            self._progress, self._shown = Progress(self._room.place, turn, since), turn
            self._show_timer = self.context.send_after(SHOW_EVERY, Tick())
        if note is not None:
            self._progress.note(note)
        self._show()

    def _stop_showing(self) -> None:
        self._progress = self._shown = None
        if self._show_timer is not None:
            self._show_timer.cancel()
            self._show_timer = None

    def _show(self) -> None:
        if self._progress is not None:
            self._tell_outbox(self._progress.picture())
