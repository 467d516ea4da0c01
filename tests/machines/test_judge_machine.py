"""Random lives of a supervisor's judge: whatever happens, it comes to rest where it should, in order, within bounds."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.backoff import Backoff
from supervisor.events import End
from supervisor.restarts import Command, Finish, Forget, Judge, Ready, Rest, Start, Stop, Wait, Where
from supervisor.spec import AutoShutdown, Intensity, Restart, Strategy

MOST, WITHIN = 3, 10.0


class Supervision(RuleBasedStateMachine):
    """Plays the shell: keeps the judge's commands until a rule answers them, in any order that a shell could."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        restarts=st.lists(st.sampled_from(Restart), max_size=5),
        dynamic=st.booleans(),
        auto=st.sampled_from(AutoShutdown),
    )
    def begin(self, strategy: Strategy, restarts: list[Restart], auto: AutoShutdown, *, dynamic: bool) -> None:
        self.grouped = strategy is not Strategy.ONE_FOR_ONE and not dynamic
        self.dynamic = dynamic
        strategy = Strategy.ONE_FOR_ONE if dynamic else strategy
        self.auto = AutoShutdown.NEVER if dynamic else auto
        self.judge = Judge(strategy, Intensity(MOST, WITHIN), Backoff(), dynamic=dynamic, auto_shutdown=self.auto)
        self.now = 0.0
        self.order: list[str] = []
        self.starting: set[str] = set()
        self.running: set[str] = set()
        self.stopping: set[str] = set()
        self.waiting: set[str] = set()
        self.resting: set[str] = set()
        self.counted: deque[float] = deque()
        self.finish: Finish | None = None
        self.ready = 0
        self.stopped = False
        self.made = 0
        children = [] if dynamic else [(self._name(), restart) for restart in restarts]
        mortal = [child_id for child_id, restart in children if restart is not Restart.PERMANENT]
        self.significant = set() if self.auto is AutoShutdown.NEVER else set(mortal[::2])
        self.obey(self.judge.begin(children, self.significant))

    def _name(self) -> str:
        self.made += 1
        self.order.append(f"c{self.made}")
        return self.order[-1]

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            assert self.finish is None, "a command after the end"
            match command:
                case Start(child_id):
                    assert child_id not in self.starting | self.running | self.stopping
                    assert not self.stopped
                    if self.grouped:
                        earlier = set(self.order[: self.order.index(child_id)])
                        assert not earlier & (self.starting | self.waiting), "an earlier sibling is not up yet"
                        assert not self.stopping, "one starts while its group goes down"
                    self.waiting.discard(child_id)
                    self.resting.discard(child_id)
                    self.starting.add(child_id)
                case Stop(child_id):
                    assert child_id in self.starting | self.running
                    if self.stopped and not self.dynamic:
                        later = set(self.order[self.order.index(child_id) + 1 :])
                        assert not later & (self.starting | self.running), "a later sibling is still up"
                    self.stopping.add(child_id)
                case Wait(child_id, seconds, number):
                    self.counted = deque(at for at in self.counted if self.now - at <= WITHIN)
                    assert number == len(self.counted) <= MOST
                    assert 0 <= seconds <= Backoff().cap * 1.2
                    self.waiting.add(child_id)
                case Forget(child_id):
                    assert child_id not in self.starting | self.running | self.stopping
                    self.order.remove(child_id)
                    self.waiting.discard(child_id)
                case Rest(child_id):
                    assert child_id not in self.starting | self.running | self.stopping
                    self.waiting.discard(child_id)
                    self.resting.add(child_id)
                case Ready():
                    self.ready += 1
                    assert not self.starting
                case Finish():
                    assert not self.starting | self.running | self.stopping
                    self.finish = command

    def down(self, child_id: str, end: End) -> None:
        """The child ends; the machine keeps its own count of what that may cost."""
        child = self.judge.children[child_id]
        free = child_id in self.stopping or child.doomed or self.judge.closing
        first = child_id in self.starting and end is End.FAILED and child.attempts == 0
        again = child.restart is Restart.PERMANENT or (child.restart is Restart.TRANSIENT and end is End.FAILED)
        for where in (self.starting, self.running, self.stopping):
            where.discard(child_id)
        costs = not free and not first and again and end is not End.IGNORED
        others = {other.id for other in self.judge.children.values() if other.wanted} & self.significant - {child_id}
        own = not (free or first or costs or end is End.IGNORED) and child_id in self.significant
        auto = own and (self.auto is AutoShutdown.ANY_SIGNIFICANT or not others)
        if costs:
            self.counted.append(self.now)
        closing = self.judge.closing
        commands = self.judge.ended(child_id, end, self.now, 0.5)
        recent = [at for at in self.counted if self.now - at <= WITHIN]
        if costs:
            assert self.judge.closing == (len(recent) > MOST), "intensity is exact"
        elif not closing:
            assert self.judge.closing == auto or first
        self.stopped = self.judge.closing
        self.obey(commands)

    def pick(self, data: st.DataObject, among: set[str]) -> str:
        return data.draw(st.sampled_from(sorted(among)))

    @precondition(lambda self: self.starting - self.stopping)
    @rule(data=st.data())
    def a_child_comes_up(self, data: st.DataObject) -> None:
        child_id = self.pick(data, self.starting - self.stopping)
        self.starting.remove(child_id)
        self.running.add(child_id)
        self.obey(self.judge.started(child_id, self.now))

    @precondition(lambda self: self.starting | self.running)
    @rule(data=st.data(), end=st.sampled_from(End))
    def a_child_ends(self, data: st.DataObject, end: End) -> None:
        child_id = self.pick(data, self.starting | self.running)
        if end is not End.IGNORED or child_id in self.starting:
            self.down(child_id, end)

    @precondition(lambda self: self.stopping)
    @rule(data=st.data())
    def a_stop_is_done(self, data: st.DataObject) -> None:
        self.down(self.pick(data, self.stopping), End.SHUTDOWN)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def a_backoff_is_over(self, data: st.DataObject) -> None:
        child_id = self.pick(data, self.waiting)
        self.waiting.discard(child_id)
        self.obey(self.judge.delay_over(child_id))

    @rule(seconds=st.floats(0.0, 12.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.order and not self.judge.closing)
    @rule(data=st.data())
    def an_admin_terminates(self, data: st.DataObject) -> None:
        self.obey(self.judge.terminate(self.pick(data, set(self.order))))

    @precondition(lambda self: self.order and not self.judge.closing)
    @rule(data=st.data())
    def an_admin_restarts(self, data: st.DataObject) -> None:
        self.obey(self.judge.restart(self.pick(data, set(self.order))))

    @precondition(lambda self: not self.judge.closing and len(self.order) < 8)
    @rule(restart=st.sampled_from(Restart))
    def an_admin_adds(self, restart: Restart) -> None:
        child_id = self._name()
        self.obey(self.judge.add(child_id, restart))

    @precondition(lambda self: self.resting and not self.judge.closing)
    @rule(data=st.data())
    def an_admin_deletes(self, data: st.DataObject) -> None:
        child_id = self.pick(data, self.resting)
        child = self.judge.children[child_id]
        if child.where is Where.DOWN and not child.wanted:
            self.resting.discard(child_id)
            self.obey(self.judge.delete(child_id))

    @precondition(lambda self: not self.judge.closing)
    @rule()
    def a_stop(self) -> None:
        self.stopped = True
        self.waiting.clear()
        self.obey(self.judge.stop())

    @rule()
    def everything_is_answered(self) -> None:
        """Answer all commands, with success: then every wanted child is up, or the supervisor has finished."""
        while self.starting or self.stopping or self.waiting:
            for child_id in sorted(self.stopping):
                self.down(child_id, End.SHUTDOWN)
            for child_id in sorted(self.waiting):
                self.waiting.discard(child_id)
                self.obey(self.judge.delay_over(child_id))
            for child_id in sorted(self.starting - self.stopping):
                self.starting.remove(child_id)
                self.running.add(child_id)
                self.obey(self.judge.started(child_id, self.now))
        if self.judge.closing:
            assert self.finish is not None
            assert not self.running
        else:
            assert {child.id for child in self.judge.children.values() if child.wanted} == self.running
            assert self.ready == (not self.dynamic)

    @invariant()
    def the_judge_sees_what_the_shell_sees(self) -> None:
        if not hasattr(self, "judge"):
            return
        assert set(self.judge.children) == set(self.order)
        for child in self.judge.children.values():
            assert (child.where is Where.STOPPING) == (child.id in self.stopping)
            assert (child.where is Where.UP) == (child.id in self.running - self.stopping)
            assert (child.where is Where.STARTING) == (child.id in self.starting - self.stopping)


TestSupervision = Supervision.TestCase
TestSupervision.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
