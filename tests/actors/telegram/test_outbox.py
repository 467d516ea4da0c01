"""The outbox between the real store and the strict fake: what arrives, in which order, how often, and what does not."""

from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    BeginTurn,
    DeliveryKind,
    EndTurn,
    Mark,
    NewDelivery,
    Outcome,
    Place,
    Pull,
    Unfinished,
    Wake,
)
from actors.settings import Secret, TelegramSettings
from actors.store.store import Store
from actors.telegram.gateway import Gateway
from actors.telegram.outbox import ENOUGH_TRIES, Outbox
from actors.telegram.pieces import REPETITION
from supervisor import ChildSpec, State, Supervisor, open_system
from tests.actors.telegram.house import CHAT, FORUM, GROUP, OUTBOX, PRIVATE, House, Router, house
from tests.fakes.telegram import TOKEN, FakeTelegram, Fault, Limits

LOST = "A message could not be delivered here"


async def test_an_answer_is_sent_once_as_a_reply_in_its_topic(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        here.fake.say(GROUP, "build it", thread=thread)
        asked = here.fake.messages(GROUP, thread)[-1].id
        await here.answer("**done**", place=Place("telegram", GROUP, thread), reply_to=asked)
        await here.done()
        answer = here.fake.messages(GROUP, thread)[-1]
        assert (answer.text, answer.entities[0]["type"], answer.reply_to) == ("done", "bold", asked)
        assert here.rows("SELECT part, message_id FROM parts") == [(0, answer.id)]
        await trio.sleep(120)
        assert len(here.fake.called("sendMessage")) == 1


async def test_a_reply_to_what_was_deleted_is_sent_all_the_same(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.answer("late", reply_to=999)
        await here.done()
        assert here.fake.said(CHAT) == ["late"]


@pytest.mark.parametrize(
    ("kind", "silent"), [(DeliveryKind.ANSWER, False), (DeliveryKind.REPORT, False), (DeliveryKind.NOTE, True)]
)
async def test_notes_are_silent_and_the_rest_rings(loopback_clock: MockClock, kind: DeliveryKind, silent: bool) -> None:
    async with house(gateway=False) as here:
        await here.answer("ding", kind=kind)
        await here.done()
        assert here.fake.called("sendMessage")[0].params["disable_notification"] is silent


async def test_a_long_text_comes_in_parts_in_order_and_rings_once(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        text = "\n\n".join(f"paragraph {number} " + "word " * 200 for number in range(19))
        await here.answer(text, "and more", reply_to=5)
        await here.done(2)
        *parts, last = here.fake.said(CHAT)
        assert len(parts) == 5
        assert " ".join(" ".join(parts).split()) == " ".join(text.split())
        assert last == "and more"
        calls = here.fake.called("sendMessage")
        assert [call.params["disable_notification"] for call in calls] == [False, True, True, True, True, False]
        assert ["reply_parameters" in call.params for call in calls] == [True, False, False, False, False, True]
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
        await here.done()
        assert here.fake.said(CHAT) == said
        first, second = here.fake.called("sendMessage")
        assert second.at - first.at >= 2


async def test_formatting_moves_with_the_mark(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.DROP_BEFORE)
        await here.answer("so **bold**")
        await here.done()
        (message,) = here.fake.messages(CHAT)
        (bold,) = message.entities
        units = message.text.encode("utf-16-le")
        start, length = 2 * bold["offset"], 2 * bold["length"]
        assert units[start : start + length].decode("utf-16-le") == "bold"


async def test_a_full_message_is_marked_by_one_before_it(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.DROP_BEFORE)
        await here.answer("x" * 4096)
        await here.done()
        assert here.fake.said(CHAT) == [REPETITION, "x" * 4096]


async def test_what_certainly_never_left_is_not_marked(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        async with here.fake.refusing():
            await here.answer("hello")
            await here.until(lambda: "unreachable since" in here.doing(OUTBOX))
            assert "1 to send" in here.doing(OUTBOX)
            await trio.sleep(600)
        await here.done()
        assert here.fake.said(CHAT) == ["hello"]
        assert here.doing(OUTBOX) == "nothing to send"
        assert here.node(OUTBOX).restarts == 0


async def test_a_flood_wait_holds_up_its_chat_alone_and_is_obeyed(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.FLOOD, seconds=20)
        await here.answer("held up")
        await here.until(lambda: "flood wait" in here.doing(OUTBOX))
        await here.answer("goes on", place=FORUM, turn="t2")
        await here.done(2)
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
        await here.done(2)


async def test_refused_formatting_makes_way_for_the_text_as_written(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with house(gateway=False) as here:
        await here.answer("so **bold** " + "_word_ " * 800)
        await here.done()
        said = here.fake.said(CHAT)
        assert " ".join(" ".join(said).split()) == ("so **bold** " + "_word_ " * 800).strip()
        assert len(said) == 2
        assert REPETITION not in said[0]


@pytest.mark.parametrize("gone", ["blocked", "closed", "chat"])
async def test_what_can_never_arrive_ends_and_the_next_goes_on(loopback_clock: MockClock, gone: str) -> None:
    async with house(gateway=False) as here:
        place, words = PRIVATE, "blocked by the user"
        if gone == "blocked":
            here.fake.block(CHAT)
        elif gone == "closed":
            thread = here.fake.open_topic(GROUP, "Closed")
            here.fake.close_topic(GROUP, thread)
            place, words = Place("telegram", GROUP, thread), "the topic is closed"
        else:
            place, words = Place("telegram", 99), "not found"
        await here.answer("lost", place=place)
        await here.answer("found", place=FORUM, turn="t2")
        await here.done(2)
        assert here.deliveries() == ["undeliverable", "sent"]
        ((reason,),) = here.rows("SELECT reason FROM deliveries WHERE reason IS NOT NULL")
        assert words in str(reason)


# --- what waits for what ----------------------------------------------------------------------------------------


async def test_a_chat_keeps_its_order_whatever_is_sent(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        here.fake.set_fault("sendMessage", Fault.SERVER_ERROR, times=2)
        await here.question(slug, "one?")
        await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="two"))
        await here.tell(slug, NewDelivery(kind=DeliveryKind.REPORT, text="three"))
        await here.end(slug, "four", "five")
        await here.done(5)
        assert here.fake.said(CHAT) == [f"{REPETITION}\none?", "two", "three", "four", "five"]


async def test_a_final_is_not_starved_by_what_moves_around_it(loopback_clock: MockClock) -> None:
    async with house(gateway=False, limits=Limits()) as here:
        topics = [here.fake.open_topic(GROUP, f"topic {number}") for number in range(4)]
        places = [Place("telegram", GROUP, thread) for thread in topics]
        slugs = [await here.begin(place, turn=place_turn(place)) for place in places]
        here.fake.say(GROUP, "go", thread=topics[0])
        asked = here.fake.messages(GROUP, topics[0])[-1].id
        for step in range(30):
            for place in places:
                await here.show(f"step {step}", place, turn=place_turn(place))
            await here.react(asked, Mark.SEEN if step % 2 else Mark.DONE, FORUM)
            await trio.sleep(1)
        ended = trio.current_time()
        for slug, place in zip(slugs, places, strict=True):
            await here.end(slug, "final", turn=place_turn(place))
        await here.done(4)
        finals = [call for call in here.fake.called("sendMessage") if call.params["text"] == "final"]
        assert [call.status for call in finals] == [200] * 4
        assert max(call.at for call in finals) - ended < 6
        assert 429 not in {call.status for call in here.fake.calls}


def place_turn(place: Place) -> str:
    return f"turn of {place.thread}"


async def test_large_files_hold_up_nobody_who_sends_none(loopback_clock: MockClock, tmp_path: Path) -> None:
    async with house(gateway=False) as here:
        (tmp_path / "film.mp4").write_bytes(b"film")
        film = NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(tmp_path / "film.mp4"))
        here.fake.set_fault("sendDocument", Fault.SLOW, times=9, seconds=5)
        for chat in range(1000, 1009):
            here.fake.world.chat(chat)
            await here.tell(await here.begin(Place("telegram", chat), turn=f"t{chat}"), film)
        await here.fake.wait_for(lambda: here.fake.called("sendDocument"))
        await here.answer("at once")
        await here.fake.wait_for(lambda: here.fake.said(CHAT) == ["at once"])
        assert len(here.fake.called("sendDocument")) == 2
        await here.done(10)
        assert here.deliveries() == ["sent"] * 10


@pytest.mark.parametrize("end", ["sent", "blocked", "topic gone", "elsewhere"])
async def test_a_copy_that_was_made_to_be_sent_goes_when_its_delivery_has_ended(
    loopback_clock: MockClock, tmp_path: Path, end: str
) -> None:
    async with house(gateway=False, outbox=False) as here:
        here.outgoing = tmp_path / "outgoing"
        copy = (tmp_path if end == "elsewhere" else here.outgoing) / "0a1b/film.mp4"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(b"film")
        if end == "blocked":
            here.fake.set_fault("sendDocument", Fault.FORBIDDEN)
        place = PRIVATE
        if end == "topic gone":
            topic = here.fake.open_topic(GROUP, "Backend")
            place = Place("telegram", GROUP, topic)
        await here.start_outbox()
        slug = await here.begin(place)
        if place.thread is not None:
            here.fake.delete_topic(GROUP, place.thread)
        await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(copy)))
        ends = "undeliverable" if end in {"blocked", "topic gone"} else "sent"
        await here.until(lambda: here.deliveries()[0] == ends)
        await trio.sleep(1)
        assert copy.exists() == (end in {"topic gone", "elsewhere"})
        assert copy.parent.exists() == copy.exists()
        assert here.outgoing.exists() == (end != "elsewhere")


async def unheard(here: House, *texts: str) -> None:
    """A turn's answers while there is no outbox."""
    await here.system.terminate_child(OUTBOX)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here, "wake", trio.lowlevel.checkpoint)
        await here.answer(*texts)


