"""The gateway between the strict fake and the real store: what comes in once, what never does, and what it survives."""

import logging

import pytest
import trio
from trio.testing import MockClock

from actors.telegram.gateway import UNSUPPORTED
from supervisor import State
from tests.actors.telegram.house import CHAT, GATEWAY, GROUP, house
from tests.contracts.telegram_bot import client
from tests.fakes.telegram import Fault, User

BOB = User(88, "Bob")


async def test_a_message_is_accepted_and_its_room_woken(loopback_clock: MockClock) -> None:
    async with house() as here:
        update = here.fake.say(CHAT, "build it")
        await here.until(lambda: here.woken)
        (queued,) = (await here.work("ann")).queue
        assert (here.woken, queued.text, queued.name, queued.person) == (["ann"], "build it", "Ann", CHAT)
        assert here.rows("SELECT key FROM inbound") == [(f"telegram:4242:{update}",)]
        assert here.doing(GATEWAY) == "listening as @dispatch_test_bot"


async def test_each_topic_is_a_room_and_is_named_for_it(loopback_clock: MockClock) -> None:
    async with house() as here:
        for name in ("Backend", "Garden"):
            here.fake.say(GROUP, f"hello {name}", thread=here.fake.open_topic(GROUP, name))
        here.fake.say(GROUP, "hello all")
        await here.until(lambda: len(here.woken) == 3)
        assert here.woken == ["backend", "garden", "forum"]


async def test_what_comes_twice_is_taken_once(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("getUpdates", Fault.DROP_AFTER)
        here.fake.say(CHAT, "once")
        await here.start_gateway()
        await here.until(lambda: here.woken)
        await here.system.restart_child(GATEWAY)  # before the next poll has confirmed it, or after: it is one
        here.fake.world.updates.extend(here.fake.world.updates[:1])
        await trio.sleep(60)
        assert here.rows("SELECT text FROM inbound") == [("once",)]


async def test_a_restart_before_the_confirmation_brings_the_update_again(loopback_clock: MockClock) -> None:
    async with house() as here:
        await here.until(here.ready.is_set)
        here.fake.set_fault("getUpdates", Fault.SERVER_ERROR, times=2)  # the polls that would confirm it
        here.fake.say(CHAT, "once")
        await here.until(lambda: here.woken)
        assert here.fake.world.updates
        await here.system.restart_child(GATEWAY)
        await here.until(lambda: len(here.woken) == 2)
        assert here.rows("SELECT text FROM inbound") == [("once",)]


async def test_a_stranger_gets_nothing_and_is_logged_once(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house() as here:
        with caplog.at_level(logging.INFO):
            for text in ("hello", "/start", "hello?"):
                here.fake.say(BOB.id, text, sender=BOB)
            here.fake.send_file(BOB.id, b"x", sender=BOB)
            await here.until(lambda: here.ready.is_set() and not here.fake.world.updates)
        refusals = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
        assert refusals == ["a message is refused: person 88 is not in [telegram] allowed_user_ids"]
        assert {call.method for call in here.fake.calls} == {"getMe", "getUpdates"}
        assert (here.woken, here.rows("SELECT * FROM inbound")) == ([], [])


async def test_an_allowed_person_is_not_heard_in_a_group_that_is_not(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(-7, "psst")
        here.fake.say(GROUP, "I am Bob", sender=BOB)
        here.fake.say(GROUP, "aloud")
        await here.until(lambda: here.woken)
        assert here.rows("SELECT text FROM inbound") == [("aloud",)]


async def test_a_photo_gets_one_polite_line(loopback_clock: MockClock) -> None:
    async with house() as here:
        for _ in range(3):
            here.fake.send_file(CHAT, b"x", kind="photo")
        here.fake.say(CHAT, "and this")
        await here.until(lambda: here.woken)
        assert here.fake.said(CHAT) == [UNSUPPORTED]
        assert here.rows("SELECT text FROM inbound") == [("and this",)]


async def test_a_full_room_says_so_through_the_outbox(loopback_clock: MockClock) -> None:
    async with house() as here:
        for text in ("one", "two", "three"):
            here.fake.say(CHAT, text)
        (refusal,) = await here.fake.wait_for(lambda: here.fake.said(CHAT))
        assert refusal.startswith("This message was not taken")
        assert here.woken == ["ann", "ann", "ann"]


async def test_a_wrong_token_fails_the_node_with_the_mend(loopback_clock: MockClock) -> None:
    async with house(token="4242:wrong", outbox=False) as here:
        await here.until(lambda: here.node("/front").state is State.FAILED)
        assert here.ready.is_set()
        error = here.node("/front").error or ""
        assert "TELEGRAM_BOT_TOKEN" in error
        assert "@BotFather" in error
        assert "4242:wrong" not in error
        assert here.node("/store").state is State.RUNNING


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.CONFLICT, "another program polls this bot (409)"),
        (Fault.SERVER_ERROR, "unreachable since"),
        (Fault.DROP_BEFORE, "unreachable since"),
        (Fault.FLOOD, "silence for 7 s"),
    ],
)
async def test_trouble_passes(loopback_clock: MockClock, fault: Fault, words: str) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.set_fault("*", fault, times=3, seconds=7)
        await here.start_gateway()
        await here.until(lambda: words in here.doing(GATEWAY))
        assert here.ready.is_set()
        here.fake.say(CHAT, "still there?")
        await here.until(lambda: here.woken)
        assert here.node(GATEWAY).restarts == 0
        assert here.doing(GATEWAY) == "listening as @dispatch_test_bot"


