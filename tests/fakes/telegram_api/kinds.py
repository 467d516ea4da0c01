"""What a message can be beside text: files of all kinds, and things that are none, as the Bot API shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakes.telegram_api.rules import Json


@dataclass(frozen=True)
class StoredFile:
    """A file that Telegram keeps. `size`: bytes, as it says; `thumbs`: a picture's smaller copies."""

    id: str
    name: str
    mime: str
    content: bytes
    size: int
    thumbs: tuple["StoredFile", ...] = ()

    def json(self) -> Json:
        return {"file_id": self.id, "file_unique_id": f"u{self.id}", "file_size": self.size}


FILES: Mapping[str, Json] = {
    "animation": {"width": 320, "height": 240, "duration": 3},
    "audio": {"duration": 180, "title": "Song"},
    "document": {},
    "photo": {},
    "sticker": {"width": 512, "height": 512, "is_animated": False, "is_video": False, "type": "regular", "emoji": "🙂"},
    "video": {"width": 640, "height": 480, "duration": 12},
    "video_note": {"length": 240, "duration": 5},
    "voice": {"duration": 4},
}
"""The kinds of files, with what is shown of each beside the file itself."""

_PLACE = {"latitude": 52.5, "longitude": 13.4}
THINGS: Mapping[str, Json] = {
    "contact": {"contact": {"phone_number": "+4930123", "first_name": "Carl"}},
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
    "location": {"location": _PLACE},
    "poll": {
        "poll": {
            "id": "poll-1",
            "question": "Tea?",
            "options": [{"text": word, "voter_count": 0, "persistent_id": word} for word in ("yes", "no")],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": True,
            "members_only": False,
        }
    },
    "venue": {"venue": {"location": _PLACE, "title": "Museum", "address": "Island 1"}, "location": _PLACE},
}
"""What people send that is neither text nor a file."""

CONTENT = frozenset({"text", *FILES, *THINGS})
"""All kinds of messages that somebody wrote; every other kind is a service message."""

_WIDTHS = (90, 320, 1280)  # of a picture's copies, the smallest first; each is three quarters as high


def file_json(kind: str, file: StoredFile) -> Json:
    """A file in its message."""
    if kind == "photo":
        copies = [*file.thumbs, file]
        sizes = zip(copies, _WIDTHS[-len(copies) :], strict=True)
        return {"photo": [{**copy.json(), "width": width, "height": width * 3 // 4} for copy, width in sizes]}
    shown = {**file.json(), "mime_type": file.mime, **FILES[kind]}
    if kind in {"animation", "audio", "document", "video"}:
        shown["file_name"] = file.name
    # Bots from before animations existed find a document there, too.
    return {kind: shown, "document": shown} if kind == "animation" else {kind: shown}
