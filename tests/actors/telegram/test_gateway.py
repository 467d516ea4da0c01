"""The gateway between the strict fake and the store's records: what comes in once, what never does, what it answers."""

import logging
from functools import partial

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    Access,
    BeginTurn,
    Button,
    DeliveryKind,
    GetAccess,
    Mark,
    NewDelivery,
    OutboxMessage,
    React,
    Wake,
)
from actors.telegram.gateway import PRIVACY
from actors.telegram.updates import UNSUPPORTED
from supervisor import Actor, ChildSpec, Mailbox, Overflow, State, Supervisor
from tests.actors.telegram.house import CHAT, GATEWAY, GROUP, PRIVATE, House, Store, house
from tests.fakes.telegram import AlbumFile, Fault, User

BOB = User(88, "Bob")
US = "@dispatch_test_bot"
NEW = -1009
PICTURE = AlbumFile(b"picture")


class Notes(Actor[OutboxMessage]):
    """An outbox that notes what it is told, and sends nothing."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, told: list[OutboxMessage]) -> None:
        self._told = told

    async def receive(self, message: OutboxMessage) -> None:
        self._told.append(message)


async def notes(here: House) -> list[OutboxMessage]:
    """What the outbox is told from now on."""
    told: list[OutboxMessage] = []
    await here.system.start_child("/", ChildSpec("outbox", Supervisor(ChildSpec("telegram", partial(Notes, told)))))
    return told


async def taken(here: House) -> None:
    """All that people did has been taken and confirmed."""
    await here.until(here.ready.is_set)
    await here.until(lambda: not here.fake.world.updates)


def texts(here: House) -> list[object]:
    return [text for (text,) in here.rows("SELECT text FROM inbound ORDER BY id")]


async def access(here: House) -> Access:
    return await here.system.ref("/store", Store).ask(GetAccess(front="telegram"), timeout=5)


# --- messages ---------------------------------------------------------------------------------------------------------


async def test_a_message_is_accepted_and_its_room_woken(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        told = await notes(here)
        update = here.fake.say(CHAT, "build it")
        await here.until(lambda: here.woken)
        (queued,) = (await here.work("ann")).queue
        assert (here.woken, queued.text, queued.name, queued.owner) == (["ann"], "build it", "Ann", True)
        assert here.rows("SELECT key FROM inbound") == [(f"telegram:4242:{update}",)]
        assert here.doing(GATEWAY) == "listening as @dispatch_test_bot"
        assert told == [React(place=PRIVATE, message_id=queued.message_id or 0, mark=Mark.SEEN)]


async def test_each_topic_is_a_room_and_is_named_for_it(loopback_clock: MockClock) -> None:
    async with house() as here:
        for name in ("Backend", "Garden"):
            here.fake.say(GROUP, f"hello {name}", thread=here.fake.open_topic(GROUP, name))
        here.fake.say(GROUP, f"{US} hello all")
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
        assert texts(here) == ["once"]


async def test_a_restart_before_the_confirmation_brings_the_update_again(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        told = await notes(here)
        await here.until(here.ready.is_set)
        here.fake.set_fault("getUpdates", Fault.SERVER_ERROR, times=2)  # the polls that would confirm it
        here.fake.say(CHAT, "once")
        await here.until(lambda: here.woken)
        assert here.fake.world.updates
        await here.system.restart_child(GATEWAY)
        await here.until(lambda: len(here.woken) == 2)
        assert texts(here) == ["once"]
        assert len(told) == 1, "what is seen again gets no second mark"


async def test_what_was_said_while_the_service_was_down_is_taken_with_its_time(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        for words in ("one", "two"):
            here.fake.say(CHAT, words)
        said = [message.at for message in here.fake.messages(CHAT)]
        await trio.sleep(3600)
        await here.start_gateway()
        await taken(here)
        assert texts(here) == ["one", "two"]
        assert here.rows("SELECT at FROM inbound") == [(float(here.fake.world.unix(at)),) for at in said]


async def test_a_full_room_says_so_through_the_outbox(loopback_clock: MockClock) -> None:
    async with house() as here:
        for text in ("one", "two", "three"):
            here.fake.say(CHAT, text)
        (refusal,) = await here.fake.wait_for(lambda: here.fake.said(CHAT))
        assert refusal.startswith("This message was not taken")
        assert here.woken == ["ann", "ann", "ann"]


async def test_an_album_and_forwards_with_their_comment_are_bursts(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.send_album(CHAT, [PICTURE, PICTURE], caption="these")
        here.fake.say(CHAT, "and what he says:")
        for words in ("no", "yes"):
            here.fake.forward(CHAT, words, origin=BOB)
        await here.start_gateway()
        await taken(here)
        queue = (await here.work("ann")).queue
        assert [(queued.text, queued.quoted, len(queued.attachments)) for queued in queue] == [
            ("these", "", 1),
            ("", "", 1),
            ("and what he says:", "", 0),
            ("no", "forwarded from Bob", 0),
            ("yes", "forwarded from Bob", 0),
        ]
        bursts = [queued.burst for queued in queue]
        assert bursts[0] == bursts[1]
        assert bursts[2] == bursts[3] == bursts[4]
        assert len(set(bursts)) == 2


async def test_in_a_plain_group_only_what_is_addressed_is_heard(loopback_clock: MockClock) -> None:
    async with house(groups=frozenset({-7}), gateway=False, outbox=False) as here:
        here.fake.open_group(-7, "Shop")
        for words in ("lunch?", f"and {US} too", "/stop", "/nonsense"):
            here.fake.say(-7, words)
        here.fake.send_album(-7, [PICTURE, PICTURE], caption=f"{US} look")
        here.fake.send_album(-7, [PICTURE, PICTURE], caption="yum")
        here.fake.send_thing(-7, "dice")
        await here.start_gateway()
        await taken(here)
        assert texts(here) == [f"and {US} too", "/stop", "look", ""]
        assert not here.fake.called("sendMessage")


async def test_what_is_not_understood_gets_one_polite_line(loopback_clock: MockClock) -> None:
    async with house() as here:
        for _ in range(3):
            here.fake.send_thing(CHAT, "dice")
        here.fake.say(CHAT, "and this")
        await here.until(lambda: here.woken)
        await here.fake.wait_for(lambda: here.fake.said(CHAT) == [UNSUPPORTED])
        assert texts(here) == ["and this"]


async def test_a_courtesy_that_hangs_does_not_hold_up_the_poll(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.set_fault("setMyCommands", Fault.HANG_BEFORE, seconds=1000)
        here.fake.say(CHAT, "and this")
        before = trio.current_time()
        await here.start_gateway()
        await here.until(lambda: here.woken)
        assert trio.current_time() - before < 5


async def test_people_are_shown_what_commands_there_are(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.fake.wait_for(lambda: here.fake.world.commands)
        assert {"command": "stop", "description": "end the running turn, hold what waits"} in here.fake.world.commands


# --- edits and presses ------------------------------------------------------------------------------------------------


def last_message(here: House, chat: int = CHAT) -> int:
    return here.fake.messages(chat)[-1].id


async def test_an_edit_changes_what_waits(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        told = await notes(here)
        here.fake.say(CHAT, "build it")
        await taken(here)
        here.fake.edit(CHAT, last_message(here), "burn it")
        await taken(here)
        assert texts(here) == ["burn it"]
        assert Wake() not in told


async def test_an_edit_that_comes_too_late_is_told_to_be(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        told = await notes(here)
        here.fake.say(CHAT, "build it")
        await taken(here)
        (queued,) = (await here.work("ann")).queue
        begin = BeginTurn(slug="ann", turn="t1", attempt=1, inbounds=(queued.id,), leaf_before=None)
        await here.system.ref("/store", Store).ask(begin, timeout=5)
        here.fake.edit(CHAT, last_message(here), "burn it")
        await here.until(lambda: Wake() in told)
        assert texts(here) == ["build it"]


async def shown_button(here: House, command: str) -> tuple[int, str]:
    """A message with one button; its id and the button's data."""
    note = NewDelivery(kind=DeliveryKind.NOTE, text="Shall I?", buttons=((Button(label="Do", command=command),),))
    await here.tell("ann", note)

    def find() -> tuple[int, str] | None:
        for message in reversed(here.fake.messages(CHAT)):
            for row in (message.markup or {}).get("inline_keyboard", ()):
                return message.id, row[0]["callback_data"]
        return None

    found = await here.fake.wait_for(find)
    assert found is not None
    return found