async def test_a_delivery_on_which_telegram_fails_for_a_day_makes_way(
    loopback_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SERVER_ERROR)
        await unheard(here, "poison", "cured")
        here.rows("UPDATE deliveries SET attempts = 30, created_at = created_at - 86401 WHERE id = 1")
        await here.system.restart_child(OUTBOX)
        await here.done(3)
        assert [text.startswith(LOST) for text in here.fake.said(CHAT)] == [False, True]
        assert here.fake.said(CHAT)[0] == "cured"
        assert "Telegram has failed on it 31 times" in caplog.text


async def test_a_delivery_on_which_telegram_fails_while_others_arrive_makes_way(
    loopback_clock: MockClock, tmp_path: Path
) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.DROP_AFTER, times=21)  # it arrives each time, and nobody hears of it
        await here.answer("poison")
        await here.fake.wait_for(lambda: len(here.fake.said(CHAT)) == 2)
        (tmp_path / "notes.txt").write_text("notes")
        here.fake.world.chat(1000)
        notes = NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(tmp_path / "notes.txt"))
        await here.tell(await here.begin(Place("telegram", 1000), turn="t1000"), notes)
        await here.fake.wait_for(lambda: LOST in here.fake.said(CHAT)[-1], 10_000)
        assert here.deliveries()[0] == "undeliverable"
        *tries, word = here.fake.said(CHAT)
        assert [text.startswith(REPETITION) for text in tries] == [False, *[True] * 20]
        assert word.startswith(f"{LOST}: Telegram has failed on it 21 times: ")
        assert word.endswith("It begins: “poison” Ask for it again if it matters.")


