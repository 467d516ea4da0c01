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
    assert await off_thread(threading.get_ident, seconds=5) != here
    with pytest.raises(ZeroDivisionError):
        await off_thread(lambda: 1 // 0, seconds=5)


async def test_a_disk_that_hangs_is_left_alone_and_takes_only_so_many_threads(
    hanging: threading.Event, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_threads", None)
    slow: list[str] = []

    async def one() -> None:
        try:
            await off_thread(hanging.wait, seconds=0.05)
        except TooSlow as error:
            slow.append(str(error))

    async with trio.open_nursery() as all_of_them:
        for _ in range(THREADS + 3):
            all_of_them.start_soon(one)
    assert slow == ["the disk did not answer within 0.05 s"] * (THREADS + 3)
    limiter = disk._limiter()
    assert limiter.borrowed_tokens == THREADS
    assert await trio.to_thread.run_sync(lambda: "others go on") == "others go on"
    hanging.set()
    with trio.fail_after(5):
        while limiter.borrowed_tokens:  # noqa: ASYNC110 - a thread tells nobody
            await trio.sleep(0.01)
    assert await off_thread(lambda: "again", seconds=5) == "again"
