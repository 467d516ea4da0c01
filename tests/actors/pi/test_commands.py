"""The bytes of what we send."""

import msgspec
import pytest

from actors.pi import commands
from actors.pi.commands import Command, encode, encode_answer

ALL: list[tuple[Command, dict[str, object]]] = [
    (
        commands.Prompt(message="hi\n\u2028", streaming_behavior="steer"),
        {"type": "prompt", "message": "hi\n\u2028", "streamingBehavior": "steer"},
    ),
    (
        commands.Prompt(
            message="look", streaming_behavior="followUp", images=(commands.Image(data="AA==", mime_type="image/png"),)
        ),
        {
            "type": "prompt",
            "message": "look",
            "streamingBehavior": "followUp",
            "images": [{"type": "image", "data": "AA==", "mimeType": "image/png"}],
        },
    ),
    (commands.Steer(message="no"), {"type": "steer", "message": "no"}),
    (commands.Abort(), {"type": "abort"}),
    (commands.ClearQueue(), {"type": "clear_queue"}),
    (commands.GetState(), {"type": "get_state"}),
    (commands.GetEntries(), {"type": "get_entries"}),
    (commands.GetEntries(since="ab12"), {"type": "get_entries", "since": "ab12"}),
    (commands.GetSessionStats(), {"type": "get_session_stats"}),
    (commands.GetForkMessages(), {"type": "get_fork_messages"}),
    (commands.GetAvailableModels(), {"type": "get_available_models"}),
    (commands.SetModel(provider="zai", model_id="m"), {"type": "set_model", "provider": "zai", "modelId": "m"}),
    (commands.GetAvailableThinkingLevels(), {"type": "get_available_thinking_levels"}),
    (commands.SetThinkingLevel(level="low"), {"type": "set_thinking_level", "level": "low"}),
    (commands.Compact(), {"type": "compact"}),
    (commands.Compact(custom_instructions="Be brief."), {"type": "compact", "customInstructions": "Be brief."}),
]


@pytest.mark.parametrize(("command", "expected"), ALL)
def test_a_command_is_one_line_with_its_id(command: Command, expected: dict[str, object]) -> None:
    line = encode(command, "c7")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line) == {"id": "c7"} | expected


def test_answers_to_dialogs() -> None:
    lines = [
        encode_answer(commands.DialogValue(id="d", value="B")),
        encode_answer(commands.DialogConfirmed(id="d", confirmed=False)),
        encode_answer(commands.DialogCancelled(id="d")),
    ]
    assert [msgspec.json.decode(line) for line in lines] == [
        {"type": "extension_ui_response", "id": "d", "value": "B"},
        {"type": "extension_ui_response", "id": "d", "confirmed": False},
        {"type": "extension_ui_response", "id": "d", "cancelled": True},
    ]
