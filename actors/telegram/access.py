"""Who may speak: the gate that every update passes, whatever its kind.

Pure, and closed unless something opens it: a person must be named; in a group, the group as well.
"""

from collections.abc import Collection

import msgspec

__all__ = ["Gate"]


class Gate(msgspec.Struct, frozen=True):
    """`users`: ids of the people who may speak. `groups`: ids of the groups in which they may."""

    users: Collection[int]
    groups: Collection[int]

    def objection(self, person: int, chat: int) -> str | None:
        """Why this person may not speak in this chat (a group has a negative id), with the mend; None if they may."""
        if person not in self.users:
            return f"person {person} is not in [telegram] allowed_user_ids"
        if chat < 0 and chat not in self.groups:
            return f"group {chat} is not in [telegram] allowed_group_ids"
        return None
