"""Buttons and topics of the fake Bot API, driven by the real `telegram.Bot`: each rule, and each refusal."""

import pytest
import trio
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.error import BadRequest
from trio.testing import MockClock

from tests.contracts.telegram_bot import CHAT, GROUP, keyboard, refused, telegram
from tests.fakes.telegram import ANN

# --- buttons ----------------------------------------------------------------------------------------------------


async def test_a_button_is_pressed_and_answered_once() -> None:
    async with telegram() as (fake, bot):
        sent = await bot.send_message(CHAT, "sure?", reply_markup=keyboard("yes"))
        pressed = fake.press(CHAT, sent.message_id, "yes")
        (update,) = await bot.get_updates()
        query = update.callback_query
        assert query is not None
        assert (query.data, query.from_user.id) == ("yes", ANN.id)
        assert isinstance(query.message, Message)
        assert fake.answer(pressed) is None
        await bot.answer_callback_query(query.id, "done")
        assert fake.answer(pressed) == "done"
        await refused(BadRequest, "too old", lambda: bot.answer_callback_query(query.id))
        await refused(BadRequest, "query id is invalid", lambda: bot.answer_callback_query("query-9"))


async def test_a_press_that_nobody_answers_in_time_is_over(loopback_clock: MockClock) -> None:
    async with telegram() as (fake, bot):
        sent = await bot.send_message(CHAT, "sure?", reply_markup=keyboard("yes"))
        fake.press(CHAT, sent.message_id, "yes")
        (update,) = await bot.get_updates()
        assert update.callback_query is not None
        query = update.callback_query.id
        await refused(BadRequest, "too_long", lambda: bot.answer_callback_query(query, "x" * 201))
        await trio.sleep(61)
        await refused(BadRequest, "too old", lambda: bot.answer_callback_query(query))


async def test_what_is_gone_can_be_pressed_only_on_a_phone_that_lags() -> None:
    async with telegram() as (fake, bot):
        sent = await bot.send_message(CHAT, "sure?", reply_markup=keyboard("yes"))
        assert fake.tap(CHAT, "Press") == 1000
        await bot.edit_message_reply_markup(CHAT, sent.message_id)
        await refused(BadRequest, "not modified", lambda: bot.edit_message_reply_markup(CHAT, sent.message_id))
        with pytest.raises(ValueError, match="no button"):
            fake.press(CHAT, sent.message_id, "yes")
        with pytest.raises(ValueError, match="no button"):
            fake.tap(CHAT, "Press")
        await bot.delete_message(CHAT, sent.message_id)
        fake.press(CHAT, sent.message_id, "yes", late=True)
        update = (await bot.get_updates())[-1]
        assert update.callback_query is not None
        assert update.callback_query.message is not None
        assert not update.callback_query.message.is_accessible


async def test_rows_are_eight_wide_and_buttons_a_hundred() -> None:
    async with telegram() as (_, bot):
        button = InlineKeyboardButton("x", callback_data="x")
        await bot.send_message(CHAT, "x", reply_markup=InlineKeyboardMarkup([[button] * 8] * 12))
        for rows in ([[button] * 9], [[button] * 8] * 13):
            with pytest.raises(BadRequest, match=r"(?i)too long"):
                await bot.send_message(CHAT, "x", reply_markup=InlineKeyboardMarkup(rows))


async def test_callback_data_is_64_bytes_at_most() -> None:
    async with telegram() as (_, bot):
        await bot.send_message(CHAT, "x", reply_markup=keyboard("é" * 32))
        for data in ("é" * 32 + "x", ""):
            with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
                await bot.send_message(CHAT, "x", reply_markup=keyboard(data))


# --- topics -----------------------------------------------------------------------------------------------------


async def test_a_topic_from_its_making_to_its_end() -> None:
    async with telegram() as (fake, bot):
        thread = (await bot.create_forum_topic(GROUP, "work")).message_thread_id
        await bot.send_message(GROUP, "in", message_thread_id=thread)
        assert (fake.said(GROUP, thread), fake.said(GROUP)) == (["in"], [])
        await bot.edit_forum_topic(GROUP, thread, name="play")
        await refused(BadRequest, "not_modified", lambda: bot.edit_forum_topic(GROUP, thread, name="play"))
        await bot.close_forum_topic(GROUP, thread)
        await refused(BadRequest, "topic_closed", lambda: bot.send_message(GROUP, "x", message_thread_id=thread))
        await bot.reopen_forum_topic(GROUP, thread)
        await bot.delete_forum_topic(GROUP, thread)
        assert fake.messages(GROUP, thread) == []
        for gone in (
            lambda: bot.send_message(GROUP, "x", message_thread_id=thread),
            lambda: bot.send_chat_action(GROUP, "typing", message_thread_id=thread),
            lambda: bot.edit_forum_topic(GROUP, thread, name="x"),
            lambda: bot.send_message(GROUP, "x", message_thread_id=1),  # the general topic goes without an id
        ):
            await refused(BadRequest, "thread not found", gone)


async def test_topics_are_for_forums_and_for_private_chats_of_bots_that_have_them() -> None:
    async with telegram() as (fake, bot):
        fake.open_group(-7)
        for chat in (-7, CHAT):
            with pytest.raises(BadRequest, match="not a forum"):
                await bot.create_forum_topic(chat, "work")
        with pytest.raises(BadRequest):
            await bot.create_forum_topic(GROUP, "n" * 129)
        thread = (await bot.create_forum_topic(GROUP, "the bot's own")).message_thread_id
        theirs = fake.open_topic(GROUP, "Ann's")
        fake.promote_bot(GROUP, [])
        await refused(BadRequest, "not enough rights", lambda: bot.create_forum_topic(GROUP, "work"))
        await refused(BadRequest, "not enough rights", lambda: bot.edit_forum_topic(GROUP, theirs, name="x"))
        await refused(BadRequest, "not enough rights", lambda: bot.delete_forum_topic(GROUP, theirs))
        await bot.edit_forum_topic(GROUP, thread, name="still the bot's own")
    async with telegram(private_topics=True) as (fake, bot):
        thread = (await bot.create_forum_topic(CHAT, "work")).message_thread_id
        fake.say(CHAT, "hello", thread=thread)
        (update,) = await bot.get_updates()
        assert update.message is not None
        assert (update.message.is_topic_message, update.message.message_thread_id) == (True, thread)
