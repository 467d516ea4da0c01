"""The outbox between the real store and the strict fake: what arrives, in which order, how often, and what does not."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from actors.messages import DeliveryKind, Place
from actors.telegram.sending import REPETITION
from supervisor import State
from tests.actors.telegram.house import CHAT, CUT_SHORT, FORUM, GROUP, PRIVATE, House, house
from tests.fakes.telegram import Fault, Limits
from tests.fakes.telegram_api.rules import bad

pytestmark = CUT_SHORT

OUTBOX = "/outbox/telegram"


async def done(here: House, count: int = 1) -> None:
    """Waits until that many deliveries have come to their end."""
    await here.until(lambda: [state in {"sent", "undeliverable"} for state in here.deliveries()] == [True] * count)


async def test_an_answer_is_sent_once_as_a_reply_in_its_topic(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        here.fake.say(GROUP, "build it", thread=thread)
        asked = here.fake.messages(GROUP, thread)[-1].id
        await here.answer("**done**", place=Place("telegram", GROUP, thread), reply_to=asked)
        await done(here)
        answer = here.fake.messages(GROUP, thread)[-1]
        assert (answer.text, answer.entities[0]["type"], answer.reply_to) == ("done", "bold", asked)
        assert here.rows("SELECT part, message_id FROM parts") == [(0, answer.id)]
        await trio.sleep(120)
        assert len(here.fake.called("sendMessage")) == 1


async def test_a_reply_to_what_was_deleted_is_sent_all_the_same(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.answer("late", reply_to=999)
        await done(here)
        assert here.fake.said(CHAT) == ["late"]


@pytest.mark.parametrize(
    ("kind", "silent"), [(DeliveryKind.ANSWER, False), (DeliveryKind.REPORT, False), (DeliveryKind.NOTE, True)]
)
async def test_notes_are_silent_and_the_rest_rings(loopback_clock: MockClock, kind: DeliveryKind, silent: bool) -> None:
    async with house(gateway=False) as here:
        await here.answer("ding", kind=kind)
        await done(here)
        assert here.fake.called("sendMessage")[0].params["disable_notification"] is silent


async def test_a_long_text_comes_in_parts_in_order_and_rings_once(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        text = "\n\n".join(f"paragraph {number} " + "word " * 200 for number in range(19))
        await here.answer(text, "and more", reply_to=5)
        await done(here, 2)
        *parts, last = here.fake.said(CHAT)
        assert len(parts) == 5
        assert " ".join(" ".join(parts).split()) == " ".join(text.split())
        assert last == "and more"
        calls = here.fake.called("sendMessage")
        assert [call.params["disable_notification"] for call in calls] == [False, True, True, True, True, False]
        assert ["reply_parameters" in call.params for call in calls] == [True, False, False, False, False, False]
        assert {call.status for call in calls} == {200}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.DROP_BEFORE, [f"{REPETITION}\nyes"]),
        (Fault.DROP_AFTER, ["yes", f"{REPETITION}\nyes"]),
        (Fault.SERVER_ERROR, [f"{REPETITION}\nyes"]),
    ],
)
async def test_what_may_have_arrived_is_sent_again_and_says_so(
    loopback_clock: MockClock, fault: Fault, said: list[str]
) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", fault)
        await here.answer("yes")
        await done(here)
        assert here.fake.said(CHAT) == said
        first, second = here.fake.called("sendMessage")
        assert second.at - first.at >= 2


async def test_formatting_moves_with_the_mark(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.DROP_BEFORE)
        await here.answer("so **bold**")
        await done(here)
        (message,) = here.fake.messages(CHAT)
        (bold,) = message.entities
        units = message.text.encode("utf-16-le")
        start, length = 2 * bold["offset"], 2 * bold["length"]
        assert units[start : start + length].decode("utf-16-le") == "bold"


async def test_a_full_message_is_marked_by_one_before_it(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.DROP_BEFORE)
        await here.answer("x" * 4096)
        await done(here)
        assert here.fake.said(CHAT) == [REPETITION, "x" * 4096]


async def test_what_certainly_never_left_is_not_marked(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        async with here.fake.refusing():
            await here.answer("hello")
            await here.until(lambda: "unreachable since" in here.doing(OUTBOX))
            assert "1 to send" in here.doing(OUTBOX)
            await trio.sleep(600)
        await done(here)
        assert here.fake.said(CHAT) == ["hello"]
        assert here.doing(OUTBOX) == "nothing to send"
        assert here.node(OUTBOX).restarts == 0


async def test_a_flood_wait_holds_up_its_chat_alone_and_is_obeyed(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.FLOOD, seconds=20)
        await here.answer("held up")
        await here.until(lambda: "flood wait" in here.doing(OUTBOX))
        await here.answer("goes on", place=FORUM, turn="t2")
        await done(here, 2)
        first, other, again = here.fake.called("sendMessage")
        assert [call.params["text"] for call in (first, other, again)] == ["held up", "goes on", "held up"]
        assert other.at - first.at < 10
        assert again.at - first.at >= 20


async def test_chats_do_not_wait_for_each_other(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=10)
        await here.answer("slow")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        await here.answer("quick", place=FORUM, turn="t2")
        await here.until(lambda: here.deliveries() == ["sending", "sent"])
        await done(here, 2)


async def test_refused_formatting_makes_way_for_the_text_as_written(
    loopback_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(gateway=False) as here:
        refuse_entities(here)
        await here.answer("so **bold** " + "_word_ " * 800)
        await done(here)
        said = here.fake.said(CHAT)
        assert " ".join(" ".join(said).split()) == ("so **bold** " + "_word_ " * 800).strip()
        assert len(said) == 2
        assert REPETITION not in said[0]


def refuse_entities(here: House) -> None:
    """From now on Telegram takes no formatting."""
    kept = here.fake.world.add

    def add(*args: object, entities: object = (), **kwargs: object) -> object:
        if entities:
            raise bad("can't parse entities: unsupported")
        return kept(*args, entities=entities, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    here.fake.world.add = add  # type: ignore[assignment, method-assign]  # one rule more


@pytest.mark.parametrize("gone", ["blocked", "topic", "chat"])
async def test_what_can_never_arrive_ends_and_the_next_goes_on(loopback_clock: MockClock, gone: str) -> None:
    async with house(gateway=False) as here:
        place, words = PRIVATE, "blocked by the user"
        if gone == "blocked":
            here.fake.block(CHAT)
        elif gone == "topic":
            thread = here.fake.open_topic(GROUP, "Gone")
            here.fake.delete_topic(GROUP, thread)
            place, words = Place("telegram", GROUP, thread), "thread not found"
        else:
            place, words = Place("telegram", 99), "not found"
        await here.answer("lost", place=place)
        await here.answer("found", place=FORUM, turn="t2")
        await done(here, 2)
        assert here.deliveries() == ["undeliverable", "sent"]
        ((reason,),) = here.rows("SELECT reason FROM deliveries WHERE reason IS NOT NULL")
        assert words in str(reason)


async def test_nothing_to_show_ends_too(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.answer(" \n ", "x")
        await done(here, 2)
        assert here.deliveries() == ["undeliverable", "sent"]


async def test_a_stop_waits_for_the_request_on_its_way(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=2)
        await here.answer("almost there")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        await here.system.restart_child(OUTBOX)
        await done(here)
        await trio.sleep(60)
        assert here.fake.said(CHAT) == ["almost there"]


async def test_a_request_that_outlasts_the_grace_is_sent_again_and_says_so(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=15)
        await here.answer("yes")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        before = trio.current_time()
        await here.system.restart_child(OUTBOX)
        assert 3 <= trio.current_time() - before < 5
        await done(here)
        assert here.fake.said(CHAT) == ["yes", f"{REPETITION}\nyes"]


async def test_a_store_that_is_down_holds_up_and_loses_nothing(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=5)
        await here.answer("one", "two")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        await here.system.terminate_child("/store")
        await trio.sleep(30)
        await here.system.restart_child("/store")
        await done(here, 2)
        assert here.fake.said(CHAT) == ["one", "two"]


async def test_a_wake_that_never_came_is_made_up_for(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        slug = await here.begin()
        await here.start_outbox()
        await trio.sleep(5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(here, "wake", trio.lowlevel.checkpoint)
            await here.end(slug, "unheard of")
        await done(here)
        assert here.fake.said(CHAT) == ["unheard of"]


async def test_a_wrong_token_fails_the_node_and_keeps_the_delivery(loopback_clock: MockClock) -> None:
    async with house(gateway=False, token="4242:wrong") as here:
        slug = await here.begin()
        await here.end(slug, "later")
        await here.until(lambda: here.node("/outbox").state is State.FAILED)
        assert "@BotFather" in (here.node("/outbox").error or "")
        assert here.rows("SELECT state, doubtful FROM deliveries") == [("waiting", 0)]


# --- running turns ----------------------------------------------------------------------------------------------


async def test_typing_begins_at_once_is_repeated_and_ends(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        place = Place("telegram", GROUP, thread)
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
        await done(here)
        assert (here.fake.draft(CHAT), here.fake.said(CHAT)) == (None, ["The answer"])
        assert len({call.params["draft_id"] for call in here.fake.called("sendMessageDraft")}) == 1
        await here.show("too late")
        await trio.sleep(10)
        assert here.fake.draft(CHAT) is None


async def test_a_draft_outlives_a_long_tool(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        for _ in range(12):
            await here.show("thinking hard")
            await trio.sleep(5)
        assert here.fake.draft(CHAT) == "thinking hard"
        assert len(here.fake.called("sendMessageDraft")) == 3


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
        await done(here)
        await here.until(lambda: not here.rows("SELECT * FROM previews"))
        assert here.fake.said(GROUP) == ["The answer"]
        assert 429 not in {call.status for call in here.fake.calls}


async def test_a_quick_answer_needs_no_preview_in_a_group(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        await here.show("qui", FORUM)
        await here.end_progress(FORUM)
        await here.end(slug, "quick")
        await done(here)
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
        await done(here)
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
        await done(here, 2)
        assert here.node(OUTBOX).restarts == 0


async def test_a_flooded_preview_leaves_the_chat_alone(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessageDraft", Fault.FLOOD, seconds=10)
        for number in range(6):
            await here.show(f"text {number}")
            await trio.sleep(5)
        assert len(here.fake.called("sendMessageDraft")) == 1  # flooded for 10 s and then at rest for 30


async def test_many_turns_are_shown_at_once(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        for number in range(300):
            await here.show("", turn=f"t{number}")
        await here.fake.wait_for(lambda: len(here.fake.actions) >= 256)
        await trio.sleep(20)
        shown = len(here.fake.actions)
        await trio.sleep(30)
        assert len(here.fake.actions) == shown
