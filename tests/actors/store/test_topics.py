"""Places that change: no room is lost with its topic, and nothing that it has to say."""

import pytest

from actors.messages import (
    AnswerCommand,
    Approve,
    Binding,
    Delivery,
    DeliveryKind,
    Due,
    GetAccess,
    GetRoom,
    GroupOffered,
    Knock,
    ListRooms,
    MigrateChat,
    NewDelivery,
    Place,
    Preview,
    PreviewShown,
    RoomSettings,
    Sending,
    Sent,
    Tell,
    Topic,
    TopicGone,
    TopicMade,
    Undeliverable,
)
from actors.store.errors import Conflict, UnknownRoom
from tests.actors.store.books import HERE, Books

FORUM = Place("telegram", -100)
OWNER = Place("telegram", 42)


def queue_topic(books: Books, name: str = "Blog", topic: Topic | None = None, asker: str = "shop") -> int:
    new = NewDelivery(kind=DeliveryKind.TOPIC, text=name, place=FORUM, topic=topic or Topic())
    books.do(Tell(slug=asker, deliveries=(new,)))
    return books.newest_delivery()


def said(books: Books, place: Place) -> list[str]:
    rows = books.db.execute(
        "SELECT text FROM deliveries WHERE chat = ? AND thread IS ? AND state = 'waiting' AND kind <> 'topic' "
        "ORDER BY id",
        (place.chat, place.thread),
    )
    return [text for (text,) in rows]


# --- made


def test_a_topic_is_due_like_a_message_and_names_what_it_is_for(books: Books) -> None:
    books.say()
    binding = Binding(project="api", workspace="/src/api")
    queue_topic(books, topic=Topic(binding=binding))
    (delivery,) = books.due()
    assert (delivery.kind, delivery.text, delivery.place) == (DeliveryKind.TOPIC, "Blog", FORUM)
    assert delivery.topic == Topic(binding=binding)


def test_a_made_topic_is_a_room_and_both_places_are_told(books: Books) -> None:
    books.say()
    topic = queue_topic(books)
    books.do(Sending(ids=(topic,)))
    room = books.twice(TopicMade(id=topic, thread=9))
    assert (room.slug, room.title, room.place) == ("blog", "Blog", Place("telegram", -100, 9))
    assert (room.workspace, room.project) == ("/work/blog", None)
    assert said(books, room.place) == ["Room `blog` is here; it works in `/work/blog`."]
    assert said(books, HERE) == ["The topic Blog is made."]


def test_a_bound_topic_works_in_its_project(books: Books) -> None:
    books.say()
    binding = Binding(project="api", workspace="/src/api")
    room = books.do(TopicMade(id=queue_topic(books, topic=Topic(binding=binding)), thread=9))
    assert (room.project, room.workspace) == ("api", "/src/api")
    assert said(books, room.place) == ["Room `blog` is here; it works in `/src/api`."]


def test_somebody_may_speak_in_a_topic_before_we_are_told_of_it(books: Books) -> None:
    books.say()
    binding = Binding(project="api", workspace="/src/api")
    one = queue_topic(books, topic=Topic(binding=binding))
    two = queue_topic(books, topic=Topic(binding=binding))
    before = books.say(place=Place("telegram", -100, 9)).room
    busy = books.begin("t", books.say(place=Place("telegram", -100, 10)))
    room = books.do(TopicMade(id=one, thread=9))
    assert (room.slug, room.workspace, room.session_id != before.session_id) == (before.slug, "/src/api", True)
    assert len(books.work(room.place).queue) == 1
    assert books.do(TopicMade(id=two, thread=10)).workspace == busy.workspace


def test_what_is_no_topic_does_not_become_one(books: Books) -> None:
    books.answered("a1")
    with pytest.raises(Conflict, match="delivery 1 is no topic"):
        books.do(TopicMade(id=1, thread=9))
    topic = queue_topic(books)
    books.do(Undeliverable(id=topic, reason="no right"))
    with pytest.raises(Conflict, match="ended without this topic"):
        books.do(TopicMade(id=topic, thread=9))


