"""What an agent's word is worth."""

import pytest

from actors.messages import AgentReady, Entry, ModelInfo
from actors.subagents.checks import heard_calls, model_trouble
from tests.actors.subagents.household import called, result, said, user


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


def test_calls_whose_results_are_in_the_session_were_heard() -> None:
    entries = [user(), called("c1"), result("c1", "its report"), called("c2"), said("so"), result("c3", "Operation")]
    assert heard_calls(entries) == ("c1", "c3")


@pytest.mark.parametrize(
    "text", ["Operation aborted", "half\nCommand aborted\n", "The host did not answer; nothing was done."]
)
def test_a_result_that_says_that_the_call_was_cut_off_is_none(text: str) -> None:
    assert heard_calls([result("c1", text)]) == ()


def test_a_result_that_speaks_of_such_a_thing_is_one() -> None:
    assert heard_calls([result("c1", "Operation aborted, it says, and then goes on")]) == ("c1",)
    assert heard_calls([Entry(id="e", role="assistant", text="x", call="c1")]) == ()
