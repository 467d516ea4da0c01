"""Random days of a room: people write, command and answer, everything dies at any moment, nothing is lost.

The conversation's state machine runs against a model of the store (rows), of the session (entries) and of the agent (an
incarnation that runs at most one turn). Steps are carried out one by one, so that a crash may fall between any two.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.messages import (
    AgentLost,
    AgentWaits,
    Attachment,
    BusyMode,
    Compacted,
    DeliveryKind,
    Entry,
    Outcome,
    Question,
    QuestionAsked,
    Queued,
    Recalled,
    SteerTaken,
    ToolCall,
    Turn,
    TurnSettled,
)
from actors.rooms import steps
from actors.rooms.fates import MOST_ATTEMPTS, MOST_PARTED, Setting, tries
from actors.rooms.reports import is_report
from actors.rooms.steps import Known, Phase, Step
from actors.rooms.turns import Turns
from tests.actors.rooms.playbook import greeting
from tests.actors.rooms.rows import PROJECTS, command, made, message, question, report, work

Facts = Callable[[], list[Step]]
RARELY = [False, False, False, True]
MODES: list[BusyMode | None] = [None, None, "steer", "follow_up", "interrupt"]


class Written(NamedTuple):
    """An entry of the session, with the turn that wrote it and the messages that it says."""

    turn: str
    entry: Entry
    inbounds: tuple[int, ...]


class Days(RuleBasedStateMachine):
    """One room."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = 0
        # the store
        self.queue: list[Queued] = []
        self.held: list[Queued] = []
        self.commands: list[Queued] = []
        self.questions: dict[int, Question] = {}
        self.turn: Turn | None = None
        self.leaf: str | None = None
        self.accepted: set[int] = set()
        self.fates: dict[int, str] = {}
        self.doubtful: set[int] = set()
        self.ends: dict[str, steps.End] = {}
        self.known_stopped: set[str] = set()
        self.stoppers: dict[str, set[str]] = {}
        self.parted: set[tuple[str, int]] = set()
        self.crashed = False  # and has not gone on since
        self.setting: Setting = "resume"
        # the session: entries of all turns
        self.session = 1
        self.entries: list[Written] = []
        # the agent
        self.incarnation = 0
        self.alive = self.greeted = self.compacting = False
        self.running: str | None = None
        self.unwritten: tuple[Queued, ...] = ()
        self.steers: list[tuple[Queued, ...]] = []
        self.dialog: str | None = None
        self.answered: list[str] = []
        self.finished: dict[str, int] = {}
        # the conversation and what waits for it
        self.box: deque[Facts] = deque()
        self.todo: deque[Step] = deque()
        self.fetching: list[Attachment] = []
        self.pauses: list[int] = []
        # the registrar, which answers in its own time, and the sub-agents that it keeps
        self.decisions: set[int] = set()
        self.told: list[int] = []
        self.start_conversation()

    @initialize(setting=st.sampled_from(["resume", "resume", "ask", "drop"]))
    def it_is_configured(self, setting: Setting) -> None:
        self.setting = setting
        self.start_conversation()

    # --- the conversation

    def start_conversation(self) -> None:
        self.turns = Turns("steer", PROJECTS, self.setting)
        self.todo.clear()
        self.box.clear()
        self.fetching, self.pauses, self.told = [], [], []
        self.box.append(self.pull)

    def pull(self) -> list[Step]:
        if self.turn is not None and self.turn.stop_requested:
            self.known_stopped.add(self.turn.id)
        rows = work(
            *self.queue,
            turn=self.turn,
            commands=tuple(self.commands),
            leaf=self.leaf,
            questions=tuple(self.questions.values()),
            held=tuple(self.held),
        )
        return self.turns.pulled(rows, Known(float(self.ids), subagents=(made(),)))

    @precondition(lambda self: self.todo or self.box)
    @rule(most=st.integers(1, 15))
    def conversation_goes_on(self, most: int) -> None:
        while most > 0 and (self.todo or self.box):
            self.take_a_step()
            most -= 1

    def take_a_step(self) -> None:
        following = self.carry_out(self.todo.popleft()) if self.todo else self.box.popleft()()
        started = {step.turn for step in following if isinstance(step, steps.SendPrompt | steps.SendContinue)}
        assert not started & self.known_stopped, "a stopped turn stays stopped"
        self.todo.extend(following)

    @precondition(lambda self: self.todo or self.running)
    @rule()
    def conversation_crashes(self) -> None:
        self.crashed = self.crashed or self.running is not None
        self.kill_agent()
        self.start_conversation()

    @precondition(lambda self: self.turn is not None and self.turn.parted < MOST_PARTED - 2)
    @rule()
    def the_service_is_stopped_and_started(self) -> None:
        parting = self.turns.parting() if self.alive else None
        if parting is not None:
            self.part(*parting)
        self.kill_agent()
        self.start_conversation()

    def carry_out(self, step: Step) -> list[Step]:
        match step:
            case steps.Begin():
                if self.turn is None and self.overtaken(step.inbounds):
                    return self.pull()
                return self.turns.began(self.begin(step))
            case steps.Part(turn, attempt, decided):
                self.part(turn, attempt, decided)
            case steps.Join(turn, inbounds):
                assert self.turn is not None
                assert self.turn.id == turn
                if self.overtaken(inbounds):
                    return self.pull()
                self.join(inbounds)
                return self.turns.joined(self.turn, inbounds)
            case steps.Interrupt(turn):
                assert self.turn is not None
                assert self.turn.id == turn
                self.stop_turn("message")
                self.known_stopped.add(turn)
                return self.turns.interrupted(turn)
            case steps.End():
                self.end(step)
                return self.pull()
            case steps.Answer():
                self.answer(step)
                return self.pull()
            case steps.Open(asked, _):
                self.turns.questions.opened(self.open(asked))
            case steps.Close(closed, _, _):
                self.questions.pop(closed.id, None)
            case steps.SendPrompt() | steps.SendContinue():
                assert self.turn is not None
                assert self.turn.id == step.turn
                self.hear(step)
            case steps.SendSteer(turn, rows, _):
                if self.heard_by_agent() and self.running == turn:  # else it came just after the run's end
                    self.check_new(rows)
                    self.steers.append(rows)
            case steps.SendRecall(turn, since):
                self.recall(turn, since)
            case steps.SendAbort(turn):
                if self.running == turn:
                    self.settle("aborted", "par")
            case steps.SendCompact():
                assert self.running is None, "nothing is summarised while a run is on"
                self.compacting = self.heard_by_agent()
            case steps.GiveAnswer(dialog, _):
                if self.heard_by_agent() and self.dialog == dialog:
                    self.dialog = None
            case steps.FetchFiles(attachments):
                self.fetching += attachments
            case steps.AwaitBurst(newest):
                self.pauses.append(newest)
            case steps.NoteBusy(waiting, _):
                assert not is_report(waiting), "nobody wrote it"
            case steps.PassOn(wish, _, _):
                assert wish.id not in self.told, "by one conversation, once"
                self.told.append(wish.id)
                if any(row.id == wish.id for row in self.commands):  # else it was answered when it was told before
                    self.decisions.add(wish.id)
            case _:
                pass
        return []

    # --- the store

    def overtaken(self, inbounds: tuple[int, ...]) -> bool:
        """Whether a stop has held what was about to begin or to join."""
        if not {row.id for row in self.held}.intersection(inbounds):
            return False
        self.turns.overtaken(inbounds)
        return True

    def part(self, turn: str, attempt: int, decided: bool) -> None:
        assert self.turn is not None
        assert (self.turn.id, self.turn.attempt) == (turn, attempt), "the attempt that was on"
        assert (turn, attempt) not in self.parted, "said once each"
        self.parted.add((turn, attempt))
        self.turn = msgspec.structs.replace(self.turn, parted=self.turn.parted + 1, decided=decided)

    def stop_turn(self, who: str) -> None:
        if self.turn is not None:
            self.turn = msgspec.structs.replace(self.turn, stop_requested=True)
            self.stoppers.setdefault(self.turn.id, set()).add(who)

    def hold(self, before: int | None = None) -> None:
        found = [row for row in self.queue if before is None or row.id < before]
        self.held = sorted((*self.held, *found), key=lambda row: row.id)
        self.queue = [row for row in self.queue if row not in found]

    def begin(self, step: steps.Begin) -> Turn:
        if self.turn is None:
            assert step.turn not in self.ends
            rows = tuple(row for row in self.queue if row.id in step.inbounds)
            assert rows == tuple(self.queue[: len(rows)]), "the oldest first"
            assert rows
            assert len({row.burst for row in rows}) == 1
            self.queue = self.queue[len(rows) :]
            self.turn = Turn(
                id=step.turn,
                attempt=step.attempt,
                leaf_before=step.leaf,
                stop_requested=False,
                started_at=float(self.ids),
                inbounds=rows,
            )
        else:
            assert self.turn.id == step.turn
            newer = step.attempt > self.turn.attempt
            decided = self.turn.decided and not newer
            self.turn = msgspec.structs.replace(
                self.turn, attempt=max(step.attempt, self.turn.attempt), decided=decided
            )
            assert tries(self.turn) <= MOST_ATTEMPTS + 1
        if self.turn.stop_requested:
            self.known_stopped.add(step.turn)
        return self.turn

    def join(self, inbounds: tuple[int, ...]) -> None:
        assert self.turn is not None
        rows = [row for row in self.queue if row.id in inbounds]
        assert len(rows) == len(inbounds), "what joins has waited"
        self.queue = [row for row in self.queue if row.id not in inbounds]
        assert not any(map(is_report, rows)), "a report waits for the end"
        joined = [*self.turn.inbounds, *(msgspec.structs.replace(row, steered=True) for row in rows)]
        self.turn = msgspec.structs.replace(self.turn, inbounds=tuple(sorted(joined, key=lambda row: row.id)))

    def end(self, end: steps.End) -> None:
        turn = self.turn
        assert turn is not None
        assert end.turn == turn.id, "a turn ends once"
        assert end.turn not in self.ends
        self.ends[end.turn], self.turn, self.leaf = end, None, end.leaf
        self.check_fate(turn, end)
        self.crashed = False
        by, waits = self.stoppers.get(turn.id, set()), {row.command for row in self.commands}
        assert not end.hold or "person" in by or "topic" in waits, "only a person's stop holds"
        hold = end.hold or bool(waits & {"stop", "new"})
        assert hold or not end.returned or by != {"person"}, "what a stopped turn gives back is held"
        written = {inbound for entry in self.entries for inbound in entry.inbounds}
        for row in turn.inbounds:
            if row.id in end.returned:
                assert row.steered
                if end.outcome is Outcome.WAITING:
                    self.doubtful.add(row.id)  # it was cut off with its agent, so nobody can tell
                assert row.id not in written - self.doubtful, "what was heard is not done again"
                (self.held if hold else self.queue).append(msgspec.structs.replace(row, steered=False))
                continue
            assert row.id not in self.fates
            self.fates[row.id] = end.outcome.value
            if end.outcome is Outcome.DONE:
                assert row.id in written, "what was never heard is not done"
        if end.outcome is Outcome.DONE:
            assert end.answer.split("\n\n") == self.answers(turn.id), "all that was answered is said, once"
        self.queue.sort(key=lambda row: row.id)
        self.held.sort(key=lambda row: row.id)
        if end.outcome is not Outcome.WAITING:
            self.questions = {id: each for id, each in self.questions.items() if each.turn != turn.id}
        self.commands = [msgspec.structs.replace(row, saw_end=True) for row in self.commands]
        self.fetching = []

    def answer(self, step: steps.Answer) -> None:
        assert not (step.fresh and self.turn), "a turn belongs to its session"
        self.commands = [row for row in self.commands if row.id != step.command.id]
        if step.fresh:
            self.session += 1
            self.entries, self.leaf, self.running, self.greeted = [], None, None, False
            self.dialog, self.steers, self.unwritten, self.compacting = None, [], (), False
        if step.drop is not None:
            rows = [*self.queue, *self.held]
            bursts = {row.burst for row in rows if row.id == step.drop and row.burst is not None}
            gone = [row for row in rows if row.id == step.drop or row.burst in bursts]
            self.queue = [row for row in self.queue if row not in gone]
            self.held = [row for row in self.held if row not in gone]
            self.fates.update((row.id, "dropped") for row in gone)
        if step.held == "run":
            self.queue, self.held = sorted((*self.queue, *self.held), key=lambda row: row.id), []
        elif step.held == "drop":
            self.fates.update((row.id, "dropped") for row in self.held)
            self.held = []
        elif step.held == "hold":
            self.hold(before=step.command.id)

    def check_fate(self, turn: Turn, end: steps.End) -> None:
        """A turn is interrupted after a crash only, and never if it had finished."""
        if end.outcome is Outcome.INTERRUPTED:
            assert tries(turn) > 1, "an end on purpose asks nobody"
            assert turn.id not in self.finished
            assert self.setting != "resume" or self.at_work(turn.id)

    def at_work(self, turn: str) -> bool:
        """Whether the session says that a tool which changes things was running."""
        mine = [each.entry for each in self.entries if each.turn == turn]
        return bool(mine) and any(call.tool == "bash" for call in mine[-1].calls)

    def open(self, asked: QuestionAsked) -> Question:
        known = [each for each in self.questions.values() if (each.turn, each.dialog) == (asked.turn, asked.dialog)]
        if known:
            return known[0]
        self.ids += 1
        self.questions[self.ids] = question(self.ids, turn=asked.turn, dialog=asked.dialog)
        return self.questions[self.ids]

    @precondition(lambda self: len(self.queue) < 4)
    @rule(mode=st.sampled_from(MODES), burst=st.sampled_from([None, None, "album"]), file=st.sampled_from(RARELY))
    def a_person_writes(self, mode: BusyMode | None, burst: str | None, file: bool) -> None:
        self.write_message(mode=mode, burst=burst, file=file)

    def write_message(self, *, mode: BusyMode | None = None, burst: str | None = None, file: bool = False) -> None:
        self.ids += 1
        attachments = (Attachment(handle="h", name="n", mime="", size=1, id=self.ids),) if file else ()
        row = message(self.ids, mode=mode, burst=burst, attachments=attachments, accepted_at=float(self.ids))
        self.queue.append(row)
        self.accepted.add(row.id)
        self.box.append(self.pull)

    @precondition(lambda self: len(self.queue) < 4)
    @rule()
    def a_sub_agent_reports(self) -> None:
        self.ids += 1
        row = report(self.ids, f"s{self.ids}", accepted_at=float(self.ids))
        if any(is_report(each) for each in self.held):  # what belongs to a burst that is held is held
            self.held.append(row)
        else:
            self.queue.append(row)
        self.accepted.add(row.id)
        self.box.append(self.pull)

    @precondition(lambda self: len(self.commands) < 3)
    @rule(name=st.sampled_from(["apply", "diff", "discard", "agents"]))
    def a_person_decides_about_a_sub_agent(self, name: str) -> None:
        self.give_command(name, "shop-2")

    @precondition(lambda self: self.decisions)
    @rule()
    def the_registrar_answers(self) -> None:
        done = min(self.decisions)
        self.decisions.discard(done)
        self.commands = [row for row in self.commands if row.id != done]
        self.box.append(self.pull)

    @precondition(lambda self: self.running is not None)
    @rule(waits=st.booleans())
    def agent_waits_for_sub_agents(self, waits: bool) -> None:
        assert self.running is not None
        event = AgentWaits(turn=self.running, incarnation=self.incarnation, waits=waits)
        self.box.append(lambda: self.turns.waits(event))

    @precondition(lambda self: len(self.commands) < 3)
    @rule(name=st.sampled_from(["stop", "new", "status", "compact", "status", "status"]))
    def a_person_commands(self, name: str) -> None:
        self.give_command(name)
        if name in ("stop", "new"):
            self.stop_turn("person")
            self.hold()

    @precondition(lambda self: len(self.commands) < 3)
    @rule()
    def a_person_binds_the_room_to_a_project(self) -> None:
        self.give_command("topic", "till")

    @precondition(lambda self: self.turn is not None)
    @rule()
    def somebody_kills_the_room(self) -> None:
        self.stop_turn("person")
        self.hold()
        self.box.append(self.pull)

    @precondition(lambda self: self.held and len(self.commands) < 3)
    @rule(name=st.sampled_from(["run_held", "drop_held"]))
    def a_person_decides(self, name: str) -> None:
        self.give_command(name, "held:t1")

    @precondition(lambda self: self.queue and len(self.commands) < 3)
    @rule(name=st.sampled_from(["steer_it", "keep_it", "drop_it"]), which=st.integers(0, 3))
    def a_person_chooses(self, name: str, which: int) -> None:
        self.give_command(name, str(self.queue[which % len(self.queue)].id))

    @precondition(lambda self: self.questions)
    @rule()
    def a_person_answers(self) -> None:
        number = min(self.questions)
        asked = self.questions.pop(number)
        if self.turn is not None and self.turn.id == asked.turn:
            self.give_command("answer", f"{number} yes")
        else:
            self.write_message()

    @precondition(lambda self: self.questions)
    @rule()
    def a_question_expires(self) -> None:
        number = max(self.questions)
        self.box.append(lambda: self.turns.questions.expired(number))

    def give_command(self, name: str, argument: str = "") -> None:
        self.ids += 1
        self.commands.append(command(self.ids, name, f"/{name} {argument}".rstrip()))
        self.box.append(self.pull)

    # --- timers and helpers

    @precondition(lambda self: self.pauses)
    @rule()
    def a_burst_pauses(self) -> None:
        newest = self.pauses.pop(0)
        self.box.append(lambda: self.turns.quiet(newest))

    @precondition(lambda self: self.fetching)
    @rule(lost=st.booleans())
    def a_file_is_fetched(self, lost: bool) -> None:
        file = self.fetching.pop(0)
        saved = {} if lost else {file.id: f"uploads/{file.id}"}
        failed = {file.id: "gone"} if lost else {}
        self.box.append(lambda: self.turns.fetched(saved, failed))

    @precondition(lambda self: self.running is not None and self.dialog is None)
    @rule()
    def it_takes_too_long(self) -> None:
        turn = self.running
        assert turn is not None
        self.box.appendleft(lambda: self.turns.too_long(turn))

    # --- the agent

    @precondition(lambda self: not self.alive or not self.greeted)
    @rule()
    def agent_is_ready(self) -> None:
        if not self.alive:
            self.incarnation += 1
        self.alive = self.greeted = True
        ready, session = greeting(self.incarnation, self.session_leaf()), self.session
        # The shell drops a greeting from a session that the room has left.
        self.box.append(lambda: self.turns.agent_ready(ready) if session == self.session else [])

    @precondition(lambda self: self.alive and (self.todo or self.running or self.compacting))
    @rule()
    def agent_crashes(self) -> None:
        self.crashed = self.crashed or self.running is not None
        self.end_agent("boom")
        lost = AgentLost(incarnation=self.incarnation, what="pi ended")
        self.box.appendleft(lambda: self.turns.agent_lost(lost))

    @precondition(lambda self: self.alive and (self.turn is None or self.turn.parted < MOST_PARTED - 2))
    @rule()
    def agent_is_restarted(self) -> None:
        self.end_agent("shutdown")

    def end_agent(self, reason: str) -> None:
        number = self.incarnation
        self.kill_agent()
        # The runtime's notice overtakes; the shell looks first whether a question has been answered in the meantime.
        self.box.appendleft(lambda: self.turns.agent_down(number, reason))
        self.box.appendleft(lambda: self.pull() if self.turns.questions.asking else [])

    def kill_agent(self) -> None:
        self.alive = self.greeted = self.compacting = False
        self.running, self.unwritten, self.steers, self.dialog = None, (), [], None

    def session_leaf(self) -> str | None:
        return self.entries[-1].entry.id if self.entries else None

    def heard_by_agent(self) -> bool:
        return self.alive and self.greeted and self.turns.agent == self.incarnation

    def check_new(self, rows: tuple[Queued, ...]) -> None:
        said = {inbound for entry in self.entries for inbound in entry.inbounds}
        assert not said & ({row.id for row in rows} - self.doubtful), "what was heard is not said again"

    def hear(self, step: steps.SendPrompt | steps.SendContinue) -> None:
        if not self.heard_by_agent():
            return
        assert self.running is None, "two prompts at once"
        assert not self.compacting, "nothing is sent while the session is summarised"
        if self.crashed and self.turn is not None and tries(self.turn) > 1:
            going_on = isinstance(step, steps.SendContinue)
            assert self.setting != "drop"
            assert not (going_on and self.setting == "ask"), "a crash is asked about"
            assert not (going_on and self.at_work(step.turn)), "nothing is done twice without a question"
        self.crashed = False
        self.running, self.answered = step.turn, []
        if isinstance(step, steps.SendPrompt):
            self.check_new(step.inbounds)
            self.unwritten = step.inbounds

    def recall(self, turn: str, since: str | None) -> None:
        if not self.heard_by_agent():
            return
        ids = [each.entry.id for each in self.entries]
        assert since is None or since in ids
        behind = self.entries[0 if since is None else ids.index(since) + 1 :]
        assert {each.turn for each in behind} <= {turn}, "another turn's entries are taken for its own"
        entries = tuple(each.entry for each in behind)
        event = Recalled(turn=turn, incarnation=self.incarnation, entries=entries, leaf=self.session_leaf())
        self.box.append(lambda: self.turns.recalled(event))

    def answers(self, turn: str) -> list[str]:
        return [each.entry.text for each in self.entries if each.turn == turn and each.entry.stop_reason == "stop"]

    def write(self, role: str, text: str, stop_reason: str = "", inbounds: tuple[int, ...] = ()) -> None:
        assert self.running is not None
        self.ids += 1
        called = ""
        calls: tuple[ToolCall, ...] = ()
        if role == "toolResult":
            called = next((call.id for each in reversed(self.entries) for call in each.entry.calls), "")
        elif stop_reason == "toolUse":
            calls = (ToolCall(id=f"c{self.ids}", tool="bash" if self.ids % 2 else "read", summary="make"),)
        entry = Entry(id=f"e{self.ids}", role=role, text=text, stop_reason=stop_reason, calls=calls, call=called)
        self.entries.append(Written(self.running, entry, inbounds))

    def flush(self, rows: tuple[Queued, ...]) -> None:
        if rows:
            self.write("user", "\n\n".join(row.text for row in rows), inbounds=tuple(row.id for row in rows))

    @precondition(lambda self: self.running is not None and self.dialog is None)
    @rule(role=st.sampled_from(["", "assistant", "toolResult"]), listens=st.booleans())
    def agent_works(self, role: str, listens: bool) -> None:
        self.flush(self.unwritten)
        self.unwritten = ()
        if role:
            self.write(role, "so", "toolUse" if role == "assistant" else "")
            self.box.append(self.turns.questions.moved)
        if listens and self.steers:
            rows = self.steers.pop(0)
            self.flush(rows)
            assert self.running is not None
            event = SteerTaken(turn=self.running, incarnation=self.incarnation, inbound=rows[0].id)
            self.box.append(lambda: self.turns.steer_taken(event))

    @precondition(lambda self: self.steers and self.dialog is None)
    @rule()
    def agent_answers_and_hears_more(self) -> None:
        self.agent_works(role="", listens=False)
        self.answered.append(f"answer {len(self.entries)} to {self.running}")
        self.write("assistant", self.answered[-1], "stop")
        self.agent_works(role="", listens=True)

    @precondition(lambda self: self.running is not None and self.dialog is None)
    @rule()
    def agent_asks(self) -> None:
        self.flush(self.unwritten)
        self.unwritten = ()
        self.ids += 1
        self.dialog = f"d{self.ids}"
        assert self.running is not None
        event = QuestionAsked(
            turn=self.running,
            incarnation=self.incarnation,
            dialog=self.dialog,
            method="input",
            title="Which one?",
            text="",
            options=(),
            timeout=None,
        )
        self.box.append(lambda: self.turns.asked(event))

    @precondition(lambda self: self.running is not None and self.dialog is None)
    @rule(stop_reason=st.sampled_from(["stop", "stop", "error"]), told=st.booleans())
    def agent_finishes(self, stop_reason: str, told: bool) -> None:
        self.settle(stop_reason, f"answer to {self.running}")
        if not told:  # it dies with its last words on the lips
            self.box.pop()
            self.agent_crashes()

    def settle(self, stop_reason: str, text: str) -> None:
        self.flush(self.unwritten)
        self.write("assistant", text, stop_reason)
        turn = self.running
        assert turn is not None
        if stop_reason == "stop":
            assert turn not in self.finished, "an answer is not worked out twice"
            self.finished[turn] = self.incarnation
        event = TurnSettled(
            turn=turn,
            incarnation=self.incarnation,
            text="\n\n".join((*self.answered, text)),
            stop_reason=stop_reason,
            error="busy" if stop_reason == "error" else "",
            leaf=self.session_leaf(),
            unconsumed=tuple(rows[0].id for rows in self.steers),
        )
        self.running, self.unwritten, self.steers, self.dialog = None, (), [], None
        self.box.append(lambda: self.turns.settled(event))

    @precondition(lambda self: self.compacting)
    @rule(error=st.sampled_from(["", "busy"]))
    def compaction_ends(self, error: str) -> None:
        self.compacting = False
        event = Compacted(incarnation=self.incarnation, error=error, leaf=self.session_leaf())
        self.box.append(lambda: self.turns.compacted(event))

    # --- what must hold

    @invariant()
    def quiet_means_idle_or_somebody_works(self) -> None:
        assert not self.turns.delegating or self.turns.phase in (Phase.RUNNING, Phase.STOPPING, Phase.ENDING)
        busy = self.todo or self.box or self.fetching or self.pauses or self.compacting or self.running
        if self.decisions and not busy:
            assert not self.turns.idle, "a command waits"
            return
        if not busy and self.alive and self.greeted:
            assert self.turns.idle, f"nobody does anything and the room is {self.turns.phase}"
            assert not self.queue
            assert not self.commands
            assert self.turn is None

    def teardown(self) -> None:
        """Nothing bad happens any more: everything gets its fate."""
        for _ in range(2000):
            if self.todo or self.box:
                self.take_a_step()
            elif self.fetching:
                self.a_file_is_fetched(lost=False)
            elif self.pauses:
                self.a_burst_pauses()
            elif self.decisions:
                self.the_registrar_answers()
            elif not self.alive or not self.greeted:
                self.agent_is_ready()
            elif self.compacting:
                self.compaction_ends("")
            elif self.dialog is not None:
                self.a_person_answers()
            elif self.running is not None:
                self.agent_finishes("stop", told=True)
            elif self.held:
                self.a_person_decides("run_held")
            else:
                break
        self.quiet_means_idle_or_somebody_works()
        assert self.fates.keys() == self.accepted, "every message has one fate"
        for turn, end in self.ends.items():
            if end.outcome is Outcome.DONE:
                answer, *notes = [told.kind for told in end.deliveries]
                assert answer is DeliveryKind.ANSWER
                assert all(each is DeliveryKind.NOTE for each in notes)  # about what is held, and about crashes
            if turn in self.finished:
                # Set aside if each agent that was to look what the session holds has died of that.
                assert end.outcome in (Outcome.DONE, Outcome.STOPPED, Outcome.FAILED, Outcome.QUARANTINED)


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
