"""The fake Bot API, driven by the real `telegram.Bot` on trio: each rule once, and the error that the bot raises."""

import httpx
import pytest
import trio
from telegram import BotCommand, BotCommandScopeChat, MessageEntity, ReplyParameters, Update
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken
from trio.testing import MockClock

from tests.contracts.telegram_bot import CHAT, GROUP, TLS, client, keyboard, refused, telegram
from tests.fakes.telegram import TOKEN, User

# --- who and what -----------------------------------------------------------------------------------------------


async def test_get_me_names_the_bot() -> None:
    async with telegram() as (_, bot):
        assert (await bot.get_me()).username == bot.username == "dispatch_test_bot"


@pytest.mark.parametrize("token", ["4242:wrong", "malformed"])
async def test_a_wrong_token_is_invalid(token: str) -> None:
    async with telegram() as (fake, _), client(fake, token) as bot:
        with pytest.raises(InvalidToken):
            await bot.get_me()


async def test_an_unknown_method_is_not_found() -> None:
    async with telegram() as (fake, bot):
        with pytest.raises(InvalidToken, match="does not exist"):
            await bot.do_api_request("sendTelepathy")
        assert fake.called("sendTelepathy")[0].status == 404


@pytest.mark.parametrize(
    ("method", "given", "words"),
    [
        ("sendMessage", {"text": "x"}, "chat_id"),
        ("sendMessage", {"chat_id": CHAT}, "text is empty"),
        ("sendMessage", {"chat_id": CHAT, "text": "x", "reply_markup": "{"}, "can't parse"),
        ("editMessageText", {"chat_id": CHAT, "text": "x"}, "message_id"),
        ("answerCallbackQuery", {}, "callback_query_id"),
        ("sendChatAction", {"chat_id": CHAT}, "action"),
        ("sendDocument", {"chat_id": CHAT}, "no document"),
        ("getFile", {}, "file_id"),
    ],
)
async def test_a_required_parameter_is_required(method: str, given: dict[str, str | int], words: str) -> None:
    async with telegram() as (fake, _), httpx.AsyncClient(verify=TLS, trust_env=False) as raw:
        answer = await raw.post(f"{fake.base_url}{TOKEN}/{method}", data=given)
        assert (answer.status_code, answer.json()["ok"], answer.json()["error_code"]) == (400, False, 400)
        assert words in answer.json()["description"]


async def test_an_unknown_chat_is_not_found_and_a_blocked_one_forbidden() -> None:
    async with telegram() as (fake, bot):
        await refused(BadRequest, "Chat not found", lambda: bot.send_message(999, "x"))
        fake.block(CHAT)
        with pytest.raises(Forbidden):
            await bot.send_message(CHAT, "x")


# --- updates ----------------------------------------------------------------------------------------------------


async def test_updates_come_again_until_they_are_confirmed() -> None:
    async with telegram() as (fake, bot):
        ids = [fake.say(CHAT, text) for text in ("one", "two", "three")]
        assert [u.update_id for u in await bot.get_updates()] == ids
        assert [u.update_id for u in await bot.get_updates(limit=2)] == ids[:2]
        assert [u.update_id for u in await bot.get_updates(offset=ids[1])] == ids[1:]
        assert [u.update_id for u in await bot.get_updates()] == ids[1:]
        assert await bot.get_updates(offset=ids[-1] + 1) == ()
        assert await bot.get_updates() == ()


async def test_a_long_poll_waits_for_an_update_and_ends_empty(loopback_clock: MockClock, nursery: trio.Nursery) -> None:
    async with telegram() as (fake, bot):
        start = trio.current_time()
        assert await bot.get_updates(timeout=25) == ()
        assert trio.current_time() - start >= 25

        async def later() -> None:
            await trio.sleep(3)
            fake.say(CHAT, "late")

        nursery.start_soon(later)
        (update,) = await bot.get_updates(timeout=25)
        assert update.message is not None
        assert update.message.text == "late"


