"""The worker in a real tree: the store's own rows, an agent led by the test, ground without folders."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.messages import (
    Abort,
    AgentNoted,
    AgentWaits,
    AnswerDialog,
    Continue,
    EndSubagent,
    GrantSlot,
    ListSubagents,
    ModelInfo,
    Prompt,
    PromptRefused,
    QuestionAsked,
    ReadLog,
    Recall,
    SubagentState,
    Tell,
    TellReport,
    TextGrew,
    ToolEnded,
    Usage,
    Wake,
)
from actors.redaction import forget_all, remember
from actors.resume import RESUME_NOTE
from actors.subagents.ground import Made
from tests.actors.rooms.house import until
from tests.actors.store.books import Books
from tests.actors.subagents.household import Pi, Site, called, open_household, result, said, user
from tests.actors.subagents.rows import changes

COMPLETED, FAILED, CANCELLED = SubagentState.COMPLETED, SubagentState.FAILED, SubagentState.CANCELLED


async def test_a_task_is_done_and_reported(tmp_path: Path, autojump_clock: MockClock) -> None:
    site = Site()
    site.changes = changes("/results/x", "a.txt")
    async with open_household(tmp_path, site=site) as house:
        prompt = await house.pi.prompt(0)
        assert prompt.turn == f"{house.slug}/1"
        assert prompt.text.startswith("Look into it\n\n[You are a sub-agent")
        assert "a git clone" in prompt.text
        assert "big.bin left out" in prompt.text
        assert house.row.state is SubagentState.RUNNING
        assert house.row.prompt == prompt.text
        house.pi.usage = Usage(cost=0.03)
        await house.pi.finish(prompt.turn, "It is the heading.")
        row = await house.ended()
        assert (row.state, row.text, row.cost, row.kept) == (COMPLETED, "It is the heading.", 0.03, "open")
        assert row.changes == site.changes
        assert "It is the heading." in row.report
        assert "apply_subagent" in row.report
        assert "completed in" in house.line()
        assert house.buttons() == ["Apply", "Diff", "Discard"]
        assert site.calls == [f"make {house.slug} of /work/shop", f"gather {house.slug}"]
        await until(lambda: house.registrar[-1:] == [Wake()])
        assert not house.agent_lives()
        reports = len([each for each in house.faults.asked if isinstance(each, EndSubagent)])
        await trio.sleep(60)
        assert [len([each for each in house.faults.asked if isinstance(each, EndSubagent)]), reports] == [1, 1]
        assert house.answers() == []  # its agent tells people what matters


async def test_pi_starts_in_the_workspace_with_what_is_set_for_the_room(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    pi = Pi()
    pi.model = ModelInfo(id="ant/large")
    async with open_household(tmp_path, pi=pi, model="ant/large") as house:
        await house.pi.prompt(0)
        (home,) = pi.homes
        assert home.slug == house.slug
        assert home.workspace == f"/state/{house.slug}/work"
        assert home.session_id == house.row.session_id
        assert home.settings.model == "ant/large"
        assert home.leaf is None


async def test_the_agent_is_asked_nothing_before_the_workspace_is_there(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    site = Site()
    site.gate = trio.Event()
    async with open_household(tmp_path, site=site) as house:
        await until(lambda: "carrying files" in house.line())
        await trio.sleep(45)  # longer than the agent waits for one answer
        assert house.pi.homes == []
        site.gate.set()
        await house.pi.prompt(0)
        assert len(house.pi.homes) == 1


async def test_a_workspace_that_cannot_be_made_is_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    site = Site()
    site.unmade = "it has submodules: use isolation scratch"
    async with open_household(tmp_path, site=site) as house:
        row = await house.ended()
        assert (row.state, row.error) == (FAILED, "It has submodules: use isolation scratch.")
        assert row.error in house.line()
        assert house.pi.told == []


async def test_a_stop_while_the_workspace_is_made_leaves_nothing_of_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    site = Site()
    site.gate = trio.Event()
    async with open_household(tmp_path, site=site) as house:
        await until(lambda: len(site.calls) == 1)
        await house.stop()
        row = await house.ended()
        assert row.state is CANCELLED
        assert site.calls[1:] == ["wiped", f"gather {house.slug}"]
        assert row.changes is None


async def test_a_model_that_there_is_not_is_the_end_before_anything_is_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_household(tmp_path, model="ant/hugee") as house:
        row = await house.ended()
        assert (row.state, row.run) == (FAILED, 0)
        assert row.error.startswith("There is no model ant/hugee; there are: ")
        assert "ant/large" in row.error
        assert house.pi.told == []


async def test_a_stop_aborts_the_run_and_keeps_what_is_there(tmp_path: Path, autojump_clock: MockClock) -> None:
    site = Site()
    site.changes = changes("/r")
    async with open_household(tmp_path, site=site) as house:
        prompt = await house.pi.prompt(0)
        await house.stop()
        assert isinstance(await house.pi.next(1), Abort)
        await until(lambda: "is being ended" in house.line())
        assert house.buttons() == []
        await house.pi.finish(prompt.turn, "Half of it.", "aborted")
        row = await house.ended()
        assert (row.state, row.text, row.error) == (CANCELLED, "Half of it.", "")
        assert row.changes == site.changes


async def test_its_time_is_that_of_its_own_work(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path, timeout=100.0) as house:
        prompt = await house.pi.prompt(0)
        await trio.sleep(60)
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=house.pi.incarnation, waits=True))
        await trio.sleep(500)
        assert house.row.stop is None
        await house.pi.say(AgentWaits(turn=prompt.turn, incarnation=house.pi.incarnation, waits=False))
        await trio.sleep(30)
        assert house.row.stop is None
        await trio.sleep(11)
        assert str(house.row.stop) == "timed_out"
        assert Wake() in house.registrar
        assert isinstance(await house.pi.next(1), Abort)
        await house.pi.finish(prompt.turn, "", "aborted")
        row = await house.ended()
        assert row.state is SubagentState.TIMED_OUT
        assert row.error == "It had 1 min 40 s for its work, and that was not enough."


async def test_a_new_attempt_gets_what_is_left_of_its_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path, timeout=100.0) as house:
        await house.pi.prompt(0)
        await trio.sleep(60)
        house.pi.crash()
        await house.pi.recall(1, user())
        await house.pi.next(2)
        await trio.sleep(35)
        assert house.row.stop is None
        await trio.sleep(10)
        assert str(house.row.stop) == "timed_out"


async def test_a_pi_that_ends_is_started_again_and_goes_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        await house.pi.lose("pi ended, killed by SIGKILL")
        recall = await house.pi.recall(1, user(), called("c1"))
        assert (recall.since, house.row.attempt) == (None, 2)
        on = await house.pi.next(2)
        assert isinstance(on, Continue)
        assert on.note == RESUME_NOTE
        await house.pi.finish(on.turn, "Done after all.")
        row = await house.ended()
        assert (row.state, row.text, row.run) == (COMPLETED, "Done after all.", 1)
        assert any("killed by SIGKILL" in line for line in row.log)


async def test_one_that_is_cut_off_again_and_again_fails(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        for attempt in (1, 3):
            await house.pi.lose("pi ended, exit code 1")
            await house.pi.recall(attempt, user())
            await house.pi.next(attempt + 1)
        await house.pi.lose("pi ended, exit code 1")
        await house.pi.recall(5, user())
        row = await house.ended()
        assert row.state is FAILED
        assert row.error == "Its agent ended 3 times while it worked, the last time: pi ended, exit code 1."


async def test_a_restart_that_somebody_wanted_does_not_count(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        for number in range(5):
            await house.system.restart_child(f"{house.path}/agent")
            await house.pi.recall(2 * number + 1, user())
            await house.pi.next(2 * number + 2)
        assert house.row.attempt == 1
        await house.pi.finish(f"{house.slug}/1", "Done.")
        assert (await house.ended()).state is COMPLETED


async def test_a_stop_of_the_service_does_not_count(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        for number in range(5):
            await house.system.restart_child("/pool")
            await house.pi.recall(2 * number + 1, user())
            await house.pi.next(2 * number + 2)
        assert house.row.attempt == 1
        await house.pi.finish(f"{house.slug}/1", "Done.")
        assert (await house.ended()).state is COMPLETED


async def test_an_agent_that_cannot_be_started_is_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    pi = Pi()
    pi.fails = 3
    async with open_household(tmp_path, pi=pi) as house:
        row = await house.ended()
        assert row.state is FAILED
        assert row.error == "Its agent could not be started: no bwrap here."


async def test_a_worker_that_ends_goes_on_from_its_row_and_the_session(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        await house.worker.tell("die")
        recall = await house.pi.recall(1, user(), said("It was the heading."))
        assert recall.turn == f"{house.slug}/1"
        row = await house.ended()
        assert (row.state, row.text) == (COMPLETED, "It was the heading.")
        assert [type(each) for each in house.pi.told] == [Prompt, Recall]
        assert len([call for call in house.site.calls if call.startswith("make")]) == 1


async def test_a_worker_that_ends_while_it_gathers_begins_its_agent_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """That was ended for good, and whoever comes next needs one to hear what the session holds."""
    site = Site()
    site.gathering = trio.Event()
    async with open_household(tmp_path, site=site) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.finish(prompt.turn, "Done.")
        await until(lambda: f"gather {house.slug}" in site.calls)
        assert not house.agent_lives()
        await house.worker.tell("die")
        await house.pi.recall(1, user(), said("Done."))
        site.gathering.set()
        row = await house.ended()
        assert (row.state, row.text) == (COMPLETED, "Done.")


async def test_one_whose_workspace_is_gone_is_lost(tmp_path: Path, autojump_clock: MockClock) -> None:
    def begun(books: Books, slug: str) -> None:
        books.run(slug, 1)

    async with open_household(tmp_path, before=begun) as house:
        row = await house.ended()
        assert row.state is SubagentState.LOST
        assert row.error == "Its workspace is gone, with all that it had done."
        assert house.pi.told == []


async def test_a_service_that_was_ended_goes_on_with_what_was_begun(tmp_path: Path, autojump_clock: MockClock) -> None:
    def begun(books: Books, slug: str) -> None:
        books.run(slug, 1)
        site.ready[slug] = Made("copy")

    site = Site()
    async with open_household(tmp_path, site=site, before=begun) as house:
        await house.pi.recall(0)
        prompt = await house.pi.prompt(1)
        assert prompt.text == "prompt 1"
        assert house.row.attempt == 2
        assert site.calls == []


async def test_a_model_that_fails_ends_it_with_what_was_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.finish(prompt.turn, "I looked at", "error", "401 no key")
        row = await house.ended()
        assert (row.state, row.text) == (FAILED, "I looked at")
        assert row.error == "The model could not answer: 401 no key"


async def test_a_prompt_that_pi_refuses_ends_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.say(PromptRefused(turn=prompt.turn, incarnation=house.pi.incarnation, error="no key"))
        row = await house.ended()
        assert (row.state, row.error) == (FAILED, "The agent did not take its task: no key")


async def test_one_that_answers_nothing_is_completed_and_says_so(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.finish(prompt.turn, "")
        row = await house.ended()
        assert (row.state, row.text) == (COMPLETED, "")
        assert "It ended without a word." in row.report


async def test_work_that_cannot_be_kept_is_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    site = Site()
    site.unkept = "no space is left on the disk"
    async with open_household(tmp_path, site=site) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.finish(prompt.turn, "Done.")
        row = await house.ended()
        assert (row.state, row.text, row.changes) == (COMPLETED, "Done.", None)
        assert row.error == "No space is left on the disk."


# --- its own sub-agents


async def test_reports_of_its_children_begin_another_run(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        first, second = house.child("Read one"), house.child("Read two")
        await house.pi.finish(prompt.turn, "Two are at it.")
        await until(lambda: house.row.waiting)
        assert "waits for its own sub-agents" in house.line()
        await house.end_child(first, "one is red")
        await trio.sleep(20)
        assert len(house.pi.told) == 1
        await house.end_child(second, "two is blue")
        await trio.sleep(20)
        assert len(house.pi.told) == 1  # the registrar says when there is a place
        house.books.do(GrantSlot(slug=house.slug))
        await house.wake()
        following = await house.pi.prompt(1)
        assert following.turn == f"{house.slug}/2"
        assert "one is red" in following.text
        assert "two is blue" in following.text
        assert house.row.leaf == f"leaf of {prompt.turn}"
        assert all(child.heard for child in house.books.do(ListSubagents(parent=house.slug, ended=9)))
        await house.pi.finish(following.turn, "Red and blue.")
        row = await house.ended()
        assert (row.state, row.text, row.run) == (COMPLETED, "Red and blue.", 2)


async def test_a_child_that_has_ended_meanwhile_needs_no_wait(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.end_child(house.child("Read one"), "one is red")
        await house.pi.finish(prompt.turn, "Let us see.")
        assert "one is red" in (await house.pi.prompt(1)).text
        assert not house.row.waiting


async def test_what_a_tool_call_was_told_is_not_told_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        child = house.child("Read one", wait=True)
        await house.end_child(child, "one is red")
        house.books.do(GrantSlot(slug=house.slug))
        house.books.do(TellReport(slug=child, turn=prompt.turn, call="c1"))
        await house.pi.finish(prompt.turn, "Red.")
        assert (await house.ended()).text == "Red."
        assert [child.heard for child in house.books.do(ListSubagents(parent=house.slug, ended=9))] == [True]


@pytest.mark.parametrize("heard", [True, False])
async def test_a_report_that_was_told_just_before_a_crash_counts_if_the_session_has_it(
    tmp_path: Path, autojump_clock: MockClock, heard: bool
) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        child = house.child("Read one", wait=True)
        await house.end_child(child, "one is red")
        house.books.do(GrantSlot(slug=house.slug))
        house.books.do(TellReport(slug=child, turn=prompt.turn, call="c1"))
        house.pi.crash()
        text = "its report" if heard else "The host did not answer; nothing was done."
        await house.pi.recall(1, user(), called("c1", "spawn_subagent"), result("c1", text))
        on = await house.pi.next(2)
        assert isinstance(on, Continue)
        await house.pi.finish(on.turn, "Red?")
        if not heard:
            following = await house.pi.prompt(3)
            assert "one is red" in following.text
            await house.pi.finish(following.turn, "Red.")
        row = await house.ended()
        assert row.text == ("Red?" if heard else "Red.")


async def test_one_that_was_cut_off_while_it_waited_goes_on_when_it_has_a_place(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_household(tmp_path) as house:
        await house.pi.prompt(0)
        child = house.child("Read one", wait=True)
        assert house.row.waiting
        house.pi.crash()
        await trio.sleep(30)
        assert len(house.pi.told) == 1
        await house.end_child(child, "one is red")
        house.books.do(GrantSlot(slug=house.slug))
        await house.wake()
        await house.pi.recall(1, user(), called("c1", "spawn_subagent"))
        on = await house.pi.next(2)
        assert isinstance(on, Continue)
        assert f"heard of yet: {child}. Do not begin them again" in on.note


async def test_one_that_ends_badly_takes_its_children_with_it_first(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        child = house.child("Read one")
        await house.pi.finish(prompt.turn, "", "error", "busy")
        await until(lambda: house.books.do(ListSubagents(parent=house.slug))[0].stop is CANCELLED)
        await trio.sleep(20)
        assert not house.row.ended
        await house.end_child(child)
        assert (await house.ended()).state is FAILED


# --- what is seen of it


async def test_people_see_what_it_does_in_one_line_that_changes_slowly(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await until(lambda: "running" in house.line())
        before = len([each for each in house.faults.asked if isinstance(each, Tell)])
        for number in range(30):
            await house.pi.tool(prompt.turn, f"c{number}", "bash", f"make {number}")
            await trio.sleep(1)
        lines = len([each for each in house.faults.asked if isinstance(each, Tell)]) - before
        assert 1 <= lines <= 2
        await trio.sleep(26)
        assert "bash: make 29" in house.line()
        assert house.buttons() == ["End it"]
        assert Wake() in house.outbox


async def test_its_log_can_be_read_and_goes_with_its_report(tmp_path: Path, autojump_clock: MockClock) -> None:
    remember("sk-secret-1234")
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.say(TextGrew(turn=prompt.turn, text="I look at the files.\nThen I"))
        await house.pi.tool(prompt.turn, "c1", "bash", "curl -H sk-secret-1234")
        await house.pi.say(ToolEnded(turn=prompt.turn, call="c1", tool="bash", failed=True))
        await house.pi.say(AgentNoted(turn=prompt.turn, text="the model failed; trying again"))
        log = [line[20:] for line in await house.worker.ask(ReadLog(), timeout=5.0)]
        assert log == [
            "run 1 begins",
            "says: I look at the files.",
            "bash: curl -H ***",
            "bash failed",
            "the model failed; trying again",
        ]
        await house.pi.finish(prompt.turn, "Done.")
        row = await house.ended()
        assert [line[20:] for line in row.log] == [*log, "says: Done.", "completed"]
    forget_all()


async def test_nobody_is_there_to_answer_a_question(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        asked = QuestionAsked(
            turn=prompt.turn,
            incarnation=house.pi.incarnation,
            dialog="d1",
            method="confirm",
            title="Sure?",
            text="",
            options=(),
            timeout=None,
        )
        await house.pi.say(asked)
        answer = AnswerDialog(incarnation=house.pi.incarnation, dialog="d1", value=None)
        assert await house.pi.next(1) == answer


async def test_the_tree_shows_what_it_does_and_where_it_stands(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.tool(prompt.turn, "c1", "bash", "make test")
        await trio.sleep(1)
        doing = house.system.snapshot(f"{house.path}/subagent").doing
        assert doing is not None
        assert doing.startswith("depth 1: running ")
        assert doing.endswith(": bash: make test")


async def test_a_persons_answer_is_a_message_of_its_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_household(tmp_path, by_person=True) as house:
        prompt = await house.pi.prompt(0)
        await house.pi.finish(prompt.turn, "It is the heading.")
        await house.ended()
        assert house.answers() == ["It is the heading."]
        assert "It is the heading." not in house.line()
