"""A tree made live: the door through which everything outside the tree speaks to it.

`open_system` starts a supervisor's children in order and stops them in reverse, whatever ends its block. The `System`
gives refs, admin calls in OTP's names, snapshots and the telemetry bus.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import trio

from supervisor.actor import Actor
from supervisor.admin import Answer, Waiter
from supervisor.errors import AdminRefused, NoSuchActor
from supervisor.events import End
from supervisor.messages import short_repr
from supervisor.orders import ResumeOrder, SuspendOrder
from supervisor.refs import Ref
from supervisor.registry import Cell, Registry
from supervisor.restarts import Command
from supervisor.snapshot import Node, State
from supervisor.spec import ChildSpec, Supervisor
from supervisor.supervisor import SupervisorTask
from supervisor.telemetry import Subscription, Telemetry

M = TypeVar("M")


class System:
    """One live tree. Made by `open_system` only."""

    def __init__(self, tree: "Tree", name: str) -> None:
        self.name = name
        self._registry = Registry()
        tree = tree if isinstance(tree, Supervisor) else tree(self)
        self._ready = trio.Event()
        self._over = trio.Event()
        self._error: BaseException | None = None
        self._block = trio.CancelScope()  # of the nursery in `open_system`
        self._root = Cell("/", ChildSpec(name, tree), self._registry)
        self._root.incarnation = 1
        self._task = SupervisorTask(self._root, self, self._ready.set, self._finished)

    @property
    def telemetry(self) -> Telemetry:
        """The events of this tree, its dead letters and its last failures."""
        return self._registry.telemetry

    def ref(self, path: str, kind: type[Actor[M]], /) -> Ref[M]:
        """The address of the actor at `path`, now or later; `kind` says what it understands."""
        del kind
        return Ref(self._registry, path)

    def snapshot(self, path: str = "/") -> Node:
        """What the tree looks like from `path` down. Raises `NoSuchActor`."""
        return self._cell(path).snapshot()

    async def start_child(self, path: str, spec: ChildSpec[M], /) -> Ref[M]:
        """Add a child to the supervisor at `path` and wait until it is up, or has chosen not to run.

        Raises `AdminRefused` (id taken, too many children, stopping), `StartFailed`, `NoSuchActor`.
        """
        task = self._supervisor(path)
        await _wait(task, partial(task.admin.start_child, spec))
        return Ref(self._registry, f"{'' if path == '/' else path}/{spec.id}")

    async def terminate_child(self, path: str) -> None:
        """Stop the child at `path` and wait until it is down. Raises `AdminRefused`, `NoSuchActor`."""
        parent, child_id = self._parent(path)
        await _wait(parent, partial(parent.admin.terminate_child, child_id))

    async def restart_child(self, path: str) -> None:
        """Stop the child at `path` if it runs, start it, and wait until it is up. Costs no intensity.

        Raises `AdminRefused`, `NoSuchActor`, `StartFailed`.
        """
        parent, child_id = self._parent(path)
        await _wait(parent, partial(parent.admin.restart_child, child_id))

    async def delete_child(self, path: str) -> None:
        """Forget a child that is down. Raises `AdminRefused`, `NoSuchActor`."""
        parent, child_id = self._parent(path)
        await _wait(parent, partial(parent.admin.delete_child, child_id))

    def which_children(self, path: str) -> tuple[Node, ...]:
        """The children of the supervisor at `path`, in order. Raises `NoSuchActor`."""
        return self.snapshot(path).children

    def count_children(self, path: str) -> dict[str, int]:
        """OTP's four counts of the supervisor at `path`: specs, active, supervisors, workers."""
        cells = (self._cell(path).children or {}).values()
        active = (State.RUNNING, State.STOPPING, State.SUSPENDED)
        supervisors = sum(cell.spec.is_supervisor for cell in cells)
        return {
            "specs": len(cells),
            "active": sum(cell.state in active for cell in cells),
            "supervisors": supervisors,
            "workers": len(cells) - supervisors,
        }

    def get_spec(self, path: str) -> ChildSpec[Any]:
        """The child spec of `path`. Raises `NoSuchActor`."""
        return self._cell(path).spec

    def suspend(self, path: str) -> None:
        """Have the actor at `path` take no more messages once the one in hand is done; what comes waits.

        Raises `NoSuchActor`, and `AdminRefused` for a supervisor or an actor that is down. A restart resumes it.
        """
        self._order(path, SuspendOrder())

    def resume(self, path: str) -> None:
        """Have it go on. Harmless when it is not suspended. Raises as `suspend` does."""
        self._order(path, ResumeOrder())

    def inspect(self, path: str) -> dict[str, str]:
        """The state of the actor at `path`, by name, as its `inspect` allows. Raises as `suspend` does."""
        life = self._cell(path).life
        if life is None or life.actor is None:
            raise AdminRefused(path, "there is no running actor")
        return {name: short_repr(value) for name, value in life.actor.inspect().items()}

    def trace(self, path: str, bound: int = 256) -> Subscription:
        """Hear of each message that the actor at `path` handles from now on; close it when you have heard enough.

        At most `bound` events wait for you; the oldest goes first, and you are told how many. Raises `NoSuchActor`.
        """
        return self._cell(path).trace(bound)

    async def wait_over(self) -> None:
        """Wait until the tree has ended, for whatever reason."""
        await self._over.wait()

    # --- inside

    def _cell(self, path: str) -> Cell:
        cell = self._registry.cells.get(path)
        if cell is None:
            raise NoSuchActor(path)
        return cell

    def _order(self, path: str, order: SuspendOrder | ResumeOrder) -> None:
        cell = self._cell(path)
        if cell.life is None or cell.box is None:
            raise AdminRefused(path, "there is no running actor")
        cell.box_order(order)

    def _supervisor(self, path: str) -> SupervisorTask:
        if path == "/":
            return self._task
        parent, child_id = self._parent(path)
        task = parent.task_of(child_id)
        if task is None:
            raise AdminRefused(path, "it is not a running supervisor")
        return task

    def _parent(self, path: str) -> tuple[SupervisorTask, str]:
        self._cell(path)
        above, _, child_id = path.rpartition("/")
        if not child_id:
            raise AdminRefused(path, "the root has no supervisor: end the program instead")
        return self._supervisor(above or "/"), child_id

    def _finished(self, end: End, error: BaseException | None) -> None:
        self._root.become(State.STOPPED if error is None and end is not End.FAILED else State.FAILED)
        self._error = error
        self._ready.set()
        self._over.set()
        if error is not None:
            self._block.cancel()

    async def _run(self) -> None:
        # Shielded, so that whatever ends the block of `open_system` leads to an ordered stop, not to cancelled actors.
        with trio.CancelScope(shield=True):
            try:
                await self._task.run()
            finally:  # also if the runtime itself fails: nobody may wait for ever
                self._ready.set()
                self._over.set()

    async def _stop(self) -> None:
        with trio.CancelScope(shield=True):
            if not self._over.is_set():
                self._root.become(State.STOPPING)
                self._task.stop()
            await self._over.wait()


