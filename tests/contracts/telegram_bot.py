"""A real `telegram.Bot` on the fake Bot API, held as it must be under trio: two requests of its own, never initialised.

For the contract tests of the fake; it tests nothing itself.
"""

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import NetworkError
from telegram.request import HTTPXRequest

from tests.fakes.telegram import ANN, TOKEN, UNLIMITED, FakeTelegram, Limits

os.environ.setdefault("PTB_TIMEDELTA", "true")  # or the bot warns at each 429 that `retry_after` will be a timedelta

CHAT = ANN.id
GROUP = -100500
TLS = ssl.create_default_context()  # plain HTTP here, but each client would build its own, slowly


@asynccontextmanager
async def client(fake: FakeTelegram, token: str = TOKEN) -> AsyncIterator[Bot]:
    kwargs = {"verify": TLS, "trust_env": False}
    requests = [HTTPXRequest(connection_pool_size=4, pool_timeout=30, httpx_kwargs=kwargs) for _ in range(2)]
    try:
        yield Bot(
            token,
            base_url=fake.base_url,
            base_file_url=fake.base_file_url,
            get_updates_request=requests[0],
            request=requests[1],
        )
    finally:
        with trio.CancelScope(shield=True):
            for request in requests:
                await request.shutdown()


@asynccontextmanager
async def telegram(
    limits: Limits = UNLIMITED, *, private_topics: bool = False, privacy: bool = False
) -> AsyncIterator[tuple[FakeTelegram, Bot]]:
    """The fake, a bot on it, Ann's private chat and a forum."""
    serving = FakeTelegram.serve(limits=limits, private_topics=private_topics, privacy=privacy)
    async with serving as fake, client(fake) as bot:
        fake.world.chat(CHAT, title=ANN.name)
        fake.open_group(GROUP, "Forum", forum=True)
        yield fake, bot


async def refused(kind: type[NetworkError], words: str, call: Callable[[], Awaitable[object]]) -> None:
    """The bot writes descriptions in lower case with a capital in front, whatever Telegram wrote."""
    with pytest.raises(kind, match=f"(?i){words}"):
        await call()


def keyboard(data: str) -> InlineKeyboardMarkup:
    """One button that says Press."""
    return InlineKeyboardMarkup([[InlineKeyboardButton("Press", callback_data=data)]])
