"""What people do on the fake Bot API, as the real `telegram.Bot` hears of it, in privacy mode and without."""

from datetime import UTC, datetime, timedelta

import pytest
from telegram import (
    Bot,
    ChatMemberAdministrator,
    Message,
    MessageOriginHiddenUser,
    MessageOriginUser,
    Update,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError

from tests.contracts.telegram_bot import CHAT, GROUP, refused, telegram
from tests.fakes.telegram import AlbumFile, Fault, User
from tests.fakes.telegram_api.kinds import FILES, THINGS

BOB = User(88, "Bob", "bob")


async def heard(bot: Bot) -> list[Message]:
    """The messages that wait for the bot."""
    return [update.message for update in await bot.get_updates() if update.message]


# --- what is written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("/help", {"bot_command": "/help"}),
        ("😀 see /help@dispatch_test_bot.", {"bot_command": "/help@dispatch_test_bot"}),
        ("/etc/hosts is a file", {}),
        ("ask @dispatch_test_bot, please", {"mention": "@dispatch_test_bot"}),
        ("me@example.com", {}),
    ],
)
async def test_commands_and_mentions_are_marked_as_clients_do(text: str, entities: dict[str, str]) -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, text)
        (message,) = await heard(bot)
        assert {e.type: word for e, word in message.parse_entities().items()} == entities


async def test_a_message_is_as_old_as_it_is() -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, "now")
        fake.say(CHAT, "while nobody listened", ago=3600)
        ages = [datetime.now(UTC) - message.date for message in await heard(bot)]
        assert timedelta(0) <= ages[0] < timedelta(minutes=1)
        assert timedelta(hours=1) <= ages[1] < timedelta(minutes=61)


async def test_a_reply_and_the_part_that_it_quotes() -> None:
    async with telegram() as (fake, bot):
        sent = await bot.send_message(CHAT, "😀 first this, then that")
        fake.say(CHAT, "why?", reply_to=sent.message_id, quote="then that")
        (message,) = await heard(bot)
        assert message.reply_to_message is not None
        assert message.reply_to_message.message_id == sent.message_id
        assert message.quote is not None
        assert (message.quote.text, message.quote.position) == ("then that", 15)


async def test_an_answer_to_a_message_of_another_chat() -> None:
    async with telegram() as (fake, bot):
        fake.reply_across(CHAT, "see?", origin=BOB, quote="told you")
        (message,) = await heard(bot)
        assert message.reply_to_message is None
        assert message.external_reply is not None
        assert isinstance(message.external_reply.origin, MessageOriginUser)
        assert message.quote is not None
        assert message.quote.text == "told you"


async def test_forwards_name_whom_they_are_from() -> None:
    async with telegram() as (fake, bot):
        fake.forward(CHAT, "one", origin=BOB)
        fake.forward(CHAT, "two", origin="Somebody")
        known, hidden = [message.forward_origin for message in await heard(bot)]
        assert isinstance(known, MessageOriginUser)
        assert known.sender_user.id == BOB.id
        assert isinstance(hidden, MessageOriginHiddenUser)
        assert hidden.sender_user_name == "Somebody"


async def test_nobody_in_particular_speaks_through_a_group_or_a_channel() -> None:
    async with telegram() as (fake, bot):
        fake.say_anonymously(GROUP, "as the group")
        fake.say_as_channel(GROUP, "as a channel")
        fake.post_in_linked_channel(GROUP, "news")
        fake.post(-900, "posted")
        *messages, post = await bot.get_updates()
        anonymous, channel, linked = [update.message for update in messages if update.message]
        assert (anonymous.sender_chat, anonymous.from_user) != (None, None)
        assert [m.sender_chat.id for m in (anonymous, channel, linked) if m.sender_chat] == [GROUP, -100777, -100777]
        assert [m.from_user.is_bot for m in (anonymous, channel) if m.from_user] == [True, True]
        assert (linked.is_automatic_forward, anonymous.is_automatic_forward) == (True, None)
        assert post.channel_post is not None
        assert (post.message, post.channel_post.from_user) == (None, None)


# --- what is sent -----------------------------------------------------------------------------------------------


