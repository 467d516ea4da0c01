"""The real service, made to die at one exact instant: `python -m tests.journeys.dying run` with `DYING=<instant>`.

It runs `actors.service.main` with a thin wrapper around one door of the product, which has no hook for this: what the
store is asked, what is written to pi, what an actor is told. Instants, each at its first match or its nth (`#n`), with
`:words` at the first one that has these words in it:

    before:Accept, after:Accept           a request of the store: not begun; committed, and nobody knows
    before:pi.prompt, written:pi.prompt   a record to pi, by its type: not written; written, and pi dies as well
    acked:pi.steer                        pi has answered it, and dies as well
    frozen:pi.steer                       pi has answered it, and the service stands still (SIGSTOP); pi goes on
    crash:Conversation.TextGrew           that actor raises on this message
    stall:Agent.Steer                     that actor never comes back from this message; a later incarnation is well

`reached` in the home folder says that a crash or a stall has come. Whoever starts it again leaves `DYING` out.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import trio

from actors import service
from actors.pi.agent import Agent
from actors.pi.commands import Command
from actors.pi.link import Link
from actors.pi.outputs import Responded
from actors.pi.process import Proc
from actors.rooms.conversation import Conversation
from actors.store.database import Database, Job

VARIABLE: Final = "DYING"
REACHED: Final = "reached"

_INSTANT: Final = re.compile(r"(before|after|written|acked|frozen|crash|stall):([\w.]+)(?:#(\d+))?(?::(.+))?")
_ACTORS: Final[dict[str, Any]] = {"Agent": Agent, "Conversation": Conversation}


class Injected(Exception):
    """What a test has put into an actor."""


class _Instant:
    """The one that is waited for."""

    def __init__(self, text: str) -> None:
        found = _INSTANT.fullmatch(text)
        if found is None:
            raise SystemExit(f"no instant: {text}")
        self.when, self.what = found[1], found[2]
        self._words = found[4] or ""
        self._left = int(found[3] or 1)

    def comes(self, when: str, what: str, said: object) -> bool:
        """Whether this is it; each match is counted."""
        if (when, what) != (self.when, self.what) or self._words not in str(said):
            return False
        self._left -= 1
        return self._left == 0


def _die(proc: Proc | None = None) -> None:
    """SIGKILL, as the kernel would; first for pi, if it is not to hear what comes after this."""
    if proc is not None:
        proc.signal(signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _watch_store(instant: _Instant) -> None:
    submit = Database.submit

    async def watched(self: Database, job: Job) -> None:
        name = type(job.request).__name__
        if instant.comes("before", name, job.request):
            _die()
        if instant.comes("after", name, job.request):
            job = job._replace(done=lambda _: _die())
        await submit(self, job)

    _replace(Database, "submit", watched)


def _watch_pi(instant: _Instant) -> None:
    write, call = Proc.write, Link.call

    async def written(self: Proc, data: bytes) -> None:
        kind = re.search(rb'"type": ?"(\w+)"', data)
        name = f"pi.{kind[1].decode()}" if kind else "pi"
        if instant.comes("before", name, data):
            _die(self)
        await write(self, data)
        if instant.comes("written", name, data):
            _die(self)

    async def called(self: Link, command: Command) -> Responded:
        answer = await call(self, command)
        name = f"pi.{type(command).__struct_config__.tag}"
        if instant.comes("acked", name, command):
            _die(self._proc)
        if instant.comes("frozen", name, command):
            os.kill(os.getpid(), signal.SIGSTOP)
        return answer

    _replace(Proc, "write", written)
    _replace(Link, "call", called)


def _watch_actor(instant: _Instant, name: str) -> None:
    actor = _ACTORS[name]
    receive: Callable[..., Any] = actor.receive

    async def watched(self: Any, message: object) -> Any:
        what = f"{name}.{type(message).__name__}"
        if instant.comes("crash", what, message):
            _say_reached()
            raise Injected("a test was here")
        if instant.comes("stall", what, message):
            _say_reached()
            await trio.sleep_forever()
        return await receive(self, message)

    _replace(actor, "receive", watched)


def _say_reached() -> None:
    (Path(os.environ["HOME"]) / REACHED).touch()


def _replace(owner: type, name: str, by: object) -> None:
    setattr(owner, name, by)


def main() -> int:
    """Arm the instant of the environment, then be the service."""
    instant = _Instant(os.environ.pop(VARIABLE))
    _watch_store(instant)
    _watch_pi(instant)
    if instant.when in ("crash", "stall"):
        _watch_actor(instant, instant.what.partition(".")[0])
    return service.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
