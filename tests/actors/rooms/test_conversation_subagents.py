"""The conversation and its room's sub-agents: the store's own rows, a registrar and an agent led by the test."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.messages import (
    Abort,
    AgentWaits,
    Button,
    Changes,
    Continue,
    Decide,
    DeliveryKind,
    EndSubagent,
    Entry,
    GetSubagent,
    NewDelivery,
    Prompt,
    React,
    Recall,
    Recalled,
    ReturnReports,
    RoomIdle,
    SettleResult,
    ShowProgress,
    Spawn,
    Spawned,
    Subagent,
    SubagentState,
    Tell,
    TellReport,
    ToolStarted,
    Wake,
)
from actors.rooms.line import LOOK_EVERY
from actors.rooms.subagents import TELL_AGAIN
from tests.actors.rooms.house import BOUNDS, House, open_room, until
from tests.actors.rooms.rows import asked, called, result

MADE = Changes(files=1, names=("M a",), added=1, removed=1, patch="/r/patch", repository="/r/r.git")


def begin(house: House, task: str, turn: str | None = None, *, wait: bool = False) -> str:
    """The agent begins a sub-agent in this turn; None: a person does. Its slug."""
    spawn = Spawn(
        key=f"{turn}:{task}",
        room=house.room.slug,
        parent=None,
        turn=turn,
        by=None if turn else 1,
        task=task,
        isolation="copy",
        model=None,
        timeout=60.0,
        wait=wait,
        queue=True,
        bounds=BOUNDS,
    )
    spawned = house.books.do(spawn)
    assert isinstance(spawned, Spawned), spawned
    return spawned.subagent.slug


def finish(house: House, slug: str, changes: Changes | None = None) -> None:
    """It ends."""
    end = EndSubagent(
        slug=slug,
        outcome=SubagentState.COMPLETED,
        text="done",
        error="",
        report=f"[Report of sub-agent {slug}.]",
        changes=changes,
        cost=0.0,
        deliveries=(),
    )
    assert house.books.do(end)


def row(house: House, slug: str) -> Subagent:
    sub = house.books.do(GetSubagent(slug=slug))
    assert sub is not None
    return sub


async def report(house: House, slug: str) -> None:
    """It ends, and the registrar has its room woken."""
    finish(house, slug)
    await house.conversation.tell(Wake())


async def hears(house: House, text: str) -> None:
    await until(lambda: any(text in told for told in house.texts()))


def decisions(house: House) -> list[Decide]:
    return [each for each in house.registrar if isinstance(each, Decide)]


def doing(house: House) -> str:
    return house.system.snapshot(house.conversation.path).doing or ""


async def recalls(house: House, number: int, *entries: Entry) -> Any:
    """Answer the recall that is the agent's `number`-th message; what it is told then."""
    message = await house.pi.next(number)
    assert isinstance(message, Recall), message
    await house.pi.say(
        Recalled(turn=message.turn, incarnation=message.incarnation, entries=entries, leaf=house.pi.leaf)
    )
    return await house.pi.next(number + 1)


# --- what people command