async def test_a_second_poller_ends_the_first(loopback_clock: MockClock, nursery: trio.Nursery) -> None:
    async with telegram() as (fake, bot), client(fake) as other:
        ended = trio.Event()

        async def first() -> None:
            with pytest.raises(Conflict):
                await bot.get_updates(timeout=25)
            ended.set()

        nursery.start_soon(first)
        await fake.wait_for(lambda: fake.called("getUpdates"))
        assert await other.get_updates(timeout=1) == ()
        assert ended.is_set()


async def test_a_webhook_forbids_polling_until_it_is_deleted() -> None:
    async with telegram() as (fake, bot):
        fake.world.webhook = "https://elsewhere"
        with pytest.raises(Conflict):
            await bot.get_updates()
        await bot.delete_webhook()
        assert await bot.get_updates() == ()


async def test_only_allowed_updates_come() -> None:
    async with telegram() as (fake, bot):
        await bot.get_updates(allowed_updates=[Update.CALLBACK_QUERY])
        fake.say(CHAT, "not wanted")
        await bot.get_updates(allowed_updates=[Update.MESSAGE])
        wanted = fake.say(CHAT, "wanted")
        assert [u.update_id for u in await bot.get_updates()] == [wanted]


async def test_where_a_message_was_said() -> None:
    async with telegram() as (fake, bot):
        thread = fake.open_topic(GROUP, "work")
        fake.say(GROUP, "/start now", thread=thread)
        fake.say(GROUP, "general", sender=User(88, "Bob"))
        fake.open_group(-7)
        fake.say(-7, "first")
        fake.say(-7, "reply", reply_to=fake.messages(-7)[0].id)
        opened, command, general, _, reply = [u.message for u in await bot.get_updates() if u.message]
        assert opened.forum_topic_created
        assert (command.is_topic_message, command.message_thread_id, command.chat.is_forum) == (True, thread, True)
        assert command.parse_entities() == {command.entities[0]: "/start"}
        assert (general.is_topic_message, general.message_thread_id) == (None, None)
        assert general.from_user is not None
        assert general.from_user.id == 88
        assert (reply.is_topic_message, reply.message_thread_id) == (None, fake.messages(-7)[0].id)


async def test_an_edit_by_a_person_is_an_update() -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, "frist")
        fake.edit(CHAT, fake.messages(CHAT)[0].id, "first")
        last = (await bot.get_updates())[-1]
        assert last.edited_message is not None
        assert last.edited_message.text == "first"


# --- text and entities ------------------------------------------------------------------------------------------


async def test_text_is_counted_in_utf16() -> None:
    async with telegram() as (fake, bot):
        await bot.send_message(CHAT, "😀" * 2048)
        for text, words in (("😀" * 2048 + "x", "too long"), (" \n ", "empty")):
            with pytest.raises(BadRequest, match=words):
                await bot.send_message(CHAT, text)
        assert len(fake.said(CHAT)) == 1


@pytest.mark.parametrize(
    ("words", "entities"),
    [
        ("out of the text", [MessageEntity("bold", 0, 6)]),
        ("out of the text", [MessageEntity("bold", 0, 0)]),
        ("in the middle of a", [MessageEntity("bold", 0, 1)]),
        ("in the middle of a", [MessageEntity("bold", 1, 2)]),
        ("unsupported", [MessageEntity("shiny", 2, 1)]),
        ("wrong url", [MessageEntity("text_link", 2, 1)]),
        ("wrong url", [MessageEntity("text_link", 2, 1, url="./file.py")]),
        ("wrong language", [MessageEntity("code", 2, 1, language="py")]),
        ("out of order", [MessageEntity("bold", 3, 1), MessageEntity("italic", 2, 1)]),
        ("overlaps", [MessageEntity("bold", 2, 2), MessageEntity("italic", 3, 2)]),
        ("can't hold", [MessageEntity("bold", 2, 3), MessageEntity("code", 3, 1)]),
        ("can't hold", [MessageEntity("pre", 2, 3), MessageEntity("bold", 3, 1)]),
        ("can't hold", [MessageEntity("blockquote", 2, 3), MessageEntity("blockquote", 3, 1)]),
        ("too many", [MessageEntity("bold", 2, 1)] * 101),
    ],
)
async def test_wrong_entities_are_refused(words: str, entities: list[MessageEntity]) -> None:
    async with telegram() as (fake, bot):
        with pytest.raises(BadRequest, match=words):
            await bot.send_message(CHAT, "😀abc", entities=entities)
        assert fake.messages(CHAT) == []


