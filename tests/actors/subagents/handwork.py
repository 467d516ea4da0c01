"""A room whose agent is in its turn and has hands, for tests: the test is the registrar and the sub-agents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from actors.messages import (
    PrepareSubagent,
    StoreRequest,
    Subagent,
)
from actors.pi.hands import Answered
from actors.pi.host_tools import Delegation
from actors.subagents.hands import Helpers
from actors.subagents.results import Applied
from supervisor import ChildSpec, Ref, Supervisor, System
from supervisor.testing import Probe, open_test_system
from tests.actors.rooms.house import BookStore, Faults
from tests.actors.store.books import BOUNDS, Books
from tests.actors.subagents.rows import changes

CALL = "call-1"


class Bench:
    """A room called shop whose agent is in its turn, and hands."""

    def __init__(self, system: System, books: Books, faults: Faults, state: Path, turn: str) -> None:
        self.books = books
        self.faults = faults
        self.turn = turn
        self.told: list[tuple[str, bool]] = []
        self.registrar: list[Any] = []
        self.applied: list[tuple[str, str]] = []
        self.merging: tuple[str, ...] | Exception = ("a.txt", "b.txt")
        self.models: tuple[str, ...] = ()
        self._system = system
        self._state = state

    def hands(self, parent: str | None = None) -> Helpers:
        store: Ref[StoreRequest] = self._system.ref("/store", BookStore)
        return Helpers(
            "shop",
            parent,
            store=store,
            registrar=self._system.ref("/registrar", Probe),
            bounds=BOUNDS,
            timeout=600.0,
            state=self._state,
            tell=self._tell,
            models=lambda: self.models,
            apply=self._apply,
        )

    async def _tell(self, turn: str, waits: bool) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append((turn, waits))

    async def _apply(self, made: Any, workspace: str) -> Applied:
        if isinstance(self.merging, Exception):
            raise self.merging
        self.applied.append((made.repository, workspace))
        return Applied(self.merging)

    async def do(self, wanted: Delegation, hands: Helpers | None = None, dialog: str = "d1") -> Answered:
        return await (hands or self.hands()).do(self.turn, CALL, dialog, wanted)

    def begin(self, slug: str) -> None:
        self.books.do(PrepareSubagent(slug=slug))
        self.books.run(slug, 1)

    def newest(self) -> Subagent:
        slug: str = self.books.db.execute("SELECT slug FROM subagents ORDER BY id DESC LIMIT 1").get
        return self.books.subagent(slug)

    def count(self) -> int:
        number: int = self.books.db.execute("SELECT count(*) FROM subagents").get
        return number


@asynccontextmanager
async def open_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    books, faults = Books(tmp_path / "state.db"), Faults()
    books.begin("turn-1", books.say(title="Shop"))
    found: list[Bench] = []

    def tree(system: System) -> Supervisor:
        bench = Bench(system, books, faults, tmp_path, "turn-1")
        found.append(bench)
        return Supervisor(
            ChildSpec("store", partial(BookStore, books, faults)),
            ChildSpec("registrar", partial(Probe, bench.registrar)),
        )

    async with open_test_system(tree):
        yield found[0]
    books.db.close()


class Call:
    """A tool call that goes on for a while."""

    def __init__(self) -> None:
        self.answer: Answered | None = None
        self.scope = trio.CancelScope()

    async def run(self, wanted: Delegation, hands: Helpers, turn: str, dialog: str) -> None:
        with self.scope:
            self.answer = await hands.do(turn, f"call of {dialog}", dialog, wanted)


def begin_call(
    nursery: trio.Nursery, wanted: Delegation, hands: Helpers, turn: str = "turn-1", dialog: str = "d1"
) -> Call:
    call = Call()
    nursery.start_soon(call.run, wanted, hands, turn, dialog)
    return call


def made(bench: Bench, slug: str) -> None:
    """One has ended and has changed something."""
    bench.books.finish(slug, changes=changes(f"/results/{slug}"))