async def test_a_person_begins_sees_and_ends_one_while_a_turn_runs(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        inbound = await house.say("/spawn count the lines", "spawn")
        await hears(house, "`: begins")
        slug = house.texts()[0].split("`")[1]
        assert house.registrar == [Wake()]
        sub = row(house, slug)
        assert (sub.by, sub.task, sub.timeout, sub.turn) == (inbound, "count the lines", 600.0, None)
        await house.say("/agents", "agents")
        await hears(house, f"- `{slug}`: ")
        await house.say("/status", "status")
        await hears(house, f"- sub-agent `{slug}`: ")
        await house.say(f"/kill {slug}", "kill")
        await hears(house, f"Sub-agent `{slug}` is ended")
        assert SubagentState.CANCELLED in (row(house, slug).stop, row(house, slug).state)
        assert len(house.pi.told) == 1
        assert house.registrar[1:] == [Wake()]


async def test_one_that_cannot_begin_says_why(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        for number in range(BOUNDS.max_open):
            begin(house, f"task {number}")
        await house.say("/spawn one more", "spawn")
        await hears(house, "No sub-agent was begun: ")
        assert house.books.db.execute("SELECT count(*) FROM subagents").get == BOUNDS.max_open
        assert house.books.work().commands == ()


async def test_a_killed_room_takes_its_sub_agents_with_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        slug = begin(house, "one", prompt.turn)
        await house.say(f"/kill {house.room.slug}", "kill")
        assert isinstance(await house.pi.next(1), Abort)
        assert SubagentState.CANCELLED in (row(house, slug).stop, row(house, slug).state)
        assert house.registrar == [Wake()]


# --- what one made


async def test_a_decision_waits_for_the_registrar_and_is_not_forgotten(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.pi.finish(await house.prompt(0), "hello")
        await until(lambda: bool(house.router))
        slug = begin(house, "one")
        finish(house, slug, MADE)
        inbound = await house.say(f"/apply {slug}", "apply", message_id=7)
        await until(lambda: bool(decisions(house)))
        wanted = Decide(room=house.room.slug, command=inbound, reply_to=7, slug=slug, what="apply")
        assert decisions(house) == [wanted]
        before = len(house.router)
        await trio.sleep(20)
        assert decisions(house) == [wanted]
        assert not [each for each in house.router[before:] if isinstance(each, RoomIdle)]
        await house.system.restart_child(house.conversation.path)
        await until(lambda: len(decisions(house)) == 2)  # another conversation tells it again
        told = NewDelivery(kind=DeliveryKind.NOTE, text="It is in the workspace now.")
        house.books.do(SettleResult(slug=slug, kept="applied", deliveries=(told,), command=inbound))
        await until(lambda: isinstance(house.router[-1], RoomIdle))  # also if nobody wakes it
        assert decisions(house) == [wanted, wanted]
        await house.say(f"/discard {slug}", "discard")
        await hears(house, "is in the workspace already")
        assert len(decisions(house)) == 2


async def test_a_registrar_that_does_not_answer_for_long_is_told_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        await house.prompt(0)
        slug = begin(house, "one")
        finish(house, slug, MADE)
        await house.say(f"/apply {slug}", "apply")
        await trio.sleep(TELL_AGAIN - 1)
        assert len(decisions(house)) == 1
        await trio.sleep(LOOK_EVERY + 2)
        assert len(decisions(house)) == 2


@pytest.mark.parametrize("what", ["apply", "diff", "discard", "kill"])
async def test_the_buttons_below_its_line_are_commands(tmp_path: Path, autojump_clock: MockClock, what: str) -> None:
    async with open_room(tmp_path) as house:
        await house.pi.finish(await house.prompt(0), "hello")
        await until(lambda: bool(house.router))
        slug = begin(house, "one")
        if what != "kill":
            finish(house, slug, MADE)
        button = Button(label="Do it", command=what, argument=slug)
        line = NewDelivery(kind=DeliveryKind.NOTE, text="line", buttons=((button,),), key=f"subagent:{slug}")
        house.books.do(Tell(slug=house.room.slug, deliveries=(line,)))
        await house.press("Do it")
        if what == "kill":
            await hears(house, f"Sub-agent `{slug}` is ended")
        else:
            await until(lambda: bool(decisions(house)))
            assert [(each.slug, each.what) for each in decisions(house)] == [(slug, what)]


# --- the agent waits


async def test_waiting_for_sub_agents_takes_none_of_the_turns_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        prompt = await house.prompt(0)
        await trio.sleep(50)
        call = ToolStarted(turn=prompt.turn, call="c", tool="spawn_subagent", summary="count")
        await house.pi.say(call)
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=True))
        await until(lambda: "waiting for sub-agents" in doing(house))
        assert doing(house) == f"{prompt.turn}: waiting for sub-agents"
        await trio.sleep(5000)
        assert len(house.pi.told) == 1
        pictures = [each for each in house.outbox if isinstance(each, ShowProgress)]
        assert pictures[-1].tools == ("spawn_subagent: count",)
        assert not any(each.waits for each in pictures)  # for nobody whom people could hurry
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=False))
        await until(lambda: "waiting" not in doing(house))
        await trio.sleep(5)
        assert len(house.pi.told) == 1
        await trio.sleep(10)
        assert isinstance(await house.pi.next(1), Abort)


async def test_a_question_keeps_the_time_standing_still_when_the_sub_agents_are_done(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        prompt = await house.prompt(0)
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=True))
        await house.pi.ask(prompt, "red")
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=False))
        await trio.sleep(500)
        assert len(house.pi.told) == 1
        assert "waiting for an answer" in doing(house)


async def test_after_a_crash_the_time_goes_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path, turn_timeout=60.0) as house:
        prompt = await house.prompt(0)
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=True))
        house.pi.crash()
        assert isinstance(await recalls(house, 1, asked()), Continue)
        assert isinstance(await house.pi.next(3), Abort)


