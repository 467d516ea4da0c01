"""The Bot API as the gateway and the outbox hold it: a `telegram.Bot` on trio, with connections of its own.

`initialize` is never called (it needs asyncio, and nothing needs it); an `async with` closes what was opened. What its
errors mean is in `trouble`.
"""

import functools
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import trio
from telegram import Bot, Update
from telegram.request import HTTPXRequest

from actors.settings import TelegramSettings
from actors.telegram.updates import UNREADABLE

__all__ = ["connect", "downloads", "tls"]

SEND_TIMEOUT: Final = 20.0
"""Seconds for an answer; a busy Telegram takes several, and giving up makes the outcome unknown."""
CONNECT_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 2.0

_log = logging.getLogger(__name__)


@functools.cache
def tls() -> ssl.SSLContext:
    """The one TLS context of the process. Blocks for tens of milliseconds the first time: call it in a thread."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def connect(settings: TelegramSettings, *, connections: int) -> AsyncIterator[Bot]:
    """A bot with `connections` at most for its calls, and one more for the long poll; the block's end closes them."""
    if settings.bot_token is None:
        raise ValueError("[telegram] bot_token is not set")
    _hush()
    context = await trio.to_thread.run_sync(tls)
    options: dict[str, Any] = {
        "read_timeout": SEND_TIMEOUT,
        "write_timeout": SEND_TIMEOUT,
        "connect_timeout": CONNECT_TIMEOUT,
        "pool_timeout": 30.0,
        "httpx_kwargs": {"verify": context, "trust_env": False},
    }
    calls = HTTPXRequest(connection_pool_size=connections, **options)
    poll = _PollRequest(connection_pool_size=1, **options)
    try:
        yield Bot(
            settings.bot_token.reveal(),
            base_url=settings.base_url,
            base_file_url=settings.base_file_url,
            request=calls,
            get_updates_request=poll,
        )
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_TIMEOUT):
            await calls.shutdown()
            await poll.shutdown()


@asynccontextmanager
async def downloads() -> AsyncIterator[httpx.AsyncClient]:
    """For the files behind the URLs that `Bot.get_file` gives, which have the token in them: show nobody its errors."""
    _hush()
    context = await trio.to_thread.run_sync(tls)
    timeout = httpx.Timeout(SEND_TIMEOUT, connect=CONNECT_TIMEOUT)
    # As they are: an archive that unpacks itself on the way could be of any size.
    headers = {"Accept-Encoding": "identity"}
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=timeout, headers=headers) as client:
        yield client


def _hush() -> None:
    for chatty in ("httpx", "httpcore", "telegram"):  # they log URLs, and ours have the token in them
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _PollRequest(HTTPXRequest):
    """Leaves out what the library cannot read of an update, or that update would block the poll for ever."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        answer = HTTPXRequest.parse_json_payload(payload)
        if isinstance(result := answer.get("result"), list):
            answer["result"] = [_readable(update) for update in result]
        return answer


def _readable(update: Mapping[str, Any]) -> Mapping[str, Any]:
    """The update, or only its id if nothing else can be made of it."""
    try:
        Update.de_json(dict(update), None)
    except UNREADABLE as error:
        _log.error("update %s is skipped, it cannot be read: %r", update["update_id"], error)
        return {"update_id": update["update_id"]}
    return update
