"""Refs find who lives at their path, now or later, and know who waits for whom."""

from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisor import (
    Actor,
    ActorStopped,
    AskCycle,
    AskTimeout,
    ChildSpec,
    Mailbox,
    MailboxFull,
    Message,
    NoSuchActor,
    Overflow,
    Promise,
    Ref,
    Reply,
    Request,
    Restart,
    Supervisor,
    System,
)
from supervisor.testing import Probe, open_test_system


class Ask(Request[str]):
    """Ask the one at the head of `way` the same with the rest of it, and pass its answer on."""

    way: tuple[str, ...] = ()


class Tell(Message):
    """Tell `to` so many notes, waiting for room."""

    to: str
    times: int


class Note(Message):
    """Heard, and that is all."""


class Later(Request[str]):
    """Answered by a helper, in `seconds`."""

    seconds: float


class Passer(Actor[Ask | Tell | Note | Later]):
    """Passes on what it is asked, and says what it could not do."""

    mailbox = Mailbox(2, Overflow.WAIT)

    async def receive(self, message: Ask | Tell | Note | Later) -> Reply | Promise[str] | None:
        match message:
            case Ask(way=way):
                if not way:
                    return message.reply("the end")
                try:
                    return message.reply(await self.at(way[0]).ask(Ask(way=way[1:]), timeout=60))
                except (AskCycle, AskTimeout) as error:
                    return message.reply(str(error))
            case Tell(to=to, times=times):
                for _ in range(times):
                    await self.at(to).tell(Note())
            case Later(seconds=seconds):
                promise = self.later(message)
                self.context.start_soon(self.settle, promise, seconds)
                return promise
            case Note():
                pass
        return None

    async def settle(self, promise: Promise[str], seconds: float) -> None:
        await trio.sleep(seconds)
        promise.set(await self.at(self.context.path).ask(Ask(), timeout=60))  # a helper may wait for its actor

    def at(self, path: str) -> Ref[Ask | Tell | Note | Later]:
        return self.context.system.ref(path, Passer)


def passers(ids: str, restart: Restart = Restart.PERMANENT) -> Supervisor:
    return Supervisor(*(ChildSpec(id, Passer, restart=restart) for id in ids))


def nobody_waits(system: System) -> bool:
    return all(cell.waits_for is None for cell in system._registry.cells.values())


# --- rings


@pytest.mark.parametrize("ring", [("/a",), ("/b", "/a"), ("/b", "/c", "/a"), ("/b", "/c", "/b")])
async def test_whoever_would_close_a_ring_of_asks_hears_of_it_at_once(
    ring: tuple[str, ...], autojump_clock: MockClock
) -> None:
    closer = ("/a", *ring)[-2]
    async with open_test_system(passers("abc")) as system:
        begin = trio.current_time()
        answer = await system.ref("/a", Passer).ask(Ask(way=ring), timeout=60)
        assert answer == f"{ring[-1]}: {closer} would wait for itself"
        assert trio.current_time() == begin
        assert nobody_waits(system)
        assert await system.ref("/a", Passer).ask(Ask(way=("/b", "/c")), timeout=60) == "the end"


async def test_a_tell_that_would_wait_for_room_in_ones_own_box(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("a")) as system:
        a = system.ref("/a", Passer)
        await a.tell(Tell(to="/a", times=2))  # there is room for two
        assert await a.ask(Ask(), timeout=60) == "the end"
        await a.tell(Tell(to="/a", times=3))
        await trio.testing.wait_all_tasks_blocked()
        assert system.snapshot("/a").incarnation == 2
        assert "/a would wait for itself" in system.telemetry.failures[0].reason
        assert nobody_waits(system)


async def test_a_full_box_that_does_not_wait_is_full_and_no_ring() -> None:
    class Rejecting(Passer):
        mailbox = Mailbox(2, Overflow.REJECT)

    async with open_test_system(Supervisor(ChildSpec("a", Rejecting))) as system:
        await system.ref("/a", Rejecting).tell(Tell(to="/a", times=3))
        await trio.testing.wait_all_tasks_blocked()
        assert "the mailbox is full (2 messages)" in system.telemetry.failures[0].reason


async def test_asks_and_waiting_tells_make_one_ring(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("ab")) as system:
        a, b = system.ref("/a", Passer), system.ref("/b", Passer)
        await a.tell(Tell(to="/b", times=5))  # waits for room at b …
        await b.tell(Tell(to="/a", times=5))  # … which waits for room at a
        await trio.testing.wait_all_tasks_blocked()
        reasons = [failure.reason for failure in system.telemetry.failures]
        assert len(reasons) == 1
        assert "would wait for itself" in reasons[0]
        assert nobody_waits(system)


