"""The conversation in a real tree: the store's own rows, an agent led by the test, a recording router and outbox."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.messages import (
    Abort,
    AgentMessage,
    AnswerCommand,
    AnswerDialog,
    Attachment,
    BeginTurn,
    BusyMode,
    CloseQuestion,
    Compact,
    Compacted,
    Continue,
    EndProgress,
    EndTurn,
    Entry,
    FileOffered,
    JoinTurn,
    Mark,
    ModelInfo,
    ModelSet,
    OpenQuestion,
    Outcome,
    Place,
    Prompt,
    PromptRefused,
    Pull,
    React,
    Recall,
    Recalled,
    Reopen,
    RequestStop,
    RoomBusy,
    RoomIdle,
    SavedFile,
    SendToSleep,
    SetModel,
    ShowProgress,
    Steer,
    SteerTaken,
    Tell,
    TextGrew,
    ToolEnded,
    ToolStarted,
    Usage,
    Wake,
    WakeRoom,
)
from actors.rooms import ends, words
from actors.rooms.conversation import Conversation
from actors.rooms.course import AGAIN
from actors.rooms.fates import Setting
from actors.rooms.line import MOST_UNSENT
from actors.rooms.showing import SHOW_EVERY
from actors.rooms.trouble import GO_ON
from actors.store.errors import Conflict, StoreUnavailable
from supervisor import State
from tests.actors.rooms.house import Boom, Faults, House, Pi, open_room, until
from tests.actors.rooms.rows import asked, called, said


def pictures(house: House, turn: str) -> list[ShowProgress]:
    """What the outbox was shown of this turn since it began."""
    return [each for each in house.outbox if isinstance(each, ShowProgress) and each.turn == turn and each.begun]


async def answer(house: House, number: int, text: str = "hello") -> Prompt:
    """Let the agent finish the prompt that is its `number`-th message; wait until that is delivered."""
    before = len(house.texts())
    prompt = await house.prompt(number)
    await house.pi.finish(prompt, text)
    await until(lambda: len(house.texts()) > before)
    return prompt


async def recall(house: House, number: int, *entries: Entry) -> Recall:
    """Answer the recall that is the agent's `number`-th message."""
    message = await house.pi.next(number)
    assert isinstance(message, Recall), message
    await house.pi.say(
        Recalled(turn=message.turn, incarnation=message.incarnation, entries=entries, leaf=house.pi.leaf)
    )
    return message


async def test_a_message_is_answered_and_the_outbox_and_the_router_hear_of_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        assert prompt.text == "[Ada]\nhi"
        assert (prompt.turn, prompt.incarnation) == (house.books.work().turn.id, 1)  # type: ignore[union-attr]
        await house.pi.say(TextGrew(turn=prompt.turn, text="hel"))
        await house.pi.say(ToolStarted(turn=prompt.turn, call="c", tool="bash", summary="ls"))
        await until(lambda: len(pictures(house, prompt.turn)) >= 3)
        assert [(each.text, each.tools) for each in pictures(house, prompt.turn)] == [
            ("", ()),
            ("hel", ()),
            ("hel", ("bash: ls",)),
        ]
        assert house.router == []
        await house.pi.finish(prompt, "hello")
        await until(lambda: bool(house.router))
        assert house.texts() == ["hello"]
        assert [type(each) for each in house.outbox[-3:]] == [EndProgress, React, Wake]
        assert house.router == [RoomIdle(slug=house.room.slug)]
        work = house.books.work()
        assert (work.turn, work.queue, work.room.leaf) == (None, (), house.pi.leaf)


