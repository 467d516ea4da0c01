"""The worker of one sub-agent: a shell around `life`. It carries out its steps and tells people how far it is.

Told by its agent and by the registrar's wakes; asks only the store, and has helper tasks make its workspace, end its
agent and gather what it changed; tells its agent, the registrar and the outbox. But for the log it holds nothing that
the store does not: after a crash it pulls its row and its agent's session and goes on. Once it has reported it does
nothing more, and the registrar takes it out of the tree.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from actors import resume
from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    Abort,
    AgentEvent,
    AgentMessage,
    AgentNoted,
    AgentWaits,
    AnswerDialog,
    BeginRun,
    Continue,
    FindHome,
    GetRoom,
    GetSubagent,
    ListSubagents,
    OutboxMessage,
    PartRun,
    Place,
    Prompt,
    QuestionAsked,
    ReadLog,
    Recall,
    Recalled,
    ReturnReports,
    Room,
    StopSubagents,
    StoreRequest,
    Subagent,
    SubagentState,
    Tell,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnTooLong,
    WaitForChildren,
    Wake,
)
from actors.subagents import ends, steps, words
from actors.subagents.ground import Ground
from actors.subagents.hearing import AgentEnded, hear
from actors.subagents.homes import Home, HomeGrows, HomeMade, WorkKept
from actors.subagents.journal import Journal
from actors.subagents.life import ORDERLY, Life
from actors.subagents.showing import Showing
from actors.subagents.steps import Phase, Step
from actors.subagents.worktime import WorkTime
from supervisor import (
    Actor,
    ActorError,
    Description,
    Down,
    Mailbox,
    MailboxFull,
    Message,
    Overflow,
    Promise,
    Ref,
    Reply,
    State,
)

LOOK_EVERY: Final = 5.0
"""Seconds after which it looks at its row by itself: a wake may be lost."""
MOST_ENDED: Final = 1000
"""Its children that have ended, of which it looks at the newest."""
LAST_WORD: Final = 3.0
"""Seconds that a stop waits for the store to note that its run was parted."""
_NEEDS_CHILDREN: Final = (Phase.SETTLING, Phase.CHILDREN)
_DOING: Final = {
    Phase.READY: "starting its agent",
    Phase.BEGINNING: "starting its agent",
    Phase.RECALLING: "looking how far it was",
    Phase.SETTLING: "thinking",
    Phase.CHILDREN: "ending its sub-agents",
    Phase.CLOSING: "ending its agent",
    Phase.COLLECTING: "keeping what it changed",
    Phase.ENDING: "keeping what it changed",
}


Hears = (
    AgentEvent
    | Wake
    | TurnTooLong
    | FindHome
    | ReadLog
    | HomeGrows
    | HomeMade
    | AgentEnded
    | WorkKept
    | Down
)  # fmt: skip


def _key(message: Hears | Any) -> object | None:
    if isinstance(message, Wake | HomeGrows):
        return type(message)
    return message.turn if isinstance(message, TextGrew) else None


class Worker(Actor[Hears]):
    """One sub-agent."""

    mailbox = Mailbox(64, Overflow.WAIT, coalesce=_key, on_restart_keep=False)

    def __init__(
        self,
        slug: str,
        *,
        store: Ref[StoreRequest],
        agent: Ref[AgentMessage],
        registrar: Ref[Wake],
        outbox: Callable[[Place], Ref[OutboxMessage]],
        ground: Ground,
    ) -> None:
        """`registrar`: is told whenever the row has changed. `ground`: its workspace."""
        self._slug = slug
        self._store = store
        self._agent = agent
        self._registrar = registrar
        self._outbox_of = outbox
        self._ground = ground
        self._life = Life()
        self._journal = Journal()
        self._room: Room | None = None
        self._showing = Showing()
        self._progress = ""  # how far its workspace is

    async def started(self) -> None:
        self._home = Home(self.context, self._ground)
        self._time = WorkTime(self.context)
        self.context.monitor(self._agent)
        if self.context.system.snapshot(self._agent.path).state in (State.RUNNING, State.STOPPED):
            # It has greeted another, or was ended for good by another that did not live to say why.
            self.context.start_soon(self._restart_agent)
        self.context.every(LOOK_EVERY, Wake())
        # The first look is no part of the start: a store that is away for long must not make it give up.
        self.context.ref.tell_nowait(Wake(), urgent=True)

    async def receive(self, message: Hears) -> Reply | Promise[Any] | None:
        match message:
            case FindHome():
                if self._lives is not None:
                    return message.reply(self._home.as_room(*self._lives))
                promise = self.later(message)
                self._home.ask(promise)
                return promise
            case ReadLog():
                return message.reply(self._journal.lines)
            case QuestionAsked(incarnation=incarnation, dialog=dialog):  # nobody is there to answer
                self._tell_agent(AnswerDialog(incarnation=incarnation, dialog=dialog, value=None))
            case TextGrew() | ToolStarted() | ToolEnded() | AgentNoted():
                if message.turn == self._turn:
                    self._journal.take(time.time(), message)
                    await self._show()
            case AgentWaits(turn=turn, incarnation=incarnation, waits=waits):
                if (turn, incarnation) == (self._turn, self._life.agent):
                    self._time.wait(waits=waits)
                    await self._obey(await self._look())
            case HomeGrows(text=text):
                self._progress = text
                await self._show()
            case Wake():
                await self._obey(await self._look())
            case Recalled() if self._life.awaits(message):
                # What was told in the run that was cut off and is not in its session is not heard yet.
                await self._obey(self._life.recalled(message, await insist(self._store, self._returned(message))))
            case _:
                self._journal.hear(time.time(), message)
                await self._obey(hear(self._life, message))
        return None

    async def stopping(self, reason: str) -> None:
        """An attempt that an orderly stop cuts off does not count."""
        attempt = self._life.attempt
        if reason in ORDERLY and attempt is not None:
            with trio.move_on_after(LAST_WORD):
                await insist(self._store, PartRun(slug=self._slug, run=attempt[0], attempt=attempt[1]))

    def describe(self) -> Description:
        sub = self._life.sub
        if sub is None:  # people may look before it has started
            return Description(doing="starting")
        below = "" if sub.parent is None else f" below {sub.parent}"
        state = words.state(sub, self._doing, time.time()) if self._life.phase is not Phase.ENDED else "ended"
        return Description(doing=f"depth {sub.depth}{below}: {state}")

    @property
    def _turn(self) -> str:
        return "" if self._life.sub is None else self._life.sub.turn_id

    @property
    def _doing(self) -> str:
        phase = self._life.phase
        if phase in (Phase.LOOKING, Phase.PREPARING):
            return self._progress
        return self._journal.doing if phase in (Phase.RUNNING, Phase.STOPPING) else _DOING.get(phase, "")

    @property
    def _known(self) -> tuple[Subagent, Room]:
        """Its row and its room, of which there are no steps before both are known."""
        assert self._life.sub is not None
        assert self._room is not None
        return self._life.sub, self._room

    @property
    def _lives(self) -> tuple[Subagent, Room] | None:
        """The same while it has a workspace and something to do there."""
        return self._known if self._life.has_home else None

    # --- carrying out

    async def _rows(self) -> tuple[Subagent | None, tuple[Subagent, ...]]:
        """Its row and, where they matter, its children's."""
        sub = await insist(self._store, GetSubagent(slug=self._slug))
        if self._room is None and sub is not None:
            self._room = await insist(self._store, GetRoom(slug=sub.room))
            self._journal = Journal(sub.log)
            if sub.run:
                self._journal.note(time.time(), "goes on after it was cut off")
        children: tuple[Subagent, ...] = ()
        if self._life.phase in _NEEDS_CHILDREN:
            children = await insist(self._store, ListSubagents(parent=self._slug, ended=MOST_ENDED))
        return sub, children

    def _returned(self, event: Recalled) -> ReturnReports:
        room, heard = self._known[1].slug, resume.results(event.entries)
        return ReturnReports(room=room, parent=self._slug, turn=event.turn, heard=heard)

    async def _look(self) -> list[Step]:
        return self._life.pulled(*await self._rows())

    async def _obey(self, todo: Sequence[Step]) -> None:
        queue = deque(todo)
        while queue:
            try:
                queue.extend(await self._do(queue.popleft()))
            except Unfit:
                sub, children = await self._rows()
                if sub is not None and not sub.ended:
                    raise
                queue = deque(self._life.pulled(sub, children))  # somebody else has ended it
        if self._life.pausing:
            self._time.end()
        if self._lives is not None:
            self._home.tell(*self._lives)
        await self._show()

    async def _do(self, step: Step) -> list[Step]:
        """Carry out one step; returns those that follow from it."""
        match step:
            case steps.Pull():
                return await self._look()
            case steps.Prepare(begun):
                self._home.prepare(self._known[0], begun=begun)
            case steps.Begin(run, attempt, prompt, leaf, reports):
                begin = BeginRun(
                    slug=self._slug, run=run, attempt=attempt, prompt=prompt, leaf=leaf, reports=reports
                )  # fmt: skip
                sub = await insist(self._store, begin)
                self._journal.note(time.time(), f"run {run} begins" if attempt == 1 else f"run {run}, try {attempt}")
                self._wake_registrar()
                return self._life.began(sub)
            case steps.CommitWait():
                await insist(self._store, WaitForChildren(slug=self._slug))
                self._wake_registrar()
                return self._life.waited(*await self._rows())
            case steps.TimeOut():
                await insist(self._store, StopSubagents(slug=self._slug, outcome=SubagentState.TIMED_OUT))
                self._wake_registrar()
                return await self._look()
            case steps.StopChildren():
                if await insist(self._store, StopSubagents(parent=self._slug)):
                    self._wake_registrar()
                return self._life.children_stopped(*await self._rows())
            case steps.EndAgent():
                self.context.start_soon(self._end_agent)
            case steps.Collect():
                self._home.gather(self._known[0])
            case steps.End():
                await self._end(step)
            case _:
                self._instruct(step)
        return []

    def _instruct(self, step: Step) -> None:
        """A step that is the agent's."""
        assert self._life.agent is not None
        incarnation, now = self._life.agent, time.time()
        match step:
            case steps.SendPrompt(turn, text):
                self._time.begin(turn, self._known[0].timeout)
                self._tell_agent(Prompt(turn=turn, incarnation=incarnation, text=text, since=now))
            case steps.SendContinue(turn, note):
                self._time.begin(turn, self._known[0].timeout)
                self._tell_agent(Continue(turn=turn, incarnation=incarnation, note=note, since=now))
            case steps.SendRecall(turn, since):
                self._time.begin(turn, self._known[0].timeout)
                self._tell_agent(Recall(turn=turn, incarnation=incarnation, since=since))
            case steps.SendAbort(turn):
                self._tell_agent(Abort(turn=turn, incarnation=incarnation))
            case _:
                raise TypeError(f"nobody carries out {type(step).__name__}")

    async def _end(self, step: steps.End) -> None:
        """Report. The row as it is now says what the report is about."""
        sub, _ = self._known
        self._journal.over()
        self._journal.note(time.time(), step.outcome)
        report = ends.end(
            sub,
            step.outcome,
            time.time(),
            text=step.text,
            error=step.error,
            changes=step.changes,
            cost=step.cost,
            log=self._journal.lines,
        )
        await insist(self._store, report)
        self._life.ended()
        self._wake_registrar()
        self._tell_outbox()

    # --- helpers

    async def _end_agent(self) -> None:
        """End the agent for good; a workspace that is just being made is no more before that."""
        await self._home.abandon()
        with suppress(ActorError):  # refused if the sub-agent itself is being ended
            await self.context.system.terminate_child(self._agent.path)
        await self.context.ref.tell(AgentEnded())

    async def _restart_agent(self) -> None:
        with suppress(ActorError):  # refused if the sub-agent is being ended
            await self.context.system.restart_child(self._agent.path)

    # --- telling others, never waiting for them

    async def _show(self) -> None:
        """Its line, if that is to be told anew."""
        sub, room = self._life.sub, self._room
        if sub is None or room is None or self._life.phase is Phase.ENDED:
            return
        group = room.place.chat < 0
        if self._showing.due(sub, self._doing, trio.current_time(), group=group):
            await insist(self._store, Tell(slug=room.slug, deliveries=(words.line(sub, self._doing, time.time()),)))
            self._tell_outbox()

    def _tell_agent(self, message: AgentMessage) -> None:
        # An agent that is gone has told us so, or will: its Down decides what becomes of the run.
        try:
            self._agent.tell_nowait(message)
        except MailboxFull:
            raise
        except ActorError:
            return

    def _wake_registrar(self) -> None:  # what is lost is in the row, and it looks by itself too
        self._say(self._registrar, Wake())

    def _tell_outbox(self) -> None:
        if self._room is not None:
            self._say(self._outbox_of(self._room.place), Wake())

    def _say(self, whom: Ref[Any], message: Message) -> None:
        with suppress(ActorError):
            whom.tell_nowait(message)
