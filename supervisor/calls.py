"""An ask in flight, and the promise of a reply that comes later.

A caller parks its own task and whoever ends the call (reply, crash, timeout, stop) reschedules it: no channel and no
cancel scope. Every call ends exactly once; whatever comes after that is ignored.
"""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import outcome
import trio

from supervisor.clock import Timers
from supervisor.errors import AskTimeout

if TYPE_CHECKING:
    from supervisor.messages import Request

R = TypeVar("R")


class Call:
    """One request on its way; sits in the mailbox in place of the request."""

    __slots__ = ("_outcome", "_owed", "_parked", "_task", "_timeout", "_timers", "done", "path", "request")

    def __init__(self, request: "Request[Any]", path: str, timers: Timers, timeout: float) -> None:
        self.request = request
        self.path = path
        self.done = False
        self._owed: set[Call] | None = None
        self._task = trio.lowlevel.current_task()
        self._timers = timers
        self._timeout = timeout
        self._parked = False
        self._outcome: outcome.Outcome[Any] | None = None
        timers.watch(self, timeout)

    async def wait(self) -> Any:
        """Wait in the caller's task for the end, and return the reply or raise why there is none."""
        if self._outcome is None:
            self._parked = True
            return await trio.lowlevel.wait_task_rescheduled(self._abort)
        await trio.lowlevel.checkpoint()
        return self._outcome.unwrap()

    def succeed(self, value: object) -> None:
        """The reply has come."""
        if not self.done:
            self._finish(outcome.Value(value))

    def fail(self, error: Exception) -> None:
        """There will be no reply. `error` must not be shared with another call: it gets the caller's traceback."""
        if not self.done:
            self._finish(outcome.Error(error))

    def expire(self, timeout: float) -> None:
        """The caller waits no longer."""
        self.fail(AskTimeout(self.path, timeout))

    def abandon(self) -> None:
        """The caller was cancelled: nobody is told, and a request that still waits is not handled."""
        if not self.done:
            self._end()

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.abandon()
        return trio.lowlevel.Abort.SUCCEEDED

    @property
    def promised(self) -> bool:
        """Whether its reply comes later."""
        return self._owed is not None

    def promise(self, owed: "set[Call]") -> None:
        """The reply comes later; until the call ends it is in `owed`."""
        if self._owed is None and not self.done:
            self._owed = owed
            owed.add(self)

    def _end(self) -> None:
        self.done = True
        self._timers.forget(self, self._timeout)
        if self._owed is not None:
            self._owed.discard(self)

    def _finish(self, result: "outcome.Outcome[Any]") -> None:
        self._end()
        if self._parked:
            trio.lowlevel.reschedule(self._task, result)
        else:
            self._outcome = result


class Promise(Generic[R]):
    """A reply owed later, made by `Actor.later`. Fails with its incarnation; settling it twice is harmless."""

    __slots__ = ("_call",)

    def __init__(self, call: Call | None) -> None:
        self._call = call

    def set(self, value: R, /) -> None:
        """Reply."""
        if self._call is not None:
            self._call.succeed(value)

    def fail(self, error: Exception, /) -> None:
        """Fail the caller with `error`, an error of the actor's own vocabulary."""
        if self._call is not None:
            self._call.fail(error)

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return self._call is not None and not self._call.done
