"""One run of pi, from its prompt until its end is told: what steers it, what ends it, what it comes to.

Made by `live` for each prompt and fed by it with what pi says while the run is on. pi's events are hints of what the
model has heard; what its queue still holds at the end is the proof.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import trio

from actors.messages import (
    AgentEvent,
    AgentNoted,
    PromptRefused,
    Steer,
    SteerTaken,
    ToolEnded,
    ToolStarted,
    TurnSettled,
)
from actors.pi import commands, outputs
from actors.pi.answers import QueueCleared, State
from actors.pi.changes import changed_since
from actors.pi.errors import AgentHung
from actors.pi.history import History
from actors.pi.link import Link
from actors.pi.pictures import load
from actors.pi.steering import Steers
from actors.redaction import redact

ABORT_DEADLINE: Final = 10.0
"""Seconds from an abort to the run's end."""
SETTLE_DEADLINE: Final = 30.0
"""Seconds for pi to say where its session stands after a run: nobody else would end one that hangs by then."""
ABORT_AGAIN: Final = 0.5
"""Seconds until an abort is repeated: pi takes one that overtakes its run for one of nothing."""

_ANSWERED: Final = ("stop", "length")


class Around(NamedTuple):
    """What every run of a process works with."""

    link: Link
    history: History
    workspace: str
    incarnation: int
    nursery: trio.Nursery
    tell: Callable[[AgentEvent], Awaitable[None]]


