"""Work in threads that is left alone when it takes too long."""

import threading
from collections.abc import Iterator

import pytest
import trio

from actors.pi import disk
from actors.pi.disk import THREADS, TooSlow, off_thread


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Set at the end, so that no thread stays."""
    release = threading.Event()
    yield release
    release.set()


async def test_it_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    here = threading.get_ident()
    assert await off_thread(threading.get_ident, place="den", seconds=5) != here
    with pytest.raises(ZeroDivisionError):
        await off_thread(lambda: 1 // 0, place="den", seconds=5)


async def test_a_disk_that_hangs_is_left_alone_and_takes_only_so_many_threads(
    hanging: threading.Event, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_limiters", {})
    slow: list[str] = []

    async def one() -> None:
        try:
            await off_thread(hanging.wait, place="den", seconds=0.05)
        except TooSlow as error:
            slow.append(str(error))

    async with trio.open_nursery() as all_of_them:
        for _ in range(THREADS + 3):
            all_of_them.start_soon(one)
    assert slow == ["the disk did not answer within 0.05 s"] * (THREADS + 3)
    (limiter,) = disk._limiters.values()
    assert limiter.borrowed_tokens == THREADS
    assert await off_thread(lambda: "others go on", place="barn", seconds=5) == "others go on"
    with pytest.raises(TooSlow):
        await off_thread(lambda: "not here", place="den", seconds=0.05)
    assert disk._limiters["den"] is limiter
    hanging.set()
    with trio.fail_after(5):
        while limiter.borrowed_tokens:  # noqa: ASYNC110 - a thread tells nobody
            await trio.sleep(0.01)
    assert await off_thread(lambda: "again", place="den", seconds=5) == "again"
    assert list(disk._limiters) == ["den"]
