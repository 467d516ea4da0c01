"""The life of a sub-agent for tests, led as its worker leads it: facts that are short to write, steps that follow."""

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.messages import AgentReady, Entry, ModelInfo, Recalled, Subagent, SubagentState, TurnSettled, Usage
from actors.subagents.life import Life
from actors.subagents.steps import Begin, Step
from tests.actors.subagents.rows import PREPARING, sub

ME = "me"


def kinds(steps: Sequence[Step]) -> list[str]:
    """What kinds of steps these are."""
    return [type(step).__name__ for step in steps]


def greeting(incarnation: int = 1, leaf: str | None = None, *, cost: float = 0.0, model: str = "small") -> AgentReady:
    """An agent is ready."""
    return AgentReady(
        incarnation=incarnation,
        session_id="s",
        leaf=leaf,
        model=ModelInfo(id=model),
        models=(ModelInfo(id="small"), ModelInfo(id="large")),
        usage=Usage(cost=cost),
    )


def settled(
    text: str = "done",
    stop_reason: str = "stop",
    *,
    run: int = 1,
    incarnation: int = 1,
    error: str = "",
    cost: float = 0.0,
) -> TurnSettled:
    """A run is over."""
    return TurnSettled(
        turn=f"{ME}/{run}",
        incarnation=incarnation,
        text=text,
        stop_reason=stop_reason,
        error=error,
        leaf=f"leaf{run}",
        usage=Usage(cost=cost),
    )


def recalled(*entries: Entry, run: int = 1, incarnation: int = 1) -> Recalled:
    """What the session holds."""
    return Recalled(turn=f"{ME}/{run}", incarnation=incarnation, entries=entries, leaf="e9")


def begun(begin: Step, **changes: Any) -> Subagent:
    """The row once that has been committed."""
    assert isinstance(begin, Begin)
    fields: dict[str, Any] = {"run": begin.run, "attempt": begin.attempt, "prompt": begin.prompt, "leaf": begin.leaf}
    return sub(ME, SubagentState.RUNNING, started_at=1000.0, **(fields | changes))


def prepared(**changes: Any) -> Life:
    """One whose workspace is there."""
    life = Life()
    life.pulled(sub(ME, PREPARING, **changes), ())
    life.prepared("clone", ())
    return life


def running(**changes: Any) -> Life:
    """One in its first run."""
    life = prepared(**changes)
    life.agent_ready(greeting())
    (begin,) = life.pulled(sub(ME, PREPARING, **changes), ())
    life.began(begun(begin, **changes))
    return life


def stopped(life: Life, outcome: SubagentState = SubagentState.CANCELLED) -> Subagent:
    """Its row, which says that it is to end."""
    assert life.sub is not None
    return msgspec.structs.replace(life.sub, stop=outcome)
