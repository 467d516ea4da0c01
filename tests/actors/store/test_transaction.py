"""A batch: one bad request leaves its mates alone, and a disk that fails is an answer for each."""

from pathlib import Path

import apsw
import msgspec
import pytest

from actors.messages import Accept, Accepted, DeliveryKind, EndTurn, GetRoom, NewDelivery, Outcome, Unfinished
from actors.store import turns
from actors.store.errors import Conflict, StoreCorrupt, StoreUnavailable, UnknownRoom
from tests.actors.store.books import HERE, Books


def accept(books: Books, text: str = "hi", **changes: object) -> Accept:
    return Accept(inbound=msgspec.structs.replace(books.inbound(text), **changes), capacity=500)


def test_a_bad_request_leaves_no_trace_and_its_mates_alone(books: Books) -> None:
    replies = books.batch(
        accept(books, "one"),
        GetRoom(slug="nope"),
        accept(books, "too large", person=2**70),
        accept(books, "key is no text", key="\ud800"),
        EndTurn(slug="shop", turn="nope", outcome=Outcome.DONE, answer="", leaf=None, deliveries=()),
        accept(books, "two"),
    )
    assert [type(reply) for reply in replies] == [Accepted, UnknownRoom, Conflict, Conflict, Conflict, Accepted]
    assert [each.text for each in books.work().queue] == ["one", "two"]


@pytest.mark.parametrize("mistake", [KeyError("x"), AssertionError(), apsw.SQLError("no such column")])
def test_a_mistake_of_ours_ends_its_request_and_not_the_store(
    books: Books, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mistake: Exception
) -> None:
    def broken(*_: object) -> None:
        raise mistake

    monkeypatch.setattr(turns, "end_turn", broken)
    ends = EndTurn(slug="shop", turn="t", outcome=Outcome.DONE, answer="secret", leaf=None, deliveries=())
    replies = books.batch(accept(books, "one"), ends, accept(books, "two"))
    assert [type(reply) for reply in replies] == [Accepted, Conflict, Accepted]
    assert "EndTurn was not done, by a mistake of ours" in caplog.text
    assert "secret" not in caplog.text


def test_what_a_request_did_before_it_failed_is_undone(books: Books) -> None:
    room = books.begin("t", books.say())
    before = books.rows()
    bad = NewDelivery(kind=DeliveryKind.ANSWER, text="x", reply_to=2**70)
    (reply,) = books.batch(
        EndTurn(slug=room.slug, turn="t", outcome=Outcome.DONE, answer="x", leaf="e", deliveries=(bad,))
    )
    assert isinstance(reply, Conflict)
    assert books.rows() == before


def test_a_full_disk_is_an_answer_and_passes(books: Books) -> None:
    books.say()
    pages = books.db.pragma("page_count")
    books.db.pragma("max_page_count", pages + 1)
    small, large = books.batch(accept(books), accept(books, "x" * 100_000))
    assert isinstance(small, StoreUnavailable)
    assert isinstance(large, StoreUnavailable)
    assert "full" in large.reason
    assert len(books.work().queue) == 1
    books.db.pragma("max_page_count", 1_000_000)
    (large,) = books.batch(accept(books, "x" * 100_000))
    assert isinstance(large, Accepted)
    assert books.db.pragma("integrity_check") == "ok"


def test_a_read_only_disk_is_an_answer_and_passes(books: Books) -> None:
    books.db.pragma("query_only", True)
    (reply,) = books.batch(accept(books))
    assert isinstance(reply, StoreUnavailable)
    books.db.pragma("query_only", False)
    (reply,) = books.batch(accept(books))
    assert isinstance(reply, Accepted)


def test_a_busy_file_is_an_answer_for_each_and_passes(books: Books, path: Path) -> None:
    books.db.set_busy_timeout(1)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    one, two = books.batch(accept(books), accept(books))
    assert isinstance(one, StoreUnavailable)
    assert isinstance(two, StoreUnavailable)
    assert one is not two  # an error gets its asker's traceback
    other.execute("ROLLBACK")
    other.close()
    (reply,) = books.batch(accept(books))
    assert isinstance(reply, Accepted)


def test_a_commit_that_fails_is_an_answer_for_each(books: Books) -> None:
    def refuse() -> bool:
        raise apsw.FullError("database or disk is full")

    books.db.set_commit_hook(refuse)
    replies = books.batch(accept(books), Unfinished(place=HERE))
    assert [type(reply) for reply in replies] == [StoreUnavailable, StoreUnavailable]
    books.db.set_commit_hook(None)
    assert books.rows()["inbound"] == []
    assert isinstance(books.batch(accept(books))[0], Accepted)


def test_a_damaged_file_is_the_end(books: Books, path: Path) -> None:
    books.say("x" * 50_000)
    books.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    damaged = apsw.Connection(str(path))
    books.db.close()
    books.db = damaged
    with pytest.raises(StoreCorrupt, match=r"state\.db cannot be used"):
        books.batch(accept(books))
    assert not damaged.in_transaction
