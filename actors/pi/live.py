"""A pi that runs with its session open: what its conversation wants of it, in order, and who hears what pi says.

Made by `agent` for each process; speaks with pi through `link` and tells the conversation. A prompt's fate is `run`'s,
questions are `dialogs`', tools of ours `hosting`'s. It decides nothing about turns, and neither starts nor stops the
process: it raises, and its owner does.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Never

import trio

from actors.messages import (
    AgentEvent,
    AgentNoted,
    AgentReady,
    Compacted,
    Continue,
    ModelSet,
    Prompt,
    Recalled,
    Room,
    Steer,
    StoreRequest,
    TextGrew,
)
from actors.phrases import lasting
from actors.pi import answers, commands, outputs
from actors.pi.activity import Doing
from actors.pi.dialogs import Dialogs
from actors.pi.errors import AgentHung, SessionUnfit, TooManyPending
from actors.pi.hands import MakeHands
from actors.pi.history import History, messages_of
from actors.pi.host_tools import HostTool, read_call
from actors.pi.hosting import Hosting
from actors.pi.link import Link
from actors.pi.models import Models
from actors.pi.process import Proc
from actors.pi.providers import Provider
from actors.pi.run import Around, Run, plain
from actors.pi.stalls import Patience
from actors.pi.watch import Watch
from actors.redaction import redact
from supervisor import ActorError, Ref

START_DEADLINE: Final = 30.0
"""Seconds from launch to a session that answers."""
RECALL_DEADLINE: Final = 30.0
"""Seconds for the session's entries: nobody else ends an agent that hangs before its turn goes on."""
COMPACT_DEADLINE: Final = 900.0
"""Seconds for a summary: pi tries a model that fails or hangs several times."""
MODEL_DEADLINE: Final = 30.0
"""Seconds to change the model: what is wanted after that waits for it."""
SNAPSHOT_EVERY: Final = 0.05
"""Seconds between two pictures of a growing answer."""
MOST_WAITING: Final = 64
"""Wishes of the conversation that wait for those before them."""

_log = logging.getLogger(__name__)


