"""A pi that runs with its session open: what its conversation wants of it, and what becomes of that.

Made by `agent` for each process; speaks with pi through `link` and tells the conversation. It decides nothing about
turns, and neither starts nor stops the process: it raises, and its owner does.
"""

from typing import Final, Never

import trio

from actors.messages import (
    AgentEvent,
    AgentNoted,
    AgentReady,
    Entry,
    PromptRefused,
    Recalled,
    Room,
    TextGrew,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi import commands, outputs, protocol
from actors.pi.errors import AgentHung, Misconfigured, PiError
from actors.pi.link import Link
from actors.pi.process import Proc
from actors.pi.providers import Provider, model_check
from actors.redaction import redact
from supervisor import Ref

START_DEADLINE: Final = 30.0
"""Seconds from launch to a session that answers."""
RECALL_DEADLINE: Final = 30.0
"""Seconds for the session's entries: nobody else ends an agent that hangs before its turn goes on."""
ABORT_DEADLINE: Final = 10.0
"""Seconds from an abort to the run's end."""
ABORT_AGAIN: Final = 0.5
"""Seconds until an abort is repeated: pi takes one that overtakes its run for one of nothing."""
SNAPSHOT_EVERY: Final = 0.05
"""Seconds between two pictures of a growing answer."""

_ANSWERED: Final = ("stop", "length")


class Live:
    """One process, from its greeting to its end. `room` and `provider`: what it was started with."""

    def __init__(
        self, proc: Proc, *, room: Room, provider: Provider, incarnation: int, conversation: Ref[AgentEvent]
    ) -> None:
        self.pid = proc.pid
        self._link = Link(proc)
        self._room = room
        self._provider = provider
        self._incarnation = incarnation
        self._conversation = conversation
        self._ready = False
        self._leaf: str | None = None
        self._run: _Run | None = None
        self._grown = trio.Event()

    @property
    def doing(self) -> str:
        """In a few words, for the tree."""
        session = self._link.session
        if not self._ready:
            return "starting pi"
        if session.tools:
            *_, tool = session.tools.values()
            return f"running {tool.name}: {tool.summary}"
        if session.compacting:
            return "compacting the session"
        return "waiting for the model" if session.streaming else "idle"

    async def serve(self) -> Never:
        """Greet, then listen until the end. Raises AgentEnded, AgentHung, Misconfigured, perhaps in a group."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._greet)
            self._nursery.start_soon(self._paint)
            await self._link.listen(self._hear)

    # --- what the conversation wants: noted at once and in order, done beside listening

    def prompt(self, turn: str, text: str) -> None:
        """Begin a run with a person's text, which may be a command of one of their extensions but none of ours."""
        # pi takes for a command only what begins with a slash; to the model the blank is nothing.
        self._begin(turn, f" {text}" if text.startswith("/host-") else text)

    def go_on(self, turn: str, note: str) -> None:
        """Begin a run with a word of the service's; no person's message is made up."""
        self._begin(turn, f"/host-resume {note}")

    def recall(self, turn: str, since: str | None) -> None:
        """Say what the session holds since an entry; nothing if that entry is not in it."""
        self._nursery.start_soon(self._recall, turn, since)

    def abort(self, turn: str) -> None:
        """End the turn's run, unless its end has been told. If pi does not, `serve` raises AgentHung."""
        run = self._run
        if run is not None and run.turn == turn:
            run.abort_asked = True
            self._nursery.start_soon(self._abort, run)

    def _begin(self, turn: str, message: str) -> None:
        run = self._run = _Run(turn, began=self._link.session.streaming)
        self._nursery.start_soon(self._prompt, run, message)

    # --- and how it is done

    async def _prompt(self, run: "_Run", message: str) -> None:
        answer = await self._link.call(commands.Prompt(message=message, streaming_behavior="followUp"))
        if not answer.ok:
            self._run = None
            run.over.set()
            error = redact(answer.error)
            await self._tell(PromptRefused(turn=run.turn, incarnation=self._incarnation, error=error))
            return
        # pi is busy from the moment in which it accepts, unless the text was a command that an extension carried out.
        state = await self._link.call(commands.GetState())
        if not run.began and isinstance(state.data, protocol.State) and not state.data.is_streaming:
            await self._say_settled(run, outputs.Settled("stop", "", "", aborted=False))

    async def _recall(self, turn: str, since: str | None) -> None:
        with trio.move_on_after(RECALL_DEADLINE) as scope:
            found = await self._entries(since)
        if scope.cancelled_caught:
            raise AgentHung("did not say what its session holds", RECALL_DEADLINE)
        entries = tuple(_entry(entry.id, entry.message) for entry in found if entry.message is not None)
        await self._tell(Recalled(turn=turn, incarnation=self._incarnation, entries=entries, leaf=self._leaf))

    async def _abort(self, run: "_Run") -> None:
        with trio.move_on_after(ABORT_DEADLINE):
            while True:
                await self._link.call(commands.ClearQueue())  # what is queued would survive and ride on the next run
                await self._link.call(commands.Abort())
                with trio.move_on_after(ABORT_AGAIN):
                    await run.over.wait()
                    return
        raise AgentHung("did not end its run", ABORT_DEADLINE)

    # --- what pi says

    async def _hear(self, output: outputs.Output) -> None:
        run = self._run
        if isinstance(output, outputs.DialogRequested):
            await self._decline(output)
        elif run is not None and not run.over.is_set():
            await self._hear_of(run, output)

    async def _hear_of(self, run: "_Run", output: outputs.Output) -> None:
        turn = run.turn
        match output:
            case outputs.RunStarted():
                run.began = True
            case outputs.TextGrew():
                run.grown = True
                self._grown.set()
            case outputs.ToolStarted(id=call, name=tool, summary=summary):
                await self._tell(ToolStarted(turn=turn, call=call, tool=tool, summary=summary))
            case outputs.ToolEnded(id=call, name=tool, is_error=failed):
                await self._tell(ToolEnded(turn=turn, call=call, tool=tool, failed=bool(failed)))
            case outputs.Retrying(attempt=attempt, max_attempts=most, delay=delay, error=error):
                text = f"the model failed ({redact(error)}); trying again in {delay:g} s, {attempt} of {most}"
                await self._tell(AgentNoted(turn=turn, text=text))
            case outputs.CompactionStarted():
                await self._tell(AgentNoted(turn=turn, text="summarising the older part of the session"))
            case outputs.Settled() if run.began:
                run.over.set()
                # Its leaf must be asked for, and the answer comes through the listener that calls this.
                self._nursery.start_soon(self._say_settled, run, output)
            case _:
                return  # nothing that a person would want to know

    async def _say_settled(self, run: "_Run", settled: outputs.Settled) -> None:
        run.over.set()
        await self._entries(self._leaf)  # until this is answered an abort still finds the run, should pi hang
        self._run = None
        # Aborted before its first word or in a tool, pi ends a run with an error or with nothing at all.
        aborted = settled.aborted or (run.abort_asked and settled.stop_reason not in _ANSWERED)
        await self._tell(
            TurnSettled(
                turn=run.turn,
                incarnation=self._incarnation,
                text=redact(settled.text),
                stop_reason="aborted" if aborted else settled.stop_reason or "error",
                error=redact(settled.error or ("" if settled.stop_reason else "pi ended the run without an answer")),
                leaf=self._leaf,
            )
        )

    async def _decline(self, dialog: outputs.DialogRequested) -> None:
        self._nursery.start_soon(self._link.answer, commands.DialogCancelled(id=dialog.id))
        if self._run is not None:
            text = f"a question of an extension was dismissed: {redact(dialog.title)}"
            await self._tell(AgentNoted(turn=self._run.turn, text=text))

    async def _paint(self) -> None:
        """Send pictures of the growing answer: the first at once, then at a steady pace."""
        while True:
            await self._grown.wait()
            self._grown = trio.Event()
            run = self._run
            if run is not None and run.grown:
                run.grown = False
                await self._tell(TextGrew(turn=run.turn, text=redact(self._link.session.text)))
            await trio.sleep(SNAPSHOT_EVERY)

    # --- the session

    async def _greet(self) -> None:
        """Wait until the session answers, check the model, and tell the conversation."""
        with trio.move_on_after(START_DEADLINE) as scope:
            await self._check()
            await self._entries(self._room.leaf)
        if scope.cancelled_caught:
            raise AgentHung("did not answer after its start", START_DEADLINE)
        self._ready = True
        ready = AgentReady(incarnation=self._incarnation, session_id=self._room.session_id, leaf=self._leaf)
        await self._tell(ready)

    async def _check(self) -> None:
        state = await self._link.call(commands.GetState())
        session_id = self._room.session_id
        if not isinstance(state.data, protocol.State) or state.data.session_id != session_id:
            why = redact(state.error) or "it opened another"
            raise Misconfigured(f"pi did not open the session {session_id}: {why}; /new begins a fresh one")
        models = await self._link.call(commands.GetAvailableModels())
        if isinstance(models.data, protocol.Models):
            wrong = model_check(models.data.models, self._provider.id, self._provider.model)
            if wrong is not None:
                raise Misconfigured(wrong)

    async def _entries(self, since: str | None) -> tuple[protocol.Entry, ...]:
        """The session's entries after `since`, none if it is not there; notes where the session stands."""
        answer = await self._link.call(commands.GetEntries(since=since))
        if since is not None and answer.error.startswith("Entry not found"):
            # pi only appends, and does not wait for the disk: when the power fails the end of its file may be lost,
            # and with this entry all that came after it. What is left is of earlier turns.
            await self._entries(None)
            return ()
        if not isinstance(answer.data, protocol.Entries):
            return await self._last_message(since)
        found = answer.data
        # Before the first answer nothing is on disk, and the ids of what is only in memory do not survive a restart.
        spoken = since is not None or any(
            entry.message is not None and entry.message.role == "assistant" for entry in found.entries
        )
        self._leaf = (found.leaf_id or since) if spoken else None
        return found.entries

    async def _last_message(self, since: str | None) -> tuple[protocol.Entry, ...]:
        """In place of entries too large to be read (pictures are in them): the person's last message, if it is new.

        That it ran and was not seen to finish is what a resume then makes of it; the next one counts from there.
        """
        answer = await self._link.call(commands.GetForkMessages())
        if not isinstance(answer.data, protocol.ForkMessages):
            raise PiError(f"pi's session cannot be read: {redact(answer.error)}")
        if not answer.data.messages or answer.data.messages[-1].entry_id == since:
            return ()
        last = answer.data.messages[-1]
        self._leaf = last.entry_id
        body = protocol.MessageBody(role="user", content=last.text)
        return (protocol.Entry(type="message", id=last.entry_id, message=body),)

    async def _tell(self, event: AgentEvent) -> None:
        await self._conversation.tell(event)


class _Run:
    """What a turn's prompt has come to. `began`: pi works on it; `grown`: it has text to show; `over`: it has ended."""

    def __init__(self, turn: str, *, began: bool) -> None:
        self.turn = turn
        self.began = began
        self.grown = False
        self.abort_asked = False
        self.over = trio.Event()


def _entry(entry_id: str, message: protocol.MessageBody) -> Entry:
    return Entry(
        id=entry_id,
        role=message.role,
        text=redact(message.text),
        stop_reason=message.stop_reason or "",
        error=redact(message.error_message),
    )