def test_why_a_topic_could_not_be_made_is_told_where_it_was_asked_for(books: Books) -> None:
    books.say()
    topic = queue_topic(books)
    books.twice(Undeliverable(id=topic, reason="not enough rights"))
    assert said(books, HERE) == ["The topic “Blog” could not be made: not enough rights"]
    assert books.due()[0].kind is DeliveryKind.REPORT


# --- deleted, and made again


def gone(books: Books) -> None:
    """The room's topic is deleted while one delivery has arrived in part, one waits and one is to be edited."""
    books.answered("arrived")
    books.tell("note", key="busy:1")
    books.send_all()
    books.do(
        Tell(
            slug="shop",
            deliveries=(
                NewDelivery(kind=DeliveryKind.ANSWER, text="half", reply_to=3),
                NewDelivery(kind=DeliveryKind.ANSWER, text="whole"),
            ),
        )
    )
    (half,) = books.due()
    books.do(Sending(ids=(half.id,)))
    books.do(Sent(id=half.id, part=0, message_id=70, last=False))
    books.tell("note, changed", key="busy:1")
    books.twice(TopicGone(place=HERE, owner=42))


def test_what_was_to_go_to_a_deleted_topic_ends_and_the_owner_is_told_once(books: Books) -> None:
    gone(books)
    books.now = 3000.0
    assert books.do(GetRoom(slug="shop")).gone_at == 1000.0
    (told,) = books.due()
    assert told.place == OWNER
    assert "room `shop`" in told.text.lower()
    assert [key.label for row in told.keys for key in row] == ["Make a new topic"]
    states = dict(books.db.execute("SELECT text, state FROM deliveries WHERE thread = 7"))
    assert states == {"arrived": "sent", "note, changed": "sent", "half": "undeliverable", "whole": "undeliverable"}


def test_the_room_comes_back_with_all_that_it_had_to_say(books: Books) -> None:
    gone(books)
    topic = queue_topic(books, "Shop", Topic(room="shop"))
    room = books.twice(TopicMade(id=topic, thread=9))
    assert (room.slug, room.place, room.gone_at) == ("shop", Place("telegram", -100, 9), None)
    half, whole, here = arrive(books)
    assert (half.text, half.part, half.reply_to, half.place) == ("half", 0, None, room.place)
    assert (whole.text, here.text) == ("whole", "Room `shop` is here; it works in `/work/shop`.")
    assert said(books, HERE) == []


def arrive(books: Books) -> list[Delivery]:
    return [each for each in books.send_all() if each.place.chat == -100]


def test_what_ended_for_another_reason_does_not_come_back(books: Books) -> None:
    books.answered("blocked")
    books.do(Undeliverable(id=1, reason="blocked"))
    books.do(TopicGone(place=HERE, owner=None))
    books.say()
    assert books.due() == ()


def test_a_second_end_of_the_same_room_is_told_again(books: Books) -> None:
    gone(books)
    room = books.do(TopicMade(id=queue_topic(books, "Shop", Topic(room="shop")), thread=9))
    books.do(TopicGone(place=room.place, owner=42))
    assert len(said(books, OWNER)) == 2


def test_a_message_in_a_place_that_was_taken_for_gone_brings_it_back(books: Books) -> None:
    gone(books)
    assert books.say().room.gone_at is None
    assert [each.text for each in arrive(books)] == ["half", "whole"]


def test_nobody_may_be_there_to_be_told(books: Books) -> None:
    books.say()
    books.do(TopicGone(place=HERE, owner=None))
    books.do(TopicGone(place=Place("telegram", 1, 2), owner=42))
    assert books.due() == ()
    assert books.do(GetRoom(slug="shop")).gone_at is not None


def test_previews_go_with_their_topic(books: Books) -> None:
    books.begin("t", books.say())
    books.do(PreviewShown(preview=Preview(turn="t", place=HERE, message_id=70)))
    books.do(TopicGone(place=HERE, owner=None))
    assert books.rows()["previews"] == []


def test_a_room_that_is_not_there_gets_no_topic(books: Books) -> None:
    books.say()
    topic = queue_topic(books, "Shop", Topic(room="nope"))
    with pytest.raises(UnknownRoom):
        books.do(TopicMade(id=topic, thread=9))


