"""People in Telegram, the real service, the real pi with the embedded demo: what they see, and what survives a kill."""

import os
import signal
from functools import partial
from pathlib import Path

from tests.fakes.telegram import ANN, FakeTelegram, Message, User
from tests.journeys.house import PATIENCE, House, open_house

GROUP = -1001


def finals(fake: FakeTelegram, chat: int, words: str, thread: int | None = None) -> list[str]:
    """The bot's messages that are no preview any more and say this."""
    return [text for text in fake.said(chat, thread) if words in text]


def numbers(most: int) -> str:
    """What the demo model says to `slow: <most>`."""
    return " ".join(str(number) for number in range(1, most + 1))


async def test_a_message_in_a_topic_is_answered_there_once_with_typing_and_a_preview(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), groups=(GROUP,)) as house:
        fake.open_group(GROUP, "Lab", forum=True)
        topic = fake.open_topic(GROUP, "build")
        await house.start()
        fake.say(GROUP, "slow: 120", thread=topic)
        answer = numbers(120)

        def preview() -> Message | None:
            """A message of the bot that shows the answer while it grows."""
            shown = [m for m in fake.messages(GROUP, topic) if m.sender is None and m.text.startswith("1 2 3")]
            return next((m for m in shown if m.text != answer), None)

        seen = await fake.wait_for(preview, PATIENCE)
        assert seen is not None
        assert any(action.action == "typing" and action.thread == topic for action in fake.actions)
        final = await fake.wait_for(lambda: finals(fake, GROUP, answer, topic), PATIENCE)
        assert final == [answer]
        await fake.wait_for(lambda: seen.id not in [m.id for m in fake.messages(GROUP, topic)], PATIENCE)
        assert fake.said(GROUP, topic) == [answer]  # in that topic, once, and nothing else left behind
        assert fake.said(GROUP) == []
        assert await house.stop() == 0


async def test_a_stranger_gets_nothing(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(666, "let me in", sender=User(666, "Eve", "eve"))
        fake.say(GROUP, "hello from a group that is not allowed")
        fake.say(ANN.id, "hello")
        await fake.wait_for(lambda: finals(fake, ANN.id, "you said"), PATIENCE)
        assert fake.said(666) == []
        assert fake.said(GROUP) == []


async def test_a_killed_pi_is_restarted_with_its_session_and_nobody_else_notices(tmp_path: Path) -> None:
    people = (ANN.id, 78)
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=people) as house:
        await house.start()
        fake.say(ANN.id, "hello")
        await fake.wait_for(lambda: finals(fake, ANN.id, "you said"), PATIENCE)
        fake.say(ANN.id, "slow: 150")
        fake.say(78, "slow: 100", sender=User(78, "Bob", "bob"))
        await fake.wait_for(lambda: streaming(fake, ANN.id) and streaming(fake, 78), PATIENCE)
        before = house.agents()
        (mine, victim), (other, bystander) = sorted(before.items(), key=lambda pair: pair[0] != slug_of(house, ANN.id))
        sessions = [file.name for file in house.session_files(mine)]

        os.kill(victim, signal.SIGKILL)

        await fake.wait_for(lambda: finals(fake, ANN.id, numbers(150)), PATIENCE)
        await fake.wait_for(lambda: finals(fake, 78, numbers(100)), PATIENCE)
        after = house.agents()
        assert after[mine] != victim
        assert after[other] == bystander
        [session] = house.session_files(mine)
        assert [session.name] == sessions  # the same session went on,
        prompts = [line for line in session.read_text().splitlines() if '"role":"user"' in line and "slow: 150" in line]
        assert len(prompts) == 1  # with the message in it once
        assert fake.said(ANN.id).count(numbers(150)) == 1
        assert fake.said(78) == [numbers(100)]
        agent = house.node(f"/service/rooms/pool/{mine}/agent")
        assert agent is not None
        assert agent["restarts"] == 1


async def test_a_killed_service_loses_nothing_and_answers_nothing_twice(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(ANN.id, "hello")
        await fake.wait_for(lambda: finals(fake, ANN.id, "you said “hello”"), PATIENCE)
        fake.say(ANN.id, "slow: 100")
        fake.say(ANN.id, "second")
        await fake.wait_for(lambda: streaming(fake, ANN.id), PATIENCE)
        [pid] = house.agents().values()

        await house.kill()
        fake.say(ANN.id, "third")  # while nobody listens
        await house.until(lambda: not alive(pid))
        await house.start()

        await fake.wait_for(lambda: finals(fake, ANN.id, "“third”"), PATIENCE)
        said = fake.said(ANN.id)
        assert [text for text in said if "you said" in text or text.startswith("1 2")] == [
            "This is the demo model: you said “hello”, and help shows what I can do.",
            numbers(100),
            "This is the demo model: you said “second”, and help shows what I can do.",
            "This is the demo model: you said “third”, and help shows what I can do.",
        ]
        assert await house.stop() == 0


async def test_twenty_rooms_at_once_are_all_answered(tmp_path: Path) -> None:
    people = tuple(range(100, 120))
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=people) as house:
        await house.start()
        for person in people:
            fake.say(person, f"slow: {person - 60}", sender=User(person, f"P{person}", f"p{person}"))
        agents = await house.until(lambda: (found := house.agents()) and len(found) == len(people) and found)
        assert len(set(agents.values())) == len(people)
        for person in people:
            await fake.wait_for(partial(finals, fake, person, numbers(person - 60)), PATIENCE)
            assert fake.said(person) == [numbers(person - 60)]
        assert not [call for call in fake.calls if call.status == 429]
        assert await house.stop() == 0
        assert not [pid for pid in agents.values() if alive(pid)]


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


def streaming(fake: FakeTelegram, person: int) -> str | None:
    """The draft that a running `slow:` shows in a private chat."""
    draft = fake.draft(person)
    return draft if draft and "1 2 3" in draft else None


def slug_of(house: House, person: int) -> str:
    """The slug of a person's private room, by its session folder's first message."""
    for folder in (house.state / "sessions").iterdir():
        if any("hello" in file.read_text() for file in folder.glob("*.jsonl")):
            return folder.name
    raise AssertionError(f"{person} has no session")


async def test_what_a_killed_pi_was_running_ends_with_it(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(ANN.id, "run: echo $$ > pid; exec sleep 3000")
        note = house.state / "workspaces/ann/pid"
        tool = int(await house.until(lambda: note.exists() and note.read_text().strip()))
        [pi] = house.agents().values()
        os.kill(pi, signal.SIGKILL)
        await house.until(lambda: not alive(tool))
        await fake.wait_for(lambda: finals(fake, ANN.id, "interrupted"), PATIENCE)  # and it is not run a second time
        assert await house.stop() == 0
