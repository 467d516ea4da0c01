"""The conversation's state machine, as a playbook: facts in, commands out."""

import pytest

from actors.messages import AgentLost, Entry, Outcome, Recalled, Turn
from actors.resume import RESUME_NOTE, delegated
from actors.rooms import words
from actors.rooms.course import AGAIN
from actors.rooms.ends import TOO_LONG
from actors.rooms.fates import MOST_ATTEMPTS
from actors.rooms.steps import (
    Answer,
    Begin,
    End,
    NoteBusy,
    Phase,
    SendAbort,
    SendContinue,
    SendRecall,
    ShowTurn,
    Step,
    TellPeople,
)
from actors.rooms.trouble import SERVICE_ENDED
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import (
    BEGIN,
    CRASHED,
    SHOWN,
    STOPPED,
    beginning,
    crashed,
    done,
    end,
    greet,
    prompt,
    pull,
    ready,
    recall,
    recalling,
    refuse,
    resumed,
    room,
    running,
    set_aside,
    settle,
    stopping,
    texts,
)
from tests.actors.rooms.rows import asked, command, late, message, said, turn, work

# --- one message


def test_a_message_is_begun_then_prompted_then_answered() -> None:
    turns = running()
    assert turns.phase is Phase.RUNNING
    assert settle(turns, 1, "t1", "hello", "stop", "", "leaf2") == [done()]
    assert pull(turns, work(leaf="leaf2")) == []
    assert turns.idle


def test_it_waits_for_an_agent_that_is_not_ready_and_shows_that() -> None:
    turns = room()
    assert pull(turns, work(message(1))) == [SHOWN]
    assert pull(turns, work(message(1))) == []
    assert not turns.idle
    assert greet(turns, 1, "leaf1") == [BEGIN]


def test_two_messages_are_two_turns_in_order() -> None:
    turns = ready()
    assert pull(turns, work(message(1), message(2))) == [SHOWN, BEGIN]
    turns.began(turn(1))
    assert turns.waiting == 1
    assert settle(turns, 1, "t1", "hello", "stop", "", "leaf2") == [done()]
    begun = TellPeople((words.begun(message(2)),))
    assert pull(turns, work(message(2))) == [ShowTurn("t2", None), begun, Begin("t2", 1, (2,), "leaf2")]
    assert turns.began(turn(2)) == [prompt(2)]


def test_a_message_that_comes_while_one_runs_waits() -> None:
    turns = running()
    assert pull(turns, work(message(2), turn=turn(1))) == [NoteBusy(message(2), 1)]
    assert turns.waiting == 1


@pytest.mark.parametrize("make", [ready, beginning, running, recalling, stopping])
def test_pulling_twice_is_harmless(make: type[Turns]) -> None:
    turns = make()
    open_turn = turns.turn
    rows = (
        work(message(1)) if turns.phase is Phase.BEGINNING
        else work(turn=open_turn, commands=(command(2, "stop"),) if turns.phase is Phase.STOPPING else ())
    )  # fmt: skip
    phase = turns.phase
    assert pull(turns, rows) == []
    assert pull(turns, rows) == []
    assert turns.phase is phase