async def test_right_entities_arrive_and_move_with_the_trimmed_text() -> None:
    async with telegram() as (_, bot):
        entities = [
            MessageEntity("blockquote", 2, 8),
            MessageEntity("pre", 2, 3, language="py"),
            MessageEntity("text_link", 6, 4, url="https://x.y"),
            MessageEntity("bold", 6, 4),
        ]
        sent = await bot.send_message(CHAT, "\n\n😀a link \n", entities=entities)
        assert sent.text == "😀a link"
        assert [(e.type, e.offset, e.length) for e in sent.entities] == [
            ("blockquote", 0, 8),
            ("pre", 0, 3),
            ("text_link", 4, 4),
            ("bold", 4, 4),
        ]


# --- messages ---------------------------------------------------------------------------------------------------


async def test_an_edit_changes_the_message_and_must_change_it() -> None:
    async with telegram() as (fake, bot):
        sent = await bot.send_message(CHAT, "one")
        await bot.edit_message_text("two", CHAT, sent.message_id)
        await refused(BadRequest, "not modified", lambda: bot.edit_message_text("two ", CHAT, sent.message_id))
        (shown,) = fake.messages(CHAT)
        assert (shown.text, shown.history) == ("two", ["one"])


async def test_only_an_own_message_that_is_there_can_be_edited_or_deleted() -> None:
    async with telegram() as (fake, bot):
        fake.say(-7, "mine")
        (mine,) = fake.messages(-7)
        await refused(BadRequest, "to edit not found", lambda: bot.edit_message_text("x", CHAT, 999))
        await refused(BadRequest, "can't be edited", lambda: bot.edit_message_text("x", -7, mine.id))
        await refused(BadRequest, "to delete not found", lambda: bot.delete_message(CHAT, 999))
        await refused(BadRequest, "can't be deleted", lambda: bot.delete_message(-7, mine.id))
        fake.promote_bot(-7)
        await bot.delete_message(-7, mine.id)
        sent = await bot.send_message(CHAT, "x")
        await bot.delete_message(CHAT, sent.message_id)
        assert fake.messages(CHAT) == fake.messages(-7) == []


async def test_after_two_days_a_message_stays(loopback_clock: MockClock) -> None:
    async with telegram() as (_, bot):
        sent = await bot.send_message(CHAT, "x")
        await trio.sleep(48 * 3600 + 1)
        await refused(BadRequest, "can't be deleted", lambda: bot.delete_message(CHAT, sent.message_id))
        await bot.edit_message_text("still mine", CHAT, sent.message_id)


async def test_a_reply_needs_its_message() -> None:
    async with telegram() as (fake, bot):
        await refused(
            BadRequest, "replied not found", lambda: bot.send_message(CHAT, "x", reply_parameters=ReplyParameters(999))
        )
        await bot.send_message(CHAT, "x", reply_parameters=ReplyParameters(999, allow_sending_without_reply=True))
        fake.say(CHAT, "question")
        question = fake.messages(CHAT)[-1].id
        sent = await bot.send_message(CHAT, "answer", reply_parameters=ReplyParameters(question))
        assert sent.reply_to_message is not None
        assert sent.reply_to_message.message_id == question


