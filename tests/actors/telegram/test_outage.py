"""A full disk, as people hear of it: once in each chat, and then everything is taken, in order and once."""

import pytest
import trio
from telegram import Update
from trio.testing import MockClock

from actors.telegram.outage import AT_FIRST, LOOK_EVERY
from actors.telegram.polling import Poller
from supervisor import State
from tests.actors.telegram.house import CHAT, GATEWAY, GROUP, House, house
from tests.fakes.telegram import Fault, User

BOB = User(88, "Bob")
EVE = User(99, "Eve")
US = "@dispatch_test_bot"
WORD = "The disk of the service is full: your message is not taken yet; it will be as soon as there is space."


def said(here: House, chat: int, thread: int | None = None) -> list[str]:
    return here.fake.said(chat, thread)


def texts(here: House) -> list[object]:
    return [text for (text,) in here.rows("SELECT text FROM inbound ORDER BY id")]


async def test_each_chat_hears_of_it_once_and_everything_is_taken_in_order(loopback_clock: MockClock) -> None:
    async with house(users=frozenset({CHAT, BOB.id}), outbox=False) as here:
        await here.until(here.ready.is_set)
        here.fill_disk()
        here.fake.say(CHAT, "one")
        here.fake.say(CHAT, "two")
        here.fake.say(EVE.id, "let me in", sender=EVE)
        await here.until(lambda: said(here, CHAT))
        topic = here.fake.open_topic(GROUP, "Backend")
        here.fake.say(GROUP, "not for the bot", sender=BOB)
        here.fake.say(GROUP, "three", thread=topic)
        here.fake.say(BOB.id, "four", sender=BOB)  # written while it lasts: nobody polls for it
        await here.until(lambda: said(here, BOB.id) and said(here, GROUP, topic))
        await trio.sleep(4 * LOOK_EVERY)
        assert [said(here, chat) for chat in (CHAT, BOB.id, EVE.id, GROUP)] == [[WORD], [WORD], [], []]
        assert said(here, GROUP, topic) == [WORD]
        assert texts(here) == []
        assert len(here.fake.world.updates) >= 6, "nothing is confirmed"
        doing = here.doing(GATEWAY)
        assert doing == "listening as @dispatch_test_bot; nothing is taken, because the disk of the service is full"
        here.free_disk()
        await here.until(lambda: not here.fake.world.updates)
        assert texts(here) == ["one", "two", "three", "four"]
        assert here.doing(GATEWAY) == "listening as @dispatch_test_bot"
        assert (here.node(GATEWAY).state, here.node(GATEWAY).restarts) == (State.RUNNING, 0)
        assert [len(said(here, chat)) for chat in (CHAT, BOB.id)] == [1, 1]
        assert {call.status for call in here.fake.called("getUpdates")} <= {200, None}, "one poll at a time"


async def test_each_outage_is_said(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        for number in (1, 2):
            here.fill_disk()
            here.fake.say(CHAT, str(number))
            await here.until(lambda number=number: len(said(here, CHAT)) == number)  # type: ignore[misc]
            here.free_disk()
            await here.until(lambda: not here.fake.world.updates)
        assert texts(here) == ["1", "2"]


async def test_a_moment_is_not_worth_a_word(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        here.fill_disk()
        here.fake.say(CHAT, "one")
        await here.until(lambda: here.fake.world.updates)
        here.free_disk()
        await here.until(lambda: texts(here))
        await trio.sleep(AT_FIRST + LOOK_EVERY)
        assert said(here, CHAT) == []


async def test_who_blocked_the_bot_or_leaves_it_waiting_holds_up_nobody(loopback_clock: MockClock) -> None:
    async with house(users=frozenset({CHAT, BOB.id}), outbox=False) as here:
        await here.until(here.ready.is_set)
        here.fake.set_fault("sendMessage", Fault.FORBIDDEN, 1)
        here.fill_disk()
        here.fake.say(CHAT, "one")
        here.fake.say(BOB.id, "two", sender=BOB)
        await here.until(lambda: said(here, BOB.id))
        here.free_disk()
        await here.until(lambda: not here.fake.world.updates)
        assert texts(here) == ["one", "two"]


async def test_nobody_polls_before_the_look_at_what_waits_has_ended(
    loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    batch = Poller.batch

    async def polling(self: Poller) -> tuple[Update, ...]:
        events.append("poll")
        return await batch(self)

    async def looking(self: Poller) -> tuple[Update, ...]:
        events.append("look")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):  # a connection takes its time to close
                await trio.sleep(2)
            events.append("looked")

    monkeypatch.setattr(Poller, "batch", polling)
    monkeypatch.setattr(Poller, "peek", looking)
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        here.fill_disk()
        here.fake.say(CHAT, "one")
        await here.until(lambda: "look" in events)
        here.free_disk()
        await here.until(lambda: events[-1] == "poll")
        assert events[events.index("look") :][:3] == ["look", "looked", "poll"]
        here.fill_disk()  # and the next outage has a word of its own
        here.fake.say(CHAT, "two")
        await here.until(lambda: events.count("look") == 2)
        here.free_disk()
        await here.until(lambda: not here.fake.world.updates)
