"""A room's dealings with its sub-agents, with the store's own rows."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.messages import (
    Decide,
    GetSubagent,
    ListSubagents,
    Place,
    Queued,
    Room,
    Spawned,
    SpawnRefused,
    SubagentState,
    Wake,
)
from actors.rooms.steps import Delegate, EndSubagent, PassOn
from actors.rooms.subagents import TELL_AGAIN, Subagents
from supervisor import ChildSpec, Message, Ref, Restart, System
from supervisor.testing import Probe
from tests.actors.rooms.house import BOUNDS, BookStore, Faults
from tests.actors.rooms.parts import open_context
from tests.actors.rooms.rows import command
from tests.actors.store.books import Books


class Rig(NamedTuple):
    """Two rooms, and the sub-agents of each. `told`: what their registrar has heard."""

    books: Books
    system: System
    told: list[Message]
    asked: list[Any]
    home: Room
    other: Room
    of_home: Subagents
    of_other: Subagents

    def row(self, text: str) -> Queued:
        """A command that waits in the first room."""
        name = text.removeprefix("/").split()[0]
        return command(self.books.say(text, command=name).inbound, name, text)


@asynccontextmanager
async def open_rig(tmp_path: Path, *, registrar: bool = True) -> AsyncIterator[Rig]:
    books, faults = Books(tmp_path / "state.db"), Faults()
    home, other = books.say().room, books.say(place=Place("telegram", -200), title="Attic").room
    told: list[Message] = []
    store = ChildSpec("store", partial(BookStore, books, faults))
    probe = ChildSpec("registrar", partial(Probe, told), restart=Restart.TEMPORARY)
    async with open_context(store, *([probe] if registrar else [])) as (_, _heard, system):

        def say(whom: Ref[Any], message: Message) -> None:
            whom.tell_nowait(message)

        make: Callable[[str], Subagents] = partial(
            Subagents,
            store=system.ref("/store", BookStore),
            registrar=system.ref("/registrar", Probe),
            bounds=BOUNDS,
            timeout=600.0,
            say=say,
        )
        yield Rig(books, system, told, faults.asked, home, other, make(home.slug), make(other.slug))
    books.db.close()


async def begin(rig: Rig, subagents: Subagents, task: str) -> str:
    """Begin one; its slug."""
    spawned = await subagents.spawn(Delegate(rig.row("/spawn"), task))
    assert isinstance(spawned, Spawned)
    return spawned.subagent.slug


async def test_one_is_begun_once_for_each_command(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        wish = Delegate(rig.row("/spawn count the lines"), "count the lines")
        spawned = await rig.of_home.spawn(wish)
        assert isinstance(spawned, Spawned)
        sub = spawned.subagent
        assert (sub.room, sub.parent, sub.turn, sub.by) == (rig.home.slug, None, None, wish.command.id)
        assert (sub.task, sub.isolation, sub.timeout, sub.awaited) == ("count the lines", "copy", 600.0, False)
        again = await rig.of_home.spawn(wish)  # as after a crash
        assert isinstance(again, Spawned)
        assert again.subagent.slug == sub.slug
        another = await rig.of_home.spawn(Delegate(rig.row("/spawn count the lines"), "count the lines"))
        assert isinstance(another, Spawned)
        assert another.subagent.slug != sub.slug  # who says the same twice means it twice
        await wait_all_tasks_blocked()
        assert rig.told == [Wake()] * 3


async def test_what_is_refused_has_its_reason(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        refused = await rig.of_home.spawn(Delegate(rig.row("/spawn"), "   "))
        assert isinstance(refused, SpawnRefused)
        assert refused.reason


async def test_only_what_is_asked_about_is_looked_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        mine, theirs = await begin(rig, rig.of_home, "one"), await begin(rig, rig.of_other, "two")
        rig.asked.clear()

        async def found(*texts: str) -> list[str]:
            rows = [command(id, text.removeprefix("/").split()[0], text) for id, text in enumerate(texts, 100)]
            return [sub.slug for sub in await rig.of_home.look_up(rows)]

        assert await found("/usage", "/threads", "/kill", "/apply") == []
        assert rig.asked == []
        for name in ("agents", "status", "stop", "new", "resume", "topic"):
            assert await found(f"/{name}") == [mine]
        assert [request.ended for request in rig.asked if isinstance(request, ListSubagents)] == [10, 0, 0, 0, 0, 0]
        rig.asked.clear()
        assert await found(f"/apply {mine} ", f"/kill {theirs}", "/diff nobody") == [mine, theirs]
        assert all(isinstance(request, GetSubagent) for request in rig.asked)
        assert await found("/status", f"/kill {mine}") == [mine]


async def test_one_and_all_below_it_are_to_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rig(tmp_path) as rig:
        slug = await begin(rig, rig.of_home, "one")
        await wait_all_tasks_blocked()
        rig.told.clear()
        for _ in range(2):
            await rig.of_home.carry_out(EndSubagent(slug))
        await wait_all_tasks_blocked()
        sub = rig.books.do(GetSubagent(slug=slug))
        assert sub is not None
        assert SubagentState.CANCELLED in (sub.state, sub.stop)
        assert Wake() in rig.told


def decisions(rig: Rig) -> list[Decide]:
    return [each for each in rig.told if isinstance(each, Decide)]


async def test_a_decision_is_told_once_and_again_if_it_is_not_answered_for_long(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rig(tmp_path) as rig:
        wish = rig.row("/apply a")
        await rig.of_home.carry_out(PassOn(wish, "a", "apply"))
        for _ in range(int(TELL_AGAIN) - 1):
            await trio.sleep(1)
            rig.of_home.waiting({wish.id})
        expected = Decide(room=rig.home.slug, command=wish.id, reply_to=wish.message_id, slug="a", what="apply")
        assert decisions(rig) == [expected]
        await trio.sleep(2)
        rig.of_home.waiting({wish.id})
        await wait_all_tasks_blocked()
        assert decisions(rig) == [expected] * 2
        rig.of_home.waiting(set())  # it is answered
        await trio.sleep(TELL_AGAIN * 2)
        rig.of_home.waiting({wish.id})
        await wait_all_tasks_blocked()
        assert len(decisions(rig)) == 2


async def test_a_registrar_that_is_not_there_yet_is_told_at_the_next_look(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rig(tmp_path, registrar=False) as rig:
        wish = rig.row("/diff a")
        await rig.of_home.carry_out(PassOn(wish, "a", "diff"))
        rig.of_home.waiting({wish.id})
        await rig.system.start_child("/", ChildSpec("registrar", partial(Probe, rig.told)))
        rig.of_home.waiting({wish.id})
        rig.of_home.waiting({wish.id})
        await wait_all_tasks_blocked()
        assert [each.what for each in decisions(rig)] == ["diff"]
