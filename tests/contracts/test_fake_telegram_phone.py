"""What the fake Bot API shows on a phone, of what a real `telegram.Bot` sends."""

from textwrap import dedent

import pytest
import trio
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, ReplyParameters
from trio.testing import MockClock

from tests.contracts.telegram_bot import CHAT, GROUP, telegram
from tests.fakes.telegram import AlbumFile, User


async def test_a_transcript() -> None:
    async with telegram() as (fake, bot):
        thread = fake.open_topic(GROUP, "build")
        fake.say(GROUP, "why is it red?", thread=thread)
        asked = fake.messages(GROUP, thread)[-1].id
        await bot.set_message_reaction(GROUP, asked, "👀")
        await bot.send_message(GROUP, "queued", message_thread_id=thread, disable_notification=True)
        rows = [[InlineKeyboardButton(label, callback_data=label) for label in ("Retry", "Log")]]
        text = "Because of this:\nif x:\n    y\nAnd so on."
        code = MessageEntity("pre", 17, 11, language="py")
        await bot.send_message(
            GROUP,
            text,
            message_thread_id=thread,
            entities=[code],
            reply_markup=InlineKeyboardMarkup([*rows, [InlineKeyboardButton("More", callback_data="m")]]),
            reply_parameters=ReplyParameters(asked),
        )
        await bot.send_document(GROUP, b"x", filename="log.txt", caption="the log", message_thread_id=thread)
        await bot.send_chat_action(GROUP, "typing", message_thread_id=thread)
        assert fake.transcript(GROUP, thread) == dedent(
            """\
            ── Forum › build ──
            * Ann opened the topic “build”
            Ann       why is it red?  👀
            Dispatch  queued  🔕
            Dispatch  ┃ Ann: why is it red?
                      Because of this:
                      ▏ if x:
                      ▏     y
                      And so on.
                      [Retry] [Log]
                      [More]
            Dispatch  📎 log.txt
                      the log
            * Dispatch: typing …"""
        )


async def test_what_passes_is_shown_while_it_lasts(loopback_clock: MockClock) -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, "hello")
        await bot.send_chat_action(CHAT, "typing")
        await bot.send_message_draft(CHAT, 1, "thinking")
        assert (fake.shown(CHAT).doing, fake.shown(CHAT).draft) == ("typing", "thinking")
        assert fake.transcript(CHAT).endswith("Dispatch  thinking ✍\n* Dispatch: typing …")
        await trio.sleep(5)
        assert (fake.shown(CHAT).doing, fake.shown(CHAT).draft) == (None, "thinking")
        await trio.sleep(25)
        assert fake.shown(CHAT).draft is None
        await bot.send_chat_action(CHAT, "typing")
        await trio.sleep(0.01)
        await bot.send_message(CHAT, "done")
        assert fake.shown(CHAT).doing is None


async def test_what_people_do_is_shown() -> None:
    async with telegram() as (fake, _):
        fake.add_bot(-7, "Lab", sender=User(88, "Bob"))
        fake.say_anonymously(-7, "one\ntwo")
        fake.forward(-7, "look", origin=User(88, "Bob"))
        fake.send_album(-7, [AlbumFile(b"a", name="a.jpg"), AlbumFile(b"b", name="b.jpg")], caption="both")
        fake.send_thing(-7, "location")
        fake.edit(-7, fake.messages(-7)[1].id, "three")
        fake.rename(-7, "Library")
        assert fake.transcript(-7) == dedent(
            """\
            ── Library ──
            * Bob added the bot
            Lab           three  (edited)
            Ann (from Bob)
                          look
            Ann           📎 a.jpg
                          both
            Ann           📎 b.jpg
            Ann           📎 location
            * Ann called the group “Library”"""
        )


async def test_the_newest_bubble_with_some_words() -> None:
    async with telegram() as (fake, bot):
        await bot.send_message(CHAT, "one")
        second = await bot.send_message(CHAT, "one more")
        assert fake.shown(CHAT).find("one").id == second.message_id
        with pytest.raises(AssertionError, match="two"):
            fake.shown(CHAT).find("two")
