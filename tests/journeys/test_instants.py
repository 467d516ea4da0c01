"""Every instant from an update to the message that answers it: killed exactly there, started again, seen from outside.

The table of SEAMS §6, row by row; a test's id names the instant. Whatever is killed, each message is done once, what
may have arrived before is marked, nothing is lost, and no row is left open. `dying` kills at the instant, `echo` says
what the model was given.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.fakes.llm import KEY, MODEL
from tests.fakes.telegram import ANN, Bubble, FakeTelegram, Fault
from tests.journeys.dying import REACHED, VARIABLE
from tests.journeys.echo import EchoLLM, open_echo, pending
from tests.journeys.house import PATIENCE, House, open_house
from tests.journeys.phone import Phone

ROOT = Path(__file__).parents[2]
GROUP = -1001
MARK = "You may have this already"
ONE_AFTER_THE_OTHER = '[rooms]\nbusy = "follow_up"'


class Scene:
    """Ann's phone, the model that her room's pi asks, and the service between them."""

    def __init__(self, fake: FakeTelegram, model: EchoLLM, house: House) -> None:
        self.fake = fake
        self.model = model
        self.house = house
        self.phone = Phone(fake, ANN.id)

    async def start(self, instant: str = "") -> None:
        """The service; with an instant, one that dies there."""
        if not instant:
            await self.house.start()
            return
        command = [sys.executable, "-m", "tests.journeys.dying", "run"]
        with (self.house.home / "service.log").open("ab") as log:
            self.house.process = await trio.lowlevel.open_process(
                command,
                env=self.house.environ | {VARIABLE: instant},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with trio.fail_after(PATIENCE):
            while self.house.process.returncode is None:
                if await trio.to_thread.run_sync(self.house.node, "/service"):
                    return
                await trio.sleep(0.02)
        assert self.house.process.returncode == -signal.SIGKILL, self.house.log()[-2000:]

    def say(self, words: str) -> int:
        return self.fake.say(ANN.id, words)

    async def dies(self) -> None:
        """Until the instant has come."""
        with trio.fail_after(PATIENCE):
            assert await self.house.process.wait() == -signal.SIGKILL

    async def dies_and_starts(self) -> None:
        await self.dies()
        await self.house.start()

    async def kill(self) -> None:
        """SIGKILL from outside, and a new start."""
        await self.house.kill()
        await self.house.start()

    async def is_asked(self, words: str, times: int = 1) -> None:
        """Until the model has these words before it."""
        with trio.fail_after(PATIENCE):
            await self.model.is_asked(words, times)

    async def is_reached(self) -> None:
        """Until the crash or the stall has come."""
        await self.house.until((self.house.home / REACHED).exists)

    async def stands_still(self) -> None:
        """Until the service is stopped, as by SIGSTOP."""
        stat = Path(f"/proc/{self.house.process.pid}/stat")
        await self.house.until(lambda: stat.read_text().rpartition(") ")[2].startswith("T"))

    def agent_is_told(self) -> bool:
        """Whether something waits in its mailbox."""
        node = self.house.node("/service/rooms/pool/ann/agent")
        return node is not None and node["mailbox"]["size"] > 0

    async def asks(self, words: str) -> None:
        """Until a message with buttons has arrived, and the service knows that."""
        await self.phone.sees(words, buttons=True)
        await self.house.until(lambda: not self.rows("SELECT id FROM deliveries WHERE ended_at IS NULL"))

    # --- what came of it

    async def is_over(self) -> None:
        """Until no row is open; then the service stops, and nothing is left behind."""
        await self.house.until(lambda: not self.open_rows())
        await self.phone.has_nothing_left()
        assert await self.house.stop() == 0
        assert self.open_rows() == []

    def open_rows(self) -> list[Any]:
        """What is still to be done, by the store's own rows."""
        return [
            *self.rows("SELECT 'turn', id FROM turns WHERE outcome IS NULL"),
            *self.rows("SELECT 'inbound', id, text, state FROM inbound WHERE state IN ('queued', 'taken')"),
            *self.rows("SELECT 'delivery', id, text, state FROM deliveries WHERE ended_at IS NULL OR is_edit"),
            *self.rows("SELECT 'question', id, title FROM questions WHERE state = 'open'"),
        ]

    def rows(self, query: str) -> list[Any]:
        with sqlite3.connect(self.house.state / "state.db", timeout=5.0) as db:
            return db.execute(query).fetchall()

    def outcomes(self) -> list[str]:
        """How the turns have ended, in order."""
        return [outcome for (outcome,) in self.rows("SELECT outcome FROM turns ORDER BY started_at")]

    def answers(self, words: str) -> list[Bubble]:
        """The messages that say that this was done."""
        return [bubble for bubble in self.phone.bubbles(words) if "Done:" in bubble.text]

    def is_done_once(self, *messages: str, copies: int = 1, marked: int = 0, perhaps_twice: bool = False) -> None:
        """Each has one answer, heard once by the model and once in the session. `copies`: messages that bring it.

        `marked`: how many of those say that they may be a repetition. `perhaps_twice`: it may just have been on its
        way, and then comes again with that mark.
        """
        for words in messages:
            said = self.answers(words)
            if perhaps_twice and len(said) == 2:
                copies, marked = 2, 1
            assert len(said) == copies, self.fake.transcript(ANN.id)
            assert all(bubble.text.count(words) == 1 for bubble in said)
            assert len([bubble for bubble in said if MARK in bubble.text]) == marked
            assert self.in_session(words) == 1

    def in_session(self, words: str) -> int:
        """How often the session has it as a person's message."""
        lines = [line for file in self.house.session_files("ann") for line in file.read_text().splitlines()]
        return len([line for line in lines if '"role":"user"' in line and words in line])


