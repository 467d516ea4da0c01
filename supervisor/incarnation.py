"""The life of an incarnation: made, started, fed one message at a time, let go.

`make` and `live` are the only callers of an actor's methods but `describe` and `inspect`. Whatever an actor raises ends
here and becomes a reason; only what came from outside of it passes.
"""

import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from supervisor.actor import Actor, Context, current_path
from supervisor.calls import Call
from supervisor.errors import Ignore, InvalidSpec, NoReply, StartTimeout, one_line
from supervisor.events import End
from supervisor.mailbox import Box
from supervisor.messages import Down, Reply, short_repr
from supervisor.orders import ORDERS, HelperOrder, ResumeOrder, StopOrder, SuspendOrder
from supervisor.refs import handling
from supervisor.registry import Life
from supervisor.snapshot import State
from supervisor.spec import Shutdown

if TYPE_CHECKING:
    from supervisor.supervisor import SupervisorTask
    from supervisor.system import System

R = TypeVar("R")

LAST_WORDS: Final = 1.0
"""Seconds that `stopping` may take of an actor that had to be cancelled for being late."""


def make(life: Life, system: "System") -> BaseException | None:
    """Have the factory make the actor; returns why that did not work.

    To be run in the incarnation's own variables; in whose task does not matter, for a factory cannot wait.
    """
    cell = life.cell
    current_path.set(cell.path)
    handling.set(cell)
    try:
        actor: object = cell.spec.factory()  # type: ignore[operator]  # supervisors are run elsewhere
        if not isinstance(actor, Actor):
            raise InvalidSpec(f"the factory of {cell.path} made {short_repr(actor)}, which is no actor")
        actor.context = Context(life, system)
        life.actor = actor
    except BaseException as error:
        if _not_its_own(error):
            raise
        return _unwrapped(error)
    return None


def gets_ready(life: Life) -> bool:
    """Whether its actor has anything to do before it is up."""
    return life.actor is not None and type(life.actor).started is not Actor.started


def lets_go(life: Life) -> bool:
    """Whether its actor has anything to do when it ends."""
    return life.actor is not None and type(life.actor).stopping is not Actor.stopping


async def live(life: Life, keeper: "SupervisorTask") -> None:
    """The task of an actor: `life`, then those that follow it here; raises only KeyboardInterrupt and outer cancels.

    The supervisor hears of each when it is up and when it has ended. If it then starts the next one at once, that goes
    on in this task, which saves a third of what a restart costs.
    """
    assert life.cell.box is not None
    life.cell.box.begin_turn()
    following = keeper.down(life, *await _lived(life, keeper))
    while following is not None:
        life = following
        await _change_over(life)
        following = keeper.down(life, *await _lived(life, keeper))


async def _change_over(life: Life) -> None:
    """Make the task of its predecessor one that might as well have been begun for `life`.

    It sees none of the variables that its predecessor has set. And it has only what is left of its turn: an actor that
    dies and rises without end keeps the others waiting no longer than one that is told without end.
    """
    task, box = trio.lowlevel.current_task(), life.cell.box
    assert box is not None
    clean = _same(task.context, life.variables)
    if not clean:
        task.context = life.variables  # from its next step on
    if not clean or box.turn_is_over:
        await trio.lowlevel.checkpoint()
        box.begin_turn()


def _same(one: contextvars.Context, other: contextvars.Context) -> bool:
    """Whether they hold the very same objects: equal ones can be told apart once they change."""
    return len(one) == len(other) and all(key in other and other[key] is value for key, value in one.items())


async def _lived(life: Life, keeper: "SupervisorTask") -> tuple[End, BaseException | None]:
    """One incarnation, from its start to its end: how it ended and, if it failed, why."""
    actor, scope = life.actor, life.scope
    assert actor is not None
    assert scope is not None
    end: End | None = None
    reason: BaseException | None = None
    try:
        with scope:
            if not life.up:
                await _started(life, actor)
                if not scope.cancel_called:
                    keeper.up(life)
            end = await _serve(life, actor)
            if end is None or actor.context._wants:
                end = await _with_helpers(life, actor, end)
    except BaseException as error:
        if _not_its_own(error):
            raise
        reason = _unwrapped(error)
    try:
        return await _over(life, end, reason)
    finally:
        del reason  # its traceback holds this frame: in a ring they would keep the actor until the next collection


async def _over(life: Life, end: End | None, reason: BaseException | None) -> tuple[End, BaseException | None]:
    """What has ended like that, or was cancelled, lets go; returns how it is to be told."""
    if end is None and reason is None and not (life.killed or life.cell.stopping):
        reason = StartTimeout(life.cell.path, life.cell.spec.start_timeout)
    if isinstance(reason, Ignore) and not life.up:
        end, reason = End.IGNORED, None
    if reason is not None:
        end = End.FAILED
        life.fail_callers(reason)  # at once: `stopping` may take its time
    end = end or End.SHUTDOWN
    late = await _let_go(life, end)
    if late is not None:
        if reason is not None:
            reason.add_note(f"and its stopping raised {one_line(late)}")
        end, reason = End.FAILED, reason or late
    return end, reason


async def _started(life: Life, actor: Actor[Any]) -> None:
    """Have it get ready, in its time."""
    timers, timeout = life.cell.registry.timers, life.cell.spec.start_timeout
    timers.watch(life, timeout)
    try:
        await actor.started()
    finally:
        timers.forget(life, timeout)


