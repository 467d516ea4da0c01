"""What a stop holds, and what becomes of work that was cut off: with the real service and the real pi."""

import os
import signal
from pathlib import Path

import pytest

from actors.rooms.trouble import GO_ON
from tests.fakes.telegram import ANN, FakeTelegram
from tests.journeys.house import PATIENCE, House, open_house
from tests.journeys.phone import Phone
from tests.journeys.test_telegram import IN_ORDER, alive, numbers, repeated, tool_pid
from tests.journeys.test_trouble import all_is_sent, killed_and_started

TOOL = "run: echo $$ > pid; exec sleep 3000"
"""A tool that runs until somebody ends it, and says which process it is."""


def labels(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    return [label for row in rows for label in row]


async def in_a_tool(fake: FakeTelegram, house: House) -> int:
    """Ann's agent runs a tool; its process id."""
    fake.say(ANN.id, TOOL)
    tool = await tool_pid(house, "ann")
    await house.until(lambda: (node := house.node("/service/rooms/pool/ann/agent")) and "running bash" in node["doing"])
    return tool


@pytest.mark.parametrize("killed", [False, True])
async def test_a_stop_holds_the_queue_until_run_is_pressed(tmp_path: Path, killed: bool) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 2000")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        fake.say(ANN.id, "one")
        fake.say(ANN.id, "two")
        await phone.sees("#2 of 8", buttons=True)
        fake.say(ANN.id, "/stop")
        held = await phone.sees("Stopped. 2 messages that waited are held", buttons=True)
        assert labels(held.buttons) == ["Run", "Drop"]
        await phone.sees("Held since the stop", count=2)
        fake.say(ANN.id, "three")  # what is new runs as ever
        await phone.is_answered("“three”")
        if killed:
            await all_is_sent(house)
            await killed_and_started(house)
            fake.say(ANN.id, "/status")
            await phone.sees("held since a stop: 2", buttons=True)
        fake.tap(ANN.id, "Run")  # after the kill that is the one of /status
        await phone.is_answered("“two”")
        assert await house.stop() == 0
        assert phone.answers[-3:] == [repeated("three"), repeated("one"), repeated("two")]
        assert phone.bubbles("2 held messages go on now.")
        if not killed:  # what each had been told is a courtesy that a kill may forget
            assert len(phone.bubbles("The wait is over")) == 2


async def test_what_a_stop_holds_is_dropped(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 2000")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        fake.say(ANN.id, "one")
        await phone.sees("#1 of 8", buttons=True)
        fake.say(ANN.id, "/new")
        await phone.sees("Stopped. 1 message that waited is held", buttons=True)
        await phone.sees("A new session begins")
        await phone.sees("Held since the stop")
        fake.tap(ANN.id, "Drop")
        await phone.sees("Dropped: 1 held message, not done.")
        await phone.sees("Dropped: this is not done.")
        await phone.is_marked("one", "🫡")
        fake.say(ANN.id, "two")
        await phone.is_answered("“two”")
        assert await house.stop() == 0
        assert not [text for text in phone.answers if "“one”" in text]


@pytest.mark.parametrize("what", ["pi", "service"])
async def test_a_kill_in_a_tool_is_asked_about_and_goes_on_by_a_button(tmp_path: Path, what: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        tool = await in_a_tool(fake, house)
        if what == "pi":
            os.kill(house.agents()["ann"], signal.SIGKILL)
        else:
            await killed_and_started(house)
        asked = await phone.sees("Shall the agent go on?", buttons=True)
        assert not alive(tool)
        assert not asked.silent
        assert labels(asked.buttons) == ["Go on", "Leave it", "Log"]
        assert "bash: echo $$ > pid; exec sleep 3000 was running" in asked.text
        assert ("SIGKILL" if what == "pi" else "the service itself was ended") in asked.text
        await phone.is_marked(TOOL, "💔")
        fake.tap(ANN.id, "Go on")
        await phone.is_answered(GO_ON[:40])  # the demo repeats what it does not understand
        await phone.sees("This was cut off, and goes on now.")
        await phone.has_nothing_left()
        assert await house.stop() == 0
        [session] = house.session_files("ann")
        asked_for = [line for line in session.read_text().splitlines() if '"role":"user"' in line]
        assert len(asked_for) == 2  # in the session that it had: what was cut off, and the word to go on


async def test_what_was_cut_off_can_be_left(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await in_a_tool(fake, house)
        os.kill(house.agents()["ann"], signal.SIGKILL)
        await phone.sees("Shall the agent go on?", buttons=True)
        fake.tap(ANN.id, "Leave it")
        await phone.sees("left as it is")
        await phone.has_nothing_left()
        fake.say(ANN.id, "hello")
        await phone.is_answered("“hello”")
        assert await house.stop() == 0


@pytest.mark.parametrize("how", ["actorctl", "/restart", "service"])
async def test_what_is_restarted_on_purpose_goes_on_without_a_question(tmp_path: Path, how: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await in_a_tool(fake, house)
        if how == "actorctl":
            house.actorctl("restart", "/service/rooms/pool/ann/agent")
        elif how == "/restart":
            fake.say(ANN.id, "/restart")
        else:
            assert await house.stop() == 0
            await house.start()
        await phone.is_answered("was interrupted and gave no result")
        await phone.has_nothing_left()
        assert await house.stop() == 0
        assert not phone.bubbles("cut off")


async def test_more_restarts_than_crashes_are_allowed_set_nothing_aside(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 200")
        for _ in range(4):
            await house.until(house.working)
            assert await house.stop() == 0
            await house.start()
        assert await phone.is_answered("200") == numbers(200)
        assert await house.stop() == 0
        assert phone.answers == [numbers(200)]
        assert phone.others == []


async def test_three_crashes_set_a_message_aside_and_a_button_tries_it_again(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 120")
        killed: set[int] = set()
        for number in range(3):
            if number:
                note = await phone.sees(f"try {number + 1} of 3")
                assert note.silent
                assert not note.buttons
            pid = await house.until(lambda: next((pid for pid in house.working() if pid not in killed), None))
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        report = await phone.sees("set aside", buttons=True)
        assert labels(report.buttons) == ["Try again", "Drop", "New session", "Log"]
        assert "SIGKILL" in report.text
        await phone.sees("This was cut off 3 times")
        assert len(phone.bubbles("cut off")) == 2  # one note for all crashes, and the report
        assert "slow: 120" in await house.run_actorctl("quarantine")
        fake.tap(ANN.id, "Try again")
        assert await phone.is_answered("120") == numbers(120)
        assert await house.stop() == 0
        assert phone.answers == [numbers(120)]


@pytest.mark.parametrize(("on_restart", "words"), [("ask", "Shall the agent go on?"), ("drop", "is not gone on with")])
async def test_the_fate_is_what_is_configured(tmp_path: Path, on_restart: str, words: str) -> None:
    config = f'[rooms]\non_restart = "{on_restart}"'
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=config) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("“hello”")
        fake.say(ANN.id, "slow: 120")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        os.kill(house.agents()["ann"], signal.SIGKILL)
        await phone.sees(words, buttons=True)
        if on_restart == "drop":
            fake.tap(ANN.id, "Try again")
            await phone.is_answered("120")
        assert await house.stop() == 0
        assert "has no effect" not in house.log()
