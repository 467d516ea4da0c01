"""Helpers for tests of actors and of trees: children that follow a script, a probe, a recorder, and a leak guard.

Used by tests only; nothing in the runtime imports it. All waiting is on events, so tests run on a virtual clock.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar

import trio

from supervisor.actor import Actor
from supervisor.errors import Ignore
from supervisor.events import BecameZombie, ChildExited, ChildStarted, Event, GaveUp, RestartScheduled
from supervisor.messages import Message, Reply, Request
from supervisor.spec import ChildSpec, Mailbox, Overflow
from supervisor.system import System, Tree, open_system

E = TypeVar("E", bound=Event)

PATIENCE: Final = 3600.0
"""Seconds of virtual time after which a wait for something that never happens fails its test."""


class Leaked(AssertionError):
    """Something outlived its tree. `what`: one entry for each kind of thing."""

    def __init__(self, what: list[str]) -> None:
        super().__init__("left behind by the tree: " + "; ".join(what))
        self.what = what


@asynccontextmanager
async def open_test_system(tree: Tree, *, name: str = "test") -> AsyncIterator[System]:
    """Like `open_system`, and raises `Leaked` if a task, timer, ask, monitor or place is left behind.

    Tasks that the test itself has started outside of the block must not begin or end inside of it.
    """
    before = trio.lowlevel.current_statistics().tasks_living
    async with open_system(tree, name=name) as system:
        yield system
    assert_nothing_left(system, before)


def assert_nothing_left(system: System, tasks_before: int | None = None) -> None:
    """Raise `Leaked` unless the ended `system` has let go of everything."""
    registry = system._registry
    what = []
    if registry.timers.pending:
        what.append(f"{registry.timers.pending} timers or asks")
    if registry.watchers:
        what.append(f"monitors of {sorted(registry.watchers)}")
    if places := sorted(registry.cells.keys() - {"/"}):
        what.append(f"places {places}")
    if tasks_before is not None:
        tasks = trio.lowlevel.current_statistics().tasks_living - tasks_before
        if tasks > 0:
            what.append(f"{tasks} tasks")
    if what:
        raise Leaked(what)


class Recorder:
    """Everything that happens in a tree, from now on, in order."""

    def __init__(self, system: System) -> None:
        self.events: list[Event] = []
        self._news = trio.Event()
        system.telemetry.listeners.append(self._hear)

    def of(self, kind: type[E], path: str | None = None) -> list[E]:
        """The events of one kind so far; only those at `path` if it is given."""
        return [event for event in self.events if isinstance(event, kind) and path in (None, event.path)]

    async def wait_for(self, kind: type[E], path: str | None = None, *, count: int = 1) -> E:
        """The `count`-th event of that kind, as soon as it has happened."""
        with trio.fail_after(PATIENCE):
            while len(self.of(kind, path)) < count:
                self._news = trio.Event()
                await self._news.wait()
        return self.of(kind, path)[count - 1]

    @property
    def story(self) -> list[str]:
        """The life of the tree in short lines: `up /a 1`, `down /a 1 failed`, `restart /a in 0`, …"""
        return [line for event in self.events if (line := _tell(event))]

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()


def _tell(event: Event) -> str:
    match event:
        case ChildStarted(path=path, incarnation=number):
            return f"up {path} {number}"
        case ChildExited(path=path, incarnation=number, end=end):
            return f"down {path} {number} {end}"
        case RestartScheduled(path=path, delay=delay):
            return f"restart {path} in {delay:.3g}"
        case GaveUp(path=path):
            return f"gave up {path}"
        case BecameZombie(path=path):
            return f"zombie {path}"
        case _:
            return ""


class Probe(Actor[Any]):
    """Keeps what it is told, for the test to look at. Each request is answered by `answer`, or with None."""

    mailbox = Mailbox(256, Overflow.REJECT)

    def __init__(self, heard: list[Message], answer: Callable[[Request[Any]], object] | None = None) -> None:
        self._heard = heard
        self._answer = answer

    async def receive(self, message: Message) -> Reply | None:
        self._heard.append(message)
        if isinstance(message, Request):
            return message.reply(None if self._answer is None else self._answer(message))
        return None


class Act(Enum):
    """What a scripted child does when it is started."""

    OK = "ok"
    FAIL = "fail"
    HANG = "hang"
    IGNORE = "ignore"
    GARBAGE = "garbage"
    """Its factory makes something that is no actor."""


class Scripted(Exception):
    """What a scripted child fails with. `word`: what the test called it."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Crash(Message):
    """Raise `Scripted(word)`."""

    word: str = "boom"


class Leave(Message):
    """End normally."""


class Stick(Message):
    """Do not return; `shielded`: not even when cancelled, until `seconds` are over."""

    seconds: float = PATIENCE
    shielded: bool = False


class WhoAreYou(Request[int]):
    """The number of the incarnation."""


class Script:
    """What the incarnations of one child do at their starts, one after the other (the last act goes on for ever).

    `log` gets a line for each `start`, `stopping` and `stopped`, so that several children can share one.
    """

    def __init__(self, *acts: Act, log: list[str] | None = None, letting_go: float = 0.0) -> None:
        """`letting_go`: seconds that its `stopping` takes."""
        self.log = [] if log is None else log
        self.letting_go = letting_go
        self._acts = list(acts) or [Act.OK]

    @property
    def upcoming(self) -> Act:
        """The act of the next start, which is still to come."""
        return self._acts[0]

    def next(self) -> Act:
        """The act of the next start."""
        return self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]


class Player(Actor[Crash | Leave | Stick | WhoAreYou]):
    """A child that follows its script, and then does what it is told."""

    mailbox = Mailbox(16, Overflow.WAIT)

    def __init__(self, script: Script) -> None:
        self._script = script

    async def started(self) -> None:
        name = self.context.path.rpartition("/")[2]
        self._script.log.append(f"start {name}")
        match self._script.next():
            case Act.FAIL:
                raise Scripted("cannot start")
            case Act.HANG:
                await trio.sleep_forever()
            case Act.IGNORE:
                raise Ignore
            case Act.OK | Act.GARBAGE:
                await trio.lowlevel.checkpoint()

    async def receive(self, message: Crash | Leave | Stick | WhoAreYou) -> Reply | None:
        match message:
            case Crash(word=word):
                raise Scripted(word)
            case Leave():
                self.context.stop()
            case Stick(seconds=seconds, shielded=shielded):
                with trio.CancelScope(shield=shielded):
                    await trio.sleep(seconds)
            case WhoAreYou():
                return message.reply(self.context.incarnation)
        return None

    async def stopping(self, reason: str) -> None:
        name = self.context.path.rpartition("/")[2]
        self._script.log.append(f"stopping {name} {reason}")
        await trio.sleep(self._script.letting_go)
        self._script.log.append(f"stopped {name}")


def scripted(id: str, script: Script | None = None, **options: Any) -> ChildSpec[Crash | Leave | Stick | WhoAreYou]:
    """The child spec of a `Player`; `options` are those of `ChildSpec`."""
    return ChildSpec(id, partial(_player, script or Script()), **options)


def _player(script: Script) -> Any:
    if script.upcoming is Act.GARBAGE:
        script.next()
        return "garbage"
    return Player(script)


# As of a class: where a factory's mailbox and name are looked for.
_player.mailbox = Player.mailbox  # type: ignore[attr-defined]
_player.__name__ = Player.__name__
