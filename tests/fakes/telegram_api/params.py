"""One request's parameters: read, checked, and turned into the chats, topics and files that they name. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tests.fakes.telegram_api.kinds import StoredFile
from tests.fakes.telegram_api.rules import ApiError, Json, bad, checked_markup
from tests.fakes.telegram_api.world import Chat, Message, World

MEGABYTE = 1024 * 1024


class Upload(NamedTuple):
    name: str
    mime: str
    content: bytes


class Params:
    """Parameters, which arrive as text whatever they are."""

    def __init__(self, fields: Mapping[str, str], uploads: Mapping[str, Upload]) -> None:
        self.fields = fields
        self.uploads = uploads

    def text(self, name: str) -> str:
        if not self.fields.get(name):
            raise bad(f'parameter "{name}" is required')
        return self.fields[name]

    def number(self, name: str, default: int | None = None) -> int:
        if name not in self.fields and default is not None:
            return default
        try:
            return int(self.text(name))
        except ValueError:
            raise bad(f'parameter "{name}" must be an integer') from None

    def json(self, name: str) -> Any:
        """The decoded value, or None where it is missing."""
        if name not in self.fields:
            return None
        try:
            return msgspec.json.decode(self.fields[name])
        except msgspec.DecodeError:
            raise bad(f'can\'t parse "{name}"') from None


def chat_of(world: World, params: Params) -> Chat:
    """The chat that is meant: known, there under this id, and open to the bot."""
    chat = world.known_chat(params.number("chat_id"))
    if chat.migrated_to is not None:
        upgraded = "Bad Request: group chat was upgraded to a supergroup chat"
        raise ApiError(400, upgraded, migrate_to=chat.migrated_to)
    if chat.blocked:
        how = "blocked by the user" if chat.kind == "private" else f"kicked from the {chat.kind} chat"
        raise ApiError(403, f"Forbidden: bot was {how}")
    return chat


def place_of(world: World, params: Params) -> tuple[Chat, int | None]:
    """The chat and, where one is named, its topic: open, and not deleted."""
    chat = chat_of(world, params)
    if "message_thread_id" not in params.fields:
        return chat, None
    thread = params.number("message_thread_id")
    if thread not in chat.topics:
        raise bad("message thread not found")
    if chat.topics[thread].closed:
        raise bad("TOPIC_CLOSED")
    return chat, thread


def message_of(world: World, params: Params, purpose: str) -> Message:
    """The message that is meant, which is there."""
    message = chat_of(world, params).messages.get(params.number("message_id"))
    if message is None:
        raise bad(f"message to {purpose} not found")
    return message


def markup_of(params: Params) -> Json | None:
    return checked_markup(params.json("reply_markup")) if "reply_markup" in params.fields else None


def file_of(world: World, params: Params, name: str, largest: int) -> StoredFile:
    """What is sent: an upload beside the parameters (by name or as attach://name), or a known file's id."""
    given = params.fields.get(name, "")
    upload = params.uploads.get(given.removeprefix("attach://") or name)
    if upload is None:
        if given in world.files:
            return world.files[given]
        raise bad("wrong file identifier/HTTP URL specified" if given else f"there is no {name} in the request")
    if not upload.content:
        raise bad("file must be non-empty")
    if len(upload.content) > largest:
        raise ApiError(413, "Request Entity Too Large")
    return world.keep_file(*upload)
