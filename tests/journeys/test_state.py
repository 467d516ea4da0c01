"""What a room keeps, through sleep, a harmed session and a full disk: nothing is lost in silence, and nothing twice."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes.telegram import ANN, Bubble, FakeTelegram
from tests.fakes.telegram_api.people import buttons
from tests.journeys import house as houses
from tests.journeys.house import House, open_house
from tests.journeys.phone import Phone
from tests.journeys.test_telegram import BOB, IN_ORDER, alive, numbers, repeated

FULL = "The disk of the service is full: your message is not taken yet; it will be as soon as there is space."
SLEEPY = f"{IN_ORDER}\n[pi]\nidle_timeout = 1"
AGENT = "/service/rooms/pool/ann"


async def test_a_room_falls_asleep_and_what_wakes_it_is_answered_in_order(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=SLEEPY) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("hello")
        pid = (await house.until(house.agents))["ann"]
        await house.until(lambda: house.node(AGENT) is None)
        assert not alive(pid)
        assert house.node("/service/rooms/pool") is not None
        [session] = house.session_files("ann")
        for words in ("one", "two", "three"):
            fake.say(ANN.id, words)
        await phone.is_answered("three")
        await phone.has_nothing_left()
        assert phone.answers == [repeated(words) for words in ("hello", "one", "two", "three")]
        assert house.session_files("ann") == [session]
        said = [line for line in session.read_text().splitlines() if '"role":"user"' in line]
        assert len(said) == 4
        assert await house.stop() == 0
        assert set(phone.others) <= {"The wait is over: working on this now."}
        assert house.failures() == []


async def test_a_tool_inherits_neither_the_key_nor_the_lock_of_the_session(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "run: (env; ls -l /proc/self/fd) > seen; echo looked")
        await phone.is_answered("looked")
        seen = (house.state / "workspaces/ann/seen").read_text()
        assert "PATH=" in seen
        assert "LLM_KEY" not in seen
        assert "TELEGRAM" not in seen
        assert "pi.pid" not in seen
        [pid] = house.agents().values()
        folder = f"/proc/{pid}/fd"
        held = [os.readlink(f"{folder}/{number}") for number in os.listdir(folder)]
        assert str(house.state / "sessions/ann/pi.pid") in held
        assert await house.stop() == 0


@pytest.mark.parametrize("harm", ["gone", "torn"])
async def test_a_session_that_is_lost_is_said_and_the_message_waits_for_a_fresh_one(tmp_path: Path, harm: str) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("hello")
        assert await house.stop() == 0
        [session] = house.session_files("ann")
        whole = session.read_bytes()
        if harm == "gone":
            session.unlink()
        else:
            session.write_bytes(whole[30:])
        await house.start()
        fake.say(ANN.id, "are you there?")
        report = await phone.sees("/new")
        assert ("is gone" if harm == "gone" else "its beginning is lost") in report.text
        assert not report.silent
        fake.say(ANN.id, "/new")
        await answered_or_run(phone, "are you there?")
        assert await house.stop() == 0
        assert phone.answers == [repeated("hello"), repeated("are you there?")]
        if harm == "torn":
            assert session.read_bytes() == whole[30:], "the old file is kept as it was"


async def test_a_session_that_is_put_back_is_gone_on_with(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("hello")
        assert await house.stop() == 0
        [session] = house.session_files("ann")
        away = session.rename(tmp_path / "away")
        await house.start()
        fake.say(ANN.id, "are you there?")
        await phone.sees("is gone")
        away.rename(session)
        fake.say(ANN.id, "/restart")
        await phone.is_answered("are you there?")
        assert await house.stop() == 0
        assert phone.answers == [repeated("hello"), repeated("are you there?")]
        assert house.session_files("ann") == [session]


async def answered_or_run(phone: Phone, words: str) -> None:
    """Until it is answered; what the command has held is run by its button."""

    def held() -> list[Bubble]:
        return [bubble for bubble in phone.bubbles() if "Run" in str(bubble.buttons)]

    await phone.until(lambda: [True] * (any(words in text for text in phone.answers) or bool(held())), words)
    for bubble in held():
        message = next(each for each in phone.fake.messages(phone.chat) if each.id == bubble.id)
        [data] = [button["callback_data"] for button in buttons(message) if "Run" in button["text"]]
        phone.fake.press(phone.chat, bubble.id, data)
    await phone.is_answered(words)


# --- a full disk ------------------------------------------------------------------------------------------------------

OWN_DISK = """#!/bin/sh
exec {unshare} sh -c 'mount -t tmpfs -o size=64m,mode=0700 tmpfs "$0" && exec "$@"' {state} {dispatchd} "$@"
"""


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's state folder is a file system of its own, which only the service sees."""
    unshare = "unshare --mount" if os.geteuid() == 0 else "unshare --map-root-user --mount"
    (tmp_path / "state").mkdir(mode=0o700)
    start = tmp_path / "start"
    start.write_text(OWN_DISK.format(unshare=unshare, state=tmp_path / "state", dispatchd=houses.DISPATCHD))
    start.chmod(0o755)
    monkeypatch.setattr(houses, "DISPATCHD", start)
    return tmp_path / "state"


@contextmanager
def filled(house: House, disk: Path) -> Iterator[None]:
    """The disk is full to the brim."""
    seen = Path(f"/proc/{house.process.pid}/root{disk}")
    filler = seen / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert shutil.disk_usage(seen).free == 0
    try:
        yield
    finally:
        filler.unlink()


async def test_on_a_full_disk_people_are_told_and_nothing_is_lost(tmp_path: Path, small_disk: Path) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_house(tmp_path, fake, people=(ANN.id, BOB.id), config=IN_ORDER) as house,
    ):
        await house.start()
        ann, bob = Phone(fake, ANN.id), Phone(fake, BOB.id)
        fake.say(ANN.id, "hello")
        await ann.is_answered("hello")
        agents = house.agents()
        lines = len(house.log().splitlines())
        with filled(house, small_disk):
            for words in ("one", "two", "three"):
                fake.say(ANN.id, words)
            await ann.sees(FULL)
            fake.say(BOB.id, "and I?", sender=BOB)
            await bob.sees(FULL)
            node = await house.until(lambda: house.node("/store"))
            assert node["doing"].startswith("the disk of the service is full since ")
            assert (node["state"], node["restarts"]) == ("running", 0)
            assert len(house.log().splitlines()) - lines < 60
        await bob.is_answered("and I?")
        await ann.is_answered("three")
        await house.until(lambda: "disk" not in (house.node("/store") or {}).get("doing", ""))
        assert house.agents()["ann"] == agents["ann"]
        assert await house.stop() == 0
        assert len(ann.bubbles(FULL)) == len(bob.bubbles(FULL)) == 1
        assert ann.answers == [repeated(words) for words in ("hello", "one", "two", "three")]
        assert bob.answers == [repeated("and I?")]


async def test_a_turn_that_runs_when_the_disk_is_full_has_an_end(tmp_path: Path, small_disk: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=IN_ORDER) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("hello")
        fake.say(ANN.id, "slow: 150")
        await fake.wait_for(lambda: phone.drafted("1 2 3"), houses.PATIENCE)
        with filled(house, small_disk):
            await house.until(lambda: "disk" in (house.node("/store") or {}).get("doing", ""))
        fake.say(ANN.id, "and now?")
        await phone.is_answered("and now?")
        assert await house.stop() == 0
        ended = [text for text in phone.answers if text == numbers(150)]
        failed = phone.bubbles("ENOSPC")
        assert len(ended) + len(failed) == 1
        assert phone.answers[-1] == repeated("and now?")