async def test_a_flood_wait_is_obeyed_to_the_second(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.set_fault("getUpdates", Fault.FLOOD, seconds=7)
        await here.start_gateway()
        await here.fake.wait_for(lambda: len(here.fake.called("getUpdates")) == 2, timeout=60)
        first, second = here.fake.called("getUpdates")
        assert second.at - first.at >= 7


async def test_a_lost_connection_is_waited_out(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        async with here.fake.refusing():
            await trio.sleep(600)
            assert "unreachable since" in here.doing(GATEWAY)
        here.fake.say(CHAT, "back")
        await here.until(lambda: here.woken)
        assert here.node(GATEWAY).restarts == 0


async def test_a_webhook_is_deleted(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.world.webhook = "https://elsewhere"
        here.fake.say(CHAT, "kept")
        await here.start_gateway()
        await here.until(lambda: here.woken)
        assert here.fake.world.webhook == ""


async def test_another_poller_is_named_and_outlasted(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(outbox=False) as here, client(here.fake) as other:
        await here.until(here.ready.is_set)
        await trio.sleep(1)  # into the long poll
        await other.get_updates()
        await here.until(lambda: "another program polls this bot (409)" in caplog.text)
        here.fake.say(CHAT, "mine")
        await here.until(lambda: here.woken)


async def test_nothing_is_confirmed_while_the_store_is_down(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        await here.system.terminate_child("/store")
        update = here.fake.say(CHAT, "keep me")
        await trio.sleep(30)
        assert [each["update_id"] for each in here.fake.world.updates] == [update]
        await here.system.restart_child("/store")
        await here.until(lambda: here.woken)
        await here.fake.wait_for(lambda: not here.fake.world.updates)


async def test_an_update_that_nobody_can_read_is_skipped(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(outbox=False) as here:
        here.fake.say(CHAT, "before")
        here.fake.world.push("message", {"message_id": "no message at all"})
        here.fake.say(CHAT, "after")
        await here.until(lambda: len(here.woken) == 2)
        assert "update 1001 is skipped" in caplog.text
        assert here.rows("SELECT text FROM inbound ORDER BY id") == [("before",), ("after",)]


async def test_a_stop_does_not_wait_for_the_poll(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        await trio.sleep(1)
        before = trio.current_time()
        await here.system.terminate_child(GATEWAY)
        assert trio.current_time() - before < 1
