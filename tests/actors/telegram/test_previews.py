"""Running turns on the strict fake, through the outbox: typing, drafts, preview messages, and what is left of them."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from actors.messages import Place
from actors.telegram import previews
from tests.actors.telegram.house import CHAT, FORUM, GROUP, OUTBOX, house
from tests.fakes.telegram import Fault, Limits


async def test_typing_begins_at_once_is_repeated_and_ends(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        place = Place("telegram", GROUP, thread)
        await here.begin(place)
        for _ in range(3):
            await here.show("", place)
            await trio.sleep(5)
        await here.end_progress(place)
        await trio.sleep(30)
        times = [action.at for action in here.fake.actions]
        assert {(action.thread, action.action) for action in here.fake.actions} == {(thread, "typing")}
        assert len(times) == 4
        assert all(3.9 <= later - earlier <= 4.5 for earlier, later in pairwise(times))


async def test_a_turn_that_falls_silent_stops_typing(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        await here.show("")
        await trio.sleep(60)
        assert len(here.fake.actions) == 4  # at 0, 4, 8 and 12 seconds


async def test_a_private_chat_is_shown_drafts(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        for text in ("The", "The answer", "The answer grows"):
            await here.show(text, tools=("bash: ls",))
            await trio.sleep(2)
        assert here.fake.draft(CHAT) == "The answer grows\n\nbash: ls"
        await here.end_progress()
        await here.end(slug, "The answer")
        await here.done()
        assert (here.fake.draft(CHAT), here.fake.said(CHAT)) == (None, ["The answer"])
        assert len({call.params["draft_id"] for call in here.fake.called("sendMessageDraft")}) == 1
        await here.show("too late")
        await trio.sleep(10)
        assert here.fake.draft(CHAT) is None


async def test_a_draft_outlives_a_long_tool(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.begin()
        for _ in range(12):
            await here.show("thinking hard")
            await trio.sleep(5)
        assert here.fake.draft(CHAT) == "thinking hard"
        # The second is for the message with the button, which has taken the first off the screen.
        assert [round(call.at) for call in here.fake.called("sendMessageDraft")] == [0, 3, 28, 53]


async def test_a_group_sees_one_silent_message_that_grows_and_goes(loopback_clock: MockClock) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        slug = await here.begin(FORUM)
        for number in range(40):
            await here.show("word " * number, FORUM)
            await trio.sleep(0.25)
        (preview,) = here.fake.messages(GROUP)
        assert 3 <= len(preview.history) <= 5
        assert here.fake.called("sendMessage")[0].params["disable_notification"] is True
        assert here.rows("SELECT turn, message_id FROM previews") == [("t1", preview.id)]
        await here.end_progress(FORUM)
        await here.end(slug, "The answer")
        await here.done()
        await here.until(lambda: not here.rows("SELECT * FROM previews"), timeout=5)  # long before the next sweep
        assert here.fake.said(GROUP) == ["The answer"]
        assert 429 not in {call.status for call in here.fake.calls}


async def test_a_quick_answer_needs_no_preview_in_a_group(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        await here.show("qui", FORUM)
        await trio.sleep(0.5)
        await here.end_progress(FORUM)
        await here.end(slug, "quick")
        await here.done()
        assert len(here.fake.called("sendMessage")) == 1


async def test_a_preview_waits_for_its_final_before_it_goes(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        await here.show("soon", FORUM)
        await here.fake.wait_for(lambda: here.fake.said(GROUP))
        here.fake.set_fault("sendMessage", Fault.FLOOD, seconds=70)
        await here.end_progress(FORUM)
        await here.end(slug, "final")
        await trio.sleep(65)  # a sweep came by
        assert here.fake.said(GROUP) == ["soon"]
        await here.done()
        await here.until(lambda: here.fake.said(GROUP) == ["final"])


async def test_a_preview_that_a_crash_left_behind_is_swept_up(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        await here.show("half an ans", FORUM)
        await here.until(lambda: here.rows("SELECT * FROM previews"))
        await here.system.terminate_child(OUTBOX)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(here, "wake", trio.lowlevel.checkpoint)
            await here.end(slug)
        await here.system.restart_child(OUTBOX)
        await here.until(lambda: not here.rows("SELECT * FROM previews"))
        assert here.fake.said(GROUP) == []


async def test_every_preview_of_a_resumed_turn_goes(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        for text in ("before the crash", "after the crash"):
            await here.show(text, FORUM)
            await here.fake.wait_for(lambda text=text: text in here.fake.said(GROUP))  # type: ignore[misc]
            await here.system.restart_child(OUTBOX)
        assert len(here.fake.said(GROUP)) == 2
        await here.end(slug, "final")
        await here.until(lambda: here.fake.said(GROUP) == ["final"])
        assert here.rows("SELECT * FROM previews") == []


async def test_a_preview_that_cannot_be_deleted_now_goes_later_though_another_one_went(
    loopback_clock: MockClock,
) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        for text in ("before the crash", "after the crash"):
            await here.show(text, FORUM)
            await here.fake.wait_for(lambda text=text: text in here.fake.said(GROUP))  # type: ignore[misc]
            await here.system.restart_child(OUTBOX)
        here.fake.set_fault("deleteMessage", Fault.DROP_BEFORE)
        await here.end(slug, "final")
        await here.until(lambda: here.fake.said(GROUP) == ["final"])
        assert here.rows("SELECT * FROM previews") == []


async def test_previews_that_fail_hurt_nobody(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessageDraft", Fault.FORBIDDEN)
        here.fake.set_fault("sendChatAction", Fault.DROP_BEFORE, times=2)
        here.fake.set_fault("editMessageText", Fault.SERVER_ERROR)
        slug = await here.begin()
        forum = await here.begin(FORUM, turn="t2")
        for number in range(6):
            await here.show(f"private {number}")
            await here.show(f"forum {number}", FORUM, turn="t2")
            await trio.sleep(4)
        assert len(here.fake.called("sendMessageDraft")) == 1  # a person who blocks us needs no second
        assert here.fake.said(GROUP) == ["forum 5"]  # a lost edit is made up by the next
        await here.end(slug, "one")
        await here.end(forum, "two", turn="t2")
        await here.done(2)
        assert here.node(OUTBOX).restarts == 0


async def test_a_flooded_preview_leaves_the_chat_alone(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessageDraft", Fault.FLOOD, seconds=10)
        await here.begin()
        for number in range(6):
            await here.show(f"text {number}")
            await trio.sleep(5)
        assert len(here.fake.called("sendMessageDraft")) == 1  # flooded for 10 s and then at rest for 30


async def test_the_turn_that_was_quiet_longest_makes_way(
    loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "MOST_TURNS", 4)
    async with house(gateway=False) as here:
        places = [Place("telegram", chat) for chat in range(1000, 1006)]
        for place in places:
            here.fake.world.chat(place.chat)
            await here.begin(place, turn=str(place))
            await here.show("", place, turn=str(place))
            await trio.sleep(0.1)
        await trio.sleep(5)
        typed = [action.chat for action in here.fake.actions if action.at > 4]
        assert sorted(set(typed)) == [place.chat for place in places[2:]]