async def test_reactions_pins_and_actions() -> None:
    async with telegram() as (fake, bot):
        fake.say(CHAT, "hello")
        (shown,) = fake.messages(CHAT)
        await bot.set_message_reaction(CHAT, shown.id, "👀")
        await refused(BadRequest, "REACTION_INVALID", lambda: bot.set_message_reaction(CHAT, shown.id, "🦑"))
        await refused(BadRequest, "react not found", lambda: bot.set_message_reaction(CHAT, 999, "👀"))
        await bot.pin_chat_message(CHAT, shown.id)
        await refused(BadRequest, "pin not found", lambda: bot.pin_chat_message(CHAT, 999))
        await bot.send_chat_action(CHAT, "typing")
        await refused(BadRequest, "wrong parameter action", lambda: bot.send_chat_action(CHAT, "dancing"))
        fake.say(-7, "in a group with manners")
        fake.allow_reactions(-7, "👍")
        other = fake.messages(-7)[0].id
        await refused(BadRequest, "REACTION_INVALID", lambda: bot.set_message_reaction(-7, other, "👀"))
        await bot.set_message_reaction(-7, other, "👍")
        await refused(BadRequest, "not enough rights", lambda: bot.pin_chat_message(-7, other))
        assert (shown.reactions, shown.pinned) == (["👀"], True)
        assert [(a.chat, a.action) for a in fake.actions] == [(CHAT, "typing")]


async def test_a_draft_is_private_and_passes(loopback_clock: MockClock) -> None:
    async with telegram() as (fake, bot):
        await bot.send_message_draft(CHAT, 1, "thinking")
        assert fake.draft(CHAT) == "thinking"
        await trio.sleep(31)
        assert fake.draft(CHAT) is None
        await bot.send_message_draft(CHAT, 1, "thinking on")
        await bot.send_message(CHAT, "thought")
        assert (fake.draft(CHAT), fake.said(CHAT)) == (None, ["thought"])
        await refused(BadRequest, "PEER_INVALID", lambda: bot.send_message_draft(GROUP, 1, "x"))
        await refused(BadRequest, "RANDOM_ID_INVALID", lambda: bot.send_message_draft(CHAT, 0, "x"))
        kwargs = {"reply_markup": keyboard("x").to_dict()}
        await refused(BadRequest, "no keyboard", lambda: bot.send_message_draft(CHAT, 1, "x", api_kwargs=kwargs))


# --- files and commands -----------------------------------------------------------------------------------------


async def test_files_come_and_go() -> None:
    content = bytes(range(256)) * 16 + b"\r\n--\r\n"
    async with telegram() as (fake, bot):
        fake.send_file(CHAT, content, name="a.bin", mime="application/x-a", caption="look")
        fake.send_file(CHAT, content, kind="photo")
        document, photo = [u.message for u in await bot.get_updates() if u.message]
        assert document.document is not None
        assert (document.document.file_name, document.caption, photo.photo[-1].file_size) == ("a.bin", "look", 4102)
        for file_id in (document.document.file_id, photo.photo[-1].file_id):
            assert await (await bot.get_file(file_id)).download_as_bytearray() == content
        await bot.send_document(CHAT, content, filename="b.bin", caption="back")
        await bot.send_photo(CHAT, content)
        await bot.send_document(CHAT, document.document.file_id)
        sent = [m.file for m in fake.messages(CHAT) if m.sender is None and m.file]
        assert [(f.name, f.content) for f in sent[::2]] == [("b.bin", content), ("a.bin", content)]
        assert sent[1].content == content
        await refused(BadRequest, "wrong file_id", lambda: bot.get_file("file-99"))
        await refused(BadRequest, "caption is too long", lambda: bot.send_document(CHAT, content, caption="x" * 1025))


async def test_commands_are_checked() -> None:
    async with telegram() as (fake, bot):
        await bot.set_my_commands([("start", "Begin"), ("new", "Anew")])
        assert [c["command"] for c in fake.world.commands] == ["start", "new"]
        await refused(BadRequest, "command_invalid", lambda: bot.set_my_commands([("No-Go", "x")]))
        many = [BotCommand(f"c{number}", "x") for number in range(101)]
        await refused(BadRequest, "too_much", lambda: bot.set_my_commands(many))
        await bot.set_my_commands(many[:100], scope=BotCommandScopeChat(CHAT))
