"""People in Telegram, the real service, the real pi with the embedded demo: what they see, and what survives a kill."""

import os
import signal
from pathlib import Path

from tests.fakes.telegram import ANN, FakeTelegram, User
from tests.journeys.house import PATIENCE, House, open_house
from tests.journeys.phone import WORKING, Phone

BOB = User(78, "Bob", "bob")
GROUP = -1001
IN_ORDER = '[rooms]\nbusy = "follow_up"'
"""Messages that find the agent busy wait for their own turn."""


def numbers(most: int) -> str:
    """What the demo model says to `slow: <most>`."""
    return " ".join(str(number) for number in range(1, most + 1))


def repeated(words: str) -> str:
    """What it says to words that it does not understand."""
    return f"This is the demo model: you said “{words}”, and help shows what I can do."


async def test_a_message_in_a_topic_is_answered_there_once_with_typing_a_preview_and_marks(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), groups=(GROUP,)) as house:
        fake.open_group(GROUP, "Lab", forum=True)
        phone = Phone(fake, GROUP, fake.open_topic(GROUP, "build"))
        await house.start()
        fake.say(GROUP, "slow: 120", thread=phone.thread)
        answer = numbers(120)
        await phone.is_marked("slow: 120", "👀")
        preview = await phone.sees("1 2 3", buttons=True)
        assert preview.text != answer
        assert preview.silent
        assert preview.buttons == (("Stop",),)
        assert any(action.action == "typing" and action.thread == phone.thread for action in fake.actions)
        assert await phone.is_answered("120") == answer
        await phone.has_nothing_left()
        await phone.is_marked("slow: 120", "👌")
        assert await house.stop() == 0
        [final] = phone.bubbles()  # in that topic, once, and nothing else left behind
        assert phone.answers == [answer]
        assert not final.silent
        assert final.id != preview.id  # a phone rings for a new message only
        assert fake.said(GROUP) == []


async def test_a_long_turn_in_a_private_chat_is_a_draft_and_a_silent_message_with_its_button(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 150")
        working = await phone.sees(WORKING, buttons=True)
        assert working.silent
        assert working.buttons == (("Stop",),)
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        assert await phone.is_answered("150") == numbers(150)
        await phone.has_nothing_left()
        assert await house.stop() == 0
        assert phone.answers == [numbers(150)]
        assert phone.others == []
        assert house.failures() == []


async def test_a_stranger_gets_nothing_without_pairing(tmp_path: Path) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_house(tmp_path, fake, people=(ANN.id,), config="pairing = false") as house,
    ):
        await house.start()
        fake.say(666, "let me in", sender=User(666, "Eve", "eve"))
        fake.say(GROUP, "hello from a group that is not allowed")
        fake.say(ANN.id, "hello")
        await Phone(fake, ANN.id).is_answered("hello")
        assert await house.stop() == 0
        assert fake.said(666) == []
        assert fake.said(GROUP) == []
        assert not [call for call in fake.calls if call.params.get("chat_id") in (666, GROUP)]  # no typing, no mark


async def test_a_killed_pi_is_restarted_with_its_session_and_nobody_else_notices(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        await house.start()
        ann, bob = Phone(fake, ANN.id), Phone(fake, BOB.id)
        fake.say(ANN.id, "hello")
        await ann.is_answered("hello")
        fake.say(ANN.id, "slow: 150")
        fake.say(BOB.id, "slow: 150", sender=BOB)
        await fake.wait_for(lambda: ann.drafted("1 2 3") and bob.drafted("1 2 3"), PATIENCE)
        before = house.agents()
        sessions = [file.name for file in house.session_files("ann")]

        os.kill(before["ann"], signal.SIGKILL)

        assert await ann.is_answered("150") == numbers(150)
        assert await bob.is_answered("150") == numbers(150)
        after = house.agents()
        assert after["ann"] != before["ann"]
        assert after["bob"] == before["bob"]
        [session] = house.session_files("ann")
        assert [session.name] == sessions  # the same session went on,
        prompts = [line for line in session.read_text().splitlines() if '"role":"user"' in line and "slow: 150" in line]
        assert len(prompts) == 1  # with the message in it once
        agent = house.node("/service/rooms/pool/ann/agent")
        assert agent is not None
        assert agent["restarts"] == 1
        await ann.has_nothing_left()
        await bob.has_nothing_left()
        assert await house.stop() == 0
        assert ann.answers == [repeated("hello"), numbers(150)]
        assert bob.answers == [numbers(150)]
        [note] = ann.bubbles("This was cut off once and went on")  # silent, and all that is said of it
        assert note.silent
        assert "SIGKILL" in note.text
        assert ann.others == [note.text]
        assert bob.others == []


async def test_a_killed_service_loses_nothing_and_answers_nothing_twice(tmp_path: Path) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house,
    ):
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("hello")
        fake.say(ANN.id, "slow: 150")
        fake.say(ANN.id, "second")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        [pid] = house.agents().values()

        await house.kill()
        fake.say(ANN.id, "third")  # while nobody listens
        await house.until(lambda: not alive(pid))
        await house.start()

        await phone.is_answered("“third”")
        await phone.has_nothing_left()
        assert await house.stop() == 0
        assert phone.answers == [repeated("hello"), numbers(150), repeated("second"), repeated("third")]
        # Those that waited were told so, each in one message that says in the end what became of it.
        cut_off = "This was cut off once and went on: the service itself was ended."
        assert sorted(phone.others) == ["The wait is over: working on this now."] * 2 + [cut_off]


async def test_twenty_rooms_at_once_are_all_answered(tmp_path: Path) -> None:
    people = tuple(range(100, 120))
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=people) as house:
        await house.start()
        phones = {person: Phone(fake, person) for person in people}
        for person in people:
            fake.say(person, f"slow: {person - 60}", sender=User(person, f"P{person}", f"p{person}"))
        agents = await house.until(lambda: (found := house.agents()) and len(found) == len(people) and found)
        assert len(set(agents.values())) == len(people)
        for person, phone in phones.items():
            assert await phone.is_answered(str(person - 60)) == numbers(person - 60)
        for phone in phones.values():
            await phone.has_nothing_left()
        assert not [call for call in fake.calls if call.status == 429]
        assert house.failures() == []
        assert await house.stop() == 0
        assert not [pid for pid in agents.values() if alive(pid)]
        for person, phone in phones.items():
            assert phone.answers == [numbers(person - 60)]
            assert phone.others == []


async def test_what_a_killed_pi_was_running_ends_with_it(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "run: echo $$ > pid; exec sleep 3000")
        tool = await tool_pid(house, "ann")
        os.kill(house.agents()["ann"], signal.SIGKILL)
        await house.until(lambda: not alive(tool))
        await phone.sees("Shall the agent go on?", buttons=True)  # and it is not run a second time
        assert await house.stop() == 0


async def tool_pid(house: House, slug: str) -> int:
    """The process id that a tool of this room has written into its file `pid`."""
    note = house.state / "workspaces" / slug / "pid"
    return int(await house.until(lambda: note.exists() and note.read_text().strip()))


def alive(pid: int) -> bool:
    """Whether there is such a process. One that has ended and that its new parent has not collected yet is none."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