def test_a_room_that_comes_back_takes_over_what_was_said_in_its_new_topic(books: Books) -> None:
    gone(books)
    topic = queue_topic(books, "Shop", Topic(room="shop"))
    place = Place("telegram", -100, 9)
    newcomer = books.say("already here", place=place).room
    room = books.do(TopicMade(id=topic, thread=9))
    assert (room.slug, room.place) == ("shop", place)
    assert [each.text for each in books.work(place).queue] == ["already here"]
    other = books.do(GetRoom(slug=newcomer.slug))
    assert (other.place, other.gone_at is not None) == (HERE, True)


# --- another id


def migrating(books: Books) -> MigrateChat:
    """A group with two rooms, deliveries, a preview and a permission, and the request."""
    books.begin("t", books.say(place=FORUM))
    books.tell("waiting")
    books.answered("a1", place=Place("telegram", -100, 8))
    books.do(PreviewShown(preview=Preview(turn="t", place=FORUM, message_id=70)))
    books.do(GroupOffered(front="telegram", chat=-100, title="Team", name="Ada", owner=42))
    return MigrateChat(front="telegram", old=-100, new=-1002)


def test_a_group_takes_all_along_to_its_new_id(books: Books) -> None:
    books.twice(migrating(books))
    assert {room.place for room in books.do(ListRooms())} == {Place("telegram", -1002), Place("telegram", -1002, 8)}
    assert {each.place.chat for each in books.due()} == {-1002, 42}
    assert books.db.execute("SELECT chat FROM previews").get == -1002
    question = next(each for each in books.due() if each.place == OWNER)
    books.press(question.keys[0][0].data, place=OWNER, owner=True)
    assert books.do(GetAccess(front="telegram")).groups == {-1002}


def test_a_permission_goes_along(books: Books) -> None:
    request = migrating(books)
    question = next(each for each in books.due() if each.place == OWNER)
    books.press(question.keys[0][0].data, place=OWNER, owner=True)
    books.do(GroupOffered(front="telegram", chat=-1002, title="Team", name="Ada", owner=42))
    books.twice(request)
    assert books.do(GetAccess(front="telegram")).groups == {-1002}


def test_the_room_of_a_message_that_was_faster_gives_way(books: Books) -> None:
    request = migrating(books)
    books.say("faster", place=Place("telegram", -1002))
    books.twice(request)
    work = books.work(Place("telegram", -1002))
    assert (work.room.slug, [each.text for each in work.queue]) == ("shop", ["faster"])


def test_another_front_and_another_chat_stay(books: Books) -> None:
    books.say(place=Place("console", -100))
    books.say(place=Place("telegram", -200))
    before = books.rows()
    books.do(MigrateChat(front="telegram", old=-100, new=-1002))
    assert books.rows() == before


def test_a_muted_room_is_still_muted_when_it_has_moved(books: Books) -> None:
    command = books.say("/mute", command="mute").inbound
    books.do(AnswerCommand(slug="shop", inbound=command, deliveries=(), settings=RoomSettings(muted=True)))
    books.do(MigrateChat(front="telegram", old=-100, new=-1002))
    assert books.do(GetRoom(slug="shop")).settings.muted
    assert books.do(Due(front="telegram", limit=9)) == ()


def test_an_approved_owner_is_told_where_the_configuration_names_none(books: Books) -> None:
    books.do(Approve(code=str(books.do(Knock(front="telegram", person=42, name="Ada", owner=None)))))
    books.say()
    books.do(TopicGone(place=HERE, owner=None))
    assert said(books, OWNER)[-1].startswith("The topic Shop was deleted.")


def test_titles_are_shown_as_they_are(books: Books) -> None:
    books.say()
    room = books.do(TopicMade(id=queue_topic(books, "*Blog*"), thread=9))
    assert said(books, HERE) == [r"The topic \*Blog\* is made."]
    books.do(TopicGone(place=room.place, owner=42))
    assert said(books, OWNER)[-1].startswith(r"The topic \*Blog\* was deleted.")
