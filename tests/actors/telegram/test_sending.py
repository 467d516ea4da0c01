"""One part at a time on the strict fake: which message it becomes, and what comes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from telegram import Bot
from trio.testing import MockClock

from actors.messages import Delivery, DeliveryKind, Place
from actors.telegram.render import plain, render
from actors.telegram.sending import REPETITION, Arrived, Sender
from actors.telegram.trouble import Flood, NotSent, Permanent, Unknown
from tests.contracts.telegram_bot import CHAT, telegram
from tests.fakes.telegram import FakeTelegram, Fault

LONG = "so **bold** " + "_word_ " * 1200


def delivery(text: str = "hello", *, part: int = 0, doubtful: bool = False, id: int = 1) -> Delivery:
    return Delivery(
        id=id,
        place=Place("telegram", CHAT),
        kind=DeliveryKind.ANSWER,
        text=text,
        reply_to=None,
        turn=None,
        part=part,
        attempts=1,
        doubtful=doubtful,
        created_at=0.0,
    )


@asynccontextmanager
async def sender() -> AsyncIterator[tuple[FakeTelegram, Sender, Bot]]:
    async with telegram() as (fake, bot):
        yield fake, Sender(bot), bot


async def test_the_last_part_says_so(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        parts = render(LONG)
        results = [await send.send(delivery(LONG, part=part)) for part in range(len(parts))]
        assert [isinstance(result, Arrived) and result.last for result in results] == [False] * (len(parts) - 1) + [
            True
        ]
        assert fake.said(CHAT) == [part.text for part in parts]


@pytest.mark.parametrize(
    ("fault", "result"),
    [(Fault.FLOOD, Flood(7.0)), (Fault.FORBIDDEN, Permanent("Forbidden: bot was blocked by the user"))],
)
async def test_what_did_not_arrive(loopback_clock: MockClock, fault: Fault, result: Flood | Permanent) -> None:
    async with sender() as (fake, send, _):
        fake.set_fault("sendMessage", fault, seconds=7)
        assert await send.send(delivery()) == result


async def test_a_cut_connection_is_unknown_and_none_is_not(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        fake.set_fault("sendMessage", Fault.DROP_AFTER)
        assert isinstance(await send.send(delivery()), Unknown)
        async with fake.refusing():
            assert isinstance(await send.send(delivery()), NotSent)


async def test_a_doubtful_part_says_so(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("so **bold**", doubtful=True))
        (message,) = fake.messages(CHAT)
        assert message.text == f"{REPETITION}\nso bold"
        (bold,) = message.entities
        units = message.text.encode("utf-16-le")
        assert units[2 * bold["offset"] :][: 2 * bold["length"]].decode("utf-16-le") == "bold"


async def test_refused_formatting_from_the_start_makes_way_for_the_text_as_written(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        pieces = plain(LONG)
        for part in range(len(pieces)):
            result = await send.send(delivery(LONG, part=part))
            assert isinstance(result, Arrived)
            assert result.last is (part + 1 == len(pieces))
        assert fake.said(CHAT) == pieces


async def test_refused_formatting_later_leaves_the_pieces_as_they_are(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        parts = render(LONG)
        no_entities.append(False)
        await send.send(delivery(LONG))
        no_entities.append(True)
        await send.send(delivery(LONG, part=1))
        assert fake.said(CHAT) == [part.text.rstrip() for part in parts[:2]]


async def test_a_restart_between_plain_parts_ends_the_delivery(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (_, _, bot):
        assert len(render(LONG)) < len(plain(LONG))
        for part in range(len(plain(LONG))):
            assert isinstance(await Sender(bot).send(delivery(LONG, part=part)), Arrived)
        assert await Sender(bot).send(delivery(LONG, part=len(plain(LONG)))) == Arrived(None, last=True)


async def test_nothing_to_show_can_never_arrive(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        assert isinstance(await send.send(delivery(" \n")), Permanent)
        assert not fake.called("sendMessage")