@asynccontextmanager
async def open_scene(folder: Path, config: str = "", groups: tuple[int, ...] = ()) -> AsyncIterator[Scene]:
    """Nothing is started yet."""
    async with (
        FakeTelegram.serve() as fake,
        open_echo() as model,
        open_house(folder, fake, people=(ANN.id,), groups=groups, config=config) as house,
    ):
        house.environ |= {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": KEY, "LLM_MODEL": MODEL}
        yield Scene(fake, model, house)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


# --- one message, from its update to its answer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("before:Accept:alpha", id="update received, C1 not begun"),
        pytest.param("after:Accept:alpha", id="C1, the conversation is not told"),
        pytest.param("before:BeginTurn", id="the conversation is told, nothing claimed"),
        pytest.param("after:BeginTurn", id="claimed (C1b), no prompt written"),
        pytest.param("written:pi.prompt", id="prompt written, not read"),
        pytest.param("acked:pi.prompt", id="prompt acknowledged, no entry on disk"),
        pytest.param("before:EndTurn", id="last assistant entry, C2 not begun"),
        pytest.param("after:EndTurn", id="C2, no send started"),
        pytest.param("before:Sending", id="the outbox knows, no send started (C2b not begun)"),
        pytest.param("after:Sent", id="C3"),
    ],
)
@pytest.mark.parametrize("turn", ["first turn", "later turn"])
async def test_a_message_is_done_once(scene: Scene, instant: str, turn: str) -> None:
    message = "alpha"
    late = turn == "later turn" and ":Accept" not in instant
    await scene.start(f"{instant}#2" if late else instant)
    if turn == "later turn":
        scene.say("opening")
        await scene.phone.is_answered("opening")
    scene.say(message)
    await scene.dies_and_starts()
    await scene.phone.is_answered(message)
    await scene.is_over()
    scene.is_done_once(message)
    assert set(scene.outcomes()) == {"done"}


@pytest.mark.parametrize(
    ("instant", "copies"),
    [
        pytest.param("after:Sending", 1, id="C2b, before Telegram's effect"),
        pytest.param("before:Sent", 2, id="after Telegram's effect, C3 not begun"),
    ],
)
async def test_a_send_whose_outcome_nobody_knows_is_repeated_and_marked(
    scene: Scene, instant: str, copies: int
) -> None:
    await scene.start(instant)
    scene.say("alpha")
    await scene.dies_and_starts()
    await scene.phone.sees(MARK)
    await scene.is_over()
    scene.is_done_once("alpha", copies=copies, marked=1)