async def test_a_press_is_a_command_and_is_answered(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(CHAT, "hello")
        await taken(here)
        message, data = await shown_button(here, "log")
        here.woken.clear()
        press = here.fake.press(CHAT, message, data)
        await here.fake.wait_for(lambda: here.fake.answer(press) == "Looking it up.")
        (command,) = (await here.work("ann")).commands
        assert (command.command, command.person, command.owner) == ("log", CHAT, True)
        assert here.woken == ["ann"]


async def test_a_press_of_a_stranger_is_answered_with_nothing(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(CHAT, "hello")
        await taken(here)
        message, data = await shown_button(here, "log")
        press = here.fake.press(CHAT, message, data, sender=BOB)
        await here.fake.wait_for(lambda: here.fake.answer(press) == "")
        assert (await here.work("ann")).commands == ()


async def test_a_press_of_what_is_gone_is_answered(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        here.fake.world.chat(CHAT)
        press = here.fake.press(CHAT, 999, "b:1:0", late=True)
        await here.fake.wait_for(lambda: here.fake.answer(press) == "This button is no longer of use.")


async def test_an_answer_that_hangs_does_not_hold_up_the_poll(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.fake.set_fault("answerCallbackQuery", Fault.HANG_BEFORE, times=99, seconds=1000)
        for _ in range(10):
            here.fake.press(CHAT, 999, "b:1:0", late=True)
        here.fake.say(CHAT, "and this")
        before = trio.current_time()
        await here.start_gateway()
        await here.until(lambda: here.woken)
        assert trio.current_time() - before < 5
        await trio.sleep(60)
        assert here.node(GATEWAY).restarts == 0


# --- who may speak ----------------------------------------------------------------------------------------------------


async def closed(here: House) -> None:
    """Strangers cannot ask to be let in."""
    here.settings = msgspec.structs.replace(here.settings, pairing=False)
    await here.start_gateway()


async def test_a_stranger_gets_nothing_and_is_logged_once(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(gateway=False) as here:
        with caplog.at_level(logging.INFO):
            for text in ("hello", "/start", "hello?"):
                here.fake.say(BOB.id, text, sender=BOB)
            here.fake.send_file(BOB.id, b"x", sender=BOB)
            here.fake.send_thing(BOB.id, "dice", sender=BOB)
            await closed(here)
            await taken(here)
        refusals = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
        assert refusals == ["a message is refused: person 88 is neither in [telegram] allowed_user_ids nor approved"]
        assert {call.method for call in here.fake.calls} <= {"getMe", "getUpdates", "setMyCommands"}
        assert (here.woken, here.rows("SELECT * FROM inbound")) == ([], [])


async def test_an_allowed_person_is_not_heard_in_a_group_that_is_not(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(-7, f"{US} psst")
        here.fake.say(GROUP, f"{US} I am Bob", sender=BOB)
        here.fake.say_anonymously(GROUP, f"{US} I am nobody")
        here.fake.post_in_linked_channel(GROUP, f"{US} news")
        here.fake.say(GROUP, f"{US} aloud")
        await here.until(lambda: here.woken)
        assert texts(here) == ["aloud"]


async def test_a_stranger_who_floods_knocks_once_a_minute(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        told = await notes(here)
        for _ in range(5):
            here.fake.say(BOB.id, "let me in", sender=BOB)
        await here.start_gateway()
        await taken(here)
        assert told == [Wake()]
        assert here.rows("SELECT person, decider FROM pairings") == [(BOB.id, CHAT)]
        await trio.sleep(61)
        here.fake.say(BOB.id, "please", sender=BOB)
        await taken(here)
        assert told == [Wake(), Wake()]
        assert texts(here) == []


async def test_the_owner_lets_somebody_in_and_they_are_heard_at_once(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(BOB.id, "let me in", sender=BOB)
        await here.fake.wait_for(lambda: here.fake.said(BOB.id))
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        here.fake.tap(CHAT, "Approve")
        here.fake.say(BOB.id, "thanks", sender=BOB)  # in the same batch as the press
        await here.until(lambda: here.woken)
        assert texts(here) == ["thanks"]
        assert [person.id for person in (await access(here)).people] == [BOB.id]


async def test_only_the_owner_lets_people_in(loopback_clock: MockClock) -> None:
    async with house(users=frozenset({CHAT, 99})) as here:
        here.fake.say(BOB.id, "let me in", sender=BOB)
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        (message,) = [message for message in here.fake.messages(CHAT) if message.markup]
        (row,) = (message.markup or {})["inline_keyboard"]
        press = here.fake.press(CHAT, message.id, row[0]["callback_data"], sender=User(99, "Eve"))
        await here.fake.wait_for(lambda: here.fake.answer(press) == "Only the owner decides that.")
        assert (await access(here)).people == ()


# --- places that change -----------------------------------------------------------------------------------------------


async def test_a_group_is_offered_to_the_owner(loopback_clock: MockClock) -> None:
    async with house() as here:
        await here.until(here.ready.is_set)
        here.fake.add_bot(-7, "Bar")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        here.fake.tap(CHAT, "Allow")
        here.fake.say(-7, f"{US} cheers")
        await here.until(lambda: here.woken)
        assert texts(here) == ["cheers"]


async def test_a_group_that_gets_another_id_stays_the_same_room(loopback_clock: MockClock) -> None:
    async with house() as here:
        here.fake.say(GROUP, f"{US} before")
        await here.until(lambda: here.woken)
        here.fake.migrate(GROUP, NEW)
        await here.fake.wait_for(lambda: here.fake.said(CHAT))  # the configuration names the old id
        here.fake.tap(CHAT, "Allow")
        here.fake.say(NEW, f"{US} after")
        await here.until(lambda: texts(here) == ["before", "after"])
        assert set(here.woken) == {"forum"}


async def test_a_topic_that_is_renamed_renames_its_room(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        here.fake.say(GROUP, "hello", thread=thread)
        await taken(here)
        here.fake.rename_topic(GROUP, thread, "Core")
        await taken(here)
        assert (await here.work("backend")).room.title == "Core"


@pytest.mark.parametrize(
    ("reads_all", "rights", "said"), [(False, None, [PRIVACY]), (True, None, []), (False, {"can_pin_messages"}, [])]
)
async def test_where_telegram_keeps_a_groups_talk_from_us_we_say_so(
    loopback_clock: MockClock, reads_all: bool, rights: set[str] | None, said: list[str]
) -> None:
    async with house(groups=frozenset({-7}), outbox=False) as here:
        await notes(here)
        here.fake.world.bot["can_read_all_group_messages"] = reads_all
        here.fake.open_group(-7, "Bar", rights=rights)
        here.fake.say(CHAT, "/listen all")
        here.fake.say(-7, "/listen mentions")
        here.fake.say(-7, f"/listen{US} all")
        await taken(here)
        await trio.sleep(5)
        assert [text for (text,) in here.rows("SELECT text FROM deliveries")] == said


# --- trouble ----------------------------------------------------------------------------------------------------------


async def test_a_wrong_token_fails_the_node_with_the_mend(loopback_clock: MockClock) -> None:
    async with house(token="4242:wrong", outbox=False) as here:
        await here.until(lambda: here.node("/front").state is State.FAILED)
        assert here.ready.is_set()
        error = here.node("/front").error or ""
        assert "TELEGRAM_BOT_TOKEN" in error
        assert "@BotFather" in error
        assert "4242:wrong" not in error
        assert here.node("/store").state is State.RUNNING


async def test_a_lost_connection_is_waited_out(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        async with here.fake.refusing():
            await trio.sleep(120)
            assert "unreachable since" in here.doing(GATEWAY)
        here.fake.say(CHAT, "back")
        await here.until(lambda: here.woken)
        assert here.node(GATEWAY).restarts == 0


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
        broken = here.fake.world.push("message", {"message_id": "no message at all"})
        here.fake.say(CHAT, "after")
        await here.until(lambda: len(here.woken) == 2)
        assert f"update {broken} is skipped" in caplog.text
        assert texts(here) == ["before", "after"]


async def test_a_stop_does_not_wait_for_the_poll(loopback_clock: MockClock) -> None:
    async with house(outbox=False) as here:
        await here.until(here.ready.is_set)
        await trio.sleep(1)
        before = trio.current_time()
        await here.system.terminate_child(GATEWAY)
        assert trio.current_time() - before < 1
