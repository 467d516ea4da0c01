"""A phone in Telegram, the real service, the real pi: answers, questions, files, topics, strangers as they are seen."""

import os
import re
import signal
from pathlib import Path

from tests.fakes.llm import Reply, open_llm
from tests.fakes.telegram import ANN, AlbumFile, FakeTelegram, User
from tests.journeys.house import PATIENCE, open_house
from tests.journeys.phone import Phone

GROUP = -1001
EVE = User(666, "Eve", "eve")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


async def test_a_long_answer_comes_in_parts_with_its_code_whole_and_a_last_line(tmp_path: Path) -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(400))
    answer = f"# Plan\n\nHere it is:\n\n```python\n{code}\n```\n\nThat is **all**."
    async with (
        FakeTelegram.serve() as fake,
        open_llm([Reply(deltas=(answer,))]) as model,
        open_house(tmp_path, fake, people=(ANN.id,), model=model) as house,
    ):
        await house.start()
        fake.say(ANN.id, "write it")
        phone = Phone(fake, ANN.id)
        last = await phone.sees("That is all.")
        parts = [bubble for bubble in fake.shown(ANN.id).bubbles if "line_" in bubble.text]
        assert len(parts) > 1
        said = "\n".join(bubble.text for bubble in parts)
        assert [f"line_{number} = {number}" in said for number in range(400)] == [True] * 400
        messages = [message for message in fake.messages(ANN.id) if "line_" in message.text]
        assert all("python" in {entity.get("language") for entity in message.entities} for message in messages)
        assert [bubble.silent for bubble in parts] == [False, *[True] * (len(parts) - 1)]  # the phone rings once
        assert re.fullmatch(r"\d+ s", last.text.splitlines()[-1])
        await phone.until(lambda: [b for b in fake.shown(ANN.id).bubbles if "👌" in b.reactions], "the receipt")
        assert len(phone.bubbles("Working on it")) == 0


async def test_a_busy_room_says_so_and_a_message_can_be_dropped_or_steered(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 500")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        fake.say(ANN.id, "/queue first of all")
        await phone.sees("#1 of 8", buttons=True)
        fake.tap(ANN.id, "Drop")
        await phone.sees("Dropped")
        fake.say(ANN.id, "/queue and then this")
        await phone.sees("#1 of 8", buttons=True)
        fake.say(ANN.id, "by the way")  # what is said to a busy room steers it, unless it is set otherwise
        await phone.sees("Joined the running turn")
        await phone.sees("“and then this”")
        said = "\n".join(fake.said(ANN.id))
        assert "500" in said
        assert "“by the way”" in said
        assert "first of all”" not in said
        assert not [bubble for bubble in fake.shown(ANN.id).bubbles if bubble.buttons]  # nothing is left to be pressed


async def test_stop_is_a_button_on_every_running_turn(tmp_path: Path) -> None:
    groups = (GROUP,)
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), groups=groups) as house:
        fake.open_group(GROUP, "Lab", forum=True)
        topic = fake.open_topic(GROUP, "build")
        await house.start()
        for chat, thread in ((ANN.id, None), (GROUP, topic)):
            phone = Phone(fake, chat, thread)
            fake.say(chat, "slow: 2000", thread=thread)
            await phone.until(lambda p=phone: [b for b in fake.shown(p.chat, p.thread).bubbles if b.buttons], "Stop")  # type: ignore[misc]
            update = fake.tap(chat, "Stop", thread=thread)
            await phone.sees("Stopped.")
            assert fake.answer(update)  # the press itself was answered too
            await phone.until(
                lambda p=phone: [] if any(b.buttons for b in fake.shown(p.chat, p.thread).bubbles) else p.bubbles(""),  # type: ignore[misc]
                "no button",
            )


async def test_a_question_waits_for_a_person_also_over_a_restart(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "ask: Which colour?")
        question = await phone.sees("Which colour?")
        assert not question.silent
        fake.say(ANN.id, "green")
        await phone.sees("The answer to the question")
        await phone.sees("→ green")
        await phone.has_nothing_left()

        fake.say(ANN.id, "ask: And which size?")
        await phone.sees("And which size?")
        await house.kill()
        await house.start()
        fake.say(ANN.id, "large")
        final = await phone.sees("you said")
        assert "large" in final.text
        await phone.sees("→ large")


