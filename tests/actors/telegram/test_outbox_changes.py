"""The outbox where things change: messages are edited, topics made and found deleted, groups get another id."""

import trio
from trio.testing import MockClock

from actors.messages import DeliveryKind, NewDelivery, Place, Topic
from tests.actors.telegram.house import CHAT, FORUM, GROUP, OUTBOX, house
from tests.fakes.telegram import Fault


def note(text: str, key: str | None = None, *, place: Place | None = None) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, key=key, place=place)


async def test_a_message_that_is_changed_is_edited_and_the_newest_wins(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await here.tell(slug, note("queued", "busy:1"))
        await here.done()
        here.fake.set_fault("editMessageText", Fault.FLOOD, seconds=20)
        for text in ("steered", "begun"):
            await here.tell(slug, note(text, "busy:1"))
            await trio.sleep(5)
        await here.done()
        (message,) = [each for each in here.fake.messages(CHAT) if each.sender is None]
        assert (message.text, message.history) == ("begun", ["queued"])
        assert [call.status for call in here.fake.called("editMessageText")] == [429, 200]
        assert len(here.fake.called("sendMessage")) == 1


async def test_what_is_changed_before_it_left_arrives_as_it_is_now(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        here.fake.set_fault("sendMessage", Fault.FLOOD, seconds=20)
        await here.tell(slug, note("queued", "busy:1"))
        await here.until(lambda: here.fake.called("sendMessage"))
        await here.tell(slug, note("begun", "busy:1"))
        await here.done()
        assert here.fake.said(CHAT) == ["begun"]
        assert not here.fake.called("editMessageText")


async def test_an_edit_that_is_lost_is_made_again_without_a_mark(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await here.tell(slug, note("queued", "busy:1"))
        await here.done()
        here.fake.set_fault("editMessageText", Fault.DROP_AFTER)
        await here.tell(slug, note("begun", "busy:1"))
        await here.done()
        assert here.fake.said(CHAT) == ["begun"]


async def test_a_topic_is_made_and_its_room_says_so_there(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin(FORUM)
        topic = NewDelivery(kind=DeliveryKind.TOPIC, text="web", topic=Topic())
        await here.tell(slug, topic)
        await here.until(lambda: here.deliveries() == ["sent"] * 3)
        ((thread, made),) = here.fake.world.chats[GROUP].topics.items()
        assert made.name == "web"
        assert "is here" in here.fake.said(GROUP, thread)[0]
        assert here.rows("SELECT chat, thread FROM rooms WHERE thread NOT NULL") == [(GROUP, thread)]


async def test_a_topic_that_cannot_be_made_is_told_to_who_asked(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        slug = await here.begin()
        await here.tell(slug, NewDelivery(kind=DeliveryKind.TOPIC, text="web", topic=Topic()))
        await here.until(lambda: here.deliveries() == ["undeliverable", "sent"])
        (said,) = here.fake.said(CHAT)
        assert "web" in said
        assert "forum" in said


async def test_a_deleted_topic_is_told_to_the_owner_once(loopback_clock: MockClock) -> None:
    async with house(gateway=False, users=frozenset({CHAT, 5000})) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        slug = await here.begin(Place("telegram", GROUP, thread))
        here.fake.delete_topic(GROUP, thread)
        await here.end(slug, "lost", "lost as well")
        await here.answer("found", place=FORUM, turn="t2")
        await here.until(lambda: here.deliveries() == ["undeliverable", "undeliverable", "sent", "sent"])
        (told,) = [message for message in here.fake.messages(CHAT) if message.sender is None]
        assert slug in told.text
        assert told.markup is not None
        assert told.silent is False
        assert here.rows("SELECT count(*) FROM rooms WHERE gone_at NOT NULL") == [(1,)]
        assert len([call for call in here.fake.called("sendMessage") if call.params.get("message_thread_id")]) == 1


async def test_without_an_owner_a_deleted_topic_is_a_line_in_the_log(loopback_clock: MockClock) -> None:
    async with house(gateway=False, users=frozenset()) as here:
        thread = here.fake.open_topic(GROUP, "Backend")
        slug = await here.begin(Place("telegram", GROUP, thread))
        here.fake.delete_topic(GROUP, thread)
        await here.end(slug, "lost")
        await here.until(lambda: here.deliveries() == ["undeliverable"])
        assert here.node(OUTBOX).restarts == 0


async def test_a_group_that_got_another_id_gets_its_answers_there(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        group, new = -42, -100942
        here.fake.open_group(group)
        slug = await here.begin(Place("telegram", group))
        here.fake.migrate(group, new)
        await here.end(slug, "moved", "and more")
        await here.done(2)
        assert here.fake.said(new) == ["moved", "and more"]
        assert here.rows("SELECT chat FROM rooms") == [(new,)]
