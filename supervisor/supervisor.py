"""The task of one supervisor: reports facts to the judge and carries out its commands.

It owns the nursery in which its children run, and nothing else: it never routes, never handles a message, and holds no
decision of its own. Admin calls come from `system` as facts like all others.
"""

import contextvars
import random
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from supervisor.admin import Admin, Waiter
from supervisor.clock import Timer
from supervisor.errors import ActorStopped, Ignore, IntensityExceeded, StartFailed, one_line
from supervisor.events import BecameZombie, ChildExited, ChildStarted, End, GaveUp, RestartScheduled
from supervisor.incarnation import gets_ready, lets_go, live, make
from supervisor.orders import StopOrder
from supervisor.registry import Cell, Life
from supervisor.restarts import Command, Finish, Forget, Judge, Ready, Rest, Start, Stop, Wait
from supervisor.snapshot import State
from supervisor.spec import AutoShutdown, ChildSpec, DynamicSupervisor, Shutdown, Strategy, Supervisor
from supervisor.traces import trace_of

if TYPE_CHECKING:
    from supervisor.system import System

ZOMBIE_AFTER: Final = 2.0
"""Seconds after its cancel that a child may still take before the stop goes on without it."""
FACTS_AT_ONCE: Final = 16
"""How many facts are acted on before the other tasks get their turn: some hundred microseconds' worth."""

Fact = Callable[[], list[Command]]