async def poison(here: House, folder: Path, slug: str) -> None:
    """A file that Telegram's server fails on."""
    (folder / "poison.txt").write_text("poison")
    here.fake.set_fault("sendDocument", Fault.SERVER_ERROR, times=1000)
    await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(folder / "poison.txt")))


async def test_what_telegram_fails_on_holds_up_its_own_chat_for_a_minute_and_is_told_in_the_end(
    loopback_clock: MockClock, tmp_path: Path
) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await poison(here, tmp_path, slug)
        await here.tell(slug, *(NewDelivery(kind=DeliveryKind.NOTE, text=text) for text in ("two", "three")))
        with trio.fail_after(180):
            await here.fake.wait_for(lambda: here.fake.said(CHAT) == ["two", "three"], 10_000)
        await here.until(lambda: here.deliveries() == ["waiting", "sent", "sent"])
        assert here.doing(OUTBOX).startswith("1 to send; ")
        assert f"delivery 1 to chat {CHAT}: failed " in here.doing(OUTBOX)
        await here.fake.wait_for(lambda: len(here.fake.said(CHAT)) == 3, 2 * 3600)
        await here.until(lambda: here.deliveries() == ["undeliverable", "sent", "sent", "sent"])
        assert len(here.fake.called("sendDocument")) == ENOUGH_TRIES + 1
        assert here.doing(OUTBOX) == "nothing to send"
        assert here.fake.said(CHAT)[2].startswith("The file “poison.txt” could not be delivered here: Telegram has")


