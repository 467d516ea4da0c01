"""Whether an agent uses the model that was asked for."""

import pytest

from actors.messages import AgentReady, ModelInfo
from actors.subagents.checks import model_trouble


def ready(used: str | None, *offered: str) -> AgentReady:
    models = tuple(ModelInfo(id=each) for each in offered)
    return AgentReady(
        incarnation=1,
        session_id="s",
        leaf=None,
        model=None if used is None else ModelInfo(id=used),
        models=models,
    )


@pytest.mark.parametrize(
    ("wanted", "used"),
    [(None, "small"), (None, None), ("small", "small"), ("other/small", "other/small"), ("small", "other/small"),
     ("mine/small", "small"), ("mine/a/small", "a/small")],
)  # fmt: skip
def test_the_model_that_was_asked_for_is_used(wanted: str | None, used: str | None) -> None:
    assert model_trouble(wanted, ready(used, "small", "other/small")) is None


@pytest.mark.parametrize(
    ("wanted", "used", "trouble"),
    [
        ("smal", "large", "There is no model smal; there are: small."),
        ("x", "large", "There is no model x; there are: large, small, other/tiny."),
        ("small", "large", "The model small could not be used."),
        ("all", "small", "There is no model all; there are: small."),
        ("small", None, "The model small could not be used."),
    ],
)
def test_another_model_is_trouble(wanted: str, used: str | None, trouble: str) -> None:
    assert model_trouble(wanted, ready(used, "large", "small", "other/tiny")) == trouble


def test_a_long_name_is_cut() -> None:
    trouble = model_trouble("x" * 5000, ready("small"))
    assert trouble is not None
    assert len(trouble) < 200
