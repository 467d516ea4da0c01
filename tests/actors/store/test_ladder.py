"""The steps between the versions of the tables: a file that is in use climbs with all its rows, and goes on."""

from pathlib import Path

import apsw
import pytest

from actors.messages import (
    AnswerCommand,
    BeginTurn,
    DeliveryKind,
    Due,
    GetRoom,
    ListQuarantined,
    Outcome,
    Place,
    Preview,
    Pull,
    RetryQuarantined,
    Sending,
    Sent,
    SessionInfo,
    Sessions,
    StalePreviews,
)
from actors.store.export import export
from actors.store.ladder import LADDER, VERSION_1
from actors.store.schema import prepare
from tests.actors.store.books import HERE, Books

IN_USE = """
INSERT INTO rooms VALUES
    ('shop', 'telegram', -100, 7, 'Shop', '/work/shop', 'shop-2nd', 'e9', NULL, 100.0, 900.0),
    ('blog', 'telegram', -100, NULL, 'Blog', '/work/blog', 'blog-1st', NULL, 800.0, 200.0, 800.0),
    ('console', 'console', 0, NULL, 'Console', '/work/console', 'console-1st', 'c1', NULL, 300.0, 300.0);
INSERT INTO turns VALUES
    ('t1', 'shop', 1, NULL, 0, 110.0, 120.0, 'done'),
    ('t2', 'shop', 3, 'e1', 0, 130.0, 140.0, 'quarantined'),
    ('t3', 'shop', 1, NULL, 0, 160.0, 170.0, 'failed'),
    ('t4', 'shop', 2, 'e9', 1, 880.0, NULL, NULL),
    ('b1', 'blog', 1, NULL, 0, 700.0, NULL, NULL);
INSERT INTO inbound VALUES
    (1, 'k1', 'shop', 5, 'Ada', 'one', 105.0, 11, NULL, 'done', 't1', 1, 105.5),
    (2, 'k2', 'shop', 5, 'Ada', 'two', 125.0, 12, NULL, 'quarantined', 't2', 3, 125.5),
    (3, 'k3', 'shop', 5, 'Ada', '/new', 150.0, 13, 'new', 'done', 't2', 0, 150.5),
    (4, 'k4', 'shop', 6, 'Bob', 'three', 155.0, 14, NULL, 'done', 't3', 1, 155.5),
    (5, 'k5', 'shop', 6, 'Bob', 'four', 870.0, NULL, NULL, 'taken', 't4', 2, 870.5),
    (6, 'k6', 'shop', 5, 'Ada', 'five', 885.0, 16, NULL, 'queued', NULL, 0, 885.5),
    (7, 'k7', 'shop', 5, 'Ada', '/stop', 890.0, 17, 'stop', 'queued', 't3', 0, 890.5),
    (8, 'k8', 'shop', 5, 'Ada', 'too many', 895.0, 18, NULL, 'refused', NULL, 0, 895.5),
    (9, 'k9', 'blog', 5, 'Ada', 'write', 690.0, 19, NULL, 'taken', 'b1', 1, 690.5);
INSERT INTO deliveries VALUES
    (1, NULL, 'telegram', -100, 7, 'answer', 'said one', 11, 't1', 'sent', 2, 0, 0, NULL, 120.0, 121.0),
    (2, 'failed:shop:x', 'telegram', -100, 7, 'report', 'gave up', NULL, 't2', 'undeliverable', 0, 1, 0, 'blocked',
        140.0, 141.0),
    (3, NULL, 'telegram', -100, 7, 'answer', 'half', 14, 't3', 'waiting', 1, 2, 1, NULL, 170.0, NULL),
    (4, NULL, 'console', 0, NULL, 'note', 'hello', NULL, NULL, 'sending', 0, 1, 0, NULL, 300.0, NULL);
INSERT INTO parts VALUES (1, 0, 70, 120.5), (1, 1, NULL, 121.0), (3, 0, 71, 170.5);
INSERT INTO previews VALUES ('t3', 72, 'telegram', -100, 7), ('t4', 73, 'telegram', -100, 7);
INSERT INTO messages VALUES
    (1, 'shop', 't1', 1, 'user', 'one', 105.0), (2, 'shop', 't1', NULL, 'assistant', 'said one', 120.0),
    (3, 'shop', 't2', 2, 'user', 'two', 125.0), (4, 'shop', 't3', 4, 'user', 'three', 155.0);
"""


@pytest.fixture
def old(path: Path) -> Path:
    """A file as the first version left it in the midst of work."""
    db = apsw.Connection(str(path))
    prepare(db, (VERSION_1,))
    db.execute(IN_USE)
    db.close()
    return path