async def _with_helpers(life: Life, actor: Actor[Any], end: End | None) -> End:
    """Go on with a nursery for helper tasks; `end` if it is over already."""
    context = actor.context
    async with trio.open_nursery() as nursery:
        context._helpers = nursery
        # Also if it ends by now: a helper may own what was opened before, and gets its chance to close it.
        for helper in context._wants:
            nursery.start_soon(helper)
        end = end or await _serve(life, actor) or End.NORMAL
        late = await _let_go(life, end)
        nursery.cancel_scope.cancel()
    if late is not None:
        raise late
    return end


async def _serve(life: Life, actor: Actor[Any]) -> End | None:
    """Feed the actor until it is told to stop; None when it has asked for its first helper task."""
    context, cell, box, receive = actor.context, life.cell, life.cell.box, actor.receive
    assert box is not None
    if context._wants and context._helpers is None:
        return None
    await trio.lowlevel.checkpoint_if_cancelled()
    control, coalesces, empty = box.control, box.spec.coalesce is not None, False
    while not life.over:  # a zombie that comes back must not take what is its successor's
        life.current = None
        item, empty = await box.take(empty=empty), False
        if type(item) in ORDERS:
            if type(item) is StopOrder:
                if item.drain:
                    await _drain(life, actor, box, len(box))
                return item.end
            if type(item) is SuspendOrder:
                await _suspended(life)
            elif type(item) is HelperOrder and context._helpers is None:
                return None
            continue
        # Then on without ceremony, as long as the budget lasts and no order comes.
        receive_nowait, budget, traced = box.receive_nowait, box.budget, bool(cell.tracers)
        try:
            while True:
                life.current = item
                if traced:
                    await _handle_traced(life, actor, item)
                elif type(item) is not Call:
                    await receive(item)
                elif not item.done:
                    _conclude(life, item, await receive(item.request))
                if budget <= 0 or control:
                    break
                try:
                    item = receive_nowait()
                except trio.WouldBlock:
                    empty = True
                    break
                budget -= 1
                if coalesces:
                    item = box.unwrap(item)
        finally:
            box.budget = budget
    return End.SHUTDOWN


def _conclude(life: Life, call: Call, answer: object) -> None:
    """The handler of a request has returned: the caller gets the reply, or hears that none was made."""
    if type(answer) is Reply:
        call.succeed(answer.value)
    elif not call.promised:
        call.fail(NoReply(life.cell.path, type(call.request).__name__))


async def _handle_traced(life: Life, actor: Actor[Any], item: object) -> None:
    """Handle one message, and tell those who look on."""
    began = perf_counter()
    answer: object = None
    if not isinstance(item, Call):
        await actor.receive(item)
    elif not item.done:
        answer = await actor.receive(item.request)
        _conclude(life, item, answer)
    life.cell.tell_tracers(item, answer, perf_counter() - began)


async def _drain(life: Life, actor: Actor[Any], box: Box, count: int) -> None:
    """Handle the `count` messages that wait; no order is heard of in the meantime, and the grace ends it all."""
    while count and not life.over:
        item = await box.take()
        if type(item) in ORDERS:
            continue
        count -= type(item) is not Down  # a notice has a lane of its own
        life.current = item
        await _handle_traced(life, actor, item)
    life.current = None


async def _suspended(life: Life) -> None:
    """Take no message until an order says otherwise; what else is in that lane is heard of afterwards."""
    cell, box = life.cell, life.cell.box
    assert box is not None
    if not cell.stopping:
        cell.become(State.SUSPENDED)
    later: list[object] = []
    while type(order := await box.take_order()) is not ResumeOrder:
        if type(order) is not SuspendOrder:
            later.append(order)
        if type(order) is StopOrder:
            break
    box.control[:0] = later
    if not cell.stopping:
        cell.become(State.RUNNING)


async def _let_go(life: Life, end: End) -> BaseException | None:
    """Have the actor run `stopping`, once, whatever happens around it; returns what that raised."""
    rule = life.cell.spec.shutdown
    brutal = rule is Shutdown.BRUTAL and (life.killed or life.cell.stopping)
    if life.actor is None or life.let_go or brutal:
        return None
    life.let_go = True
    if not lets_go(life):
        return None
    grace = LAST_WORDS if life.killed else rule if isinstance(rule, int | float) else inf
    life.scope = trio.CancelScope(shield=True, deadline=trio.current_time() + grace)
    return (await _contain(life.scope, partial(life.actor.stopping, end)))[1]


async def _contain(
    scope: trio.CancelScope, function: Callable[[], Awaitable[R]]
) -> tuple[R | None, BaseException | None]:
    """Run an actor's own code in `scope`: returns its result, or what it raised, or neither if it was cancelled."""
    try:
        with scope:
            return await function(), None
    except BaseException as error:
        if _not_its_own(error):
            raise
        return None, _unwrapped(error)
    return None, None


def _not_its_own(error: BaseException) -> bool:
    """Whether an error came from outside of the actor: a cancel from above, or the end of the program."""
    outside = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(outside) is not None
    return isinstance(error, outside)


def _unwrapped(error: BaseException) -> BaseException:
    """A helper's own error, without the groups that nurseries put around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
