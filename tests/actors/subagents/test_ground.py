"""The ground of a sub-agent is a handful of functions; those who make and use it have the rest."""

from actors.subagents.ground import Ground, Made, Unmade
from tests.actors.subagents.household import Site


def test_what_was_made_names_what_was_left_out() -> None:
    assert Made("scratch") == Made("scratch", ())
    assert str(Unmade("no space is left")) == "no space is left"


def test_a_test_can_stand_for_it() -> None:
    ground = Site().ground()
    assert isinstance(ground, Ground)
    assert ground.home("a") == "/state/a/work"
