"""Commands that have to wait for something, or that need the agent."""

import msgspec
import pytest

from actors.messages import Binding, Compacted, ModelInfo, ModelSet, Queued, RoomSettings, SessionInfo
from actors.rooms import words
from actors.rooms.line import LOOK_EVERY
from actors.rooms.steps import (
    Answer,
    End,
    Known,
    LookAgain,
    PassOn,
    Phase,
    RestartAgent,
    SendAbort,
    SendCompact,
    SendModel,
    ShowTurn,
    Step,
)
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import BEGIN, NOW, pull, ready, room, running, settle, stopping, texts
from tests.actors.rooms.rows import ROOM, command, late, made, message, subagent, turn, work

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


# --- what a stop holds

HELD = (message(2), message(3))


def decide(*commands: Queued, held: tuple[Queued, ...] = HELD) -> list[Answer]:
    return [step for step in pull(ready(), work(commands=commands, held=held)) if isinstance(step, Answer)]


@pytest.mark.parametrize("name", ["stop", "new"])
def test_what_stops_a_room_says_what_is_held(name: str) -> None:
    (found,) = decide(command(9, name))
    (told,) = found.deliveries
    assert told.text.endswith(words.held(2))
    assert told.key == "held:9"
    assert [button.argument for row in told.buttons for button in row] == ["held:9", "held:9"]


def test_a_stop_that_saw_the_end_says_it_if_that_end_did_not() -> None:
    (found,) = decide(late(9, "stop"))
    assert texts([found]) == [f"Stopped. {words.held(2)}"]
    turns = stopping()
    settle(turns, 1, "t1", "", "aborted")
    (found,) = [
        step for step in pull(turns, work(commands=(late(2, "stop"),), held=(message(1),))) if isinstance(step, Answer)
    ]
    assert texts([found]) == [f"Stopped. {words.held(1)}"]  # it was held while the turn ended


@pytest.mark.parametrize(
    ("name", "held", "said"), [("run_held", "run", "go on now"), ("drop_held", "drop", "Dropped: 2")]
)
def test_the_word_about_what_is_held_says_what_was_decided(name: str, held: str, said: str) -> None:
    (found,) = decide(command(9, name, f"/{name} held:t1"))
    assert found.held == held
    assert said in found.deliveries[0].text
    assert (found.deliveries[0].key, found.deliveries[0].buttons) == ("held:t1", ())
    assert found.receipts == ((102, 103) if held == "drop" else ())


def test_without_a_key_it_is_an_answer_of_its_own() -> None:
    for argument in ("", "busy:2"):
        (found,) = decide(command(9, "run_held", f"/run_held {argument}".strip()))
        assert (found.deliveries[0].key, found.deliveries[0].reply_to) == (None, 109)


def test_what_is_held_no_more_is_not_decided_again() -> None:
    (found,) = decide(command(9, "drop_held", "/drop_held held:t1"), held=())
    assert (found.held, found.receipts) == (None, ())
    assert "Nothing is held" in found.deliveries[0].text


@pytest.mark.parametrize("text", ["/resume 0ld", "/topic till"])
def test_another_session_holds_what_waits_before_it_and_nothing_else(text: str) -> None:
    turns = ready()
    rows = work(message(3), message(10), commands=(command(9, text[1:].partition(" ")[0], text),), held=(message(2),))
    (found,) = pull(turns, rows, KNOWN)
    assert isinstance(found, Answer)
    assert found.held == "hold"
    (told,) = found.deliveries
    assert (told.text.endswith(words.held(2)), told.key) == (True, "held:9")
    after = pull(turns, work(message(10), held=(message(2), message(3))))
    assert ShowTurn("t10", None) in after


@pytest.mark.parametrize(
    ("name", "said"), [("stop", []), ("new", ["A new session"]), ("resume", ["The session"]), ("topic", ["This room"])]
)
def test_what_the_turns_end_said_of_what_is_held_is_not_said_again(name: str, said: list[str]) -> None:
    argument = {"resume": " 0ld", "topic": " till"}.get(name, "")
    stop = command(9, name, f"/{name}{argument}")
    turns = running()
    pull(turns, work(turn=turn(1), commands=(stop,), held=(message(2),)), KNOWN)
    (end,) = settle(turns, 1, "t1", "", "aborted")
    assert isinstance(end, End)
    assert [(told.text, told.key) for told in end.deliveries] == [(f"Stopped. {words.held(1)}", "held:9")]
    seen = msgspec.structs.replace(stop, saw_end=True)
    told = texts(pull(turns, work(commands=(seen,), held=(message(2),)), KNOWN))
    assert [each.startswith(begun) for each, begun in zip(told, said, strict=True)] == [True] * len(said)
    assert not [each for each in told if words.held(1) in each]