Tree = Supervisor | Callable[[System], Supervisor]


@asynccontextmanager
async def open_system(tree: Tree, *, name: str = "system") -> AsyncIterator[System]:
    """Start `tree`; leave the block to stop it, in reverse order, each child with its grace.

    A tree whose actors need each other's refs is written as a function of the system: refs are addresses, and work
    before anybody lives there.
    Raises `StartFailed` if a child cannot be started, and, cancelling the block, `IntensityExceeded` if the root gives
    up. The stop is bounded by the graces of the children and is not cut short by a cancel from outside. Only a zombie
    can keep it from returning: whoever must be gone by some time sets a last deadline of his own.
    """
    system = System(tree, name)
    own: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            system._block = nursery.cancel_scope
            keeper = trio.CancelScope(shield=True)
            nursery.start_soon(_keep_time, system, keeper)
            nursery.start_soon(system._run)
            try:
                await system._ready.wait()
                if system._error is None:
                    if not system._over.is_set():  # a significant child may have ended it already
                        system._root.become(State.RUNNING)
                    yield system
            finally:
                await system._stop()
                keeper.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        own = group.exceptions[0]
    if own is not None:
        raise own  # the nursery has wrapped it; it is the caller's, so it goes out as it came
    if system._error is not None:
        raise system._error


async def _keep_time(system: System, scope: trio.CancelScope) -> None:
    with scope:
        await system._registry.timers.run()


async def _wait(supervisor: SupervisorTask, admin: Callable[[Waiter], list[Command]]) -> None:
    answer = Answer()
    supervisor.call(admin, answer)
    await answer.wait()
