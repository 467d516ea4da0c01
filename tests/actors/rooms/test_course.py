"""Where a room is, as people are told it; what follows from where it is has its cases in `test_turns`."""

import pytest

from actors.messages import AgentWaits
from actors.rooms.steps import Phase
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import beginning, greet, pull, ready, recalling, room, running, settle, stopping
from tests.actors.rooms.rows import command, message, question, work
from tests.actors.rooms.rows import turn as turn_row


def state(turns: Turns) -> str:
    return turns.state.value


def test_the_phases_have_one_name_each() -> None:
    assert state(room()) == Phase.STARTING
    assert state(ready()) == Phase.IDLE
    assert state(beginning()) == Phase.BEGINNING
    assert state(recalling()) == Phase.RECALLING
    assert state(running()) == Phase.RUNNING
    assert state(stopping()) == Phase.STOPPING


def test_an_agent_that_waits_for_a_person_has_a_name_of_its_own() -> None:
    turns = running()
    turns.questions.opened(question(7))
    assert state(turns) == Phase.WAITING
    assert turns.phase is Phase.RUNNING
    settle(turns, 1, "t1", "hello")
    assert state(turns) == Phase.ENDING


def test_an_agent_that_waits_for_sub_agents_has_one_too_until_it_goes_on_or_ends() -> None:
    turns = running()
    assert turns.waits(AgentWaits(turn="t1", incarnation=1, waits=True)) == []
    assert (state(turns), turns.delegating) == (Phase.DELEGATING, True)
    turns.questions.opened(question(7))
    assert state(turns) == Phase.WAITING  # a person can do something about that
    turns.questions.open.clear()
    turns.waits(AgentWaits(turn="t1", incarnation=1, waits=False))
    assert (state(turns), turns.delegating) == (Phase.RUNNING, False)
    turns.waits(AgentWaits(turn="t1", incarnation=1, waits=True))
    settle(turns, 1, "t1", "hello")
    assert state(turns) == Phase.ENDING
    pull(turns, work(message(2)))
    assert not turns.delegating


def test_a_wait_for_sub_agents_ends_with_the_agent() -> None:
    turns = running()
    turns.waits(AgentWaits(turn="t1", incarnation=1, waits=True))
    turns.agent_down(1, "boom")
    assert (state(turns), turns.delegating) == (Phase.STARTING, False)


@pytest.mark.parametrize(("turn", "incarnation"), [("t0", 1), ("t1", 2)])
def test_a_wait_of_another_turn_or_agent_is_ignored(turn: str, incarnation: int) -> None:
    turns = running()
    turns.waits(AgentWaits(turn=turn, incarnation=incarnation, waits=True))
    assert not turns.delegating


def test_a_turn_that_is_to_stop_is_stopping_whatever_it_waits_for() -> None:
    turns = running()
    turns.waits(AgentWaits(turn="t1", incarnation=1, waits=True))
    pull(turns, work(turn=turn_row(1), commands=(command(2, "stop"),)))
    assert state(turns) == Phase.STOPPING


def test_an_agent_that_cannot_start_has_failed_until_it_can() -> None:
    turns = room()
    pull(turns, work(message(1)))
    turns.agent_down(1, "shutdown")
    assert state(turns) == Phase.STARTING
    turns.agent_down(2, "boom")
    assert state(turns) == Phase.FAILED
    greet(turns, 3, "leaf1")
    assert state(turns) == Phase.BEGINNING


def test_an_agent_that_ran_and_died_is_started_again() -> None:
    turns = running()
    turns.agent_down(1, "boom")
    assert state(turns) == Phase.STARTING


def test_a_room_that_gave_up_has_failed_until_its_agent_is_ready() -> None:
    turns = Turns(failed=True)
    pull(turns, work(message(1)))
    assert state(turns) == Phase.FAILED
    greet(turns, 1, "leaf1")
    assert state(turns) == Phase.BEGINNING
