"""A room's conversation from the file: while it is written to, and while nobody has it open."""

from pathlib import Path

import pytest

from actors.messages import Place
from actors.store.errors import StoreCorrupt, StoreTooNew, StoreUnopened, UnknownRoom
from actors.store.export import export
from tests.actors.store.books import Books

CONVERSATION = {
    "thread_id": 7,
    "chat_id": -100,
    "created_at": "1970-01-01T00:16:40.000Z",
    "updated_at": "1970-01-01T00:33:20.500Z",
    "active_subagent": None,
    "messages": [
        {"role": "user", "content": "hi", "timestamp": "1970-01-01T00:16:40.000Z"},
        {"role": "assistant", "content": "hello", "timestamp": "1970-01-01T00:33:20.500Z"},
    ],
}


def converse(books: Books) -> None:
    room = books.begin("t", books.say("hi"))
    books.now = 2000.5
    books.end(room, "t", "hello")
    books.answered("elsewhere", place=Place("console", 0))


def test_beside_a_running_service(books: Books, path: Path) -> None:
    converse(books)
    books.db.execute("BEGIN IMMEDIATE")
    assert export(path, "shop") == CONVERSATION
    books.db.execute("ROLLBACK")


def test_without_a_service(books: Books, path: Path) -> None:
    converse(books)
    books.db.close()
    assert not Path(f"{path}-wal").exists()
    assert export(path, "shop") == CONVERSATION
    assert export(path, "console")["thread_id"] is None


def test_an_unknown_room_names_those_there_are(books: Books, path: Path) -> None:
    converse(books)
    with pytest.raises(UnknownRoom, match="'nope'; there are: console, shop"):
        export(path, "nope")


def test_what_cannot_be_read_is_said_so(books: Books, path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnopened, match=r"none\.db cannot be opened"):
        export(tmp_path / "none.db", "shop")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at " * 20)
    with pytest.raises(StoreCorrupt, match=r"text\.db"):
        export(tmp_path / "text.db", "shop")
    (tmp_path / "empty.db").touch()
    with pytest.raises(UnknownRoom):
        export(tmp_path / "empty.db", "shop")
    books.db.pragma("user_version", 99)
    with pytest.raises(StoreTooNew):
        export(path, "shop")
