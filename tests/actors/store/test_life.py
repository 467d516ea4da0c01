"""The life of inbounds, turns and deliveries against small models.

Every step is done twice, in any order that can be: nothing is lost, doubled or out of its order, and people see the
newest words of what was changed.
"""

import tempfile
from pathlib import Path
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.messages import (
    Accept,
    Accepted,
    AnswerCommand,
    BeginTurn,
    Delivery,
    DeliveryKind,
    Doubt,
    Doubted,
    DropQuarantined,
    Due,
    Duplicate,
    Edited,
    EndTurn,
    FailRoom,
    JoinTurn,
    ListQuarantined,
    NewDelivery,
    Outcome,
    PartTurn,
    Refused,
    RequestStop,
    RetryQuarantined,
    Sending,
    Sent,
    Tell,
    Undeliverable,
    Unfinished,
    Unsent,
)
from tests.actors.store.books import HERE, Books

CAPACITY = 3


class Life(RuleBasedStateMachine):
    """One room. The model: lists of ids in order, an open turn, and the deliveries that have not ended.

    `held`: with each the newest message when it was held. `aside`: the messages of each turn in quarantine.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.books = Books(Path(self.folder.name) / "state.db")
        self.queue: list[int] = []
        self.held: dict[int, int] = {}
        self.aside: list[list[int]] = []
        self.commands: list[int] = []
        self.stop = 0  # the newest command that stops
        self.turn: str | None = None
        self.taken: list[int] = []
        self.joined: list[int] = []
        self.attempt = 0
        self.parted: set[int] = set()
        self.stopped = False
        self.begun = 0
        self.accepts: list[Accept] = []
        self.undelivered: list[str] = []
        self.parts = 0  # of the head that have arrived
        self.sending = self.doubtful = False
        self.failures = 0
        self.failed = False

    def teardown(self) -> None:
        assert self.books.db.pragma("integrity_check") == "ok"
        assert self.books.db.execute("PRAGMA foreign_key_check").fetchall() == []
        self.books.db.close()
        self.folder.cleanup()

    @initialize()
    def make_room(self) -> None:
        self.books.answered("welcome")
        self.undelivered.append("welcome")

    @rule(command=st.sampled_from([None, None, None, "status", "stop", "new"]))
    def accept(self, command: str | None) -> None:
        self.books.now += 60  # what is refused within a minute is told in one word
        request = Accept(inbound=self.books.inbound(command=command), capacity=CAPACITY)
        self.accepts.append(request)
        reply = self.books.do(request)
        self.failed = False
        waiting = self.queue if command is None else self.commands
        if command != "stop" and len(waiting) + (len(self.held) if command is None else 0) >= CAPACITY:
            assert isinstance(reply, Refused)
            self.undelivered.append("refused")
        else:
            assert isinstance(reply, Accepted)
            waiting.append(reply.inbound)
            if command is None:
                assert reply.ahead == len(self.queue) - 1 + len(self.taken)
            if command in {"stop", "new"}:
                self.stop = reply.inbound
                self.stopped = self.turn is not None
                self._hold()

    @precondition(lambda self: self.accepts)
    @rule(data=st.data())
    def accept_again(self, data: st.DataObject) -> None:
        assert isinstance(self.books.twice(data.draw(st.sampled_from(self.accepts))), Duplicate)

    @rule(hold=st.booleans())
    def request_stop(self, hold: bool) -> None:
        assert self.books.twice(RequestStop(slug="shop", hold=hold)) == (self.turn is not None)
        self.stopped = self.turn is not None
        if hold:
            self._hold()

    def _hold(self) -> None:
        newest: int = self.books.db.execute("SELECT max(id) FROM inbound").get
        self.held |= dict.fromkeys(self.queue, newest)
        self.queue = []

    @precondition(lambda self: self.turn is None and self.queue)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.queue)))
        self.begun += 1
        self.turn, self.attempt, self.stopped, self.parted = f"t{self.begun}", 1, False, set()
        self.taken, self.queue = self.queue[:count], self.queue[count:]
        self._attempt()

    @precondition(lambda self: self.turn is not None)
    @rule()
    def try_again(self) -> None:
        self.attempt += 1
        self._attempt()

    @precondition(lambda self: self.turn is not None)
    @rule(data=st.data())
    def part(self, data: st.DataObject) -> None:
        assert self.turn is not None
        attempt = data.draw(st.integers(1, self.attempt))
        self.books.twice(PartTurn(slug="shop", turn=self.turn, attempt=attempt))
        self.parted.add(attempt)

    def _attempt(self) -> None:
        assert self.turn is not None
        taken = tuple(self.taken)
        request = BeginTurn(slug="shop", turn=self.turn, attempt=self.attempt, inbounds=taken, leaf_before=None)
        assert self.books.twice(request) == self.books.work().turn
        self.failed = False

    @precondition(lambda self: self.turn is not None and self.queue)
    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        assert self.turn is not None
        inbound = data.draw(st.sampled_from(self.queue))
        self.books.twice(JoinTurn(slug="shop", turn=self.turn, inbound=inbound))
        self.queue.remove(inbound)
        self.joined.append(inbound)
        self.taken = sorted([*self.taken, inbound])

    @precondition(lambda self: self.turn is not None)
    @rule(outcome=st.sampled_from(list(Outcome)), count=st.integers(0, 2), heard=st.integers(0, 2), hold=st.booleans())
    def end(self, outcome: Outcome, count: int, heard: int, hold: bool) -> None:
        assert self.turn is not None
        returned = tuple(self.joined[heard:])
        texts = [f"{self.turn}.{number}" for number in range(count)]
        deliveries = tuple(NewDelivery(kind=DeliveryKind.ANSWER, text=text) for text in texts)
        self.books.twice(
            EndTurn(
                slug="shop",
                turn=self.turn,
                outcome=outcome,
                answer="".join(texts),
                leaf="e",
                deliveries=deliveries,
                returned=returned,
                hold=hold,
            )
        )
        self.undelivered += texts
        if hold:
            self.held |= dict.fromkeys(returned, self.stop)
        else:
            self.queue = sorted([*self.queue, *returned])
        if outcome is Outcome.QUARANTINED:
            self.aside.append([each for each in self.taken if each not in returned])
        self.turn, self.taken, self.joined, self.attempt, self.stopped = None, [], [], 0, False

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        inbound = data.draw(st.sampled_from(self.commands))
        drop = data.draw(st.sampled_from([None, *self.queue, *self.held]))
        words: list[Literal["run", "drop"] | None] = [None, "run", "drop"]
        held = data.draw(st.sampled_from(words))
        note = NewDelivery(kind=DeliveryKind.NOTE, text="status")
        self.books.twice(AnswerCommand(slug="shop", inbound=inbound, deliveries=(note,), drop=drop, held=held))
        self.commands.remove(inbound)
        self.queue = [each for each in self.queue if each != drop]
        self.held = {each: since for each, since in self.held.items() if each != drop}
        self.undelivered.append("status")
        if held is not None:
            meant = [each for each, since in self.held.items() if since < inbound]
            self.held = {each: since for each, since in self.held.items() if each not in meant}
            self.queue = sorted([*self.queue, *(meant if held == "run" else [])])

    @precondition(lambda self: self.aside)
    @rule(data=st.data(), again=st.booleans())
    def decide(self, data: st.DataObject, again: bool) -> None:
        turn = data.draw(st.sampled_from(self.aside))
        inbound = data.draw(st.sampled_from(turn))
        decision = RetryQuarantined(inbound=inbound) if again else DropQuarantined(inbound=inbound)
        before = self.books.db.execute("SELECT max(id) FROM inbound").get
        assert self.books.do(decision) is not None
        assert self.books.twice(decision) is None
        self.aside.remove(turn)
        if again:
            self.queue += range(before + 1, before + 1 + len(turn))
            self.failed = False
        else:
            self.undelivered.append("dropped")

    @rule()
    def fail(self) -> None:
        self.failures += 1
        self.books.twice(FailRoom(slug="shop", key=str(self.failures), text="failed"))
        self.undelivered.append("failed")
        self.failed = True

    @precondition(lambda self: self.undelivered and not self.sending)
    @rule()
    def send(self) -> None:
        self.books.twice(Sending(ids=(self._head(),)))
        self.sending = True

    @precondition(lambda self: self.sending)
    @rule(last=st.booleans())
    def arrive(self, last: bool) -> None:
        self.books.twice(Sent(id=self._head(), part=self.parts, message_id=1, last=last))
        self.parts += 1
        self.sending = self.doubtful = False
        if last:
            self._next()

    @precondition(lambda self: self.sending)
    @rule(how=st.sampled_from(["unsent", "doubted", "restart"]))
    def send_fails(self, how: str) -> None:
        head = self._head()
        if how == "unsent":
            self.books.twice(Unsent(id=head))
        elif how == "doubted":
            self.books.twice(Doubted(id=head))
        else:
            self.books.twice(Doubt(front="telegram"))
        self.sending = False
        self.doubtful |= how != "unsent"

    @precondition(lambda self: self.undelivered)
    @rule()
    def give_up(self) -> None:
        self.books.twice(Undeliverable(id=self._head(), reason="gone"))
        self._next()

    def _head(self) -> int:
        head: int = self.books.db.execute("SELECT min(id) FROM deliveries WHERE ended_at IS NULL").get
        return head

    def _next(self) -> None:
        self.undelivered.pop(0)
        self.parts = 0
        self.sending = self.doubtful = False

    @invariant()
    def agrees(self) -> None:
        if self.books.rows()["rooms"] == []:
            return
        work = self.books.work()
        assert [each.id for each in work.queue] == self.queue
        assert [each.id for each in work.held] == sorted(self.held)
        assert work.backlog == len(self.undelivered)
        aside = [each for turn in self.aside for each in turn]
        assert [each.inbound for each in self.books.do(ListQuarantined())] == sorted(aside)
        assert [each.id for each in work.commands] == self.commands
        assert (work.turn is None) == (self.turn is None)
        if work.turn is not None:
            assert (work.turn.id, work.turn.attempt, work.turn.stop_requested, work.turn.parted) == (
                self.turn,
                self.attempt,
                self.stopped,
                len(self.parted),
            )
            assert [(each.id, each.attempts, each.steered) for each in work.turn.inbounds] == [
                (each, self.attempt, each in self.joined) for each in self.taken
            ]
        due = self.books.due()
        assert len(due) == (1 if self.undelivered and not self.sending else 0)
        if due:
            words = {"refused": "This message was not taken", "dropped": "This message"}
            kind = words.get(self.undelivered[0], self.undelivered[0])
            assert due[0].text.startswith(kind)
            assert (due[0].part, due[0].doubtful) == (self.parts, self.doubtful)
        todo = 0 if self.failed else len(self.queue) + len(self.commands) + (self.turn is not None)
        assert self.books.do(Unfinished(place=HERE)) == todo + len(self.undelivered)


class Words(RuleBasedStateMachine):
    """One chat with a few deliveries that change again and again. The model: what each says, and what people see."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.books = Books(Path(self.folder.name) / "state.db")
        self.books.say()
        self.says: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.given_up: set[str] = set()
        self.sending: Delivery | None = None
        self.count = 0

    def teardown(self) -> None:
        self.books.db.close()
        self.folder.cleanup()

    @rule(key=st.sampled_from("abc"), text=st.sampled_from(["one", "two", "three"]))
    def tell(self, key: str, text: str) -> None:
        new = NewDelivery(kind=DeliveryKind.NOTE, text=f"{key} {text}", key=key)
        self.books.twice(Tell(slug="shop", deliveries=(new,)))
        self.says[key] = new.text

    @precondition(lambda self: self.sending is None)
    @rule(marked=st.booleans())
    def send(self, marked: bool) -> None:
        due = self.books.due()
        if due:
            (self.sending,) = due
            if marked or self.sending.edits is None:
                self.books.twice(Sending(ids=(self.sending.id,)))

    @precondition(lambda self: self.sending is not None)
    @rule(last=st.booleans())
    def arrive(self, last: bool) -> None:
        sent = self._sent()
        if sent.edits is None:
            self.count += 1
            self.books.twice(Sent(id=sent.id, part=sent.part, message_id=self.count, last=last))
        else:
            self.books.twice(Edited(id=sent.id, revision=sent.revision))
        self.seen[sent.text[0]] = sent.text

    @precondition(lambda self: self.sending is not None)
    @rule(how=st.sampled_from(["unsent", "doubted", "restart", "never"]))
    def fail(self, how: str) -> None:
        sent = self._sent()
        match how:
            case "unsent":
                self.books.twice(Unsent(id=sent.id))
            case "doubted":
                self.books.twice(Doubted(id=sent.id))
            case "restart":
                self.books.twice(Doubt(front="telegram"))
            case _:
                self.books.twice(Undeliverable(id=sent.id, reason="gone"))
                self.given_up.add(sent.text[0])

    def _sent(self) -> Delivery:
        sent, self.sending = self.sending, None
        assert sent is not None
        return sent

    @invariant()
    def agrees(self) -> None:
        if self.sending is not None:
            return
        due = self.books.do(Due(front="telegram", limit=9))
        for each in due:
            assert each.text == self.says[each.text[0]]
            assert not (each.doubtful and each.edits is not None)
        if not due:
            expected = {key: text for key, text in self.says.items() if key not in self.given_up}
            assert {key: text for key, text in self.seen.items() if key not in self.given_up} == expected


TestWords = Words.TestCase
TestWords.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)

TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