def test_a_pull_between_an_end_and_its_commit_begins_nothing() -> None:
    turns = running()
    settle(turns, 1, "t1", "hello", "stop", "", "leaf2")
    assert pull(turns, work(message(2), turn=turn(1))) == []
    assert pull(turns, work(message(2))) == [ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf2")]


# --- how a run ends


@pytest.mark.parametrize(
    ("text", "stop_reason", "error", "ended"),
    [
        ("hello", "stop", "", done()),
        ("", "stop", "", end(Outcome.DONE, "The agent ended its turn without a word.", leaf="leaf2", kinds="n")),
        (
            "hel",
            "length",
            "",
            end(
                Outcome.DONE,
                "hel",
                "The answer ends here because it reached the model's length limit.",
                answer="hel",
                leaf="leaf2",
                kinds="an",
            ),
        ),
        (
            "",
            "error",
            "401 bad key",
            end(Outcome.FAILED, "The model could not answer: 401 bad key", leaf="leaf2", kinds="r"),
        ),
        (
            "",
            "odd",
            "",
            end(Outcome.FAILED, "The model could not answer: it stopped with 'odd'", leaf="leaf2", kinds="r"),
        ),
        (
            "par",
            "aborted",
            "",
            end(
                Outcome.FAILED,
                "par",
                "The run was ended before it finished.",
                answer="par",
                leaf="leaf2",
                kinds="ar",
            ),
        ),
    ],
)
def test_how_a_run_ends(text: str, stop_reason: str, error: str, ended: End) -> None:
    assert settle(running(), 1, "t1", text, stop_reason, error, "leaf2") == [ended]


def test_a_prompt_that_is_refused_fails_and_the_session_stands_where_it_stood() -> None:
    turns = running()
    assert refuse(turns, 1, "t1", "no") == [
        end(Outcome.FAILED, "The agent did not take the message: no", kinds="r", told=True)
    ]


def test_a_turn_that_takes_too_long_is_aborted_and_fails() -> None:
    turns = running()
    assert turns.too_long("t1") == [SendAbort("t1")]
    assert turns.too_long("t1") == []
    assert settle(turns, 1, "t1", "par", "aborted", "", "leaf2") == [
        end(Outcome.FAILED, "par", TOO_LONG, answer="par", leaf="leaf2", kinds="ar")
    ]


def test_too_long_but_finished_in_the_meantime_is_done() -> None:
    turns = running()
    turns.too_long("t1")
    assert settle(turns, 1, "t1", "hello", "stop", "", "leaf2") == [done()]


def test_too_long_and_deaf_to_the_abort_fails_and_is_not_resumed() -> None:
    turns = running()
    turns.too_long("t1")
    assert turns.agent_down(1, "boom") == [end(Outcome.FAILED, TOO_LONG, kinds="r")]


def test_an_agent_that_does_not_answer_a_recall_fails_the_turn() -> None:
    assert recalling().too_long("t1") == [end(Outcome.FAILED, TOO_LONG, kinds="r")]


def test_a_too_long_turn_does_not_make_the_next_one_too_long() -> None:
    turns = running()
    turns.too_long("t1")
    settle(turns, 1, "t1", "", "aborted", "", "leaf2")
    pull(turns, work(message(2)))
    turns.began(turn(2))
    assert turns.agent_down(1, "boom") == [ShowTurn("t2", AGAIN)]


# --- what is late, or meant for another


@pytest.mark.parametrize("make", [ready, beginning, running, stopping])
def test_what_is_said_of_another_turn_is_ignored(make: type[Turns]) -> None:
    turns = make()
    phase = turns.phase
    assert settle(turns, 1, "t0", "old", "stop", "", "x") == []
    assert refuse(turns, 1, "t0", "old") == []
    assert recall(turns, 1, "t0", (), None) == []
    assert turns.too_long("t0") == []
    assert turns.phase is phase


def test_what_an_agent_says_of_the_turn_after_it_is_gone_is_ignored() -> None:
    turns = running()
    turns.agent_down(1, "boom")
    assert settle(turns, 1, "t1", "hello", "stop", "", "leaf2") == []
    greet(turns, 2, "leaf2")
    turns.began(turn(1, 2))
    recall(turns, 2, "t1", (), "leaf2")
    assert settle(turns, 1, "t1", "hello", "stop", "", "leaf2") == []
    assert turns.phase is Phase.RUNNING


def test_a_greeting_that_its_speakers_end_has_overtaken_is_ignored() -> None:
    turns = room()
    pull(turns, work(turn=turn(1)))
    assert turns.agent_down(1, "boom") == [ShowTurn("t1", f"boom; {AGAIN}")]
    assert greet(turns, 1, "leaf1") == []
    assert greet(turns, 2, "leaf1") == [Begin("t1", 2, (1,), "leaf0")]


def test_a_greeting_of_the_next_agent_says_that_the_last_is_gone() -> None:
    turns = recalling()
    assert greet(turns, 3, "leaf1") == [
        CRASHED,
        Begin("t1", 3, (1,), "leaf0"),
    ]


def test_a_second_commit_1b_is_ignored() -> None:
    turns = running()
    assert turns.began(turn(1)) == []


# --- crashes of the agent


def test_a_crash_while_it_begins_starts_over_when_the_next_agent_is_ready() -> None:
    turns = beginning()
    assert turns.agent_down(1, "boom") == []
    assert turns.began(turn(1)) == []
    assert greet(turns, 2, "leaf1") == [Begin("t1", 2, (1,), "leaf0")]


@pytest.mark.parametrize(
    ("entries", "commands"),
    [
        ((), [resumed(again=True), prompt(1)]),
        ((asked(),), [resumed(), SendContinue("t1", RESUME_NOTE)]),
        ((asked(), said("hello")), [done()]),
    ],
)
def test_a_crash_while_it_runs_is_decided_from_the_session(entries: tuple[Entry, ...], commands: list[Step]) -> None:
    turns = running()
    assert turns.agent_down(1, "boom") == [CRASHED]
    assert greet(turns, 2, "leaf2") == [Begin("t1", 2, (1,), "leaf1")]
    assert turns.began(turn(1, 2, leaf_before="leaf1")) == [SendRecall("t1", "leaf1")]
    assert recall(turns, 2, "t1", entries, "leaf2") == commands


def test_a_run_that_goes_on_hears_which_sub_agents_it_is_still_to_hear_of() -> None:
    turns = recalling()
    event = Recalled(turn="t1", incarnation=2, entries=(asked(),), leaf="leaf1")
    assert turns.awaits(event)
    note = delegated(RESUME_NOTE, ("a", "b"))
    assert turns.recalled(event, ("a", "b")) == [resumed(SERVICE_ENDED), SendContinue("t1", note)]
    assert not turns.awaits(event)


@pytest.mark.parametrize(("turn", "incarnation"), [("t0", 2), ("t1", 1)])
def test_what_is_recalled_of_another_turn_or_by_another_agent_is_not_awaited(turn: str, incarnation: int) -> None:
    assert not recalling().awaits(Recalled(turn=turn, incarnation=incarnation, entries=(), leaf=None))


@pytest.mark.parametrize("again", [False, True])
def test_what_was_answered_before_a_steer_and_a_crash_stands_in_the_final(again: bool) -> None:
    turns = recalling()
    before = (asked(), said("one"), asked("and"))
    assert recall(turns, 2, "t1", before, "leaf1") == [resumed(SERVICE_ENDED), SendContinue("t1", RESUME_NOTE)]
    if again:
        turns.agent_down(2, "boom")
        greet(turns, 3, "leaf1")
        turns.began(turn(1, 3))
        recall(turns, 3, "t1", before, "leaf1")
    ended = crashed(done("one\n\ntwo"), *(("boom", 2) if again else (SERVICE_ENDED, 1)))
    assert settle(turns, 3 if again else 2, "t1", "two") == [ended]


def test_a_crash_while_it_recalls_is_one_more_attempt() -> None:
    turns = recalling()
    assert turns.agent_down(2, "boom") == [CRASHED]
    assert recall(turns, 2, "t1", (), "leaf1") == []
    assert greet(turns, 3, "leaf1") == [Begin("t1", 3, (1,), "leaf0")]


def test_a_crash_while_it_stops_needs_no_agent_any_more() -> None:
    turns = stopping()
    assert turns.agent_down(1, "boom") == [STOPPED]
    assert pull(turns, work(commands=(late(2, "stop"),))) == [Answer(late(2, "stop"), ())]


def test_whoever_waits_for_an_agent_that_does_not_come_up_sees_why() -> None:
    turns = room()
    assert pull(turns, work(message(1))) == [ShowTurn("t1", None)]
    turns.agent_lost(AgentLost(incarnation=1, what="pi did not answer after its start within 30 s."))
    shown = ShowTurn("t1", f"pi did not answer after its start within 30 s; {AGAIN}")
    assert turns.agent_down(1, "boom") == [shown]
    assert turns.agent_down(2, "shutdown") == []


def test_a_crash_between_turns_changes_nothing() -> None:
    turns = ready()
    assert turns.agent_down(1, "boom") == []
    assert turns.idle


def test_after_the_last_attempt_it_is_looked_at_once_more_and_set_aside() -> None:
    turns = recalling(MOST_ATTEMPTS)
    recall(turns, 2, "t1", (asked(),), "leaf1")
    turns.agent_down(2, "boom")
    assert greet(turns, 3, "leaf5") == [Begin("t1", MOST_ATTEMPTS + 1, (1,), "leaf0")]
    turns.began(turn(1, MOST_ATTEMPTS + 1))
    assert recall(turns, 3, "t1", (asked(),), "leaf5") == [
        crashed(set_aside("boom", leaf="leaf5", told=True), "boom", MOST_ATTEMPTS, well=False)
    ]
    assert pull(turns, work(message(2))) == [ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf5")]


def test_what_was_answered_of_a_message_that_is_set_aside_is_delivered_all_the_same() -> None:
    entries = (asked(), said("one"), asked("and"))
    assert recall(recalling(MOST_ATTEMPTS + 1), 2, "t1", entries, "leaf5") == [
        crashed(
            set_aside(SERVICE_ENDED, answer="one", leaf="leaf5", told=True), SERVICE_ENDED, MOST_ATTEMPTS, well=False
        )
    ]


def test_a_last_attempt_that_had_finished_is_delivered() -> None:
    ended = crashed(done(), SERVICE_ENDED, MOST_ATTEMPTS)
    assert recall(recalling(MOST_ATTEMPTS + 1), 2, "t1", (asked(), said("hello")), "leaf2") == [ended]


def test_an_agent_that_dies_of_the_last_look_is_not_asked_again() -> None:
    turns = recalling(MOST_ATTEMPTS + 1)
    assert turns.agent_down(2, "boom") == [CRASHED, crashed(set_aside("boom"), "boom", MOST_ATTEMPTS, well=False)]


# --- /stop


def test_stop_when_nothing_runs_says_so() -> None:
    (answer,) = pull(ready(), work(commands=(command(1, "stop"),)))
    assert isinstance(answer, Answer)
    assert [told.text for told in answer.deliveries] == ["Nothing is running."]


def test_stop_while_it_begins_ends_it_before_the_agent_hears_of_it() -> None:
    turns = beginning()
    assert pull(turns, work(message(1), commands=(command(2, "stop"),))) == []
    assert turns.began(turn(1)) == [STOPPED]


def test_stop_while_it_recalls_ends_it_at_once() -> None:
    turns = recalling()
    assert pull(turns, work(turn=turn(1, 2, stop=True))) == [STOPPED]
    assert recall(turns, 2, "t1", (), "leaf1") == []


def test_stop_while_it_runs_is_held_until_the_end_and_answered_quietly() -> None:
    turns = stopping()
    assert settle(turns, 1, "t1", "par", "aborted", "", "leaf2") == [
        end(Outcome.STOPPED, "par", "Stopped.", answer="par", leaf="leaf2", kinds="an")
    ]
    assert pull(turns, work(commands=(late(2, "stop"),))) == [Answer(late(2, "stop"), ())]
    assert pull(turns, work()) == []
    assert turns.idle


def test_stop_that_came_too_late_does_not_take_the_answer_away() -> None:
    assert settle(stopping(), 1, "t1", "hello", "stop", "", "leaf2") == [done()]


def test_stop_stops_one_turn_and_the_queue_goes_on() -> None:
    turns = running()
    pull(turns, work(message(2), turn=turn(1)))
    stop = command(3, "stop")
    assert pull(turns, work(message(2), turn=turn(1, stop=True), commands=(stop,))) == [SendAbort("t1")]
    settle(turns, 1, "t1", "", "aborted", "", "leaf2")
    stop = late(3, "stop")
    assert pull(turns, work(message(2), commands=(stop,))) == [
        Answer(stop, ()),
        ShowTurn("t2", None),
        TellPeople((words.begun(message(2)),)),
        Begin("t2", 1, (2,), "leaf2"),
    ]
    assert turns.began(turn(2)) == [prompt(2)]


@pytest.mark.parametrize("agent", [None, 1])
def test_stop_after_a_message_that_has_not_begun_holds_that_one(agent: int | None) -> None:
    turns = room()
    if agent is not None:
        pull(turns, work())
        greet(turns, agent, "leaf0")
    else:
        pull(turns, work(message(1)))
    (answer,) = pull(turns, work(commands=(command(2, "stop"),), held=(message(1),)))
    (told,) = texts([answer])
    assert told == f"Nothing is running. {words.held(1)}"
    assert pull(turns, work(held=(message(1),))) == []
    assert turns.idle


def test_stop_before_a_message_does_not_stop_it() -> None:
    turns = ready()
    stopped, shown, begin = pull(turns, work(message(2), commands=(command(1, "stop"),)))
    assert isinstance(stopped, Answer)
    assert stopped.deliveries
    assert (shown, begin) == (ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf1"))
    assert turns.began(turn(2)) == [prompt(2)]


def test_stop_that_comes_while_a_turn_ends_does_not_stop_the_next() -> None:
    turns = running()
    settle(turns, 1, "t1", "hello", "stop", "", "leaf2")
    stop = command(3, "stop")
    assert pull(turns, work(message(2), turn=turn(1, stop=True), commands=(stop,))) == []
    pull(turns, work(message(2), commands=(late(3, "stop"),)))
    assert turns.began(turn(2)) == [prompt(2)]


@pytest.mark.parametrize("name", ["stop", "new"])
def test_a_command_that_has_stopped_a_turn_stops_no_other_after_a_crash(name: str) -> None:
    turns = room()
    pull(turns, work(message(2), commands=(late(3, name),)))
    greet(turns, 1, "leaf0")
    assert turns.began(turn(2)) == [prompt(2)]


def test_two_stops_are_one() -> None:
    turns = stopping()
    stops = (command(2, "stop"), command(3, "stop"))
    assert pull(turns, work(turn=turn(1, stop=True), commands=stops)) == []
    settle(turns, 1, "t1", "", "aborted", "", "leaf2")
    stops = (late(2, "stop"), late(3, "stop"))
    assert pull(turns, work(commands=stops)) == [Answer(stops[0], ()), Answer(stops[1], ())]


# --- /new


def test_new_when_idle_begins_a_session_and_waits_for_its_agent() -> None:
    turns = ready()
    (answer,) = pull(turns, work(commands=(command(1, "new"),)))
    assert isinstance(answer, Answer)
    assert answer.fresh
    assert "`shop-1`" in answer.deliveries[0].text
    assert pull(turns, work(message(2), leaf=None)) == [ShowTurn("t2", None)]
    assert greet(turns, 1, None) == [Begin("t2", 1, (2,), None)]


def test_new_while_a_turn_runs_stops_it_first() -> None:
    turns = running()
    new = command(2, "new")
    assert pull(turns, work(turn=turn(1), commands=(new,))) == [SendAbort("t1")]
    settle(turns, 1, "t1", "", "aborted", "", "leaf2")
    (answer,) = pull(turns, work(commands=(new,)))
    assert isinstance(answer, Answer)
    assert answer.fresh


def test_what_waits_behind_new_belongs_to_the_new_session() -> None:
    turns = ready()
    answer, shown = pull(turns, work(message(2), commands=(command(1, "new"),)))
    assert isinstance(answer, Answer)
    assert shown == ShowTurn("t2", None)
    pull(turns, work(message(2), leaf=None))
    assert greet(turns, 1, None) == [Begin("t2", 1, (2,), None)]


def test_two_new_are_answered_one_after_the_other() -> None:
    turns = ready()
    first, second = command(1, "new"), command(2, "new")
    assert [step.command for step in pull(turns, work(commands=(first, second))) if isinstance(step, Answer)] == [first]
    assert [step.command for step in pull(turns, work(commands=(second,))) if isinstance(step, Answer)] == [second]


@pytest.mark.parametrize("name", ["new", "stop", "status", "help"])
def test_words_behind_a_command_are_not_lost_in_silence(name: str) -> None:
    (answer,) = pull(ready(), work(commands=(command(1, name, f"/{name} and fix the door"),)))
    assert isinstance(answer, Answer)
    assert "not sent on" in answer.deliveries[-1].text


# --- a new conversation on old rows


@pytest.mark.parametrize("attempt", range(1, MOST_ATTEMPTS + 1))
def test_after_a_crash_of_the_conversation_the_open_turn_is_tried_again(attempt: int) -> None:
    turns = room()
    assert pull(turns, work(message(2), turn=turn(1, attempt))) == [SHOWN]
    assert greet(turns, 7, "leaf9") == [Begin("t1", attempt + 1, (1,), "leaf0")]


def test_after_a_crash_of_the_conversation_a_stopped_turn_stays_stopped() -> None:
    turns = room()
    assert pull(turns, work(turn=turn(1, stop=True))) == [end(Outcome.STOPPED, "Stopped.", leaf="leaf0", kinds="n")]


def test_after_a_crash_of_the_conversation_a_waiting_stop_still_counts() -> None:
    turns = room()
    assert pull(turns, work(turn=turn(1), commands=(command(2, "stop"),))) == [
        end(Outcome.STOPPED, "Stopped.", leaf="leaf0", kinds="n")
    ]


# --- where the session stands


def begun_at(turns: Turns, id: int = 2) -> str | None:
    """Where the session stood when message `id` began."""
    (begin,) = [step for step in pull(turns, work(message(id))) if isinstance(step, Begin)]
    return begin.leaf


def test_a_settled_turn_says_where_the_next_begins() -> None:
    turns = stopping()
    settle(turns, 1, "t1", "", "aborted", "", "leaf2")
    assert begun_at(turns) == "leaf2"


def test_an_end_without_an_answer_leaves_the_session_where_it_stood() -> None:
    turns = running()
    settle(turns, 1, "t1", "", "stop", "", None)
    assert begun_at(turns) == "leaf1"


def stopped_while_recalling() -> Turns:
    turns = recalling()  # its agent found the session at leaf1, with what the first attempt wrote
    pull(turns, work(turn=turn(1, 2, stop=True)))
    return turns


def test_a_turn_stopped_unheard_does_not_leave_its_entries_to_the_next() -> None:
    assert begun_at(stopped_while_recalling()) == "leaf1"


def test_a_turn_stopped_without_an_agent_lets_the_next_agent_say_where_the_session_stands() -> None:
    turns = stopping()
    turns.agent_down(1, "boom")
    assert pull(turns, work(message(3))) == [ShowTurn("t3", None)]
    assert greet(turns, 2, "leaf4") == [Begin("t3", 1, (3,), "leaf4")]


def test_an_end_of_an_unknown_leaf_keeps_the_rooms() -> None:
    turns = room()
    (ended,) = pull(turns, work(turn=turn(1, stop=True), leaf="leaf3"))
    assert isinstance(ended, End)
    assert ended.leaf == "leaf3"


def test_it_is_not_idle_while_a_turn_ends() -> None:
    turns = running()
    settle(turns, 1, "t1", "hello", "stop", "", "leaf2")
    assert not turns.idle
    open_turn: Turn | None = turns.turn
    assert open_turn is not None
