"""Commands that have to wait for something, or that need the agent."""

import msgspec
import pytest

from actors.messages import Binding, Compacted, ModelInfo, ModelSet, RoomSettings, SessionInfo
from actors.rooms.steps import Answer, Known, Phase, RestartAgent, SendAbort, SendCompact, SendModel, Step
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import BEGIN, NOW, pull, ready, room, running, settle, texts
from tests.actors.rooms.rows import ROOM, command, message, turn, work

OLD = SessionInfo(id="shop-0ld", began_at=1.0, used_at=2.0, turns=3, first="hi")
CURRENT = SessionInfo(id="shop-1", began_at=3.0, used_at=4.0, turns=1, first="ho")
KNOWN = Known(NOW, sessions=(CURRENT, OLD))


def one(turns: Turns, text: str, *, busy: bool = False) -> list[Step]:
    """What follows from this command."""
    name = text.removeprefix("/").split()[0]
    return pull(turns, work(turn=turn(1) if busy else None, commands=(command(9, name, text),)), KNOWN)


def answer(steps: list[Step]) -> Answer:
    (found,) = [step for step in steps if isinstance(step, Answer)]
    return found


# --- sessions and projects


def test_a_session_is_taken_up_again() -> None:
    assert answer(one(ready(), "/resume 0ld")).session == OLD.id


def test_what_runs_is_stopped_before_another_session_goes_on() -> None:
    turns = running()
    assert one(turns, "/resume shop-0ld", busy=True) == [SendAbort("t1")]
    settle(turns, 1, "t1", "", "aborted")
    assert answer(one(turns, "/resume shop-0ld")).session == OLD.id


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/resume", "shop\\-0ld"),
        ("/resume nope", "no session"),
        ("/resume shop-1", "in use"),
        ("/resume shop", "no session"),
        ("/topic", "door"),
        ("/topic cellar", "door"),
    ],
)
def test_what_cannot_be_taken_up_stops_nothing(text: str, words: str) -> None:
    turns = running()
    found = answer(one(turns, text, busy=True))
    assert words.replace("\\", "") in found.deliveries[0].text
    assert (found.session, found.binding) == (None, None)
    assert turns.phase is Phase.RUNNING


def test_a_room_is_bound_to_a_project() -> None:
    bound = answer(one(ready(), "/topic till"))
    assert (bound.binding, bound.fresh) == (Binding(project="till", workspace="/src/till"), True)


def test_words_behind_a_command_that_takes_none_are_not_lost_in_silence() -> None:
    found = answer(one(ready(), "/new and fix the door"))
    assert found.fresh
    assert "not sent on" in found.deliveries[-1].text


# --- compaction


def compacted(error: str = "", incarnation: int = 1) -> Compacted:
    return Compacted(incarnation=incarnation, error=error, before=90_000, after=9_000, leaf="leaf9")


def test_a_session_is_summarised_while_nothing_else_is_done() -> None:
    turns = ready()
    rows = work(message(10), commands=(command(9, "compact", "/compact keep the names"),))
    (compact, _busy) = pull(turns, rows)
    assert compact == SendCompact("keep the names")
    assert turns.phase is Phase.COMPACTING
    assert pull(turns, rows) == []
    told, *following = turns.compacted(compacted())
    assert "90 k" in texts([told])[0]
    assert BEGIN._replace(turn="t10", inbounds=(10,), leaf="leaf9") in following


def test_it_waits_for_the_turn_to_end() -> None:
    turns = running()
    assert one(turns, "/compact", busy=True) == []
    settle(turns, 1, "t1", "hello")
    assert one(turns, "/compact") == [SendCompact("")]


