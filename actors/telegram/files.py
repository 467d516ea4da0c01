"""The files actor: fetches what people have sent, when a room needs it, into the room's workspace.

Conversations ask it. It knows no rooms and keeps no rows: where a file lies now is its answer, and an answer that
nobody waits for any more leaves no file.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, NamedTuple, cast

import httpx
import trio
from telegram import Bot
from telegram.error import TelegramError

from actors.errors import Unavailable
from actors.messages import Fetch, Fetched
from actors.settings import TelegramSettings
from actors.telegram.api import connect, downloads
from actors.telegram.contents import LARGEST
from actors.telegram.trouble import BadEntities, Flood, Permanent, TokenRefused, sorted_out
from actors.telegram.uploads import Upload
from supervisor import Actor, Description, Mailbox, Overflow, Promise

__all__ = ["Files"]

AT_A_TIME: Final = 4
WAITING: Final = 64
WITHIN: Final = 60.0
"""Seconds for one file, all attempts together, and besides those that it takes on a slow line."""
RATE: Final = 100_000
"""Bytes a second: what a slow line does at least."""
PAUSE: Final = 1.0
"""Seconds until a fetch that failed on its way is tried again, doubled each time."""
CHUNK: Final = 256 * 1024
"""Bytes that are written at a time."""

_log = logging.getLogger(__name__)


class _Job(NamedTuple):
    request: Fetch
    promise: Promise[Fetched]


class _Never(Exception):
    """The file cannot be had; says why in one sentence, without the address, which has the token in it."""


class _NotNow(Exception):
    """It may be had in a while, in `seconds` at the soonest; says why not now, as `_Never` does."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds


class Files(Actor[Fetch]):
    """Answers `Fetch` when the file is there, or cannot be had. Four at a time; the others wait."""

    mailbox = Mailbox(WAITING, Overflow.REJECT)

    def __init__(self, settings: TelegramSettings, *, within: float = WITHIN) -> None:
        """`within`: seconds for one file, all attempts together, besides those that its size takes."""
        self._settings = settings
        self._within = within
        self._jobs, self._waiting = trio.open_memory_channel[_Job](WAITING)
        self._running = 0

    async def started(self) -> None:
        self.context.start_soon(self._run)

    async def receive(self, message: Fetch) -> Promise[Any]:
        promise = self.later(message)
        try:
            self._jobs.send_nowait(_Job(message, promise))
        except trio.WouldBlock:
            promise.fail(Unavailable(f"{WAITING} files are waiting to be fetched"))
        return promise

    def describe(self) -> Description:
        waiting = self._jobs.statistics().current_buffer_used
        return Description(doing=f"fetching {self._running}, {waiting} wait" if self._running else "")

    async def _run(self) -> None:
        async with connect(self._settings, connections=AT_A_TIME) as bot, downloads() as web:
            for _ in range(AT_A_TIME):
                self.context.start_soon(self._work, bot, web)
            await trio.sleep_forever()

    async def _work(self, bot: Bot, web: httpx.AsyncClient) -> None:
        async for request, promise in self._waiting:
            if not promise.wanted:
                continue
            self._running += 1
            try:
                promise.set(await self._fetched(bot, web, request, promise))
            finally:
                self._running -= 1

    async def _fetched(self, bot: Bot, web: httpx.AsyncClient, request: Fetch, promise: Promise[Fetched]) -> Fetched:
        within = self._within + min(request.attachment.size or LARGEST, LARGEST) / RATE
        why, pause = f"it did not come within {within:.0f} s", PAUSE
        with trio.move_on_after(within):
            while promise.wanted:
                try:
                    return Fetched(path=await _attempt(bot, web, request, promise))
                except _Never as error:
                    why = str(error)
                    break
                except _NotNow as error:
                    why, wait = str(error), max(pause, error.seconds)
                _log.info("%s is not fetched, trying again: %s", request.attachment.name, why)
                await trio.sleep(wait)
                pause *= 2
        return Fetched(path=None, error=f"{request.attachment.name} could not be fetched: {why}.")


async def _attempt(bot: Bot, web: httpx.AsyncClient, request: Fetch, promise: Promise[Fetched]) -> str:
    """The path at which the file now lies."""
    url = await _address(bot, request.attachment.handle)
    try:
        upload = await trio.to_thread.run_sync(Upload, request.workspace, request.attachment.name)
        try:
            await _download(web, url, upload, promise)
            return await trio.to_thread.run_sync(upload.keep)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(upload.close)
    except OSError as error:
        raise _Never(f"it cannot be saved ({error.strerror})") from None
    except ValueError:
        raise _Never("its name is no name of a file") from None


async def _address(bot: Bot, handle: str) -> str:
    try:
        file = await bot.get_file(handle)
    except TelegramError as error:
        try:
            trouble = sorted_out(error)
        except TokenRefused as refused:  # the gateway ends of it and says so; a room only misses a file
            raise _Never(refused.reason) from None
        if isinstance(trouble, Permanent | BadEntities):
            raise _Never(trouble.reason) from None
        if isinstance(trouble, Flood):
            raise _NotNow("Telegram wants silence", trouble.seconds) from None
        raise _NotNow("Telegram is unreachable") from None
    if file.file_path is None or not file.file_path.startswith(("https://", "http://")):
        raise _Never("Telegram gives no address for it")
    return file.file_path


async def _download(web: httpx.AsyncClient, url: str, upload: Upload, promise: Promise[Fetched]) -> None:
    size = 0
    try:
        async with web.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                kind = _Never if response.is_client_error else _NotNow
                raise kind(f"Telegram answers {response.status_code}")
            # A generator, whatever its type says, and one that has to be closed where it is left early.
            async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw(CHUNK))) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LARGEST:
                        raise _Never("it is larger than 20 MB")
                    if not promise.wanted:
                        raise _Never("nobody waits for it any more")
                    await trio.to_thread.run_sync(upload.write, chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _NotNow(f"the connection to Telegram broke ({type(error).__name__})") from None