async def test_a_picture_comes_in_sizes_of_which_the_last_is_the_picture() -> None:
    async with telegram() as (fake, bot):
        fake.send_file(CHAT, b"the whole picture", kind="photo")
        (message,) = await heard(bot)
        assert [size.width for size in message.photo] == [90, 320, 1280]
        files = [await bot.get_file(size.file_id) for size in message.photo]
        contents = [bytes(await file.download_as_bytearray()) for file in files]
        assert (len(set(contents)), contents[-1]) == (3, b"the whole picture")


async def test_an_album_is_one_update_each_with_one_caption() -> None:
    async with telegram() as (fake, bot):
        fake.send_album(CHAT, [AlbumFile(b"a"), AlbumFile(b"b"), AlbumFile(b"c", "document", "c.txt")], caption="all")
        fake.send_album(CHAT, [AlbumFile(b"d"), AlbumFile(b"e")])
        messages = await heard(bot)
        assert [message.caption for message in messages] == ["all", None, None, None, None]
        groups = [message.media_group_id for message in messages]
        assert (len(set(groups[:3])), len(set(groups[3:])), len(set(groups))) == (1, 1, 2)
        assert messages[2].document is not None


@pytest.mark.parametrize("kind", sorted(FILES))
async def test_files_of_all_kinds(kind: str) -> None:
    async with telegram() as (fake, bot):
        fake.send_file(CHAT, b"x", kind=kind, name="x.bin")
        (message,) = await heard(bot)
        found = message.effective_attachment
        assert found is not None
        assert found == (message.photo if kind == "photo" else getattr(message, kind))


@pytest.mark.parametrize("kind", sorted(THINGS))
async def test_things_of_all_kinds(kind: str) -> None:
    async with telegram() as (fake, bot):
        fake.send_thing(CHAT, kind)
        (message,) = await heard(bot)
        assert getattr(message, kind)
        assert message.text is None


async def test_a_file_that_is_too_big_and_one_that_is_cut_off() -> None:
    async with telegram() as (fake, bot):
        fake.send_file(CHAT, b"x", size=21 * 1024 * 1024)
        fake.send_file(CHAT, b"0123456789")
        large, small = [message.document for message in await heard(bot) if message.document]
        await refused(BadRequest, "file is too big", lambda: bot.get_file(large))
        file = await bot.get_file(small)
        for fault in (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.SERVER_ERROR):
            fake.set_fault("download", fault)
            with pytest.raises(NetworkError):
                await file.download_as_bytearray()
        assert bytes(await file.download_as_bytearray()) == b"0123456789"
        assert [call.status for call in fake.called("download")] == [None, None, 502, 200]


async def test_a_caption_is_edited_by_person_and_bot() -> None:
    async with telegram() as (fake, bot):
        fake.send_file(CHAT, b"x", caption="one")
        fake.edit(CHAT, fake.messages(CHAT)[0].id, "two")
        update = (await bot.get_updates())[-1]
        assert update.edited_message is not None
        assert update.edited_message.caption == "two"
        sent = await bot.send_document(CHAT, b"y", caption="one", disable_notification=True)
        await refused(BadRequest, "no text", lambda: bot.edit_message_text("two", CHAT, sent.message_id))
        await bot.edit_message_caption(CHAT, sent.message_id, caption="two")
        words = await bot.send_message(CHAT, "words")
        await refused(BadRequest, "no caption", lambda: bot.edit_message_caption(CHAT, words.message_id, caption="x"))
        assert [(m.text, m.silent) for m in fake.messages(CHAT)[1:]] == [("two", True), ("words", False)]


# --- chats that change ------------------------------------------------------------------------------------------


async def test_the_bot_comes_to_a_group_rises_and_goes() -> None:
    async with telegram() as (fake, bot):
        fake.add_bot(-7, "Lab", sender=BOB)
        fake.promote_bot(-7, ["can_manage_topics"])
        changes = [u.my_chat_member for u in await bot.get_updates(allowed_updates=Update.ALL_TYPES)]
        added, _, risen = changes
        assert added is not None
        assert (added.from_user.id, added.chat.title) == (BOB.id, "Lab")
        assert (added.old_chat_member.status, added.new_chat_member.status) == ("left", "member")
        assert risen is not None
        assert isinstance(risen.new_chat_member, ChatMemberAdministrator)
        assert (risen.new_chat_member.can_manage_topics, risen.new_chat_member.can_delete_messages) == (True, False)
        assert (await bot.get_chat_member(-7, 4242)).status == "administrator"
        fake.remove_bot(-7)
        fake.say(-7, "it is gone")
        last = (await bot.get_updates())[-1]
        assert last.my_chat_member is not None
        assert last.my_chat_member.new_chat_member.status == "kicked"
        with pytest.raises(Forbidden, match="kicked from the supergroup"):
            await bot.send_message(-7, "x")