async def test_idle_is_told_after_each_wake(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await until(lambda: len(house.router) == 1)
        for count in (2, 3):
            await house.conversation.tell(Wake())
            await until(lambda count=count: len(house.router) == count)  # type: ignore[misc]


async def test_work_after_a_word_of_being_idle_is_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await until(lambda: len(house.router) == 1)
        await house.say("more")
        await house.prompt(1)
        assert house.router[1:] == [RoomBusy(slug=house.room.slug)]
        await answer(house, 1)
        await until(lambda: len(house.router) > 2)
        assert house.router[2:] == [RoomIdle(slug=house.room.slug)]


async def test_pictures_are_repeated_while_a_turn_runs_and_not_after(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await trio.sleep(SHOW_EVERY * 3.5)
        assert len(pictures(house, prompt.turn)) == 1 + 3
        await answer(house, 0)
        await trio.sleep(SHOW_EVERY * 3)
        assert len(pictures(house, prompt.turn)) == 1 + 3


async def test_what_is_dropped_before_it_begins_shows_no_more(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, burst="album") as house:
        await until(lambda: any(isinstance(each, ShowProgress) for each in house.outbox))
        await house.say(f"/drop_it {house.books.work().queue[0].id}", "drop_it")
        await until(lambda: bool(house.router))
        shown = len(house.outbox)
        await trio.sleep(SHOW_EVERY * 3)
        assert len(house.outbox) == shown


async def test_many_short_turns_do_not_multiply_the_pictures(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        for number in range(5):
            await answer(house, number)
            await house.say("more")
        prompt = await house.prompt(5)
        await trio.sleep(SHOW_EVERY * 2.5)
        assert len(pictures(house, prompt.turn)) == 1 + 2


@pytest.mark.parametrize(
    ("entries", "next_message"),
    [((), Prompt), ((asked(),), Continue), ((asked(), said("so", "toolUse")), Continue)],
)
async def test_a_crash_of_the_agent_is_resumed_from_the_session(
    tmp_path: Path, autojump_clock: MockClock, entries: tuple[Entry, ...], next_message: type[AgentMessage]
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        house.pi.crash()
        assert (await recall(house, 1, *entries)).since is None
        resumed = await house.pi.next(2)
        assert isinstance(resumed, next_message)
        assert AGAIN in pictures(house, prompt.turn)[-1].tools
        await house.pi.finish(resumed, "hello")
        await until(lambda: house.texts() == ["hello"])
        assert len(house.pi.told) == 3


async def test_an_answer_that_a_crash_kept_back_is_delivered_and_not_made_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        house.pi.crash()
        await recall(house, 1, asked(), said("hello"))
        await until(lambda: house.texts() == ["hello"])
        assert len(house.pi.told) == 2


async def test_a_message_that_ends_three_agents_is_set_aside_and_the_next_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.say("next")
        await house.prompt(0)
        for number in (1, 3):
            house.pi.crash()
            await recall(house, number)
            await house.prompt(number + 1)
        house.pi.crash()
        await recall(house, 5, asked())
        assert (await house.prompt(6)).text == "[Ada]\nnext"
        assert "set aside" in house.texts()[0]
        assert house.crashes() == ["This was cut off 3 times: pi ended."]


async def test_stop_is_answered_once_and_holds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say("/stop", "stop")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "par", "aborted")
        await until(lambda: bool(house.router))
        assert house.texts() == ["par", "Stopped."]
        assert house.books.work().commands == ()


async def test_stop_holds_when_everything_dies_of_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        house.faults.before[Pull] = Conflict("Pull", "a test")  # the conversation dies before it has read of the stop
        await house.say("/stop", "stop")
        await until(lambda: bool(house.router))
        assert house.texts()[0] == "Stopped."
        assert not [each for each in house.pi.told[1:] if not isinstance(each, Abort)]


async def test_a_stop_that_was_done_stops_nothing_else_after_a_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say("next")
        house.faults.before[AnswerCommand] = Conflict("AnswerCommand", "a test")  # it dies with the stop still there
        await house.say("/stop", "stop")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "par", "aborted")
        await until(lambda: bool(house.router))
        assert house.texts() == ["par", f"Stopped. {words.held(1)}"]  # nobody knows that it was said: same key
        await house.press("Run")
        following = await house.prompt(2)
        assert following.text == "[Ada]\nnext"
        await house.pi.finish(following, "done")
        await until(lambda: len(house.texts()) > 2)
        assert house.texts()[1:] == ["1 held message goes on now.", "done"]


async def test_a_turn_that_is_refused_says_why(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(PromptRefused(turn=prompt.turn, incarnation=1, error="no model"))
        await until(lambda: house.texts() == ["The agent did not take the message: no model"])


async def test_a_turn_that_takes_too_long_is_aborted(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        prompt = await house.prompt(0)
        began = trio.current_time()
        assert isinstance(await house.pi.next(1), Abort)
        assert trio.current_time() - began == pytest.approx(60.0, abs=0.1)
        await house.pi.finish(prompt, "", "aborted")
        await until(lambda: house.texts() == ["The turn took too long and was ended."])


async def test_the_time_of_one_turn_is_not_that_of_the_next(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        await trio.sleep(50)
        await answer(house, 0)
        await house.say("more")
        await house.prompt(1)
        await trio.sleep(50)
        assert len(house.pi.told) == 2


async def test_new_opens_a_session_and_what_follows_runs_in_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await house.say("/new", "new")
        reopen = await house.pi.next(1)
        assert reopen == Reopen(session_id=f"{house.room.slug}-new1")
        await house.say("in the new one")
        await answer(house, 2)
        assert house.books.work().room.session_id == f"{house.room.slug}-new1"


async def test_an_agent_that_opened_the_old_session_is_told_of_the_new_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        house.pi.old_session = "one that the room has left"
        house.pi.crash()
        assert await house.pi.next(1) == Reopen(session_id=house.room.session_id)
        await house.say("more")
        await answer(house, 2)


async def test_commands_are_answered_while_a_turn_runs(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        for name, words in (("help", "/stop"), ("threads", house.room.slug), ("status", "working on")):
            await house.say(f"/{name}", name)
            await until(lambda words=words: any(words in text for text in house.texts()))  # type: ignore[misc]
        assert len(house.pi.told) == 1


@pytest.mark.parametrize("request_type", [Pull, BeginTurn, EndTurn])
async def test_after_a_crash_of_the_conversation_both_start_and_go_on(
    tmp_path: Path, autojump_clock: MockClock, request_type: type
) -> None:
    faults = Faults()
    if request_type is BeginTurn:
        faults.before[BeginTurn] = Conflict("BeginTurn", "a test")
    async with open_room(tmp_path, faults=faults) as house:
        if request_type is BeginTurn:
            await answer(house, 0)
        else:
            prompt = await house.prompt(0)
            house.faults.before[request_type] = Conflict("this", "a test")
            if request_type is EndTurn:
                await house.pi.finish(prompt, "hello")
            else:
                await house.conversation.tell(Wake())
            await recall(house, 1, asked(), said("hello"))
        await until(lambda: house.texts() == ["hello"])
        nodes = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert [node.incarnation for node in nodes] == [2, 2]


@pytest.mark.parametrize("request_type", [Pull, BeginTurn, EndTurn, AnswerCommand])
@pytest.mark.parametrize("when", ["before", "after", "full disk"])
async def test_a_store_that_restarts_under_a_request_is_asked_again_and_nothing_is_done_twice(
    tmp_path: Path, autojump_clock: MockClock, request_type: type, when: str
) -> None:
    faults = Faults()
    if when == "full disk":
        faults.before[request_type] = StoreUnavailable("disk full")
    elif when == "before":
        faults.before[request_type] = Boom()
    else:
        faults.after[request_type] = Boom()
    async with open_room(tmp_path, faults=faults) as house:
        await house.say("/help", "help")
        await answer(house, 0)
        await until(lambda: bool(house.router))
        assert not house.faults.before
        assert not house.faults.after
        assert len(house.texts()) == 2
        assert len(house.pi.told) == 1
        nodes = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert [node.incarnation for node in nodes] == [1, 1]


async def test_a_store_that_is_away_for_long_does_not_fail_the_rooms_start(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await house.system.terminate_child("/store")
        await house.system.restart_child(house.conversation.path)
        await trio.sleep(60)
        await house.system.restart_child("/store")
        await house.say("more")
        await answer(house, 1)


async def test_restarted_alone_it_restarts_its_agent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.system.restart_child(house.conversation.path)
        await house.pi.finish(prompt, "too late")
        await recall(house, 1, asked(), said("hello"))
        await until(lambda: house.texts() == ["hello"])
        nodes = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert [node.incarnation for node in nodes] == [2, 2]


async def test_its_state_is_told_in_a_few_words(tmp_path: Path, autojump_clock: MockClock) -> None:
    def doing(house: House) -> str:
        return house.system.snapshot(house.conversation.path).doing or ""

    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(ToolStarted(turn=prompt.turn, call="c", tool="bash", summary="ls"))
        await house.say("more")
        await until(lambda: doing(house) == f"{prompt.turn}: running bash, 1 waiting")
        await answer(house, 0)
        await answer(house, 1)
        await until(lambda: doing(house) == "idle")


# --- messages that find the agent busy


async def test_a_message_joins_the_run_and_the_person_is_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, busy="steer") as house:
        prompt = await house.prompt(0)
        number = await house.say("and quickly")
        steer = await house.pi.next(1)
        assert isinstance(steer, Steer)
        assert (steer.turn, steer.inbound, steer.text) == (prompt.turn, number, "[Ada]\nand quickly")
        await house.pi.say(SteerTaken(turn=prompt.turn, incarnation=1, inbound=number))
        await house.pi.finish(prompt, "hello")
        await until(lambda: house.texts() == ["hello"])
        assert house.states() == {"hi": "done", "and quickly": "done"}


async def test_what_the_model_did_not_hear_is_the_next_turn(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, busy="steer") as house:
        prompt = await house.prompt(0)
        number = await house.say("and quickly")
        await house.pi.next(1)
        house.pi.unconsumed = (number,)
        await house.pi.finish(prompt, "hello")
        assert (await house.prompt(2)).text == "[Ada]\nand quickly"


async def test_who_waits_is_told_and_has_buttons(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        await house.say("one")
        await until(lambda: any("Yours is #1 of 8" in text for text in house.waits()))
        await house.press("Steer now")
        assert isinstance(await house.pi.next(1), Steer)
        assert any("Joined" in text for text in house.waits())
        await house.say("two")
        await until(lambda: any("Yours is #1 of 8" in text for text in house.waits()))
        await house.press("Drop")
        await until(lambda: house.states()["two"] == "dropped")
        assert house.waits()[-1].startswith("Dropped")


async def test_an_interruption_ends_the_run_and_goes_next(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, busy="interrupt") as house:
        prompt = await house.prompt(0)
        await house.say("no, this")
        assert isinstance(await house.pi.next(1), Abort)
        assert house.books.work().turn.stop_requested  # type: ignore[union-attr]
        await house.pi.finish(prompt, "par", "aborted")
        assert (await house.prompt(2)).text == "[Ada]\nno, this"


async def test_a_burst_is_one_prompt(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, first="one", burst="b") as house:
        await house.say("two", burst="b")
        assert (await house.prompt(0)).text == "[Ada]\none\n\ntwo"


# --- files


def attachment(name: str, *, picture: bool = False) -> Attachment:
    return Attachment(handle=f"h-{name}", name=name, mime="image/png", size=1, picture=picture)


async def test_files_are_fetched_before_the_prompt_and_saved_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    files = (attachment("plan.txt"), attachment("lost.txt"))
    async with open_room(tmp_path, attachments=files) as house:
        await trio.sleep(5)
        assert house.pi.told == []
        house.files.set()
        prompt = await house.prompt(0)
        assert "uploads/plan.txt" in prompt.text
        assert "lost.txt: not saved, it is too large" in prompt.text
        house.pi.crash()
        await recall(house, 1)
        await house.prompt(2)
        assert [each.attachment.name for each in house.fetched] == ["plan.txt", "lost.txt"]


async def test_a_stop_while_files_are_fetched_holds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, attachments=(attachment("plan.txt"),)) as house:
        await trio.sleep(1)
        await house.say("/stop", "stop")
        await until(lambda: house.texts() == ["Stopped."])
        house.files.set()
        await trio.sleep(5)
        assert house.pi.told == []


@pytest.mark.parametrize("sees", [True, False])
async def test_pictures_go_to_a_model_that_sees_them(tmp_path: Path, autojump_clock: MockClock, sees: bool) -> None:
    pi = Pi()
    pi.model = ModelInfo(id="ant/small", images=sees)
    async with open_room(tmp_path, pi=pi, attachments=(attachment("cat.png", picture=True),)) as house:
        house.files.set()
        prompt = await house.prompt(0)
        assert prompt.images == ((f"{house.room.workspace}/uploads/cat.png",) if sees else ())
        assert any("sees no pictures" in text for text in house.texts()) is not sees


async def test_a_place_without_files_says_so(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, has_files=False, attachments=(attachment("plan.txt"),)) as house:
        assert "no files can be fetched" in (await house.prompt(0)).text


# --- questions


async def test_a_question_is_answered_by_a_button(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        prompt = await house.prompt(0)
        await house.pi.ask(prompt, "red", "blue")
        await until(lambda: any("Which one?" in text for text in house.texts()))
        assert "waiting for an answer" in (house.system.snapshot(house.conversation.path).doing or "")
        await trio.sleep(600)  # no time of the agent's own
        await house.press("blue")
        assert await house.pi.next(1) == AnswerDialog(incarnation=1, dialog="d", value="blue")
        await house.pi.say(ToolEnded(turn=prompt.turn, call="c", tool="ask", failed=False))
        await until(lambda: house.books.work().commands == ())
        assert any("→ blue" in text for text in house.texts())
        await trio.sleep(61)
        assert isinstance(house.pi.told[-1], Abort)


async def test_a_question_expires(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.ask(prompt, "red", timeout=60.0)
        assert await house.pi.next(1) == AnswerDialog(incarnation=1, dialog="d", value=None)
        assert any("nobody answered" in text for text in house.texts())


@pytest.mark.parametrize("who", ["agent", "conversation"])
async def test_a_question_survives_a_crash_and_its_answer_is_the_next_turn(
    tmp_path: Path, autojump_clock: MockClock, who: str
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.ask(prompt, "red", "blue")
        await until(lambda: bool(house.books.work().questions))
        if who == "agent":
            house.pi.crash()
        else:
            await house.system.restart_child(house.conversation.path)
        await until(lambda: house.books.work().turn is None)
        assert len(house.books.work().questions) == 1
        await house.press("blue")
        following = await house.prompt(1)
        assert "Which one?" in following.text
        assert following.text.endswith("blue")


async def test_an_answer_that_comes_as_the_agent_dies_is_not_lost(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.ask(prompt, "red", "blue")
        await until(lambda: bool(house.books.work().questions))
        house.books.say("blue")  # and nobody wakes the room
        house.pi.crash()
        await recall(house, 2, asked(), said("", "toolUse"))
        resumed = await house.pi.next(3)
        assert isinstance(resumed, Continue)
        assert "blue" in resumed.note


# --- commands that need others


async def test_a_model_is_set_and_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await house.say("/model large", "model")
        assert await house.pi.next(1) == SetModel(incarnation=1, model="large", thinking=None)
        await house.pi.say(ModelSet(incarnation=1, model=ModelInfo(id="ant/large"), thinking="", error=""))
        await until(lambda: house.books.work().room.settings.model == "ant/large")


async def test_a_session_is_summarised(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await house.say("/compact names", "compact")
        assert await house.pi.next(1) == Compact(incarnation=1, instructions="names")
        await house.say("more")
        await trio.sleep(1)
        assert len(house.pi.told) == 2
        await house.pi.say(Compacted(incarnation=1, error="", before=9000, after=1000, leaf="leaf9"))
        await answer(house, 2)


async def test_a_session_is_taken_up_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await house.say("/new", "new")
        assert isinstance(await house.pi.next(1), Reopen)
        await house.say(f"/resume {house.room.session_id}", "resume")
        assert await house.pi.next(2) == Reopen(session_id=house.room.session_id)


async def test_an_agent_is_started_anew_and_its_turn_goes_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        await house.say("/restart", "restart")
        await recall(house, 1, asked())
        assert isinstance(await house.pi.next(2), Continue)


async def test_a_room_is_killed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say(f"/kill {house.room.slug}", "kill")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "par", "aborted")
        await until(lambda: house.states()["hi"] == "done")
        assert SendToSleep(slug=house.room.slug) in house.router


async def test_the_log_shows_the_last_failure(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        house.pi.crash()
        await recall(house, 1)
        await house.say("/log", "log")
        await until(lambda: any("pi ended" in text for text in house.texts()))


async def test_a_turn_that_failed_is_tried_again_by_a_button(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(PromptRefused(turn=prompt.turn, incarnation=1, error="no model"))
        await until(lambda: bool(house.texts()))
        await house.press("Try again")
        again = await house.prompt(1)
        assert again.turn != prompt.turn
        assert again.text == prompt.text


# --- what people see


async def test_an_answer_says_what_it_took_and_the_message_is_marked(tmp_path: Path, autojump_clock: MockClock) -> None:
    pi = Pi()
    pi.usage = Usage(cost=0.25)
    async with open_room(tmp_path, pi=pi) as house:
        prompt = await house.prompt(0)
        await trio.sleep(42)
        pi.usage = Usage(cost=0.75)
        await answer(house, 0)
        (footer,) = [str(footer) for (footer,) in house.books.db.execute("SELECT footer FROM deliveries")]
        assert "42 s" in footer
        assert "$0.50" in footer
        assert "2 files" in footer
        assert [each.mark for each in house.outbox if isinstance(each, React)] == [Mark.DONE]
        assert prompt.since == house.books.now


async def test_a_file_that_the_agent_sends_wakes_the_outbox(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(FileOffered(turn=prompt.turn, name="plan.pdf"))
        await until(lambda: "sends plan.pdf" in pictures(house, prompt.turn)[-1].tools)
        assert isinstance(house.outbox[-1], Wake)


async def test_how_much_of_the_tools_shows_changes_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(ToolStarted(turn=prompt.turn, call="c", tool="bash", summary="ls"))
        await house.say("/verbose 0", "verbose")
        await until(lambda: house.books.work().room.settings.verbose == 0)
        await house.pi.say(ToolEnded(turn=prompt.turn, call="c", tool="bash", failed=False))
        await until(lambda: pictures(house, prompt.turn)[-1].tools == ())


@pytest.mark.parametrize("request_type", [JoinTurn, OpenQuestion, CloseQuestion, Tell, RequestStop, SavedFile])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_the_store_did_not_answer_is_asked_again(
    tmp_path: Path, autojump_clock: MockClock, request_type: type, when: str
) -> None:
    faults = Faults()
    (faults.before if when == "before" else faults.after)[request_type] = Boom()
    busy: BusyMode = "interrupt" if request_type is RequestStop else "steer"
    async with open_room(tmp_path, faults=faults, busy=busy, attachments=(attachment("plan.txt"),)) as house:
        house.files.set()
        prompt = await house.prompt(0)
        if request_type in (OpenQuestion, CloseQuestion):
            await house.pi.ask(prompt, "red", timeout=60.0)
        else:
            await house.say("more")
        await house.pi.next(1)
        await until(lambda: not house.faults.before and not house.faults.after)
        nodes = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert [node.incarnation for node in nodes] == [1, 1]
        assert len(house.fetched) == 1


# --- what a stop holds


async def test_a_stop_holds_what_waits_until_a_person_runs_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say("second", message_id=7)
        await house.say("third")
        await until(lambda: len(house.waits()) == 2)
        await house.say("/stop", "stop")
        await house.pi.next(1)
        await house.pi.finish(prompt, "", "aborted")
        await until(lambda: house.texts() == [f"Stopped. {words.held(2)}"])
        await until(lambda: all("Held" in text for text in house.waits()))
        await house.say("fourth")  # what is new runs as ever
        fourth = await house.prompt(2)
        assert fourth.text == "[Ada]\nfourth"
        await house.pi.finish(fourth, "4")
        await until(lambda: house.texts()[1:] == ["4"])
        await house.press("Run")
        second = await house.prompt(3)
        assert second.text == "[Ada]\nsecond"
        await until(lambda: "working on this now" in house.waits()[0] and "Yours is #1" in house.waits()[1])
        assert house.texts()[0] == "2 held messages go on now."


async def test_what_is_held_is_dropped_by_a_button(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say("second", message_id=7)
        await until(lambda: len(house.waits()) == 1)
        await house.say("/stop", "stop")
        await house.pi.finish(prompt, "", "aborted")
        await until(lambda: bool(house.texts()))
        await house.press("Drop")
        await until(lambda: house.states()["second"] == "dropped")
        await until(lambda: house.texts() == ["Dropped: 1 held message, not done."])
        assert house.waits() == ["Dropped: this is not done."]
        assert React(place=house.room.place, message_id=7, mark=Mark.STOPPED) in house.outbox


async def test_what_a_stop_holds_is_held_after_a_crash_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        await house.say("second")
        house.faults.before[Pull] = Conflict("Pull", "a test")  # the conversation dies before it has read of the stop
        await house.say("/stop", "stop")
        await until(lambda: house.texts() == [f"Stopped. {words.held(1)}"])
        await trio.sleep(60)
        assert house.states()["second"] == "held"


async def test_a_stop_that_comes_just_before_a_message_begins_holds_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path, burst="album") as house:
        await until(lambda: any(isinstance(each, ShowProgress) for each in house.outbox))
        house.books.say("/stop", command="stop")  # nobody has told the conversation yet
        await until(lambda: any(isinstance(each, BeginTurn) for each in house.faults.asked))
        await until(lambda: house.texts() == [f"Nothing is running. {words.held(1)}"])
        nodes = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert [node.incarnation for node in nodes] == [1, 1]
        await house.press("Run")
        assert (await house.prompt(0)).text == "[Ada]\nhi"


async def test_a_conflict_that_no_stop_explains_is_a_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    faults = Faults()
    faults.before[BeginTurn] = Conflict("BeginTurn", "a test")
    async with open_room(tmp_path, faults=faults) as house:
        await house.prompt(0)
        conversation, _agent = house.system.snapshot(f"/pool/{house.room.slug}").children
        assert conversation.incarnation == 2


async def test_a_new_session_begins_with_what_waits_held(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.say("second")
        await house.say("/new", "new")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "", "aborted")
        await until(lambda: len(house.texts()) == 2)
        stopped, new = house.texts()
        assert stopped == f"Stopped. {words.held(1)}"
        assert new.startswith("A new session begins.")
        assert words.held(1) not in new
        await house.press("Run")
        await until(lambda: any(isinstance(each, Prompt) and each.text == "[Ada]\nsecond" for each in house.pi.told))


async def test_killing_a_room_in_which_only_messages_wait_tells_its_people(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        other = house.books.say("later", place=Place("telegram", 99)).room
        await house.say(f"/kill {other.slug}", "kill", owner=True)
        await until(lambda: house.states()["later"] == "held")
        await until(lambda: any(words.held(1) in text for text in house.texts()))
        assert any(isinstance(each, WakeRoom) and each.room.slug == other.slug for each in house.router)
        assert SendToSleep(slug=other.slug) in house.router


# --- fates


async def crash_in_a_tool(house: House) -> Prompt:
    """The agent dies while bash runs, and the next one has said so."""
    prompt = await house.prompt(0)
    await house.pi.lose("pi ended, killed by SIGKILL", "out of `luck`")
    await recall(house, 1, asked(), called("bash", "make install"))
    return prompt


async def test_a_crash_that_goes_on_is_one_note_that_says_so_in_the_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        await house.pi.lose("pi ended, killed by SIGKILL", "out of `luck`")
        await recall(house, 1, asked())
        await house.pi.next(2)
        (told,) = house.crashes()
        assert "killed by SIGKILL" in told
        assert "out of `luck`" in told
        assert "try 2 of 3" in told
        house.pi.crash()
        await recall(house, 3, asked())
        resumed = await house.pi.next(4)
        (told,) = house.crashes()
        assert "try 3 of 3" in told
        await house.pi.finish(resumed, "hello")
        await until(lambda: house.texts() == ["hello"])
        assert house.crashes() == ["This was cut off 2 times and went on: pi ended."]


async def test_a_turn_that_was_cut_off_in_a_tool_is_asked_about_and_the_next_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.say("next")
        prompt = await crash_in_a_tool(house)
        following = await house.prompt(2)
        assert following.text == "[Ada]\nnext"
        (report,) = house.texts()
        assert "`bash: make install` was running" in report
        assert "Shall the agent go on?" in report
        assert house.crashes() == []
        (ended,) = [each for each in house.faults.asked if isinstance(each, EndTurn)]
        assert (ended.turn, ended.outcome) == (prompt.turn, Outcome.INTERRUPTED)


async def test_a_person_makes_it_go_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await crash_in_a_tool(house)
        await until(lambda: bool(house.texts()))
        await house.press("Go on")
        going = await house.prompt(2)
        assert going.text.endswith(GO_ON)
        assert house.texts() == ["This was cut off, and goes on now."]


async def test_what_goes_on_waits_for_the_turn_that_runs(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, busy="steer") as house:
        await crash_in_a_tool(house)
        await until(lambda: bool(house.texts()))
        await house.say("meanwhile")
        running = await house.prompt(2)
        await house.press("Go on")
        await until(lambda: bool(house.waits()))
        await house.pi.finish(running, "done")
        assert (await house.prompt(3)).text.endswith(GO_ON)


async def test_a_person_leaves_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await crash_in_a_tool(house)
        await until(lambda: bool(house.texts()))
        await house.press("Leave it")
        await until(lambda: "left as it is" in house.texts()[0])
        await trio.sleep(10)
        assert len(house.pi.told) == 2


@pytest.mark.parametrize(
    ("on_restart", "entries", "said_then"),
    [
        ("resume", (asked(), called("read", "a.txt")), ""),
        ("ask", (asked(),), "Shall the agent go on?"),
        ("ask", (), ""),
        ("drop", (asked(),), "not gone on with"),
        ("drop", (), "not gone on with"),
        ("drop", (asked(), said("hello")), "hello"),
    ],
)
async def test_the_fate_is_what_is_set(
    tmp_path: Path, autojump_clock: MockClock, on_restart: Setting, entries: tuple[Entry, ...], said_then: str
) -> None:
    async with open_room(tmp_path, on_restart=on_restart) as house:
        await house.prompt(0)
        house.pi.crash()
        await recall(house, 1, *entries)
        if said_then:
            await until(lambda: bool(house.texts()))
            assert said_then in house.texts()[0]
            assert len(house.pi.told) == 2
        else:
            await house.pi.next(2)
            assert house.texts() == []


async def test_what_was_dropped_is_tried_again_by_a_button(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, on_restart="drop") as house:
        prompt = await house.prompt(0)
        house.pi.crash()
        await recall(house, 1, asked())
        await until(lambda: bool(house.texts()))
        await house.press("Try again")
        again = await house.prompt(2)
        assert (again.text, again.turn == prompt.turn) == (prompt.text, False)


@pytest.mark.parametrize("on_restart", ["resume", "ask", "drop"])
async def test_restarts_that_somebody_asked_for_neither_count_nor_ask(
    tmp_path: Path, autojump_clock: MockClock, on_restart: Setting
) -> None:
    async with open_room(tmp_path, on_restart=on_restart) as house:
        await house.prompt(0)
        for number in range(6):
            await house.system.restart_child(f"/pool/{house.room.slug}/agent")
            await recall(house, 1 + 2 * number, asked(), called())
            assert isinstance(await house.pi.next(2 + 2 * number), Continue)
        assert house.crashes() == house.texts() == []
        open_turn = house.books.work().turn
        assert open_turn is not None
        assert (open_turn.attempt, open_turn.parted) == (7, 6)


async def test_a_room_that_is_stopped_in_order_parts_its_turn(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        await house.system.terminate_child(f"/pool/{house.room.slug}")
        open_turn = house.books.work().turn
        assert open_turn is not None
        assert (open_turn.attempt, open_turn.parted) == (1, 1)


async def test_a_crash_of_the_conversation_counts(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        house.faults.before[Pull] = Conflict("Pull", "a test")
        await house.conversation.tell(Wake())
        await recall(house, 1, asked())
        assert isinstance(await house.pi.next(2), Continue)
        open_turn = house.books.work().turn
        assert open_turn is not None
        assert (open_turn.attempt, open_turn.parted) == (2, 0)
        (told,) = house.crashes()
        assert "a test" in told


async def test_a_room_that_gives_up_over_its_turn_does_not_part_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        for number in range(1, 6):  # as often as it may
            house.pi.crash()
            await until(lambda number=number: house.pi.incarnation > number)  # type: ignore[misc]
        await house.say("more")
        await house.prompt(1)
        await house.system.terminate_child("/store")
        await house.conversation.tell(Wake())  # it asks on and on, so that it never hears of the agent's end
        await wait_all_tasks_blocked()
        house.pi.crash()
        await trio.sleep(5.3)  # it has been cancelled for that, and has a moment for a last word
        await house.system.restart_child("/store")
        await until(lambda: all(node.state is not State.RUNNING for node in house.system.which_children("/pool")))
        open_turn = house.books.work().turn
        assert open_turn is not None
        assert (open_turn.attempt, open_turn.parted) == (1, 0)


async def test_what_is_set_aside_is_dropped_by_a_button_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        for number in (1, 3):
            house.pi.crash()
            await recall(house, number)
            await house.prompt(number + 1)
        house.pi.crash()
        await recall(house, 5, asked())
        await until(lambda: bool(house.texts()))
        await house.press("Drop")
        await until(lambda: house.states()["hi"] == "dropped")
        await until(lambda: any("dropped" in text for text in house.texts()))
        await house.say("/drop_aside t1", "drop_aside")
        await until(lambda: "This is not set aside any more." in house.texts())


# --- what an operator sees


async def test_the_way_through_the_agent_is_kept_with_the_turn(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(TextGrew(turn=prompt.turn, text="hel"))
        await house.pi.say(TextGrew(turn=prompt.turn, text="hello"))
        await answer(house, 0)
        (ended,) = [each for each in house.faults.asked if isinstance(each, EndTurn)]
        assert [(hop.what, hop.where, hop.id) for hop in ended.hops] == [
            ("prompted", "agent", prompt.turn),
            ("first word", "agent", prompt.turn),
            ("settled", "agent", prompt.turn),
        ]


async def test_a_room_whose_words_do_not_arrive_begins_nothing_until_they_do(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        many = tuple(ends.note(f"line {number}") for number in range(MOST_UNSENT))
        house.books.batch(Tell(slug=house.room.slug, deliveries=many))
        await house.say("more")
        await until(lambda: bool(house.waits()))
        await trio.sleep(60)
        assert "have not arrived yet" in house.waits()[0]
        assert len(house.waits()) == len(house.pi.told) == 1
        house.books.db.execute("UPDATE deliveries SET state = 'sent', ended_at = 1.0 WHERE text LIKE 'line %'")
        await house.prompt(1)
        assert house.waits() == ["The wait is over: working on this now."]


async def test_what_it_does_is_named_alike_everywhere(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, failed=True) as house:
        names = [_doing(house)]

        async def note(name: str) -> None:
            await until(lambda: name in _doing(house))
            names.append(_doing(house))

        prompt = await house.prompt(0)
        await note("thinking")
        await house.pi.say(ToolStarted(turn=prompt.turn, call="c", tool="bash", summary="ls"))
        await note("bash")
        await house.say("/status", "status")
        await until(lambda: any("running bash" in text for text in house.texts()))
        await house.pi.ask(prompt, "red")
        await note("waiting for an answer")
        await house.say("/stop", "stop")
        await note("stopping")
        await house.pi.finish(prompt, "", "aborted")
        await note("idle")
        turn = prompt.turn
        assert names[1:] == [
            f"{turn}: running, thinking",
            f"{turn}: running bash",
            f"{turn}: waiting for an answer",
            f"{turn}: stopping",
            "idle",
        ]


def _doing(house: House) -> str:
    return house.system.snapshot(house.conversation.path).doing or ""


def test_people_may_look_at_it_before_it_has_started() -> None:
    nobody: Any = None
    fresh = Conversation(
        "shop",
        store=nobody,
        agent=nobody,
        router=nobody,
        registrar=nobody,
        outbox=nobody,
        files=nobody,
        new_session=nobody,
        turn_timeout=1.0,
        busy="steer",
        capacity=8,
        projects={},
        on_restart="resume",
        bounds=nobody,
        subagent_timeout=1.0,
        failed=False,
    )
    assert fresh.describe().doing == "starting"
