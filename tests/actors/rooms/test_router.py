"""The router in a real tree, with rooms that do what the test says and the store's own rows."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from actors.messages import (
    AgentLost,
    FailRoom,
    ListQuarantined,
    Place,
    Pull,
    Room,
    RoomBusy,
    RoomIdle,
    SendToSleep,
    StoreRequest,
    Tell,
    Wake,
    WakeRoom,
)
from actors.rooms.failures import RoomTrouble
from actors.rooms.router import LOOK_EVERY, Router
from supervisor import (
    Actor,
    ChildSpec,
    ChildStarted,
    DynamicSupervisor,
    Intensity,
    Mailbox,
    NoSuchActor,
    Overflow,
    Ref,
    Restart,
    Strategy,
    Supervisor,
    System,
)
from supervisor.testing import Probe, Recorder, open_test_system
from tests.actors.rooms.house import BookStore, Boom, Faults, until
from tests.actors.store.books import Books

POOL = "/rooms/pool"


class Talk(Actor[Any]):
    """A room's conversation: counts its wakes, and does what `Rooms` says."""

    mailbox = Mailbox(4, Overflow.WAIT)

    def __init__(self, rooms: "Rooms", slug: str) -> None:
        self._rooms = rooms
        self._slug = slug

    async def started(self) -> None:
        if self._slug in self._rooms.unstartable:
            raise Boom("it cannot start")
        self._rooms.wakes.setdefault(self._slug, 0)

    async def receive(self, message: Any) -> None:
        if message == "block":
            await self._rooms.gate.wait()
        if message == "die":
            raise Boom("it cannot go on")
        if isinstance(message, Wake):
            self._rooms.wakes[self._slug] += 1

    async def stopping(self, reason: str) -> None:
        if reason == "shutdown":
            await trio.sleep(self._rooms.slow_end)


class Rooms:
    """A router at work, and what its rooms do."""

    def __init__(self, system: System, books: Books, faults: Faults) -> None:
        self.system = system
        self.recorder = Recorder(system)
        self.books = books
        self.faults = faults
        self.wakes: dict[str, int] = {}
        self.unstartable: set[str] = set()
        self.slow_end = 0.0
        self.gate = trio.Event()
        self.outbox: list[Any] = []
        self.made: list[tuple[str, bool]] = []
        self.dies_of = "conversation"
        self.router: Ref[Any] = system.ref("/rooms/router", Router)

    def awake(self) -> list[str]:
        return [node.path.rpartition("/")[2] for node in self.system.which_children(POOL)]

    def starts(self, slug: str) -> int:
        return len(self.recorder.of(ChildStarted, f"{POOL}/{slug}"))

    def known(self, chat: int) -> Room:
        """The room of a chat, with nothing to do."""
        room = self.books.say(place=Place("telegram", chat)).room
        self.books.db.execute("UPDATE inbound SET state = 'done' WHERE room = ?", (room.slug,))
        return room

    async def wake(self, room: Room) -> None:
        await self.router.tell(WakeRoom(room=room))

    async def idle(self, room: Room) -> None:
        await self.router.tell(RoomIdle(slug=room.slug))

    async def up(self, room: Room) -> None:
        """Wake it and wait until it is there and has been told."""
        await self.wake(room)
        await until(lambda: self.wakes.get(room.slug, 0) > 0 and room.slug in self.awake())

    async def kill(self, room: Room, times: int = 100) -> None:
        """Let the room die of itself so many times, or until it has given up; it may twice."""
        talk: Ref[Any] = self.system.ref(f"{POOL}/{room.slug}/{self.dies_of}", Talk)
        for _ in range(times):
            if room.slug not in self.awake():
                return
            try:
                await talk.tell("die")
            except NoSuchActor:
                return
            await trio.sleep(0.5)

    async def crash_router(self) -> None:
        before = self.system.snapshot(self.router.path).incarnation
        await self.router.tell(None)  # no message of its: it dies of it
        await until(lambda: self.system.snapshot(self.router.path).incarnation > before)

    def reports(self) -> list[FailRoom]:
        return [each for each in self.faults.asked if isinstance(each, FailRoom)]


class FragileRouter(Router):
    """A router that a test can crash."""

    async def receive(self, message: Any) -> None:
        if message is None:
            raise Boom
        await super().receive(message)


