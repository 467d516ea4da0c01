"""Sub-agents in the tree: begun, watched and ended for an actor that keeps a `Pool`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors import redaction
from actors.subagents.pool import Pool
from supervisor import (
    Actor,
    ChildSpec,
    Down,
    DynamicSupervisor,
    Intensity,
    Mailbox,
    Overflow,
    Ref,
    Restart,
    Supervisor,
    System,
)
from supervisor.testing import Act, Crash, Script, open_test_system, scripted
from tests.actors.rooms.house import until
from tests.actors.subagents.rows import sub

POOL = "/pool"


class Keeper(Actor[Any]):
    """Keeps a pool as the registrar does."""

    mailbox = Mailbox(16, Overflow.WAIT)

    def __init__(self, keeping: "Keeping") -> None:
        self._keeping = keeping

    async def started(self) -> None:
        keeping = self._keeping
        keeping.pool = Pool(self.context, POOL, keeping.make, lambda *failed: keeping.failed.append(failed))
        keeping.pool.find()

    async def receive(self, message: Any) -> None:
        if message is None:
            raise ValueError("as the test wants it")
        if isinstance(message, Down):
            self._keeping.downs.append(message)
            if not message.restarting:
                slug = message.path.rpartition("/")[2]
                self._keeping.left.append((slug, self._keeping.pool.left(slug)))


class Keeping:
    """A keeper, and what it has heard."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.pool: Pool
        self.scripts: dict[str, Script] = {}
        self.failed: list[tuple[str, str]] = []
        self.downs: list[Down] = []
        self.left: list[tuple[str, bool]] = []
        self.keeper: Ref[Any] = system.ref("/keeper", Keeper)

    def make(self, row: Any) -> ChildSpec[Any]:
        child = scripted("subagent", self.scripts.setdefault(row.slug, Script()))
        return ChildSpec(row.slug, Supervisor(child, intensity=Intensity(0)), restart=Restart.TEMPORARY)

    def there(self) -> list[str]:
        return [node.path.rpartition("/")[2] for node in self.system.which_children(POOL)]

    async def up(self, slug: str) -> None:
        self.pool.start(sub(slug))
        await until(lambda: slug in self.there())
        await trio.sleep(0.1)

    async def crash(self) -> None:
        before = self.system.snapshot("/keeper").incarnation
        await self.keeper.tell(None)
        await until(lambda: self.system.snapshot("/keeper").incarnation > before)
        await trio.sleep(0.1)


@asynccontextmanager
async def open_keeping(most: int = 9) -> AsyncIterator[Keeping]:
    found: list[Keeping] = []

    def tree(system: System) -> Supervisor:
        found.append(Keeping(system))
        return Supervisor(
            ChildSpec("pool", DynamicSupervisor(max_children=most)), ChildSpec("keeper", partial(Keeper, found[0]))
        )

    async with open_test_system(tree):
        await trio.sleep(0.1)
        yield found[0]


async def test_one_is_begun_and_ended_and_its_end_is_heard(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        await keeping.up("a")
        assert ("a" in keeping.pool, keeping.pool.slugs(), keeping.pool.is_up) == (True, ["a"], True)
        for _ in range(3):
            keeping.pool.end("a")
        await until(lambda: keeping.left == [("a", True)])
        assert ("a" in keeping.pool, keeping.failed) == (False, [])


async def test_one_that_is_just_starting_is_not_ended(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        keeping.pool.start(sub("a"))
        keeping.pool.end("a")
        keeping.pool.end("nobody")
        await trio.sleep(1)
        assert keeping.there() == ["a"]


async def test_one_that_cannot_be_started_is_said_with_the_reason(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        keeping.scripts["a"] = Script(Act.FAIL)
        keeping.pool.start(sub("a"))
        await until(lambda: bool(keeping.failed))
        ((slug, why),) = keeping.failed
        assert (slug, "cannot start" in why, "a" in keeping.pool) == ("a", True, False)


async def test_one_that_finds_no_place_is_simply_not_there(autojump_clock: MockClock) -> None:
    async with open_keeping(most=1) as keeping:
        await keeping.up("a")
        keeping.pool.start(sub("b"))
        await trio.sleep(1)
        assert ("b" in keeping.pool, keeping.failed, keeping.left) == (False, [], [])
        keeping.pool.end("a")
        await until(lambda: "a" not in keeping.there())
        await keeping.up("b")


async def test_who_comes_after_a_crash_finds_and_watches_what_is_there(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        await keeping.up("a")
        await keeping.crash()
        assert "a" in keeping.pool
        await keeping.system.terminate_child(f"{POOL}/a")
        await until(lambda: ("a", True) in keeping.left)


async def test_one_that_is_there_already_is_taken_as_begun(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        await keeping.system.start_child(POOL, keeping.make(sub("a")))  # an earlier keeper was just about to
        await keeping.up("a")
        assert ("a" in keeping.pool, keeping.failed) == (True, [])
        await keeping.system.terminate_child(f"{POOL}/a")
        await until(lambda: ("a", True) in keeping.left)


@pytest.fixture
def secret() -> Iterator[str]:
    """One that must not be shown."""
    redaction.remember("hunter22")
    yield "hunter22"
    redaction.forget_all()


async def test_why_one_ended_is_what_failed_in_it_last(secret: str, autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        await keeping.up("a")
        await keeping.up("b")
        worker: Ref[Any] = keeping.system.ref(f"{POOL}/a/subagent", Actor)
        await worker.tell(Crash(word=f"the token {secret} is wrong"))
        await until(lambda: ("a", True) in keeping.left)
        reason = keeping.downs[-1].reason
        assert keeping.pool.why("a", reason) == "the token *** is wrong"
        assert keeping.pool.why("a", "shutdown") == "it was ended from outside"
        assert keeping.pool.why("b", "noproc") == "it ended right after its start"
        assert keeping.pool.why("b", "something") == "something"


async def test_a_pool_that_has_ended_is_not_up(autojump_clock: MockClock) -> None:
    async with open_keeping() as keeping:
        await keeping.up("a")
        await keeping.system.terminate_child(POOL)
        assert not keeping.pool.is_up