async def test_what_keeps_crashing_is_set_aside_with_buttons(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        killed: set[int] = set()
        fake.say(ANN.id, "slow: 2000")
        for _ in range(3):
            pid = await house.until(lambda: next((pid for pid in house.working() if pid not in killed), None))
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        report = await phone.sees("tried 3 times", buttons=True)
        assert not report.silent
        assert [label for row in report.buttons for label in row] == ["Try again", "Drop", "New session", "Log"]
        fake.say(ANN.id, "hello")
        await phone.sees("you said “hello”")  # the room goes on with the next
        fake.tap(ANN.id, "Log")
        await phone.sees("SIGKILL")
        fake.tap(ANN.id, "New session")
        await phone.sees("A new session begins")


async def test_a_stranger_gets_a_code_and_then_the_room(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake) as house:
        await house.start()
        ann, eve = Phone(fake, ANN.id), Phone(fake, EVE.id)
        fake.say(ANN.id, "hello")
        told = await ann.sees("pair approve")
        code = told.text.split("pair approve ")[1][:8]
        assert "and is the owner" in await house.run_actorctl("pair", "approve", code)
        fake.say(ANN.id, "hello again")
        await ann.sees("you said “hello again”")

        fake.say(EVE.id, "me too", sender=EVE)  # the owner decides about the next one, on the phone
        await eve.sees("pair approve")
        asked = await ann.sees("Eve", buttons=True)
        assert [label for row in asked.buttons for label in row] == ["Approve", "Deny"]
        fake.tap(ANN.id, "Approve")
        fake.say(EVE.id, "and now?", sender=EVE)
        await eve.sees("you said “and now?”")
        assert not [text for text in fake.said(EVE.id) if "me too" in text]  # what a stranger said is not done later


async def test_files_come_in_and_go_out(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.send_file(ANN.id, b"1,2,3\n", name="../../notes.csv", mime="text/csv", caption="run: cat uploads/*.csv")
        await phone.sees("1,2,3")
        fake.send_album(
            ANN.id,
            [AlbumFile(PNG, name="a.png"), AlbumFile(PNG, name="b.png")],
            caption="run: echo pictures: $(ls uploads | wc -l)",
        )
        await phone.sees("pictures: 3")
        assert len(fake.called("getFile")) == 3
        fake.say(ANN.id, "send: uploads/notes.csv")
        sent = await phone.until(
            lambda: [b for b in fake.shown(ANN.id).bubbles if b.file == "notes.csv" and b.who != "Ann"], "file"
        )
        assert len(sent) == 1
        fake.say(ANN.id, "send: /etc/hostname")
        await phone.sees("failed")
        fake.send_thing(ANN.id, "location")
        await phone.sees("I understand text")


async def test_an_edit_replaces_what_waits_and_is_told_when_it_comes_too_late(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 150")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        fake.say(ANN.id, "/queue wrong words")
        await phone.sees("#1 of 8")
        [message] = [message for message in fake.messages(ANN.id) if message.text == "/queue wrong words"]
        fake.edit(ANN.id, message.id, "/queue right words")
        final = await phone.sees("you said")
        assert "“right words”" in final.text
        fake.edit(ANN.id, message.id, "/queue too late")
        await phone.sees("edit")
        assert not phone.bubbles("“too late”")


async def test_topics_are_made_bound_lost_and_made_again(tmp_path: Path) -> None:
    project = tmp_path / "site"
    project.mkdir()
    (project / "index.html").write_text("<h1>hi</h1>")
    async with (
        FakeTelegram.serve() as fake,
        open_house(
            tmp_path, fake, people=(ANN.id,), groups=(GROUP,), config=f'[projects.site]\npath = "{project}"'
        ) as house,
    ):
        fake.open_group(GROUP, "Lab", forum=True)
        await house.start()
        fake.say(ANN.id, "/start")
        await Phone(fake, ANN.id).sees("/new")
        general = Phone(fake, GROUP)
        fake.say(GROUP, "/create website site")
        await general.sees("website")
        thread = await fake.wait_for(lambda: next(iter(fake.world.chats[GROUP].topics), None), PATIENCE)
        assert thread is not None
        topic = Phone(fake, GROUP, thread)
        fake.say(GROUP, "run: ls", thread=thread)
        await topic.sees("index.html")

        fake.say(GROUP, "slow: 150", thread=thread)
        await fake.wait_for(lambda: [t for t in fake.said(GROUP, thread) if t.startswith("1 2 3")], PATIENCE)
        assert not [text for text in fake.said(GROUP, thread) if "150" in text]  # it is still at work
        fake.delete_topic(GROUP, thread)
        owner = Phone(fake, ANN.id)
        lost = await owner.sees("website", buttons=True)
        assert lost.buttons
        fake.tap(ANN.id, lost.buttons[0][0])
        again = await fake.wait_for(lambda: next(iter(fake.world.chats[GROUP].topics), None), PATIENCE)
        assert again is not None
        assert again != thread
        await Phone(fake, GROUP, again).sees("148 149 150")  # what could not be delivered there is delivered here


async def test_a_plain_group_is_heard_when_the_bot_is_meant(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), groups=(GROUP,)) as house:
        fake.open_group(GROUP, "Lab")
        await house.start()
        phone = Phone(fake, GROUP)
        username = fake.world.bot["username"]
        fake.say(GROUP, "just between us")
        fake.say(GROUP, f"@{username} hello")
        answer = await phone.sees("you said")
        fake.say(GROUP, "and again", reply_to=answer.id)
        await phone.sees("and again")
        fake.say_anonymously(GROUP, f"@{username} who am I?")
        fake.say(GROUP, f"@{username} and Eve?", sender=EVE)
        fake.say(GROUP, f"/status@{username}")
        await phone.sees("session")
        said = "\n".join(fake.said(GROUP))
        assert "between us" not in said
        assert "who am I" not in said
        assert "Eve" not in said
