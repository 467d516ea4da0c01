"""The agent actor: one room's pi process, owned as a resource, and the protocol spoken with it.

Told by its conversation (prompt, continue, recall, abort), tells it what happens; asks only the store. It decides nothing
about turns. If pi ends, hangs at its start or ignores an abort, this actor crashes, and its supervisor starts the next one.
"""

import logging
from functools import partial
from typing import Any, Final

import trio

from actors.asking import insist
from actors.messages import (
    Abort,
    AgentEvent,
    AgentMessage,
    AgentNoted,
    AgentReady,
    Continue,
    Entry,
    GetRoom,
    Prompt,
    PromptRefused,
    Recall,
    Recalled,
    Reopen,
    Room,
    StoreRequest,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi import commands, outputs, protocol
from actors.pi.errors import AgentEnded, AgentHung, Misconfigured, ProcessGone
from actors.pi.framing import LineFramer
from actors.pi.installation import AgentPlan
from actors.pi.process import Proc, launch
from actors.pi.providers import model_check
from actors.pi.session import Session
from actors.redaction import redact
from supervisor import Actor, Description, Mailbox, Overflow, Ref

START_DEADLINE: Final = 30.0
"""Seconds from launch to a session that answers."""
ABORT_DEADLINE: Final = 10.0
"""Seconds from an abort to the run's end."""
RUN_DEADLINE: Final = 5.0
"""Seconds from an accepted prompt to the run that it starts; one that starts none was a command of an extension."""
STOP_GRACE: Final = 4.0
"""Seconds for pi to end by itself, then by SIGTERM, then by SIGKILL."""
SNAPSHOT_EVERY: Final = 0.05
"""Seconds between two pictures of a growing answer."""

_log = logging.getLogger(__name__)


class Agent(Actor[AgentMessage]):
    """One room's agent. What waits for it is discarded at a restart: the conversation starts over from the store."""

    mailbox = Mailbox(64, Overflow.REJECT, on_restart_keep=False)

    def __init__(self, slug: str, plan: AgentPlan, *, store: Ref[StoreRequest], conversation: Ref[AgentEvent]) -> None:
        self._slug = slug
        self._plan = plan
        self._store = store
        self._conversation = conversation
        self._live: _Live | None = None

    async def started(self) -> None:
        self.context.start_soon(self._own)

    async def receive(self, message: AgentMessage) -> None:
        live = self._live
        if live is None or (not isinstance(message, Reopen) and message.incarnation != self.context.incarnation):
            return  # meant for a process that is gone; its Down has told the conversation
        match message:
            case Prompt(turn=turn, text=text):
                live.soon(live.prompt, turn, text)
            case Continue(turn=turn, note=note):
                live.soon(live.prompt, turn, f"/host-resume {note}")
            case Recall(turn=turn, since=since):
                live.soon(live.recall, turn, since)
            case Abort(turn=turn):
                live.soon(live.abort, turn)
            case Reopen():
                live.close()

    def describe(self) -> Description:
        if self._live is None:
            return Description(doing="starting")
        return Description(doing=self._live.doing, pid=self._live.pid)

    async def _own(self) -> None:
        """Own one process after the other: a new one for each session that the room begins."""
        while True:
            room = await insist(self._store, GetRoom(slug=self._slug))
            async with trio.open_nursery() as nursery:
                for folder in (room.workspace, self._plan.session_dir(room)):
                    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
                proc = await launch(self._plan.spec(room), nursery, grace=STOP_GRACE)
                try:
                    self._live = _Live(proc, nursery, self.context.incarnation, self._conversation)
                    await self._live.serve(room, self._plan)
                finally:
                    self._live = None
                    await proc.stop(STOP_GRACE)
                nursery.cancel_scope.cancel()


class _Live:
    """A process that runs, with its session. Everything here ends with its nursery."""

    def __init__(self, proc: Proc, nursery: trio.Nursery, incarnation: int, conversation: Ref[AgentEvent]) -> None:
        self.pid = proc.pid
        self._proc = proc
        self._nursery = nursery
        self._incarnation = incarnation
        self._conversation = conversation
        self._session = Session()
        self._answers: dict[str, _Answer] = {}
        self._ready = False
        self._turn: str | None = None
        self._leaf: str | None = None
        self._running = trio.Event()
        self._settled = trio.Event()
        self._grown = trio.Event()
        self._closing = trio.CancelScope()

    @property
    def doing(self) -> str:
        """In a few words, for the tree."""
        if not self._ready:
            return "starting pi"
        tools = list(self._session.tools.values())
        if tools:
            return f"running {tools[-1].name}: {tools[-1].summary}"
        if self._session.compacting:
            return "compacting the session"
        return "waiting for the model" if self._session.streaming else "idle"

    def soon(self, function: Any, *args: Any) -> None:
        """Do this beside reading, so that a pi that does not read cannot keep an abort from being heard."""
        self._nursery.start_soon(partial(self._guarded, function, *args))

    def close(self) -> None:
        """End this process in peace: the room begins another session."""
        self._closing.cancel()

    async def serve(self, room: Room, plan: AgentPlan) -> None:
        """Read until the process ends (AgentEnded) or `close` is called (returns)."""
        with self._closing:
            self._nursery.start_soon(self._greet, room, plan)
            self._nursery.start_soon(self._paint)
            framer = LineFramer()
            while (chunk := await self._proc.read()) is not None:
                for line in framer.feed(chunk):
                    for output in self._session.receive(line, now=trio.current_time()):
                        await self._hear(output)
            exited = await self._proc.wait()
            raise AgentEnded(str(exited), redact(self._proc.stderr_tail()))

    # --- what the conversation wants

    async def prompt(self, turn: str, text: str) -> None:
        """Begin a run; says PromptRefused if pi does not take it."""
        self._turn = turn
        self._running, self._settled = trio.Event(), trio.Event()
        answer = await self._call(commands.Prompt(message=text, streaming_behavior="followUp"))
        if not answer.ok:
            await self._tell(PromptRefused(turn=turn, incarnation=self._incarnation, error=redact(answer.error)))
            return
        with trio.move_on_after(RUN_DEADLINE):
            await self._running.wait()
            return
        state = await self._call(commands.GetState())
        if not self._running.is_set() and isinstance(state.data, protocol.State) and not state.data.is_streaming:
            # The text was a command of one of the person's extensions: it is done, and there is no run.
            await self._say_settled(turn, outputs.Settled("stop", "", "", aborted=False))

    async def recall(self, turn: str, since: str | None) -> None:
        """Say what the session holds since an entry; all of it if that entry is not in it."""
        found = await self._entries(since)
        entries = tuple(_entry(entry) for entry in found.entries if entry.message is not None)
        await self._tell(Recalled(turn=turn, incarnation=self._incarnation, entries=entries, leaf=self._leaf))

    async def abort(self, turn: str) -> None:
        """End the run. Raises AgentHung if pi does not."""
        if turn != self._turn or self._settled.is_set():
            return
        with trio.move_on_after(RUN_DEADLINE):
            await self._running.wait()  # an abort that overtakes its run would end nothing
        with trio.move_on_after(ABORT_DEADLINE):
            await self._call(commands.ClearQueue())  # what is queued in pi survives an abort and rides on the next run
            await self._call(commands.Abort())
            await self._settled.wait()
            return
        raise AgentHung("did not end its run", ABORT_DEADLINE)

    # --- what pi says

    async def _hear(self, output: outputs.Output) -> None:
        match output:
            case outputs.Responded(id=command_id):
                waiting = self._answers.pop(command_id, None)
                if waiting is not None:
                    waiting.set(output)
            case outputs.Ignored(kind=kind, detail=detail):
                _log.warning("pi sent a record that was left out (%s): %s", kind, redact(detail))
            case outputs.DialogRequested(id=dialog, title=title):
                await self._decline(dialog, title)
            case _ if self._turn is not None:
                await self._hear_of_turn(self._turn, output)
            case _:
                return

    async def _hear_of_turn(self, turn: str, output: outputs.Output) -> None:
        match output:
            case outputs.RunStarted():
                self._running.set()
            case outputs.TextGrew():
                self._grown.set()
            case outputs.ToolStarted(id=call, name=tool, summary=summary):
                await self._tell(ToolStarted(turn=turn, call=call, tool=tool, summary=redact(summary)))
            case outputs.ToolEnded(id=call, name=tool, is_error=failed):
                await self._tell(ToolEnded(turn=turn, call=call, tool=tool, failed=bool(failed)))
            case outputs.Retrying(attempt=attempt, max_attempts=most, delay=delay, error=error):
                text = f"the model failed ({redact(error)}); trying again in {delay:g} s, {attempt} of {most}"
                await self._tell(AgentNoted(turn=turn, text=text))
            case outputs.CompactionStarted():
                await self._tell(AgentNoted(turn=turn, text="summarising the older part of the session"))
            case outputs.Settled():
                # Its leaf must be asked for, and the answer comes through the reader that calls this.
                self._nursery.start_soon(self._say_settled, turn, output)
            case _:
                return  # nothing that a person would want to know

    async def _say_settled(self, turn: str, settled: outputs.Settled) -> None:
        await self._entries(self._leaf)
        self._settled.set()
        self._turn = None
        stop_reason = "aborted" if settled.aborted else settled.stop_reason or "error"
        error = settled.error or ("" if settled.stop_reason else "pi ended the run without an answer")
        await self._tell(
            TurnSettled(
                turn=turn,
                incarnation=self._incarnation,
                text=settled.text,
                stop_reason=stop_reason,
                error=redact(error),
                leaf=self._leaf,
            )
        )

    async def _decline(self, dialog: str, title: str) -> None:
        line = self._session.answer(commands.DialogCancelled(id=dialog))
        if line is not None:
            self.soon(self._proc.write, line)
        if self._turn is not None:
            await self._tell(AgentNoted(turn=self._turn, text=f"a question of an extension was dismissed: {title}"))

    async def _paint(self) -> None:
        """Send pictures of the growing answer: the first at once, then at a steady pace."""
        while True:
            await self._grown.wait()
            self._grown = trio.Event()
            if self._turn is not None:
                await self._tell(TextGrew(turn=self._turn, text=self._session.text))
            await trio.sleep(SNAPSHOT_EVERY)

    # --- the beginning

    async def _greet(self, room: Room, plan: AgentPlan) -> None:
        """Wait until the session answers, check the model, and tell the conversation."""
        with trio.move_on_after(START_DEADLINE):
            state = await self._call(commands.GetState())
            if not isinstance(state.data, protocol.State) or state.data.session_id != room.session_id:
                raise Misconfigured(
                    f"pi did not open the session {room.session_id}: {state.error or 'it opened another'}"
                )
            models = await self._call(commands.GetAvailableModels())
            if isinstance(models.data, protocol.Models):
                wrong = model_check(models.data.models, plan.provider.id, plan.provider.model)
                if wrong is not None:
                    raise Misconfigured(wrong)
            await self._entries(room.leaf)
            self._ready = True
            await self._tell(AgentReady(incarnation=self._incarnation, session_id=room.session_id, leaf=self._leaf))
            return
        raise AgentHung("did not answer after its start", START_DEADLINE)

    async def _entries(self, since: str | None) -> protocol.Entries:
        """The session's entries after `since`, all if it is not there; notes where the session stands."""
        answer = await self._call(commands.GetEntries(since=since))
        if not answer.ok and since is not None:
            self._leaf = since = None
            answer = await self._call(commands.GetEntries())
        if not isinstance(answer.data, protocol.Entries):
            raise AgentEnded("its session cannot be read", redact(answer.error))
        found = answer.data
        # Before the first answer nothing is on disk, and the ids of what is only in memory do not survive a restart.
        spoken = since is not None or any(
            entry.message is not None and entry.message.role == "assistant" for entry in found.entries
        )
        self._leaf = (found.leaf_id or since) if spoken else None
        return found

    # --- speaking

    async def _call(self, command: commands.Command) -> outputs.Responded:
        """Send a command and wait for its response."""
        command_id, line = self._session.send(command)
        waiting = self._answers[command_id] = _Answer()
        try:
            await self._proc.write(line)
            return await waiting.wait()
        finally:
            self._answers.pop(command_id, None)

    async def _tell(self, event: AgentEvent) -> None:
        await self._conversation.tell(event)

    async def _guarded(self, function: Any, *args: Any) -> None:
        try:
            await function(*args)
        except ProcessGone:
            return  # the reader sees the end and says how it was


class _Answer:
    """A response that somebody waits for."""

    def __init__(self) -> None:
        self._come = trio.Event()
        self._response: outputs.Responded | None = None

    def set(self, response: outputs.Responded) -> None:
        self._response = response
        self._come.set()

    async def wait(self) -> outputs.Responded:
        await self._come.wait()
        assert self._response is not None
        return self._response


def _entry(entry: protocol.Entry) -> Entry:
    body = entry.message
    assert body is not None
    return Entry(
        id=entry.id, role=body.role, text=body.text, stop_reason=body.stop_reason or "", error=body.error_message
    )