@pytest.mark.parametrize("turn", ["first turn", "later turn"])
async def test_a_prompt_whose_entry_is_on_disk_is_not_said_again(scene: Scene, turn: str) -> None:
    """Of a session's first turn pi writes nothing before the first answer, so there the prompt is said again."""
    await scene.start()
    if turn == "later turn":
        scene.say("opening")
        await scene.phone.is_answered("opening")
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    await scene.house.until(lambda: scene.in_session("alpha") == (turn == "later turn"))
    await scene.house.kill()
    scene.model.let_go("alpha")
    await scene.house.start()
    await scene.phone.is_answered("alpha")
    await scene.is_over()
    scene.is_done_once("alpha")
    assert pending(scene.model.requests[-1]["messages"]) == ["alpha"]


@pytest.mark.parametrize("turn", ["first turn", "later turn"])
async def test_an_answer_that_only_the_session_has_is_delivered_and_not_made_again(scene: Scene, turn: str) -> None:
    await scene.start()
    if turn == "later turn":
        scene.say("opening")
        await scene.phone.is_answered("opening")
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    scene.house.process.send_signal(signal.SIGSTOP)  # it hears nothing of what pi does from here on
    asked = len(scene.model.requests)
    scene.model.let_go("alpha")
    await scene.house.until(lambda: any("Done: alpha" in file.read_text() for file in scene.house.session_files("ann")))
    await scene.kill()
    await scene.phone.is_answered("alpha")
    await scene.is_over()
    scene.is_done_once("alpha")
    assert len(scene.model.requests) == asked


# --- more than one message --------------------------------------------------------------------------------------------


async def test_a_message_that_was_refused_is_never_done_later(tmp_path: Path) -> None:
    """Mailbox full: killed when the refusal is committed and nobody was told. It comes again when there is room."""
    async with open_scene(tmp_path, f"{ONE_AFTER_THE_OTHER}\nqueue = 1") as scene:
        await scene.start("after:Accept:gamma")
        scene.model.hold("alpha")
        scene.say("alpha")
        await scene.is_asked("alpha")
        scene.say("beta")
        await scene.phone.sees("#1 of 1")
        scene.say("gamma")
        await scene.dies()
        scene.model.let_go("alpha")
        scene.fake.set_fault("getUpdates", Fault.SERVER_ERROR, 1000)
        await scene.house.start()
        await scene.phone.is_answered("beta")
        scene.fake.clear_faults()
        scene.say("delta")
        await scene.phone.is_answered("delta")
        await scene.is_over()
        scene.is_done_once("alpha", "beta", "delta")
        assert scene.answers("gamma") == []
        assert scene.in_session("gamma") == 0
        assert len(scene.rows("SELECT id FROM inbound WHERE text = 'gamma' AND state = 'refused'")) == 1
        [refusal] = [bubble for bubble in scene.phone.bubbles() if bubble.quoted and "gamma" in bubble.quoted]
        assert MARK not in refusal.text


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("before:EndTurn", id="before C2 of the running turn"),
        pytest.param("after:EndTurn", id="after C2 of the running turn"),
        pytest.param("after:BeginTurn#2", id="the next one is claimed"),
    ],
)
async def test_a_queue_survives_a_kill_between_two_turns(tmp_path: Path, instant: str) -> None:
    async with open_scene(tmp_path, ONE_AFTER_THE_OTHER) as scene:
        await scene.start(instant)
        scene.model.hold("alpha")
        scene.say("alpha")
        await scene.is_asked("alpha")
        scene.say("beta")
        await scene.phone.sees("#1 of 8")
        scene.say("gamma")
        await scene.phone.sees("#2 of 8")
        scene.model.let_go("alpha")
        await scene.dies_and_starts()
        await scene.phone.is_answered("gamma")
        await scene.is_over()
        scene.is_done_once("alpha", perhaps_twice=instant != "before:EndTurn")
        scene.is_done_once("beta", "gamma")


@pytest.mark.parametrize(
    "message",
    [pytest.param("TextGrew", id="in its turn"), pytest.param("TurnSettled", id="at its turn's end")],
)
async def test_a_conversation_that_crashes_with_a_queue_does_each_message_once(tmp_path: Path, message: str) -> None:
    async with open_scene(tmp_path, ONE_AFTER_THE_OTHER) as scene:
        scene.model.hold("alpha")
        if message == "TextGrew":
            await scene.start("crash:Conversation.TextGrew#2")
        else:
            await scene.start("crash:Conversation.TurnSettled")
        scene.say("alpha")
        await scene.is_asked("alpha")
        scene.say("beta")
        await scene.phone.sees("#1 of 8")
        scene.say("gamma")
        await scene.phone.sees("#2 of 8")
        scene.model.let_go("alpha")
        await scene.is_reached()
        await scene.phone.is_answered("gamma")
        await scene.is_over()
        scene.is_done_once("alpha", "beta", "gamma")