async def test_a_person_blocks_the_bot_and_the_bot_leaves_a_group() -> None:
    async with telegram() as (fake, bot):
        fake.block(CHAT)
        (update,) = await bot.get_updates()
        assert update.my_chat_member is not None
        assert update.my_chat_member.new_chat_member.status == "kicked"
        with pytest.raises(Forbidden, match="blocked by the user"):
            await bot.send_message(CHAT, "x")
        await bot.leave_chat(GROUP)
        with pytest.raises(Forbidden):
            await bot.send_message(GROUP, "x")


async def test_groups_and_topics_are_renamed_closed_and_opened() -> None:
    async with telegram() as (fake, bot):
        thread = fake.open_topic(GROUP, "work")
        fake.rename(GROUP, "Lab")
        fake.rename_topic(GROUP, thread, "play")
        fake.close_topic(GROUP, thread)
        fake.reopen_topic(GROUP, thread)
        _, group, topic, closed, reopened = await heard(bot)
        assert (group.new_chat_title, group.chat.title) == ("Lab", "Lab")
        assert topic.forum_topic_edited is not None
        assert (topic.forum_topic_edited.name, topic.message_thread_id) == ("play", thread)
        assert closed.forum_topic_closed
        assert reopened.forum_topic_reopened
        assert (await bot.get_chat(GROUP)).title == "Lab"


async def test_a_group_that_became_a_supergroup_says_its_new_id() -> None:
    async with telegram() as (fake, bot):
        fake.open_group(-7, "Lab")
        fake.say(-7, "before")
        fake.migrate(-7, -100700)
        _, left, come = await heard(bot)
        assert (left.chat.id, left.migrate_to_chat_id) == (-7, -100700)
        assert (come.chat.id, come.migrate_from_chat_id, come.chat.title) == (-100700, -7, "Lab")
        with pytest.raises(ChatMigrated) as moved:
            await bot.send_message(-7, "x")
        assert moved.value.new_chat_id == -100700
        await bot.send_message(-100700, "x")


# --- privacy mode -----------------------------------------------------------------------------------------------


async def test_a_bot_in_privacy_mode_hears_what_is_meant_for_it() -> None:
    async with telegram(privacy=True) as (fake, bot):
        assert (await bot.get_me()).can_read_all_group_messages is False
        fake.say(-7, "to each other")
        sent = await bot.send_message(-7, "here I am")
        fake.say(-7, "/help@otherbot")
        meant = [
            fake.say(-7, "/help"),
            fake.say(-7, "/help@dispatch_test_bot"),
            fake.say(-7, "hey @dispatch_test_bot"),
            fake.say(-7, "that is right", reply_to=sent.message_id),
            fake.rename(-7, "Lab"),
            fake.say(CHAT, "in private"),
            fake.say(GROUP, "where it is an administrator"),
        ]
        assert [update.update_id for update in await bot.get_updates()] == meant


async def test_in_privacy_mode_an_edit_is_heard_like_its_message() -> None:
    async with telegram(privacy=True) as (fake, bot):
        fake.say(-7, "to each other")
        fake.edit(-7, fake.messages(-7)[0].id, "to all others")
        assert await bot.get_updates() == ()
        fake.edit(-7, fake.messages(-7)[0].id, "to @dispatch_test_bot")
        (update,) = await bot.get_updates()
        assert update.edited_message is not None
        assert update.edited_message.text == "to @dispatch_test_bot"


async def test_what_a_person_deletes_is_gone_without_a_word() -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, "slip")
        fake.erase(CHAT, fake.messages(CHAT)[0].id)
        assert len(await bot.get_updates()) == 1
        assert fake.messages(CHAT) == []
