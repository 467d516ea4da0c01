"""The rows of inbounds: kept with all their fields and files, and counted by the places that they take."""

import pytest

from actors.messages import Accept, Accepted, Attachment, SavedFile, note_key
from actors.store.errors import Conflict
from actors.store.inbounds import places
from tests.actors.store.books import Books


def test_every_field_is_kept(books: Books) -> None:
    inbound = books.inbound("do it", owner=True, quoted="Bob: this", reply_to=3, burst="album", mode="follow_up")
    books.now = 2000.0
    reply = books.do(Accept(inbound=inbound, capacity=8))
    assert isinstance(reply, Accepted)
    (queued,) = books.work().queue
    assert (queued.owner, queued.quoted, queued.burst, queued.mode) == (True, "Bob: this", "album", "follow_up")
    assert (queued.accepted_at, queued.steered, queued.saw_end) == (2000.0, False, False)
    assert books.db.execute("SELECT reply_to FROM inbound").get == 3


def test_a_message_knows_of_the_note_about_it(books: Books) -> None:
    first, _second = books.say("one"), books.say("two")
    books.tell("Yours is #1", key=note_key(first.inbound))
    assert [queued.noted for queued in books.work().queue] == [True, False]


def test_files_wait_with_their_message_until_they_are_saved(books: Books) -> None:
    picture = Attachment(handle="h1", name="a.png", mime="image/png", size=3, picture=True)
    letter = Attachment(handle="h2", name="b\ud800.txt", mime="text/plain", size=0)
    books.say(attachments=(picture, letter))
    one, two = books.work().queue[0].attachments
    assert (one.handle, one.name, one.mime, one.size, one.picture, one.path) == (
        "h1", "a.png", "image/png", 3, True, None,
    )  # fmt: skip
    assert (two.handle, two.name, two.picture) == ("h2", "b?.txt", False)
    books.twice(SavedFile(attachment=two.id, path="uploads/b.txt"))
    assert [each.path for each in books.work().queue[0].attachments] == [None, "uploads/b.txt"]
    with pytest.raises(Conflict, match="there is no attachment 99"):
        books.do(SavedFile(attachment=99, path="x"))


def test_files_go_with_their_message_into_its_turn(books: Books) -> None:
    file = Attachment(handle="h", name="a.txt", mime="text/plain", size=1)
    books.begin("t", books.say(attachments=(file,)))
    turn = books.work().turn
    assert turn is not None
    assert [each.name for each in turn.inbounds[0].attachments] == ["a.txt"]


def test_places_are_messages_and_whole_bursts(books: Books) -> None:
    assert places(books.db, "shop", "queued") == 0
    books.say()
    books.say(burst="a")
    books.say(burst="a")
    books.say(burst="b")
    books.say(command="status")
    assert places(books.db, "shop", "queued") == 3
    assert places(books.db, "shop", "queued", apart="a") == 2
    assert places(books.db, "shop", "taken") == 0
