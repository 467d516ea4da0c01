"""One running turn on the strict fake: its typing, its draft, the button that stops it, and how it does without."""

from functools import partial
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from actors.messages import DeliveryKind, Place, stop_data
from actors.telegram.turn_view import WAITING, WORKING
from tests.actors.telegram.house import CHAT, FORUM, GROUP, PRIVATE, House, house
from tests.fakes.telegram import Fault, Limits, Message
from tests.fakes.telegram_api import methods

STOP = {"inline_keyboard": [[{"text": "Stop", "callback_data": stop_data("t1")}]]}


async def run(here: House, place: Place, seconds: float, text: str = "", every: float = 0.5) -> None:
    """The turn goes on for a while, a word every now and then if it has any."""
    for number in range(int(seconds / every)):
        await here.show(f"{text}{number}" if text else "", place)
        await trio.sleep(every)


def bot_messages(here: House, chat: int) -> list[Message]:
    return [message for message in here.fake.messages(chat) if message.sender is None]


# --- the button -------------------------------------------------------------------------------------------------


async def test_a_preview_in_a_group_has_a_button_to_stop_the_turn_as_long_as_it_runs(loopback_clock: MockClock) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        slug = await here.begin(FORUM)
        await run(here, FORUM, 8, "word ")
        (message,) = bot_messages(here, GROUP)
        assert message.history
        assert message.markup == STOP
        await here.end_progress(FORUM)
        await here.end(slug, "done")
        await here.done()
        await here.until(lambda: here.fake.said(GROUP) == ["done"], timeout=5)
        assert [each.markup for each in bot_messages(here, GROUP)] == [None]