class SupervisorTask:
    """One supervisor, live. Made for each incarnation of a supervisor's cell."""

    def __init__(
        self,
        cell: Cell,
        system: "System",
        announce: Callable[[], None],
        finished: Callable[[End, BaseException | None], None],
    ) -> None:
        """`announce` is called when all children are up, `finished` when all are down."""
        spec = cell.spec.factory
        assert isinstance(spec, Supervisor | DynamicSupervisor)
        self.cell = cell
        self._system = system
        self._spec = spec
        self._announce = announce
        self._finished = finished
        self._cells = cell.children = {}
        self._tasks: dict[str, SupervisorTask] = {}
        self._timers: dict[str, Timer] = {}  # of each child at most one: its backoff, or the end of its grace
        self._facts: deque[tuple[Fact, Waiter | None]] = deque()
        self._news = trio.Event()
        self._variables: contextvars.Context | None = None
        """What children inherit: the supervisor's own, and nothing of the one whose end led to their start."""
        self._waker = self._begin  # bound once: ten thousand that sleep need not each hold one of their own
        self._leaving: Cell | None = None
        """The place whose incarnation has just ended, and whose task is there for the next one."""
        self._following: Life | None = None
        """Who takes it."""
        self._working = False
        self._ready = False
        self._cause: BaseException | None = None
        self._outcome: tuple[End, BaseException | None] | None = None
        self._over = False
        self._nursery: trio.Nursery
        dynamic = isinstance(spec, DynamicSupervisor)
        strategy = Strategy.ONE_FOR_ONE if isinstance(spec, DynamicSupervisor) else spec.strategy
        never = AutoShutdown.NEVER
        auto = never if isinstance(spec, DynamicSupervisor) else spec.auto_shutdown
        self._judge = Judge(strategy, spec.intensity, spec.backoff, dynamic=dynamic, auto_shutdown=auto)
        self.admin = Admin(cell.path, spec, self._judge, self._cells, self._place)

    async def run(self) -> None:
        """Live from the start of the first child to the end of the last.

        It may return later than it calls `finished`: a zombie keeps the nursery open, and must not hold up the stop.
        """
        children = self._spec.children if isinstance(self._spec, Supervisor) else ()
        for spec in children:
            self._place(spec)
        async with trio.open_nursery() as self._nursery:
            try:
                self._variables = contextvars.copy_context()
                significant = {spec.id for spec in children if spec.significant}
                begin = [(spec.id, spec.restart) for spec in children]
                self._facts.appendleft((partial(self._judge.begin, begin, significant), None))
                self._ready = isinstance(self._spec, DynamicSupervisor)
                while self._outcome is None:
                    self._work()
                    if self._ready:
                        self._ready = False
                        self._announce()  # from this task: a deep tree that opens must not become a deep stack
                    elif self._outcome is None:
                        await self._next_turn()
            finally:
                self._leave()
            self._finished(*self._outcome)

    async def _next_turn(self) -> None:
        if self._facts:
            await trio.lowlevel.checkpoint()
        else:
            await self._news.wait()
            self._news = trio.Event()

    def _leave(self) -> None:
        """Leave nothing behind: no place, no timer, and nobody who waits for an answer."""
        for timer in self._timers.values():
            timer.cancel()
        for cell in self._cells.values():
            cell.leave("its supervisor ended", for_good=False)
        for _, waiter in self._facts:
            if waiter is not None:
                self.admin.refuse(waiter, "the supervisor ended")
        self.admin.refuse_all("the supervisor ended")
        self._facts.clear()
        self._over = True

    # --- facts, from anywhere

    def report(self, fact: Fact, waiter: Waiter | None = None) -> None:
        """Queue a fact, and whom to tell if it comes too late. Bounded by the children and the admin calls."""
        if not self._over:
            self._facts.append((fact, waiter))
            self._news.set()
        elif waiter is not None:
            self.admin.refuse(waiter, "the supervisor ended")

    def _happened(self, fact: Fact, waiter: Waiter | None = None) -> None:
        """Like `report`, but acted on there and then if nobody is at it, which saves a task switch."""
        if self._over or self._variables is None:
            self.report(fact, waiter)
            return
        self._facts.append((fact, waiter))
        if not self._working:
            self._variables.run(self._work)
            if self._outcome is not None or self._ready or self._facts:
                self._news.set()

    def _work(self) -> None:
        self._working = True
        try:
            for _ in range(FACTS_AT_ONCE):
                if not self._facts or self._outcome is not None:
                    break
                self._obey(self._facts.popleft()[0]())
        finally:
            self._working = False

    def task_of(self, child_id: str) -> "SupervisorTask | None":
        """The running supervisor that is this child, if it is one."""
        return self._tasks.get(child_id)

    def stop(self) -> None:
        """Stop all children, then end."""
        self.cell.stopping = True
        self.report(self._judge.stop)

    def kill(self) -> None:
        """Cancel all children at once, then end."""
        self.stop()
        for cell in self._cells.values():
            if cell.life is not None:
                cell.life.kill()
        for task in self._tasks.values():
            task.kill()

    def call(self, admin: Callable[[Waiter], list[Command]], waiter: Waiter) -> None:
        """Queue an admin call: a method of `admin` with its arguments, but for the waiter."""
        self._happened(partial(admin, waiter), waiter)

    # --- commands

    def _obey(self, commands: list[Command]) -> None:
        for command in commands:
            match command:  # by kind alone: to take it apart as well costs twice as much
                case Start():
                    self._start(self._cells[command.id])
                case Stop():
                    self._stop(self._cells[command.id])
                case Wait():
                    self._wait(self._cells[command.id], command.seconds, command.number)
                case Forget():
                    self._forget(command.id)
                case Rest():
                    self._rest(self._cells[command.id])
                case Ready():
                    self._ready = True
                case Finish():
                    self._finish(command.child, exceeded=command.exceeded)

    def _place(self, spec: ChildSpec[Any]) -> None:
        parent = "" if self.cell.path == "/" else self.cell.path
        self._cells[spec.id] = Cell(f"{parent}/{spec.id}", spec, self.cell.registry)

    def _start(self, cell: Cell) -> None:
        self._stop_timer(cell.spec.id)
        assert self._variables is not None
        life = cell.begin_life(self._variables.copy())
        cell.become(State.STARTING)
        if cell.spec.is_supervisor:
            task = SupervisorTask(cell, self._system, partial(self.up, life), partial(self._gone, life))
            self._tasks[cell.spec.id] = task
            self._nursery.start_soon(self._run_child, life, task)
            return
        failure = life.variables.run(make, life, self._system)
        if failure is not None:
            ignored = isinstance(failure, Ignore)
            self._gone(life, End.IGNORED if ignored else End.FAILED, None if ignored else failure)
        elif gets_ready(life):
            self._begin(life)
        else:
            self.up(life)  # with nothing to get ready it is up by now
            if cell.box is not None and cell.box.untouched:
                life.sleep(self._waker)  # it needs no task before it hears something
            else:
                self._begin(life)

    def _begin(self, life: Life) -> None:
        """Give it a task: the one that its predecessor leaves, if that is what led here."""
        life.scope = trio.CancelScope()
        if self._leaving is life.cell:
            self._following = life
        else:
            life.variables.run(partial(self._nursery.start_soon, live, life, self, name=life.cell.path))

    async def _run_child(self, life: Life, task: "SupervisorTask") -> None:
        try:
            await task.run()
        except Exception as error:  # noqa: BLE001  # the child wrapper: a fault of the runtime is a crash like others
            self._gone(life, End.FAILED, error)

    def up(self, life: Life) -> None:
        """A child is up."""
        cell = life.cell
        if cell.life is not life:
            return  # a zombie
        life.up = True
        if not cell.stopping:
            cell.become(State.RUNNING)
        if cell.registry.telemetry.heard:
            cell.registry.emit(ChildStarted(path=cell.path, at=time.time(), incarnation=life.number))
        self.admin.answer_up(cell.spec.id, None)
        self._happened(lambda: self._judge.started(cell.spec.id, trio.current_time()))

    def down(self, life: Life, end: End, reason: BaseException | None) -> Life | None:
        """An actor has ended, in whose task this is; returns the next incarnation if that is to go on here."""
        if not trio.lowlevel.current_task().child_nurseries:  # else it has left one open, and nobody may live in that
            self._leaving = life.cell
        self._gone(life, end, reason)
        following, self._leaving, self._following = self._following, None, None
        return following

    def _gone(self, life: Life, end: End, reason: BaseException | None) -> None:
        cell = life.cell
        if cell.life is not life:  # a zombie's late end: the tree went on without it
            if cell.state is State.ZOMBIE and cell.incarnation == life.number:
                cell.become(State.STOPPED)
            return
        cell.end_life(reason)
        life.actor = None  # they hold each other, and would be held until the next collection
        self._stop_timer(cell.spec.id)
        self._tasks.pop(cell.spec.id, None)
        line = "" if reason is None else one_line(reason)
        if reason is not None or cell.registry.telemetry.heard:
            cell.error = line or cell.error
            trace = "" if reason is None else trace_of(reason)
            cell.registry.emit(
                ChildExited(path=cell.path, at=time.time(), incarnation=life.number, end=end, reason=line, trace=trace)
            )
        self._happened(lambda: self._ended(life, end, reason, line))

    def _bury(self, life: Life) -> None:
        """It shields itself or spins: go on without it."""
        cell = life.cell
        cell.end_life(None)
        self._stop_timer(cell.spec.id)
        self._tasks.pop(cell.spec.id, None)
        cell.become(State.ZOMBIE)
        cell.registry.emit(BecameZombie(path=cell.path, at=time.time(), overdue=ZOMBIE_AFTER))
        self.report(lambda: self._ended(life, End.SHUTDOWN, None, ""))

    def _ended(self, life: Life, end: End, reason: BaseException | None, line: str) -> list[Command]:
        cell, child_id, judge = life.cell, life.cell.spec.id, self._judge
        was_closing = judge.closing
        commands = judge.ended(child_id, end, trio.current_time(), random.random())  # noqa: S311  # spreads restarts
        if judge.closing and not was_closing:
            self._cause = reason
        self.admin.answer_down(child_id)
        if end is End.IGNORED:
            self.admin.answer_up(child_id, None)
        elif not life.up and not cell.stopping:
            self.admin.answer_up(child_id, StartFailed(cell.path, reason or ActorStopped(cell.path)))
        child = judge.children.get(child_id)
        restarting = child is not None and child.wanted and not judge.closing and not self.cell.stopping
        if restarting and cell.box is not None and not cell.box.spec.on_restart_keep:
            cell.discard_waiting("the actor restarted")
        if cell.state is not State.ZOMBIE:
            failed = reason is not None and not cell.stopping  # also a supervisor that gave up
            cell.become(State.RESTARTING if restarting else State.FAILED if failed else State.STOPPED)
        cell.tell_watchers(end if reason is None else line, restarting=restarting)
        return commands

    def _stop(self, cell: Cell) -> None:
        cell.stopping = True
        life = cell.life
        if life is None:
            return  # it has ended by itself, and that fact is on its way
        cell.become(State.STOPPING)
        rule = cell.spec.shutdown
        task = self._tasks.get(cell.spec.id)
        if life.asleep and not lets_go(life):
            self._gone(life, End.SHUTDOWN, None)  # there is nothing to wait for
            return
        if rule is Shutdown.BRUTAL:
            self._kill(life)
            return
        if task is not None:
            task.stop()
        elif life.up:
            cell.box_order(StopOrder(End.SHUTDOWN, drain=cell.spec.drain))
        else:
            life.cancel()
        if not isinstance(rule, Shutdown):
            self._set_timer(cell, rule, partial(self._kill, life))

    def _kill(self, life: Life) -> None:
        """The grace is over, or there is none."""
        task = self._tasks.get(life.cell.spec.id)
        if task is not None:
            task.kill()
        else:
            life.kill()
        self._set_timer(life.cell, ZOMBIE_AFTER, partial(self._bury, life))

    def _wait(self, cell: Cell, seconds: float, number: int) -> None:
        if cell.registry.telemetry.heard:
            intensity = self._spec.intensity
            most, within = intensity.restarts, intensity.within
            cell.registry.emit(
                RestartScheduled(path=cell.path, at=time.time(), delay=seconds, count=number, most=most, within=within)
            )
        if seconds == 0:
            self._obey(self._judge.delay_over(cell.spec.id))
        else:
            over = partial(self._judge.delay_over, cell.spec.id)
            self._set_timer(cell, seconds, partial(self.report, over))

    def _rest(self, cell: Cell) -> None:
        self._stop_timer(cell.spec.id)
        if cell.state not in (State.FAILED, State.ZOMBIE):
            cell.become(State.STOPPED)
        cell.close_down("the actor is down")
        self.admin.answer_settled(cell.spec.id, cell.path)

    def _forget(self, child_id: str) -> None:
        self._stop_timer(child_id)
        cell = self._cells.pop(child_id)
        cell.leave("the actor left the tree", for_good=True)
        self.admin.answer_settled(child_id, cell.path)

    def _finish(self, child_id: str | None, *, exceeded: bool) -> None:
        if child_id is None:
            self._outcome = (End.SHUTDOWN, None)
            return
        path = f"{'' if self.cell.path == '/' else self.cell.path}/{child_id}"
        if not exceeded:
            self._outcome = (End.FAILED, StartFailed(path, self._cause or ActorStopped(path)))
            return
        intensity = self._spec.intensity
        error = IntensityExceeded(path, intensity.restarts + 1, intensity.within, self._cause)
        self.cell.registry.emit(GaveUp(path=self.cell.path, at=time.time(), reason=one_line(error)))
        self._outcome = (End.SHUTDOWN, error)

    def _set_timer(self, cell: Cell, seconds: float, callback: Callable[[], None]) -> None:
        self._stop_timer(cell.spec.id)
        self._timers[cell.spec.id] = cell.registry.timers.after(seconds, callback)

    def _stop_timer(self, child_id: str) -> None:
        timer = self._timers.pop(child_id, None)
        if timer is not None:
            timer.cancel()
