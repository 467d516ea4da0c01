"""One part at a time on the strict fake: which message it becomes, and what comes of it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from telegram import Bot
from trio.testing import MockClock

from actors.messages import Delivery, DeliveryKind, Key, Place, Topic
from actors.telegram import sending
from actors.telegram.pieces import REPETITION
from actors.telegram.render import plain, render
from actors.telegram.sending import Arrived, Changed, Made, Sender
from actors.telegram.trouble import Flood, NotSent, Permanent, Unknown
from tests.contracts.telegram_bot import CHAT, GROUP, telegram
from tests.fakes.telegram import FakeTelegram, Fault

LONG = "so **bold** " + "_word_ " * 1200
BLOCKED = Permanent("Forbidden: bot was blocked by the user", unreachable=True)


def delivery(text: str = "hello", *, part: int = 0, doubtful: bool = False, id: int = 1, **more: Any) -> Delivery:
    """An answer to the chat; `more` are further fields."""
    plain_one = Delivery(
        id=id,
        place=Place("telegram", CHAT),
        kind=DeliveryKind.ANSWER,
        text=text,
        reply_to=None,
        turn=None,
        part=part,
        attempts=1,
        doubtful=doubtful,
        created_at=0.0,
    )
    return replace(plain_one, **more)


@asynccontextmanager
async def sender() -> AsyncIterator[tuple[FakeTelegram, Sender, Bot]]:
    async with telegram() as (fake, bot):
        yield fake, Sender(bot), bot


async def test_the_last_part_says_so(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        parts = render(LONG)
        results = [await send.send(delivery(LONG, part=part)) for part in range(len(parts))]
        assert [isinstance(result, Arrived) and result.last for result in results] == [False] * (len(parts) - 1) + [
            True
        ]
        assert fake.said(CHAT) == [part.text for part in parts]


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.FLOOD, Flood(7.0)),
        (Fault.FORBIDDEN, Permanent("Forbidden: bot was blocked by the user", unreachable=True)),
    ],
)
async def test_what_did_not_arrive(loopback_clock: MockClock, fault: Fault, result: Flood | Permanent) -> None:
    async with sender() as (fake, send, _):
        fake.set_fault("sendMessage", fault, seconds=7)
        assert await send.send(delivery()) == result


async def test_a_cut_connection_is_unknown_and_none_is_not(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        fake.set_fault("sendMessage", Fault.DROP_AFTER)
        assert isinstance(await send.send(delivery()), Unknown)
        async with fake.refusing():
            assert isinstance(await send.send(delivery()), NotSent)


async def test_a_doubtful_part_says_so(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("so **bold**", doubtful=True))
        (message,) = fake.messages(CHAT)
        assert message.text == f"{REPETITION}\nso bold"
        (bold,) = message.entities
        units = message.text.encode("utf-16-le")
        assert units[2 * bold["offset"] :][: 2 * bold["length"]].decode("utf-16-le") == "bold"


async def test_refused_formatting_from_the_start_makes_way_for_the_text_as_written(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        pieces = plain(LONG)
        for part in range(len(pieces)):
            result = await send.send(delivery(LONG, part=part))
            assert isinstance(result, Arrived)
            assert result.last is (part + 1 == len(pieces))
        assert fake.said(CHAT) == pieces


async def test_refused_formatting_later_leaves_the_pieces_as_they_are(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        parts = render(LONG)
        no_entities.append(False)
        await send.send(delivery(LONG))
        no_entities.append(True)
        await send.send(delivery(LONG, part=1))
        assert fake.said(CHAT) == [part.text.rstrip() for part in parts[:2]]


async def test_a_restart_between_plain_parts_ends_the_delivery(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (_, _, bot):
        assert len(render(LONG)) < len(plain(LONG))
        for part in range(len(plain(LONG))):
            assert isinstance(await Sender(bot).send(delivery(LONG, part=part)), Arrived)
        assert await Sender(bot).send(delivery(LONG, part=len(plain(LONG)))) == Arrived(None, last=True)


# --- buttons, footers, files ------------------------------------------------------------------------------------

KEYS = ((Key("Retry", "b:1:0"), Key("Log", "b:1:1")),)


async def test_buttons_and_footer_are_below_the_last_part_alone(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        for part in range(2):
            await send.send(delivery("x" * 5000, part=part, keys=KEYS, footer="12 s"))
        first, last = fake.messages(CHAT)
        assert first.markup is None
        assert last.markup == {
            "inline_keyboard": [
                [{"text": "Retry", "callback_data": "b:1:0"}, {"text": "Log", "callback_data": "b:1:1"}]
            ]
        }
        assert last.text.endswith("\n\n12 s")
        assert last.entities == [{"type": "italic", "offset": len(last.text) - 4, "length": 4}]


async def test_what_is_refused_with_its_formatting_keeps_footer_and_buttons(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("**as it was**", keys=KEYS, footer="12 s"))
        (message,) = fake.messages(CHAT)
        assert (message.text, message.entities, bool(message.markup)) == ("**as it was**\n\n12 s", [], True)


@pytest.mark.parametrize(
    ("kind", "silent", "rings"),
    [
        (DeliveryKind.ANSWER, False, True),
        (DeliveryKind.QUESTION, False, True),
        (DeliveryKind.REPORT, False, True),
        (DeliveryKind.NOTE, False, False),
        (DeliveryKind.ANSWER, True, False),
    ],
)
async def test_who_rings(loopback_clock: MockClock, kind: DeliveryKind, silent: bool, rings: bool) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery(kind=kind, silent=silent))
        assert fake.called("sendMessage")[0].params["disable_notification"] is not rings


async def test_a_file_is_sent_with_its_caption(loopback_clock: MockClock, tmp_path: Path) -> None:
    async with sender() as (fake, send, _):
        file = tmp_path / "report.pdf"
        file.write_bytes(b"%PDF")
        result = await send.send(delivery("the **report**", file=str(file), keys=KEYS, doubtful=True))
        (message,) = fake.messages(CHAT)
        assert result == Arrived(message.id, last=True)
        assert message.file is not None
        assert (message.file.name, message.file.content) == ("report.pdf", b"%PDF")
        assert (message.text, bool(message.markup)) == (f"{REPETITION}\nthe report", True)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("missing", "report.pdf cannot be read (No such file or directory)"),
        ("empty", "report.pdf is empty"),
        ("folder", "report.pdf cannot be read (Is a directory)"),
        ("link", "report.pdf cannot be read (Too many levels of symbolic links)"),
        ("pipe", "report.pdf is no plain file"),
        ("large", "report.pdf has 50.0 MB; Telegram takes 50 at most"),
    ],
)
async def test_a_file_that_cannot_be_sent_says_why(
    loopback_clock: MockClock, tmp_path: Path, what: str, words: str
) -> None:
    file = tmp_path / "report.pdf"
    match what:
        case "empty":
            file.touch()
        case "folder":
            file.mkdir()
        case "link":
            file.symlink_to("/etc/passwd")
        case "pipe":
            os.mkfifo(file)
        case "large":
            file.touch()
            os.truncate(file, sending.LARGEST_FILE + 1)
        case _:
            assert what == "missing"
    async with sender() as (fake, send, _):
        result = await send.send(delivery(file=str(file)))
        assert isinstance(result, Permanent)
        assert words in result.reason
        assert not fake.called("sendDocument")


async def test_a_very_long_answer_ends_in_a_file(loopback_clock: MockClock) -> None:
    text = "\n\n".join(f"{number} " + "word " * 700 for number in range(9))
    async with sender() as (fake, send, _):
        results = [await send.send(delivery(text, part=part, footer="12 s", keys=KEYS)) for part in range(5)]
        assert [isinstance(result, Arrived) and result.last for result in results] == [False] * 4 + [True]
        *messages, file = fake.messages(CHAT)
        assert [message.text[0] for message in messages] == ["0", "1", "2", "3"]
        assert file.file is not None
        assert (file.file.name, file.file.content) == ("answer.md", text.encode())
        assert "the rest is in this file" in file.text
        assert file.text.endswith("12 s")
        assert file.markup is not None
        assert [call.params["disable_notification"] for call in fake.called("sendDocument")] == [True]


# --- edits ------------------------------------------------------------------------------------------------------


async def test_an_edit_changes_text_formatting_and_buttons(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("Which?", keys=KEYS))
        (message,) = fake.messages(CHAT)
        changed = delivery("Which? → **red**", edits=message.id, revision=1)
        assert await send.send(changed) == Changed()
        assert (message.text, message.entities[0]["type"], message.markup) == ("Which? → red", "bold", None)
        assert await send.send(changed) == Changed()  # Telegram says that nothing is modified
        assert len(fake.messages(CHAT)) == 1


async def test_an_edit_whose_formatting_is_refused_shows_the_text_as_written(
    loopback_clock: MockClock, no_entities: list[bool]
) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("Which?"))
        (message,) = fake.messages(CHAT)
        assert await send.send(delivery("**red**", edits=message.id)) == Changed()
        assert message.text == "**red**"


async def test_an_edit_that_is_too_long_is_cut_to_one_message(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery("short"))
        (message,) = fake.messages(CHAT)
        assert await send.send(delivery("word " * 2000, edits=message.id, keys=KEYS)) == Changed()
        assert message.text.endswith("word…")
        assert message.markup is not None


async def test_an_edit_of_a_caption(loopback_clock: MockClock, tmp_path: Path) -> None:
    async with sender() as (fake, send, _):
        (tmp_path / "a").write_text("x")
        await send.send(delivery("before", file=str(tmp_path / "a")))
        (message,) = fake.messages(CHAT)
        assert await send.send(delivery("after", file=str(tmp_path / "a"), edits=message.id)) == Changed()
        assert message.text == "after"


async def test_an_edit_of_what_was_deleted_has_nothing_to_do(loopback_clock: MockClock) -> None:
    async with sender() as (_, send, _bot):
        assert await send.send(delivery(edits=999)) == Changed()


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.FLOOD, Flood(7.0)),
        (Fault.FORBIDDEN, Permanent("Forbidden: bot was blocked by the user", unreachable=True)),
    ],
)
async def test_an_edit_that_did_not_arrive(loopback_clock: MockClock, fault: Fault, result: Flood | Permanent) -> None:
    async with sender() as (fake, send, _):
        await send.send(delivery())
        fake.set_fault("editMessageText", fault, seconds=7)
        assert await send.send(delivery("x", edits=fake.messages(CHAT)[0].id)) == result


# --- topics -----------------------------------------------------------------------------------------------------


def topic(name: str, chat: int = GROUP) -> Delivery:
    return delivery(name, kind=DeliveryKind.TOPIC, topic=Topic(), place=Place("telegram", chat))


async def test_a_topic_is_made_under_its_name(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        result = await send.send(topic("web " + "x" * 200))
        assert isinstance(result, Made)
        assert fake.world.chats[GROUP].topics[result.thread].name == "web " + "x" * 123 + "…"


async def test_a_topic_that_cannot_be_made_says_why(loopback_clock: MockClock) -> None:
    async with sender() as (_, send, _bot):
        assert await send.send(topic(" \n")) == Permanent("a topic needs a name")
        refused = await send.send(topic("web", CHAT))
        assert isinstance(refused, Permanent)
        assert "not a forum" in refused.reason


async def test_a_topic_that_is_gone_or_closed_and_a_group_that_has_moved(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        thread = fake.open_topic(GROUP, "Backend")
        place = Place("telegram", GROUP, thread)
        fake.close_topic(GROUP, thread)
        closed = await send.send(delivery(place=place))
        fake.delete_topic(GROUP, thread)
        gone = await send.send(delivery(place=place))
        fake.migrate(GROUP, -1009)
        moved = await send.send(delivery(place=Place("telegram", GROUP)))
        assert isinstance(closed, Permanent)
        assert isinstance(gone, Permanent)
        assert isinstance(moved, Permanent)
        assert ("closed" in closed.reason, closed.topic_gone, gone.topic_gone) == (True, False, True)
        assert moved.moved_to == -1009


async def test_nothing_to_show_can_never_arrive(loopback_clock: MockClock) -> None:
    async with sender() as (fake, send, _):
        assert isinstance(await send.send(delivery(" \n")), Permanent)
        assert not fake.called("sendMessage")