async def test_a_helper_may_wait_for_its_own_actor(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("a")) as system:
        assert await system.ref("/a", Passer).ask(Later(seconds=3.0), timeout=60) == "the end"


async def test_who_no_longer_waits_closes_no_ring(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("ab")) as system:
        with trio.move_on_after(1):
            await system.ref("/a", Passer).ask(Ask(way=("/b",)), timeout=60)
        assert await system.ref("/b", Passer).ask(Ask(way=("/a",)), timeout=60) == "the end"
        assert await system.ref("/a", Passer).ask(Ask(way=("/b",)), timeout=60) == "the end"


# --- paths


async def test_nobody_there() -> None:
    async with open_test_system(passers("a")) as system:
        nobody = system.ref("/nobody", Passer)
        with pytest.raises(NoSuchActor, match="/nobody"):
            await nobody.ask(Ask(), timeout=5)
        with pytest.raises(NoSuchActor):
            await nobody.tell(Note())
        with pytest.raises(NoSuchActor):
            nobody.tell_nowait(Note(), urgent=True)
        root = system.ref("/", Passer)
        with pytest.raises(ActorStopped, match="takes no messages"):
            root.tell_nowait(Note())


async def test_a_ref_finds_who_comes_later_and_loses_who_leaves() -> None:
    async with open_test_system(passers("a")) as system:
        late = system.ref("/late", Passer)
        spec = ChildSpec("late", Passer, restart=Restart.TEMPORARY)
        for _ in range(2):
            assert await system.start_child("/", spec) == late
            assert await late.ask(Ask(), timeout=5) == "the end"
            await system.terminate_child("/late")
            for call in (partial(late.ask, Ask(), timeout=5), partial(late.tell, Note())):
                with pytest.raises(NoSuchActor):
                    await call()
            with pytest.raises(NoSuchActor):
                late.tell_nowait(Note())


async def test_a_ref_to_one_who_is_down_and_up_again() -> None:
    async with open_test_system(passers("a", Restart.TRANSIENT)) as system:
        ref = system.ref("/a", Passer)
        await ref.tell(Note())
        await system.terminate_child("/a")
        for call in (partial(ref.ask, Ask(), timeout=5), partial(ref.tell, Note())):
            with pytest.raises(ActorStopped, match="the actor is stopped"):
                await call()
        with pytest.raises(ActorStopped):
            ref.tell_nowait(Note())
        await system.restart_child("/a")
        await ref.tell(Note())
        assert await ref.ask(Ask(), timeout=5) == "the end"


async def test_urgent_ones_have_room_of_their_own(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("ab")) as system:
        ref = system.ref("/a", Passer)
        system.suspend("/a")
        for urgent in (False, True):
            for _ in range(2):
                ref.tell_nowait(Note(), urgent=urgent)
            with pytest.raises(MailboxFull):
                ref.tell_nowait(Note(), urgent=urgent)
        system.resume("/a")
        assert await ref.ask(Ask(), timeout=5) == "the end"


async def test_those_who_wait_for_room_hear_that_the_actor_left(autojump_clock: MockClock) -> None:
    async with open_test_system(passers("a", Restart.TEMPORARY)) as system, trio.open_nursery() as nursery:
        ref = system.ref("/a", Passer)
        system.suspend("/a")
        await trio.testing.wait_all_tasks_blocked()
        heard: list[str] = []

        async def tell() -> None:
            try:
                await ref.tell(Note())
            except ActorStopped:
                heard.append("stopped")
            else:
                heard.append("taken")

        for _ in range(4):
            nursery.start_soon(tell)
        await trio.testing.wait_all_tasks_blocked()
        await system.terminate_child("/a")
        await trio.testing.wait_all_tasks_blocked()
        assert len(heard) == 4
        assert len(system.telemetry.dead_letters) == heard.count("taken")


async def test_refs_are_equal_by_address() -> None:
    async with open_test_system(Supervisor(ChildSpec("a", partial(Probe, [])))) as system:
        assert system.ref("/a", Probe) == system.ref("/a", Probe)
        assert system.ref("/a", Probe) != "/a"
        assert len({system.ref("/a", Probe), system.ref("/a", Probe), system.ref("/b", Probe)}) == 2
        assert repr(system.ref("/a", Probe)) == "Ref(/a)"
