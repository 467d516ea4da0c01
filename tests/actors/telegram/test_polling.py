"""The poll against the strict fake: what it confirms, and what it outlasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from telegram import Update
from trio.testing import MockClock

from actors.settings import Secret, TelegramSettings
from actors.telegram.api import connect
from actors.telegram.polling import Poller
from actors.telegram.trouble import TokenRefused
from actors.telegram.updates import ALLOWED_UPDATES
from tests.contracts.telegram_bot import client
from tests.fakes.telegram import ANN, TOKEN, UNLIMITED, FakeTelegram, Fault


@asynccontextmanager
async def polling(token: str = TOKEN) -> AsyncIterator[tuple[FakeTelegram, Poller, trio.Event]]:
    async with FakeTelegram.serve(limits=UNLIMITED) as fake:
        settings = TelegramSettings(bot_token=Secret(token), base_url=fake.base_url)
        async with connect(settings, connections=1) as bot:
            tried = trio.Event()
            yield fake, Poller(bot, tried), tried


def texts(updates: tuple[Update, ...]) -> list[str | None]:
    return [update.message.text if update.message else None for update in updates]


async def heard(poller: Poller) -> list[str | None]:
    """The next batch that is not empty."""
    with trio.fail_after(120):
        while not (updates := await poller.batch()):
            pass
    return texts(updates)


async def test_what_is_not_taken_comes_again(loopback_clock: MockClock) -> None:
    async with polling() as (fake, poller, tried):
        user = await poller.user()
        assert (user.id, poller.doing, tried.is_set()) == (4242, "connecting", False)
        fake.say(ANN.id, "one")
        fake.say(ANN.id, "two")
        first = await poller.batch()
        assert tried.is_set()
        assert poller.doing == "listening as @dispatch_test_bot"
        assert texts(await poller.batch()) == ["one", "two"]
        poller.taken(first[0])
        assert texts(await poller.batch()) == ["two"]
        poller.taken(first[1])
        fake.say(ANN.id, "three")
        assert texts(await poller.batch()) == ["three"]


async def test_only_the_kinds_that_are_read_are_asked_for(loopback_clock: MockClock) -> None:
    async with polling() as (fake, poller, _):
        await poller.batch()
        assert fake.world.allowed == frozenset(ALLOWED_UPDATES)


async def test_the_first_poll_does_not_wait_and_the_others_do(loopback_clock: MockClock) -> None:
    async with polling() as (_, poller, _):
        began = trio.current_time()
        assert await poller.batch() == ()
        assert trio.current_time() - began < 1
        assert await poller.batch() == ()
        assert 20 < trio.current_time() - began < 30


async def test_a_wrong_token_is_the_end(loopback_clock: MockClock) -> None:
    async with polling("4242:wrong") as (_, poller, tried):
        with pytest.raises(TokenRefused, match="@BotFather"):
            await poller.user()
        assert tried.is_set()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.CONFLICT, "another program polls this bot (409)"),
        (Fault.SERVER_ERROR, "unreachable since"),
        (Fault.DROP_BEFORE, "unreachable since"),
        (Fault.FLOOD, "silence for 7 s"),
    ],
)
async def test_trouble_passes(
    loopback_clock: MockClock, fault: Fault, words: str, caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    async with polling() as (fake, poller, tried):
        fake.set_fault("*", fault, times=3, seconds=7)
        fake.say(ANN.id, "still there?")
        nursery.start_soon(poller.user)
        await tried.wait()
        await trio.sleep(0.1)
        assert words in poller.doing
        await trio.sleep(60)
        assert sum(words in record.getMessage() for record in caplog.records) == 1, "said once, not for each try"
        assert await heard(poller) == ["still there?"]
        assert poller.doing == "listening as @dispatch_test_bot"


async def test_a_flood_wait_is_obeyed_to_the_second(loopback_clock: MockClock) -> None:
    async with polling() as (fake, poller, _):
        fake.set_fault("getUpdates", Fault.FLOOD, seconds=7)
        await poller.batch()
        first, second = fake.called("getUpdates")
        assert second.at - first.at >= 7


async def test_an_hour_without_a_network_is_waited_out(loopback_clock: MockClock, nursery: trio.Nursery) -> None:
    async with polling() as (fake, poller, _):
        await poller.batch()
        async with fake.refusing():
            nursery.start_soon(poller.batch)
            await trio.sleep(3600)
            assert "unreachable since" in poller.doing
        fake.say(ANN.id, "back")
        assert await heard(poller) == ["back"]


async def test_a_webhook_is_deleted(loopback_clock: MockClock) -> None:
    async with polling() as (fake, poller, _):
        fake.world.webhook = "https://elsewhere"
        fake.say(ANN.id, "kept")
        assert await heard(poller) == ["kept"]
        assert fake.world.webhook == ""


async def test_another_poller_is_named_and_outlasted(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    async with polling() as (fake, poller, _), client(fake) as other:
        await poller.batch()
        nursery.start_soon(poller.batch)
        await trio.sleep(1)  # into the long poll
        await other.get_updates()
        await trio.sleep(0.2)
        assert "another program polls this bot (409)" in caplog.text
        fake.say(ANN.id, "mine")
        assert await heard(poller) == ["mine"]
