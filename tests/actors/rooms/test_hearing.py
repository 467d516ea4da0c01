"""Messages as facts; what follows from each is `test_turns`'."""

import pytest

from actors.messages import AgentLost, AgentWaits, Wake
from actors.rooms.hearing import hear
from actors.rooms.line import BurstQuiet
from actors.rooms.steps import Begin
from tests.actors.rooms.playbook import greeting, pull, ready, room, running
from tests.actors.rooms.rows import message, work


def test_a_message_of_the_agent_is_a_fact() -> None:
    turns = room()
    pull(turns, work(message(1)))
    assert hear(turns, AgentLost(incarnation=1, what="pi ended")) == []
    (begin,) = hear(turns, greeting(1, "leaf1"))
    assert isinstance(begin, Begin)


def test_a_wait_for_sub_agents_is_a_fact() -> None:
    turns = running()
    assert hear(turns, AgentWaits(turn="t1", incarnation=1, waits=True)) == []
    assert turns.delegating


def test_a_timer_is_a_fact() -> None:
    turns = ready()
    pull(turns, work(message(1, burst="album")))
    assert [type(step) for step in hear(turns, BurstQuiet(newest=1))] == [Begin]


def test_what_is_no_fact_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="Wake"):
        hear(room(), Wake())
