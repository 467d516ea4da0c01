"""What people see when something is wrong: one clear sentence in the chat or the tree, and everybody else goes on."""

import os
import signal
from pathlib import Path

import msgspec
import pytest

from actors.telegram.pieces import REPETITION
from tests.fakes.llm import Reply, ToolCall, open_llm
from tests.fakes.telegram import ANN, AlbumFile, FakeTelegram, Fault
from tests.fakes.telegram_api.people import buttons
from tests.journeys.house import PATIENCE, House, open_house
from tests.journeys.phone import Phone
from tests.journeys.test_telegram import BOB, GROUP, IN_ORDER, alive, numbers, repeated

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
ASKING = Reply(tool=ToolCall("ask_user", {"question": "Which colour?", "options": ["red", "green"]}))
DONE = Reply(deltas=("Then green.",))


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
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        report = await phone.sees("glm-nonsense")
        assert "LLM_MODEL" in report.text
        assert not report.silent
        fake.say(ANN.id, "/status")  # the room has given up; commands work all the same
        assert ": failed" in (await phone.sees("workspace")).text
        assert await house.stop() == 0
        assert "no-real-key-at-all" not in house.log()


async def test_a_workspace_that_cannot_be_used_fails_its_own_room_only(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        workspaces = house.state / "workspaces"
        workspaces.mkdir(parents=True)
        (workspaces / "ann").write_text("a file where the room's folder should be")
        await house.start()
        ann, bob = Phone(fake, ANN.id), Phone(fake, BOB.id)
        fake.say(ANN.id, "hello")
        fake.say(BOB.id, "hello", sender=BOB)
        report = await ann.sees(str(workspaces / "ann"))
        assert "Traceback" not in report.text
        await bob.is_answered("you said")
        (workspaces / "ann").unlink()
        fake.say(ANN.id, "and now?")
        await ann.is_answered("“and now?”")
        await ann.is_answered("“hello”")  # nothing that was sent is lost
        assert await house.stop() == 0
        assert bob.answers == [repeated("hello")]
        assert bob.others == []


@pytest.mark.parametrize(
    "part",
    [
        "/store",
        "/service/outbox/telegram",
        "/service/outbox/files",
        "/service/rooms/router",
        "/service/telegram/gateway",
        "/service/demo_model",
    ],
)
async def test_a_part_of_the_service_restarts_alone_while_turns_run(tmp_path: Path, part: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        await house.start()
        ann, bob = Phone(fake, ANN.id), Phone(fake, BOB.id)
        fake.say(ANN.id, "slow: 100")
        await fake.wait_for(lambda: ann.drafted("1 2 3"), PATIENCE)
        before = house.agents()
        house.actorctl("restart", part)
        fake.say(BOB.id, "hello", sender=BOB)
        await bob.is_answered("you said")
        if part != "/service/demo_model":  # there the model itself is cut off, and pi asks it again
            assert before.items() <= house.agents().items()
        assert await ann.is_answered("100") == numbers(100)
        await ann.has_nothing_left()
        assert await house.stop() == 0
        assert ann.answers == [numbers(100)]
        assert bob.answers == [repeated("hello")]
        assert ann.others + bob.others == []


async def test_a_message_that_kills_its_agent_each_time_is_set_aside_and_the_next_one_is_answered(
    tmp_path: Path,
) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house,
    ):
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 2000")
        fake.say(ANN.id, "hello")
        killed: set[int] = set()
        for _ in range(3):
            pid = await house.until(lambda: next((pid for pid in house.agents().values() if pid not in killed), None))
            await house.until(house.working)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await phone.is_answered("you said “hello”")
        [report] = phone.bubbles("set aside")
        assert "3 times" in report.text
        assert not report.silent
        assert await house.stop() == 0
        assert phone.answers == [repeated("hello")]
        assert phone.leftovers == [str(report)]  # its buttons are all that can still be pressed
        assert len([text for text in phone.others if "cut off 3 times" in text]) == 1  # for all crashes


async def test_frozen_pi_does_not_keep_the_service_from_stopping(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        fake.say(ANN.id, "hello")
        await Phone(fake, ANN.id).is_answered("you said")
        [pid] = house.agents().values()
        os.kill(pid, signal.SIGSTOP)
        assert await house.stop() == 0
        assert not alive(pid)


# --- the service is killed at the worst moment ------------------------------------------------------------------------


async def killed_and_started(house: House) -> None:
    """SIGKILL, and a new start once the agents have followed."""
    agents = house.agents().values()
    await house.kill()
    await house.until(lambda: not any(alive(pid) for pid in agents))
    await house.start()


async def accepted(fake: FakeTelegram, update: int) -> None:
    """Until the service has told Telegram that it has this update."""
    await fake.wait_for(
        lambda: any(call.params.get("offset", 0) > update for call in fake.called("getUpdates")), PATIENCE
    )


@pytest.mark.parametrize("moment", ["accepted", "fetching", "running"])
async def test_an_album_survives_a_kill(tmp_path: Path, moment: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        if moment == "fetching":
            fake.set_fault("download", Fault.SLOW, 3, seconds=PATIENCE)
        album = [AlbumFile(PNG + bytes([n]), name=f"{n}.png", mime="image/png", kind="document") for n in range(3)]
        *_, last = fake.send_album(ANN.id, album, caption="slow: 80")
        await accepted(fake, last)
        if moment == "fetching":
            await fake.wait_for(lambda: fake.called("download"), PATIENCE)
        if moment == "running":
            await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        fake.clear_faults()

        await killed_and_started(house)

        assert await phone.is_answered("80") == numbers(80)
        await phone.has_nothing_left()
        assert await house.stop() == 0
        assert phone.answers == [numbers(80)]
        assert beside_crashes(phone) == ["demo sees no pictures: the agent only knows where they are saved."]
        uploads = house.state / "workspaces/ann/uploads"
        saved = sorted(path.read_bytes() for path in uploads.iterdir() if path.suffix != ".part")
        assert saved == [file.content for file in album]
        assert prompts(house, "ann", "slow: 80") == 1


def beside_crashes(phone: Phone) -> list[str]:
    """All that the bot says beside answers, without the one word that a turn was cut off and went on."""
    crashes = [text for text in phone.others if text.startswith("This was cut off once and went on")]
    assert len(crashes) <= 1
    return [text for text in phone.others if text not in crashes]


def prompts(house: House, slug: str, words: str) -> int:
    """How many messages of a person with these words a room's sessions hold."""
    lines = [line for file in house.session_files(slug) for line in file.read_text().splitlines()]
    return len([line for line in lines if '"role":"user"' in line and words in line])


@pytest.mark.parametrize("moment", ["asked", "away", "pressed", "heard"])
async def test_a_question_with_buttons_survives_a_kill(tmp_path: Path, moment: str) -> None:
    """`moment`: the answer comes after the new start, while nobody is there, just before the kill, or it was heard."""
    replies = [ASKING, msgspec.structs.replace(DONE, pause=3.0 * (moment == "heard")), DONE, DONE]
    async with (
        FakeTelegram.serve() as fake,
        open_llm(replies) as model,
        open_house(tmp_path, fake, people=(ANN.id,), model=model) as house,
    ):
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "paint it")
        question = await phone.sees("Which colour?", buttons=True)
        assert question.buttons == (("red",), ("green",))
        assert not question.silent
        await all_is_sent(house)

        if moment == "asked":
            await killed_and_started(house)
        elif moment == "away":
            await house.kill()
        update = fake.tap(ANN.id, "green")
        if moment == "away":
            await house.start()
        await fake.wait_for(lambda: fake.answer(update), PATIENCE)
        if moment == "heard":
            await house.until(lambda: len(model.requests) == 2)
        if moment in ("pressed", "heard"):
            await killed_and_started(house)

        await phone.is_answered("Then green.")
        await phone.sees("→ green")
        await phone.has_nothing_left()
        assert await house.stop() == 0
        assert phone.answers == ["Then green."]
        assert [text for text in phone.others if "colour" in text] == ["❓ Which colour?\n\n→ green"]
        assert "green" in str(model.requests[-1]["messages"])


async def test_a_question_that_perhaps_stands_twice_can_be_answered_at_either(tmp_path: Path) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_llm([ASKING, DONE]) as model,
        open_house(tmp_path, fake, people=(ANN.id,), model=model) as house,
    ):
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.set_fault("sendMessage", Fault.SLOW, 2, seconds=PATIENCE)  # perhaps a word with a button comes first
        fake.say(ANN.id, "paint it")
        first = await phone.sees("Which colour?", buttons=True)
        fake.clear_faults()
        await killed_and_started(house)  # nobody has noted that it has arrived
        second = await phone.sees("You may have this already", buttons=True)
        assert "Which colour?" in second.text
        await all_is_sent(house)
        [shown] = [message for message in fake.messages(ANN.id) if message.id == first.id]
        [data] = [button["callback_data"] for button in buttons(shown) if button["text"] == "green"]
        update = fake.press(ANN.id, first.id, data)
        assert await fake.wait_for(lambda: fake.answer(update), PATIENCE) == "Answered: green"
        await phone.is_answered("Then green.")
        await phone.sees("→ green")
        assert await house.stop() == 0
        assert phone.answers == ["Then green."]


async def all_is_sent(house: House) -> None:
    """Until the service has noted of all its messages that they have arrived."""
    await house.until(
        lambda: (node := house.node("/service/outbox/telegram/sender")) and node["doing"] == "nothing to send"
    )


@pytest.mark.parametrize("moment", ["accepted", "joined", "heard"])
async def test_a_message_that_joined_a_turn_survives_a_kill(tmp_path: Path, moment: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "slow: 60")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), PATIENCE)
        update = fake.say(ANN.id, "slow: 90")
        await accepted(fake, update)
        if moment != "accepted":
            await phone.sees("Joined the running turn")
        if moment == "heard":
            await house.until(lambda: prompts(house, "ann", "slow: 90"))

        await killed_and_started(house)

        await phone.is_answered("90")
        await phone.has_nothing_left()
        await phone.is_marked("slow: 60", "👌")
        await phone.is_marked("slow: 90", "👌")
        assert await house.stop() == 0
        note = "Joined the running turn: the agent hears this at its next step."
        others = beside_crashes(phone)
        assert others.count(note) == 1 or (moment == "accepted" and others == [])  # a courtesy that a kill may cut
        assert set(others) <= {note, f"{REPETITION}\n{note}"}  # and one that was on its way says so when it comes again
        assert [part for text in phone.answers for part in text.split("\n\n")] == [numbers(60), numbers(90)]
        assert prompts(house, "ann", "slow: 60") == 1
        assert prompts(house, "ann", "slow: 90") == 1


