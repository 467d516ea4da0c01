"""What is looked up for the commands that wait, and only for those."""

from functools import partial
from pathlib import Path

import pytest
from trio.testing import MockClock

from actors.messages import ListRooms, Sessions
from actors.rooms.knowing import look_up, wants_log
from actors.rooms.steps import Known
from supervisor import ChildSpec
from tests.actors.rooms.house import BookStore, Faults
from tests.actors.rooms.parts import open_context
from tests.actors.rooms.rows import command, work
from tests.actors.store.books import Books


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ((), []),
        (("status", "agents"), []),
        (("threads",), [ListRooms]),
        (("kill", "recreate"), [ListRooms]),
        (("sessions", "kill"), [ListRooms, Sessions]),
    ],
)
async def test_only_what_is_asked_about_is_looked_up(
    tmp_path: Path, autojump_clock: MockClock, names: tuple[str, ...], asked: list[type]
) -> None:
    books, faults = Books(tmp_path / "state.db"), Faults()
    home = books.say().room
    store = ChildSpec("store", partial(BookStore, books, faults))
    rows = work(room=home, commands=tuple(command(id, name) for id, name in enumerate(names, 10)))
    async with open_context(store) as (_, _told, system):
        known = await look_up(system.ref("/store", BookStore), rows, Known(7.0, doing="thinking"))
        assert [type(each) for each in faults.asked] == asked
        assert (known.now, known.doing) == (7.0, "thinking")
        assert [room.slug for room in known.rooms] == ([home.slug] if ListRooms in asked else [])
        assert [each.id for each in known.sessions] == ([home.session_id] if Sessions in asked else [])
    books.db.close()


def test_who_asks_what_has_failed() -> None:
    assert wants_log(work(commands=(command(9, "log"),)))
    assert not wants_log(work(commands=(command(9, "status"),)))
