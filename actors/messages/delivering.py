"""What the store is asked about what goes out to people."""

from actors.messages.records import (
    Delivery,
    Preview,
    Room,
)
from supervisor import Request

__all__ = [
    "Doubt",
    "Doubted",
    "Due",
    "Edited",
    "PreviewGone",
    "PreviewShown",
    "RecentlySent",
    "Sending",
    "Sent",
    "StalePreviews",
    "TopicMade",
    "Undeliverable",
    "Unsent",
]


class Doubt(Request[int]):
    """An outbox starts: what says `sending` was cut off and becomes doubtful. Returns how many deliveries."""

    front: str


class Due(Request[tuple[Delivery, ...]]):
    """The oldest undelivered delivery of each chat of `front`, for at most `limit` chats, none that is being sent.

    Messages to be edited count as undelivered. `besides`: those that the next one of their chat may go past.
    """

    front: str
    limit: int
    besides: tuple[int, ...] = ()


class Sending(Request[None]):
    """Commit 2b: the next part of each of these is about to be sent; attempt + 1.

    `revisions`: what each of them says, as `Due` gave it; without them, its newest one.
    """

    ids: tuple[int, ...]
    revisions: tuple[int, ...] = ()


class Sent(Request[None]):
    """Commit 3: a part arrived.

    `part`: its number, from 0. `message_id`: what the front end calls it. `last`: whether the delivery is now complete.
    """

    id: int
    part: int
    message_id: int | None
    last: bool


class Edited(Request[None]):
    """The delivery's message says what its `revision` says; a later one is still to be shown."""

    id: int
    revision: int


class TopicMade(Request[Room]):
    """A delivery of the kind `topic` has become this topic: its room stands there now, and says so in both places."""

    id: int
    thread: int


class Unsent(Request[None]):
    """A send that certainly had no effect (refused, too many requests): the part waits again, not doubtful."""

    id: int


class Doubted(Request[None]):
    """A send whose outcome is unknown (timed out, connection lost): the part waits again and is doubtful."""

    id: int


class Undeliverable(Request[None]):
    """A delivery that can never arrive (chat gone, bot blocked): its row ends with `reason`.

    Of an edit only the edit ends so. Where a topic could not be made, its room is told why. `tell`: where it was to go
    people are told that it is missing, for other messages do arrive there.
    """

    id: int
    reason: str
    tell: bool = False


class RecentlySent(Request[tuple[tuple[int, float], ...]]):
    """The messages of `front` that have arrived since then, as (chat, when) with Unix seconds: the newest 1,000."""

    front: str
    since: float


class PreviewShown(Request[None]):
    """A preview message was sent; kept until `PreviewGone`, so that none is orphaned by a crash."""

    preview: Preview


class PreviewGone(Request[None]):
    """A preview was deleted, or is out of reach."""

    preview: Preview


class StalePreviews(Request[tuple[Preview, ...]]):
    """Previews of `front` whose turn has ended and has nothing more to deliver."""

    front: str