async def test_a_stop_ends_those_that_the_turn_waits_for_and_says_who_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        awaited, other = begin(house, "one", prompt.turn, wait=True), begin(house, "two", prompt.turn)
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=1, waits=True))
        await house.say("/stop", "stop")
        assert isinstance(await house.pi.next(1), Abort)
        assert house.registrar == []
        await house.pi.finish(prompt, "", "aborted")
        await hears(house, "1 sub-agent goes on")
        assert house.texts()[0] == "Stopped."
        assert (row(house, awaited).stop, row(house, other).stop) == (SubagentState.CANCELLED, None)
        assert house.registrar == [Wake()]


# --- a crash


async def test_what_a_cut_off_run_has_not_heard_comes_again_and_what_it_has_does_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        heard, unheard, still = [begin(house, task, prompt.turn) for task in ("one", "two", "three")]
        for slug, call in ((heard, "a"), (unheard, "b")):
            await_report(house, slug)
            finish(house, slug)
            house.books.do(TellReport(slug=slug, turn=prompt.turn, call=call))
        house.pi.crash()
        calls = [called("check_subagent", id=id) for id in "ab"]
        resumed = await recalls(house, 1, asked(), *calls, result("a", "[Report]"), result("b", "Operation aborted"))
        assert [each for each in house.faults.asked if isinstance(each, ReturnReports)] == [
            ReturnReports(room=house.room.slug, parent=None, turn=prompt.turn, heard=("a",))
        ]
        assert isinstance(resumed, Continue)
        named = resumed.note.partition("heard of yet: ")[2].partition(". Do not begin them again")[0].split(", ")
        assert sorted(named) == sorted([unheard, still])
        await house.pi.finish(resumed, "hello")
        following = await house.prompt(3)
        assert following.text == f"[Report of sub-agent {unheard}.]"
        assert row(house, heard).heard


def await_report(house: House, slug: str) -> None:
    house.books.db.execute("UPDATE subagents SET awaited = 1 WHERE slug = ?", (slug,))


async def test_a_recall_that_comes_too_late_settles_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        await house.pi.say(Recalled(turn=prompt.turn, incarnation=1, entries=(), leaf=None))
        await wait_all_tasks_blocked()
        assert not [each for each in house.faults.asked if isinstance(each, ReturnReports)]


# --- reports


async def test_reports_that_come_together_are_one_turn_and_nobody_is_told_that_they_wait(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path, busy="steer") as house:
        prompt = await house.prompt(0)
        slugs = [begin(house, task, prompt.turn) for task in ("one", "two")]
        for slug in slugs:
            await report(house, slug)
        await trio.sleep(10)
        assert (len(house.pi.told), house.waits(), house.texts()) == (1, [], [])
        await house.pi.finish(prompt, "hello")
        following = await house.prompt(1)
        assert following.text == "\n\n".join(f"[Report of sub-agent {slug}.]" for slug in slugs)
        before = len([each for each in house.outbox if isinstance(each, React)])
        await house.pi.finish(following, "both are done")
        await hears(house, "both are done")
        assert len([each for each in house.outbox if isinstance(each, React)]) == before
        assert set(house.states().values()) == {"done"}


async def test_reports_of_a_turn_that_failed_are_tried_again_together(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_room(tmp_path, busy="steer") as house:
        prompt = await house.prompt(0)
        slugs = [begin(house, task, prompt.turn) for task in ("one", "two")]
        for slug in slugs:
            await report(house, slug)
        await house.pi.finish(prompt, "hello")
        failing = await house.prompt(1)
        await house.pi.finish(failing, "", "error")
        await hears(house, "could not answer")
        await house.say("more")
        busy = await house.prompt(2)
        await house.press("Try again")
        await trio.sleep(10)
        assert len(house.pi.told) == 3  # they do not join the run, though the room steers
        assert house.waits() == []
        await house.pi.finish(busy, "more is done")
        assert (await house.prompt(3)).text == failing.text


async def test_reports_come_into_a_new_session(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_room(tmp_path) as house:
        prompt = await house.prompt(0)
        slug = begin(house, "one", prompt.turn)
        await house.pi.finish(prompt, "hello")
        await house.say("/new", "new")
        await hears(house, "1 sub-agent goes on, and its report comes here")
        await report(house, slug)
        following = await house.pi.next(2)
        assert isinstance(following, Prompt)
        assert following.text == f"[Report of sub-agent {slug}.]"
