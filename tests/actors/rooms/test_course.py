"""Where a room is, as people are told it; what follows from where it is has its cases in `test_turns`."""

from actors.rooms.steps import Phase
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import beginning, greet, pull, ready, recalling, room, running, settle, stopping
from tests.actors.rooms.rows import message, question, work


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
