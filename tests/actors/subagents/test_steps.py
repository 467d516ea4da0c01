"""Steps are plain data; the tests of those who make and carry them out have the rest."""

from typing import get_args

from actors.subagents import steps


def test_each_step_that_there_is_can_be_wanted() -> None:
    made = {each for each in vars(steps).values() if isinstance(each, type) and each.__module__ == steps.__name__}
    assert made - {steps.Phase} == set(get_args(steps.Step))
    assert {each.__name__ for each in made} | {"Step"} == set(steps.__all__)