@asynccontextmanager
async def open_rooms(
    tmp_path: Path,
    *,
    most: int = 2,
    idle_timeout: float = 900.0,
    before: Callable[[Books], object] = lambda _: None,
) -> AsyncIterator[Rooms]:
    books, faults = Books(tmp_path / "state.db"), Faults()
    before(books)
    found: list[Rooms] = []

    def tree(system: System) -> Supervisor:
        rooms = Rooms(system, books, faults)
        found.append(rooms)
        store: Ref[StoreRequest] = system.ref("/store", BookStore)

        def make_room(room: Room, failed: bool) -> ChildSpec[Any]:
            rooms.made.append((room.slug, failed))
            talk = ChildSpec("conversation", partial(Talk, rooms, room.slug))
            agent = ChildSpec("agent", partial(Talk, rooms, room.slug))
            return ChildSpec(
                room.slug, Supervisor(talk, agent, intensity=Intensity(2, within=60.0)), restart=Restart.TEMPORARY
            )

        def conversation(slug: str) -> Ref[Wake]:
            return system.ref(f"{POOL}/{slug}/conversation", Talk)

        router = partial(
            FragileRouter,
            POOL,
            store=store,
            outbox=lambda _: system.ref("/outbox", Probe),
            make_room=make_room,
            conversation=conversation,
            most=most,
            idle_timeout=idle_timeout,
            gives_up=Intensity(5, within=60.0),
        )
        return Supervisor(
            ChildSpec("store", partial(BookStore, books, faults)),
            ChildSpec("outbox", partial(Probe, rooms.outbox)),
            ChildSpec(
                "rooms",
                Supervisor(
                    ChildSpec("pool", DynamicSupervisor(max_children=most)),
                    ChildSpec("router", router),
                    strategy=Strategy.REST_FOR_ONE,
                ),
            ),
        )

    async with open_test_system(tree):
        yield found[0]
    books.db.close()


async def test_rooms_with_unfinished_work_are_woken_at_the_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    def before(books: Books) -> None:
        books.say(place=Place("telegram", 1))
        books.answered("done", place=Place("telegram", 2))

    async with open_rooms(tmp_path, before=before) as rooms:
        await until(lambda: bool(rooms.awake()))
        await trio.sleep(1)
        assert len(rooms.awake()) == 1


async def test_many_messages_wake_a_room_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        for _ in range(20):
            rooms.router.tell_nowait(WakeRoom(room=room))
        await rooms.up(room)
        await rooms.wake(room)
        await trio.sleep(1)
        assert rooms.starts(room.slug) == 1
        assert rooms.wakes[room.slug] >= 2
        assert rooms.reports() == []


async def test_at_the_bound_the_least_recently_used_idle_room_makes_place(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        first, second, third = (rooms.known(chat) for chat in (1, 2, 3))
        await rooms.up(first)
        await rooms.up(second)
        await rooms.idle(second)
        await trio.sleep(1)
        await rooms.idle(first)
        await rooms.up(third)
        assert set(rooms.awake()) == {first.slug, third.slug}
        assert rooms.outbox == []  # that was no wait to speak of


async def test_when_all_are_busy_a_room_waits_until_one_is_idle(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        first, second, third = (rooms.known(chat) for chat in (1, 2, 3))
        await rooms.up(first)
        await rooms.up(second)
        for _ in range(2):
            await rooms.wake(third)
            await trio.sleep(50)
        assert set(rooms.awake()) == {first.slug, second.slug}
        (told,) = [each for each in rooms.faults.asked if isinstance(each, Tell)]
        assert (told.slug, "All 2 rooms" in told.deliveries[0].text) == (third.slug, True)
        assert rooms.outbox == [Wake()]
        assert rooms.system.snapshot(rooms.router.path).doing == "2 of 2 rooms awake, 1 wait for a place"
        await rooms.idle(first)
        await until(lambda: set(rooms.awake()) == {second.slug, third.slug})


async def test_one_idle_room_goes_for_one_that_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path, most=3) as rooms:
        idle = [rooms.known(chat) for chat in (1, 2, 3)]
        for room in idle:
            await rooms.up(room)
            await rooms.idle(room)
        rooms.slow_end = 3.0
        newcomer = rooms.known(4)
        await rooms.wake(newcomer)
        await trio.sleep(1)
        await rooms.idle(idle[2])  # a second look, while the first one is on its way out
        await rooms.up(newcomer)
        await trio.sleep(10)
        assert len(rooms.awake()) == 3
        assert sum(rooms.starts(room.slug) for room in idle) == 3


async def test_an_idle_room_leaves_after_its_time_and_a_busy_one_does_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path, idle_timeout=100.0) as rooms:
        idle, busy = rooms.known(1), rooms.known(2)
        await rooms.up(idle)
        await rooms.up(busy)
        await rooms.idle(idle)
        await trio.sleep(90)
        assert len(rooms.awake()) == 2
        await trio.sleep(2 * LOOK_EVERY)
        assert rooms.awake() == [busy.slug]
        assert rooms.reports() == []