async def test_a_turn_in_a_group_that_has_nothing_to_show_yet_can_be_stopped(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin(FORUM)
        await run(here, FORUM, 2.5)
        assert here.fake.said(GROUP) == []
        await run(here, FORUM, 2)
        (message,) = bot_messages(here, GROUP)
        assert (message.text, message.markup) == (WORKING, STOP)
        await run(here, FORUM, 4, "now ")
        assert here.fake.said(GROUP)[0].startswith("now ")
        assert len(bot_messages(here, GROUP)) == 1


@pytest.mark.parametrize(("place", "chat"), [(PRIVATE, CHAT), (FORUM, GROUP)])
async def test_a_turn_that_waits_for_a_person_does_not_say_that_it_works(
    loopback_clock: MockClock, place: Place, chat: int
) -> None:
    async with house(gateway=False) as here:
        await here.begin(place)
        for waits, said in ((False, WORKING), (True, WAITING), (False, WORKING)):
            for _ in range(10):
                await here.show("", place, waits=waits)
                await trio.sleep(0.5)
            (message,) = bot_messages(here, chat)
            assert (message.text, message.markup) == (said, STOP)


async def test_a_turn_that_has_not_begun_has_no_button_however_long_its_agent_takes(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        for _ in range(8):
            await here.show("", begun=False)
            await trio.sleep(1)
        assert here.fake.actions
        assert bot_messages(here, CHAT) == []
        await here.begin()
        await here.show("")
        await here.until(lambda: [each.markup for each in bot_messages(here, CHAT)] == [STOP], timeout=1)


async def test_a_long_turn_in_a_private_chat_gets_one_silent_message_with_the_button(loopback_clock: MockClock) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        slug = await here.begin()
        await run(here, PRIVATE, 2.5, "word ")
        assert here.fake.said(CHAT) == []
        await run(here, PRIVATE, 12, "word ")
        (message,) = bot_messages(here, CHAT)
        assert (message.text, message.markup, message.silent) == (WORKING, STOP, True)
        assert here.fake.draft(CHAT) is not None
        assert here.rows("SELECT turn, message_id FROM previews") == [("t1", message.id)]
        await here.end_progress()
        await here.end(slug, "the answer")
        await here.done()
        await here.until(lambda: here.fake.said(CHAT) == ["the answer"], timeout=5)
        assert 429 not in {call.status for call in here.fake.calls}


async def test_the_draft_is_back_as_soon_as_the_button_is_there(loopback_clock: MockClock) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        await here.begin()
        await run(here, PRIVATE, 12, "word ", every=0.2)
        (button,) = here.fake.called("sendMessage")
        drafts = [call.at for call in here.fake.called("sendMessageDraft")]
        assert min(at - button.at for at in drafts if at >= button.at) < 0.2
        assert max(later - earlier for earlier, later in pairwise(drafts)) < 4.1  # the next ones pay for both


async def test_a_quick_turn_in_a_private_chat_needs_no_button(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await run(here, PRIVATE, 2, "word ")
        await here.end_progress()
        await here.end(slug, "quick")
        await here.done()
        await trio.sleep(10)
        assert len(here.fake.called("sendMessage")) == 1


@pytest.mark.parametrize("place", [PRIVATE, FORUM])
async def test_a_message_of_which_nobody_knows_whether_it_is_there_is_not_sent_again(
    loopback_clock: MockClock, place: Place
) -> None:
    async with house(gateway=False) as here:
        await here.begin(place)
        here.fake.set_fault("sendMessage", Fault.DROP_AFTER)
        await run(here, place, 20, "word ")
        assert len(here.fake.called("sendMessage")) == 1


async def test_a_message_that_certainly_never_left_is_tried_again(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        here.fake.set_fault("sendMessage", Fault.FLOOD, seconds=5)
        await run(here, PRIVATE, 50, every=2)
        assert [call.status for call in here.fake.called("sendMessage")] == [429, 200]


async def test_what_was_shown_of_a_turn_without_a_final_goes_with_it(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await run(here, PRIVATE, 5)
        assert here.fake.said(CHAT) == [WORKING]
        await here.end(slug)
        await here.end_progress()
        await here.fake.wait_for(lambda: not here.fake.said(CHAT), timeout=2)
        await here.until(lambda: not here.rows("SELECT * FROM previews"), timeout=2)


async def test_a_button_that_cannot_be_deleted_is_taken_off(
    loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await run(here, PRIVATE, 5)
        monkeypatch.setattr(methods, "_TOO_OLD_TO_DELETE", -1)
        await here.end_progress()
        await here.end(slug, "done")
        await here.until(lambda: not here.rows("SELECT * FROM previews"))
        assert [(message.text, message.markup) for message in bot_messages(here, CHAT)] == [
            (WORKING, None),
            ("done", None),
        ]


# --- among others -----------------------------------------------------------------------------------------------


async def test_the_first_picture_in_a_topic_does_not_wait_for_how_far_the_other_topics_have_got(
    loopback_clock: MockClock,
) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        places = [Place("telegram", GROUP, here.fake.open_topic(GROUP, f"Topic {number}")) for number in range(4)]
        waited = []
        for number, place in enumerate(places):
            await here.begin(place, turn=f"t{number}")
            began = trio.current_time()
            await here.show("first", place, turn=f"t{number}")
            posted = partial(lambda count: here.fake.called("sendMessage")[count:], number)
            waited.append((await here.fake.wait_for(posted, timeout=10))[0].at - began)
            for tick in range(20):
                for other in range(number + 1):
                    await here.show(f"{other}, {number} {tick}", places[other], turn=f"t{other}")
                await trio.sleep(0.3)
        assert max(waited) < 1.0
        assert here.fake.called("editMessageText")
        assert 429 not in {call.status for call in here.fake.calls}


async def test_however_many_turns_are_shown_the_first_picture_of_another_is_there_at_once(
    loopback_clock: MockClock,
) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        chats = [CHAT, *range(1000, 1045)]
        for chat in chats:
            here.fake.world.chat(chat)
        for tick in range(32):
            for chat in chats:
                await here.show(f"word {tick}", Place("telegram", chat), turn=f"t{chat}", begun=False)
            await trio.sleep(0.25)
        for chat in chats:
            times = [call.at for call in here.fake.called("sendMessageDraft") if call.params["chat_id"] == chat]
            assert (
                min(late - early for early, late in pairwise(times)) > 3.5
            )  # all have their share of the bot's budget
        await here.show("at once", turn="another")
        await here.fake.wait_for(lambda: here.fake.draft(CHAT) == "at once", timeout=0.2)
        assert 429 not in {call.status for call in here.fake.calls}


# --- where there are no drafts ----------------------------------------------------------------------------------


async def test_an_older_server_shows_a_message_instead_of_a_draft(
    loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(methods._METHODS, "sendMessageDraft")
    async with house(gateway=False) as here:
        slug = await here.begin()
        await run(here, PRIVATE, 8, "word ")
        (message,) = bot_messages(here, CHAT)
        assert message.text.startswith("word ")
        assert message.markup == STOP
        assert len(here.fake.called("sendMessageDraft")) == 1
        await here.end(slug, "done")
        await here.until(lambda: here.fake.said(CHAT) == ["done"])
        assert here.node("/outbox").restarts == 0


async def test_a_draft_refused_later_goes_on_in_the_message_that_is_there(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        await run(here, PRIVATE, 4)
        here.fake.set_fault("sendMessageDraft", Fault.FORBIDDEN)
        await run(here, PRIVATE, 4, "word ")
        (message,) = bot_messages(here, CHAT)
        assert message.text.startswith("word ")
        assert message.history[0] == WORKING


# --- typing -----------------------------------------------------------------------------------------------------


async def test_nobody_is_typing_while_a_person_is_asked(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        await here.show("")
        await here.fake.wait_for(lambda: here.fake.actions)
        for _ in range(6):
            await here.show("", waits=True)
            await trio.sleep(4)
        assert len(here.fake.actions) == 1
        await here.show("")
        await here.fake.wait_for(lambda: len(here.fake.actions) == 2, 1)


async def test_a_typing_that_hangs_holds_up_no_draft(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendChatAction", Fault.HANG_BEFORE, seconds=10)
        await here.begin()
        await here.show("at once")
        await here.fake.wait_for(lambda: here.fake.draft(CHAT) == "at once", timeout=1)


async def test_nothing_at_all_is_asked_of_a_chat_in_its_flood_wait(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        here.fake.set_fault("sendChatAction", Fault.FLOOD, seconds=30)
        await run(here, PRIVATE, 29, "word ", every=1)
        during = [call for call in here.fake.calls if "chat_id" in call.params]
        assert all(call.at < 1 for call in during)
        await run(here, PRIVATE, 6, every=1)
        assert [action.at for action in here.fake.actions if action.at >= 30]


async def test_a_chat_in_which_nobody_may_type_is_not_asked_on(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        thread = here.fake.open_topic(GROUP, "Closed")
        here.fake.close_topic(GROUP, thread)
        place = Place("telegram", GROUP, thread)
        await here.begin(place)
        await run(here, place, 20, every=1)
        assert len(here.fake.called("sendChatAction")) == 1
        assert len(here.fake.called("sendMessage")) == 1


# --- ends that are none -----------------------------------------------------------------------------------------


async def test_a_turn_that_is_tried_again_after_its_room_gave_up_is_shown_again(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await here.show("first try")
        await here.fake.wait_for(lambda: here.fake.draft(CHAT))
        await here.fail(slug, "The room gave up.")
        await here.done()
        await here.show("late")
        await trio.sleep(10)
        assert here.fake.draft(CHAT) is None
        await here.show("second try")
        await here.fake.wait_for(lambda: here.fake.draft(CHAT) == "second try")


async def test_a_question_does_not_end_what_is_shown(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await here.show("before")
        await here.question(slug, "Which?")
        await here.done()
        await here.show("after")
        await here.fake.wait_for(lambda: here.fake.draft(CHAT) == "after")
        assert here.rows("SELECT kind, turn FROM deliveries") == [(DeliveryKind.QUESTION, "t1")]
