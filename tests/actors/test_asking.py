"""Asking until there is an answer."""

from collections.abc import Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from actors.asking import LOG_EVERY, LONGEST_PAUSE, insist
from actors.errors import Unavailable
from supervisor import Actor, AskCycle, ChildSpec, Intensity, Mailbox, NoReply, Overflow, Promise, Request, Supervisor
from supervisor.testing import open_test_system


class Count(Request[int]):
    """How often it was asked."""


class Refusal(Exception):
    """A reply that no waiting changes."""


class Moody(Actor[Count]):
    """Answers after it has gone through what it was given: an error to raise or to reply with, None to say nothing."""

    mailbox = Mailbox(8, Overflow.WAIT)

    def __init__(self, moods: list[Exception | str]) -> None:
        self._moods = moods
        self.asked = 0

    async def receive(self, message: Count) -> Promise[int] | None:
        mood = self._moods.pop(0) if self._moods else None
        if mood == "crash":
            raise RuntimeError("moody")
        if mood == "forget":
            return None
        promise = self.later(message)
        if isinstance(mood, Exception):
            promise.fail(mood)
        elif mood != "hang":
            promise.set(len(self._moods))
        return promise


def tree(moods: list[Exception | str]) -> Supervisor:
    return Supervisor(ChildSpec("moody", partial(Moody, moods)), intensity=Intensity(10, within=60.0))


@pytest.mark.parametrize("mood", ["crash", "hang", Unavailable("disk full")])
async def test_it_asks_again(autojump_clock: MockClock, mood: Exception | str) -> None:
    async with open_test_system(tree([mood, mood])) as system:
        assert await insist(system.ref("/moody", Moody), Count()) == 0


async def test_it_waits_for_a_part_that_is_away(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    async with open_test_system(tree([])) as system:
        await system.terminate_child("/moody")
        answers: list[int] = []

        async def ask() -> None:
            answers.append(await insist(system.ref("/moody", Moody), Count()))

        async with trio.open_nursery() as asking:
            asking.start_soon(ask)
            await trio.sleep(60)
            assert answers == []
            await system.restart_child("/moody")
            back = trio.current_time()
        assert answers == [0]
        assert trio.current_time() - back <= LONGEST_PAUSE


@pytest.mark.parametrize(("mood", "error"), [(Refusal(), Refusal), ("forget", NoReply)])
async def test_what_waiting_does_not_change_is_raised(
    autojump_clock: MockClock, mood: Exception | str, error: type[Exception]
) -> None:
    async with open_test_system(tree([mood])) as system:
        with pytest.raises(error):
            await insist(system.ref("/moody", Moody), Count())


async def test_asking_oneself_is_raised(autojump_clock: MockClock) -> None:
    raised: list[type[BaseException]] = []

    class Narcissus(Actor[Count]):
        """Asks itself."""

        mailbox = Mailbox(8, Overflow.WAIT)

        async def receive(self, message: Count) -> Promise[int]:
            promise = self.later(message)
            try:
                await insist(self.context.ref, Count())
            except AskCycle as error:
                raised.append(type(error))
            promise.set(1)
            return promise

    spec: Callable[[], Narcissus] = Narcissus
    async with open_test_system(Supervisor(ChildSpec("narcissus", spec))) as system:
        assert await system.ref("/narcissus", Narcissus).ask(Count(), timeout=5.0) == 1
    assert raised == [AskCycle]


async def test_a_cancel_gives_up(autojump_clock: MockClock) -> None:
    async with open_test_system(tree([])) as system:
        await system.terminate_child("/moody")
        with trio.move_on_after(30) as scope:
            await insist(system.ref("/moody", Moody), Count())
        assert scope.cancelled_caught


async def test_a_long_wait_is_logged_now_and_then_and_told_each_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Unavailable] = []
    moods: list[Exception | str] = [Unavailable("disk full") for _ in range(100)]
    async with open_test_system(tree(moods)) as system:
        assert await insist(system.ref("/moody", Moody), Count(), unavailable=told.append) == 0
        waited = trio.current_time()
    assert len(told) == 100
    lines = [line for line in caplog.messages if "Count is not answered, trying again: disk full" in line]
    assert len(lines) == waited // LOG_EVERY + 1
