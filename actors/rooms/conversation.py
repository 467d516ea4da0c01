"""The conversation actor: a shell around `turns`. It carries out its steps and keeps the picture of the running turn.

Woken by the router and by its agent's events; asks only the store, and has a helper task fetch files; tells its agent,
the router and the outbox. It holds nothing that the store does not: after a crash it pulls its rows and its agent's
session and goes on.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import trio

from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    AgentEvent,
    AgentLost,
    AgentMessage,
    AgentNoted,
    AgentReady,
    Bounds,
    BusyMode,
    Decide,
    DropQuarantined,
    EndProgress,
    Fetch,
    FileOffered,
    JoinTurn,
    Mark,
    NewDelivery,
    OutboxMessage,
    Outcome,
    Place,
    Pull,
    Queued,
    React,
    Recalled,
    Reopen,
    RequestStop,
    Room,
    RoomBusy,
    RoomIdle,
    SendToSleep,
    StoreRequest,
    Tell,
    TextGrew,
    Tick,
    ToolEnded,
    ToolStarted,
    TurnSettled,
    TurnTooLong,
    Wake,
    WakeRoom,
    Work,
)
from actors.owntime import OwnTime
from actors.rooms import commits, delegating, ends, prompts, steps, words
from actors.rooms.deadlines import Deadlines
from actors.rooms.failures import RoomTrouble, has_failed, last_failure
from actors.rooms.fates import ORDERLY, Setting
from actors.rooms.fetching import Fetching, FilesHere
from actors.rooms.hearing import hear
from actors.rooms.knowing import look_up, wants_log
from actors.rooms.line import BURST_QUIET, BurstQuiet
from actors.rooms.neighbours import Neighbours
from actors.rooms.questions import QuestionOver
from actors.rooms.showing import Showing
from actors.rooms.steps import Known, Step
from actors.rooms.subagents import Subagents
from actors.rooms.turns import Turns
from actors.rooms.way import Way
from supervisor import Actor, ActorError, Description, Down, Mailbox, MailboxFull, Message, Overflow, Ref, State, Timer

LAST_WORD: Final = 3.0
"""Seconds that a stop waits for the store to note that its turn was parted."""
NOT_SET_ASIDE: Final = "This is not set aside any more."

Hears = AgentEvent | Wake | Tick | TurnTooLong | BurstQuiet | QuestionOver | FilesHere | Down


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
        router: Ref[RoomIdle | RoomBusy | WakeRoom | SendToSleep | RoomTrouble],
        registrar: Ref[Wake | Decide],
        outbox: Callable[[Place], Ref[OutboxMessage]],
        files: Callable[[Place], Ref[Fetch] | None],
        new_session: Callable[[str], str],
        turn_timeout: float,
        busy: BusyMode,
        capacity: int,
        projects: Mapping[str, Path],
        on_restart: Setting,
        bounds: Bounds,
        subagent_timeout: float,
        failed: bool = False,
    ) -> None:
        """`files`: who fetches what came from a place; None if nobody can. `new_session`: makes an id for a slug.

        `turn_timeout`: seconds of the agent's own time. `busy`: what is done with a message that finds the agent busy,
        unless the room says otherwise. `capacity`: how many may wait. `projects`: path by name. `on_restart`: the fate
        of a turn that a crash cut off. `bounds`, `subagent_timeout` (seconds): of the sub-agents that people begin.
        `failed`: the room gave up, and this is the next try.
        """
        self._slug = slug
        self._store = store
        self._agent = agent
        self._router = router
        self._outbox_of = outbox
        self._files_of = files
        self._new_session = new_session
        self._turn_timeout = turn_timeout
        self._capacity = capacity
        self._turns = Turns(busy, projects, on_restart, failed=failed)
        self._way = Way()
        self._look: Timer | None = None
        self._neighbours = Neighbours(store, router, registrar, lambda room: outbox(room.place), self._say)
        self._subagents = Subagents(
            slug, store=store, registrar=registrar, bounds=bounds, timeout=subagent_timeout, say=self._say
        )
        self._pulled_room: Room | None = None
        self._told_idle = False

    async def started(self) -> None:
        self._fetching = Fetching(self.context, self._store, self._files_of)
        self._showing = Showing(self.context, self._tell_outbox)
        self._own_time = OwnTime(self.context, self._turn_timeout)
        self._deadlines = Deadlines(self.context)
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
            case Tick():
                self._showing.again(self._room)
            case TextGrew() | ToolStarted() | ToolEnded() | AgentNoted() | FileOffered():
                self._showing.take(self._room, message)
                if isinstance(message, TextGrew):
                    self._way.spoke(message.turn, time.time())
                if isinstance(message, FileOffered):
                    self._tell_outbox(Wake())
                await self._obey(self._turns.questions.moved() if isinstance(message, ToolStarted | ToolEnded) else [])
            case AgentLost():
                # This room may be about to give up, and nobody is left then who knows why.
                self._say(self._router, RoomTrouble(slug=self._slug, lost=message))
                await self._obey(hear(self._turns, message))
            case Down():
                self._showing.cut_off()
                if self._turns.questions.asking:  # the answer may have come already, and waits in the store
                    await self._obey(await self._pull())
                await self._obey(self._turns.agent_down(message.incarnation, message.reason))
            case AgentReady() if message.session_id != self._room.session_id:
                # It looked for its session just before the room began another.
                self._tell_agent(Reopen(session_id=self._room.session_id))
            case Recalled() if self._turns.awaits(message):
                # What was told in the cut-off run and is not in its session finds another way before the run goes on.
                unheard = await insist(self._store, commits.reports(self._slug, message))
                await self._obey(self._turns.recalled(message, unheard))
            case _:
                if isinstance(message, TurnSettled):
                    self._way.settled(message.turn, time.time())
                await self._obey(hear(self._turns, message))

    async def stopping(self, reason: str) -> None:
        """An attempt that an orderly stop cuts off does not count against its message."""
        part = self._turns.parting()
        if reason not in ORDERLY or part is None:
            return  # after a crash of its own it does count
        if has_failed(self.context.system, self._agent.path, self._turns.agent):
            return  # its agent crashed just before, which may be why the room stops
        with trio.move_on_after(LAST_WORD):
            await insist(self._store, commits.part(self._slug, part))

    def describe(self) -> Description:
        if self._pulled_room is None:  # people may look before it has started
            return Description(doing="starting")
        turn, waiting = self._turns.turn, self._turns.waiting
        doing = self._doing if turn is None else f"{turn.id}: {self._doing}"
        return Description(doing=f"{doing}, {waiting} waiting" if waiting else doing)

    @property
    def _doing(self) -> str:
        return self._turns.doing(self._showing.doing or "thinking")

    @property
    def _since(self) -> float:
        """When the open turn began, Unix seconds; now if none is open."""
        return time.time() if self._turns.turn is None else self._turns.turn.started_at

    # --- carrying out

    @property
    def _room(self) -> Room:
        assert self._pulled_room is not None, "the first message of a conversation is its own wake"
        return self._pulled_room

    async def _pull(self) -> list[Step]:
        work = await insist(self._store, Pull(slug=self._slug))
        self._pulled_room = work.room
        self._subagents.waiting({command.id for command in work.commands})
        return self._turns.pulled(work, await self._look_up(work))

    async def _look_up(self, work: Work) -> Known:
        """What the commands that wait ask about."""
        new = work.turn is not None and self._turns.turn is None
        room = self._agent.path.rpartition("/")[0]
        failure = last_failure(self.context.system, room) if new or wants_log(work) else ""
        known = Known(time.time(), self._doing, failure=failure, subagents=await self._subagents.look_up(work.commands))
        return await look_up(self._store, work, known)

    async def _obey(self, todo: list[Step], *, woken: bool = False) -> None:
        queue = deque(todo)
        while queue:
            queue.extend(await self._do(queue.popleft()))
        if self._turns.questions.asking or self._turns.delegating:
            self._own_time.pause()
        else:
            self._own_time.go_on()
        self._showing.waits(self._room, waits=bool(self._turns.questions.asking))
        self._deadlines.keep(self._turns.questions.waiting)
        if self._turns.idle:
            self._showing.end()  # what it shows was dropped before it began
        self._tell_router(woken=woken)

    async def _do(self, step: Step) -> list[Step]:
        """Carry out one step; returns those that follow from it."""
        slug = self._slug
        match step:
            case steps.Begin():
                try:
                    turn = await insist(self._store, commits.begin(slug, step))
                except Unfit as error:
                    return await self._overtaken(step.inbounds, error)
                self._showing.begun(self._room)
                return self._turns.began(turn)
            case steps.Part():
                await insist(self._store, commits.part(slug, step))
            case steps.Join(turn_id, inbounds):
                joins = [JoinTurn(slug=slug, turn=turn_id, inbound=inbound) for inbound in inbounds]
                try:
                    *_, joined = [await insist(self._store, join) for join in joins]
                except Unfit as error:
                    return await self._overtaken(inbounds, error)
                return self._turns.joined(joined, inbounds)
            case steps.Interrupt(turn_id):
                await insist(self._store, RequestStop(slug=slug))
                return self._turns.interrupted(turn_id)
            case steps.End():
                return await self._end(step)
            case steps.Answer():
                return await self._answer(step)
            case steps.Open():
                self._turns.questions.opened(await insist(self._store, commits.open_question(slug, step, time.time())))
                self._tell_outbox(Wake())
            case steps.Close():
                await insist(self._store, commits.close_question(slug, step))
                self._tell_outbox(Wake())
            case steps.TellPeople(deliveries):
                await self._tell_people(*deliveries)
            case steps.NoteBusy(waiting, place):
                await self._tell_people(self._busy(waiting, place))
            case steps.Sleep(room, stop, command):
                await self._neighbours.send_to_sleep(room, command, stop=stop)
                return await self._pull()  # it may be this room that is to stop
            case steps.Delegate(command):
                return await self._answer(delegating.begun(command, await self._subagents.spawn(step)))
            case steps.PassOn() | steps.EndSubagent():
                await self._subagents.carry_out(step)
            case steps.RestartAgent():
                self.context.start_soon(self._restart_agent)
            case steps.FetchFiles(attachments):
                self._fetching.begin(self._room, attachments)
            case steps.AwaitBurst(newest):
                self.context.send_after(BURST_QUIET, BurstQuiet(newest=newest))
            case steps.LookAgain(seconds):
                if self._look is not None:
                    self._look.cancel()
                self._look = self.context.send_after(seconds, Wake())
            case steps.ShowTurn(turn_id, note):
                self._showing.begin(self._room, turn_id, self._since, note, begun=self._turns.turn is not None)
            case _:
                await self._instruct(step)
        return []

    async def _instruct(self, step: Step) -> None:
        """A step that is the agent's."""
        if isinstance(step, steps.SendPrompt | steps.SendContinue | steps.SendRecall):
            self._own_time.begin(step.turn)
        if isinstance(step, steps.SendPrompt | steps.SendContinue):
            self._way.prompted(step.turn, time.time())
        if isinstance(step, steps.SendPrompt | steps.SendSteer):
            unseen = prompts.unseen(step.inbounds, self._turns.ready)
            if unseen is not None:
                await self._tell_people(unseen)
        message = prompts.message(step, self._room, self._turns.ready, since=self._since, now=time.time())
        assert message is not None, step
        self._tell_agent(message)

    async def _overtaken(self, inbounds: tuple[int, ...], refused: Unfit) -> list[Step]:
        """A stop was accepted just before these could begin or join, and holds them. Raises if that is not why."""
        work = await insist(self._store, Pull(slug=self._slug))
        if not {row.id for row in work.held}.intersection(inbounds):
            raise refused
        self._turns.overtaken(inbounds)
        return await self._pull()

    async def _end(self, end: steps.End) -> list[Step]:
        await insist(self._store, commits.end(self._slug, end, self._own_time.end(), self._way.end(end.turn)))
        self._fetching.give_up()
        self._showing.end()
        self._tell_outbox(EndProgress(place=self._room.place, turn=end.turn))
        self._mark(end.receipts, ends.MARKS[end.outcome])
        self._tell_outbox(Wake())
        if end.outcome is Outcome.STOPPED:
            self._subagents.changed()  # those that it waited for are to end with it
        return await self._pull()

    def _mark(self, messages: tuple[int, ...], mark: Mark) -> None:
        for message in messages:
            self._tell_outbox(React(place=self._room.place, message_id=message, mark=mark))

    async def _answer(self, answer: steps.Answer) -> list[Step]:
        session = self._new_session(self._slug) if answer.fresh else answer.session
        if answer.set_aside is not None:
            gone = await insist(self._store, DropQuarantined(inbound=answer.set_aside)) is None
            answer = answer._replace(deliveries=(ends.note(NOT_SET_ASIDE),) if gone else ())
        await insist(self._store, commits.answer(self._slug, answer, session))
        dropped = answer.drop is not None or answer.held == "drop"
        self._mark(answer.receipts, Mark.STOPPED if dropped else Mark.DONE)
        self._tell_outbox(Wake())
        if session is not None:
            self._tell_agent(Reopen(session_id=session))
        return await self._pull()

    def _busy(self, waiting: Queued, place: int) -> NewDelivery:
        doing, since, now = self._doing, self._since, time.time()
        return words.busy(waiting, doing=doing, since=since, place=place, capacity=self._capacity, now=now)

    async def _tell_people(self, *deliveries: NewDelivery) -> None:
        await insist(self._store, Tell(slug=self._slug, deliveries=deliveries))
        self._tell_outbox(Wake())

    async def _restart_agent(self) -> None:
        with suppress(ActorError):  # refused if the room is being stopped
            await self.context.system.restart_child(self._agent.path)

    # --- telling others, never waiting for them

    def _tell_agent(self, message: AgentMessage) -> None:
        # An agent that is gone has told us so, or will: its Down decides what becomes of the turn.
        try:
            self._agent.tell_nowait(message)
        except MailboxFull:
            raise
        except ActorError:
            return

    def _tell_outbox(self, message: OutboxMessage) -> None:  # what is lost is in the rows, and it looks by itself too
        self._say(self._outbox_of(self._room.place), message)

    def _say(self, whom: Ref[Any], message: Message) -> None:
        with suppress(ActorError):
            whom.tell_nowait(message)

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
