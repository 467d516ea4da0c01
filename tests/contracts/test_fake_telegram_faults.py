"""The fake Bot API under pressure: flood limits, faults on demand, and what the real `telegram.Bot` raises."""

from datetime import timedelta

import pytest
import trio
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from trio.testing import MockClock

from tests.contracts.telegram_bot import CHAT, GROUP, telegram
from tests.fakes.telegram import Fault, Limits

# --- flood ------------------------------------------------------------------------------------------------------


async def test_a_private_chat_takes_a_burst_and_then_one_a_second(loopback_clock: MockClock) -> None:
    async with telegram(Limits(private_burst=2, penalty=0)) as (fake, bot):
        sent = await bot.send_message(CHAT, "1")
        await bot.edit_message_text("2", CHAT, sent.message_id)
        with pytest.raises(RetryAfter) as refusal:
            await bot.edit_message_text("3", CHAT, sent.message_id)
        assert fake.said(CHAT) == ["2"]
        await bot.send_message(GROUP, "another chat is not concerned")
        await trio.sleep(seconds(refusal.value))
        await bot.send_message(CHAT, "4")


async def test_a_group_takes_twenty_a_minute_over_all_its_topics(loopback_clock: MockClock) -> None:
    async with telegram(Limits()) as (_, bot):
        thread = (await bot.create_forum_topic(GROUP, "one of them")).message_thread_id
        for number in range(19):
            await bot.send_message(GROUP, str(number), message_thread_id=thread if number % 2 else None)
        with pytest.raises(RetryAfter) as refusal:
            await bot.send_message(GROUP, "x")
        assert 50 < seconds(refusal.value) <= 60
        await bot.send_chat_action(GROUP, "typing")
        await trio.sleep(seconds(refusal.value))
        await bot.send_message(GROUP, "x")


async def test_the_bot_takes_thirty_a_second_and_pressing_on_is_punished(loopback_clock: MockClock) -> None:
    async with telegram(Limits(penalty=7)) as (fake, bot):
        for person in range(1, 32):
            fake.world.chat(person)
        for person in range(1, 31):
            await bot.send_message(person, "x")
        with pytest.raises(RetryAfter):
            await bot.send_message(31, "x")
        with pytest.raises(RetryAfter) as refusal:
            await bot.send_message(31, "x")
        assert 5 < seconds(refusal.value) <= 7


def seconds(refusal: RetryAfter) -> float:
    assert isinstance(refusal.retry_after, timedelta)
    return refusal.retry_after.total_seconds()


# --- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "happened"),
    [
        (Fault.SERVER_ERROR, NetworkError, False),
        (Fault.FLOOD, RetryAfter, False),
        (Fault.UNAUTHORIZED, InvalidToken, False),
        (Fault.FORBIDDEN, Forbidden, False),
        (Fault.CONFLICT, Conflict, False),
        (Fault.DROP_BEFORE, NetworkError, False),
        (Fault.DROP_AFTER, NetworkError, True),
        (Fault.HANG_BEFORE, TimedOut, False),
        (Fault.SLOW, TimedOut, True),
    ],
)
async def test_a_fault_comes_as_often_as_asked(
    loopback_clock: MockClock, fault: Fault, kind: type[Exception], happened: bool
) -> None:
    async with telegram() as (fake, bot):
        fake.set_fault("sendMessage", fault, times=2, seconds=30)
        for _ in range(2):
            with pytest.raises(kind):
                await bot.send_message(CHAT, "x")
        assert fake.said(CHAT) == (["x", "x"] if happened else [])
        await bot.send_message(CHAT, "y")
        assert fake.said(CHAT)[-1] == "y"


async def test_a_slow_answer_comes(loopback_clock: MockClock) -> None:
    async with telegram() as (fake, bot):
        fake.set_fault("*", Fault.SLOW, seconds=3)
        start = trio.current_time()
        await bot.send_message(CHAT, "x")
        assert trio.current_time() - start >= 3


async def test_connections_are_refused_for_a_while() -> None:
    async with telegram() as (fake, bot):
        await bot.get_me()
        address = fake.base_url
        async with fake.refusing():
            with pytest.raises(NetworkError):
                await bot.get_me()
        await bot.get_me()
        assert fake.base_url == address


async def test_every_call_is_on_record() -> None:
    async with telegram() as (fake, bot):
        await bot.send_message(CHAT, "12")
        with pytest.raises(BadRequest):
            await bot.send_message(999, "x")
        assert [(c.method, c.params, c.status) for c in fake.calls] == [
            ("sendMessage", {"chat_id": CHAT, "text": "12"}, 200),
            ("sendMessage", {"chat_id": 999, "text": "x"}, 400),
        ]
