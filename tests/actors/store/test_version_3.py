"""The step to version 3: a file that is in use gets sub-agents, and what was said before can be searched."""

from pathlib import Path

import apsw
import pytest

from actors.messages import Found, ListSubagents, SearchHistory
from actors.store.ladder import LADDER, VERSION_1, VERSION_2
from actors.store.schema import prepare
from actors.store.version_3 import VERSION_3
from tests.actors.store.books import Books

SECOND = """
INSERT INTO rooms (slug, front, chat, thread, title, workspace, session_id, created_at, updated_at) VALUES
    ('shop', 'telegram', -100, 7, 'Shop', '/work/shop', 'shop-1st', 100.0, 900.0);
INSERT INTO sessions (id, room, began_at, used_at) VALUES ('shop-1st', 'shop', 100.0, 900.0);
INSERT INTO turns (id, room, session, attempt, started_at) VALUES ('t1', 'shop', 'shop-1st', 1, 110.0);
INSERT INTO inbound (id, key, room, person, name, text, at, state, turn, accepted_at) VALUES
    (1, 'k1', 'shop', 5, 'Ada', 'Grüße an alle', 105.0, 'taken', 't1', 105.5),
    (2, 'k2', 'shop', 5, 'Ada', 'next', 115.0, 'queued', NULL, 115.5);
INSERT INTO messages (room, turn, inbound, role, content, at) VALUES ('shop', 't1', 1, 'user', 'Grüße an alle', 105.0);
"""


@pytest.fixture
def second(path: Path) -> Books:
    """A file of the second version, in the midst of work, that has climbed."""
    db = apsw.Connection(str(path))
    prepare(db, (VERSION_1, VERSION_2))
    db.execute(SECOND)
    db.close()
    return Books(path)


def test_it_is_the_third(second: Books) -> None:
    assert LADDER[2] is VERSION_3
    assert second.db.pragma("user_version") == len(LADDER)
    assert second.db.pragma("integrity_check") == "ok"
    assert Path(f"{second.db.filename}.v2").exists()
    second.db.close()


def test_the_work_goes_on_with_sub_agents(second: Books) -> None:
    work = second.work()
    assert work.turn is not None
    assert [each.text for each in work.queue] == ["next"]
    child = second.spawn(turn="t1", wait=True)
    assert second.do(ListSubagents(room="shop")) == (child,)
    second.db.close()


def test_what_was_said_before_is_found(second: Books) -> None:
    (found,) = second.do(SearchHistory(room="shop", words="GRUßE"))
    assert found == Found(at=105.0, role="user", turn="t1", snippet="Grüße an alle")
    second.db.close()


def test_the_index_follows_what_is_said_changed_and_gone(second: Books) -> None:
    def finds(word: str) -> int:
        return len(second.do(SearchHistory(room="shop", words=word)))

    second.db.execute("INSERT INTO messages (room, turn, role, content, at) VALUES ('shop', 't1', 'user', 'new', 1.0)")
    assert finds("new") == 1
    second.db.execute("UPDATE messages SET content = 'other' WHERE content = 'new'")
    assert (finds("new"), finds("other")) == (0, 1)
    second.db.execute("DELETE FROM messages WHERE content = 'other'")
    assert (finds("other"), finds("alle")) == (0, 1)
    second.db.execute("INSERT INTO messages_words (messages_words, rank) VALUES ('integrity-check', 1)")
    second.db.close()


@pytest.mark.parametrize(
    "change",
    [
        "state = 'done'",
        "state = 'completed'",
        "ended_at = 5.0",
        "stop = 'running'",
        "heard = 1",
        "told_turn = 't', told_call = 'c'",
        "state = 'completed', ended_at = 5.0, told_call = 'c'",
        "state = 'completed', ended_at = 5.0, kept = 'open'",
        "state = 'completed', ended_at = 5.0, changes = '{}'",
        "state = 'completed', ended_at = 5.0, waiting = 1",
        "run = 1",
        "depth = 2",
        "parent = 'nobody', depth = 2",
        "by = 99",
        "by = 1, awaited = 1",
        "isolation = 'none'",
    ],
)
def test_a_row_that_contradicts_itself_is_refused(second: Books, change: str) -> None:
    second.spawn()
    with pytest.raises(apsw.ConstraintError):
        second.db.execute(f"UPDATE subagents SET {change}")
    second.db.close()
