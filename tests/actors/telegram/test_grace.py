"""The grace on a virtual clock: what ends in time is whole, what does not is cut, and nobody waits without a cancel."""

import trio
import trio.lowlevel
from trio.testing import MockClock

from actors.telegram.grace import Grace


async def cancelled_after(seconds: float, work: float, *, begin: float = 0.0) -> tuple[list[str], float]:
    """Work of that length, cancelled at that time; what was done of it, and when all was over."""
    grace, done = Grace(3.0), list[str]()

    async def job() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(begin)
        with grace.given():
            await trio.sleep(work)
            done.append("whole")
        await trio.lowlevel.checkpoint()
        done.append("on")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(grace.watch)
        nursery.start_soon(job)
        await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    return done, trio.current_time()


async def test_what_ends_within_the_grace_is_whole(autojump_clock: MockClock) -> None:
    assert await cancelled_after(1, 3) == (["whole"], 3)


async def test_what_outlasts_it_is_cut(autojump_clock: MockClock) -> None:
    assert await cancelled_after(1, 60) == ([], 4)


async def test_what_begins_after_the_cancel_has_what_is_left(autojump_clock: MockClock) -> None:
    assert await cancelled_after(1, 60, begin=2) == ([], 4)


async def test_without_a_cancel_there_is_no_deadline(autojump_clock: MockClock) -> None:
    assert (await cancelled_after(100, 60))[0] == ["whole", "on"]
