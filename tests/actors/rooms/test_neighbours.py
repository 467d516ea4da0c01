"""What a command does to other rooms, with the store's own rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from trio.testing import MockClock

from actors.messages import (
    BeginTurn,
    GetSubagent,
    Place,
    Room,
    SendToSleep,
    Spawn,
    Spawned,
    Subagent,
    SubagentState,
    Wake,
    WakeRoom,
)
from actors.rooms import words
from actors.rooms.neighbours import Neighbours
from supervisor import ChildSpec, Message, Ref
from supervisor.testing import Probe
from tests.actors.rooms.house import BOUNDS, BookStore, Faults
from tests.actors.rooms.parts import open_context
from tests.actors.store.books import Books


@asynccontextmanager
async def open_neighbours(
    tmp_path: Path, looks: list[Message] | None = None
) -> AsyncIterator[tuple[Neighbours, Books, list[Message]]]:
    """Neighbours over a store, and what they say to anybody; what they say to the registrar goes into `looks`."""
    books, said = Books(tmp_path / "state.db"), list[Message]()
    store, router = partial(BookStore, books, Faults()), partial(Probe, [])
    async with open_context(ChildSpec("store", store), ChildSpec("router", router)) as (context, _, system):

        def say(whom: Ref[Any], message: Message) -> None:
            heard = said if whom is not registrar else looks
            if heard is not None:
                heard.append(message)

        somebody, registrar = system.ref("/router", Probe), system.ref("/registrar", Probe)
        yield Neighbours(system.ref("/store", BookStore), somebody, registrar, lambda _: somebody, say), books, said
        del context
    books.db.close()


def room(books: Books, chat: int, *, runs: bool) -> Room:
    """A room where one message runs, or waits, and another waits."""
    first = books.say(place=Place("telegram", chat))
    slug = first.room.slug
    if runs:
        books.batch(
            BeginTurn(slug=slug, turn=f"t{first.inbound}", attempt=1, inbounds=(first.inbound,), leaf_before=None)
        )
    return books.say(place=Place("telegram", chat)).room


def told(books: Books, slug: str) -> list[str]:
    rows = books.db.execute("SELECT text FROM deliveries WHERE room = ? ORDER BY id", (slug,))
    return [str(text) for (text,) in rows]


async def test_a_room_that_runs_is_woken_and_says_itself_what_is_held(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_neighbours(tmp_path) as (neighbours, books, said):
        home = room(books, 1, runs=True)
        await neighbours.send_to_sleep(home.slug, 9, stop=True)
        assert [type(each) for each in said] == [WakeRoom, SendToSleep]
        assert told(books, home.slug) == []


async def test_a_room_where_nothing_runs_hears_of_what_is_held_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_neighbours(tmp_path) as (neighbours, books, said):
        home = room(books, 1, runs=False)
        for _ in range(2):  # as a command that is taken again after a crash
            await neighbours.send_to_sleep(home.slug, 9, stop=True)
        assert told(books, home.slug) == [f"The agent of this room was ended. {words.held(2)}"]
        assert [type(each) for each in said[:3]] == [WakeRoom, Wake, SendToSleep]


async def test_all_rooms_are_stopped_or_only_sent_to_sleep(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_neighbours(tmp_path) as (neighbours, books, said):
        homes = [room(books, chat, runs=True) for chat in (1, 2)]
        await neighbours.send_to_sleep(None, 9, stop=False)
        assert said == [SendToSleep(slug=None)]
        await neighbours.send_to_sleep(None, 9, stop=True)
        woken = {each.room.slug for each in said if isinstance(each, WakeRoom)}
        assert woken == {home.slug for home in homes}


def subagent(books: Books, home: Room) -> Subagent:
    """One that a person of this room has begun."""
    spawn = Spawn(
        key=f"a key of {home.slug}",
        room=home.slug,
        parent=None,
        turn=None,
        by=1,
        task=f"tidy {home.slug}",
        isolation="copy",
        model=None,
        timeout=60.0,
        wait=False,
        queue=True,
        bounds=BOUNDS,
    )
    spawned = books.do(spawn)
    assert isinstance(spawned, Spawned)
    return spawned.subagent


async def test_the_sub_agents_of_a_room_that_is_stopped_are_to_end_also_where_nothing_runs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    looks = list[Message]()
    async with open_neighbours(tmp_path, looks) as (neighbours, books, _):
        homes = [room(books, 1, runs=True), books.say(place=Place("telegram", 2)).room]
        slugs = [subagent(books, home).slug for home in homes]

        def to_end() -> list[bool]:
            found = [books.do(GetSubagent(slug=slug)) for slug in slugs]
            return [each is not None and each.stop is SubagentState.CANCELLED for each in found]

        await neighbours.send_to_sleep(None, 9, stop=False)
        await neighbours.send_to_sleep(homes[0].slug, 9, stop=False)
        assert to_end() == [False, False]
        assert looks == []
        await neighbours.send_to_sleep(homes[1].slug, 9, stop=True)
        assert to_end() == [False, True]
        await neighbours.send_to_sleep(None, 9, stop=True)
        assert to_end() == [True, True]
        assert looks == [Wake(), Wake()]