class Live:
    """One process, from its greeting to its end.

    `room`, `provider` and `tools`: what it was started with. `mark`: how our tools' calls are known. `sessions`: the
    folder of its sessions. `outgoing`: the folder for files on their way to people. `patience`: how long it may bring
    forth nothing. `hands`: makes those that do what is about sub-agents, if anybody does.
    """

    def __init__(
        self,
        proc: Proc,
        *,
        room: Room,
        provider: Provider,
        tools: tuple[type[HostTool], ...],
        incarnation: int,
        mark: str,
        sessions: Path,
        outgoing: Path,
        patience: Patience,
        hands: MakeHands | None,
        store: Ref[StoreRequest],
        conversation: Ref[AgentEvent],
    ) -> None:
        self.pid = proc.pid
        self._room = room
        self._incarnation = incarnation
        self._mark = mark
        self._tools = tools
        self._conversation = conversation
        self._link = Link(proc)
        self._history = History(self._link, sessions)
        self._models = Models(self._link, provider)
        self._dialogs = Dialogs(incarnation, reply=self._link.answer, tell=self._tell)
        self._hosting = Hosting(
            room,
            incarnation,
            outgoing=outgoing,
            store=store,
            dialogs=self._dialogs,
            hands=hands,
            reply=self._link.answer,
            tell=self._tell,
        )
        self._watch = Watch(self._link, patience, run=lambda: self._running, waits=self._waits, note=self.note)
        self._ready = False
        self._wrong = ""  # what the room wants and cannot have, until it is told
        self._run: Run | None = None
        self._grown = trio.Event()
        self._wishes, self._next_wish = trio.open_memory_channel[Callable[[], Awaitable[None]]](MOST_WAITING)
        self._steers, self._next_steer = trio.open_memory_channel[tuple[Run, Steer]](MOST_WAITING)

    @property
    def doing(self) -> str:
        """In a few words, for the tree."""
        session = self._link.session
        if not self._ready:
            return "starting pi"
        silence = self._watch.silence
        since = f", silent for {lasting(silence)}" if silence else ""
        if session.tools:
            *_, tool = session.tools.values()
            return f"running {tool.name}: {tool.summary}{since}"
        return f"{self._watch.doing.value}{since}"

    async def serve(self) -> Never:
        """Greet, then listen until the end. Raises AgentEnded, AgentHung, Misconfigured, perhaps in a group."""
        async with trio.open_nursery() as self._nursery:
            for task in (self._greet, self._paint, self._fulfil, self._steer, self._watch.look_on):
                self._nursery.start_soon(task)
            await self._link.listen(self._hear)

    # --- what the conversation wants: noted at once and in order, done beside listening

    def prompt(self, wanted: Prompt) -> None:
        """Begin a run with a person's text."""
        run = self._new_run(wanted.turn, wanted.since)
        self._wish(partial(self._begin, run, partial(run.begin, plain(wanted.text), wanted.images)))

    def go_on(self, wanted: Continue) -> None:
        """Begin a run with a word of the service's; no person's message is made up."""
        run = self._new_run(wanted.turn, wanted.since)
        self._wish(partial(self._begin, run, partial(run.begin, f"/host-resume {wanted.note}", made_up=True)))

    def steer(self, wanted: Steer) -> None:
        """Add to the turn's run. What comes when its end has been told, or for another one, was never heard."""
        run = self._run
        if run is None or run.turn != wanted.turn or run.told or not run.expect(wanted.inbound):
            return
        try:
            self._steers.send_nowait((run, wanted))
        except trio.WouldBlock:
            return  # it is given back at the run's end

    def recall(self, turn: str, since: str | None) -> None:
        """Say what the session holds since an entry; nothing if that entry is not in it."""
        self._nursery.start_soon(self._recall, turn, since)

    def abort(self, turn: str) -> None:
        """End the turn's run, unless its end has been told. If pi does not, `serve` raises AgentHung."""
        if self._run is not None and self._run.turn == turn:
            self._run.abort()

    def answer(self, dialog: str, value: str | bool | None) -> None:
        """Bring a person's answer to whoever waits for it, if somebody does."""
        self._nursery.start_soon(self._dialogs.answer, dialog, value)

    def look(self) -> None:
        """A sub-agent that it waits for may have ended."""
        self._hosting.look()

    def compact(self, instructions: str) -> None:
        """Summarise the older part of the session, unless a run is on; what is wanted meanwhile waits."""
        self._wish(partial(self._compact, instructions))

    def set_model(self, model: str | None, thinking: str | None) -> None:
        """Change what the next answer is made with."""
        self._wish(partial(self._set_model, model, thinking))

    def _new_run(self, turn: str, since: float) -> Run:
        around = Around(self._link, self._history, self._room.workspace, self._incarnation, self._nursery, self._tell)
        self._run = Run(turn, since, around)
        return self._run

    def _wish(self, wish: Callable[[], Awaitable[None]]) -> None:
        try:
            self._wishes.send_nowait(wish)
        except trio.WouldBlock:
            raise TooManyPending(MOST_WAITING) from None

    # --- and how it is done

    async def _fulfil(self) -> None:
        async for wish in self._next_wish:
            await wish()

    async def _steer(self) -> None:
        async for run, steer in self._next_steer:
            await run.hand(steer)

    async def _begin(self, run: Run, begin: Callable[[], Awaitable[None]]) -> None:
        if self._wrong:
            await self._tell(AgentNoted(turn=run.turn, text=self._wrong))
            self._wrong = ""
        await begin()

    async def _recall(self, turn: str, since: str | None) -> None:
        with self._link.patience(RECALL_DEADLINE) as scope:
            found = messages_of(await self._history.read(since))
        if scope.cancelled_caught:
            raise AgentHung("did not say what its session holds", RECALL_DEADLINE)
        recalled = Recalled(turn=turn, incarnation=self._incarnation, entries=found, leaf=self._history.leaf)
        await self._tell(recalled)

    async def _compact(self, instructions: str) -> None:
        if self._run is not None and self._run.at_work:  # pi would abort it
            await self._say_compacted("the agent is at work; a session is summarised when its agent is idle")
            return
        with self._link.patience(COMPACT_DEADLINE) as scope:
            answer = await self._link.call(commands.Compact(custom_instructions=instructions))
            await self._history.look()
        if scope.cancelled_caught:
            raise AgentHung("did not summarise its session", COMPACT_DEADLINE)
        done = answer.data if isinstance(answer.data, answers.Compacted) else answers.Compacted()
        await self._say_compacted(redact(answer.error), done)
        self._history.see_saved()

    async def _say_compacted(self, error: str, done: answers.Compacted | None = None) -> None:
        before, after = (done.tokens_before, done.estimated_tokens_after) if done else (0, 0)
        leaf = self._history.leaf
        told = Compacted(incarnation=self._incarnation, error=error, before=before, after=after, leaf=leaf)
        await self._tell(told)

    async def _set_model(self, model: str | None, thinking: str | None) -> None:
        with self._link.patience(MODEL_DEADLINE) as scope:
            error = await self._models.choose(model, thinking)
        if scope.cancelled_caught:
            raise AgentHung("did not change its model", MODEL_DEADLINE)
        used = self._models
        await self._tell(
            ModelSet(incarnation=self._incarnation, model=used.current, thinking=used.thinking, error=error)
        )

    # --- what pi says

    @property
    def _running(self) -> Run | None:
        return self._run if self._run is not None and self._run.on else None

    def _waits(self) -> Doing | None:
        if self._dialogs.waits:
            return Doing.PERSON
        return Doing.SUBAGENT if self._hosting.waits else None

    async def _hear(self, output: outputs.Output) -> None:
        run = self._running
        match output:
            case outputs.DialogClosed(id=dialog):
                self._hosting.drop(dialog)
                await self._dialogs.close(dialog)
            case outputs.DialogRequested(id=dialog) if run is None:  # there is nobody to be asked
                self._nursery.start_soon(self._link.answer, commands.DialogCancelled(id=dialog))
            case outputs.DialogRequested() if run is not None:
                call = read_call(output, self._mark, self._link.session.tools, self._tools)
                if call is None:
                    await self._dialogs.ask(run.turn, output)
                else:
                    await self._hosting.take(run.turn, call, self._nursery)
            case outputs.TextGrew() if run is not None:
                run.grown = True
                self._grown.set()
            case _ if run is not None:
                await run.hear(output)
            case _:
                return  # nobody asked for this run

    async def _paint(self) -> None:
        """Send pictures of the growing answer: the first at once, then at a steady pace."""
        while True:
            await self._grown.wait()
            self._grown = trio.Event()
            run = self._run
            if run is not None and run.grown and not run.told:
                run.grown = False
                await self._tell(TextGrew(turn=run.turn, text=redact(self._link.session.text)))
            await trio.sleep(SNAPSHOT_EVERY)

    # --- the start

    async def _greet(self) -> None:
        """Wait until the session answers, give it the room's model, and tell the conversation."""
        with self._link.patience(START_DEADLINE) as scope:
            await self._check()
            await self._history.read(self._room.leaf)
            await self._history.count()
        if scope.cancelled_caught:
            raise AgentHung("did not answer after its start", START_DEADLINE)
        self._ready = True
        await self._tell(
            AgentReady(
                incarnation=self._incarnation,
                session_id=self._room.session_id,
                leaf=self._history.leaf,
                model=self._models.current,
                thinking=self._models.thinking,
                models=self._models.offered,
                usage=self._history.usage,
            )
        )

    async def _check(self) -> None:
        state = await self._link.call(commands.GetState())
        session_id = self._room.session_id
        if not isinstance(state.data, answers.State) or state.data.session_id != session_id:
            why = redact(state.error) or "it opened another"
            raise SessionUnfit(f"pi did not open the session {session_id}: {why}; /new begins a fresh one")
        self._models.note(state.data)
        await self._models.read()
        wanted = self._room.settings
        if wanted.model is not None or wanted.thinking is not None:
            self._wrong = await self._models.choose(wanted.model, wanted.thinking)
        if self._wrong:
            used = self._models.current.id if self._models.current else "none"
            self._wrong = f"{self._wrong}. This room uses {used} until it is given another with /model or /think"
            _log.warning("room %s: %s", self._room.slug, self._wrong)

    def note(self, text: str) -> None:
        """Show this in the turn that is on, if it can be told at once."""
        if self._run is not None and not self._run.told:
            with suppress(ActorError):
                self._conversation.tell_nowait(AgentNoted(turn=self._run.turn, text=text))

    async def _tell(self, event: AgentEvent) -> None:
        await self._conversation.tell(event)
