"""What a command is answered with, as pi 0.87.1 sent it."""

import msgspec
import pytest

from actors.pi import commands
from actors.pi.answers import Entries, Model, Models, ThinkingLevels, decode_data


def test_the_data_of_a_response_is_typed_by_its_command() -> None:
    entries = msgspec.Raw(
        b'{"entries":[{"type":"custom_message","customType":"host","content":"note","display":false,"id":"b","parentId":"a",'
        b'"timestamp":"2026-11-20T08:34:30.773Z"}],"leafId":"b"}'
    )
    data = decode_data(commands.GetEntries(), entries)
    assert isinstance(data, Entries)
    assert (data.leaf_id, data.entries[0].custom_type, data.entries[0].content) == ("b", "host", "note")
    assert decode_data(commands.Abort(), msgspec.Raw()) is None
    with pytest.raises(msgspec.DecodeError):
        decode_data(commands.GetEntries(), msgspec.Raw(b"{}"))


def test_models_say_what_they_take() -> None:
    raw = msgspec.Raw(
        b'{"models":[{"id":"m","name":"M","provider":"p","input":["text","image"],"contextWindow":1000,"cost":{}}]}'
    )
    assert decode_data(commands.GetAvailableModels(), raw) == Models(
        models=(Model(id="m", provider="p", input=("text", "image"), context_window=1000),)
    )
    levels = msgspec.Raw(b'{"levels":["off","high"]}')
    assert decode_data(commands.GetAvailableThinkingLevels(), levels) == ThinkingLevels(levels=("off", "high"))
