"""Random days of a room: people write and stop, pi and the conversation die at any moment, and nothing may be lost.

The conversation's state machine runs against a model of the store (rows), of the session (entries) and of the agent (an
incarnation that runs at most one turn). Commands are carried out one by one, so that a crash may fall between any two.
"""

from collections import Counter, deque
from collections.abc import Callable

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.messages import DeliveryKind, Entry, Outcome, Queued, Turn
from actors.rooms.turns import (
    MOST_ATTEMPTS,
    Answer,
    Begin,
    Command,
    End,
    ListRooms,
    SendAbort,
    SendContinue,
    SendPrompt,
    SendRecall,
    ShowTurn,
    Turns,
)
from tests.actors.rooms.rows import command, message, work

Facts = Callable[[], list[Command]]


class Days(RuleBasedStateMachine):
    """One room."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = 0
        # the store
        self.queue: list[Queued] = []
        self.commands: list[Queued] = []
        self.turn: Turn | None = None
        self.leaf: str | None = None
        self.ends: dict[str, End] = {}
        self.known_stopped: set[str] = set()
        # the session: entries of all turns, each with the turn that wrote it
        self.session = 1
        self.entries: list[tuple[str, Entry]] = []
        # the agent
        self.incarnation = 0
        self.alive = self.greeted = False
        self.running: str | None = None
        self.unwritten = ""
        self.prompted: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        # the conversation and what waits for it
        self.box: deque[Facts] = deque()
        self.todo: deque[Command] = deque()
        self.start_conversation()

    # --- the conversation

    def start_conversation(self) -> None:
        self.turns = Turns()
        self.todo.clear()
        self.box.clear()
        self.box.append(self.pull)

    def pull(self) -> list[Command]:
        if self.turn is not None and self.turn.stop_requested:
            self.known_stopped.add(self.turn.id)
        rows = work(*self.queue, turn=self.turn, commands=tuple(self.commands), leaf=self.leaf)
        return self.turns.pulled(rows)

    @precondition(lambda self: self.todo or self.box)
    @rule()
    def conversation_goes_on(self) -> None:
        steps = self.carry_out(self.todo.popleft()) if self.todo else self.box.popleft()()
        started = {step.turn for step in steps if isinstance(step, SendPrompt | SendContinue)}
        assert not started & self.known_stopped, "a stopped turn stays stopped"
        self.todo.extend(steps)

    @rule()
    def conversation_crashes(self) -> None:
        self.kill_agent()
        self.start_conversation()

    def carry_out(self, step: Command) -> list[Command]:
        match step:
            case Begin(turn, attempt, inbounds, leaf):
                return self.turns.began(self.begin(turn, attempt, inbounds, leaf))
            case End():
                assert self.turn is not None
                assert step.turn == self.turn.id, "a turn ends once"
                assert step.turn not in self.ends
                self.ends[step.turn], self.turn, self.leaf = step, None, step.leaf
                return self.pull()
            case Answer(queued, _, fresh):
                assert not (fresh and self.turn), "a turn belongs to its session"
                self.commands.remove(queued)
                if fresh:
                    self.session += 1
                    self.entries, self.leaf, self.running, self.greeted = [], None, None, False
                return self.pull()
            case SendPrompt(turn) | SendContinue(turn):
                assert self.turn is not None
                assert self.turn.id == turn
                self.hear(step)
            case SendRecall(turn, since):
                self.recall(turn, since)
            case SendAbort(turn):
                if self.running == turn:
                    self.settle("aborted", "par")
            case ShowTurn() | ListRooms():
                pass
        return []

    # --- the store

    def begin(self, turn: str, attempt: int, inbounds: tuple[int, ...], leaf: str | None) -> Turn:
        if self.turn is None:
            assert turn not in self.ends
            rows = tuple(row for row in self.queue if row.id in inbounds)
            assert rows == tuple(self.queue[: len(rows)]), "the oldest first"
            assert rows
            self.queue = self.queue[len(rows) :]
            self.turn = Turn(
                id=turn, attempt=attempt, leaf_before=leaf, stop_requested=False, started_at=1.0, inbounds=rows
            )
        else:
            assert self.turn.id == turn
            assert attempt <= MOST_ATTEMPTS + 1
            self.turn = msgspec.structs.replace(self.turn, attempt=max(attempt, self.turn.attempt))
        if self.turn.stop_requested:
            self.known_stopped.add(turn)
        return self.turn

    @precondition(lambda self: len(self.queue) < 3)
    @rule()
    def a_person_writes(self) -> None:
        self.ids += 1
        self.queue.append(message(self.ids))
        self.box.append(self.pull)

    @precondition(lambda self: len(self.commands) < 3)
    @rule(name=st.sampled_from(["stop", "stop", "new", "status"]))
    def a_person_commands(self, name: str) -> None:
        self.ids += 1
        self.commands.append(command(self.ids, name))
        if name == "stop" and self.turn is not None:
            self.turn = msgspec.structs.replace(self.turn, stop_requested=True)
        self.box.append(self.pull)

    # --- the agent

    @precondition(lambda self: not self.alive or not self.greeted)
    @rule()
    def agent_is_ready(self) -> None:
        if not self.alive:
            self.incarnation += 1
        self.alive = self.greeted = True
        number, leaf, session = self.incarnation, self.session_leaf(), self.session
        # The shell drops a greeting from a session that the room has left.
        self.box.append(lambda: self.turns.agent_ready(number, leaf) if session == self.session else [])

    @precondition(lambda self: self.alive)
    @rule()
    def agent_crashes(self) -> None:
        number = self.incarnation
        self.kill_agent()
        self.box.appendleft(lambda: self.turns.agent_down(number, "boom"))  # the runtime's notice overtakes

    def kill_agent(self) -> None:
        self.alive = self.greeted = False
        self.running, self.unwritten = None, ""

    def session_leaf(self) -> str | None:
        return self.entries[-1][1].id if self.entries else None

    def hear(self, step: SendPrompt | SendContinue) -> None:
        if not self.alive or not self.greeted or self.turns.agent != self.incarnation:
            return
        self.prompted[step.turn] += 1
        assert self.running is None, "two prompts at once"
        self.running = step.turn
        if isinstance(step, SendPrompt):
            assert not any(turn == step.turn for turn, _ in self.entries), "what ran is not prompted again"
            self.unwritten = step.text

    def recall(self, turn: str, since: str | None) -> None:
        if not self.alive or self.turns.agent != self.incarnation:
            return
        ids = [entry.id for _, entry in self.entries]
        assert since is None or since in ids
        behind = self.entries[0 if since is None else ids.index(since) + 1 :]
        assert {owner for owner, _ in behind} <= {turn}, "another turn's entries are taken for its own"
        number, entries, leaf = self.incarnation, tuple(entry for _, entry in behind), self.session_leaf()
        self.box.append(lambda: self.turns.recalled(number, turn, entries, leaf))

    def write(self, role: str, text: str, stop_reason: str = "") -> None:
        assert self.running is not None
        self.ids += 1
        self.entries.append((self.running, Entry(id=f"e{self.ids}", role=role, text=text, stop_reason=stop_reason)))

    def flush(self) -> None:
        if self.unwritten:
            self.write("user", self.unwritten)
            self.unwritten = ""

    @precondition(lambda self: self.running is not None)
    @rule(role=st.sampled_from(["", "assistant", "toolResult"]))
    def agent_works(self, role: str) -> None:
        self.flush()
        if role:
            self.write(role, "so", "toolUse" if role == "assistant" else "")

    @precondition(lambda self: self.running is not None)
    @rule(stop_reason=st.sampled_from(["stop", "stop", "error"]), told=st.booleans())
    def agent_finishes(self, stop_reason: str, told: bool) -> None:
        self.settle(stop_reason, f"answer to {self.running}")
        if not told:  # it dies with its last words on the lips
            self.box.pop()
            self.agent_crashes()

    def settle(self, stop_reason: str, text: str) -> None:
        self.flush()
        self.write("assistant", text, stop_reason)
        turn, self.running = self.running, None
        assert turn is not None
        number, leaf, error = self.incarnation, self.session_leaf(), "" if stop_reason != "error" else "busy"
        self.runs[turn] += stop_reason == "stop"
        self.box.append(lambda: self.turns.settled(number, turn, text, stop_reason, error, leaf))

    @precondition(lambda self: self.running is not None)
    @rule()
    def it_takes_too_long(self) -> None:
        turn = self.running
        assert turn is not None
        self.box.appendleft(lambda: self.turns.too_long(turn))

    # --- what must hold

    @invariant()
    def an_answer_is_given_once_and_not_worked_out_twice(self) -> None:
        assert all(times <= 1 for times in self.runs.values())

    @invariant()
    def quiet_means_idle_or_somebody_works(self) -> None:
        if not self.todo and not self.box and self.alive and self.greeted and self.running is None:
            assert self.turns.idle, f"nobody does anything and the room is {self.turns.phase}"
            assert not self.queue
            assert not self.commands
            assert self.turn is None

    def teardown(self) -> None:
        """Nothing bad happens any more: everything gets its fate."""
        for _ in range(1000):
            if self.todo or self.box:
                self.conversation_goes_on()
            elif not self.alive or not self.greeted:
                self.agent_is_ready()
            elif self.running is not None:
                self.agent_finishes("stop", told=True)
            else:
                break
        self.quiet_means_idle_or_somebody_works()
        for turn, end in self.ends.items():
            if end.outcome is Outcome.DONE:
                assert [told.kind for told in end.deliveries] == [DeliveryKind.ANSWER]
                assert self.prompted[turn]
                assert end.answer == f"answer to {turn}"
            if end.outcome is Outcome.FAILED:
                assert self.prompted[turn] or end.leaf is not None
            if self.runs[turn]:
                assert end.outcome in (Outcome.DONE, Outcome.STOPPED, Outcome.FAILED)


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