async def test_what_was_gone_past_arrives_after_all(loopback_clock: MockClock, tmp_path: Path) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await poison(here, tmp_path, slug)
        await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="two"))
        await here.fake.wait_for(lambda: here.fake.said(CHAT) == ["two"], 180)
        here.fake.clear_faults()
        await here.done(2)
        assert here.deliveries() == ["sent", "sent"]
        await here.until(lambda: here.doing(OUTBOX) == "nothing to send")


@pytest.mark.parametrize(("failures", "texts"), [(14, ["one", "two", "three"]), (ENOUGH_TRIES + 2, ["one"])])
async def test_a_long_outage_loses_nothing_however_often_it_was_tried(
    loopback_clock: MockClock, failures: int, texts: list[str]
) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SERVER_ERROR, times=failures)
        await here.answer(*texts)
        await here.fake.wait_for(lambda: len(here.fake.said(CHAT)) == len(texts), 24 * 3600)
        await here.done(len(texts))
        assert set(here.deliveries()) == {"sent"}
        assert {text.removeprefix(f"{REPETITION}\n") for text in here.fake.said(CHAT)} == set(texts)


async def test_what_telegram_refuses_for_good_is_told_where_others_arrive(
    loopback_clock: MockClock, tmp_path: Path
) -> None:
    async with house(gateway=False) as here:
        (tmp_path / "empty.txt").touch()
        slug = await here.begin()
        await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(tmp_path / "empty.txt")))
        await here.done(2)
        assert here.deliveries() == ["undeliverable", "sent"]
        assert here.fake.said(CHAT)[0].startswith("The file “empty.txt” could not be delivered here: ")


async def test_an_old_delivery_that_was_hardly_tried_is_tried_on(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SERVER_ERROR)
        await unheard(here, "the service was down")
        here.rows("UPDATE deliveries SET created_at = created_at - 864000")
        await here.system.restart_child(OUTBOX)
        await here.done()
        assert here.fake.said(CHAT) == [f"{REPETITION}\nthe service was down"]


@pytest.mark.parametrize("after", [0.5, 4.5, 6.0, 9.5, 14.0])
async def test_whenever_it_is_cut_off_nothing_is_said_twice_without_a_mark(
    loopback_clock: MockClock, after: float
) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, times=3, seconds=5)
        await here.answer("one", "two", "three")
        await trio.sleep(after)
        await here.system.restart_child(OUTBOX)
        await here.done(3)
        said = here.fake.said(CHAT)
        assert [text.removeprefix(f"{REPETITION}\n") for text in dict.fromkeys(said)][:1] == ["one"]
        bare = [text for text in said if REPETITION not in text]
        assert bare == ["one", "two", "three"]
        assert len(said) <= 4