async def test_the_note_about_a_message_that_waits_says_what_became_of_it_after_a_kill(tmp_path: Path) -> None:
    """Killed when its turn is next: nobody remembers the note but the store and the phone."""
    async with open_scene(tmp_path, ONE_AFTER_THE_OTHER) as scene:
        await scene.start("after:EndTurn")
        scene.model.hold("alpha")
        scene.say("alpha")
        await scene.is_asked("alpha")
        scene.say("beta")
        await scene.asks("#1 of 8")
        scene.model.let_go("alpha")
        await scene.dies_and_starts()
        await scene.phone.is_answered("beta")
        await scene.is_over()
        scene.is_done_once("alpha", "beta")


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("after:Accept:beta", id="C1, it has not joined"),
        pytest.param("after:JoinTurn", id="joined, not written"),
        pytest.param("written:pi.steer", id="written, not read"),
        pytest.param("acked:pi.steer", id="acknowledged, not consumed"),
    ],
)
async def test_a_message_that_joins_a_turn_is_done_once(scene: Scene, instant: str) -> None:
    await scene.start(instant)
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    scene.say("beta")
    await scene.dies()
    scene.model.let_go("alpha")
    await scene.house.start()
    await scene.phone.is_answered("beta")
    await scene.is_over()
    scene.is_done_once("alpha", "beta")


async def test_a_message_that_has_joined_and_is_consumed_is_not_said_again(scene: Scene) -> None:
    """The service hears nothing of it: it stands still from the moment in which pi has acknowledged the steer."""
    await scene.start("frozen:pi.steer")
    scene.say("opening")
    await scene.phone.is_answered("opening")
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    scene.say("beta")
    await scene.stands_still()
    scene.model.hold("beta")
    scene.model.let_go("alpha")
    await scene.is_asked("beta")
    await scene.house.until(lambda: scene.in_session("beta") == 1)
    await scene.house.kill()
    scene.model.let_go("beta")
    await scene.house.start()
    await scene.phone.is_answered("beta")
    await scene.is_over()
    scene.is_done_once("alpha", "beta")


# --- the agent alone ends ---------------------------------------------------------------------------------------------


async def test_a_prompt_and_a_steer_in_the_mailbox_of_an_agent_that_ends_are_not_for_the_next_one(
    scene: Scene,
) -> None:
    await scene.start("stall:Agent.Prompt")
    scene.say("alpha")
    await scene.is_reached()
    scene.say("beta")
    await scene.phone.sees("Joined the running turn")
    os.kill(scene.house.agents()["ann"], signal.SIGKILL)
    await scene.phone.is_answered("alpha")
    await scene.phone.is_answered("beta")
    await scene.is_over()
    scene.is_done_once("alpha", "beta")


async def test_an_abort_in_the_mailbox_of_an_agent_that_ends_hurts_nobody_else(scene: Scene) -> None:
    await scene.start("stall:Agent.Steer")
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    scene.say("beta")
    await scene.is_reached()
    scene.say("/stop")
    await scene.house.until(lambda: scene.rows("SELECT id FROM turns WHERE stop_requested"))
    await scene.house.until(scene.agent_is_told)
    os.kill(scene.house.agents()["ann"], signal.SIGKILL)
    await scene.phone.sees("Stopped.")
    scene.model.let_go("alpha")
    scene.say("gamma")
    await scene.phone.is_answered("gamma")
    if any(bubble.buttons for bubble in scene.phone.bubbles()):  # beta was given back, and is held
        scene.fake.tap(ANN.id, "Run")
        await scene.phone.is_answered("beta")
    await scene.is_over()
    assert scene.outcomes()[:2] == ["stopped", "done"]
    assert scene.answers("alpha") == []
    scene.is_done_once("gamma")