# --- the network, and Telegram ----------------------------------------------------------------------------------------


async def test_answers_of_an_outage_arrive_after_it_once(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), groups=(GROUP,)) as house:
        fake.open_group(GROUP, "Lab", forum=True)
        topic = fake.open_topic(GROUP, "build")
        await house.start()
        ann, lab = Phone(fake, ANN.id), Phone(fake, GROUP, topic)
        fake.say(ANN.id, "slow: 250")  # until both agents run, which takes long where others want the machine too
        fake.say(GROUP, "slow: 200", thread=topic)
        await ann.sees("Working on it.", buttons=True)
        await lab.sees("1 2 3", buttons=True)
        async with fake.refusing():
            fake.say(ANN.id, "hello")  # while nobody can hear it
            await house.until(lambda: not house.working())
            await house.until(
                lambda: (
                    (node := house.node("/service/outbox/telegram/sender"))
                    and node["doing"].startswith("2 to send; Telegram is unreachable")
                )
            )
        await ann.is_answered("“hello”")
        await lab.is_answered("200")
        await ann.has_nothing_left()
        await lab.has_nothing_left()
        assert await house.stop() == 0
        assert ann.answers == [numbers(250), repeated("hello")]
        assert lab.answers == [numbers(200)]
        assert ann.others + lab.others == []
        assert house.failures() == []


async def test_a_flood_wait_delays_its_own_chat_only(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id, BOB.id)) as house:
        await house.start()
        ann, bob = Phone(fake, ANN.id), Phone(fake, BOB.id)
        fake.set_fault("sendMessage", Fault.FLOOD, seconds=15)
        fake.say(ANN.id, "hello")
        [refused] = await fake.wait_for(
            lambda: [call for call in fake.called("sendMessage") if call.status == 429], PATIENCE
        )
        fake.say(BOB.id, "hello", sender=BOB)
        await bob.is_answered("hello")
        assert ann.answers == []
        await ann.is_answered("hello")
        assert await house.stop() == 0
        assert ann.answers == bob.answers == [repeated("hello")]  # hers is not marked as a repetition
        assert ann.others + bob.others == []
        hers = [call for call in fake.calls if call.params.get("chat_id") == ANN.id and call.at > refused.at + 1]
        assert hers
        assert min(call.at for call in hers) >= refused.at + 15  # not even typing, until Telegram wants to hear more
