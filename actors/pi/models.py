"""Which model pi uses and could use: what people call them, and how one is changed.

A part of `live`. A model of the configured provider goes by its id, another one by `provider/id`. pi keeps a choice in
the session only, never in its settings, and keeps none that was not found among what it offers.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from actors.messages import ModelInfo
from actors.pi import answers, commands
from actors.pi.errors import Misconfigured
from actors.pi.link import Link
from actors.pi.providers import Provider, model_check
from actors.redaction import redact

MOST_OFFERED: Final = 50
_NAMES_SHOWN: Final = 5


class Models:
    """The models of one process. `current` and `thinking` are as of the last question."""

    def __init__(self, link: Link, provider: Provider) -> None:
        self.current: ModelInfo | None = None
        self.thinking = ""
        self._link = link
        self._provider = provider
        self._available: tuple[answers.Model, ...] = ()

    @property
    def offered(self) -> tuple[ModelInfo, ...]:
        """What could be used, those of the configured provider first; at most 50."""
        mine = self._provider.id
        ranked = sorted(self._available, key=lambda model: model.provider != mine)
        return tuple(_info(model, mine) for model in ranked[:MOST_OFFERED])

    async def read(self) -> None:
        """Learn what there is. Raises Misconfigured if the configured one is not there."""
        found = (await self._link.call(commands.GetAvailableModels())).data
        if isinstance(found, answers.Models):
            wrong = model_check(found.models, self._provider.id, self._provider.model)
            if wrong is not None:
                raise Misconfigured(wrong)
            self._available = found.models

    def note(self, state: answers.State) -> None:
        """Keep what a state says of them."""
        self.current = None if state.model is None else _info(state.model, self._provider.id)
        self.thinking = state.thinking_level

    async def choose(self, model: str | None, thinking: str | None) -> str:
        """Use this model and this level; None leaves them. Empty, or a sentence on what is not as it was asked for."""
        wrong: list[str] = []
        level = self.thinking
        if model is not None:
            found = find(model, self._available, self._provider.id)
            if found is None:
                wrong.append(_unknown(model, [info.id for info in self.offered]))
            elif _info(found, self._provider.id) != self.current:
                answer = await self._link.call(commands.SetModel(provider=found.provider, model_id=found.id))
                if not answer.ok:
                    wrong.append(f"pi did not take the model {model}: {redact(answer.error)}")
                await self._look()
        if thinking is not None:
            levels = await self._levels()
            if thinking in levels:
                level = thinking
            else:
                wrong.append(f"there is no thinking level {thinking} for this model; there are: {', '.join(levels)}")
        if level != self.thinking:  # pi returns to its default level when the model changes
            await self._link.call(commands.SetThinkingLevel(level=level))
            await self._look()
        return "; ".join(wrong)

    async def _levels(self) -> tuple[str, ...]:
        found = (await self._link.call(commands.GetAvailableThinkingLevels())).data
        return found.levels if isinstance(found, answers.ThinkingLevels) else ()

    async def _look(self) -> None:
        state = (await self._link.call(commands.GetState())).data
        if isinstance(state, answers.State):
            self.note(state)


def find(name: str, available: Sequence[answers.Model], provider: str) -> answers.Model | None:
    """The model that people mean by `id` or `provider/id`; of equal ids that of `provider`. None: not clear which."""
    for model in available:
        if (model.provider, model.id) == (provider, name) or f"{model.provider}/{model.id}" == name:
            return model
    others = [model for model in available if model.id == name]
    return others[0] if len(others) == 1 else None


def _unknown(name: str, names: Iterable[str]) -> str:
    known = list(names)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    shown = f"near it: {', '.join(near)}" if near else f"there are: {', '.join(known[:_NAMES_SHOWN])}"
    return f"there is no model {redact(name[:100])}; {shown}" + (" …" if not near and len(known) > _NAMES_SHOWN else "")


def _info(model: answers.Model, mine: str) -> ModelInfo:
    name = model.id if model.provider == mine else f"{model.provider}/{model.id}"
    return ModelInfo(id=name, images="image" in model.input)