# --- stop and interrupt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("before:Accept:/stop", id="update received, C1 not begun"),
        pytest.param("after:Accept:/stop", id="C1, the conversation is not told"),
        pytest.param("before:pi.abort", id="abort not written"),
        pytest.param("written:pi.abort", id="abort written"),
        pytest.param("acked:pi.abort", id="abort acknowledged"),
        pytest.param("before:EndTurn", id="abort done, C2 not begun"),
        pytest.param("after:EndTurn", id="C2"),
    ],
)
async def test_a_stopped_turn_stays_stopped(scene: Scene, instant: str) -> None:
    await scene.start(instant)
    scene.model.hold("alpha")
    scene.say("alpha")
    await scene.is_asked("alpha")
    scene.say("/stop")
    await scene.dies()
    asked = len(scene.model.requests)
    if instant == "before:Accept:/stop":  # nobody knows of the stop yet: it finds the turn when that goes on
        await scene.house.start()
    else:
        scene.model.let_go("alpha")
        await scene.house.start()
    await scene.phone.sees("Stopped.")
    await scene.house.until(lambda: scene.outcomes() == ["stopped"])
    if instant != "before:Accept:/stop":
        assert len(scene.model.requests) == asked
    scene.say("beta")
    await scene.phone.is_answered("beta")
    await scene.is_over()
    assert scene.outcomes() == ["stopped", "done"]
    assert len(scene.phone.bubbles("Stopped.")) == 1
    assert len(scene.answers("beta")) == 1
    assert [bubble for bubble in scene.answers("alpha") if "beta" not in bubble.text] == []


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("after:Accept:beta", id="C1, the turn goes on"),
        pytest.param("after:RequestStop", id="stop committed, abort not told"),
        pytest.param("before:pi.abort", id="abort not written"),
        pytest.param("acked:pi.abort", id="abort acknowledged"),
        pytest.param("after:EndTurn", id="the old turn ended, no new prompt"),
        pytest.param("after:BeginTurn#2", id="the new turn claimed, no new prompt"),
    ],
)
async def test_an_interrupted_turn_is_over_and_the_new_message_is_done_once(tmp_path: Path, instant: str) -> None:
    async with open_scene(tmp_path, '[rooms]\nbusy = "interrupt"') as scene:
        await scene.start(instant)
        scene.model.hold("alpha")
        scene.say("alpha")
        await scene.is_asked("alpha")
        scene.say("beta")
        await scene.dies()
        asked = len(scene.model.requests)
        if instant != "after:Accept:beta":  # else beta still has to find a turn that it can interrupt
            scene.model.let_go("alpha")
        await scene.house.start()
        if instant == "after:Accept:beta":
            await scene.phone.sees("Stopped.")
            scene.model.let_go("alpha")
        await scene.phone.is_answered("beta")
        await scene.is_over()
        assert scene.outcomes() == ["stopped", "done"]
        assert len(scene.answers("beta")) == scene.in_session("beta") == 1
        assert len(scene.phone.bubbles("Stopped.")) == 1
        assert [bubble for bubble in scene.answers("alpha") if "beta" not in bubble.text] == []
        if instant != "after:Accept:beta":
            [request] = scene.model.requests[asked:]
            assert pending(request["messages"])[-1] == "beta"


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("before:OpenQuestion", id="asked, no row"),
        pytest.param("after:OpenQuestion", id="row, not shown"),
        pytest.param("before:Press:green", id="shown, not answered"),
    ],
)
async def test_a_question_that_is_cut_off_can_still_be_answered(scene: Scene, instant: str) -> None:
    await scene.start(instant if "Press" not in instant else "before:Press")
    scene.say("ask Which colour?")
    if "Press" in instant:
        await scene.asks("Which colour?")
        scene.fake.tap(ANN.id, "green")
    await scene.dies_and_starts()
    if "Press" not in instant:
        await scene.asks("Which colour?")
        scene.fake.tap(ANN.id, "green")
    await scene.phone.is_answered("Done:")
    await scene.is_over()
    assert "green" in str(scene.model.requests[-1]["messages"])
    assert len(scene.phone.bubbles("→ green")) == 1
    assert len(scene.answers("Which colour?")) == 1


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param("after:Press", id="answer in C1, the agent is not told"),
        pytest.param("before:pi.extension_ui_response:green", id="answer not written"),
        pytest.param("written:pi.extension_ui_response:green", id="answer written, not read"),
    ],
)
async def test_an_answer_is_not_asked_for_again(scene: Scene, instant: str) -> None:
    await scene.start(instant)
    scene.say("ask Which colour?")
    await scene.asks("Which colour?")
    scene.fake.tap(ANN.id, "green")
    await scene.dies_and_starts()
    await scene.phone.is_answered("Done:")
    await scene.is_over()
    assert "green" in str(scene.model.requests[-1]["messages"])
    assert len(scene.phone.bubbles("Which colour?")) == 2  # the question with its answer, and the agent's own
    assert len(scene.phone.bubbles("→ green")) == 1
    assert len(scene.answers("Which colour?")) == 1


