"""The admin calls of one supervisor, and those who wait for their ends.

`system` makes them, the supervisor's task queues them as facts; here they are checked against what there is and handed
to the judge. Every caller hears once: None, or why it did not work.
"""

from collections.abc import Callable
from typing import Any

import trio

from supervisor.errors import ActorStopped, AdminRefused, InvalidSpec
from supervisor.registry import Cell
from supervisor.restarts import Command, Judge, Where
from supervisor.spec import ChildSpec, DynamicSupervisor, Supervisor

Waiter = Callable[[BaseException | None], None]
"""Hears of the end of an admin call, once: None, or why it failed."""


class Answer:
    """The waiter of a task that waits for the end."""

    __slots__ = ("_error", "_given", "_task")

    def __init__(self) -> None:
        self._given = False
        self._error: BaseException | None = None
        self._task: trio.lowlevel.Task | None = None

    def __call__(self, error: BaseException | None) -> None:
        """The end has come."""
        self._given, self._error = True, error
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Return when it has come; raises the error, if it was one."""
        if self._given:
            await trio.lowlevel.checkpoint()
        else:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._error

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Admin:
    """One supervisor's. Each call returns the commands that follow from it."""

    def __init__(
        self, path: str, spec: Supervisor | DynamicSupervisor, judge: Judge, cells: dict[str, Cell],
        place: Callable[[ChildSpec[Any]], None],
    ) -> None:  # fmt: skip
        """`cells`: the children's places, by id. `place`: makes one."""
        self._path = path
        self._spec = spec
        self._judge = judge
        self._cells = cells
        self._place = place
        self._wait_up: dict[str, list[Waiter]] = {}
        self._wait_down: dict[str, list[Waiter]] = {}

    def start_child(self, spec: ChildSpec[Any], waiter: Waiter) -> list[Command]:
        """Add and start a child; `waiter` hears None when it is up."""
        if spec.id in self._cells:
            return self.refuse(waiter, f"there is a child called {spec.id!r} already")
        if isinstance(self._spec, DynamicSupervisor) and len(self._cells) >= self._spec.max_children:
            return self.refuse(waiter, f"it has {self._spec.max_children} children, and that is its most")
        if self._judge.closing:
            return self.refuse(waiter, "it is stopping")
        try:
            self._spec.check(spec)
        except InvalidSpec as error:
            return self.refuse(waiter, str(error))
        self._place(spec)
        self._wait_up.setdefault(spec.id, []).append(waiter)
        return self._judge.add(spec.id, spec.restart, significant=spec.significant)

    def terminate_child(self, child_id: str, waiter: Waiter) -> list[Command]:
        """Stop a child and keep its spec, unless it is temporary or dynamic. `waiter` hears when it is down."""
        child = self._judge.children.get(child_id)
        if child is None:
            return self.refuse(waiter, f"there is no child called {child_id!r}")
        if child.where is Where.DOWN:
            waiter(None)
        else:
            self._wait_down.setdefault(child_id, []).append(waiter)
        self.answer_up(child_id, AdminRefused(self._cells[child_id].path, "it was terminated"))
        return self._judge.terminate(child_id)

    def restart_child(self, child_id: str, waiter: Waiter) -> list[Command]:
        """(Stop and) start a child. `waiter` hears None when the new incarnation is up."""
        if child_id not in self._cells:
            return self.refuse(waiter, f"there is no child called {child_id!r}")
        if self._judge.closing:
            return self.refuse(waiter, "it is stopping")
        self._wait_up.setdefault(child_id, []).append(waiter)
        return self._judge.restart(child_id)

    def delete_child(self, child_id: str, waiter: Waiter) -> list[Command]:
        """Forget a child that is down."""
        child = self._judge.children.get(child_id)
        if child is None:
            return self.refuse(waiter, f"there is no child called {child_id!r}")
        if child.where is not Where.DOWN or child.wanted:
            return self.refuse(waiter, f"{child_id!r} is not down: terminate it first")
        waiter(None)
        return self._judge.delete(child_id)

    def refuse(self, waiter: Waiter, text: str) -> list[Command]:
        """Tell a caller no; nothing follows."""
        waiter(AdminRefused(self._path, text))
        return []

    def answer_up(self, child_id: str, error: BaseException | None) -> None:
        """The child is up, or will not be because of `error`."""
        for waiter in self._wait_up.pop(child_id, ()):
            waiter(error)

    def answer_down(self, child_id: str) -> None:
        """The child is down."""
        for waiter in self._wait_down.pop(child_id, ()):
            waiter(None)

    def answer_settled(self, child_id: str, path: str) -> None:
        """The child is down and will not be up by itself."""
        if child_id in self._wait_up:
            self.answer_up(child_id, ActorStopped(path))
        self.answer_down(child_id)

    def refuse_all(self, text: str) -> None:
        """Nothing more will happen here: tell all who wait."""
        for waiters in (self._wait_up, self._wait_down):
            for some in waiters.values():
                for waiter in some:
                    self.refuse(waiter, text)
            waiters.clear()
