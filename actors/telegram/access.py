"""Who may speak, and where the bot hears everything: the gate that every update passes, whatever its kind.

Pure, and closed unless something opens it: a person must be named or approved; in a group, the group as well.
"""

from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from actors.messages import Access, Place
from actors.settings import TelegramSettings

__all__ = ["Gate", "gate"]


class Gate(msgspec.Struct, frozen=True):
    """`users`: ids of the people who may speak. `groups`: ids of the groups in which they may.

    `owner`: who decides about others; None while there is nobody. `pairing`: whether strangers may ask to be let in.
    `listen`: what people have set, by place. `written_groups`: the groups that the configuration names.
    """

    users: Collection[int]
    groups: Collection[int]
    owner: int | None = None
    pairing: bool = False
    listen: Mapping[Place, Literal["all", "mentions"]] = {}
    written_groups: Collection[int] = frozenset()

    def objection(self, person: int, chat: int) -> str | None:
        """Why this person may not speak in this chat (a group has a negative id), with the mend; None if they may."""
        if person not in self.users:
            return f"person {person} is neither in [telegram] allowed_user_ids nor approved"
        if chat < 0 and chat not in self.groups:
            return f"group {chat} is neither in [telegram] allowed_group_ids nor allowed by the owner"
        return None

    def hears_all(self, place: Place) -> bool:
        """Whether everything said in this place is for us, or only what is addressed to us.

        Unless people have set it: everything in private chats and topics, which are made for it; in a plain group, and
        in a forum outside of its topics, people mostly talk to each other.
        """
        wanted = self.listen.get(place)
        return place.chat > 0 or place.thread is not None if wanted is None else wanted == "all"


def gate(settings: TelegramSettings, access: Access) -> Gate:
    """The gate as the configuration and the owner have set it.

    The owner is the smallest id that the configuration names; if it names nobody, the first who was approved.
    """
    approved = next((person.id for person in access.people if person.owner), None)
    return Gate(
        users=settings.allowed_user_ids | {person.id for person in access.people},
        groups=settings.allowed_group_ids | access.groups,
        owner=min(settings.allowed_user_ids, default=approved),
        pairing=settings.pairing,
        listen=access.listen,
        written_groups=settings.allowed_group_ids,
    )
