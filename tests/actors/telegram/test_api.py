"""The bot on its connections: opened, used and closed on trio, silent about its token."""

import logging

import pytest
import trio
from telegram.error import TelegramError
from trio.testing import MockClock

from actors.settings import Secret, TelegramSettings
from actors.telegram.api import connect, downloads
from tests.fakes.telegram import ANN, TOKEN, FakeTelegram, Fault


def settings(fake: FakeTelegram, token: str = TOKEN) -> TelegramSettings:
    return TelegramSettings(bot_token=Secret(token), base_url=fake.base_url)


async def test_a_bot_sends_polls_and_fetches(loopback_clock: MockClock) -> None:
    async with FakeTelegram.serve() as fake, connect(settings(fake), connections=2) as bot:
        fake.send_file(ANN.id, b"notes")
        (update,) = await bot.get_updates(timeout=1)
        assert update.message is not None
        assert update.message.document is not None
        file = await bot.get_file(update.message.document.file_id)
        assert await file.download_as_bytearray() == b"notes"
        await bot.send_message(ANN.id, "thanks")
        assert fake.said(ANN.id) == ["thanks"]


async def test_closing_does_not_wait_for_a_call_that_hangs(loopback_clock: MockClock) -> None:
    async with FakeTelegram.serve() as fake:
        fake.set_fault("getMe", Fault.HANG_BEFORE, seconds=60)
        with trio.move_on_after(5):
            async with connect(settings(fake), connections=1) as bot:
                await bot.get_me()
        assert trio.current_time() < 8


async def test_no_token_reaches_the_log(loopback_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with FakeTelegram.serve() as fake, connect(settings(fake), connections=1) as bot:
            await bot.get_me()
            fake.set_fault("getMe", Fault.DROP_BEFORE)
            with pytest.raises(TelegramError) as error:
                await bot.get_me()
    assert TOKEN not in caplog.text
    assert TOKEN not in str(error.value)


async def test_an_update_that_cannot_be_read_comes_as_its_id(loopback_clock: MockClock) -> None:
    async with FakeTelegram.serve() as fake, connect(settings(fake), connections=1) as bot:
        fake.say(ANN.id, "before")
        broken = fake.world.push("message", {"text": "no date, no chat"})
        fake.say(ANN.id, "after")
        updates = await bot.get_updates(timeout=1)
        assert [update.message and update.message.text for update in updates] == ["before", None, "after"]
        assert updates[1].update_id == broken


async def test_a_file_is_downloaded_as_it_is_and_its_address_is_not_logged(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with FakeTelegram.serve() as fake, connect(settings(fake), connections=1) as bot, downloads() as web:
            file = await bot.get_file(fake.world.keep_file("notes.txt", "text/plain", b"notes").id)
            response = await web.get(file.file_path or "")
            assert response.content == b"notes"
            assert response.request.headers["Accept-Encoding"] == "identity"
    assert TOKEN not in caplog.text


async def test_without_a_token_there_is_no_bot() -> None:
    with pytest.raises(ValueError, match="bot_token"):
        async with connect(TelegramSettings(), connections=1):
            pass
