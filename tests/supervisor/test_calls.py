"""Every ask ends, at once where it can, with the type that says why, and leaves nothing behind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    ChildSpec,
    Mailbox,
    MailboxFull,
    Message,
    NoReply,
    Overflow,
    Promise,
    Ref,
    Reply,
    Request,
    Supervisor,
    System,
)
from supervisor.calls import Call
from supervisor.clock import Timers
from supervisor.testing import open_test_system


class Echo(Request[str]):
    text: str = "hello"


class Slow(Request[str]):
    seconds: float


class Owe(Request[int]):
    """Answered when `Settle` comes."""


class Settle(Message):
    value: int


class Refuse(Message):
    pass


class Forget(Request[int]):
    """Its handler forgets to answer."""


class Die(Request[int]):
    owe: bool = False


class No(Exception):
    """What the actor says of its own accord."""


Tongue = Echo | Slow | Owe | Settle | Refuse | Forget | Die


class Answerer(Actor[Tongue]):
    mailbox = Mailbox(2, Overflow.WAIT)

    def __init__(self, handled: list[Message]) -> None:
        self.handled = handled
        self.promises: list[Promise[int]] = []

    async def receive(self, message: Tongue) -> Reply | Promise[Any] | None:
        self.handled.append(message)
        match message:
            case Echo(text=text):
                return message.reply(text)
            case Slow(seconds=seconds):
                await trio.sleep(seconds)
                return message.reply("at last")
            case Owe():
                promise = self.later(message)
                self.promises.append(promise)
                return promise
            case Settle(value=value):
                for promise in self.promises:
                    promise.set(value)
                    promise.set(-1)
            case Refuse():
                for promise in self.promises:
                    promise.fail(No("not today"))
            case Forget():
                return None
            case Die(owe=owe):
                if owe:
                    self.later(message)
                raise ValueError("boom")
        return None


class Rejecting(Answerer):
    mailbox = Mailbox(2, Overflow.REJECT)


class Dropping(Answerer):
    mailbox = Mailbox(2, Overflow.DROP_OLDEST)


class House:
    """A system with one answerer at /a, and what that has handled."""

    def __init__(self, system: System, ref: Ref[Tongue], handled: list[Message]) -> None:
        self.system = system
        self.ref = ref
        self.handled = handled

    @property
    def pending(self) -> int:
        return self.system._registry.timers.pending


@asynccontextmanager
async def house(kind: type[Answerer] = Answerer) -> AsyncIterator[House]:
    handled: list[Message] = []
    async with open_test_system(Supervisor(ChildSpec("a", partial(kind, handled)))) as system:
        yield House(system, system.ref("/a", Answerer), handled)


async def raises(expected: type[Exception], ask: Callable[[], Awaitable[object]], log: list[float]) -> None:
    """Expect that error, and note when it came."""
    with pytest.raises(expected):
        await ask()
    log.append(trio.current_time())


async def test_a_reply_comes_back_and_nothing_is_left() -> None:
    async with house() as h:
        assert await h.ref.ask(Echo(text="hi"), timeout=5) == "hi"
        assert h.pending == 0


async def test_many_callers_each_get_their_own_reply(autojump_clock: MockClock) -> None:
    async with house() as h:

        async def ask(n: int) -> None:
            assert await h.ref.ask(Echo(text=str(n)), timeout=5) == str(n)

        async with trio.open_nursery() as nursery:
            for n in range(200):
                nursery.start_soon(ask, n)
        assert h.pending == 0


async def test_a_crash_fails_the_caller_at_once(autojump_clock: MockClock) -> None:
    class SlowToLetGo(Answerer):
        async def stopping(self, reason: str) -> None:
            assert reason == "failed"
            await trio.sleep(3)

    async with house(SlowToLetGo) as h:
        begin = trio.current_time()
        with pytest.raises(ActorCrashed) as caught:
            await h.ref.ask(Die(), timeout=60)
        assert trio.current_time() == begin
        assert isinstance(caught.value.reason, ValueError)
        assert caught.value.path == "/a"
        assert h.pending == 0
        assert await h.ref.ask(Echo(), timeout=60) == "hello"  # the next incarnation


async def test_a_crash_fails_promises_that_are_owed() -> None:
    async with house() as h:
        log: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises, ActorCrashed, partial(h.ref.ask, Owe(), timeout=60), log)
            await trio.testing.wait_all_tasks_blocked()
            await raises(ActorCrashed, partial(h.ref.ask, Die(owe=True), timeout=60), log)
        assert len(log) == 2
        assert h.pending == 0


async def test_what_waits_behind_a_crash_is_for_the_next_incarnation() -> None:
    async with house() as h:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises, ActorCrashed, partial(h.ref.ask, Die(), timeout=60), [])
            nursery.start_soon(h.ref.tell, Settle(value=1))
        assert await h.ref.ask(Echo(), timeout=60) == "hello"
        assert Settle(value=1) in h.handled


async def test_too_late_is_the_callers_own_error(autojump_clock: MockClock) -> None:
    async with house() as h:
        begin = trio.current_time()
        with pytest.raises(AskTimeout, match="within 2 s"):
            await h.ref.ask(Slow(seconds=10), timeout=2)
        assert trio.current_time() == pytest.approx(begin + 2)
        assert h.pending == 0
        assert await h.ref.ask(Echo(), timeout=60) == "hello"  # the late reply hurt nobody
        assert h.system.snapshot("/a").incarnation == 1


async def test_a_request_whose_caller_gave_up_is_not_handled(autojump_clock: MockClock) -> None:
    async with house() as h:
        await h.ref.tell(Slow(seconds=10))
        await trio.sleep(1)
        with pytest.raises(AskTimeout):
            await h.ref.ask(Echo(text="too late"), timeout=1)
        with trio.move_on_after(1) as scope:
            await h.ref.ask(Echo(text="cancelled"), timeout=60)
        assert scope.cancelled_caught
        assert h.pending == 0
        assert await h.ref.ask(Echo(), timeout=60) == "hello"
        assert h.handled == [Slow(seconds=10), Echo()]


async def test_a_cancel_and_a_reply_at_the_same_moment() -> None:
    timers = Timers()
    calls: list[Call] = []

    async def ask() -> None:
        calls.append(Call(Echo(), "/a", timers, 60.0))
        await calls[0].wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        calls[0].succeed("too late")  # must not wake a task that the cancel has woken already
    assert timers.pending == 0


async def test_a_handler_that_forgets_to_reply_fails_the_caller_at_once(autojump_clock: MockClock) -> None:
    async with house() as h:
        begin = trio.current_time()
        with pytest.raises(NoReply, match="Forget"):
            await h.ref.ask(Forget(), timeout=60)
        assert trio.current_time() == begin
        assert h.system.snapshot("/a").incarnation == 1


async def test_a_promise_is_kept_later_and_once() -> None:
    async with house() as h:

        async def ask() -> None:
            assert await h.ref.ask(Owe(), timeout=60) == 7

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await h.ref.tell(Settle(value=7))
        assert h.pending == 0


async def test_a_promise_can_fail_in_the_actors_own_words() -> None:
    async with house() as h, trio.open_nursery() as nursery:
        nursery.start_soon(raises, No, partial(h.ref.ask, Owe(), timeout=60), [])
        await trio.testing.wait_all_tasks_blocked()
        await h.ref.tell(Refuse())


async def test_promises_whose_callers_gave_up_are_not_kept(autojump_clock: MockClock) -> None:
    async with house() as h:
        for _ in range(5):
            with pytest.raises(AskTimeout):
                await h.ref.ask(Owe(), timeout=1)
        life = h.system._registry.cells["/a"].life
        assert life is not None
        assert not life.owed
        assert isinstance(life.actor, Answerer)
        assert not any(promise.wanted for promise in life.actor.promises)


async def test_a_request_that_was_told_makes_a_promise_that_nobody_wants() -> None:
    async with house() as h:
        await h.ref.tell(Owe())
        await h.ref.tell(Settle(value=1))
        assert await h.ref.ask(Echo(), timeout=5) == "hello"


async def test_a_stop_fails_those_who_wait(autojump_clock: MockClock) -> None:
    async with house() as h:
        log: list[float] = []
        async with trio.open_nursery() as nursery:
            await h.ref.tell(Slow(seconds=1000))
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(4):  # two in the box, two that wait for room
                nursery.start_soon(raises, ActorStopped, partial(h.ref.ask, Echo(), timeout=60), log)
            await trio.testing.wait_all_tasks_blocked()
            await h.system.terminate_child("/a")
        assert len(log) == 4
        with pytest.raises(ActorStopped):
            await h.ref.ask(Echo(), timeout=60)
        assert h.pending == 0


async def test_an_ask_waits_for_room_no_longer_than_its_timeout(autojump_clock: MockClock) -> None:
    async with house() as h:
        await h.ref.tell(Slow(seconds=3))
        await trio.testing.wait_all_tasks_blocked()
        h.ref.tell_nowait(Settle(value=0))
        h.ref.tell_nowait(Settle(value=0))
        begin = trio.current_time()
        with pytest.raises(AskTimeout):
            await h.ref.ask(Echo(), timeout=1)
        assert trio.current_time() == pytest.approx(begin + 1)
        assert await h.ref.ask(Echo(), timeout=60) == "hello"
        assert h.handled.count(Echo()) == 1


async def test_an_ask_to_a_full_box_that_rejects(autojump_clock: MockClock) -> None:
    async with house(Rejecting) as h:
        await h.ref.tell(Slow(seconds=3))
        await trio.testing.wait_all_tasks_blocked()
        await h.ref.tell(Settle(value=0))
        await h.ref.tell(Settle(value=0))
        with pytest.raises(MailboxFull, match="2 messages"):
            await h.ref.ask(Echo(), timeout=60)
        with pytest.raises(MailboxFull):
            await h.ref.tell(Settle(value=0))
        assert h.pending == 0
        await trio.sleep(5)


async def test_a_request_that_is_pushed_out_fails_at_once(autojump_clock: MockClock) -> None:
    async with house(Dropping) as h:
        await h.ref.tell(Slow(seconds=3))
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises, MailboxFull, partial(h.ref.ask, Echo(), timeout=60), [])
            await trio.testing.wait_all_tasks_blocked()
            await h.ref.tell(Settle(value=1))
            await h.ref.tell(Settle(value=2))
        assert [letter.message for letter in h.system.telemetry.dead_letters] == ["Echo"]
