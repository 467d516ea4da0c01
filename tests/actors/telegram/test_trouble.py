"""Each error of the Bot API's library, and what it means for whoever called."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from actors import redaction
from actors.telegram.trouble import (
    BadEntities,
    Busy,
    Flood,
    NotSent,
    Permanent,
    TokenRefused,
    Trouble,
    Unknown,
    sorted_out,
)


def because(error: TelegramError, cause: Exception) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (RetryAfter(timedelta(seconds=7)), Flood(7.0)),
        (RetryAfter(7), Flood(7.0)),
        (Conflict("Conflict: terminated by other getUpdates request"), Busy(webhook=False)),
        (Conflict("Conflict: can't use getUpdates method while webhook is active"), Busy(webhook=True)),
        (BadRequest("Bad Request: can't parse entities: x"), BadEntities("Can't parse entities: x")),
        (BadRequest("Bad Request: ENTITY_BOUNDS_INVALID"), BadEntities("Entity_bounds_invalid")),
        (BadRequest("Bad Request: message thread not found"), Permanent("Message thread not found", topic_gone=True)),
        (BadRequest("Bad Request: TOPIC_DELETED"), Permanent("Topic_deleted", topic_gone=True)),
        (
            BadRequest("Bad Request: TOPIC_CLOSED"),
            Permanent("the topic is closed: reopen it, or make the bot an admin who may write there", unreachable=True),
        ),
        (BadRequest("Bad Request: message to edit not found"), Permanent("Message to edit not found")),
        (BadRequest("Bad Request: chat not found"), Permanent("Chat not found", unreachable=True)),
        (
            BadRequest("Bad Request: have no rights to send a message"),
            Permanent("Have no rights to send a message", unreachable=True),
        ),
        (
            Forbidden("Forbidden: bot was blocked by the user"),
            Permanent("Forbidden: bot was blocked by the user", unreachable=True),
        ),
        (ChatMigrated(-1007), Permanent("the group has become a supergroup with the id -1007", moved_to=-1007)),
        (InvalidToken("Not Found: method not found"), Permanent("Not Found: method not found")),
        (because(NetworkError("x"), httpx.ConnectError("refused")), NotSent("x")),
        (because(TimedOut("x"), httpx.ConnectTimeout("slow")), NotSent("x")),
        (because(TimedOut("x"), httpx.PoolTimeout("full")), NotSent("x")),
        (because(TimedOut("x"), httpx.ReadTimeout("slow")), Unknown("x")),
        (because(NetworkError("x"), httpx.ReadError("cut")), Unknown("x")),
        (NetworkError("Bad Gateway"), Unknown("Bad Gateway")),
        (NetworkError("Request Entity Too Large (413)"), Permanent("Request Entity Too Large (413)")),
        (TelegramError("Invalid server response"), Unknown("Invalid server response")),
    ],
)
def test_what_a_failed_call_means(error: TelegramError, trouble: Trouble) -> None:
    assert sorted_out(error) == trouble


def test_a_refused_token_is_named_with_its_mend() -> None:
    with pytest.raises(TokenRefused, match=r"TELEGRAM_BOT_TOKEN.*@BotFather"):
        sorted_out(InvalidToken("Unauthorized"))


@pytest.fixture
def _secret() -> Iterator[None]:
    redaction.remember("4242:secret-token")
    yield
    redaction.forget_all()


@pytest.mark.usefixtures("_secret")
def test_a_reason_holds_no_secret() -> None:
    trouble = sorted_out(NetworkError("no route to https://host/bot4242:secret-token/getMe"))
    assert trouble == Unknown("no route to https://host/bot***/getMe")
