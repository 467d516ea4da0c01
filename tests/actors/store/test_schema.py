"""How a file comes to have the tables, and what is refused."""

from pathlib import Path

import apsw
import pytest

from actors.store.errors import StoreTooNew
from actors.store.schema import LADDER, prepare
from tests.actors.store.books import Books


def tables(path: Path) -> set[str]:
    db = apsw.Connection(str(path))
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    db.close()
    return names


def test_a_new_file_gets_the_tables_and_is_the_owners_alone(path: Path, books: Books) -> None:
    assert tables(path) == {"rooms", "turns", "inbound", "deliveries", "parts", "previews", "messages"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert Path(f"{path}-wal").stat().st_mode & 0o777 == 0o600
    assert books.db.pragma("user_version") == len(LADDER)


def test_a_connection_is_durable_and_checks_foreign_keys(books: Books) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    assert [books.db.pragma(name) for name in pragmas] == ["wal", 2, 1, 2000]


def test_opening_again_keeps_the_rows(path: Path, books: Books) -> None:
    books.say("hello")
    books.db.close()
    again = Books(path)
    assert [each.text for each in again.work().queue] == ["hello"]
    again.db.close()


def test_a_newer_file_is_refused_unchanged(path: Path, books: Books) -> None:
    books.db.pragma("user_version", 99)
    with pytest.raises(StoreTooNew) as refused:
        prepare(books.db)
    assert (refused.value.found, refused.value.known) == (99, len(LADDER))
    assert books.db.pragma("user_version") == 99


def test_an_older_file_climbs_and_leaves_a_copy(path: Path, books: Books) -> None:
    books.say("hello")
    prepare(books.db, (*LADDER, "CREATE TABLE later (id INTEGER) STRICT", "ALTER TABLE later ADD COLUMN x TEXT"))
    assert "later" in tables(path)
    assert books.db.pragma("user_version") == 3
    assert Path(f"{path}.v1").stat().st_mode & 0o777 == 0o600
    copy = apsw.Connection(f"{path}.v1")
    assert copy.pragma("user_version") == 1
    assert copy.execute("SELECT text FROM inbound").get == "hello"
    copy.close()


def test_a_step_that_fails_changes_nothing_and_can_be_tried_again(path: Path, books: Books) -> None:
    steps = (*LADDER, "CREATE TABLE later (id INTEGER) STRICT", "CREATE TABLE later (id INTEGER) STRICT")
    for _ in range(2):
        with pytest.raises(apsw.SQLError, match="table later already exists"):
            prepare(books.db, steps)
        assert "later" not in tables(path)
        assert books.db.pragma("user_version") == 1


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM inbound WHERE state = 'queued' AND room = ? ORDER BY id", "inbound_state"),
        ("SELECT id FROM inbound WHERE turn = ? ORDER BY id", "inbound_turn"),
        ("SELECT id FROM turns WHERE room = ? AND outcome IS NULL", "turns_open"),
        ("SELECT min(id) FROM deliveries WHERE front = ? AND ended_at IS NULL GROUP BY chat", "deliveries_open"),
        ("SELECT content FROM messages WHERE room = ? ORDER BY id", "messages_room"),
        ("SELECT slug FROM rooms WHERE front = ? AND chat = 1 AND ifnull(thread, '') = ifnull(2, '')", "rooms_place"),
    ],
)
def test_what_is_asked_often_reads_an_index(books: Books, query: str, index: str) -> None:
    plan = " ".join(detail for _, _, _, detail in books.db.execute(f"EXPLAIN QUERY PLAN {query}", ("x",)))
    assert index in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
