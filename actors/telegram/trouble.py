"""What went wrong with a call of the Bot API, as far as its caller has to know.

Pure: python-telegram-bot's errors, sorted by what is to be done. The gateway and the outbox match on these; nobody else
looks at Telegram's errors. Reasons are one line, in Telegram's or the network's words, without secrets.
"""

from datetime import timedelta
from typing import Final, NamedTuple

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from actors.redaction import redact

__all__ = ["BadEntities", "Busy", "Flood", "NotSent", "Permanent", "TokenRefused", "Trouble", "Unknown", "sorted_out"]


class Flood(NamedTuple):
    """Too many requests: nothing was done, and nothing will be for `seconds`."""

    seconds: float


class BadEntities(NamedTuple):
    """Nothing was done, because of the formatting: the same text without it may pass."""

    reason: str


class Permanent(NamedTuple):
    """Nothing was done, and the same request will never succeed: chat or topic gone, bot blocked, a bad request.

    `moved_to`: the group lives on under this id. `topic_gone`: the topic is deleted; its chat may be there.
    `unreachable`: it is the place's fault, and nothing else arrives there either.
    """

    reason: str
    moved_to: int | None = None
    topic_gone: bool = False
    unreachable: bool = False


class NotSent(NamedTuple):
    """The request certainly had no effect (no connection, token refused); it may succeed later."""

    reason: str


class Unknown(NamedTuple):
    """The request may have had its effect: it timed out, the connection broke, or the server failed."""

    reason: str


class Busy(NamedTuple):
    """Updates are not given out: another program polls this bot or, if `webhook`, a webhook gets them."""

    webhook: bool


Trouble = Flood | BadEntities | Permanent | NotSent | Unknown | Busy


class TokenRefused(Exception):
    """Telegram does not know the bot token. `reason`: what it said."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Telegram refuses the bot token ({reason}): set [telegram] bot_token or TELEGRAM_BOT_TOKEN to the "
            "one that @BotFather shows for this bot"
        )
        self.reason = reason


_TOPIC_GONE: Final = ("thread not found", "topic_deleted", "topic deleted", "topic_id_invalid")
_CHAT_GONE: Final = ("chat not found", "have no rights to send", "chat_write_forbidden", "peer_id_invalid")
_TOPIC_CLOSED: Final = "the topic is closed: reopen it, or make the bot an admin who may write there"
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def sorted_out(error: TelegramError) -> Trouble:
    """What a failed call means. Raises `TokenRefused` where every call would fail."""
    reason = redact(error.message)
    match error:
        case RetryAfter(retry_after=wait):
            return Flood(wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
        case InvalidToken() if "method" in reason.lower():  # an older server; the library calls any 404 so
            return Permanent(reason)
        case InvalidToken():
            raise TokenRefused(reason) from None
        case Conflict():
            return Busy(webhook="webhook" in reason.lower())
        case ChatMigrated(new_chat_id=chat):
            return Permanent(f"the group has become a supergroup with the id {chat}", moved_to=chat)
        case BadRequest() if "entit" in reason.lower():
            return BadEntities(reason)
        case BadRequest() if any(words in reason.lower() for words in _TOPIC_GONE):
            return Permanent(reason, topic_gone=True)
        case BadRequest() if "topic_closed" in reason.lower():
            return Permanent(_TOPIC_CLOSED, unreachable=True)
        case BadRequest() if any(words in reason.lower() for words in _CHAT_GONE):
            return Permanent(reason, unreachable=True)
        case BadRequest():
            return Permanent(reason)
        case Forbidden():
            return Permanent(reason, unreachable=True)
        case NetworkError() if "entity too large" in reason.lower():  # 413, from Telegram or a proxy before it
            return Permanent(reason)
        case _:
            never_sent = isinstance(error.__cause__, _NEVER_SENT)
            return NotSent(reason) if never_sent else Unknown(reason or type(error).__name__)
