"""What Telegram refuses: texts, entities, keyboards, names, and too many requests. Pure; `now` is given.

Where the real service mends bad entities in silence, these rules refuse them: nothing shall be shown
otherwise than it was meant.
"""

import math
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """An answer other than ok: HTTP status, description, and for 429 the seconds to wait."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(code, description, retry_after)
        self.code = code
        self.description = description
        self.retry_after = retry_after


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
    if not isinstance(commands, list) or len(commands) > 100:
        raise bad("can't parse commands")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return commands


@dataclass(frozen=True)
class Limits:
    """How many messages and edits are taken. The defaults are the published limits, with a burst in private chats.

    Whoever is refused stays refused for at least `penalty` seconds, so that going on regardless never pays.
    """

    private_per_second: float = 1.0
    private_burst: int = 5
    group_per_minute: int = 20
    bot_per_second: int = 30
    penalty: float = 3.0


UNLIMITED = Limits(private_burst=10**6, group_per_minute=10**6, bot_per_second=10**6)


@dataclass
class Flood:
    """Counts what was sent and refuses what is too much."""

    limits: Limits
    _sent: dict[int | None, deque[float]] = field(default_factory=dict)
    _refused_until: dict[int, float] = field(default_factory=dict)

    def take(self, chat: int, now: float) -> None:
        """Counts one message or edit, or raises the 429."""
        limits = self.limits
        ready = self._refused_until.get(chat, now)
        if chat > 0:
            period = limits.private_burst / limits.private_per_second
            ready = max(ready, self._free_at(chat, limits.private_burst, period, now))
        else:
            ready = max(ready, self._free_at(chat, limits.group_per_minute, 60.0, now))
        ready = max(ready, self._free_at(None, limits.bot_per_second, 1.0, now))
        if ready > now:
            ready = self._refused_until[chat] = max(ready, self._refused_until.get(chat, now + limits.penalty))
            seconds = math.ceil(ready - now)
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", seconds)
        self._refused_until.pop(chat, None)
        self._sent[chat].append(now)
        self._sent[None].append(now)

    def _free_at(self, chat: int | None, limit: int, period: float, now: float) -> float:
        sent = self._sent.setdefault(chat, deque())
        while sent and sent[0] + period <= now:
            sent.popleft()
        return sent[-limit] + period if len(sent) >= limit else now
