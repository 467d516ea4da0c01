"""Requests that nobody waits for, on a virtual clock: a few at a time, errors as values, floods told to the pacing."""

import pytest
import trio
from telegram import Bot
from telegram.error import BadRequest, InvalidToken, RetryAfter, TelegramError, TimedOut
from trio.testing import MockClock

from actors.telegram.courtesy import AT_A_TIME, Courtesy
from actors.telegram.pacing import Pacing
from actors.telegram.trouble import Flood, Permanent, TokenRefused, Trouble, Unknown


def courtesy() -> Courtesy:
    return Courtesy(Bot("4242:token"), Pacing())


async def failing(error: TelegramError) -> bool | Trouble:
    async def request() -> bool:
        raise error

    return await courtesy().attempt(7, request)


async def test_it_returns_what_the_request_returns() -> None:
    async def request() -> str:
        return "yes"

    assert await courtesy().attempt(7, request) == "yes"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (BadRequest("Bad Request: no"), Permanent("No")),
        (TimedOut("slow"), Unknown("slow")),
        (RetryAfter(7), Flood(7.0)),
    ],
)
async def test_an_error_is_a_value(error: TelegramError, trouble: Trouble) -> None:
    assert await failing(error) == trouble


async def test_a_refused_token_is_everybodys_trouble() -> None:
    with pytest.raises(TokenRefused):
        await failing(InvalidToken("Unauthorized"))


async def test_a_flood_silences_its_chat(autojump_clock: MockClock) -> None:
    async def request() -> bool:
        raise RetryAfter(20)

    one = courtesy()
    await one.attempt(7, request)
    assert (one.pacing.flooded(7, trio.current_time()), one.pacing.flooded(8, trio.current_time())) == (20.0, 0.0)


async def test_only_a_few_are_under_way(autojump_clock: MockClock) -> None:
    under_way: list[int] = [0]
    most: list[int] = []

    async def request() -> None:
        under_way[0] += 1
        most.append(under_way[0])
        await trio.sleep(1)
        under_way[0] -= 1

    one = courtesy()
    async with trio.open_nursery() as nursery:
        for chat in range(3 * AT_A_TIME):
            nursery.start_soon(one.attempt, chat, request)
    assert (max(most), trio.current_time()) == (AT_A_TIME, 3.0)
