"""The conversation's state machine, as a playbook: facts in, commands out."""

import pytest

from actors.messages import DeliveryKind, Entry, NewDelivery, Outcome, Turn
from actors.rooms.resume import RESUME_NOTE
from actors.rooms.turns import (
    MOST_ATTEMPTS,
    TOO_LONG,
    Answer,
    Begin,
    Command,
    End,
    ListRooms,
    Phase,
    SendAbort,
    SendContinue,
    SendPrompt,
    SendRecall,
    ShowTurn,
    Turns,
)
from tests.actors.rooms.rows import asked, command, late, message, said, turn, work

SHOWN = ShowTurn("t1", None)
CRASHED = ShowTurn("t1", "the agent ended (boom); starting it again")
BEGIN = Begin("t1", 1, (1,), "leaf1")


def end(
    outcome: Outcome, *texts: str, answer: str = "", leaf: str | None = "leaf1", id: int = 1, kinds: str = ""
) -> End:
    """The end of a turn; `kinds`: one letter for each delivery, a(nswer), r(eport) or n(ote)."""
    by_letter = {kind.value[0]: kind for kind in DeliveryKind}
    deliveries = tuple(
        NewDelivery(kind=by_letter[kinds[at]], text=text, reply_to=100 + id if at == 0 else None)
        for at, text in enumerate(texts)
    )
    return End(f"t{id}", outcome, answer, leaf, deliveries)


STOPPED = end(Outcome.STOPPED, "Stopped.", kinds="n")


def done(text: str = "hello", leaf: str | None = "leaf2", id: int = 1) -> End:
    return end(Outcome.DONE, text, answer=text, leaf=leaf, id=id, kinds="a")


def ready() -> Turns:
    """An idle room whose agent is ready and stands at leaf1."""
    turns = Turns()
    assert turns.pulled(work()) == []
    assert turns.agent_ready(1, "leaf1") == []
    return turns


def beginning() -> Turns:
    """Message 1 is there; commit 1b is not."""
    turns = ready()
    assert turns.pulled(work(message(1))) == [SHOWN, BEGIN]
    return turns


def running() -> Turns:
    """Message 1 has been given to the agent."""
    turns = beginning()
    assert turns.began(turn(1, leaf_before="leaf1")) == [SendPrompt("t1", "text 1")]
    return turns


def recalling(attempt: int = 2) -> Turns:
    """The agent has crashed and is asked what it knows of the turn."""
    turns = Turns()
    turns.pulled(work(turn=turn(1, attempt - 1)))
    assert turns.agent_ready(2, "leaf1") == [Begin("t1", attempt, (1,), "leaf0")]
    assert turns.began(turn(1, attempt)) == [SendRecall("t1", "leaf0")]
    return turns


def stopping() -> Turns:
    """A person has stopped the turn."""
    turns = running()
    assert turns.pulled(work(turn=turn(1), commands=(command(2, "stop"),))) == [SendAbort("t1")]
    return turns


# --- one message


def test_a_message_is_begun_then_prompted_then_answered() -> None:
    turns = running()
    assert turns.phase is Phase.RUNNING
    assert turns.settled(1, "t1", "hello", "stop", "", "leaf2") == [done()]
    assert turns.pulled(work(leaf="leaf2")) == []
    assert turns.idle


def test_it_waits_for_an_agent_that_is_not_ready_and_shows_that() -> None:
    turns = Turns()
    assert turns.pulled(work(message(1))) == [SHOWN]
    assert turns.pulled(work(message(1))) == []
    assert not turns.idle
    assert turns.agent_ready(1, "leaf1") == [BEGIN]