def rows(path: Path) -> dict[str, list[dict[str, object]]]:
    db = apsw.Connection(str(path))
    found = {}
    for (name,) in list(db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")):
        cursor = db.execute(f"SELECT * FROM {name}")
        found[name] = [dict(zip((each[0] for each in cursor.get_description()), row, strict=True)) for row in cursor]
    db.close()
    return found


def test_every_row_is_there_with_all_that_it_said(old: Path) -> None:
    before = rows(old)
    Books(old).db.close()
    after = rows(old)
    for table, kept in before.items():
        assert [{name: row[name] for name in first} for first, row in zip(kept, after[table], strict=True)] == kept


def test_a_file_that_climbed_is_as_a_new_one(old: Path, tmp_path: Path) -> None:
    Books(old).db.close()
    Books(tmp_path / "new.db").db.close()

    def shapes(path: Path) -> set[tuple[object, ...]]:
        db = apsw.Connection(str(path))
        assert db.pragma("integrity_check") == "ok"
        assert db.pragma("user_version") == len(LADDER)
        found = set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))
        db.close()
        return found

    assert shapes(old) == shapes(tmp_path / "new.db")


def test_the_work_goes_on(old: Path) -> None:
    books = Books(old)
    work = books.do(Pull(slug="shop"))
    turn = work.turn
    assert turn is not None
    assert (turn.id, turn.attempt, turn.leaf_before, turn.stop_requested, turn.cost_before) == ("t4", 2, "e9", True, 0)
    assert [(each.text, each.attempts, each.steered) for each in turn.inbounds] == [("four", 2, False)]
    assert turn.parted == 0
    assert [(each.text, each.owner, each.quoted, each.burst) for each in work.queue] == [("five", False, "", None)]
    assert (work.held, work.backlog) == ((), 1)
    assert [(each.command, each.saw_end) for each in work.commands] == [("stop", True)]
    books.do(BeginTurn(slug="shop", turn="t4", attempt=3, inbounds=(5,), leaf_before=None))
    books.end(work.room, "t4", "done at last", outcome=Outcome.WAITING)
    books.begin("t5", books.say())
    assert books.do(Pull(slug="blog")).turn is not None
    books.db.close()


def test_what_was_set_aside_is_still_there_to_be_decided(old: Path) -> None:
    books = Books(old)
    (aside,) = books.do(ListQuarantined())
    assert (aside.inbound, aside.room, aside.text, aside.attempts, aside.set_aside_at) == (2, "shop", "two", 3, 140.0)
    books.do(RetryQuarantined(inbound=2))
    assert [each.text for each in books.do(Pull(slug="shop")).queue] == ["five", "two"]
    books.say("/stop", command="stop")
    assert [each.text for each in books.do(Pull(slug="shop")).held] == ["five", "two"]
    books.db.close()


def test_what_was_half_sent_is_sent_on(old: Path) -> None:
    books = Books(old)
    (half,) = books.due()
    assert (half.text, half.part, half.attempts, half.doubtful, half.kind) == ("half", 1, 2, True, DeliveryKind.ANSWER)
    assert (half.edits, half.revision, half.keys, half.footer, half.silent) == (None, 0, (), "", False)
    assert books.do(StalePreviews(front="telegram")) == ()
    books.do(Sending(ids=(half.id,)))
    books.do(Sent(id=half.id, part=1, message_id=74, last=True))
    assert books.do(StalePreviews(front="telegram")) == (Preview(turn="t3", place=HERE, message_id=72),)
    assert books.do(Due(front="console", limit=9)) == ()  # it is being sent
    books.db.close()


def test_each_room_has_its_session_with_the_turns_since_it_began(old: Path) -> None:
    books = Books(old)
    assert books.do(Sessions(slug="shop")) == (
        SessionInfo(id="shop-2nd", began_at=150.5, used_at=900.0, turns=1, first="three"),
    )
    assert books.do(Sessions(slug="console")) == (
        SessionInfo(id="console-1st", began_at=300.0, used_at=300.0, turns=0, first=""),
    )
    new = books.say("/new", command="new", place=Place("console", 0)).inbound
    books.do(AnswerCommand(slug="console", inbound=new, deliveries=(), new_session="console-2nd"))
    back = books.say("/resume", command="resume", place=Place("console", 0)).inbound
    books.do(AnswerCommand(slug="console", inbound=back, deliveries=(), new_session="console-1st"))
    assert books.do(GetRoom(slug="console")).leaf == "c1"
    books.db.close()


def test_a_conversation_can_be_read_before_and_after(old: Path) -> None:
    before = export(old, "shop")
    assert [each["content"] for each in before["messages"]] == ["one", "said one", "two", "three"]
    Books(old).db.close()
    assert export(old, "shop") == before
