"""Marks on the strict fake: the newest wins, and a chat that wants none is left alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from actors.messages import Mark, Place, React
from actors.telegram import reactions
from actors.telegram.courtesy import Courtesy
from actors.telegram.pacing import Pacing
from actors.telegram.reactions import Reactions
from tests.contracts.telegram_bot import CHAT, GROUP, telegram
from tests.fakes.telegram import FakeTelegram, Fault


class Marker:
    """Marks at work on the fake."""

    def __init__(self, fake: FakeTelegram, marks: Reactions) -> None:
        self.fake = fake
        self.marks = marks

    def say(self, chat: int = CHAT) -> int:
        """A person's message; its id."""
        self.fake.say(chat, "hello")
        return self.fake.messages(chat)[-1].id

    def react(self, message: int, mark: Mark, chat: int = CHAT) -> None:
        self.marks.show(React(place=Place("telegram", chat), message_id=message, mark=mark))

    def seen(self, message: int, chat: int = CHAT) -> list[str]:
        return self.fake.world.chats[chat].messages[message].reactions

    def asked(self) -> list[object]:
        return [call.params["message_id"] for call in self.fake.called("setMessageReaction")]


@asynccontextmanager
async def marker() -> AsyncIterator[Marker]:
    async with telegram() as (fake, bot), trio.open_nursery() as nursery:
        marks = Reactions(Courtesy(bot, Pacing()))
        nursery.start_soon(marks.run)
        yield Marker(fake, marks)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("mark", "emoji"), [(Mark.SEEN, "👀"), (Mark.DONE, "👌"), (Mark.FAILED, "💔"), (Mark.STOPPED, "🫡")]
)
async def test_each_mark_has_its_emoji(loopback_clock: MockClock, mark: Mark, emoji: str) -> None:
    async with marker() as here:
        message = here.say()
        here.react(message, mark)
        await here.fake.wait_for(lambda: here.seen(message) == [emoji])


async def test_the_newest_mark_of_a_message_wins(loopback_clock: MockClock) -> None:
    async with marker() as here:
        first, second = here.say(), here.say()
        for mark in (Mark.SEEN, Mark.STOPPED, Mark.DONE):
            here.react(first, mark)
        here.react(second, Mark.SEEN)
        await trio.sleep(10)
        assert (here.seen(first), here.seen(second)) == (["👌"], ["👀"])
        assert here.asked() == [first, second]
        first_at, second_at = (call.at for call in here.fake.called("setMessageReaction"))
        assert second_at - first_at >= 1


async def test_what_is_answered_at_once_bears_one_mark_and_costs_one_request(loopback_clock: MockClock) -> None:
    async with marker() as here:
        message = here.say()
        here.react(message, Mark.SEEN)
        await trio.sleep(0.2)
        here.react(message, Mark.DONE)
        await here.fake.wait_for(lambda: here.seen(message) == ["👌"], timeout=0.2)
        await trio.sleep(10)
        assert here.asked() == [message]


async def test_a_chat_that_refuses_marks_is_not_asked_again_for_an_hour(loopback_clock: MockClock) -> None:
    async with marker() as here:
        here.fake.allow_reactions(GROUP)
        message, other = here.say(GROUP), here.say()
        for _ in range(3):
            here.react(message, Mark.SEEN, GROUP)
            await trio.sleep(1000)
        here.react(other, Mark.SEEN)
        await trio.sleep(10)
        assert here.asked() == [message, other]
        here.fake.allow_reactions(GROUP, "👀")
        await trio.sleep(1000)
        here.react(message, Mark.SEEN, GROUP)
        await here.fake.wait_for(lambda: here.seen(message, GROUP) == ["👀"])


async def test_a_message_that_is_gone_says_nothing_about_its_chat(loopback_clock: MockClock) -> None:
    async with marker() as here:
        here.react(999, Mark.SEEN)
        message = here.say()
        here.react(message, Mark.SEEN)
        await here.fake.wait_for(lambda: here.seen(message) == ["👀"])


async def test_a_mark_waits_for_the_end_of_a_flood_and_is_lost_with_a_connection(loopback_clock: MockClock) -> None:
    async with marker() as here:
        message, other = here.say(), here.say(GROUP)
        here.fake.set_fault("setMessageReaction", Fault.FLOOD, seconds=20)
        here.react(message, Mark.SEEN)
        await trio.sleep(10)
        here.react(message, Mark.DONE)
        await trio.sleep(5)
        assert here.seen(message) == []
        here.fake.set_fault("setMessageReaction", Fault.DROP_BEFORE)
        here.react(other, Mark.SEEN, GROUP)
        await trio.sleep(60)
        assert (here.seen(message), here.seen(other, GROUP)) == (["👌"], [])


async def test_of_too_many_the_oldest_goes_without(loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "MOST", 3)
    async with marker() as here:
        messages = [here.say() for _ in range(5)]
        for message in messages:
            here.react(message, Mark.SEEN)
        await trio.sleep(60)
        assert here.asked() == messages[2:]