def test_two_messages_are_two_turns_in_order() -> None:
    turns = ready()
    assert turns.pulled(work(message(1), message(2))) == [SHOWN, BEGIN]
    turns.began(turn(1))
    assert turns.waiting == 1
    assert turns.settled(1, "t1", "hello", "stop", "", "leaf2") == [done()]
    assert turns.pulled(work(message(2))) == [ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf2")]
    assert turns.began(turn(2)) == [SendPrompt("t2", "text 2")]


def test_a_message_that_comes_while_one_runs_waits() -> None:
    turns = running()
    assert turns.pulled(work(message(2), turn=turn(1))) == []
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
    assert turns.pulled(rows) == []
    assert turns.pulled(rows) == []
    assert turns.phase is phase


def test_a_pull_between_an_end_and_its_commit_begins_nothing() -> None:
    turns = running()
    turns.settled(1, "t1", "hello", "stop", "", "leaf2")
    assert turns.pulled(work(message(2), turn=turn(1))) == []
    assert turns.pulled(work(message(2))) == [ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf2")]


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
    assert running().settled(1, "t1", text, stop_reason, error, "leaf2") == [ended]


def test_a_prompt_that_is_refused_fails_and_the_session_stands_where_it_stood() -> None:
    turns = running()
    assert turns.refused(1, "t1", "no") == [
        end(Outcome.FAILED, "The agent did not take the message: no", leaf="leaf1", kinds="r")
    ]


def test_a_turn_that_takes_too_long_is_aborted_and_fails() -> None:
    turns = running()
    assert turns.too_long("t1") == [SendAbort("t1")]
    assert turns.too_long("t1") == []
    assert turns.settled(1, "t1", "par", "aborted", "", "leaf2") == [
        end(Outcome.FAILED, "par", TOO_LONG, answer="par", leaf="leaf2", kinds="ar")
    ]


def test_too_long_but_finished_in_the_meantime_is_done() -> None:
    turns = running()
    turns.too_long("t1")
    assert turns.settled(1, "t1", "hello", "stop", "", "leaf2") == [done()]


def test_too_long_and_deaf_to_the_abort_fails_and_is_not_resumed() -> None:
    turns = running()
    turns.too_long("t1")
    assert turns.agent_down(1, "boom") == [end(Outcome.FAILED, TOO_LONG, kinds="r")]


def test_an_agent_that_does_not_answer_a_recall_fails_the_turn() -> None:
    assert recalling().too_long("t1") == [end(Outcome.FAILED, TOO_LONG, kinds="r")]


def test_a_too_long_turn_does_not_make_the_next_one_too_long() -> None:
    turns = running()
    turns.too_long("t1")
    turns.settled(1, "t1", "", "aborted", "", "leaf2")
    turns.pulled(work(message(2)))
    turns.began(turn(2))
    assert turns.agent_down(1, "boom") == [ShowTurn("t2", "the agent ended (boom); starting it again")]


# --- what is late, or meant for another


@pytest.mark.parametrize("make", [ready, beginning, running, stopping])
def test_what_is_said_of_another_turn_is_ignored(make: type[Turns]) -> None:
    turns = make()
    phase = turns.phase
    assert turns.settled(1, "t0", "old", "stop", "", "x") == []
    assert turns.refused(1, "t0", "old") == []
    assert turns.recalled(1, "t0", (), None) == []
    assert turns.too_long("t0") == []
    assert turns.phase is phase


def test_what_an_agent_says_of_the_turn_after_it_is_gone_is_ignored() -> None:
    turns = running()
    turns.agent_down(1, "boom")
    assert turns.settled(1, "t1", "hello", "stop", "", "leaf2") == []
    turns.agent_ready(2, "leaf2")
    turns.began(turn(1, 2))
    turns.recalled(2, "t1", (), "leaf2")
    assert turns.settled(1, "t1", "hello", "stop", "", "leaf2") == []
    assert turns.phase is Phase.RUNNING


def test_a_greeting_that_its_speakers_end_has_overtaken_is_ignored() -> None:
    turns = Turns()
    turns.pulled(work(turn=turn(1)))
    assert turns.agent_down(1, "boom") == []
    assert turns.agent_ready(1, "leaf1") == []
    assert turns.agent_ready(2, "leaf1") == [Begin("t1", 2, (1,), "leaf0")]


def test_a_greeting_of_the_next_agent_says_that_the_last_is_gone() -> None:
    turns = recalling()
    assert turns.agent_ready(3, "leaf1") == [
        ShowTurn("t1", "the agent ended (it was replaced); starting it again"),
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
    assert turns.agent_ready(2, "leaf1") == [Begin("t1", 2, (1,), "leaf0")]


@pytest.mark.parametrize(
    ("entries", "commands"),
    [
        ((), [SendPrompt("t1", "text 1")]),
        ((asked(),), [SendContinue("t1", RESUME_NOTE)]),
        ((asked(), said("hello")), [done()]),
    ],
)
def test_a_crash_while_it_runs_is_decided_from_the_session(entries: tuple[Entry, ...], commands: list[Command]) -> None:
    turns = running()
    assert turns.agent_down(1, "boom") == [CRASHED]
    assert turns.agent_ready(2, "leaf2") == [Begin("t1", 2, (1,), "leaf1")]
    assert turns.began(turn(1, 2, leaf_before="leaf1")) == [SendRecall("t1", "leaf1")]
    assert turns.recalled(2, "t1", entries, "leaf2") == commands


def test_a_crash_while_it_recalls_is_one_more_attempt() -> None:
    turns = recalling()
    assert turns.agent_down(2, "boom") == [CRASHED]
    assert turns.recalled(2, "t1", (), "leaf1") == []
    assert turns.agent_ready(3, "leaf1") == [Begin("t1", 3, (1,), "leaf0")]


def test_a_crash_while_it_stops_needs_no_agent_any_more() -> None:
    turns = stopping()
    assert turns.agent_down(1, "boom") == [STOPPED]
    assert turns.pulled(work(commands=(late(2, "stop"),))) == [Answer(late(2, "stop"), ())]


def test_a_crash_between_turns_changes_nothing() -> None:
    turns = ready()
    assert turns.agent_down(1, "boom") == []
    assert turns.idle


QUARANTINED = (
    f"This message was tried {MOST_ATTEMPTS} times and was cut off each time, so it is set aside and not tried again. "
    "Send it anew, perhaps in other words, to try once more."
)


def test_after_the_last_attempt_it_is_looked_at_once_more_and_set_aside() -> None:
    turns = recalling(MOST_ATTEMPTS)
    turns.recalled(2, "t1", (asked(),), "leaf1")
    turns.agent_down(2, "boom")
    assert turns.agent_ready(3, "leaf5") == [Begin("t1", MOST_ATTEMPTS + 1, (1,), "leaf0")]
    turns.began(turn(1, MOST_ATTEMPTS + 1))
    assert turns.recalled(3, "t1", (asked(),), "leaf5") == [
        end(Outcome.QUARANTINED, QUARANTINED, leaf="leaf5", kinds="r")
    ]
    assert turns.pulled(work(message(2))) == [ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf5")]


def test_a_last_attempt_that_had_finished_is_delivered() -> None:
    assert recalling(MOST_ATTEMPTS + 1).recalled(2, "t1", (asked(), said("hello")), "leaf2") == [done()]


def test_an_agent_that_dies_of_the_last_look_is_not_asked_again() -> None:
    turns = recalling(MOST_ATTEMPTS + 1)
    assert turns.agent_down(2, "boom") == [CRASHED, end(Outcome.QUARANTINED, QUARANTINED, leaf="leaf1", kinds="r")]


# --- /stop


def test_stop_when_nothing_runs_says_so() -> None:
    (answer,) = ready().pulled(work(commands=(command(1, "stop"),)))
    assert isinstance(answer, Answer)
    assert [told.text for told in answer.deliveries] == ["Nothing is running."]


def test_stop_while_it_begins_ends_it_before_the_agent_hears_of_it() -> None:
    turns = beginning()
    assert turns.pulled(work(message(1), commands=(command(2, "stop"),))) == []
    assert turns.began(turn(1)) == [STOPPED]


def test_stop_while_it_recalls_ends_it_at_once() -> None:
    turns = recalling()
    assert turns.pulled(work(turn=turn(1, 2, stop=True))) == [STOPPED]
    assert turns.recalled(2, "t1", (), "leaf1") == []


def test_stop_while_it_runs_is_held_until_the_end_and_answered_quietly() -> None:
    turns = stopping()
    assert turns.settled(1, "t1", "par", "aborted", "", "leaf2") == [
        end(Outcome.STOPPED, "par", "Stopped.", answer="par", leaf="leaf2", kinds="an")
    ]
    assert turns.pulled(work(commands=(late(2, "stop"),))) == [Answer(late(2, "stop"), ())]
    assert turns.pulled(work()) == []
    assert turns.idle


def test_stop_that_came_too_late_does_not_take_the_answer_away() -> None:
    assert stopping().settled(1, "t1", "hello", "stop", "", "leaf2") == [done()]


def test_stop_stops_one_turn_and_the_queue_goes_on() -> None:
    turns = running()
    stop = command(3, "stop")
    assert turns.pulled(work(message(2), turn=turn(1, stop=True), commands=(stop,))) == [SendAbort("t1")]
    turns.settled(1, "t1", "", "aborted", "", "leaf2")
    stop = late(3, "stop")
    assert turns.pulled(work(message(2), commands=(stop,))) == [
        Answer(stop, ()),
        ShowTurn("t2", None),
        Begin("t2", 1, (2,), "leaf2"),
    ]
    assert turns.began(turn(2)) == [SendPrompt("t2", "text 2")]


@pytest.mark.parametrize("agent", [None, 1])
def test_stop_after_a_message_that_has_not_begun_ends_that_one(agent: int | None) -> None:
    turns = Turns()
    if agent is not None:
        turns.pulled(work())
        turns.agent_ready(agent, "leaf0")
    else:
        turns.pulled(work(message(1)))
    stop = command(2, "stop")
    assert turns.pulled(work(message(1), commands=(stop,))) == [Begin("t1", 1, (1,), "leaf0")]
    assert turns.began(turn(1)) == [end(Outcome.STOPPED, "Stopped.", leaf="leaf0", kinds="n")]
    stop = late(2, "stop")
    assert turns.pulled(work(message(3), commands=(stop,)))[0] == Answer(stop, ())


def test_stop_before_a_message_does_not_stop_it() -> None:
    turns = ready()
    stopped, shown, begin = turns.pulled(work(message(2), commands=(command(1, "stop"),)))
    assert isinstance(stopped, Answer)
    assert stopped.deliveries
    assert (shown, begin) == (ShowTurn("t2", None), Begin("t2", 1, (2,), "leaf1"))
    assert turns.began(turn(2)) == [SendPrompt("t2", "text 2")]


def test_stop_that_comes_while_a_turn_ends_does_not_stop_the_next() -> None:
    turns = running()
    turns.settled(1, "t1", "hello", "stop", "", "leaf2")
    stop = command(3, "stop")
    assert turns.pulled(work(message(2), turn=turn(1, stop=True), commands=(stop,))) == []
    turns.pulled(work(message(2), commands=(late(3, "stop"),)))
    assert turns.began(turn(2)) == [SendPrompt("t2", "text 2")]


@pytest.mark.parametrize("name", ["stop", "new"])
def test_a_command_that_has_stopped_a_turn_stops_no_other_after_a_crash(name: str) -> None:
    turns = Turns()
    turns.pulled(work(message(2), commands=(late(3, name),)))
    turns.agent_ready(1, "leaf0")
    assert turns.began(turn(2)) == [SendPrompt("t2", "text 2")]


def test_two_stops_are_one() -> None:
    turns = stopping()
    stops = (command(2, "stop"), command(3, "stop"))
    assert turns.pulled(work(turn=turn(1, stop=True), commands=stops)) == []
    turns.settled(1, "t1", "", "aborted", "", "leaf2")
    stops = (late(2, "stop"), late(3, "stop"))
    assert turns.pulled(work(commands=stops)) == [Answer(stops[0], ()), Answer(stops[1], ())]


# --- /new


def test_new_when_idle_begins_a_session_and_waits_for_its_agent() -> None:
    turns = ready()
    (answer,) = turns.pulled(work(commands=(command(1, "new"),)))
    assert isinstance(answer, Answer)
    assert answer.fresh
    assert "`shop-1`" in answer.deliveries[0].text
    assert turns.pulled(work(message(2), leaf=None)) == [ShowTurn("t2", None)]
    assert turns.agent_ready(1, None) == [Begin("t2", 1, (2,), None)]


def test_new_while_a_turn_runs_stops_it_first() -> None:
    turns = running()
    new = command(2, "new")
    assert turns.pulled(work(turn=turn(1), commands=(new,))) == [SendAbort("t1")]
    turns.settled(1, "t1", "", "aborted", "", "leaf2")
    (answer,) = turns.pulled(work(commands=(new,)))
    assert isinstance(answer, Answer)
    assert answer.fresh


def test_what_waits_behind_new_belongs_to_the_new_session() -> None:
    turns = ready()
    answer, shown = turns.pulled(work(message(2), commands=(command(1, "new"),)))
    assert isinstance(answer, Answer)
    assert shown == ShowTurn("t2", None)
    turns.pulled(work(message(2), leaf=None))
    assert turns.agent_ready(1, None) == [Begin("t2", 1, (2,), None)]


def test_two_new_are_answered_one_after_the_other() -> None:
    turns = ready()
    first, second = command(1, "new"), command(2, "new")
    assert [step.command for step in turns.pulled(work(commands=(first, second))) if isinstance(step, Answer)] == [
        first
    ]
    assert [step.command for step in turns.pulled(work(commands=(second,))) if isinstance(step, Answer)] == [second]


@pytest.mark.parametrize("name", ["new", "stop", "status", "help"])
def test_words_behind_a_command_are_not_lost_in_silence(name: str) -> None:
    (answer,) = ready().pulled(work(commands=(command(1, name, f"/{name} and fix the door"),)))
    assert isinstance(answer, Answer)
    assert "not sent on" in answer.deliveries[-1].text


# --- the other commands


@pytest.mark.parametrize(("name", "words"), [("help", "/stop"), ("start", "Write"), ("?hlep", "/help")])
def test_commands_overtake_a_running_turn(name: str, words: str) -> None:
    (answer,) = running().pulled(work(turn=turn(1), commands=(command(2, name),)))
    assert isinstance(answer, Answer)
    assert words in answer.deliveries[0].text
    assert answer.deliveries[0].reply_to == 102


def test_a_command_is_answered_once() -> None:
    turns = ready()
    rows = work(commands=(command(1, "help"),))
    assert len(turns.pulled(rows)) == 1
    assert turns.pulled(rows) == []


def test_the_list_of_rooms_is_the_stores() -> None:
    assert ready().pulled(work(commands=(command(1, "threads"),))) == [ListRooms(command(1, "threads"))]


@pytest.mark.parametrize(
    ("make", "rows", "words"),
    [
        (ready, work(commands=(command(2, "status"),)), "idle"),
        (running, work(message(3), turn=turn(1), commands=(command(2, "status"),)), "working on “text 1”"),
        (recalling, work(turn=turn(1, 2), commands=(command(2, "status"),)), "attempt 2"),
        (Turns, work(message(1), commands=(command(2, "status"),)), "starting its agent"),
    ],
)
def test_status_says_what_the_room_does(make: type[Turns], rows: object, words: str) -> None:
    answer = make().pulled(rows)[0]  # type: ignore[arg-type]  # each is a Work
    assert isinstance(answer, Answer)
    assert words in answer.deliveries[0].text


# --- a new conversation on old rows


@pytest.mark.parametrize("attempt", range(1, MOST_ATTEMPTS + 1))
def test_after_a_crash_of_the_conversation_the_open_turn_is_tried_again(attempt: int) -> None:
    turns = Turns()
    assert turns.pulled(work(message(2), turn=turn(1, attempt))) == [SHOWN]
    assert turns.agent_ready(7, "leaf9") == [Begin("t1", attempt + 1, (1,), "leaf0")]


def test_after_a_crash_of_the_conversation_a_stopped_turn_stays_stopped() -> None:
    turns = Turns()
    assert turns.pulled(work(turn=turn(1, stop=True))) == [end(Outcome.STOPPED, "Stopped.", leaf="leaf0", kinds="n")]


def test_after_a_crash_of_the_conversation_a_waiting_stop_still_counts() -> None:
    turns = Turns()
    assert turns.pulled(work(turn=turn(1), commands=(command(2, "stop"),))) == [
        end(Outcome.STOPPED, "Stopped.", leaf="leaf0", kinds="n")
    ]


# --- where the session stands


def begun_at(turns: Turns, id: int = 2) -> str | None:
    """Where the session stood when message `id` began."""
    (begin,) = [step for step in turns.pulled(work(message(id))) if isinstance(step, Begin)]
    return begin.leaf


def test_a_settled_turn_says_where_the_next_begins() -> None:
    turns = stopping()
    turns.settled(1, "t1", "", "aborted", "", "leaf2")
    assert begun_at(turns) == "leaf2"


def test_an_end_without_an_answer_leaves_the_session_where_it_stood() -> None:
    turns = running()
    turns.settled(1, "t1", "", "stop", "", None)
    assert begun_at(turns) == "leaf1"


def stopped_while_recalling() -> Turns:
    turns = recalling()  # its agent found the session at leaf1, with what the first attempt wrote
    turns.pulled(work(turn=turn(1, 2, stop=True)))
    return turns


def test_a_turn_stopped_unheard_does_not_leave_its_entries_to_the_next() -> None:
    assert begun_at(stopped_while_recalling()) == "leaf1"


def test_a_turn_stopped_without_an_agent_lets_the_next_agent_say_where_the_session_stands() -> None:
    turns = stopping()
    turns.agent_down(1, "boom")
    assert turns.pulled(work(message(3))) == [ShowTurn("t3", None)]
    assert turns.agent_ready(2, "leaf4") == [Begin("t3", 1, (3,), "leaf4")]


def test_an_end_of_an_unknown_leaf_keeps_the_rooms() -> None:
    turns = Turns()
    (ended,) = turns.pulled(work(turn=turn(1, stop=True), leaf="leaf3"))
    assert isinstance(ended, End)
    assert ended.leaf == "leaf3"


def test_it_is_not_idle_while_a_turn_ends() -> None:
    turns = running()
    turns.settled(1, "t1", "hello", "stop", "", "leaf2")
    assert not turns.idle
    open_turn: Turn | None = turns.turn
    assert open_turn is not None