async def test_an_idle_room_that_is_woken_counts_as_busy(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path, idle_timeout=100.0) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        await rooms.idle(room)
        await trio.sleep(50)
        await rooms.wake(room)
        await trio.sleep(200)
        assert rooms.starts(room.slug) == 1
        assert rooms.awake() == [room.slug]


async def test_a_room_whose_word_of_being_idle_crossed_its_wake_is_not_ended_at_work(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path, idle_timeout=100.0) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        await rooms.wake(room)
        await rooms.idle(room)  # from before the wake, which it has not heard yet
        await rooms.router.tell(RoomBusy(slug=room.slug))
        await trio.sleep(200)
        assert rooms.starts(room.slug) == 1
        assert rooms.awake() == [room.slug]


async def test_a_message_for_a_room_that_is_leaving_brings_it_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path, idle_timeout=0.0) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        rooms.slow_end = 2.0
        await rooms.idle(room)
        await trio.sleep(LOOK_EVERY + 1)  # it is being stopped now
        await rooms.wake(room)
        await until(lambda: rooms.starts(room.slug) == 2)
        assert rooms.reports() == []


async def test_work_that_came_just_before_a_room_left_brings_it_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path, idle_timeout=0.0) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        # Accepted and told, but the conversation's word of being idle from before reaches the router after that.
        rooms.books.say(place=room.place)
        await rooms.wake(room)
        await rooms.idle(room)
        await until(lambda: rooms.starts(room.slug) == 2)


async def test_a_room_that_gives_up_is_reported_once_and_tried_again_by_the_next_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room, other = rooms.known(1), rooms.known(2)
        await rooms.up(other)
        await rooms.up(room)
        await rooms.kill(room)
        await until(lambda: bool(rooms.outbox))
        await trio.sleep(100)
        (report,) = rooms.reports()
        assert report.slug == room.slug
        assert "it cannot go on" in report.text
        assert [button.command for row in report.buttons for button in row] == ["new", "log"]
        assert rooms.outbox == [Wake()]
        assert rooms.awake() == [other.slug]
        await rooms.up(room)
        assert rooms.starts(other.slug) == 1
        await rooms.kill(room)
        await until(lambda: len(rooms.outbox) == 2)
        assert len(rooms.books.db.execute("SELECT id FROM deliveries").fetchall()) == 2


async def test_a_report_says_what_the_agent_died_of_if_it_was_the_agent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        lost = AgentLost(incarnation=1, what="pi ended, exit code 9", stderr=("no",), session=False)
        await rooms.router.tell(RoomTrouble(slug="unknown", lost=lost))
        await rooms.router.tell(RoomTrouble(slug=room.slug, lost=lost))
        await rooms.kill(room)  # it is the conversation that dies
        await until(lambda: bool(rooms.reports()))
        (report,) = rooms.reports()
        assert "it cannot go on" in report.text
        assert "It failed 3 times within 1 min" in report.text
        assert "exit code 9" not in report.text


