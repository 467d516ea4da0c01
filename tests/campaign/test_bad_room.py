"""What a bad room is seen to say, to show and to leave behind, in a Telegram and a tree of this test's own."""

import os
import signal
from pathlib import Path
from typing import Any

import trio

from tests.campaign.bad_room import BadRoom, cut, within
from tests.campaign.house import House
from tests.contracts.telegram_bot import telegram

POOL = "/service/rooms/pool"
PERSON = 2001


class Tree(House):
    """A house of which only the tree is looked at."""

    shown: tuple[dict[str, Any], ...] = ()

    def nodes(self) -> list[dict[str, Any]]:
        return list(self.shown)


def house(folder: Path) -> Tree:
    return Tree(folder, {}, ())


def node(name: str, **more: object) -> dict[str, Any]:
    return {"path": f"{POOL}/{name}", "state": "running", "restarts": 0, **more}


async def test_its_person_says_numbers_and_hears_the_answer_to_the_last(tmp_path: Path) -> None:
    async with telegram() as (fake, bot):
        room = BadRoom(house(tmp_path), fake, "fork-storm", PERSON, 1)
        assert room.chat() == "nothing"
        assert room.say("storm") == 1
        said = fake.messages(PERSON)[0]
        assert (said.text, said.chat.title) == ("say-1 storm", "fork storm")
        room.say("/stop")
        assert fake.messages(PERSON)[1].text == "/stop"
        await bot.send_message(PERSON, "done-3 of before")
        assert room.say("storm") == 3
        with trio.move_on_after(0.2) as waiting:
            await room.answered(3)
        assert waiting.cancelled_caught
        await bot.send_message(PERSON, "done-3\n\n1 s")
        with trio.fail_after(5.0):
            await room.answered(3)
        assert room.chat() == "done-3 1 s"


async def test_it_is_at_rest_when_both_are_idle_or_it_has_gone(tmp_path: Path) -> None:
    async with telegram() as (fake, _):
        tree = house(tmp_path)
        room = BadRoom(tree, fake, "bad", PERSON, 1)
        assert room.at_rest()
        assert room.gone()
        others = node("bad-too/agent", doing="running bash", pid=7)
        tree.shown = (others, node("bad"), node("bad/conversation", doing="t1: thinking"), node("bad/agent"))
        assert not room.at_rest()
        assert not room.gone()
        tree.shown = (others, node("bad/conversation", doing="idle"), node("bad/agent", doing="idle", restarts=2))
        assert room.at_rest()
        assert room.tree() == "conversation running, idle; agent running, 2 restarts, idle"


async def test_what_works_in_its_folder_or_bears_its_number_is_left_and_is_killed(tmp_path: Path) -> None:
    mark = 987_700_000 + os.getpid() % 10_000
    async with telegram() as (fake, _):
        tree = house(tmp_path)
        room = BadRoom(tree, fake, "bad", PERSON, mark)
        inside, beside = tree.state / "workspaces/bad/deep", tree.state / "workspaces/bad-too"
        inside.mkdir(parents=True)
        beside.mkdir()
        theirs = [
            await trio.lowlevel.open_process(["sleep", "60"], cwd=str(inside)),
            await trio.lowlevel.open_process(["sleep", f"60.{mark}"], cwd="/", env={"PATH": os.environ["PATH"]}),
        ]
        others = await trio.lowlevel.open_process(["sleep", "60"], cwd=str(beside))
        inside.rmdir()  # a folder that is gone has another name
        try:
            assert await within(10.0, lambda: {each.pid for each in room.left()} == {each.pid for each in theirs})
            killed = await room.until_nothing_is_left()
            assert killed == {theirs[0].pid: "sleep 60", theirs[1].pid: f"sleep 60.{mark}"}
            assert [await each.wait() for each in theirs] == [-signal.SIGKILL] * 2
            assert others.returncode is None
            assert await room.until_nothing_is_left() == {}
        finally:
            for each in (*theirs, others):
                each.kill()
                await each.wait()


def test_a_line_of_the_table_is_one_line_and_no_longer_than_that() -> None:
    assert cut("one\n\ntwo") == "one two"
    assert len(cut("x" * 1000)) == len(cut("y" * 500)) < 120