async def test_a_receipt_is_a_mark_on_the_message(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.say(CHAT, "do it")
        (message,) = here.fake.messages(CHAT)
        await here.react(message.id, Mark.SEEN)
        await here.fake.wait_for(lambda: message.reactions == ["👀"])
        await here.react(message.id, Mark.DONE)
        await here.fake.wait_for(lambda: message.reactions == ["👌"])


async def test_nothing_to_show_ends_too(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        await here.answer(" \n ", "x")
        await here.done(3)
        assert here.deliveries() == ["undeliverable", "sent", "sent"]
        assert here.fake.said(CHAT)[1] == f"{LOST}: there is nothing in it to show. Ask for it again if it matters."


async def test_a_stop_waits_for_the_request_on_its_way(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=2)
        await here.answer("almost there")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        await here.system.restart_child(OUTBOX)
        await here.done()
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
        await here.done()
        assert here.fake.said(CHAT) == ["yes", f"{REPETITION}\nyes"]


async def test_a_store_that_is_down_holds_up_and_loses_nothing(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.set_fault("sendMessage", Fault.SLOW, seconds=5)
        await here.answer("one", "two")
        await here.fake.wait_for(lambda: here.fake.said(CHAT))
        await here.system.terminate_child("/store")
        await trio.sleep(30)
        await here.system.restart_child("/store")
        await here.done(2)
        assert here.fake.said(CHAT) == ["one", "two"]


async def test_a_wake_that_never_came_is_made_up_for(loopback_clock: MockClock) -> None:
    async with house(gateway=False, outbox=False) as here:
        slug = await here.begin()
        await here.start_outbox()
        await trio.sleep(5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(here, "wake", trio.lowlevel.checkpoint)
            await here.end(slug, "unheard of")
        await here.done()
        assert here.fake.said(CHAT) == ["unheard of"]


async def test_a_wrong_token_fails_the_node_and_keeps_the_delivery(loopback_clock: MockClock) -> None:
    async with house(gateway=False, token="4242:wrong") as here:
        slug = await here.begin()
        await here.end(slug, "later")
        await here.until(lambda: here.node("/outbox").state is State.FAILED)
        assert "@BotFather" in (here.node("/outbox").error or "")
        assert here.rows("SELECT state, doubtful FROM deliveries") == [("waiting", 0)]


async def test_from_a_message_to_its_answer_with_the_store_on_its_disk(tmp_path: Path) -> None:
    woken: list[str] = []
    async with FakeTelegram.serve() as fake:
        settings = TelegramSettings(bot_token=Secret(TOKEN), allowed_user_ids=frozenset({CHAT}), base_url=fake.base_url)
        async with open_system(
            Supervisor(ChildSpec("store", partial(Store, tmp_path / "state.db", tmp_path)))
        ) as system:
            store = system.ref("/store", Store)
            await system.start_child("/", ChildSpec("router", partial(Router, woken)))
            outbox = await system.start_child("/", ChildSpec("outbox", partial(Outbox, settings, store=store)))
            router = system.ref("/router", Router)
            gateway = partial(Gateway, settings, store=store, router=router, outbox=outbox, capacity=8)
            await system.start_child("/", ChildSpec("telegram", gateway))
            fake.say(CHAT, "is it there?")
            await fake.wait_for(lambda: woken)
            (queued,) = (await store.ask(Pull(slug="ann"), timeout=5)).queue
            begun = BeginTurn(slug="ann", turn="t1", attempt=1, inbounds=(queued.id,), leaf_before=None)
            await store.ask(begun, timeout=5)
            answer = NewDelivery(kind=DeliveryKind.ANSWER, text="it is", reply_to=queued.message_id)
            ended = EndTurn(
                slug="ann", turn="t1", outcome=Outcome.DONE, answer="it is", leaf=None, deliveries=(answer,)
            )
            await store.ask(ended, timeout=5)
            outbox.tell_nowait(Wake())
            await fake.wait_for(lambda: fake.said(CHAT))
            while await store.ask(Unfinished(place=Place("telegram", CHAT)), timeout=5):  # noqa: ASYNC110
                await trio.sleep(0.01)
        (message,) = [each for each in fake.messages(CHAT) if each.sender is None]
        assert (message.text, message.reply_to) == ("it is", queued.message_id)