async def test_what_a_conversation_dies_on_before_it_begins_is_set_aside_and_the_next_one_is_done(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        rooms.books.say("poison", place=room.place)
        rooms.books.say("next", place=room.place)
        await rooms.up(room)
        await rooms.kill(room, times=3)
        await until(lambda: rooms.starts(room.slug) == 2)
        assert [each.text for each in rooms.books.do(ListQuarantined())] == ["poison"]
        assert [each.text for each in rooms.books.work(room.place).queue] == ["next"]
        assert "it cannot go on" in rooms.books.due()[0].text
        assert rooms.reports() == []
        await until(lambda: rooms.outbox == [Wake()])


async def test_a_room_that_gives_up_for_another_reason_keeps_its_messages(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        rooms.books.say("innocent", place=room.place)
        rooms.dies_of = "agent"
        await rooms.up(room)
        await rooms.kill(room)
        await until(lambda: len(rooms.reports()) == 1)
        assert rooms.books.do(ListQuarantined()) == ()


async def test_a_room_that_gave_up_begins_as_one_until_it_has_been_idle(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        await rooms.kill(room)
        await until(lambda: bool(rooms.reports()))
        await rooms.up(room)
        await rooms.idle(room)
        await rooms.router.tell(SendToSleep(slug=room.slug))
        await until(lambda: not rooms.awake())
        await rooms.wake(room)
        await until(lambda: bool(rooms.awake()))
        assert rooms.made == [(room.slug, False), (room.slug, True), (room.slug, False)]


async def test_a_room_that_cannot_start_is_reported_and_tried_again_by_the_next_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path, most=1) as rooms:
        room = rooms.known(1)
        rooms.unstartable.add(room.slug)
        await rooms.wake(room)
        await until(lambda: bool(rooms.outbox))
        (report,) = rooms.reports()
        assert "it cannot start" in report.text
        rooms.unstartable.clear()
        await rooms.up(room)


async def test_a_report_is_made_once_also_if_the_store_restarts_on_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        rooms.faults.after[FailRoom] = Boom()
        await rooms.kill(room)
        await until(lambda: bool(rooms.outbox))
        assert len(rooms.books.db.execute("SELECT id FROM deliveries").fetchall()) == 1


async def test_after_a_crash_it_finds_the_rooms_that_are_awake(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path, most=1) as rooms:
        first, second = rooms.known(1), rooms.known(2)
        await rooms.up(first)
        await rooms.crash_router()
        await until(lambda: rooms.wakes[first.slug] == 2)
        await rooms.wake(second)
        await trio.sleep(10)
        assert rooms.awake() == [first.slug]
        await rooms.idle(first)
        await until(lambda: rooms.awake() == [second.slug])


async def test_after_a_crash_a_room_that_gives_up_is_still_reported(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        await rooms.crash_router()
        await rooms.kill(room)
        await until(lambda: bool(rooms.outbox))
        assert len(rooms.reports()) == 1


async def test_after_a_crash_a_room_that_was_leaving_comes_back_if_it_is_needed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_rooms(tmp_path, idle_timeout=0.0) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        rooms.slow_end = 3.0
        await rooms.idle(room)
        await trio.sleep(LOOK_EVERY)
        await rooms.crash_router()
        rooms.slow_end = 0.0
        await rooms.wake(room)
        await until(lambda: rooms.starts(room.slug) == 2)


async def test_an_idle_room_is_sent_to_sleep_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        first, second = rooms.known(1), rooms.known(2)
        for room in (first, second):
            await rooms.up(room)
            await rooms.idle(room)
        await rooms.router.tell(SendToSleep(slug=first.slug))
        await until(lambda: rooms.awake() == [second.slug])
        await rooms.router.tell(SendToSleep(slug="unknown"))
        await rooms.up(first)
        await rooms.idle(first)
        await trio.sleep(LOOK_EVERY)
        assert len(rooms.awake()) == 2  # once is enough


async def test_a_busy_room_is_sent_to_sleep_when_it_is_idle(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        first, second = rooms.known(1), rooms.known(2)
        await rooms.up(first)
        await rooms.up(second)
        await rooms.router.tell(SendToSleep(slug=None))
        await rooms.idle(second)
        await until(lambda: rooms.awake() == [first.slug])
        await trio.sleep(100)
        assert rooms.awake() == [first.slug]
        await rooms.idle(first)
        await until(lambda: not rooms.awake())


async def test_it_never_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        slow, other = rooms.known(1), rooms.known(2)
        await rooms.up(slow)
        rooms.slow_end = 4.0
        rooms.faults.before[Pull] = Boom()
        await rooms.system.terminate_child("/store")
        with trio.fail_after(1):
            await rooms.up(other)
        await rooms.system.restart_child("/store")


async def test_a_wake_gets_through_a_full_mailbox(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_rooms(tmp_path) as rooms:
        room = rooms.known(1)
        await rooms.up(room)
        talk: Ref[Any] = rooms.system.ref(f"{POOL}/{room.slug}/conversation", Talk)
        await trio.sleep(1)
        before = rooms.wakes[room.slug]
        for word in ("block", *["filler"] * 4):
            await talk.tell(word)
        await rooms.wake(room)
        await trio.sleep(1)
        rooms.gate.set()
        await until(lambda: rooms.wakes[room.slug] == before + 1)
