"""What a room's people are told of what went wrong."""

from trio.testing import MockClock, wait_all_tasks_blocked

from actors.messages import AgentLost
from actors.redaction import forget_all, remember
from actors.rooms.failures import failures_since, has_failed, last_failure, last_loss
from actors.rooms.trouble import Loss
from supervisor import ChildSpec, Supervisor
from supervisor.testing import Crash, Player, open_test_system, scripted


def room(name: str) -> ChildSpec[object]:
    return ChildSpec(name, Supervisor(scripted("conversation"), scripted("agent")))


async def test_the_newest_failure_in_that_room_counts_without_its_secrets(autojump_clock: MockClock) -> None:
    remember("hunter2-hunter2")
    try:
        async with open_test_system(Supervisor(room("lab"), room("lab2"))) as system:
            assert last_failure(system, "/lab") == ""
            for path, word in (
                ("/lab/agent", "first"),
                ("/lab/conversation", "key hunter2-hunter2"),
                ("/lab2/agent", "x"),
            ):
                await system.ref(path, Player).tell(Crash(word=word))
                await wait_all_tasks_blocked()
            said = last_failure(system, "/lab")
            assert said == "key ***"
    finally:
        forget_all()


async def test_what_a_room_died_of_is_what_its_agent_said_if_it_was_that_agent(autojump_clock: MockClock) -> None:
    lost = AgentLost(incarnation=1, what="pi ended", stderr=("no",), session=False)
    async with open_test_system(Supervisor(room("lab"))) as system:
        assert last_loss(system, "/lab", lost, "noproc") == Loss("noproc")
        await system.ref("/lab/agent", Player).tell(Crash(word="boom"))
        await wait_all_tasks_blocked()
        assert last_loss(system, "/lab", lost, "") == Loss("pi ended", ("no",), session=False)
        assert last_loss(system, "/lab", None, "") == Loss("boom")
        await system.ref("/lab/conversation", Player).tell(Crash(word="bang"))
        await wait_all_tasks_blocked()
        assert last_loss(system, "/lab", lost, "") == Loss("bang")


async def test_failures_are_counted_from_a_time_on(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(room("lab"), room("lab2"))) as system:
        for path in ("/lab/agent", "/lab/conversation", "/lab2/agent"):
            await system.ref(path, Player).tell(Crash(word="boom"))
            await wait_all_tasks_blocked()
        first, *_ = system.telemetry.failures
        assert has_failed(system, "/lab/agent", 1)
        assert not has_failed(system, "/lab/agent", 2)
        assert not has_failed(system, "/lab/agent", None)
        assert failures_since(system, "/lab", first.at) == 2
        assert failures_since(system, "/lab", first.at + 1000) == 0
