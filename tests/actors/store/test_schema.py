"""How a file comes to have the tables, and what is refused."""

import threading
from pathlib import Path

import apsw
import pytest

from actors.store.errors import StoreCorrupt, StoreTooNew
from actors.store.ladder import LADDER, VERSION_1
from actors.store.schema import prepare
from tests.actors.store.books import Books


def tables(path: Path) -> set[str]:
    db = apsw.Connection(str(path))
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    db.close()
    return names


def test_a_new_file_gets_the_tables_and_is_the_owners_alone(path: Path, books: Books) -> None:
    assert tables(path) >= {"rooms", "turns", "inbound", "deliveries", "parts", "previews", "messages", "sessions"}
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


def test_opening_waits_for_whoever_has_the_file_for_a_moment(path: Path, books: Books) -> None:
    books.say("hello")
    books.db.close()
    other = apsw.Connection(str(path))  # such as a reader who mends what a killed service has left
    other.pragma("locking_mode", "exclusive")
    with other:
        other.execute("UPDATE rooms SET slug = slug")
    leaving = threading.Timer(0.3, other.close)
    leaving.start()
    again = Books(path)
    assert [each.text for each in again.work().queue] == ["hello"]
    again.db.close()
    leaving.join()


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
    known = len(LADDER)
    assert books.db.pragma("user_version") == known + 2
    assert Path(f"{path}.v{known}").stat().st_mode & 0o777 == 0o600
    copy = apsw.Connection(f"{path}.v{known}")
    assert copy.pragma("user_version") == known
    assert copy.execute("SELECT text FROM inbound").get == "hello"
    copy.close()


def test_a_step_that_fails_changes_nothing_and_can_be_tried_again(path: Path, books: Books) -> None:
    steps = (*LADDER, "CREATE TABLE later (id INTEGER) STRICT", "CREATE TABLE later (id INTEGER) STRICT")
    for _ in range(2):
        with pytest.raises(apsw.SQLError, match="table later already exists"):
            prepare(books.db, steps)
        assert "later" not in tables(path)
        assert books.db.pragma("user_version") == len(LADDER)


def test_a_step_that_leaves_rows_without_their_others_is_refused(path: Path, books: Books) -> None:
    books.say("hello")
    with pytest.raises(StoreCorrupt, match="a row of inbound refers to one of rooms"):
        prepare(books.db, (*LADDER, "DELETE FROM rooms"))
    assert len(books.rows()["rooms"]) == 1


def test_foreign_keys_are_checked_again_after_a_climb(path: Path) -> None:
    db = apsw.Connection(str(path))
    prepare(db, (VERSION_1,))
    prepare(db)
    assert db.pragma("foreign_keys") == 1
    db.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM inbound WHERE state = 'queued' AND room = ? ORDER BY id", "inbound_state"),
        ("SELECT id FROM inbound WHERE turn = ? ORDER BY id", "inbound_turn"),
        ("SELECT id FROM turns WHERE room = ? AND outcome IS NULL", "turns_open"),
        ("SELECT min(id) FROM deliveries WHERE front = ? AND ended_at IS NULL GROUP BY chat", "deliveries_open"),
        ("SELECT content FROM messages WHERE room = ? ORDER BY id", "messages_room"),
        ("SELECT id FROM questions WHERE room = ? AND state = 'open'", "questions_open"),
        ("SELECT id FROM attachments WHERE inbound = ? ORDER BY id", "attachments_inbound"),
        ("SELECT id FROM inbound WHERE room = ? AND message_id = 1", "inbound_message"),
        ("SELECT id FROM inbound WHERE retries = ?", "inbound_retries"),
        ("SELECT state FROM inbound WHERE room = ? AND burst = 'x'", "inbound_burst"),
        ("SELECT content FROM messages WHERE turn = ? ORDER BY id", "messages_turn"),
        ("SELECT count(*) FROM turns WHERE session = ?", "turns_session"),
        ("SELECT key FROM presses WHERE data = ? AND used = 1", "presses_used"),
        ("SELECT slug FROM subagents WHERE room = ? AND ended_at IS NULL", "subagents_open"),
        ("SELECT slug FROM subagents WHERE ended_at > ? AND ended_at IS NOT NULL ORDER BY ended_at", "subagents_ended"),
        ("SELECT slug FROM subagents WHERE parent = ?", "subagents_parent"),
        (
            "SELECT slug FROM subagents WHERE room = ? AND parent IS NULL AND by IS NULL AND heard = 0 ORDER BY id",
            "subagents_unheard",
        ),
        ("SELECT slug FROM rooms WHERE front = ? AND chat = 1 AND ifnull(thread, '') = ifnull(2, '')", "rooms_place"),
    ],
)
def test_what_is_asked_often_reads_an_index(books: Books, query: str, index: str) -> None:
    plan = " ".join(detail for _, _, _, detail in books.db.execute(f"EXPLAIN QUERY PLAN {query}", ("x",)))
    assert index in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
