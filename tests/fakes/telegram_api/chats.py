"""What people do with their chats: they add the bot and throw it out, rename, migrate, and manage topics.

Of a deleted topic and of a deleted message the bot hears nothing, as in Telegram.
"""

from collections.abc import Iterable

import trio

from tests.fakes.telegram_api.people import ANN, ANONYMOUS, Writers
from tests.fakes.telegram_api.rules import Json
from tests.fakes.telegram_api.world import RIGHTS, Chat, Topic, User

_OTHER_RIGHTS = (
    "be_edited",
    "manage_chat",
    "manage_video_chats",
    "restrict_members",
    "promote_members",
    "change_info",
    "invite_users",
    "post_stories",
    "edit_stories",
    "delete_stories",
)


class Hosts(Writers):
    """People who have chats."""

    # --- the bot's place ----------------------------------------------------------------------------------------

    def open_group(
        self, chat: int, title: str = "Group", *, forum: bool = False, rights: Iterable[str] | None = None
    ) -> None:
        """A group that the bot is in already. A plain one needs no opening: the first message makes it.

        `rights`: what the bot may do there, as its administrator; in a forum it may all that matters, else nothing.
        """
        group = self.world.chat(chat, title=title, forum=forum)
        if rights is not None:
            group.rights = frozenset(rights)

    def add_bot(self, chat: int, title: str = "Group", *, sender: User = ANN, forum: bool = False) -> int:
        """A person adds the bot to a group, as a plain member."""
        group = self.world.chat(chat, title=title, forum=forum)
        group.blocked, group.rights = False, None
        update = self._membership(group, sender, "left", "member")
        self._service(group, "new_chat_members", [self.world.bot], sender)
        return update

    def promote_bot(self, chat: int, rights: Iterable[str] = RIGHTS, *, sender: User = ANN) -> int:
        """A person makes the bot an administrator of a group."""
        group = self.world.chats[chat]
        before = "member" if group.rights is None else "administrator"
        group.rights = frozenset(rights)
        return self._membership(group, sender, before, "administrator")

    def remove_bot(self, chat: int, *, sender: User = ANN) -> int:
        """A person throws the bot out of a group."""
        group = self.world.chats[chat]
        before = "member" if group.rights is None else "administrator"
        group.blocked, group.rights = True, None
        return self._membership(group, sender, before, "kicked")

    def block(self, chat: int, *, blocked: bool = True, sender: User = ANN) -> int:
        """A person blocks the bot in their private chat, or lets it in again; of a group: it is out, or in."""
        place = self.world.chat(chat)
        place.blocked = blocked
        before, after = ("member", "kicked") if blocked else ("kicked", "member")
        return self._membership(place, sender, before, after)

    # --- the chat -----------------------------------------------------------------------------------------------

    def rename(self, chat: int, title: str, *, sender: User = ANN) -> int:
        """A person renames a group."""
        self.world.chats[chat].title = title
        return self._service(self.world.chats[chat], "new_chat_title", title, sender)

    def migrate(self, chat: int, new: int, *, sender: User = ANN) -> int:
        """A group becomes a supergroup with another id; the bot sees nothing there of what was before.

        Returns the first update's id: what the old chat says, then the new one.
        """
        world = self.world
        old = world.chats[chat]
        old.kind, old.migrated_to = "group", new
        after = world.chat(new, title=old.title)
        after.rights = old.rights
        update = self._service(old, "migrate_to_chat_id", new, sender)
        self._service(after, "migrate_from_chat_id", chat, ANONYMOUS)
        return update

    def allow_reactions(self, chat: int, *emoji: str) -> None:
        """A group allows these reactions only; none at all if none is named."""
        self.world.chats[chat].reactions = frozenset(emoji)

    # --- topics -------------------------------------------------------------------------------------------------

    def open_topic(self, chat: int, name: str, *, sender: User = ANN) -> int:
        """A person opens a topic; the bot is told. Returns the thread id."""
        return self.world.add_topic(self.world.chat(chat), name, sender=sender, now=trio.current_time())

    def rename_topic(self, chat: int, thread: int, name: str, *, sender: User = ANN) -> int:
        """A person renames a topic."""
        self._topic(chat, thread).name = name
        return self._service(self.world.chats[chat], "forum_topic_edited", {"name": name}, sender, thread)

    def close_topic(self, chat: int, thread: int, *, sender: User = ANN) -> int:
        """A person closes a topic: nobody writes there until it is open again."""
        self._topic(chat, thread).closed = True
        return self._service(self.world.chats[chat], "forum_topic_closed", {}, sender, thread)

    def reopen_topic(self, chat: int, thread: int, *, sender: User = ANN) -> int:
        """A person opens a closed topic again."""
        self._topic(chat, thread).closed = False
        return self._service(self.world.chats[chat], "forum_topic_reopened", {}, sender, thread)

    def delete_topic(self, chat: int, thread: int) -> None:
        """A topic goes, with all that was in it; the bot is not told."""
        self.world.drop_topic(self.world.chats[chat], thread)

    # --- inside -------------------------------------------------------------------------------------------------

    def _topic(self, chat: int, thread: int) -> Topic:
        return self.world.chats[chat].topics[thread]

    def _membership(self, chat: Chat, sender: User, before: str, after: str) -> int:
        """What the bot is told of its own place in a chat."""
        content = {
            "chat": chat.json(),
            "from": sender.json(),
            "date": self._now(),
            "old_chat_member": member(self.world.bot, before, chat.rights or frozenset()),
            "new_chat_member": member(self.world.bot, after, chat.rights or frozenset()),
        }
        return self.world.push("my_chat_member", content)


def member(bot: Json, status: str, rights: frozenset[str]) -> Json:
    """The bot as a member of a chat."""
    shown: Json = {"user": bot, "status": status}
    if status == "kicked":
        return {**shown, "until_date": 0}
    if status != "administrator":
        return shown
    every = {f"can_{other}": False for other in _OTHER_RIGHTS} | {right: right in rights for right in RIGHTS}
    return {**shown, "is_anonymous": False, **every}
