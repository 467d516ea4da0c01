"""What Telegram refuses: texts, entities, keyboards, names; and how it marks what people type. Pure.

Where the real service mends bad entities in silence, these rules refuse them: nothing shall be shown
otherwise than it was meant.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

from telegram.constants import MessageEntityType, ReactionEmoji

Json = dict[str, Any]

REACTIONS = frozenset(str(emoji) for emoji in ReactionEmoji)
_ENTITY_TYPES = frozenset(str(kind) for kind in MessageEntityType)
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_SOLID = frozenset({"pre", "code"})
_LINKS = frozenset({"text_link", "text_mention", "url", "email", "phone_number", "mention", "hashtag", "bot_command"})
_BUTTON_USES = (
    "callback_data",
    "url",
    "web_app",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "copy_text",
)


class ApiError(Exception):
    """An answer other than ok: HTTP status, description; the seconds to wait, the id that the chat has now."""

    def __init__(
        self, code: int, description: str, *, retry_after: int | None = None, migrate_to: int | None = None
    ) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        parameters = {"retry_after": retry_after, "migrate_to_chat_id": migrate_to}
        self.parameters = {name: value for name, value in parameters.items() if value is not None}


def bad(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")


def utf16_len(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def entity_problem(text: str, entities: Sequence[Json]) -> str | None:
    """The first thing that is wrong with the entities of a text, or None."""
    edges = {0, *accumulate(2 if ord(char) > 0xFFFF else 1 for char in text)}
    end = max(edges)
    if len(entities) > 100:
        return "too many entities"
    outer: list[Json] = []
    before = (-1, 0)
    for entity in entities:
        kind, start, length = entity.get("type"), entity.get("offset"), entity.get("length")
        if kind not in _ENTITY_TYPES:
            return f"unsupported entity type {kind!r}"
        if not isinstance(start, int) or not isinstance(length, int) or start < 0 or length < 1 or start + length > end:
            return f"{kind} is out of the text"
        if start not in edges or start + length not in edges:
            return f"{kind} begins or ends in the middle of a UTF-16 symbol"
        if (start, -length) < before:
            return f"{kind} is out of order"
        before = (start, -length)
        if problem := _own_problem(entity):
            return problem
        outer = [holder for holder in outer if holder["offset"] + holder["length"] > start]
        for holder in outer:
            if holder["offset"] + holder["length"] < start + length:
                return f"{kind} overlaps {holder['type']}"
            if not _may_hold(holder["type"], kind):
                return f"{holder['type']} can't hold {kind}"
        outer.append(entity)
    return None


def _own_problem(entity: Json) -> str | None:
    kind = entity["type"]
    if kind == "text_link":
        address = urlsplit(entity.get("url") or "")
        if address.scheme not in {"http", "https", "tg"} or not address.netloc:
            return f"text_link has a wrong url {entity.get('url')!r}"
    elif "url" in entity:
        return f"{kind} has a url"
    if "language" in entity and (kind != "pre" or not entity["language"]):
        return f"{kind} has a wrong language"
    return None


def _may_hold(holder: str, kind: str) -> bool:
    if holder in _SOLID or holder == kind:
        return False
    if kind in _SOLID:
        return holder in _QUOTES
    if kind in _QUOTES:
        return holder not in _QUOTES | _LINKS
    return not (kind in _LINKS and holder in _LINKS)


def checked_text(
    text: str, entities: Sequence[Json], *, limit: int = 4096, empty: bool = False
) -> tuple[str, list[Json]]:
    """Text and entities as Telegram keeps them: checked, and without the white space around the text."""
    if problem := entity_problem(text, entities):
        raise bad(f"can't parse entities: {problem}")
    kept = text.rstrip()
    if not kept and not empty:
        raise bad("message text is empty")
    first = min((e["offset"] for e in entities), default=len(text))
    cut = min(len(kept) - len(kept.lstrip()), first)
    kept = kept[cut:]
    if utf16_len(kept) > limit:
        raise bad("message is too long" if limit == 4096 else "message caption is too long")
    end = utf16_len(kept)
    moved = [{**e, "offset": e["offset"] - cut, "length": min(e["length"], end - e["offset"] + cut)} for e in entities]
    return kept, [e for e in moved if e["length"] > 0]


def checked_markup(markup: object) -> Json | None:
    """An inline keyboard (or a forced reply) that Telegram would take; None for an empty one."""
    if not isinstance(markup, dict):
        raise bad("can't parse reply keyboard markup JSON object")
    if "force_reply" in markup:
        return None
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad("object expected as reply markup")
    buttons = [button for row in rows for button in row]
    if len(buttons) > 100 or any(len(row) > 8 for row in rows):
        raise bad("reply markup is too long")
    for button in buttons:
        if not button.get("text"):
            raise bad("can't parse inline keyboard button: text is empty")
        if sum(use in button for use in _BUTTON_USES) != 1:
            raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
            raise bad("BUTTON_DATA_INVALID")
    return markup if buttons else None


def checked_commands(commands: object) -> list[Json]:
    """A menu that Telegram would take."""
    if not isinstance(commands, list):
        raise bad("can't parse commands")
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return commands


# Commands and mentions where Telegram's own clients see them: `/etc/hosts` is none, `see /help` has one.
_MARKED = re.compile(
    r"(?P<bot_command>\B(?<![/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?(?!\B|[/<>]))"
    r"|(?P<mention>\B@[a-zA-Z0-9_]{2,32}\b)"
)


def marked(text: str) -> list[Json]:
    """The entities that Telegram adds to what a person types."""
    return [
        {"type": found.lastgroup, "offset": utf16_len(text[: found.start()]), "length": len(found[0])}
        for found in _MARKED.finditer(text)
    ]