async def test_an_answer_that_the_tool_has_brought_back_is_not_given_again(scene: Scene) -> None:
    """Killed after tool_execution_end: the session has the tool's result, and the model is thinking about it."""
    await scene.start()
    scene.say("ask Which colour?")
    await scene.asks("Which colour?")
    scene.model.hold("Which colour?")
    scene.fake.tap(ANN.id, "green")
    await scene.is_asked("Which colour?", 2)
    await scene.house.until(lambda: scene.rows("SELECT id FROM inbound WHERE command = 'answer' AND state = 'done'"))
    await scene.house.kill()
    scene.model.let_go("Which colour?")
    await scene.house.start()
    await scene.phone.is_answered("Done:")
    await scene.is_over()
    assert "green" in str(scene.model.requests[-1]["messages"])
    assert "Your question has been answered" not in str(scene.model.requests[-1]["messages"])
    assert len(scene.answers("Which colour?")) == 1


# --- what shows a running turn ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "orphans"),
    [
        pytest.param("before:PreviewShown", 1, id="sent, its id not stored"),
        pytest.param("after:PreviewShown", 0, id="its id stored"),
    ],
)
async def test_a_preview_goes_when_its_final_has_come(tmp_path: Path, instant: str, orphans: int) -> None:
    """One that nobody knows the id of stays, which the README says; it is never taken for an answer."""
    async with open_scene(tmp_path, groups=(GROUP,)) as scene:
        scene.fake.open_group(GROUP, "Lab", forum=True)
        topic = scene.fake.open_topic(GROUP, "build")
        phone = Phone(scene.fake, GROUP, topic)
        await scene.start(instant)
        scene.model.hold("alpha")
        scene.fake.say(GROUP, "alpha", thread=topic)
        await scene.dies()
        scene.model.let_go("alpha")
        await scene.house.start()
        await phone.is_answered("alpha")
        await scene.house.until(lambda: not scene.open_rows())
        await phone.until(lambda: [True] * (len(phone.leftovers) <= orphans), "an end of the previews")
        assert await scene.house.stop() == 0
        assert len(phone.answers) == 1
        assert phone.bubbles(MARK) == []
        assert len(phone.leftovers) == orphans


# --- the service is stopped in the middle of a send -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seconds", "marked"),
    [
        pytest.param(Fault.SLOW, 1.0, 0, id="Telegram answers within the grace"),
        pytest.param(Fault.SLOW, 30.0, 1, id="Telegram has it and does not say so"),
        pytest.param(Fault.HANG_BEFORE, 30.0, 1, id="Telegram has nothing and does not say so"),
    ],
)
async def test_a_send_that_a_stop_cuts_off_is_known_after_the_start(
    scene: Scene, fault: Fault, seconds: float, marked: int
) -> None:
    await scene.start()
    scene.fake.set_fault("sendMessage", fault, seconds=seconds)
    scene.say("alpha")
    with trio.fail_after(PATIENCE):
        await scene.fake.wait_for(lambda: scene.fake.called("sendMessage"), PATIENCE)
    assert await scene.house.stop() == 0
    assert len(scene.rows("SELECT id FROM deliveries WHERE state = 'sent'")) == 1 - marked
    scene.fake.clear_faults()
    await scene.house.start()
    await scene.phone.is_answered("alpha")
    await scene.is_over()
    scene.is_done_once("alpha", copies=1 + (fault is Fault.SLOW and marked), marked=marked)
