"""A pi process as something to talk with: commands that wait for their answer, and all else that pi says, in order.

Joins process, framing and session for `live`; knows nothing of turns. One task listens, any number call. How pi ended
is said once, by `listen`: a call that can have no answer any more waits to be cancelled by that.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final, Never

import trio

from actors.pi import commands, outputs
from actors.pi.errors import AgentEnded, AgentHung, ProcessGone
from actors.pi.framing import LineFramer
from actors.pi.outputs import Output, Responded
from actors.pi.process import Proc
from actors.pi.session import Session
from actors.redaction import redact

END_DEADLINE: Final = 5.0
"""Seconds from the end of pi's input or output to the end of its process."""
MOST_LOGGED: Final = 50
"""Unusable records of one process that are logged; further ones are only counted."""

MOST_UNREAD: Final = 1024
"""Answers that pi has not taken yet; it asks for no more than a few at once."""

_log = logging.getLogger(__name__)


class Link:
    """Our side of the conversation with one process."""

    def __init__(self, proc: Proc) -> None:
        self.session = Session()
        self.deaf = False
        """Whether what pi says is not heard now, because whoever it is told to does not take it."""
        self._proc = proc
        self._clocks: dict[trio.CancelScope, float] = {}  # with what is left of them, while they stand
        self._waiting: dict[str, _Waiter] = {}
        self._unread = 0
        self._overrun = False
        self._ignored = 0

    async def listen(self, hear: Callable[[Output], Awaitable[None]]) -> Never:
        """Read until the process ends; `hear` gets each output but answers and what could not be used.

        While `hear` waits nothing is read, and pi waits too. Raises AgentEnded, or AgentHung if only its stdout ends.
        """
        framer = LineFramer()
        while (chunk := await self._proc.read()) is not None:
            for line in framer.feed(chunk):
                for output in self.session.receive(line, now=trio.current_time()):
                    match output:
                        case Responded(id=command_id):
                            if (waiter := self._waiting.get(command_id)) is not None:
                                waiter.set(output)
                        case outputs.Ignored():
                            self._log_ignored(output)
                        case _:
                            self._stop_clocks()
                            await hear(output)
                            self._start_clocks()
        with trio.move_on_after(END_DEADLINE):
            exited = await self._proc.wait()
            raise AgentEnded(str(exited), redact(self._proc.stderr_tail()))
        raise AgentHung("closed its output and did not end", END_DEADLINE)

    @contextmanager
    def patience(self, seconds: float) -> Iterator[trio.CancelScope]:
        """As `trio.move_on_after`, but time does not pass while we are deaf: pi may have answered long ago."""
        with trio.CancelScope() as scope:
            self._clocks[scope] = seconds
            if not self.deaf:
                scope.deadline = trio.current_time() + seconds
            try:
                yield scope
            finally:
                del self._clocks[scope]

    async def call(self, command: commands.Command) -> Responded:
        """Send a command and wait for its answer, however long. Raises TooManyPending, AgentHung."""
        command_id, line = self.session.send(command)
        waiter = self._waiting[command_id] = _Waiter()
        try:
            await self._write(line)
            return await waiter.wait()
        finally:
            del self._waiting[command_id]
            self.session.forget(command_id)

    async def answer(self, answer: commands.Answer) -> None:
        """Answer a dialog, if it is still open. Raises AgentHung, also if pi asks on and on and takes no answer."""
        line = self.session.answer(answer)
        if line is None:
            return
        if self._unread >= MOST_UNREAD:
            if self._overrun:
                return  # which was said
            self._overrun = True
            raise AgentHung(f"did not take any of {MOST_UNREAD} answers", 0.0)
        self._unread += 1
        try:
            await self._write(line)
        finally:
            self._unread -= 1

    def _stop_clocks(self) -> None:
        self.deaf = True
        if self._clocks:
            now = trio.current_time()
            for scope in self._clocks:
                self._clocks[scope] = max(0.0, scope.deadline - now)
                scope.deadline = inf

    def _start_clocks(self) -> None:
        self.deaf = False
        if self._clocks:
            now = trio.current_time()
            for scope, left in self._clocks.items():
                scope.deadline = now + left

    def _log_ignored(self, output: outputs.Ignored) -> None:
        self._ignored += 1
        if self._ignored <= MOST_LOGGED:
            _log.warning("pi sent a record that was left out (%s): %s", output.kind, output.detail)
        if self._ignored == MOST_LOGGED:
            _log.warning("%d records of this pi were left out; what follows is not logged", MOST_LOGGED)

    async def _write(self, line: bytes) -> None:
        try:
            await self._proc.write(line)
        except ProcessGone:
            with trio.move_on_after(END_DEADLINE) as scope:
                await self._proc.wait()
            if scope.cancelled_caught:
                raise AgentHung("closed its input and did not end", END_DEADLINE) from None
            await trio.sleep_forever()  # the listener reads what is left and then says how it ended


class _Waiter:
    """An answer that somebody waits for."""

    def __init__(self) -> None:
        self._come = trio.Event()
        self._response: Responded | None = None

    def set(self, response: Responded) -> None:
        self._response = response
        self._come.set()

    async def wait(self) -> Responded:
        await self._come.wait()
        assert self._response is not None
        return self._response
