"""What the fake pi has to choose from, models and levels, and what it says of its use. One half of its commands.

Used in its process alone; standard library only.
"""

from tests.fakes.pi_session import USAGE, Record, SessionFile
from tests.fakes.pi_wire import emit, failure, success

_WINDOW = 128_000
MODELS: list[Record] = [
    {"id": "fake-1", "provider": "fake", "contextWindow": _WINDOW, "input": ["text", "image"], "reasoning": False},
    {"id": "other-1", "provider": "fake", "contextWindow": _WINDOW, "input": ["text"], "reasoning": True},
]
_LEVELS = ["off", "minimal", "low", "medium", "high"]


class Choices:
    """The commands about models, levels and use."""

    def __init__(self, session: SessionFile, model: str, thinking: str) -> None:
        self.session = session
        # As pi does with an id that it does not know.
        self.model = next((known for known in MODELS if known["id"] == model), MODELS[0] | {"id": model})
        self.thinking = thinking

    @property
    def levels(self) -> list[str]:
        """Those of the model."""
        return _LEVELS if self.model["reasoning"] else ["off"]

    def do_get_available_models(self, command_id: str | None, _: Record) -> None:
        """All of them."""
        emit(success(command_id, "get_available_models", {"models": MODELS}))

    def do_set_model(self, command_id: str | None, command: Record) -> None:
        """Changes the model of the session, and the level if the new one does not have it."""
        wanted = (command["provider"], command["modelId"])
        found = next((known for known in MODELS if (known["provider"], known["id"]) == wanted), None)
        if found is None:
            emit(failure(command_id, "set_model", f"Model not found: {'/'.join(wanted)}"))
            return
        self.model = found
        self.session.append({"type": "model_change", "provider": found["provider"], "modelId": found["id"]})
        self._think(self.thinking)
        emit(success(command_id, "set_model", found))

    def do_get_available_thinking_levels(self, command_id: str | None, _: Record) -> None:
        """Those of the model."""
        emit(success(command_id, "get_available_thinking_levels", {"levels": self.levels}))

    def do_set_thinking_level(self, command_id: str | None, command: Record) -> None:
        """Takes the nearest one."""
        self._think(command["level"])
        emit(success(command_id, "set_thinking_level"))

    def do_get_session_stats(self, command_id: str | None, _: Record) -> None:
        """Sums over the session; how full the context is, which is not known right after a compaction."""
        kinds = [entry["type"] for entry in self.session.entries]
        answers = [entry for entry in self.session.entries if entry.get("message", {}).get("role") == "assistant"]
        spent = {kind: USAGE[kind] * len(answers) for kind in ("input", "output", "cacheRead", "cacheWrite")}
        fresh = "compaction" not in kinds or answers[-1] in self.session.entries[kinds.index("compaction") :]
        context = {"tokens": USAGE["totalTokens"] * bool(answers) if fresh else None, "contextWindow": _WINDOW}
        stats = {
            "sessionFile": self.session.path,
            "sessionId": self.session.id,
            "assistantMessages": len(answers),
            "tokens": spent | {"total": sum(spent.values())},
            "cost": USAGE["cost"]["total"] * len(answers),
            "contextUsage": context | {"percent": 0 if fresh else None},
        }
        emit(success(command_id, "get_session_stats", stats))

    def _think(self, level: str) -> None:
        level = level if level in self.levels else self.levels[-1]
        if level != self.thinking:
            self.thinking = level
            self.session.append({"type": "thinking_level_change", "thinkingLevel": level})
            emit({"type": "thinking_level_changed", "level": level})
