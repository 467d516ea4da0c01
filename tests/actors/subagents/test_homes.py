"""A workspace in the hands of a worker; its life as a whole is in `test_subagent`."""

from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.messages import Place, Room, RoomSettings, Subagent
from actors.subagents.ground import Made
from actors.subagents.homes import Home, HomeGrows, HomeMade, WorkKept
from tests.actors.rooms.house import until
from tests.actors.rooms.parts import open_context
from tests.actors.subagents.household import Site
from tests.actors.subagents.rows import changes, sub

ROOM = Room(
    slug="shop",
    place=Place("telegram", 1),
    title="Shop",
    workspace="/work/shop",
    session_id="shop-1",
    leaf=None,
    created_at=1.0,
    updated_at=1.0,
    settings=RoomSettings(model="small", thinking="low", muted=True),
)


async def made(row: Subagent, site: Site, *, begun: bool = False) -> list[object]:
    """What the worker is told of a workspace that it wants."""
    async with open_context() as (context, told, _):
        Home(context, site.ground()).prepare(row, begun=begun)
        await until(lambda: any(isinstance(each, HomeMade) for each in told))
        return list(told)


async def test_it_is_made_of_its_parents(autojump_clock: MockClock) -> None:
    site = Site()
    ready = HomeMade(made=Made("clone", ("big.bin left out: 600 MB.",)))
    assert await made(sub("a"), site) == [HomeGrows(text="carrying files"), ready]
    await made(sub("b", parent="a"), site)
    assert site.calls == ["make a of /work/shop", "make b of /state/a/work"]


async def test_it_is_made_of_what_its_room_worked_in_when_it_was_begun(autojump_clock: MockClock) -> None:
    site = Site()
    await made(sub("a", workspace="/src/api"), site)  # the room's is another one now
    assert site.calls == ["make a of /src/api"]


async def test_what_is_there_is_left_as_it_is(autojump_clock: MockClock) -> None:
    site = Site()
    site.ready["a"] = Made("copy")
    for begun in (False, True):
        assert await made(sub("a"), site, begun=begun) == [HomeMade(made=Made("copy"))]
    assert site.calls == []


async def test_one_that_was_worked_in_is_not_made_again(autojump_clock: MockClock) -> None:
    site = Site()
    assert await made(sub("a"), site, begun=True) == [HomeMade(gone=True)]
    assert site.calls == []


async def test_why_it_cannot_be_is_told(autojump_clock: MockClock) -> None:
    site = Site()
    site.unmade = "no space"
    assert (await made(sub("a"), site))[-1] == HomeMade(error="no space")


@pytest.mark.parametrize("soon", [True, False])
async def test_given_up_it_is_over_before_anything_else_is_done(autojump_clock: MockClock, soon: bool) -> None:
    site = Site()
    site.gate = trio.Event()
    async with open_context() as (context, told, _):
        home = Home(context, site.ground())
        home.prepare(sub("a"), begun=False)
        if not soon:
            await until(lambda: bool(site.calls))
        await home.abandon()
        assert site.calls == ([] if soon else ["make a of /work/shop", "wiped"])
        await trio.sleep(5)
        assert not any(isinstance(each, HomeMade) for each in told)


async def test_what_was_changed_is_kept_or_why_not(autojump_clock: MockClock) -> None:
    site = Site()
    site.ready["a"], site.changes = Made("copy"), changes("/r")
    async with open_context() as (context, told, _):
        home = Home(context, site.ground())
        home.gather(sub("a"))
        await until(lambda: bool(told))
        assert told == [WorkKept(changes=site.changes)]
        site.unkept = "no space"
        home.gather(sub("a"))
        await until(lambda: len(told) == 2)
        assert told[1] == WorkKept(changes=None, error="no space")


async def test_its_pi_gets_what_is_set_for_the_room_unless_a_model_was_asked_for(tmp_path: Path) -> None:
    async with open_context() as (context, _, _):
        home = Home(context, Site().ground())
        row = sub("a", leaf="e1")
        found = home.as_room(row, ROOM)
        assert (found.slug, found.workspace, found.session_id, found.leaf) == ("a", "/state/a/work", "a-1", "e1")
        assert found.place == ROOM.place
        assert found.settings == RoomSettings(model="small", thinking="low")
        asked = msgspec.structs.replace(row, model="large")
        assert home.as_room(asked, ROOM).settings == RoomSettings(model="large", thinking="low")
