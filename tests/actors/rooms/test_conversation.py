"""The conversation in a real tree: the store's own rows, an agent led by the test, a recording router and outbox."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    Abort,
    AgentMessage,
    AnswerCommand,
    BeginTurn,
    Continue,
    EndProgress,
    EndTurn,
    Entry,
    Prompt,
    PromptRefused,
    Pull,
    Recall,
    Recalled,
    Reopen,
    RoomBusy,
    RoomIdle,
    ShowProgress,
    TextGrew,
    ToolStarted,
    Wake,
)
from actors.rooms.conversation import SHOW_EVERY
from actors.store.errors import Conflict, StoreUnavailable
from tests.actors.rooms.house import Boom, Faults, House, open_room, until
from tests.actors.rooms.rows import asked, said


def pictures(house: House, turn: str) -> list[ShowProgress]:
    return [each for each in house.outbox if isinstance(each, ShowProgress) and each.turn == turn]


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


async def say(house: House, text: str, command: str | None = None) -> None:
    house.books.say(text, command=command)
    await house.conversation.tell(Wake())


async def test_a_message_is_answered_and_the_outbox_and_the_router_hear_of_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        assert prompt.text == "hi"
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
        assert [type(each) for each in house.outbox[-2:]] == [EndProgress, Wake]
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
        await say(house, "more")
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


async def test_many_short_turns_do_not_multiply_the_pictures(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        for number in range(5):
            await answer(house, number)
            await say(house, "more")
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
        assert any("the agent ended" in line for line in pictures(house, prompt.turn)[-1].tools)
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
        await say(house, "next")
        await house.prompt(0)
        for number in (1, 3):
            house.pi.crash()
            await recall(house, number)
            await house.prompt(number + 1)
        house.pi.crash()
        await recall(house, 5, asked())
        assert (await house.prompt(6)).text == "next"
        assert "set aside" in house.texts()[0]


async def test_stop_is_answered_once_and_holds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await say(house, "/stop", "stop")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "par", "aborted")
        await until(lambda: bool(house.router))
        assert house.texts() == ["par", "Stopped."]
        assert house.books.work().commands == ()


async def test_stop_holds_when_everything_dies_of_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        house.faults.before[Pull] = Conflict("Pull", "a test")  # the conversation dies before it has read of the stop
        await say(house, "/stop", "stop")
        await until(lambda: bool(house.router))
        assert house.texts()[0] == "Stopped."
        assert not [each for each in house.pi.told[1:] if not isinstance(each, Abort)]


async def test_a_stop_that_was_done_stops_nothing_else_after_a_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await say(house, "next")
        house.faults.before[AnswerCommand] = Conflict("AnswerCommand", "a test")  # it dies with the stop still there
        await say(house, "/stop", "stop")
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt, "par", "aborted")
        following = await house.prompt(2)
        assert following.text == "next"
        await house.pi.finish(following, "done")
        await until(lambda: len(house.texts()) > 2)
        assert house.texts() == ["par", "Stopped.", "done"]


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
        await say(house, "more")
        await house.prompt(1)
        await trio.sleep(50)
        assert len(house.pi.told) == 2


async def test_new_opens_a_session_and_what_follows_runs_in_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await answer(house, 0)
        await say(house, "/new", "new")
        reopen = await house.pi.next(1)
        assert reopen == Reopen(session_id=f"{house.room.slug}-new1")
        await say(house, "in the new one")
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
        await say(house, "more")
        await answer(house, 2)


async def test_commands_are_answered_while_a_turn_runs(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        for name, words in (("help", "/stop"), ("threads", house.room.slug), ("status", "working on")):
            await say(house, f"/{name}", name)
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
        await say(house, "/help", "help")
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
        await say(house, "more")
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
        await say(house, "more")
        await until(lambda: doing(house) == f"{prompt.turn}: running bash, 1 waiting")
        await answer(house, 0)
        await answer(house, 1)
        await until(lambda: doing(house) == "idle")