@pytest.mark.parametrize(("name", "answered"), [("stop", "given up"), ("new", "")])
def test_what_stops_a_turn_stops_a_summary_too(name: str, answered: str) -> None:
    turns = ready()
    compact = command(8, "compact")
    pull(turns, work(commands=(compact,)))
    rows = work(commands=(compact, command(9, name)))
    steps = pull(turns, rows)
    assert [step for step in steps if not isinstance(step, Answer)] == [RestartAgent()]
    assert answered in "".join(texts(steps))
    assert pull(turns, rows) == []
    over = turns.agent_down(1, "restarted")
    assert "not summarised" in texts(over)[0]
    assert turns.phase is Phase.IDLE
    assert any(isinstance(step, Answer) and step.fresh for step in over) == (name == "new")


def test_a_wish_that_cannot_be_leaves_the_summary_alone() -> None:
    turns = ready()
    one(turns, "/compact")
    assert not [step for step in one(turns, "/resume nope") if isinstance(step, RestartAgent)]


def test_settings_that_are_made_at_once_are_all_kept() -> None:
    rows = (command(8, "verbose", "/verbose 2"), command(9, "mute"))
    made = [step.settings for step in pull(ready(), work(commands=rows)) if isinstance(step, Answer)]
    assert made[-1] == RoomSettings(verbose=2, muted=True)


def test_why_it_was_not_summarised_is_said() -> None:
    turns = ready()
    one(turns, "/compact")
    assert "too short" in texts(turns.compacted(compacted("too short")))[0]
    assert turns.compacted(compacted()) == []


def test_an_agent_that_dies_of_it_is_not_asked_again() -> None:
    turns = ready()
    one(turns, "/compact")
    assert "has ended" in texts(turns.agent_down(1, "boom"))[0]
    assert turns.phase is Phase.IDLE


# --- models


def model_set(model: str | None, thinking: str = "low", error: str = "") -> ModelSet:
    return ModelSet(
        incarnation=1, model=None if model is None else ModelInfo(id=model, images=True), thinking=thinking, error=error
    )


def test_a_model_is_set_by_the_agent_and_kept() -> None:
    turns = ready()
    assert one(turns, "/model large") == [SendModel("ant/large", None)]
    found = answer(turns.model_set(model_set("ant/large")))
    assert found.settings == RoomSettings(model="ant/large")
    assert turns.ready is not None
    assert turns.ready.model == ModelInfo(id="ant/large", images=True)


def test_thinking_is_set_by_the_agent_and_kept() -> None:
    turns = running()
    assert one(turns, "/think high", busy=True) == [SendModel(None, "high")]
    assert answer(turns.model_set(model_set("ant/small", "high"))).settings == RoomSettings(thinking="high")


def test_a_model_that_cannot_be_is_not_kept() -> None:
    turns = ready()
    assert one(turns, "/model huge") == [SendModel("huge", None)]
    found = answer(turns.model_set(model_set(None, error="no such model")))
    assert found.settings is None
    assert "no such model" in found.deliveries[0].text


def test_one_after_the_other() -> None:
    turns = ready()
    rows = (command(8, "model", "/model large"), command(9, "think", "/think max"))
    assert pull(turns, work(commands=rows)) == [SendModel("ant/large", None)]
    turns.model_set(model_set("ant/large"))
    assert pull(turns, work(commands=rows[1:])) == [SendModel(None, "max")]


@pytest.mark.parametrize(
    ("text", "words", "buttons"), [("/model", "ant/small", 1), ("/think", "low", 7), ("/think hard", "minimal", 0)]
)
def test_what_can_be_chosen_is_shown(text: str, words: str, buttons: int) -> None:
    (told,) = answer(one(ready(), text)).deliveries
    assert words in told.text
    assert len(told.buttons) == buttons


def test_an_agent_that_its_model_keeps_from_starting_starts_with_the_next_one() -> None:
    turns = room()
    assert one(turns, "/model ant/large") == []
    (found,) = turns.agent_down(1, "no such model")
    assert isinstance(found, Answer)
    assert found.settings == RoomSettings(model="ant/large")


def test_what_a_dead_agent_was_to_set_is_set_by_the_next() -> None:
    turns = ready()
    one(turns, "/model large")
    (found,) = turns.agent_down(1, "boom")
    assert answer([found]).settings == msgspec.structs.replace(ROOM.settings, model="large")