@pytest.mark.parametrize("name", ["stop", "new"])
def test_whoever_does_not_know_that_it_was_said_says_it_under_the_same_key(name: str) -> None:
    turns = ready()
    (found,) = pull(turns, work(commands=(late(9, name),), held=(message(2),)))
    assert isinstance(found, Answer)
    (told,) = found.deliveries
    assert (told.text.endswith(words.held(1)), told.key) == (True, "held:9")


def test_of_two_words_the_first_counts() -> None:
    first, second = decide(command(8, "run_held"), command(9, "drop_held"))
    assert (first.held, second) == ("run", Answer(command(9, "drop_held")))


def test_a_later_stop_takes_the_word_back() -> None:
    run, stop = decide(command(8, "run_held"), command(9, "stop"))
    assert run == Answer(command(8, "run_held"))
    assert stop.deliveries[0].text.endswith(words.held(2))


def test_one_of_those_that_are_held_is_dropped_by_the_button_of_its_note() -> None:
    (found,) = decide(command(9, "drop_it", "/drop_it 3"))
    assert (found.drop, found.receipts) == (3, (103,))


def test_nothing_begins_until_that_is_committed_whatever_else_is_answered_first() -> None:
    turns = ready()
    run = command(9, "run_held")
    assert [type(step) for step in pull(turns, work(commands=(command(8, "status"), run), held=HELD))] == [Answer] * 2
    assert pull(turns, work(message(10), commands=(run,), held=HELD)) == []  # it came while the first was answered
    assert BEGIN._replace(turn="t2", inbounds=(2,)) in pull(turns, work(*HELD, message(10)))


def test_what_is_held_begins_before_what_came_later() -> None:
    turns = ready()
    rows = work(message(5), commands=(command(9, "run_held"),), held=HELD)
    assert [type(step) for step in pull(turns, rows)] == [Answer]
    assert BEGIN._replace(turn="t2", inbounds=(2,)) in pull(turns, work(*HELD, message(5)))


# --- sub-agents

APPLY = command(9, "apply", "/apply shop-2")
MADE = Known(NOW, subagents=(made(),))


def test_a_decision_is_passed_on_once_and_waits_for_its_answer() -> None:
    turns = ready()
    waiting = work(commands=(APPLY,))
    assert pull(turns, waiting, MADE) == [PassOn(APPLY, "shop-2", "apply"), LookAgain(LOOK_EVERY)]
    assert not turns.idle
    assert pull(turns, waiting, MADE) == [LookAgain(LOOK_EVERY)]
    assert turns.agent_down(1, "boom") == []  # a fact that is no pull looks no sooner
    assert pull(turns, work(), MADE) == []
    assert turns.idle


def test_a_new_conversation_passes_it_on_again() -> None:
    for _ in range(2):
        assert pull(room(), work(commands=(APPLY,)), MADE)[0] == PassOn(APPLY, "shop-2", "apply")


def test_what_waits_for_the_registrar_holds_nothing_else_up() -> None:
    turns = ready()
    pull(turns, work(commands=(APPLY,)), MADE)
    found = pull(turns, work(message(10), commands=(APPLY, command(11, "usage"))), MADE)
    assert [type(step) for step in found] == [Answer, LookAgain, ShowTurn, type(BEGIN)]


@pytest.mark.parametrize("text", ["/new", "/topic till"])
def test_a_new_session_says_that_sub_agents_go_on(text: str) -> None:
    known = Known(NOW, subagents=(subagent(),))
    name = text.removeprefix("/").split()[0]
    (told, *_) = texts(pull(ready(), work(commands=(command(9, name, text),)), known))
    assert told.endswith("1 sub-agent goes on, and its report comes here: /agents shows it.")
    (told, *_) = texts(pull(ready(), work(commands=(command(9, name, text),)), Known(NOW)))
    assert told.endswith("goes back to it.")


def test_a_stop_says_that_sub_agents_go_on() -> None:
    known = Known(NOW, subagents=(subagent("a"), subagent("b")))
    (told,) = texts(pull(ready(), work(commands=(command(9, "stop"),)), known))
    assert told.startswith("Nothing is running. 2 sub-agents go on")
    turns = stopping()
    settle(turns, 1, "t1", "", "aborted")
    (told,) = texts(pull(turns, work(commands=(late(2, "stop"),)), known))
    assert told.startswith("2 sub-agents go on")
    turns = stopping()
    settle(turns, 1, "t1", "", "aborted")
    assert texts(pull(turns, work(commands=(late(2, "stop"),)), Known(NOW))) == []