class Run:
    """What a turn's prompt has come to.

    `since`: when the turn began, Unix seconds, 0 if nobody knows. `grown`: it has text that was not shown; `told`: its
    end has been told, and nothing more is owed.
    """

    def __init__(self, turn: str, since: float, around: Around) -> None:
        self.turn = turn
        self.grown = False
        self.told = False
        self._since = since
        self._link = around.link
        self._around = around
        self._sent = False
        self._began = trio.Event()
        self._over = trio.Event()
        self._abort_asked = False
        self._stall = ""  # why it is ended, unless a person wanted it
        self._prompt_unheard = False
        self._steers = Steers()
        self._handing = trio.Lock()
        self._left: list[str] = []

    @property
    def on(self) -> bool:
        """Whether it has not ended, be it that it has not begun."""
        return not self._over.is_set()

    @property
    def at_work(self) -> bool:
        """Whether pi has the prompt and is not done with it."""
        return self._sent and self.on

    async def begin(self, message: str, images: Sequence[str] = (), *, made_up: bool = False) -> None:
        """Prompt pi, unless an abort came first. `made_up`: the message is a command, and no entry of a person's."""
        pictures, left_out = await self._load(images)
        if not self.on:
            return
        self._sent = True
        self._prompt_unheard = not made_up
        if self._link.session.streaming:
            self._began.set()  # a run of an extension's, which takes this in
        prompt = commands.Prompt(message=message + left_out, streaming_behavior="followUp", images=pictures)
        answer = await self._link.call(prompt)
        if not answer.ok:
            self._end()
            self.told = True
            refused = PromptRefused(turn=self.turn, incarnation=self._around.incarnation, error=redact(answer.error))
            await self._around.tell(refused)
            return
        # pi is busy from the moment in which it accepts, unless an extension took the text for itself.
        state = (await self._link.call(commands.GetState())).data
        if not self._began.is_set() and isinstance(state, State) and not state.is_streaming:
            await self._settle(outputs.Settled("stop", "", "", aborted=False))

    # --- what is to join it

    def expect(self, inbound: int) -> bool:
        """This one is to join, and is given back at the end if it cannot. Whether it is worth a `hand`."""
        wanted = self.on and not self._steers.full
        self._steers.keep(inbound)
        return wanted

    async def hand(self, steer: Steer) -> None:
        """Give pi what is to join, once the run has begun and if it is not over. In order: the next one after this."""
        await self._began.wait()
        pictures, left_out = await self._load(steer.images if self.on else ())
        async with self._handing:
            if not self.on or self._abort_asked:
                return
            text = plain(steer.text) + left_out
            self._steers.sent(steer.inbound, text)
            answer = await self._link.call(commands.Steer(message=text, images=pictures))
            if not answer.ok:
                self._steers.keep(steer.inbound)

    async def _give_back(self) -> list[int]:
        """Take from pi what the model did not hear: it would ride on the next run. Returns what it did hear, untold."""
        async with self._handing:  # what is just being handed over is in pi's queue afterwards
            pass
        if self._steers.waiting:
            await self._clear_queue()
        return list(self._steers.settle(self._left))

    async def _clear_queue(self) -> None:
        cleared = (await self._link.call(commands.ClearQueue())).data
        if isinstance(cleared, QueueCleared):
            self._left += cleared.steering

    async def _taken(self, inbound: int) -> None:
        taken = SteerTaken(turn=self.turn, incarnation=self._around.incarnation, inbound=inbound)
        await self._around.tell(taken)

    async def _load(self, paths: Sequence[str]) -> tuple[tuple[commands.Image, ...], str]:
        """The pictures, and what the model is to know about those that it does not see; people are told too."""
        images, refused = await load(self._around.workspace, paths)
        for why in refused:
            await self._around.tell(AgentNoted(turn=self.turn, text=why))
        return images, "".join(f"\n\n[{why}]" for why in refused)

    # --- what ends it

    def abort(self) -> None:
        """End it, unless its end is told. If pi does not, a task raises AgentHung."""
        if self.told or not (self._sent or self.on):
            return
        self._abort_asked = True
        self._stall = ""
        if self._sent:
            self._around.nursery.start_soon(self._abort)
        else:  # pi knows nothing of it, and is to hear nothing
            self._end()
            self._around.nursery.start_soon(self._settle, outputs.Settled("aborted", "", "", aborted=True))

    def end_stalled(self, why: str, hung: AgentHung | None = None) -> None:
        """End it because nothing comes of it any more, and have its end say `why`. `hung`: what is raised if pi does
        not end it."""
        if not self.at_work or self._abort_asked:
            return  # over, or being ended
        self._abort_asked = True
        self._stall = why
        self._around.nursery.start_soon(self._abort, hung)

    async def _abort(self, hung: AgentHung | None = None) -> None:
        with self._link.patience(ABORT_DEADLINE):
            while True:
                await self._clear_queue()  # what is queued would survive and ride on the next run
                await self._link.call(commands.Abort())
                with trio.move_on_after(ABORT_AGAIN):
                    await self._over.wait()
                    return
        raise hung or AgentHung("did not end its run", ABORT_DEADLINE)

    def _end(self) -> None:
        self._over.set()
        self._began.set()

    # --- what pi says

    async def hear(self, output: outputs.Output) -> None:
        """What pi says while the run is on."""
        tell, turn = self._around.tell, self.turn
        match output:
            case outputs.RunStarted():
                self._began.set()
            case outputs.MessageEnded(role="user", text=text):
                if self._prompt_unheard:
                    self._prompt_unheard = False
                elif (inbound := self._steers.heard(text)) is not None:
                    await self._taken(inbound)
            case outputs.ToolStarted(id=call, name=tool, summary=summary):
                await tell(ToolStarted(turn=turn, call=call, tool=tool, summary=summary))
            case outputs.ToolEnded(id=call, name=tool, is_error=failed):
                await tell(ToolEnded(turn=turn, call=call, tool=tool, failed=bool(failed)))
            case outputs.Retrying(attempt=attempt, max_attempts=most, delay=delay, error=error):
                text = f"the model failed ({redact(error)}); trying again in {delay:g} s, {attempt} of {most}"
                await tell(AgentNoted(turn=turn, text=text))
            case outputs.CompactionStarted():
                await tell(AgentNoted(turn=turn, text="summarising the older part of the session"))
            case outputs.Settled() if self._began.is_set():
                self._end()
                # Its leaf must be asked for, and the answer comes through the listener that calls this.
                self._around.nursery.start_soon(self._settle, output)
            case _:
                return  # nothing that a person would want to know

    async def _settle(self, settled: outputs.Settled) -> None:
        """Say what it came to. Until this has asked pi all that it asks, an abort still finds the run."""
        self._end()
        with self._link.patience(SETTLE_DEADLINE) as scope:
            taken = await self._give_back()
            files = await self._look() if self._sent else None
        if scope.cancelled_caught:
            raise AgentHung("did not say where its session stands", SETTLE_DEADLINE)
        for inbound in taken:
            await self._taken(inbound)
        # Aborted before its first word or in a tool, pi ends a run with an error or with nothing at all.
        aborted = settled.aborted or (self._abort_asked and settled.stop_reason not in _ANSWERED)
        reason, error = "aborted" if aborted else settled.stop_reason or "error", settled.error
        if aborted and self._stall:
            reason, error = "error", self._stall
        self.told = True
        await self._around.tell(
            TurnSettled(
                turn=self.turn,
                incarnation=self._around.incarnation,
                text=redact(settled.text),
                stop_reason=reason,
                error=redact(error or ("" if settled.stop_reason else "pi ended the run without an answer")),
                leaf=self._around.history.leaf,
                unconsumed=self._steers.unheard,
                usage=self._around.history.usage,
                files=files,
            )
        )
        self._around.history.see_saved()

    async def _look(self) -> int | None:
        """See where the session stands now; how many files the turn has changed."""
        files: int | None = None

        async def count() -> None:
            nonlocal files
            files = await changed_since(self._around.workspace, self._since) if self._since else None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._around.history.look)
            nursery.start_soon(self._around.history.count)
            nursery.start_soon(count)
        return files


def plain(text: str) -> str:
    """A person's text, so that pi takes it for text, whatever commands, templates and skills it has."""
    # pi takes for those only what begins with a slash; to the model the blank is nothing.
    return f" {text}" if text.startswith("/") else text
