"""What people see when something is wrong: one clear sentence in the chat or the tree, and everybody else goes on."""

import os
import signal
from pathlib import Path

import pytest

from tests.fakes.telegram import ANN, FakeTelegram, Fault, User
from tests.journeys.house import PATIENCE, House, open_house
from tests.journeys.test_telegram import alive, finals, numbers, streaming

BOB = User(78, "Bob", "bob")


async def test_a_token_that_telegram_refuses_is_a_failed_node_that_says_so(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        fake.set_fault("*", Fault.UNAUTHORIZED, 1000)
        await house.start()
        node = await house.until(
            lambda: (found := house.node("/service/telegram")) and found["state"] == "failed" and found
        )
        assert "bot_token" in node["error"]
        store = house.node("/store")
        assert store is not None
        assert store["state"] == "running"
        assert "4242:" not in house.log()  # the token is in no log
        assert await house.stop() == 0


async def test_an_unknown_model_is_refused_in_the_chat(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        house.environ |= {"LLM_PROVIDER": "zai", "LLM_API_KEY": "no-real-key-at-all", "LLM_MODEL": "glm-nonsense"}
        await house.start()
        fake.say(ANN.id, "hello")
        [report] = await fake.wait_for(lambda: finals(fake, ANN.id, "glm-nonsense"), PATIENCE)
        assert "LLM_MODEL" in report
        fake.say(ANN.id, "/status")  # the room has given up; commands work all the same
        await fake.wait_for(lambda: finals(fake, ANN.id, "workspace"), PATIENCE)
        assert await house.stop() == 0
        assert "no-real-key-at-all" not in house.log()


async def test_a_workspace_that_cannot_be_used_fails_its_own_room_only(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        workspaces = house.state / "workspaces"
        workspaces.mkdir(parents=True)
        (workspaces / "ann").write_text("a file where the room's folder should be")
        await house.start()
        fake.say(ANN.id, "hello")
        fake.say(BOB.id, "hello", sender=BOB)
        [report] = await fake.wait_for(lambda: finals(fake, ANN.id, str(workspaces / "ann")), PATIENCE)
        assert "Traceback" not in report
        await fake.wait_for(lambda: finals(fake, BOB.id, "you said"), PATIENCE)
        (workspaces / "ann").unlink()
        fake.say(ANN.id, "and now?")
        await fake.wait_for(lambda: finals(fake, ANN.id, "“and now?”"), PATIENCE)
        assert finals(fake, ANN.id, "“hello”")  # nothing that was sent is lost
        assert await house.stop() == 0


@pytest.mark.parametrize(
    "part",
    ["/store", "/service/outbox/telegram", "/service/rooms/router", "/service/telegram/gateway", "/service/demo_model"],
)
async def test_a_part_of_the_service_restarts_alone_while_turns_run(tmp_path: Path, part: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        await house.start()
        fake.say(ANN.id, "slow: 60")
        await fake.wait_for(lambda: streaming(fake, ANN.id), PATIENCE)
        before = house.agents()
        house.actorctl("restart", part)
        fake.say(BOB.id, "hello", sender=BOB)
        await fake.wait_for(lambda: finals(fake, BOB.id, "you said"), PATIENCE)
        if part != "/service/demo_model":  # there the model itself is cut off, and pi asks it again
            assert before.items() <= house.agents().items()
        await fake.wait_for(lambda: finals(fake, ANN.id, numbers(60)), PATIENCE)
        assert fake.said(ANN.id) == [numbers(60)]
        assert len(fake.said(BOB.id)) == 1
        assert await house.stop() == 0


async def test_a_message_that_kills_its_agent_each_time_is_set_aside_and_the_next_one_is_answered(
    tmp_path: Path,
) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(ANN.id, "slow: 2000")
        fake.say(ANN.id, "hello")
        killed: set[int] = set()
        for _ in range(3):
            pid = await house.until(lambda: next((pid for pid in house.agents().values() if pid not in killed), None))
            await house.until(lambda: running(house))
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await fake.wait_for(lambda: finals(fake, ANN.id, "you said “hello”"), PATIENCE)
        [report] = [text for text in fake.said(ANN.id) if "set aside" in text]
        assert "3 times" in report


def running(house: House) -> bool:
    """Whether an agent is waiting for its model."""
    return any(node["path"].endswith("/agent") and "model" in node.get("doing", "") for node in house.nodes())


async def test_frozen_pi_does_not_keep_the_service_from_stopping(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(ANN.id, "hello")
        await fake.wait_for(lambda: finals(fake, ANN.id, "you said"), PATIENCE)
        [pid] = house.agents().values()
        os.kill(pid, signal.SIGSTOP)
        assert await house.stop() == 0
        assert not alive(pid)
