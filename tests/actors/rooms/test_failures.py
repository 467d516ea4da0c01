"""What a room's people are told of what went wrong."""

from trio.testing import MockClock, wait_all_tasks_blocked

from actors.redaction import forget_all, remember
from actors.rooms.failures import last_failure
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
